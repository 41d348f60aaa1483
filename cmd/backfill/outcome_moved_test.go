package main

import (
	"slices"
	"strings"
	"testing"
)

// TestReplaceKnowsKeysOutside: a correction moves a key's event time to another
// day. In whatever order the days are loaded, the key ends up once.
func TestReplaceKnowsKeysOutside(t *testing.T) {
	month := newBook(t, "moved_month", "replace_window", "87600h")
	entries := []entry{{"a", 5, 1, "1.00", false}, {"b", 5, 1, "2.00", false}, {"a", 7, 2, "1.10", false}, {"c", 7, 1, "3.00", false}}
	month.put(0, 0, entries...)
	month.run(0, 5, 8)
	want := []string{"a|07 00|2|1.10|f|2|", "b|05 00|1|2.00|f|1|", "c|07 00|1|3.00|f|3|"}
	month.want(want...)

	late := newBook(t, "moved_late", "replace_window", "87600h")
	late.put(0, 0, entries...)
	late.run(0, 7, 8)
	o := late.run(0, 5, 6)
	if o.result.Outdated != 1 || o.result.Inserted != 1 || o.result.Verdict != "RECONCILED" {
		t.Errorf("%+v", o.result)
	}
	late.want(want...)
	late.same(0, 5, 6)
	late.same(0, 7, 8)

	early := newBook(t, "moved_early", "replace_window", "87600h")
	early.put(0, 0, entries...)
	early.run(0, 5, 6)
	o = early.run(0, 7, 8)
	if o.result.Stale != 1 || o.result.Inserted != 2 || !strings.Contains(o.result.Sentence, "1 stale") {
		t.Errorf("%+v", o.result)
	}
	early.want(append([]string{"a|05 00|1|1.00|f|0|"}, want...)...)
	if s := early.do("status", 0, 0, 0).result.Status; len(s.Stale) != 1 || s.Stale[0].Day.String() != "2026-03-05" || s.Stale[0].Rows != 1 {
		t.Errorf("%+v", s)
	}
	if o := early.do("reconcile", 0, 5, 6); !strings.Contains(o.result.Sentence, "1 stale") {
		t.Error(o.result.Sentence)
	}
	// The day that was made old is loaded again, although nothing else changed.
	o = early.run(0, 5, 6)
	if o.result.Outdated != 1 || o.result.Deleted != 2 || o.result.Inserted != 1 || !strings.Contains(notes(o), "newer versions of 1 keys came to other days") {
		t.Errorf("%+v\n%s", o.result, notes(o))
	}
	early.want(want...)
	for _, w := range [][2]int{{5, 6}, {6, 7}, {7, 8}} {
		if w[0] == 6 {
			early.run(4, 6, 7) // nothing happened on that day
			continue
		}
		early.same(0, w[0], w[1])
	}
	for _, b := range []*book{late, early} {
		if o := b.do("reconcile", 6, 5, 8); o.result.Breaks != 0 || !strings.Contains(o.result.Error, "never loaded") {
			t.Errorf("%s: %s", b.name, o.result.Error)
		}
	}
	if s := early.do("status", 0, 0, 0).result.Status; len(s.Stale) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestReplaceKeepsUnknownOrder: without a version, two days may hold a key, and
// it is said.
func TestReplaceKeepsUnknownOrder(t *testing.T) {
	b := newBook(t, "moved_unknown", "replace_window", "87600h")
	b.flags = []string{"--set", "table.latest_by=None"}
	b.put(0, 0, entry{"a", 5, 1, "1.00", false})
	b.put(1, 0, entry{"a", 7, 2, "1.10", false})
	b.run(0, 5, 6)
	o := b.run(0, 7, 8)
	if o.result.Twins != 1 || o.result.Stale != 0 || !strings.Contains(o.result.Sentence, "1 stand twice") {
		t.Errorf("%+v", o.result)
	}
	b.want("a|05 00|1|1.00|f|0|", "a|07 00|2|1.10|f|0|")
	b.same(0, 5, 6)
}

// TestNewerVersionWouldVanish: a replacement does not bring an older version
// back over a newer one that the archive does not hold.
func TestNewerVersionWouldVanish(t *testing.T) {
	b := newBook(t, "newer_vanish", "replace_window", "87600h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 5, 1, "2.00", false})
	b.insert(entry{"a", 5, 2, "1.50", false})
	before := b.rows()
	o := b.run(4, 5, 6)
	if o.result.Code != "rows_would_vanish" || !strings.Contains(o.result.Error, "1 rows would vanish") || !strings.Contains(o.result.Hint, "older version") {
		t.Errorf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
	if !slices.Equal(b.rows(), before) {
		t.Error("the table changed")
	}
	b.run(0, 5, 6, "--allow-vanish", "1")
	b.want("a|05 00|1|1.00|f|0|", "b|05 00|1|2.00|f|1|")
}

// TestAtomic: all slices of a plan, or none.
func TestAtomic(t *testing.T) {
	b := newBook(t, "atomic", "replace_window", "87600h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 6, 1, "2.00", false}, entry{"c", 7, 1, "3.00", false})
	b.h.sql(t, "UPDATE payroll.atomic SET v = 1 WHERE id = ''")
	o := b.run(0, 5, 8, "--atomic")
	if o.result.Slices != 3 || o.result.Inserted != 3 {
		t.Errorf("%+v", o.result)
	}
	got := b.h.rows(t, "SELECT DISTINCT flags FROM payroll.atomic__backfill_ledger")
	if len(got) != 1 || got[0] != "atomic|" {
		t.Errorf("flags %q", got)
	}
	b.same(0, 5, 8, "--atomic")
	// A guard of the last slice stops all.
	b.put(0, 3, entry{"d", 5, 1, "4.00", false})
	b.insert(entry{"x", 7, 1, "9.00", false})
	before := b.rows()
	b.run(4, 5, 8, "--atomic")
	if !slices.Equal(b.rows(), before) {
		t.Error("the table changed")
	}
	b.run(0, 5, 8, "--atomic", "--allow-vanish", "1")
	b.want("a|05 00|1|1.00|f|0|", "b|06 00|1|2.00|f|1|", "c|07 00|1|3.00|f|2|", "d|05 00|1|4.00|f|3|")
}
