package account_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

func TestTallyText(t *testing.T) {
	var tally account.Tally
	for i, d := range account.Dispositions() {
		tally[d] = int64(i + 1)
	}
	const want = `{"records_read":45,"unreadable":1,"tombstone":2,"undatable":3,"out_of_window":4,"filtered":5,"suppressed":6,"rejected":7,"duplicate_offset":8,"parquet_rows":9}`
	text, err := json.Marshal(tally)
	if err != nil || string(text) != want {
		t.Errorf("%s, %v\nwant %s", text, err, want)
	}
	var back account.Tally
	if err := json.Unmarshal(text, &back); err != nil || back != tally {
		t.Errorf("comes back as %v, %v", back, err)
	}
	back.Add(tally)
	if back.Read() != 90 || back[account.Row] != 18 {
		t.Errorf("twice the tally is %v", back)
	}
}

func TestTallyMustAddUp(t *testing.T) {
	const rest = `"tombstone":0,"undatable":0,"out_of_window":0,"filtered":0,"suppressed":0,"rejected":0,"duplicate_offset":0`
	cases := []struct{ name, text, says string }{
		{"sum", `{"records_read":4,"unreadable":1,"parquet_rows":2,` + rest + `}`, "dispositions add up to 3, records read are 4"},
		{"negative", `{"records_read":1,"unreadable":-1,"parquet_rows":2,` + rest + `}`, "unreadable is missing or negative"},
		{"missing", `{"records_read":2,"parquet_rows":2,` + rest + `}`, "9 entries, want records_read and 9 dispositions"},
		{"another name", `{"records_read":2,"lost":0,"parquet_rows":2,` + rest + `}`, "unreadable is missing or negative"},
		{"one too many", `{"records_read":2,"lost":0,"unreadable":0,"parquet_rows":2,` + rest + `}`, "11 entries"},
		{"no sum", `{"lost":0,"unreadable":0,"parquet_rows":0,` + rest + `}`, "want records_read"},
		{"empty", `{}`, "0 entries"},
		{"no object", `[1]`, "reading a tally: json"},
		{"no integer", `{"records_read":1.5}`, "reading a tally: json"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var tally account.Tally
			if err := json.Unmarshal([]byte(c.text), &tally); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func pack(values []*string) account.Group {
	var buf []byte
	for i, v := range values {
		if v == nil {
			buf = account.AppendGroup(buf, nil, true, i == 0)
			continue
		}
		buf = account.AppendGroup(buf, []byte(*v), false, i == 0)
	}
	return account.Group(buf)
}

func same(a, b []*string) bool {
	return slices.EqualFunc(a, b, func(a, b *string) bool { return (a == nil) == (b == nil) && (a == nil || *a == *b) })
}

// TestGroupNeverCollides packs columns whose values hold the very bytes that
// packing uses.
func TestGroupNeverCollides(t *testing.T) {
	value := rapid.Ptr(rapid.StringOfN(rapid.RuneFrom([]rune("\x00\x1b\x1f@[_Eé")), 0, 4, -1), true)
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 3).Draw(t, "columns")
		a := rapid.SliceOfN(value, n, n).Draw(t, "a")
		b := rapid.SliceOfN(value, n, n).Draw(t, "b")
		if back := pack(a).Values(n); !same(back, a) {
			t.Fatalf("%q unpacks to %s", pack(a), account.GroupText(back))
		}
		if (pack(a) == pack(b)) != same(a, b) {
			t.Fatalf("%s and %s are packed as %q and %q", account.GroupText(a), account.GroupText(b), pack(a), pack(b))
		}
		text, err := json.Marshal(pack(a))
		var back account.Group
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != pack(a) {
			t.Fatalf("%q comes back from %s as %q, %v", pack(a), text, back, err)
		}
	})
}

func TestGroupText(t *testing.T) {
	s := func(s string) *string { return &s }
	cases := []struct {
		values []*string
		packed account.Group
		text   string
	}{
		{nil, "", ""},
		{[]*string{s("EUR")}, "EUR", "EUR"},
		{[]*string{s("EUR"), s("2024-03"), nil}, "EUR\x1f2024-03\x1f\x00", "EUR / 2024-03 / null"},
		{[]*string{s("null"), nil}, "null\x1f\x00", `"null" / null`},
		{[]*string{s(""), s("x")}, "\x1fx", `"" / x`},
		{[]*string{s(" a"), s("b ")}, " a\x1fb ", `" a" / "b "`},
		{[]*string{s("a\x1b[31m"), s("Zürich é")}, "a\x1b[[31m\x1fZürich é", `"a\x1b[31m" / Zürich é`},
	}
	for _, c := range cases {
		g := pack(c.values)
		if g != c.packed || g.String() != c.text || !same(g.Values(len(c.values)), c.values) {
			t.Errorf("%q shows as %s, want %q as %s", g, g, c.packed, c.text)
		}
	}
	if got := account.GroupText([]*string{s("")}); got != `""` {
		t.Errorf("an empty value shows as %s", got)
	}
}

