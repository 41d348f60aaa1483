package tieout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// chunkOf is a chunk without rows that found the ranges.
func chunkOf(topic string, partition int, ranges ...account.Range) tieout.Chunk {
	c := account.NewChunk()
	c.Ranges = ranges
	c.Objects = []account.ObjectCount{{Proof: kafka.ProofDerived}}
	for _, r := range ranges {
		c.Tally[account.Filtered] += int64(r.To - r.From)
	}
	return tieout.Chunk{Partition: kafka.TopicPartition{Topic: topic, Partition: kafka.Partition(partition)}, Counts: c}
}

func span(from, to int) account.Range {
	return account.Range{From: kafka.Offset(from), To: kafka.Offset(to)}
}

func declared(topic string, partition, from, to int, reason string) tieout.Gap {
	return tieout.Gap{Partition: kafka.TopicPartition{Topic: topic, Partition: kafka.Partition(partition)}, Range: span(from, to), Reason: reason}
}

func TestGaps(t *testing.T) {
	chunks := []tieout.Chunk{chunkOf("t", 0, span(20, 30)), chunkOf("t", 0, span(0, 10))} // 10 to 19 are not there
	cases := []struct {
		name       string
		declared   []tieout.Gap
		gaps       string
		unknown    []string
		exceptions int64
	}{
		{"undeclared", nil, "10-20:", []string{"t/0: offsets 10 to 19 (10 records) are not in the archive, and nothing explains why"}, 0},
		{"declared", []tieout.Gap{declared("t", 0, 10, 20, "retention")}, "10-20:retention", nil, 10},
		{"declared for any topic", []tieout.Gap{declared("", 0, 0, 100, "retention")}, "10-20:retention", nil, 10},
		{"another partition", []tieout.Gap{declared("t", 1, 10, 20, "r")}, "10-20:", []string{"offsets 10 to 19"}, 0},
		{"another topic", []tieout.Gap{declared("u", 0, 10, 20, "r")}, "10-20:", []string{"offsets 10 to 19"}, 0},
		{"without a reason", []tieout.Gap{declared("t", 0, 10, 20, "")}, "10-20:", []string{"offsets 10 to 19"}, 0},
		{"the start", []tieout.Gap{declared("t", 0, 5, 15, "r")}, "10-15:r 15-20:", []string{"offsets 15 to 19 (5 records)"}, 5},
		{"the end", []tieout.Gap{declared("t", 0, 19, 25, "r")}, "10-19: 19-20:r", []string{"offsets 10 to 18 (9 records)"}, 1},
		{"all but one", []tieout.Gap{declared("t", 0, 11, 25, "r")}, "10-11: 11-20:r", []string{"t/0: offset 10 is not in the archive, and nothing explains why"}, 9},
		{"the middle", []tieout.Gap{declared("t", 0, 12, 14, "r")}, "10-12: 12-14:r 14-20:", []string{"10 to 11 (2", "14 to 19 (6"}, 2},
		{"two that overlap: the first one counts", []tieout.Gap{declared("t", 0, 14, 16, "a"), declared("t", 0, 10, 20, "b")}, "10-14:b 14-16:a 16-20:b", nil, 10},
		{"two beside each other", []tieout.Gap{declared("t", 0, 15, 20, "b"), declared("t", 0, 10, 15, "a")}, "10-15:a 15-20:b", nil, 10},
		{"empty or reversed", []tieout.Gap{declared("t", 0, 12, 12, "a"), declared("t", 0, 18, 15, "b")}, "10-12: 12-18: 18-20:", []string{"10 to 11", "12 to 17", "18 to 19"}, 0},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r := compare(t, tieout.Input{Totals: 1, Chunks: chunks, Declared: c.declared})
			s := r.Sequences[0]
			var gaps []string
			for _, g := range s.Gaps {
				gaps = append(gaps, fmt.Sprintf("%d-%d:%s", g.From, g.To, g.Reason))
			}
			if got := strings.Join(gaps, " "); got != c.gaps {
				t.Errorf("gaps %q, want %q", got, c.gaps)
			}
			if len(r.Unknown) != len(c.unknown) {
				t.Fatalf("unknown %q, want %q", r.Unknown, c.unknown)
			}
			for i, says := range c.unknown {
				if !strings.Contains(r.Unknown[i], says) {
					t.Errorf("unknown %q, want %q", r.Unknown[i], says)
				}
			}
			var explained int64
			for _, e := range r.Exceptions {
				if e.Class != "explained_gap" {
					t.Errorf("exception %+v", e)
				}
				explained += e.Count
			}
			if explained != c.exceptions {
				t.Errorf("%d offsets explained, want %d", explained, c.exceptions)
			}
			if s.First != 0 || s.Last != 29 || s.Found != 20 || s.Objects != 2 || s.Tally.Read() != 20 || s.Proofs[kafka.ProofDerived] != 2 {
				t.Errorf("sequence %+v", s)
			}
		})
	}
}

