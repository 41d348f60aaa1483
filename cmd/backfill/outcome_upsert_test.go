package main

import (
	"strings"
	"testing"
)

// TestUpsertOfMarchLeavesJunesCorrections: a newer version in the table stays,
// whichever window brings the older one.
func TestUpsertOfMarchLeavesJunesCorrections(t *testing.T) {
	b := newBook(t, "upsert_june", "upsert", "87600h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 5, 1, "2.00", false}, entry{"c", 6, 1, "3.00", false})
	if o := b.run(0, 5, 7); o.result.Inserted != 3 || o.result.Verdict != "RECONCILED" {
		t.Errorf("%+v", o.result)
	}
	b.same(0, 5, 7)
	// Corrections of later: one that the archive does not hold yet, one that it does.
	b.h.sql(t, "UPDATE payroll.upsert_june SET amount = 1.50, v = 7 WHERE id = 'a'")
	b.put(0, 3, entry{"b", 5, 2, "2.50", false})
	o := b.run(0, 5, 7)
	r := o.result
	if r.Seq != 2 || r.Inserted != 1 || r.Deleted != 1 || r.Outdated != 1 || r.Already != 1 || r.Superseded != 1 || r.Kept != 1 {
		t.Errorf("%+v\n%s", r, notes(o))
	}
	b.want("a|05 00|7|1.50|f|0|", "b|05 00|2|2.50|f|3|", "c|06 00|1|3.00|f|2|")
	b.same(0, 5, 7)
	if o := b.do("reconcile", 0, 5, 6); !strings.Contains(o.result.Sentence, "all legs agree on 2 rows") {
		t.Error(o.result.Sentence)
	}
}

// TestUpsertAcrossDays moves a key's event time out of a window and into it:
// exactly one row stays, and every window still ties out.
func TestUpsertAcrossDays(t *testing.T) {
	b := newBook(t, "upsert_days", "upsert", "87600h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 6, 1, "2.00", false}, entry{"c", 20, 1, "3.00", false}, entry{"d", 6, 1, "4.00", false})
	b.run(0, 5, 7)
	b.run(0, 20, 21)
	// a moves to the 20th, c to the 6th, d within the window.
	b.put(0, 4, entry{"a", 20, 2, "1.10", false}, entry{"c", 6, 2, "3.30", false}, entry{"d", 5, 2, "4.40", false})
	o := b.run(0, 20, 21)
	if o.result.Inserted != 1 || o.result.Deleted != 1 || o.result.Outdated != 0 || o.result.Already != 1 {
		t.Errorf("%+v", o.result)
	}
	b.want("a|20 00|2|1.10|f|4|", "b|06 00|1|2.00|f|1|", "c|20 00|1|3.00|f|2|", "d|06 00|1|4.00|f|3|")
	// The row that went to another window is no break of this one: the archive's
	// new objects are what makes it incomplete.
	if o := b.do("reconcile", 6, 5, 7); o.result.Breaks != 0 || !strings.Contains(o.result.Error, "1 objects of the archive are new") {
		t.Errorf("%d breaks: %s", o.result.Breaks, o.result.Error)
	}
	o = b.run(0, 5, 7)
	if o.result.Inserted != 2 || o.result.Deleted != 2 || o.result.Outdated != 1 {
		t.Errorf("%+v", o.result)
	}
	want := []string{"a|20 00|2|1.10|f|4|", "b|06 00|1|2.00|f|1|", "c|06 00|2|3.30|f|5|", "d|05 00|2|4.40|f|6|"}
	b.want(want...)
	for _, w := range [][2]int{{5, 7}, {20, 21}} {
		if o := b.do("reconcile", 0, w[0], w[1]); o.result.Breaks != 0 {
			t.Error(o.result.Sentence)
		}
		b.same(0, w[0], w[1])
	}
	b.want(want...)
}

// TestUpsertDeletes: a version that marks its key as deleted stays, so that an
// older backfill can't bring the row back.
func TestUpsertDeletes(t *testing.T) {
	b := newBook(t, "upsert_gone", "upsert", "87600h")
	b.flags = []string{"--set", "table.deleted=gone"}
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"a", 6, 2, "0.00", true}, entry{"b", 5, 1, "2.00", false})
	b.run(0, 6, 7)
	o := b.run(0, 5, 6)
	if o.result.Inserted != 1 || o.result.Outdated != 1 {
		t.Errorf("%+v", o.result)
	}
	b.want("a|06 00|2|0.00|t|1|", "b|05 00|1|2.00|f|2|")
	// A null value has no key: it is not applied, and said so.
	b.write("book/partition=0/book+0+0000000003.json", "null\n")
	o = b.run(0, 5, 6)
	if !strings.Contains(o.result.Sentence, "1 tombstone") {
		t.Error(o.result.Sentence)
	}
}

// TestUpsertEqualVersions: what is not known to be newer does not replace.
func TestUpsertEqualVersions(t *testing.T) {
	b := newBook(t, "upsert_equal", "upsert", "87600h")
	b.put(0, 0, entry{"a", 5, 1, "1.00", false}, entry{"b", 5, 1, "2.00", false}, entry{"c", 5, 1, "3.00", false}, entry{"d", 5, 1, "4.00", false})
	b.run(0, 5, 6)
	b.h.sql(t, "UPDATE payroll.upsert_equal SET amount = 4.01 WHERE id = 'd'") // the same record with other content
	// In the same partition the offset decides; in another nothing does.
	b.put(0, 4, entry{"a", 5, 1, "1.10", false})
	b.put(1, 0, entry{"b", 5, 1, "2.20", false}, entry{"e", 5, 1, "5.00", false})
	b.h.sql(t, "UPDATE payroll.upsert_equal SET _kafka_topic = NULL, _kafka_partition = NULL, _kafka_offset = NULL WHERE id = 'c'") // equal content, version unknown
	o := b.run(6, 5, 6)
	r := o.result
	// b's two versions meet in the stage first, where the lower partition goes first.
	if r.Inserted != 2 || r.Deleted != 1 || r.Already != 2 || r.Differing != 1 || r.Superseded != 2 {
		t.Errorf("%+v", r)
	}
	if r.Verdict != "INCOMPLETE" || !strings.Contains(r.Error, "1 staged rows and the table's rows of their keys have equal versions") || !strings.Contains(r.Error, "2026-03-05") {
		t.Errorf("%s: %s", r.Verdict, r.Error)
	}
	if !strings.Contains(o.stderr+o.stdout, "and 1 more") {
		t.Errorf("the tie of b is not told: %s", r.Error)
	}
	b.want("a|05 00|1|1.10|f|4|", "b|05 00|1|2.00|f|1|", "c|05 00|1|3.00|f|NULL|", "d|05 00|1|4.01|f|3|", "e|05 00|1|5.00|f|1|")
	b.same(6, 5, 6)
}