func cell(rows int64, sums ...int64) *account.Cell {
	c := &account.Cell{Rows: rows, Offsets: rows, Sums: []account.Int128{}, Counts: []int64{}}
	c.OffsetSum.Plus(rows * 10)
	c.Lane1.Plus(-rows)
	c.Lane2.Plus(rows << 50)
	for _, s := range sums {
		c.Sums, c.Counts = append(c.Sums, account.FromInt64(s)), append(c.Counts, rows)
	}
	return c
}

func equal(a, b account.Cells) bool {
	return maps.EqualFunc(a, b, func(a, b *account.Cell) bool { return a.Equal(b) })
}

func drawCells(t *rapid.T, label string) account.Cells {
	cells := account.Cells{}
	for i := range rapid.IntRange(0, 6).Draw(t, label) {
		p := account.Place{
			Topic: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "topic"), Partition: kafka.Partition(rapid.IntRange(0, 2).Draw(t, "partition")),
			Day: kafka.Day(rapid.IntRange(-1, 1).Draw(t, "day")), Bucket: int32(rapid.IntRange(-1, 1).Draw(t, "bucket")),
			Group: account.Group(rapid.SampledFrom([]string{"EUR", "USD", "\x00"}).Draw(t, "group")),
		}
		if err := cells.At(p, 2).Add(cell(int64(i+1), rapid.Int64().Draw(t, "sum"), rapid.Int64().Draw(t, "sum 2"))); err != nil {
			t.Fatal(err)
		}
	}
	return cells
}

// TestCells: folding and merging lose nothing and do not depend on the order,
// and JSON keeps everything.
func TestCells(t *testing.T) {
	coarse := func(p account.Place) account.Place { return account.Place{Partition: -1, Day: p.Day, Group: p.Group} }
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawCells(t, "a"), drawCells(t, "b")
		before, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		ab, ba := account.Cells{}, account.Cells{}
		for _, m := range []struct{ to, from account.Cells }{{ab, a}, {ab, b}, {ba, b}, {ba, a}} {
			if err := m.to.Merge(m.from); err != nil {
				t.Fatal(err)
			}
		}
		if !equal(ab, ba) {
			t.Fatal("merging depends on the order")
		}
		if after, err := json.Marshal(b); err != nil || string(after) != string(before) {
			t.Fatalf("merging changed what was merged: %s, %v", after, err)
		}
		folded, err := ab.Fold(coarse)
		if err != nil {
			t.Fatal(err)
		}
		for p := range folded {
			if p != coarse(p) {
				t.Fatalf("%+v is not folded", p)
			}
		}
		whole, err := ab.Total(2)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := folded.Total(2); err != nil || !again.Equal(whole) {
			t.Fatalf("folding changed the total: %+v, %+v, %v", again, whole, err)
		}
		text, err := json.Marshal(ab)
		var back account.Cells
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || !equal(back, ab) {
			t.Fatalf("%s comes back as %v, %v", text, back, err)
		}
		places := ab.Places()
		if len(places) != len(ab) || !slices.IsSortedFunc(places, func(p, q account.Place) int {
			if p.Less(q) {
				return -1
			}
			return 1
		}) {
			t.Fatalf("places out of order: %+v", places)
		}
	})
}

func TestCellsText(t *testing.T) {
	cells := account.Cells{
		{Topic: "b", Partition: 0, Day: 19783, Bucket: -3, Group: "EUR"}: cell(2, -150),
		{Topic: "", Partition: -1, Day: kafka.NoDay, Group: "\x00"}:      cell(1, 7),
	}
	const want = `[{"topic":"","partition":-1,"day":"all","bucket":0,"group":"\u0000","rows":1,"offsets":1,"offset_sum":"10","lane1":"-1","lane2":"1125899906842624","sums":["7"],"counts":[1]},` +
		`{"topic":"b","partition":0,"day":"2024-03-01","bucket":-3,"group":"EUR","rows":2,"offsets":2,"offset_sum":"20","lane1":"-2","lane2":"2251799813685248","sums":["-150"],"counts":[2]}]`
	if text, err := json.Marshal(cells); err != nil || string(text) != want {
		t.Errorf("%s, %v\nwant %s", text, err, want)
	}
	if text, err := json.Marshal(account.Cells(nil)); err != nil || string(text) != "[]" {
		t.Errorf("no cells: %s, %v", text, err)
	}
}