func TestSequencesAreApart(t *testing.T) {
	r := compare(t, tieout.Input{Chunks: []tieout.Chunk{
		chunkOf("t", 10, span(5, 6)), chunkOf("t", 2, span(0, 3), span(3, 9)), chunkOf("a", 7), chunkOf("t", 10, span(6, 8)),
	}})
	var got []string
	for _, s := range r.Sequences {
		got = append(got, fmt.Sprintf("%s:%d-%d/%d", s.Partition, s.First, s.Last, s.Found))
	}
	if want := []string{"a/7:-1--1/0", "t/2:0-8/9", "t/10:5-7/3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if r.Verdict != tieout.Reconciled {
		t.Errorf("offsets before the first object are no gap: %s, %q", r.Verdict, r.Unknown)
	}
}

// TestManyGaps: a compacted topic does not flood the report.
func TestManyGaps(t *testing.T) {
	var ranges []account.Range
	for i := range 1001 {
		ranges = append(ranges, span(i*5, i*5+1))
	}
	r := compare(t, tieout.Input{Chunks: []tieout.Chunk{chunkOf("t", 0, ranges...)}})
	if len(r.Unknown) != 101 || r.Unknown[100] != "t/0: 900 more gaps, of 3600 records in all, have no reason" {
		t.Errorf("%d unknown, the last %q", len(r.Unknown), r.Unknown[len(r.Unknown)-1])
	}
	if len(r.Sequences[0].Gaps) != 1000 {
		t.Errorf("%d gaps, want all 1000 for machines", len(r.Sequences[0].Gaps))
	}
}

// TestManyConflicts: those over the limit of the list are still counted.
func TestManyConflicts(t *testing.T) {
	a, b := chunkOf("t", 0), chunkOf("t", 0)
	for range 800 {
		a.Counts.Findings = append(a.Counts.Findings, account.Finding{Class: account.ArchiveConflict})
	}
	b.Counts.Findings = append(a.Counts.Findings, account.Finding{Class: account.UnprovenOffsets})
	r := compare(t, tieout.Input{Chunks: []tieout.Chunk{a, b}})
	if want := "offsets that hold two different records: 1600; which record is true is not known"; len(r.Unknown) != 1 || r.Unknown[0] != want {
		t.Errorf("%q, want %q", r.Unknown, want)
	}
	if n := len(r.Sequences[0].Findings); n != account.MaxFindings {
		t.Errorf("%d findings listed, want %d", n, account.MaxFindings)
	}
}

// TestAgainstNaive plants losses, doubles, edits and moves into random legs.
// A comparison row by row must find something exactly where Compare does.
func TestAgainstNaive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawRows(t)
		legs := [4][]row{}
		for i := range legs {
			legs[i] = slices.Clone(list)
		}
		// A planting in the stage goes on into the table, as in a real load.
		for range rapid.IntRange(0, 3).Draw(t, "plantings") {
			if len(list) == 0 {
				break
			}
			at := rapid.IntRange(1, 3).Draw(t, "leg")
			planted := plant(t, legs[at])
			for i := at; i < len(legs); i++ {
				legs[i] = slices.Clone(planted)
			}
		}
		legs[2] = slices.Clone(legs[1]) // what is inserted is what was staged
		chunks := []tieout.Chunk{}
		if len(list) > 0 {
			chunks = append(chunks, counted(list))
		}
		r, err := tieout.Compare(tieout.Input{
			Totals: 1, Chunks: chunks, Archive: cellsOf(legs[0]), Stage: cellsOf(legs[1]), Expected: cellsOf(legs[2]), Inserted: rowsOf(cellsOf(legs[2])), Table: cellsOf(legs[3]),
		})
		if err != nil {
			t.Fatal(err)
		}
		want := append(naive(tieout.ArchiveStage, legs[0], legs[1]), naive(tieout.StageTable, legs[2], legs[3])...)
		var got []string
		for _, b := range r.Breaks {
			got = append(got, fmt.Sprintf("%s %s %d at %+v", b.Leg, b.Kind, b.Rows, b.Place))
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if (r.Verdict == tieout.Reconciled) != (len(want) == 0) {
			t.Fatalf("%s with %d differences", r.Verdict, len(want))
		}
	})
}

