package main

import (
	"slices"
	"strings"
	"testing"
)

// TestReplaceWithoutKey: rows are guarded by their number per partition and
// day, and by what the table held when the plan was sealed.
func TestReplaceWithoutKey(t *testing.T) {
	b := newBook(t, "keyless", "replace_window", "87600h")
	b.flags = []string{"--set", "table.latest_by=None", "--set", "table.key=None"}
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 5, 1, "2.00", false}, entry{"c", 6, 1, "3.00", false})
	b.insert(entry{"a", 5, 1, "1.00", false}) // there before the plan
	plan := b.do("plan", 0, 5, 7, "--slice-days", "1")
	load := func(exit int, extra ...string) outcome {
		return b.h.run(t, exit, append([]string{"load", "--plan", plan.result.Plan}, extra...)...)
	}
	b.h.run(t, 0, "convert", "--plan", plan.result.Plan)
	// As many other rows as the archive has: the count alone would not tell.
	b.insert(entry{"x", 6, 1, "9.00", false})
	before := b.rows()
	o := load(4)
	if !strings.Contains(o.result.Error, "2026-03-06 had 0 rows and has 1, with other content") || !strings.Contains(o.result.Hint, "--replan") {
		t.Errorf("%s (%s)", o.result.Error, o.result.Hint)
	}
	if !slices.Equal(b.rows(), before) {
		t.Error("the table changed")
	}
	// More rows than the archive has.
	b.insert(entry{"y", 6, 1, "8.00", false})
	if o := load(4); !strings.Contains(o.result.Error, "1 rows would vanish") {
		t.Error(o.result.Error)
	}
	// Rows that are gone are no loss.
	b.h.sql(t, "DELETE FROM payroll.keyless WHERE id IN ('a', 'x', 'y')")
	if o := load(0); o.result.Inserted != 3 {
		t.Errorf("%+v", o.result)
	}
	b.want("a|05 00|1|1.00|f|0|", "b|05 00|1|2.00|f|1|", "c|06 00|1|3.00|f|2|")
	b.same(0, 5, 7)
	// A newer plan of a window of its own is no stranger to the first one's.
	b.put(0, 3, entry{"d", 6, 1, "4.00", false})
	first := b.do("plan", 0, 5, 7, "--slice-days", "1")
	b.run(0, 5, 7)
	if first.result.Seq != 2 {
		t.Errorf("plan %d", first.result.Seq)
	}
	b.same(0, 5, 7)
}
