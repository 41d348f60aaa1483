package scan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// dated gives a record that carries its offset, of a day of March.
func dated(offset int64, id string, day int) string {
	return strings.Replace(at(offset, id), "2026-03-05", fmt.Sprintf("2026-03-%02d", day), 1)
}

// plain gives a record without offset, of a day of March.
func plain(id string, day int) string {
	return strings.Replace(event(id), "2026-03-05", fmt.Sprintf("2026-03-%02d", day), 1)
}

// findingsOf gives the findings with their texts.
func findingsOf(r *result) string {
	var list []string
	for _, f := range r.findings() {
		list = append(list, fmt.Sprintf("%s %s@%d: %s", f.Class, f.Object, f.Offset, f.Text))
	}
	slices.Sort(list)
	return strings.Join(list, "\n")
}

// TestDuplicates has each way in which an archive holds records twice or not at
// all, with what is said of it.
func TestDuplicates(t *testing.T) {
	unordered := func(a *archive, key string, body []byte) {
		a.put(runplan.ObjectRef{Key: key, First: kafka.NoOffset}, body)
	}
	const recreated = "topic_recreated B@0: topic re-created: its offsets begin again; its records are of 2026-03-20T10:00:00Z or later, " +
		"while A has the same offsets with other records, of 2026-03-02T10:00:00Z or earlier. All were kept. Say in archive.recreated when the topic was made anew"
	tests := []struct {
		name     string
		records  string
		objects  func(a *archive)
		rows     string
		copies   int64
		findings string
	}{
		{"identity is the offset in the body, whatever the object is called", bodyOffsets, func(a *archive) {
			unordered(a, "hour=01/x", lines(at(0, "a"), at(1, "b")))
			unordered(a, "hour=02/y", lines(at(1, "b"), at(2, "c")))
		}, "a@0 b@1 c@2", 1, ""},
		{"a retry writes the same object again under another name", derivedOffsets, func(a *archive) {
			a.add("A.gz", 0, gzipped(t, joined(events(0, 2)))).add("A.json", 0, joined(events(0, 2))).add("B", 2, joined(events(2, 1)))
		}, "e0@0 e1@1 e2@2", 2, ""},
		{"a conditional write that lost: the new object begins one later and repeats the rest", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 4))).add("B", 1, joined(events(1, 5))).add("C", 6, joined(events(6, 1)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4 e5@5 e6@6", 3, ""},
		{"a rewound task writes again from a later start", bodyOffsets, func(a *archive) {
			a.add("A", 0, lines(at(0, "a"), at(2, "b"), at(4, "c"))).add("B", 2, lines(at(2, "b"), at(4, "c"), at(6, "d")))
		}, "a@0 b@2 c@4 d@6", 2, ""},
		{"the whole archive twice, under two prefixes", derivedOffsets, func(a *archive) {
			a.add("new/A", 0, joined(events(0, 2))).add("old/A", 0, joined(events(0, 2))).add("new/B", 2, joined(events(2, 2))).add("old/B", 2, joined(events(2, 2)))
		}, "e0@0 e1@1 e2@2 e3@3", 4, ""},
		{"a gap between offsets of bodies is a gap and no finding", bodyOffsets, func(a *archive) {
			a.add("A", 0, lines(at(0, "a"))).add("B", 7, lines(at(7, "b")))
		}, "a@0 b@7", 0, ""},
		{"an object that is complete and too short", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 2))).add("B", 5, joined(events(5, 1)))
		}, "e0 e1 e5@5", 0, "short_object A@0: it holds 2 records, and names lead to expect 5: the archiver closed it early, or the topic has gaps " +
			"(compaction, transactions, dropped records). Compare it with the topic; archive.gaps takes what is right"},
		{"the shorter object of two writers beside the longer one", derivedOffsets, func(a *archive) {
			a.add("A.1", 0, joined(events(0, 1))).add("A.2", 0, joined(events(0, 3))).add("B", 3, joined(events(3, 1)))
		}, "e0@0 e1@1 e2@2 e3@3", 1, ""},
		{"other bytes at an offset of about the same time", bodyOffsets, func(a *archive) {
			a.add("A", 0, lines(dated(0, "a", 2), dated(1, "b", 4))).add("B", 1, lines(dated(1, "x", 3), dated(2, "c", 5)))
		}, "a@0 b@1 c@2 x@1", 0, "archive_conflict B@1: another object holds other bytes at this offset; both records were kept"},
		{"a topic that was made anew, offsets in bodies", bodyOffsets, func(a *archive) {
			a.add("A", 0, lines(dated(0, "a", 1), dated(1, "b", 2))).add("B", 0, lines(dated(0, "x", 20), dated(1, "y", 21)))
		}, "a@0 b@1 x@0 y@1", 0, recreated},
		{"a topic that was made anew, names without offsets", bodyOffsets, func(a *archive) {
			unordered(a, "A", lines(dated(0, "a", 1), dated(1, "b", 2)))
			unordered(a, "B", lines(dated(0, "x", 20), dated(1, "y", 21)))
		}, "a@0 b@1 x@0 y@1", 0, recreated},
		{"a topic that was made anew, offsets from names", derivedOffsets, func(a *archive) {
			a.add("A", 0, lines(plain("a", 1), plain("b", 2))).add("B", 0, lines(plain("x", 20), plain("y", 21)))
		}, "a b x@0 y@1", 0, recreated},
	}
	for _, test := range tests {
		for _, cut := range []int64{0, 1} {
			if cut == 1 && strings.Contains(test.name, "whatever") || cut == 1 && strings.Contains(test.name, "names without") {
				continue // names without order: copies are looked for in a chunk alone
			}
			t.Run(fmt.Sprintf("%s, cut %d", test.name, cut), func(t *testing.T) {
				a := newArchive()
				test.objects(a)
				got := scanAll(t, compile(t, test.records, 1), a, a.cut(cut))
				if got.ids() != test.rows {
					t.Errorf("rows %s, want %s", got.ids(), test.rows)
				}
				if f := findingsOf(got); f != test.findings {
					t.Errorf("findings\n%s, want\n%s", f, test.findings)
				}
				if got.tally[account.DuplicateOffset] != test.copies {
					t.Errorf("%d copies, want %d", got.tally[account.DuplicateOffset], test.copies)
				}
			})
		}
	}
}

