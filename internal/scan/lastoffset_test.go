package scan

import (
	"fmt"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// until archives an object whose name has the offset of its last record, and
// behind another of which it begins.
func (a *archive) until(key string, first, end kafka.Offset, records int) *archive {
	return a.put(runplan.ObjectRef{Key: key, First: first, End: end, Ordered: true, Lower: true}, joined(events(int(end)-records, records)))
}

// TestLastOffsets: where names have the offsets of last records, as many records
// as there are offsets between two names prove each of them, also those of the
// partition's last object. The first object's are proven only if the partition
// begins at 0; else they are not known, which is not the same as missing.
func TestLastOffsets(t *testing.T) {
	const adrift = "unproven_offsets A@0: it is the first of its partition, and names have last offsets only: where its 2 records begin is not known, so that their identity is their position"
	for _, test := range []struct {
		name     string
		objects  func(a *archive)
		rows     string
		ranges   string
		findings string
	}{
		{"a partition that begins at 0", func(a *archive) { a.until("A", 0, 2, 2).until("B", 2, 5, 3) }, "e0@0 e1@1 e2@2 e3@3 e4@4", "[{0 5}]", ""},
		{"one whose oldest records are gone", func(a *archive) { a.until("A", 0, 100, 2).until("B", 100, 102, 2) }, "e100@100 e101@101 e98 e99", "[{100 102}]", adrift},
		{"one with a single object", func(a *archive) { a.until("A", 0, 100, 2) }, "e98 e99", "[]", adrift},
		{"a last object with fewer records than offsets", func(a *archive) { a.until("A", 0, 2, 2).until("B", 2, 6, 3) }, "e0@0 e1@1 e3 e4 e5", "[{0 5}]",
			"short_object B@2: it holds 3 records, and names lead to expect 4: the archiver closed it early, or the topic has gaps (compaction, transactions, dropped records). Compare it with the topic; archive.gaps takes what is right"},
		{"an object that repeats records of the one before", func(a *archive) { a.until("A", 0, 2, 2).until("B", 2, 5, 4) }, "e0@0 e1 e1@1 e2 e3 e4", "[{0 5}]",
			"archive_conflict B@2: it holds 4 records, and its name leaves room for 3 behind the object before: it repeats records of that, or names of this archive have other offsets than the last ones"},
	} {
		for _, cut := range []int64{0, 1} {
			t.Run(fmt.Sprintf("%s, cut %d", test.name, cut), func(t *testing.T) {
				a := newArchive()
				test.objects(a)
				got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(cut))
				if got.ids() != test.rows {
					t.Errorf("rows %s, want %s", got.ids(), test.rows)
				}
				if f := findingsOf(got); f != test.findings {
					t.Errorf("findings\n%s, want\n%s", f, test.findings)
				}
				var ranges []account.Range
				for _, c := range got.counts {
					ranges = append(ranges, c.Ranges...)
					for _, o := range c.Objects {
						if o.Open {
							t.Errorf("%s has an open end, and its name tells it", o.Key)
						}
					}
				}
				if s := fmt.Sprint(account.MergeRanges(ranges)); s != test.ranges {
					t.Errorf("offsets found %s, want %s", s, test.ranges)
				}
			})
		}
	}
}
