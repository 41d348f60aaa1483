package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const deletesDataset = `version: 1
name: deletes
archive: {uri: "s3://archive/%[1]s", layout: %[2]s, idle: 80000h}
records: %[3]s
columns:
%[4]s
  - {name: amount, type: "decimal(18,2)", from: value.amount}
  - {name: gone,   type: boolean,         from: value.__deleted}
table: {name: payroll.%[1]s, mode: upsert, scope: all, window_column: at, key: [id], latest_by: [at], provenance: true, deleted: gone}
staging: {uri: "s3://staging/%[1]s"}
`

// deletesTable makes table, dataset file and a function that runs a month.
func deletesTable(t *testing.T, h *harness, name, layout, records, columns string) func(from, to string) result {
	t.Helper()
	h.sql(t, "CREATE TABLE payroll."+name+` (id varchar(36) NOT NULL, at timestamp NOT NULL, amount decimal(18,2), gone boolean,
		_kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64), PRIMARY KEY (id))`)
	file := filepath.Join(t.TempDir(), "deletes.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, deletesDataset, name, layout, records, columns), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(from, to string) result {
		t.Helper()
		return h.run(t, 0, "run", "--dataset", file, "--from", from, "--to", to).result
	}
}

// TestDebeziumDeletesLeaveAVersion loads a key's deletion and then an older
// month: the deletion stays, with what the row was.
func TestDebeziumDeletesLeaveAVersion(t *testing.T) {
	h := shared
	run := deletesTable(t, h, "deletes_debezium", "confluent", "{envelope: debezium, event_time: envelope.source.ts_ms}",
		"  - {name: id, type: varchar(36), from: value.id, required: true}\n  - {name: at, type: timestamp, from: envelope.source.ts_ms, required: true}")
	put := func(offset int, lines ...string) {
		t.Helper()
		if err := h.put(t.Context(), "archive", fmt.Sprintf("deletes_debezium/pay/partition=0/pay+0+%010d.json", offset), []byte(strings.Join(lines, "\n")+"\n")); err != nil {
			t.Fatal(err)
		}
	}
	const march, april = 1772500000000, 1775200000000
	row := func(id, amount string) string { return fmt.Sprintf(`{"id":%q,"amount":%q}`, id, amount) }
	change := func(at int64, op, before, after string) string {
		return fmt.Sprintf(`{"before":%s,"after":%s,"op":%q,"source":{"ts_ms":%d}}`, before, after, op, at)
	}
	put(0, change(march, "c", "null", row("a", "1.10")), change(march+1, "c", "null", row("b", "2.20")), change(march+2, "u", row("b", "2.20"), row("b", "3.30")))
	put(3, change(april, "d", row("a", "1.10"), "null"), "null", change(april+1, "c", "null", row("c", "4.40")))
	put(6, change(april+40*86400000, "c", "null", row("d", "5.50")))
	if r := run("2026-04-01", "2026-05-01"); r.Inserted != 2 || r.Tally[1] != 1 {
		t.Errorf("%+v, %v", r, r.Tally)
	}
	if r := run("2026-03-01", "2026-04-01"); r.Outdated != 1 || r.Inserted != 1 {
		t.Errorf("%+v", r)
	}
	const want = "a|1.10|t|3| b|3.30|f|2| c|4.40|f|5|"
	if rows := strings.Join(h.rows(t, "SELECT id, amount, gone, _kafka_offset FROM payroll.deletes_debezium ORDER BY id"), " "); rows != want {
		t.Errorf("%s, want %s", rows, want)
	}
}

// TestTombstonesDeleteTheirKey loads a tombstone whose key is in the envelope.
func TestTombstonesDeleteTheirKey(t *testing.T) {
	h := shared
	run := deletesTable(t, h, "deletes_tombstones", "lenses", "{envelope: lenses, tombstones: delete, event_time: envelope.metadata.timestamp}",
		"  - {name: id, type: varchar(36), from: envelope.key, required: true}\n  - {name: at, type: timestamp, from: envelope.metadata.timestamp, required: true}")
	var lines []string
	for i, value := range []string{`{"amount":"1.10"}`, `{"amount":"2.20"}`, "null"} {
		lines = append(lines, fmt.Sprintf(`{"key":"%s","value":%s,"metadata":{"topic":"pay","partition":0,"offset":%d,"timestamp":%d}}`, []string{"a", "b", "a"}[i], value, i, 1772500000000+i))
	}
	lines = append(lines, fmt.Sprintf(`{"key":"z","value":{},"metadata":{"topic":"pay","partition":0,"offset":3,"timestamp":%d}}`, 1778500000000))
	if err := h.put(t.Context(), "archive", "deletes_tombstones/pay/0/000000000003_1_2.json", []byte(strings.Join(lines, "\n")+"\n")); err != nil {
		t.Fatal(err)
	}
	r := run("2026-03-01", "2026-04-01")
	if r.Tally[1] != 0 || r.Inserted != 2 || r.Superseded != 1 {
		t.Errorf("%+v, %v", r, r.Tally)
	}
	const want = "a|NULL|t|2| b|2.20|f|1|"
	if rows := strings.Join(h.rows(t, "SELECT id, amount, gone, _kafka_offset FROM payroll.deletes_tombstones ORDER BY id"), " "); rows != want {
		t.Errorf("%s, want %s", rows, want)
	}
}
