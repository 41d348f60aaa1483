package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQuarantine goes the way of a person: rejected records, what they are, a
// fix of the dataset, and a replay that lands each row once in its window.
func TestQuarantine(t *testing.T) {
	h := shared
	w := newWorld(prefixOf(t), 1)
	at := time.Date(2026, 3, 10, 12, 0, 0, 0, time.UTC)
	for i := range 6 {
		w.add(0, event{id: fmt.Sprintf("good-%d", i), version: 1, at: at, cents: 100, currency: "EUR", note: "fine"})
	}
	for i := range 3 {
		w.add(0, event{id: fmt.Sprintf("long-%d", i), version: 1, at: at.AddDate(0, 0, i), cents: 250, currency: "EUR", note: strings.Repeat("secret ", 8)})
	}
	w.add(0, event{id: "long-april", version: 1, at: at.AddDate(0, 1, 0), cents: 700, currency: "EUR", note: strings.Repeat("secret ", 8)})
	w.add(0, event{}) // a line that is no JSON
	w.flush(t, h)
	h.sql(t, "CREATE TABLE payroll.held ("+strings.Replace(worldColumns, "note varchar(40)", "note varchar(100)", 1)+")")
	text := fmt.Sprintf(strings.Replace(worldDataset, "payroll.events", "payroll.held", 1), w.prefix, "replace_window")
	text = strings.Replace(text, "max_records: 0", "max_records: 10", 1)
	file := filepath.Join(t.TempDir(), "held.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(text)
	common := []string{"--set", "staging.uri=s3://staging/" + w.prefix, "--set", "quarantine={max_records: 10}", "--set", "reconcile.show=[id]"}
	window := []string{"--from", "2026-03-01", "--to", "2026-04-01"}
	with := func(args ...string) []string { return append(append(args, "--dataset", file), common...) }
	first := h.run(t, 0, append(with("run"), window...)...)
	if first.result.Verdict != "RECONCILED WITH EXCEPTIONS" || first.result.Inserted != 6 {
		t.Fatalf("%+v", first.result)
	}

	ls := h.run(t, 0, with("quarantine", "ls", "1")...).result.Reasons
	if len(ls) != 2 || ls[0].Reason != "too_long_value" || ls[0].Column != "note" || ls[0].Records != 3 || ls[0].Row != 6 || ls[0].Offset != 6 || ls[1].Records != 1 || ls[1].Disposition != "unreadable" {
		t.Fatalf("ls: %+v", ls)
	}
	shown := h.run(t, 0, with("quarantine", "show", "1", "--with-reason", "too_long_value", "--limit", "2")...)
	if len(shown.result.Quarantined) != 2 || strings.Contains(shown.stdout, "secret") || !strings.Contains(shown.result.Quarantined[0].Text, `"id": "long-0"`) ||
		!strings.Contains(shown.result.Quarantined[0].Text, `"note": ‹text of 56 characters›`) {
		t.Errorf("show: %s", shown.stdout)
	}
	if raw := h.run(t, 0, with("quarantine", "show", "1", "--column", "note", "--raw")...); !strings.Contains(raw.stdout, "secret secret") {
		t.Errorf("show --raw: %s", raw.stdout)
	}

	before := h.run(t, 0, with("quarantine", "replay", "1")...).result.Replay
	if before.Records != 4 || before.Fit != 0 || before.Still["note too_long_value"] != 3 {
		t.Errorf("replay before the fix: %+v", before)
	}
	if o := h.run(t, 4, with("quarantine", "replay", "1", "--apply")...); !strings.Contains(o.result.Error, "no record in quarantine would become a row") {
		t.Errorf("replay --apply before the fix: %s", o.result.Error)
	}
	write(strings.Replace(text, "type: varchar(40)", "type: varchar(100)", 1))
	after := h.run(t, 0, with("quarantine", "replay", "1")...).result.Replay
	if after.Records != 4 || after.Fit != 3 || len(after.Others) != 0 || len(after.Still) != 1 {
		t.Errorf("replay after the fix: %+v", after)
	}
	if n := h.rows(t, "SELECT COUNT(*) FROM payroll.held"); n[0] != "6|" {
		t.Errorf("a replay without --apply changed the table: %s rows", n[0])
	}
	applied := h.run(t, 0, with("quarantine", "replay", "1", "--apply")...)
	if applied.result.Seq != 2 || applied.result.Verdict != "RECONCILED WITH EXCEPTIONS" {
		t.Errorf("replay --apply: %+v", applied.result)
	}
	again := h.run(t, 0, with("quarantine", "replay", "1", "--apply")...)
	if !again.result.Done {
		t.Errorf("a second replay did something: %+v", again.result)
	}
	if rows := h.rows(t, "SELECT id, COUNT(*) FROM payroll.held WHERE id LIKE 'long%' GROUP BY id ORDER BY id"); strings.Join(rows, " ") != "long-0|1| long-1|1| long-2|1|" {
		t.Errorf("rows %q", rows)
	}
	if left := h.run(t, 0, with("quarantine", "ls", "2")...).result.Reasons; len(left) != 1 || left[0].Records != 1 {
		t.Errorf("quarantine of the new plan: %+v", left)
	}
	if o := h.run(t, 2, with("quarantine", "ls")...); !strings.Contains(o.result.Error, "the plan or run is missing") {
		t.Errorf("no plan: %s", o.result.Error)
	}
	if o := h.run(t, 2, with("quarantine", "ls", "77")...); !strings.Contains(o.result.Error, `there is no plan or run "77"`) {
		t.Errorf("no such plan: %s", o.result.Error)
	}
}