// A topic that was said to be made anew has two logs: their offsets are compared
// with their own alone.
func TestDuplicatesOfTwoGenerations(t *testing.T) {
	a := newArchive()
	for generation, day := range []int{1, 20} {
		for n := range 2 {
			first := int64(2 * n)
			id := fmt.Sprintf("g%d-", generation)
			a.put(runplan.ObjectRef{Key: fmt.Sprintf("g%d/%d", generation, n), First: kafka.Offset(first), Ordered: true, Generation: generation},
				lines(plain(id+fmt.Sprint(first), day), plain(id+fmt.Sprint(first+1), day)))
		}
	}
	for _, cut := range []int64{0, 1} {
		chunks := a.cut(cut)
		got := scanAll(t, compile(t, derivedOffsets, 1), a, chunks)
		if want := "g0-0@0 g0-1@1 g0-2@2 g0-3@3 g1-0@0 g1-1@1 g1-2@2 g1-3@3"; got.ids() != want || findingsOf(got) != "" {
			t.Errorf("cut %d: rows %s, findings %s", cut, got.ids(), findingsOf(got))
		}
		for _, c := range chunks {
			for _, o := range slices.Concat(c.Objects, c.Following) {
				if o.Generation != c.Generation() {
					t.Errorf("a chunk of generation %d has %s", c.Generation(), o.Key)
				}
			}
		}
	}
}
