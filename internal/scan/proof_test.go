package scan

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// proofs gives each object's proof in short: derived+ has an open end.
func proofs(r *result) string {
	var list []string
	for _, c := range r.counts {
		for _, o := range c.Objects {
			open := ""
			if o.Open {
				open = "+"
			}
			list = append(list, o.Key+":"+string(o.Proof)+open)
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}

func classes(list []account.Finding) string {
	var out []string
	for _, f := range list {
		out = append(out, fmt.Sprintf("%s %s@%d", f.Class, f.Object, f.Offset))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func joined(parts ...[]string) []byte { return lines(slices.Concat(parts...)...) }

func TestDerivedOffsets(t *testing.T) {
	other := func(list []string, i int) []string {
		list = slices.Clone(list)
		list[i] = event("other")
		return list
	}
	tests := []struct {
		name     string
		objects  func(a *archive)
		rows     string
		proofs   string
		findings string
		copies   int64
		restarts int
	}{
		{"confirmed by the next name, open at the end", func(a *archive) {
			a.add("A", 5, joined(events(5, 2))).add("B", 7, joined(events(7, 1)))
		}, "e5@5 e6@6 e7@7", "A:derived B:derived+", "", 0, 0},
		{"fewer records than the next name expects", func(a *archive) {
			a.add("A", 5, joined(events(5, 2))).add("B", 8, joined(events(8, 1)))
		}, "e5 e6 e8@8", "A:unproven B:derived+", "short_object A@5", 0, 1},
		{"an empty object proves nothing", func(a *archive) {
			a.add("A", 5, nil).add("B", 8, joined(events(8, 1)))
		}, "e8@8", "A:unproven B:derived+", "", 0, 0},
		{"overlap with equal bytes", func(a *archive) {
			a.add("A", 0, joined(events(0, 4))).add("B", 2, joined(events(2, 4)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4 e5@5", "A:derived B:derived+", "", 2, 0},
		{"overlap with different bytes", func(a *archive) {
			a.add("A", 0, joined(other(events(0, 4), 3))).add("B", 2, joined(events(2, 4)))
		}, "e0 e1 e2 e2@2 e3@3 e4@4 e5@5 other", "A:unproven B:derived+", "archive_conflict A@0", 0, 1},
		{"different bytes in records that are no rows", func(a *archive) {
			a.add("A", 0, joined(events(0, 3), []string{`{"v":1}`})).add("B", 2, joined(events(2, 1), []string{`{"v":2}`}))
		}, "e0 e1 e2 e2@2", "A:unproven B:derived+", "archive_conflict A@0", 0, 1},
		{"same object with another codec", func(a *archive) {
			a.add("A.gz", 0, gzipped(t, joined(events(0, 3)))).add("A.json", 0, joined(events(0, 3))).add("A.zst", 0, zipped(t, joined(events(0, 3)))).
				add("B", 3, joined(events(3, 1)))
		}, "e0@0 e1@1 e2@2 e3@3", "A.gz:derived A.json:derived A.zst:derived B:derived+", "", 6, 0},
		{"a shorter copy comes before the longer", func(a *archive) {
			a.add("A1", 0, joined(events(0, 2))).add("A2", 0, joined(events(0, 4))).add("B", 4, joined(events(4, 1)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4", "A1:derived A2:derived B:derived+", "", 2, 0},
		{"an object wholly inside an earlier one", func(a *archive) {
			a.add("A", 0, joined(events(0, 6))).add("B", 2, joined(events(2, 2))).add("C", 6, joined(events(6, 1)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4 e5@5 e6@6", "A:derived B:derived C:derived+", "", 2, 0},
		{"a part inside an object that is not believed is not believed either", func(a *archive) {
			a.add("A", 0, joined(other(events(0, 6), 3))).add("B", 2, joined(events(2, 2))).add("C", 6, joined(events(6, 1)))
		}, "e0 e1 e2 e2 e3 e4 e5 e6@6 other", "A:unproven B:unproven C:derived+", "archive_conflict A@0, short_object B@2", 0, 1},
		{"three different objects at one offset: the last is believed", func(a *archive) {
			a.add("A", 0, lines(event("a"))).add("B", 0, lines(event("b"))).add("C", 0, lines(event("c")))
		}, "a b c@0", "A:unproven B:unproven C:derived+", "archive_conflict A@0, archive_conflict B@0", 0, 1},
		{"copies in front of a gap are copies still", func(a *archive) {
			a.add("A", 0, joined(events(0, 2))).add("B", 0, joined(events(0, 2))).add("C", 5, joined(events(5, 1)))
		}, "e0 e1 e5@5", "A:unproven B:unproven C:derived+", "short_object A@0, short_object B@0", 2, 1},
		{"a gap behind an object that holds others", func(a *archive) {
			a.add("A", 0, joined(events(0, 6))).add("B", 2, joined(events(2, 2))).add("C", 9, joined(events(9, 1)))
		}, "e0 e1 e2 e3 e4 e5 e9@9", "A:unproven B:unproven C:derived+", "short_object A@0, short_object B@2", 2, 1},
		{"equal texts at places that are not proven are not copies", func(a *archive) {
			a.add("A", 0, joined(events(0, 1), []string{event("x"), event("x"), event("y")})).add("B", 2, joined([]string{event("x"), event("z")}))
		}, "e0 x x x@2 y z@3", "A:unproven B:derived+", "archive_conflict A@0", 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newArchive()
			test.objects(a)
			got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0))
			if got.ids() != test.rows {
				t.Errorf("rows\n%s, want\n%s", got.ids(), test.rows)
			}
			if p := proofs(got); p != test.proofs {
				t.Errorf("proofs %s, want %s", p, test.proofs)
			}
			if f := classes(got.findings()); f != test.findings {
				t.Errorf("findings %q, want %q", f, test.findings)
			}
			if got.tally[account.DuplicateOffset] != test.copies || got.restarts != test.restarts {
				t.Errorf("%d copies after %d restarts, want %d after %d", got.tally[account.DuplicateOffset], got.restarts, test.copies, test.restarts)
			}
		})
	}
}

func TestBodyOffsets(t *testing.T) {
	time := func(key string, body []byte) func(*archive) { // of a time partitioner
		return func(a *archive) { a.put(runplan.ObjectRef{Key: key, First: kafka.NoOffset}, body) }
	}
	ordered := func(key string, first kafka.Offset, body []byte) func(*archive) {
		return func(a *archive) { a.add(key, first, body) }
	}
	tests := []struct {
		name     string
		objects  []func(*archive)
		rows     string
		proofs   string
		findings string
		copies   int64
	}{
		{"gaps stay gaps", []func(*archive){ordered("A", 0, lines(at(0, "a"), at(5, "b"))), ordered("B", 9, lines(at(9, "c")))},
			"a@0 b@5 c@9", "A:body B:body", "", 0},
		{"overlap with equal bytes", []func(*archive){ordered("A", 0, lines(at(0, "a"), at(5, "b"))), ordered("B", 5, lines(at(5, "b"), at(6, "c")))},
			"a@0 b@5 c@6", "A:body B:body", "", 1},
		{"other bytes: both are kept, further copies of either are not",
			[]func(*archive){ordered("A", 0, lines(at(0, "a"))), ordered("B", 0, lines(at(0, "b"))), ordered("C", 0, lines(at(0, "b"))), ordered("D", 0, lines(at(0, "a")))},
			"a@0 b@0", "A:body B:body C:body D:body", "archive_conflict B@0", 2},
		{"no order in names", []func(*archive){time("A", lines(at(7, "c"), at(0, "a"))), time("B", lines(at(5, "b"), at(0, "a"))), time("C", lines(at(7, "c")))},
			"a@0 b@5 c@7", "A:body B:body C:body", "", 2},
		{"an object that repeats itself", []func(*archive){ordered("A", 0, lines(at(0, "a"), at(1, "b"), at(0, "a")))},
			"a@0 b@1", "A:body", "unproven_offsets A@0", 1},
		{"a name that is not the first offset", []func(*archive){ordered("A", 0, lines(at(0, "a"), at(1, "b"))), ordered("B", 2, lines(at(1, "b"), at(2, "c")))},
			"a@0 b@1 c@2", "A:body B:body", "unproven_offsets B@1", 1},
		{"names that count something else", []func(*archive){ordered("A", 1, lines(at(70, "a"), at(71, "b"))), ordered("B", 2, lines(at(71, "b"), at(72, "c")))},
			"a@70 b@71 c@72", "A:body B:body", "unproven_offsets A@70", 1},
		{"values without an offset", []func(*archive){ordered("A", 0, lines(at(0, "a"), event("b"), "null", at(2, "c")))},
			"a@0 b c@2", "A:unproven", "unproven_offsets A@0", 0},
		{"a tombstone without an offset", []func(*archive){ordered("A", 0, lines(at(0, "a"), "null", at(2, "c")))},
			"a@0 c@2", "A:body", "", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newArchive()
			for _, add := range test.objects {
				add(a)
			}
			got := scanAll(t, compile(t, bodyOffsets, 1), a, a.cut(0))
			if got.ids() != test.rows {
				t.Errorf("rows %s, want %s", got.ids(), test.rows)
			}
			if p := proofs(got); p != test.proofs {
				t.Errorf("proofs %s, want %s", p, test.proofs)
			}
			if f := classes(got.findings()); f != test.findings {
				t.Errorf("findings %q, want %q", f, test.findings)
			}
			if got.tally[account.DuplicateOffset] != test.copies {
				t.Errorf("%d copies, want %d", got.tally[account.DuplicateOffset], test.copies)
			}
		})
	}
}

// Layouts whose names do not order records give no derived offsets, not even
// to the objects of the chunk whose names would.
func TestUnorderedNamesProveNothing(t *testing.T) {
	a := newArchive().add("A", 0, joined(events(0, 2)))
	a.put(runplan.ObjectRef{Key: "B", First: 2}, joined(events(2, 2)))
	got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0))
	if got.ids() != "e0 e1 e2 e3" || proofs(got) != "A:unproven B:unproven" || len(got.counts[0].Ranges) != 0 {
		t.Errorf("rows %s, proofs %s, ranges %v", got.ids(), proofs(got), got.counts[0].Ranges)
	}
}

func TestChunkBorders(t *testing.T) {
	big := strings.Repeat("x", 65000)
	long := func(id, tail string) string {
		return strings.Replace(event(id), `"type"`, fmt.Sprintf(`"note":%q,"pad":%q,"type"`, big, big+tail), 1)
	}
	tests := []struct {
		name    string
		records string
		objects func(a *archive)
		rows    string
		reads   int // of objects, with chunks of one object
	}{
		{"nothing reaches over: nothing is read twice", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 2))).add("B", 2, joined(events(2, 2))).add("C", 4, joined(events(4, 2)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4 e5@5", 3},
		{"rows of the next object are given to it, and only that one is looked at", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 3))).add("B", 2, joined(events(2, 2))).add("C", 4, joined(events(4, 2)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4 e5@5", 5},
		{"rows over two objects", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 4))).add("B", 2, joined(events(2, 1))).add("C", 3, joined(events(3, 2)))
		}, "e0@0 e1@1 e2@2 e3@3 e4@4", 6},
		{"a tail that no later object holds is kept", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 4))).add("B", 2, joined(events(2, 1)))
		}, "e0@0 e1@1 e2@2 e3@3", 4},
		{"the tail behind a hole in the next object is kept", bodyOffsets, func(a *archive) {
			a.add("A", 0, lines(at(0, "a"), at(2, "b"), at(3, "c"))).add("B", 2, lines(at(2, "b"), at(4, "d")))
		}, "a@0 b@2 c@3 d@4", 4},
		{"a copy with another codec", derivedOffsets, func(a *archive) {
			a.add("A.gz", 0, gzipped(t, joined(events(0, 3)))).add("A.json", 0, joined(events(0, 3))).add("B", 3, joined(events(3, 1)))
		}, "e0@0 e1@1 e2@2 e3@3", 5},
		{"a shorter copy before the border", derivedOffsets, func(a *archive) {
			a.add("A1", 0, joined(events(0, 2))).add("A2", 0, joined(events(0, 3))).add("B", 3, joined(events(3, 1)))
		}, "e0@0 e1@1 e2@2 e3@3", 5},
		{"other bytes in the next object", derivedOffsets, func(a *archive) {
			a.add("A", 0, joined(events(0, 2), []string{event("x"), event("e3")})).add("B", 2, joined(events(2, 2)))
		}, "e0 e1 e2@2 e3 e3@3 x", 4},
		{"other bytes past the part of a record that quarantine would keep", bodyOffsets, func(a *archive) {
			a.add("A", 0, lines(strings.Replace(long("a", "1"), "{", `{"k":{"o":0},`, 1))).add("B", 0, lines(strings.Replace(long("a", "2"), "{", `{"k":{"o":0},`, 1)))
		}, "a@0 a@0", 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := newArchive()
			test.objects(a)
			ds := compile(t, test.records, 1)
			whole := scanAll(t, ds, a, a.cut(0))
			if whole.ids() != test.rows {
				t.Errorf("one chunk: rows\n%s, want\n%s", whole.ids(), test.rows)
			}
			a.opened, a.closed = nil, 0
			parts := scanAll(t, ds, a, a.cut(1))
			if parts.ids() != test.rows || parts.tally != whole.tally {
				t.Errorf("cut: rows\n%s, want\n%s; tally %v, want %v", parts.ids(), test.rows, parts.tally, whole.tally)
			}
			if (len(parts.findings()) > 0) != (len(whole.findings()) > 0) {
				t.Errorf("cut: findings %v, want %v", parts.findings(), whole.findings())
			}
			if len(a.opened) != test.reads {
				t.Errorf("objects were opened %d times, want %d: %v", len(a.opened), test.reads, a.opened)
			}
		})
	}
}

// Copies that are no rows anyway cost no second pass.
func TestNothingToGiveNoRestart(t *testing.T) {
	a := newArchive().add("A", 0, lines(event("a"), "null", "{}")).add("B", 1, lines("null", "{}", event("b")))
	if got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(1)); got.restarts != 0 || got.ids() != "a@0 b@3" {
		t.Errorf("%d restarts, rows %s", got.restarts, got.ids())
	}
}

