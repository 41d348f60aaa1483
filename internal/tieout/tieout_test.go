package tieout_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// row is a row of a leg, as the slow oracle sees it.
type row struct {
	place  account.Place
	offset int64
	amount int64
	hash   int64
}

func place(partition int, day int, bucket int, group string) account.Place {
	return account.Place{Topic: "t", Partition: kafka.Partition(partition), Day: kafka.Day(day), Bucket: int32(bucket), Group: account.Group(group)}
}

// cellsOf counts rows as scan and publish do.
func cellsOf(rows []row) account.Cells {
	cells := account.Cells{}
	for _, r := range rows {
		c := cells.At(r.place, 1)
		c.Rows++
		c.Lane1.Plus(r.hash)
		c.Lane2.Plus(r.hash ^ 0x5555)
		c.Sums[0].Plus(r.amount)
		c.Counts[0]++
		if r.place.Topic != "" {
			c.Offsets++
			c.OffsetSum.Plus(r.offset)
		}
	}
	return cells
}

func rows(n int) []row {
	var list []row
	for i := range n {
		list = append(list, row{place: place(i%2, 19783+i%3, i%4, []string{"EUR", "USD"}[i%2]), offset: int64(i), amount: int64(100 * i), hash: int64(i*7919 + 13)})
	}
	return list
}

// counted returns a chunk's counts for the rows.
func counted(list []row) tieout.Chunk {
	c := account.NewChunk()
	c.Cells = cellsOf(list)
	c.Tally[account.Row] = int64(len(list))
	c.Objects = []account.ObjectCount{{Key: "o", Records: int64(len(list)), Proof: kafka.ProofBody}}
	c.Ranges = []account.Range{{From: 0, To: kafka.Offset(max(1, len(list)))}}
	return tieout.Chunk{Partition: kafka.TopicPartition{Topic: "t"}, Counts: c}
}

// input gives all legs the same rows.
func input(list []row) tieout.Input {
	return tieout.Input{
		Totals: 1, Chunks: []tieout.Chunk{counted(list)},
		Archive: cellsOf(list), Stage: cellsOf(list), Expected: cellsOf(list), Table: cellsOf(list),
	}
}

