package publish

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// anyCells draws a few cells over a small set of places, so that legs meet.
func anyCells(label string) *rapid.Generator[account.Cells] {
	return rapid.Custom(func(t *rapid.T) account.Cells {
		cells := account.Cells{}
		for range rapid.IntRange(0, 6).Draw(t, label) {
			p := account.Place{
				Topic: rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "topic"), Partition: kafka.Partition(rapid.Int32Range(0, 1).Draw(t, "partition")),
				Day: kafka.Day(rapid.Int32Range(1, 3).Draw(t, "day")), Group: account.Group(rapid.SampledFrom([]string{"EUR", "USD"}).Draw(t, "group")),
			}
			if p.Topic == "" {
				p.Partition = NoPartition
			}
			cells[p] = cell(rapid.Int64Range(1, 4).Draw(t, "rows"), rapid.Int64Range(-5, 5).Draw(t, "cents"))
		}
		return cells
	})
}

func TestCompareFindsEveryDifference(t *testing.T) {
	c := mustCompile(t, payroll())
	rapid.Check(t, func(t *rapid.T) {
		want, got := anyCells("want").Draw(t, "want"), anyCells("got").Draw(t, "got")
		differ := map[account.Place]bool{}
		for _, cells := range []account.Cells{want, got} {
			for p := range cells {
				if want[p] == nil || got[p] == nil || !want[p].Equal(got[p]) {
					differ[p] = true
				}
			}
		}
		list := c.compare(want, got)
		if len(list) != len(differ) {
			t.Fatalf("%d differences, want %d", len(list), len(differ))
		}
		for i, d := range list {
			if !differ[d.place] || i > 0 && !list[i-1].place.Less(d.place) {
				t.Fatalf("difference %d at %v", i, d.place)
			}
		}
	})
}

// TestFewer counts one row after the other: a table row is explained by a
// staged row of its day, and of its partition where the whole day knows it.
func TestFewer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := anyCells("table").Draw(t, "table")
		stage := account.Cells{}
		for p, c := range anyCells("stage").Draw(t, "stage") {
			if p.Topic != "" { // the stage always knows
				stage[p] = c
			}
		}
		gone, err := fewer(table, stage)
		if err != nil {
			t.Fatal(err)
		}
		blind := map[kafka.Day]bool{}
		for p := range table {
			blind[p.Day] = blind[p.Day] || p.Topic == ""
		}
		bin := func(p account.Place) string {
			if blind[p.Day] {
				return p.Day.String()
			}
			return fmt.Sprint(p.Day, p.Topic, p.Partition)
		}
		left, want := map[string]int64{}, int64(0)
		for p, c := range stage {
			left[bin(p)] += c.Rows
		}
		for p, c := range table {
			for range c.Rows {
				if left[bin(p)] > 0 {
					left[bin(p)]--
					continue
				}
				want++
			}
		}
		if got := sumRows(gone); got != want {
			t.Fatalf("%d rows vanish, want %d", got, want)
		}
	})
}

func TestBreakNamesThreePlaces(t *testing.T) {
	c := mustCompile(t, payroll())
	want := account.Cells{}
	for i := range kafka.Partition(5) {
		want[at(t, i, "2024-01-30", 0, "USD")] = cell(1, 100)
	}
	err := c.breakError("differs", legs{want: "a", got: "b"}, c.compare(want, nil))
	if !fail.Is(err, fail.Break) || strings.Count(err.Error(), "gross_amount 1.00 in a, 0.00 in b") != 3 || !strings.HasSuffix(err.Error(), "; and 2 more") {
		t.Error(err)
	}
}

func TestPlaces(t *testing.T) {
	c := mustCompile(t, payroll())
	q := cellQuery{day: "x", located: true, content: true}
	text := func(s string) *string { return &s }
	number := func(n int64) *int64 { return &n }
	_, err := c.place(q, &cellRow{topic: text("t"), partition: number(1), rows: 12})
	if !fail.Is(err, fail.Break) || err.Error() != "payroll.events: 12 rows lie outside of the window" {
		t.Errorf("%v", err)
	}
	got, err := c.place(q, &cellRow{topic: nil, partition: nil, day: number(19752), bucket: number(-3), groups: []*string{text("USD .")}})
	want := account.Place{Partition: NoPartition, Day: 19752, Bucket: -3, Group: "USD "}
	if err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
	if name := c.placeText(want); name != `2024-01-30 bucket -3 "USD "` {
		t.Errorf("%q", name)
	}
	plain := mustCompile(t, adjustments())
	if name := plain.placeText(account.Place{Day: kafka.NoDay}); name != "all rows" {
		t.Errorf("%q", name)
	}
}

func TestSumsAreExact(t *testing.T) {
	c := mustCompile(t, payroll())
	text := func(s string) *string { return &s }
	row := &cellRow{rows: 2, lane1: text("-92233720368547758080"), sums: []*string{text("99999999999999999999999.01")}, counts: []int64{2}}
	got, err := c.cell(row)
	if err != nil || got.Lane1.String() != "-92233720368547758080" || got.Sums[0].Decimal(2) != "99999999999999999999999.01" || !got.Lane2.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []*cellRow{
		{lane1: text("1e5")}, {sums: []*string{text("1.001")}, counts: []int64{1}}, {offsetSum: text("")},
	} {
		if _, err := c.cell(bad); !fail.Is(err, fail.Internal) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestTotalsJSONFitsItsColumn(t *testing.T) {
	c := mustCompile(t, payroll())
	cells := account.Cells{}
	for i := range 5000 {
		cells[at(t, 0, "2024-01-30", 0, account.Group(fmt.Sprintf("%03d", i)))] = cell(1, 5)
	}
	cells[at(t, 0, "2024-01-30", 0, "\x00")] = cell(1, -5)
	text := c.totalsJSON(cells)
	var doc struct {
		Groups []groupTotals `json:"groups"`
		Cut    int           `json:"cut"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	if len(text) > 65535 || len(doc.Groups)+doc.Cut != 5001 || doc.Groups[0].Group[0] != nil || doc.Groups[0].Sums["gross_amount"] != "-0.05" {
		t.Errorf("%d bytes, %d groups, %d cut, first %+v", len(text), len(doc.Groups), doc.Cut, doc.Groups[0])
	}
}

func TestListsAreCut(t *testing.T) {
	var days []string
	for i := range 12 {
		days = append(days, fmt.Sprint(i))
	}
	if got := first(days, ", "); got != "0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more" {
		t.Error(got)
	}
	if got := first(days[:2], ", "); got != "0, 1" {
		t.Error(got)
	}
}
