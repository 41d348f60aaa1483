package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backfill/internal/account"
)

// written sets when an archived object of the slips was written.
func (f *foreign) written(at time.Time, path ...string) {
	f.t.Helper()
	if err := os.Chtimes(filepath.Join(append([]string{f.dir, "slips"}, path...)...), at, at); err != nil {
		f.t.Fatal(err)
	}
}

// archivedLines are the slips as they are archived.
func archivedLines(list []slip) (out []string) {
	for _, s := range list {
		out = append(out, s.line())
	}
	return out
}

// noon is noon of a day of March 2026.
func noon(day int) time.Time { return time.Date(2026, 3, day, 12, 0, 0, 0, time.UTC) }

// findings are the findings of a report, as "class object@offset".
func (f *foreign) findings(o outcome) string {
	f.t.Helper()
	var list []string
	for _, s := range f.report(o.result.Report).Sequences {
		for _, found := range s.Findings {
			list = append(list, fmt.Sprintf("%s %s@%d", found.Class, filepath.Base(found.Object), found.Offset))
		}
	}
	return strings.Join(list, ", ")
}

// declare adds keys to the archive section of the dataset file.
func (f *foreign) declare(keys string) {
	f.t.Helper()
	text, err := os.ReadFile(f.file)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(f.file, []byte(strings.Replace(string(text), "idle: 9000h", keys, 1)), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// TestTopicRecreated archives two topics of one name: the offsets of the second
// begin again. It is named, and with archive.recreated both are proven.
func TestTopicRecreated(t *testing.T) {
	f, list := newForeign(t, "recreated"), slips(40)
	f.archive(0, 0, archivedLines(list[:10])...)
	f.archive(0, 10, archivedLines(list[10:20])...)
	// The second topic's archiver wrote with longer numbers, so that nothing was overwritten.
	second := filepath.Join(f.dir, "slips", "partition=0", "slips+0+000000000000.json")
	if err := os.WriteFile(second, []byte(strings.Join(archivedLines(list[20:35]), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	third := filepath.Join(f.dir, "slips", "partition=0", "slips+0+000000000015.json")
	if err := os.WriteFile(third, []byte(strings.Join(archivedLines(list[35:]), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.written(noon(6), "partition=0", "slips+0+0000000000.json")
	f.written(noon(6), "partition=0", "slips+0+0000000010.json")
	f.written(noon(8), "partition=0", "slips+0+000000000000.json")
	f.written(noon(9), "partition=0", "slips+0+000000000015.json")

	o := f.do("run", 6)
	if found := f.findings(o); !strings.Contains(found, string(account.TopicRecreated)+" slips+0+000000000000.json@0") || strings.Contains(found, string(account.ArchiveConflict)) {
		t.Errorf("findings %s", found)
	}
	if text := o.stdout + o.stderr; !strings.Contains(text, "topic re-created") || !strings.Contains(text, "archive.recreated") {
		t.Errorf("it is not said:\n%s", text)
	}
	f.declare(`idle: 9000h, recreated: ["2026-03-07T00:00:00Z"]`)
	o = f.do("run", 0)
	if found := f.findings(o); found != "" || !strings.Contains(o.stdout, "RECONCILED") {
		t.Errorf("findings %s\n%s", found, o.stdout)
	}
	if s := f.report(o.result.Report).Sequences; len(s) != 2 || s[0].Last != 19 || s[1].Last != 19 || s[1].Generation != 1 {
		t.Errorf("sequences %+v", s)
	}
	if rows := f.h.rows(t, "SELECT DISTINCT id FROM payroll.recreated"); len(rows) != len(list) {
		t.Errorf("%d rows, want %d", len(rows), len(list))
	}
	f.do("reconcile", 0, "--way", "archive")
}

// TestShortObject reads an object that is complete, and shorter than the next
// object's name leads to expect.
func TestShortObject(t *testing.T) {
	f, list := newForeign(t, "short_object"), slips(20)
	f.archive(0, 0, archivedLines(list[:7])...)
	f.archive(0, 10, archivedLines(list[10:])...)
	o := f.do("run", 6)
	if found := f.findings(o); found != "short_object slips+0+0000000000.json@0" {
		t.Errorf("findings %s", found)
	}
	if text := o.stdout + o.stderr; !strings.Contains(text, "slips/0: offsets 7 to 9 (3 records) are not in the archive") {
		t.Errorf("the gap is not named:\n%s", text)
	}
	f.archive(0, 0, archivedLines(list[:10])...) // the archiver's retry
	if o = f.do("run", 0); f.findings(o) != "" {
		t.Errorf("findings %s", f.findings(o))
	}
}

// TestShrunkObject plans an object that a second writer replaces by a shorter one.
func TestShrunkObject(t *testing.T) {
	f, list := newForeign(t, "shrunk_object"), slips(20)
	f.archive(0, 0, archivedLines(list)...)
	f.do("plan", 0)
	f.archive(0, 0, archivedLines(list[:15])...)
	o := f.do("run", 4)
	for _, say := range []string{"slips+0+0000000000.json", "it shrank, and may have lost records", "--replan"} {
		if !strings.Contains(o.stderr, say) {
			t.Errorf("the message does not say %q:\n%s", say, o.stderr)
		}
	}
	if rows := f.h.rows(t, "SELECT id FROM payroll.shrunk_object"); len(rows) != 0 {
		t.Errorf("%d rows were loaded", len(rows))
	}
}

// TestIdleTail archives a partition that is silent since before the window's
// end: its last records may not be there yet, which plan, doctor and status say.
func TestIdleTail(t *testing.T) {
	f, list := newForeign(t, "idle_tail"), slips(20)
	f.declare("idle: 0h")
	f.archive(0, 0, archivedLines(list[:10])...)
	f.archive(1, 0, archivedLines(list[10:])...)
	f.written(noon(20), "partition=1", "slips+1+0000000000.json")
	const quiet = "slips/1: nothing was archived since 2026-03-20T12:00:00Z; its last records may wait in the archiver until new ones come"
	says := func(o outcome, what ...string) {
		t.Helper()
		for _, say := range append(what, quiet) {
			if text := o.stdout + o.stderr; !strings.Contains(text, say) || strings.Contains(text, "slips/0: nothing") {
				t.Errorf("it does not say %q:\n%s", say, text)
			}
		}
	}
	says(f.do("plan", 0), "rotate.schedule.interval.ms", "archive.idle")
	f.do("run", 6, "--preliminary")
	says(f.h.run(t, 0, "status", "--dataset", f.file))
	_, wait := f.h.start(t, f.h.env(), "doctor", "--dataset", f.file, "--from", "2026-03-01", "--to", "2026-04-01")
	says(wait(), "rotate.schedule.interval.ms")
}