func compare(t testing.TB, in tieout.Input) *tieout.Result {
	t.Helper()
	if in.Inserted == 0 {
		in.Inserted = rowsOf(in.Expected)
	}
	r, err := tieout.Compare(in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestVerdicts(t *testing.T) {
	cases := []struct {
		name    string
		change  func(in *tieout.Input)
		verdict tieout.Verdict
	}{
		{"all agree", func(*tieout.Input) {}, tieout.Reconciled},
		{"nothing at all", func(in *tieout.Input) { *in = tieout.Input{Totals: 1} }, tieout.Reconciled},
		{"tombstones and duplicates are no exceptions", func(in *tieout.Input) {
			in.Chunks[0].Counts.Tally[account.Tombstone], in.Chunks[0].Counts.Tally[account.DuplicateOffset] = 3, 4
		}, tieout.Reconciled},
		{"a rejected record", func(in *tieout.Input) { in.Chunks[0].Counts.Tally[account.Rejected] = 1 }, tieout.WithExceptions},
		{"an unreadable record", func(in *tieout.Input) { in.Chunks[0].Counts.Tally[account.Unreadable] = 1 }, tieout.WithExceptions},
		{"an undatable record", func(in *tieout.Input) { in.Chunks[0].Counts.Tally[account.Undatable] = 1 }, tieout.WithExceptions},
		{"an unproven object", func(in *tieout.Input) { in.Chunks[0].Counts.Objects[0].Proof = kafka.ProofUnproven }, tieout.WithExceptions},
		{"something unknown", func(in *tieout.Input) { in.Unknown = []string{"the receipt is gone"} }, tieout.Incomplete},
		{"unknown and an exception", func(in *tieout.Input) {
			in.Unknown, in.Chunks[0].Counts.Tally[account.Rejected] = []string{"x"}, 1
		}, tieout.Incomplete},
		{"offsets too scattered", func(in *tieout.Input) { in.Chunks[0].Counts.RangesCut = true }, tieout.Incomplete},
		{"two records at one offset", func(in *tieout.Input) {
			in.Chunks[0].Counts.Findings = []account.Finding{{Class: account.ArchiveConflict}}
		}, tieout.Incomplete},
		{"an open gap", func(in *tieout.Input) {
			in.Chunks[0].Counts.Ranges = []account.Range{{From: 0, To: 2}, {From: 3, To: 9}}
		}, tieout.Incomplete},
		{"staged rows that went nowhere", func(in *tieout.Input) {
			in.Expected, in.Table = cellsOf(rows(11)), cellsOf(rows(11))
		}, tieout.Incomplete},
		{"staged rows that were superseded", func(in *tieout.Input) {
			in.Expected, in.Table, in.Superseded = cellsOf(rows(11)), cellsOf(rows(11)), 1
		}, tieout.Reconciled},
		{"more superseded than staged", func(in *tieout.Input) { in.Superseded = 1 }, tieout.Incomplete},
		{"a row is missing in the stage", func(in *tieout.Input) { in.Stage = cellsOf(rows(11)) }, tieout.NotReconciled},
		{"a break and something unknown", func(in *tieout.Input) { in.Table, in.Unknown = cellsOf(rows(11)), []string{"x"} }, tieout.NotReconciled},
		{"the table is empty", func(in *tieout.Input) { in.Table = nil }, tieout.NotReconciled},
		{"the archive is empty", func(in *tieout.Input) { *in = tieout.Input{Totals: 1, Table: cellsOf(rows(1))} }, tieout.NotReconciled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(rows(12))
			c.change(&in)
			if r := compare(t, in); r.Verdict != c.verdict {
				t.Errorf("%s, want %s: breaks %+v, unknown %q, exceptions %+v", r.Verdict, c.verdict, r.Breaks, r.Unknown, r.Exceptions)
			}
		})
	}
}

func TestBreaks(t *testing.T) {
	type found struct {
		leg   tieout.Leg
		kind  tieout.Kind
		rows  int64
		place string
	}
	cases := []struct {
		name   string
		change func(in *tieout.Input, list []row)
		want   []found
	}{
		{"missing in the table", func(in *tieout.Input, l []row) { in.Table = cellsOf(l[1:]) },
			[]found{{tieout.StageTable, tieout.Missing, 1, "t/0 2024-03-01 0 EUR"}}},
		{"twice in the table", func(in *tieout.Input, l []row) { in.Table = cellsOf(append(l, l[1])) },
			[]found{{tieout.StageTable, tieout.Extra, 1, "t/1 2024-03-02 1 USD"}}},
		{"an amount changed", func(in *tieout.Input, l []row) { l[0].amount++; in.Table = cellsOf(l) },
			[]found{{tieout.StageTable, tieout.Changed, 0, "t/0 2024-03-01 0 EUR"}}},
		{"a text changed", func(in *tieout.Input, l []row) { l[0].hash++; in.Table = cellsOf(l) },
			[]found{{tieout.StageTable, tieout.Changed, 0, "t/0 2024-03-01 0 EUR"}}},
		{"an amount became NULL", func(in *tieout.Input, l []row) { in.Table[l[0].place].Counts[0]-- },
			[]found{{tieout.StageTable, tieout.Changed, 0, "t/0 2024-03-01 0 EUR"}}},
		{"two amounts that cancel each other", func(in *tieout.Input, l []row) {
			l = append(l, row{place: l[0].place, offset: 50, amount: 5, hash: 77})
			*in = input(l)
			l[0].amount, l[len(l)-1].amount = l[0].amount+9, l[len(l)-1].amount-9
			l[0].hash, l[len(l)-1].hash = 1234, 4321
			in.Table = cellsOf(l)
		}, []found{{tieout.StageTable, tieout.Changed, 0, "t/0 2024-03-01 0 EUR"}}},
		{"one lost and another twice: totals agree", func(in *tieout.Input, l []row) {
			l[6].amount = l[0].amount
			*in = input(l)
			in.Table = cellsOf(append(l[1:], l[6]))
		}, []found{{tieout.StageTable, tieout.Missing, 1, "t/0 2024-03-01 0 EUR"}, {tieout.StageTable, tieout.Extra, 1, "t/0 2024-03-01 2 EUR"}}},
		{"a row moved to the next day", func(in *tieout.Input, l []row) { l[0].place.Day++; in.Table = cellsOf(l) },
			[]found{{tieout.StageTable, tieout.Missing, 1, "t/0 2024-03-01 0 EUR"}, {tieout.StageTable, tieout.Extra, 1, "t/0 2024-03-02 0 EUR"}}},
		{"lost between archive and stage", func(in *tieout.Input, l []row) {
			in.Stage, in.Expected, in.Table = cellsOf(l[1:]), cellsOf(l[1:]), cellsOf(l[1:])
		}, []found{{tieout.ArchiveStage, tieout.Missing, 1, "t/0 2024-03-01 0 EUR"}}},
		{"a stage read something else", func(in *tieout.Input, l []row) { l[0].hash++; in.Stage = cellsOf(l) },
			[]found{{tieout.ArchiveStage, tieout.Changed, 0, "t/0 2024-03-01 0 EUR"}}},
		{"an offset got lost", func(in *tieout.Input, l []row) { in.Stage[l[0].place].Offsets-- },
			[]found{{tieout.ArchiveStage, tieout.Changed, 0, "t/0 2024-03-01 0 EUR"}}},
		{"a cell of nothing is no break", func(in *tieout.Input, l []row) { in.Table.At(place(9, 1, 1, "X"), 1) }, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			list := rows(12)
			in := input(list)
			c.change(&in, append([]row(nil), list...))
			var got []found
			for _, b := range compare(t, in).Breaks {
				if b.Left == nil || b.Right == nil || b.Left.Rows-b.Right.Rows != map[tieout.Kind]int64{tieout.Missing: 1, tieout.Extra: -1}[b.Kind]*b.Rows {
					t.Errorf("%+v does not fit its cells", b)
				}
				got = append(got, found{b.Leg, b.Kind, b.Rows, fmt.Sprintf("%s/%d %s %d %s", b.Place.Topic, b.Place.Partition, b.Place.Day, b.Place.Bucket, b.Place.Group)})
			}
			if fmt.Sprint(got) != fmt.Sprint(c.want) {
				t.Errorf("%v\nwant %v", got, c.want)
			}
		})
	}
}

