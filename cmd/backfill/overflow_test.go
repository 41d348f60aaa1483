package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// JSON that SUPER can't be staged with is neither cut nor lost: its row says
// where it stands; without a declared overflow the record goes to quarantine.
func TestOverflow(t *testing.T) {
	h := shared
	long := `{"note":"` + strings.Repeat("z", 70_000) + `"}`
	body := `{"id":1,"details":{"a":[1,2]}}` + "\n" + `{"id":2,"details":` + long + "}\n" + `{"id":3}` + "\n"
	if err := h.put(context.Background(), "archive", "overflow/ledger/partition=0/ledger+0+0000000000.json", []byte(body)); err != nil {
		t.Fatal(err)
	}
	run := func(exit int, overflow string) outcome {
		text := `version: 1
name: ledger
archive: {uri: s3://archive/overflow/ledger, layout: confluent}
records: {event_time: none}
columns:
  - {name: id, type: bigint, from: value.id, required: true}
  - {name: details, type: super, from: value.details` + overflow + `
table: {name: payroll.overflowed, mode: append, scope: all, provenance: true}
staging: {uri: s3://staging/overflow}
`
		file := filepath.Join(t.TempDir(), "dataset.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return h.run(t, exit, "run", "--dataset", file, "--create-table")
	}
	if o := run(4, "}"); o.result.Code != "too_many_rejects" || !strings.Contains(o.result.Error, "details: too_long_value: 1") {
		t.Errorf("%s: %s", o.result.Code, o.result.Error)
	}
	h.sql(t, "DROP TABLE payroll.overflowed")
	o := run(0, ", overflow: details_overflow}\n  - {name: details_overflow, type: varchar(384)}")
	if o.result.Inserted != 3 {
		t.Errorf("%d rows: %+v", o.result.Inserted, o.result)
	}
	want := []string{`1|{"a":[1,2]}|NULL|`, fmt.Sprintf("2|NULL|sha256:%x bytes:%d ledger/0/1|", sha256.Sum256([]byte(long)), len(long)), `3|NULL|NULL|`}
	got := h.rows(t, "SELECT id, JSON_SERIALIZE(details), details_overflow FROM payroll.overflowed ORDER BY id")
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