// A conflict over a border is named, although each chunk sees one side.
func TestConflictOverBorder(t *testing.T) {
	a := newArchive().add("A", 0, lines(at(0, "a"), at(2, "b"))).add("B", 1, lines(at(1, "x"), at(2, "y")))
	got := scanAll(t, compile(t, bodyOffsets, 1), a, a.cut(1))
	if got.ids() != "a@0 b@2 x@1 y@2" || classes(got.findings()) != "archive_conflict B@2" {
		t.Errorf("rows %s, findings %s", got.ids(), classes(got.findings()))
	}
}

// Where rows reach over all objects that the chunk may compare, the chunk is
// refused: a third copy behind them would be loaded twice.
func TestReachOverFollowingIsRefused(t *testing.T) {
	a := newArchive().add("A", 0, joined(events(0, 6)))
	for i := range 6 {
		a.add(fmt.Sprintf("B%d", i), kafka.Offset(i), joined(events(i, 1)))
	}
	chunks := a.cut(1)
	if len(chunks[0].Following) != runplan.Following {
		t.Fatalf("a plan lists %d following objects, this package expects %d", len(chunks[0].Following), runplan.Following)
	}
	sink := &recorder{}
	_, err := newScanner(t, compile(t, derivedOffsets, 1), a).Chunk(context.Background(), chunks[0], sink)
	const want = "A: its row at offset 4 lies past the 4 objects that may be compared with its chunk, so another copy of it can't be ruled out"
	if !fail.Is(err, fail.Damaged) || err.Error() != want || !strings.Contains(fail.HintOf(err), "--chunk-bytes") {
		t.Errorf("error %v, hint %s", err, fail.HintOf(err))
	}
	if got := scanAll(t, compile(t, derivedOffsets, 1), a, a.cut(0)); got.tally[account.Row] != 6 || got.tally[account.DuplicateOffset] != 6 {
		t.Errorf("one chunk: tally %v", got.tally)
	}
}