// TestTableWithoutPartitions: a table without provenance is compared per day,
// bucket and group, and its missing offsets are no difference.
func TestTableWithoutPartitions(t *testing.T) {
	fold := func(list []row) []row {
		var out []row
		for _, r := range list {
			r.place.Topic, r.place.Partition = "", -1
			out = append(out, r)
		}
		return out
	}
	list := rows(12)
	in := input(list)
	in.Table = cellsOf(fold(list))
	r := compare(t, in)
	if r.Verdict != tieout.Reconciled {
		t.Errorf("%s: %+v", r.Verdict, r.Breaks)
	}
	for p := range r.Cells.Expected {
		if p.Topic != "" || p.Partition != -1 {
			t.Errorf("the result shows the inserted rows at %+v, where they were not compared", p)
		}
	}
	if p := list[0].place; in.Expected[p] == nil || in.Expected[p].Offsets == 0 {
		t.Error("the input was changed")
	}
	in.Table = cellsOf(fold(list[1:]))
	if r = compare(t, in); len(r.Breaks) != 1 || r.Breaks[0].Place.Topic != "" || r.Breaks[0].Kind != tieout.Missing {
		t.Errorf("%+v", r.Breaks)
	}
	in.Table = cellsOf(append(fold(list[:1]), list[1:]...))
	if r = compare(t, in); r.Verdict != tieout.NotReconciled {
		t.Errorf("one row lost its partition: %s", r.Verdict)
	}
}

// TestDaysOfAnotherPlan: a chunk's receipt counts days that a newer plan holds,
// too. They are named, not held against the window.
func TestDaysOfAnotherPlan(t *testing.T) {
	list := rows(12)
	in := input(list)
	var kept []row
	for _, r := range list {
		if r.place.Day != 19784 {
			kept = append(kept, r)
		}
	}
	in.Archive, in.Stage, in.Expected, in.Table = cellsOf(kept), cellsOf(kept), cellsOf(kept), cellsOf(kept)
	if r := compare(t, in); r.Verdict != tieout.Reconciled || r.OtherDays != 4 || r.Tally[account.Row] != 12 {
		t.Errorf("%s with %d rows of other days: %q", r.Verdict, r.OtherDays, r.Unknown)
	}
}

