package main

import (
	"slices"
	"strings"
	"testing"
)

// TestRowsOutsideOfTheWindow: versions and rows of a key on days that the report is not about are no harm in it, and a
// repair from it, with all that it may do, leaves them as they are, whatever is wrong with them and however far away.
func TestRowsOutsideOfTheWindow(t *testing.T) {
	list := slips(40)
	f := newMonth(t, "paid_outside", list)
	move := func(s slip, at, amount string) slip {
		s.at, s.v, s.amount = at, s.v+1, amount
		return s
	}
	moved, altered := move(list[3], "2026-04-10T00:00:00.000001", "3.33"), move(list[5], "2026-04-11T00:00:00.000001", "5.55")
	far, both := move(list[7], "2026-09-01T00:00:00.000001", "7.77"), move(list[9], "2026-04-12T00:00:00.000001", "9.99")
	f.archive(1, 21, moved.line(), altered.line(), far.line(), both.line())
	held := slices.DeleteFunc(slices.Clone(list), func(s slip) bool { return s.id == moved.id || s.id == altered.id || s.id == far.id })
	altered.amount = "5.56" // the table has April's version with another amount: April's report says so
	f.load(append(held, moved, altered, far, both))
	f.sql("DELETE FROM payroll.paid_outside WHERE id = 's0030'")
	o := f.do("reconcile", 5, "--way", "archive")
	want := []string{"missing s0007", "missing s0030", "superseded s0003", "superseded s0005"}
	if got := f.found(o); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	before := f.h.rows(t, "SELECT id, at, v, amount FROM payroll.paid_outside WHERE id <> 's0030' ORDER BY id, at")
	o = f.repair(5, []string{"BACKFILL_REQUESTED_BY=clerk"}, o.result.Report, "--apply", "--delete-extra", "--approved-by", "controller")
	if now := f.h.rows(t, "SELECT id, at, v, amount FROM payroll.paid_outside WHERE id <> 's0030' ORDER BY id, at"); !slices.Equal(now, before) {
		t.Errorf("the repair touched rows that are not its own: %s", firstDifference(now, before))
	}
	if o.result.Inserted != 1 || o.result.Deleted != 0 || len(o.result.Left) != 1 || !strings.Contains(o.result.Left[0].Why, "a newer version of their key lies outside") {
		t.Errorf("%d inserted, %d deleted, left %+v", o.result.Inserted, o.result.Deleted, o.result.Left)
	}
}