// Names that do not order records refuse nothing: the finding says that copies
// are found inside chunks only.
func TestMisnamedObjectsAreNotRefused(t *testing.T) {
	a := newArchive()
	for i := range 4 {
		a.add(fmt.Sprintf("A%d", i), kafka.Offset(i), lines(at(int64(100+i), fmt.Sprintf("e%d", i))))
	}
	got := scanAll(t, compile(t, bodyOffsets, 1), a, a.cut(1))
	if got.ids() != "e0@100 e1@101 e2@102 e3@103" || len(got.findings()) != 4 {
		t.Errorf("rows %s, findings %s", got.ids(), classes(got.findings()))
	}
}

func TestPendingIsBounded(t *testing.T) {
	chunk := runplan.Chunk{Partition: partition, Objects: []runplan.ObjectRef{
		{Key: "A", First: 0, Ordered: true}, {Key: "B", First: 0, Ordered: true}, {Key: "C", First: 10, Ordered: true}}}
	o := newOverlap(chunk, false, false, 3)
	o.enter(0)
	for i := range kafka.Offset(3) {
		if !o.add(i, sighting{hash: 1}) {
			t.Fatalf("sighting %d was refused", i)
		}
	}
	if o.add(2, sighting{hash: 2}) {
		t.Error("a sighting over the limit was kept")
	}
	o.enter(2)
	if o.count != 0 || len(o.pending) != 0 || o.from != math.MaxInt64 {
		t.Errorf("%d sightings are left, from %d", o.count, o.from)
	}
	if !o.add(11, sighting{hash: 1}) || !o.add(11, sighting{hash: 2}) || o.count != 2 || o.last() != 11 {
		t.Errorf("count %d, last %d", o.count, o.last())
	}
}

func TestCoverageOfScatteredOffsets(t *testing.T) {
	var c coverage
	for i := range kafka.Offset(account.MaxRanges + 10) {
		c.add(2 * (account.MaxRanges + 10 - i))
	}
	for i := range kafka.Offset(account.MaxRanges + 10) {
		c.add(2*(account.MaxRanges+10-i) + 1)
	}
	ranges, cut := c.result()
	if len(ranges) != 1 || cut || ranges[0] != (account.Range{From: 2, To: 2*account.MaxRanges + 22}) {
		t.Errorf("%d ranges from %v, cut %v", len(ranges), ranges[0], cut)
	}
	c = coverage{}
	for i := range kafka.Offset(3 * account.MaxRanges) {
		c.add(2 * i)
	}
	if ranges, cut = c.result(); len(ranges) != account.MaxRanges || !cut || len(c.ranges) > 2*account.MaxRanges+1 {
		t.Errorf("%d ranges, cut %v", len(ranges), cut)
	}
}