func TestWhatCannotBeCompared(t *testing.T) {
	cases := []struct {
		name   string
		change func(in *tieout.Input)
		says   string
	}{
		{"other totals in the receipts", func(in *tieout.Input) {
			in.Stage = account.Cells{place(1, 19783, 0, ""): {Sums: make([]account.Int128, 2), Counts: make([]int64, 2)}}
		}, "leg stage at t/1 2024-03-01 has 2 money totals, not 1: it was counted for another form of the dataset"},
		{"a tally that contradicts its cells", func(in *tieout.Input) { in.Chunks[0].Counts.Tally[account.Row]++ },
			"a receipt of t/0 counts 12 Parquet rows in its cells and 13 in its tally"},
		{"cells without receipts", func(in *tieout.Input) { in.Chunks = nil }, "the archive's cells hold 12 rows, the receipts' tallies only 0"},
		{"a sum that leaves 128 bits", func(in *tieout.Input) {
			n, err := account.ParseInt128("170141183460469231731687303715884105727")
			if err != nil {
				panic(err)
			}
			for p := range in.Expected {
				in.Expected[p].Sums[0] = n
				p.Topic, p.Partition = "", -1
				in.Table = account.Cells{p: {Rows: 1, Sums: make([]account.Int128, 1), Counts: make([]int64, 1)}}
			}
			q := place(5, 19783, 0, "EUR")
			in.Expected[q] = in.Expected[place(0, 19783, 0, "EUR")].Clone()
		}, "does not fit in 128 bits"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := input(rows(12))
			c.change(&in)
			if r, err := tieout.Compare(in); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%+v, %v, want %q", r, err, c.says)
			}
		})
	}
}

// TestResultText: lists that are empty stay lists.
func TestResultText(t *testing.T) {
	text, err := json.Marshal(compare(t, tieout.Input{}))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("%s", text)
	}
}

func rowsOf(cells account.Cells) (n int64) {
	for _, c := range cells {
		n += c.Rows
	}
	return n
}

// What the modes that keep rows of the table leave: it is in the ladder, and a
// person is told.
func TestKeptRows(t *testing.T) {
	some := input(rows(12))
	some.Inserted, some.Already = 7, 3
	r := compare(t, some)
	if r.Verdict != tieout.Incomplete || r.Unknown[0] != "of 12 staged rows 7 were inserted, 0 superseded and 3 there already: what became of the other 2 is not known" || r.Kept != 2 {
		t.Errorf("%s %q, %d kept", r.Verdict, r.Unknown, r.Kept)
	}
	some.Differing = cellsOf(rows(2))
	r = compare(t, some)
	days := "2024-03-01"
	if r.Verdict != tieout.WithExceptions || len(r.Exceptions) != 2 || r.Exceptions[0].Class != "kept" || r.Exceptions[0].Count != 2 ||
		r.Exceptions[1].Class != "differing" || r.Exceptions[1].Count != 2 || !strings.Contains(r.Exceptions[1].Text, "other content than the archive, on "+days) {
		t.Errorf("%s %+v", r.Verdict, r.Exceptions)
	}
	some.Upsert = true
	some.Chunks[0].Counts.Tally[account.Tombstone] = 4
	r = compare(t, some)
	if r.Verdict != tieout.Incomplete || !strings.Contains(r.Unknown[0], "2 staged rows and the table's rows of their keys have equal versions") ||
		!strings.Contains(r.Exceptions[1].Text, "were not applied") {
		t.Errorf("%s %q %+v", r.Verdict, r.Unknown, r.Exceptions)
	}
	some.Inserted = 12
	some.Upsert, some.Differing = false, nil
	r = compare(t, some)
	if r.Verdict != tieout.Incomplete || r.Kept != 0 || !slices.Contains(r.Unknown, "the loads inserted 12 rows and found 3, and the last of them saw only 12: who took 3 away is not known") {
		t.Errorf("%s %q, %d kept", r.Verdict, r.Unknown, r.Kept)
	}
}

// Rows that come to a preliminary day after the load are no break.
func TestPreliminaryDays(t *testing.T) {
	for _, c := range []struct {
		preliminary bool
		table       int
		want        tieout.Verdict
		unknown     int
	}{{false, 13, tieout.NotReconciled, 0}, {true, 12, tieout.Incomplete, 1}, {true, 13, tieout.Incomplete, 2}, {true, 11, tieout.NotReconciled, 1}} {
		in := input(rows(12))
		in.Table = cellsOf(rows(c.table))
		if c.preliminary {
			for p := range in.Expected {
				in.Preliminary = append(in.Preliminary, p.Day)
			}
		}
		if r := compare(t, in); r.Verdict != c.want || len(r.Unknown) != c.unknown {
			t.Errorf("%+v: %s, %q, %v", c, r.Verdict, r.Unknown, r.Breaks)
		}
	}
}
