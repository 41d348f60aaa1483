package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAppendByOffsets: objects that were renamed, joined or cut anew hold
// offsets that were loaded before; their rows are not loaded twice.
func TestAppendByOffsets(t *testing.T) {
	b := newBook(t, "append_offsets", "append", "0h")
	day := func(id string) entry { return entry{id, 5, 1, "1.00", false} }
	b.put(0, 0, day("a"), day("b"))
	b.put(0, 2, day("c"), day("d"))
	b.put(0, 4, day("e"))
	if o := b.run(0, 0, 0); o.result.Inserted != 5 || o.result.Verdict != "RECONCILED" {
		t.Errorf("%+v", o.result)
	}
	if got := b.h.rows(t, "SELECT first_offset, last_offset FROM payroll.append_offsets__backfill_objects ORDER BY uri"); len(got) != 3 ||
		got[0] != "0|1|" || got[1] != "2|3|" || got[2] != "NULL|NULL|" {
		t.Errorf("the first two objects are closed by the next, the last is not: %q", got)
	}
	b.same(0, 0, 0)
	// The archive is compacted: one object for the first two, and the tail goes on.
	for _, old := range []string{"0000000000", "0000000002"} {
		if err := os.Remove(filepath.Join(b.dir, "book/partition=0/book+0+"+old+".json")); err != nil {
			t.Fatal(err)
		}
	}
	b.write("compacted/book/partition=0/book+0+0000000000.json", day("a").line()+"\n"+day("b").line()+"\n"+day("c").line()+"\n"+day("d").line()+"\n")
	b.put(0, 5, day("f"), day("a"))
	o := b.run(6, 0, 0)
	r := o.result
	if r.Inserted != 2 || r.Repeated != 4 || r.Doubled != 1 || r.Superseded != 0 {
		t.Errorf("%+v", r)
	}
	b.want("a|05 00|1|1.00|f|0|", "a|05 00|1|1.00|f|6|", "b|05 00|1|1.00|f|1|", "c|05 00|1|1.00|f|2|", "d|05 00|1|1.00|f|3|", "e|05 00|1|1.00|f|4|", "f|05 00|1|1.00|f|5|")
	if !strings.Contains(r.Error, "2 objects that were loaded are gone") {
		t.Error(r.Error)
	}
	b.same(6, 0, 0)
	// Rows that were there before, or that others bring, are kept and counted.
	b.insert(day("z"))
	b.put(0, 7, day("g"))
	if o := b.run(6, 0, 0); o.result.Inserted != 1 || o.result.Kept != 7+1 {
		t.Errorf("%+v", o.result)
	}
	if o := b.do("reconcile", 6, 0, 0); o.result.Breaks != 0 {
		t.Error(o.result.Error)
	}
}
