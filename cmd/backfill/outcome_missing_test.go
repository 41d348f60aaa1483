package main

import (
	"strings"
	"testing"
)

func TestInsertMissing(t *testing.T) {
	b := newBook(t, "missing", "insert_missing", "87600h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 5, 1, "2.00", false}, entry{"c", 6, 1, "3.00", false},
		entry{"d", 6.5, 1, "4.00", false}, entry{"d", 6.5, 2, "4.50", false}, entry{"e", 7, 1, "5.00", false})
	b.insert(entry{"a", 5, 1, "1.00", false})  // as archived
	b.insert(entry{"c", 6, 1, "3.33", false})  // other content
	b.insert(entry{"e", 20, 1, "5.00", false}) // its event time was corrected
	b.insert(entry{"x", 6, 1, "9.00", false})  // not archived
	o := b.run(0, 5, 8)
	r := o.result
	if r.Inserted != 2 || r.Already != 1 || r.Differing != 2 || r.Superseded != 1 || r.Deleted != 0 || r.Kept != 2 {
		t.Errorf("inserted %d, already %d, differing %d, superseded %d, deleted %d, kept %d", r.Inserted, r.Already, r.Differing, r.Superseded, r.Deleted, r.Kept)
	}
	want := []string{"a|05 00|1|1.00|f|NULL|", "b|05 00|1|2.00|f|1|", "c|06 00|1|3.33|f|NULL|", "d|06 12|2|4.50|f|4|", "e|20 00|1|5.00|f|NULL|", "x|06 00|1|9.00|f|NULL|"}
	b.want(want...)
	if r.Verdict != "RECONCILED WITH EXCEPTIONS" || !strings.Contains(r.Sentence, "2 kept") || !strings.Contains(r.Sentence, "2 differing") {
		t.Errorf("%s: %s", r.Verdict, r.Sentence)
	}
	b.same(0, 5, 8)

	// Rows that come later are breaks: nothing of this program brought them.
	b.insert(entry{"y", 5, 1, "1.00", false})
	if o := b.do("reconcile", 5, 5, 8); !strings.Contains(o.result.Sentence, "2026-03-05 USD: 1 row too many") {
		t.Error(o.result.Sentence)
	}
	// A run takes them into account again, and so does a late object.
	b.put(0, 6, entry{"f", 7, 1, "6.00", false})
	if o := b.run(0, 5, 8); o.result.Seq != 2 || o.result.Inserted != 1 || o.result.Already != 3 {
		t.Errorf("plan %d, inserted %d, already %d: %s", o.result.Seq, o.result.Inserted, o.result.Already, notes(o))
	}
	b.same(0, 5, 8)

	// A month made of daily runs adds up.
	for _, day := range []int{5, 6, 7} {
		b.run(0, day, day+1)
	}
	if o := b.do("reconcile", 0, 5, 8); !strings.Contains(o.result.Sentence, "all legs agree on 7 rows") {
		t.Error(o.result.Sentence)
	}
}

// TestPreliminary adds what is there of a window that is not settled, and
// replaces it when it is.
func TestPreliminary(t *testing.T) {
	b := newBook(t, "preliminary", "replace_window", "0h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 6, 1, "2.00", false})
	b.insert(entry{"b", 6, 1, "2.22", false})
	b.insert(entry{"s", 6, 1, "7.00", false})
	refused := b.run(6, 5, 7)
	if refused.result.Code != "unsettled" || !strings.Contains(refused.result.Hint, "--preliminary") {
		t.Errorf("%s: %s (%s)", refused.result.Code, refused.result.Error, refused.result.Hint)
	}
	o := b.run(6, 5, 7, "--preliminary")
	if r := o.result; r.Seq != 1 || r.Inserted != 1 || r.Differing != 1 || r.Deleted != 0 || !r.Preliminary || r.Verdict != "INCOMPLETE" ||
		!strings.Contains(r.Error, "2 days, 2026-03-05 to 2026-03-06, were loaded as preliminary") {
		t.Errorf("%+v", r)
	}
	b.want("a|05 00|1|1.00|f|0|", "b|06 00|1|2.22|f|NULL|", "s|06 00|1|7.00|f|NULL|")
	if got := b.h.rows(t, "SELECT mode, flags FROM payroll.preliminary__backfill_ledger ORDER BY slice_index"); len(got) != 2 || got[0] != "insert_missing|preliminary|" {
		t.Errorf("ledger: %q", got)
	}
	b.same(6, 5, 7, "--preliminary")

	// A stream goes on: that is no break of a preliminary day.
	b.insert(entry{"t", 5, 1, "8.00", false})
	if o := b.do("reconcile", 6, 5, 7); o.result.Breaks != 0 || !strings.Contains(o.result.Error, "preliminary") {
		t.Errorf("%d breaks: %s", o.result.Breaks, o.result.Error)
	}

	// The window is settled when the partition has gone on.
	b.put(0, 2, entry{"s", 6, 1, "7.00", false}, entry{"t", 5, 1, "8.00", false}, entry{"later", 9, 1, "0.00", false})
	o = b.run(0, 5, 7)
	if r := o.result; r.Seq != 2 || r.Deleted != 4 || r.Inserted != 4 || r.Preliminary || !strings.Contains(notes(o), "it was loaded as preliminary") || r.Verdict != "RECONCILED" {
		t.Errorf("%+v", r)
	}
	b.want("a|05 00|1|1.00|f|0|", "b|06 00|1|2.00|f|1|", "s|06 00|1|7.00|f|2|", "t|05 00|1|8.00|f|3|")
	b.same(0, 5, 7)
	// A settled window is loaded as ever, whatever was allowed.
	b.same(0, 5, 7, "--preliminary")
}