func drawRows(t *rapid.T) []row {
	var list []row
	for i := range rapid.IntRange(0, 25).Draw(t, "rows") {
		list = append(list, row{
			place: place(rapid.IntRange(0, 1).Draw(t, "partition"), rapid.IntRange(0, 2).Draw(t, "day"), rapid.IntRange(0, 2).Draw(t, "bucket"),
				rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "group")),
			offset: int64(i), amount: rapid.Int64Range(-9, 9).Draw(t, "amount"), hash: rapid.Int64().Draw(t, "hash"),
		})
	}
	return list
}

// plant changes one row of the leg.
func plant(t *rapid.T, list []row) []row {
	if len(list) == 0 {
		return list
	}
	i := rapid.IntRange(0, len(list)-1).Draw(t, "row")
	switch rapid.SampledFrom([]string{"lose", "double", "edit", "move"}).Draw(t, "planting") {
	case "lose":
		return slices.Delete(list, i, i+1)
	case "double":
		return append(list, list[i])
	case "edit":
		list[i].amount += 5
		list[i].hash = rapid.Int64().Draw(t, "new hash")
	case "move":
		list[i].place.Day++
	}
	return list
}

// naive compares the rows of each place as sorted lists.
func naive(leg tieout.Leg, left, right []row) (out []string) {
	texts := func(list []row) map[account.Place][]string {
		m := map[account.Place][]string{}
		for _, r := range list {
			m[r.place] = append(m[r.place], fmt.Sprint(r.offset, r.amount, r.hash))
		}
		return m
	}
	l, r := texts(left), texts(right)
	places := map[account.Place]bool{}
	for p := range l {
		places[p] = true
	}
	for p := range r {
		places[p] = true
	}
	for p := range places {
		slices.Sort(l[p])
		slices.Sort(r[p])
		kind, n := tieout.Changed, 0
		switch {
		case slices.Equal(l[p], r[p]):
			continue
		case len(l[p]) > len(r[p]):
			kind, n = tieout.Missing, len(l[p])-len(r[p])
		case len(l[p]) < len(r[p]):
			kind, n = tieout.Extra, len(r[p])-len(l[p])
		}
		out = append(out, fmt.Sprintf("%s %s %d at %+v", leg, kind, n, p))
	}
	return out
}

// A topic that was made anew has two logs; gaps are looked for in each, and end
// offsets are those of the newer one.
func TestGenerationsAreApart(t *testing.T) {
	old, renewed := chunkOf("t", 0, span(10, 20), span(22, 30)), chunkOf("t", 0, span(0, 5))
	renewed.Generation = 1
	tp := old.Partition
	r := compare(t, tieout.Input{Totals: 1, Chunks: []tieout.Chunk{renewed, old}, Ends: map[kafka.TopicPartition]kafka.Offset{tp: 5}})
	if len(r.Sequences) != 2 || r.Sequences[0].Last != 29 || r.Sequences[0].End != nil || r.Sequences[1].Found != 5 || *r.Sequences[1].End != 5 {
		t.Errorf("sequences %+v", r.Sequences)
	}
	if want := "t/0: offsets 20 to 21 (2 records) are not in the archive, and nothing explains why"; len(r.Unknown) != 1 || r.Unknown[0] != want {
		t.Errorf("unknown %q", r.Unknown)
	}
	gap := chunkOf("t", 0, span(0, 2), span(4, 5))
	gap.Generation = 1
	if r = compare(t, tieout.Input{Totals: 1, Chunks: []tieout.Chunk{gap}}); len(r.Unknown) != 1 || !strings.HasPrefix(r.Unknown[0], "t/0 (topic re-created, generation 1): offsets 2 to 3") {
		t.Errorf("unknown %q", r.Unknown)
	}
}