func TestCellsReadErrors(t *testing.T) {
	one := `{"topic":"t","partition":1,"day":"2024-03-01","rows":1,"sums":["7"],"counts":[1]}`
	cases := []struct{ name, text, says string }{
		{"no counts", `[{"topic":"t","partition":1,"day":"2024-03-01"}]`, "an entry without counts"},
		{"twice", "[" + one + "," + one + "]", "t/1 2024-03-01 stands twice"},
		{"lengths", strings.Replace("["+one+"]", `"counts":[1]`, `"counts":[]`, 1), "t/1 2024-03-01 has 1 sums and 0 counts"},
		{"no day", strings.Replace("["+one+"]", "2024-03-01", "March", 1), "YYYY-MM-DD"},
		{"sum as a number", strings.Replace("["+one+"]", `"7"`, `7`, 1), "reading cells"},
		{"sum too long", strings.Replace("["+one+"]", `"7"`, `"1`+strings.Repeat("0", 39)+`"`, 1), "does not fit in 128 bits"},
		{"no list", `{}`, "reading cells"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var cells account.Cells
			if err := json.Unmarshal([]byte(c.text), &cells); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}

func TestCellsThatDoNotAdd(t *testing.T) {
	greatest, err := account.ParseInt128("170141183460469231731687303715884105727")
	if err != nil {
		t.Fatal(err)
	}
	full := cell(1, 0)
	full.Sums[0] = greatest
	p := account.Place{Topic: "t", Partition: 3, Day: 19783}
	cases := []struct {
		name string
		a, b *account.Cell
		says string
	}{
		{"overflow", full.Clone(), cell(1, 1), "at t/3 2024-03-01: adding cells: a sum does not fit in 128 bits"},
		{"other totals", cell(1, 1), cell(1, 1, 2), "at t/3 2024-03-01: adding cells: 1 totals against 2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if err := (account.Cells{p: c.a}).Merge(account.Cells{p: c.b}); err == nil || err.Error() != c.says {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
	if full.Sums[0] != greatest {
		t.Error("a clone shares its sums")
	}
}

func TestCellEqual(t *testing.T) {
	base := cell(3, 10, 20)
	changes := map[string]func(c *account.Cell){
		"rows":     func(c *account.Cell) { c.Rows++ },
		"offsets":  func(c *account.Cell) { c.Offsets++ },
		"offset":   func(c *account.Cell) { c.OffsetSum.Plus(1) },
		"lane 1":   func(c *account.Cell) { c.Lane1.Plus(1) },
		"lane 2":   func(c *account.Cell) { c.Lane2.Plus(1) },
		"sum":      func(c *account.Cell) { c.Sums[1].Plus(1) },
		"count":    func(c *account.Cell) { c.Counts[1]++ },
		"totals":   func(c *account.Cell) { c.Sums, c.Counts = c.Sums[:1], c.Counts[:1] },
		"no count": func(c *account.Cell) { c.Counts = nil },
	}
	if !base.Equal(base.Clone()) {
		t.Error("a clone differs")
	}
	for name, change := range changes {
		other := base.Clone()
		change(other)
		if base.Equal(other) || other.Equal(base) {
			t.Errorf("%s: no difference seen", name)
		}
	}
}

// TestRanges compares with a set of offsets.
func TestRanges(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var list []account.Range
		found := map[kafka.Offset]bool{}
		for range rapid.IntRange(0, 8).Draw(t, "ranges") {
			from := kafka.Offset(rapid.IntRange(0, 40).Draw(t, "from"))
			to := from + kafka.Offset(rapid.IntRange(1, 8).Draw(t, "length"))
			list = append(list, account.Range{From: from, To: to})
			for o := from; o < to; o++ {
				found[o] = true
			}
		}
		merged := account.MergeRanges(list)
		gaps := account.Gaps(merged)
		in := func(list []account.Range, o kafka.Offset) (n int) {
			for _, r := range list {
				if o >= r.From && o < r.To {
					n++
				}
			}
			return n
		}
		for i := 1; i < len(merged); i++ {
			if merged[i].From <= merged[i-1].To {
				t.Fatalf("not merged: %v", merged)
			}
		}
		for o := range kafka.Offset(60) {
			want, gap := 0, 0
			if found[o] {
				want = 1
			} else if len(merged) > 0 && o > merged[0].From && o < merged[len(merged)-1].To {
				gap = 1
			}
			if in(merged, o) != want || in(gaps, o) != gap {
				t.Fatalf("offset %d: found %v, ranges %v, gaps %v", o, found[o], merged, gaps)
			}
		}
	})
}

func TestCountHasALimit(t *testing.T) {
	m := map[string]int64{}
	for i := range 10 {
		account.Count(m, fmt.Sprint("v", i%5), 3)
	}
	if want := (map[string]int64{"v0": 2, "v1": 2, "v2": 2, account.Other: 4}); !maps.Equal(m, want) {
		t.Errorf("%v, want %v", m, want)
	}
}

// TestChunkText: a chunk's counts come back from their receipt, whatever days
// and offsets they hold.
func TestChunkText(t *testing.T) {
	c := account.NewChunk()
	c.Tally[account.OutOfWindow], c.Tally[account.Row] = 2, 2
	c.OutOfWindow[2932897], c.OutOfWindow[kafka.NoDay] = 1, 1 // 10000-01-01, and days that found no room
	c.Dropped["settled"] = 1
	c.Cells[account.Place{Topic: "t", Day: 19783, Group: "EUR"}] = cell(2, 5)
	c.Objects = []account.ObjectCount{{Key: "a", Records: 4, Proof: kafka.ProofDerived, Open: true, First: 0, Last: 3}}
	c.Ranges = []account.Range{{From: 0, To: 4}}
	c.Findings = []account.Finding{{Class: account.ArchiveConflict, Object: "a", Offset: 3, Text: "x"}}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back account.Chunk
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil || string(again) != string(text) {
		t.Errorf("%s\ncomes back as\n%s, %v", text, again, err)
	}
}
