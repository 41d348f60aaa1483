package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"backfill/internal/kafka"
)

// newLate archives two records behind a month that a table holds: a slip that it has not, and a newer version of one.
func newLate(t *testing.T, name string, before func(f *foreign)) (f *foreign, list []slip) {
	t.Helper()
	list = slips(40)
	f = newMonth(t, name, list)
	text, err := os.ReadFile(f.file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.file, []byte(strings.Replace(string(text), "records: {", "records: {timestamp: value.kafka, ", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	f.load(list)
	if before != nil {
		before(f)
	}
	late, newer := list[10], list[4]
	late.id, newer.v, newer.amount = "late", 2, "77.77"
	const written = `,"kafka":1775260800000}` // 2026-04-04
	f.archive(0, 22, strings.TrimSuffix(late.line(), "}")+written, strings.TrimSuffix(newer.line(), "}")+written)
	return f, list
}

// TestLateRecords: what came behind a cut-off, by offset or time, is late and no break, in the report as in the list for
// spreadsheets and the exit code; what is missing before it, or older than what stood there then, stays a break.
func TestLateRecords(t *testing.T) {
	f, list := newLate(t, "paid_late", nil)
	archive := []string{"--way", "archive"}
	look := func(exit int, verdict string, want []string, more ...string) outcome {
		t.Helper()
		o := f.do("reconcile", exit, append(slices.Clone(archive), more...)...)
		if got := f.found(o); !slices.Equal(got, want) || o.result.Verdict != verdict {
			t.Errorf("%s\nfound %q\nwant  %q", o.result.Sentence, got, want)
		}
		return o
	}
	late := []string{"late late", "late s0004 v(other) amount(other)"}
	look(5, "NOT RECONCILED", []string{"missing late", "superseded s0004 v(other) amount(other)"})
	offsets := file(t, "cutoff.txt", "slips:0:22\nslips:1:21\n")
	o := look(0, "RECONCILED WITH EXCEPTIONS", late, "--cutoff-offsets", offsets)
	rep := f.report(o.result.Report)
	if len(rep.Breaks) != 0 || rep.Cutoff == nil || len(rep.Statement.Inputs) != 1 || rep.Statement.Inputs[0].Kept != "cutoff-offsets.txt" {
		t.Errorf("breaks %+v, cut-off %+v, files %+v", rep.Breaks, rep.Cutoff, rep.Statement.Inputs)
	}
	lines := string(f.h.get(t, "staging", strings.TrimPrefix(strings.TrimSuffix(o.result.Report, "report.json"), "s3://staging/")+"exceptions.csv"))
	if strings.Count(lines, `"exception","late"`) != 3 || strings.Contains(lines, `"break"`) { // two rows, and how many they are
		t.Errorf("the list for spreadsheets:\n%s", lines)
	}
	at := look(0, "RECONCILED WITH EXCEPTIONS", late, "--cutoff-time", "2026-04-04T00:00:00Z")
	if c := f.report(at.result.Report).Cutoff; c == nil || c.Time != kafka.Instant(1775260800000000) {
		t.Errorf("the report's cut-off is %+v", c)
	}
	look(5, "NOT RECONCILED", []string{"missing late", "superseded s0004 v(other) amount(other)"}, "--cutoff-time", "2026-04-04T00:00:01Z")

	f.sql("DELETE FROM payroll.paid_late WHERE id = 's0031'")
	o = look(5, "NOT RECONCILED", append(slices.Clone(late), "missing s0031"), "--cutoff-offsets", offsets)
	for _, b := range f.report(o.result.Report).Breaks {
		if want := "2026-03-06"; b.Day != want || b.Kind != "missing" {
			t.Errorf("a break on %s, want %s alone: %+v", b.Day, want, b)
		}
	}
	f.load([]slip{list[31]})

	for says, args := range map[string][]string{
		"a cut-off is for --way archive": {"--way", "receipts", "--cutoff-offsets", offsets}, `--cutoff-time "soon" is no date`: {"--way", "archive", "--cutoff-time", "soon"},
		"is not topic:partition:offset": {"--way", "archive", "--cutoff-offsets", file(t, "bad.txt", "slips:0\n")},
	} {
		if o := f.do("reconcile", 2, args...); !strings.Contains(o.result.Error, says) || o.result.Hint == "" && !strings.Contains(says, "topic:") {
			t.Errorf("%v: %s (%s)", args, o.result.Error, o.result.Hint)
		}
	}
	untimed := newMonth(t, "paid_untimed", list)
	if o := untimed.do("reconcile", 2, "--way", "archive", "--cutoff-time", "2026-04-04"); !strings.Contains(o.result.Error, "reads no Kafka times") || !strings.Contains(o.result.Hint, "--cutoff-offsets") {
		t.Errorf("%s (%s)", o.result.Error, o.result.Hint)
	}
}

// TestLateAfterTheClose: a signed-off period has its own cut-off; a repair brings what is late, and the period is restated.
func TestLateAfterTheClose(t *testing.T) {
	var number int64
	f, _ := newLate(t, "paid_closed", func(f *foreign) {
		f.t.Helper()
		number = f.h.runWith(f.t, 0, []string{"BACKFILL_REQUESTED_BY=anna"}, "reconcile", "--dataset", f.file, "--from", "2026-03-01", "--to", "2026-04-01").result.Number
		f.h.runWith(f.t, 0, []string{"BACKFILL_REQUESTED_BY=ben"}, "reconcile", "--dataset", f.file, "--sign-off", fmt.Sprint(number))
	})
	o := f.do("reconcile", 0)
	if got, want := f.found(o), []string{"late late", "late s0004 v(other) amount(other)"}; !slices.Equal(got, want) {
		t.Errorf("after the close: %q, want %q", got, want)
	}
	rep := f.report(o.result.Report)
	if rep.Cutoff == nil || rep.Cutoff.Closed != number || rep.Restates == nil || !rep.Restates.Same || len(rep.Restates.Late) != 1 {
		t.Errorf("cut-off %+v, restates %+v", rep.Cutoff, rep.Restates)
	}
	o = f.repair(0, []string{"BACKFILL_REQUESTED_BY=clerk"}, o.result.Report, "--apply", "--approved-by", "controller")
	rep = f.report(o.result.Report)
	if got := f.found(o); len(got) != 0 || o.result.Inserted != 2 || o.result.Deleted != 1 || rep.Restates == nil || rep.Restates.Same {
		t.Errorf("mended: %q, %d inserted, %d deleted, restates %+v", got, o.result.Inserted, o.result.Deleted, rep.Restates)
	}
	if got := f.h.rows(t, "SELECT v, amount FROM payroll.paid_closed WHERE id IN ('late', 's0004') ORDER BY id"); !slices.Equal(got, []string{"1|1010.10|", "2|77.77|"}) {
		t.Errorf("the table holds %q", got)
	}
}
