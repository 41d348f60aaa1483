package publish

import (
	"fmt"
	"sort"
	"strings"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// maxNamed is how many differing places a message names.
const maxNamed = 3

// legs name the two sides of a comparison for messages.
type legs struct{ want, got string }

// difference is a place where two legs disagree.
type difference struct {
	place     account.Place
	want, got *account.Cell
}

// compare returns where the cells differ, in order. A missing cell holds
// nothing.
func (t *target) compare(want, got account.Cells) []difference {
	empty := func() *account.Cell {
		return &account.Cell{Sums: make([]account.Int128, len(t.Totals)), Counts: make([]int64, len(t.Totals))}
	}
	var list []difference
	look := func(p account.Place, w, g *account.Cell) {
		if w == nil {
			w = empty()
		}
		if g == nil {
			g = empty()
		}
		if !w.Equal(g) {
			list = append(list, difference{place: p, want: w, got: g})
		}
	}
	for p, w := range want {
		look(p, w, got[p])
	}
	for p, g := range got {
		if want[p] == nil {
			look(p, nil, g)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].place.Less(list[j].place) })
	return list
}

// breakError says where two legs differ, with both figures of the first places.
func (t *target) breakError(what string, l legs, list []difference) *fail.Error {
	texts := make([]string, 0, maxNamed)
	for _, d := range list[:min(len(list), maxNamed)] {
		texts = append(texts, t.placeText(d.place)+": "+t.figures(l, d))
	}
	if more := len(list) - len(texts); more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return fail.New(fail.Break, "%s, nothing was changed: %s", what, strings.Join(texts, "; ")).At("%s", t.name())
}

func (t *target) placeText(p account.Place) string {
	var parts []string
	if p.Topic != "" {
		parts = append(parts, kafka.TopicPartition{Topic: p.Topic, Partition: p.Partition}.String())
	}
	if p.Day != kafka.NoDay {
		parts = append(parts, p.Day.String())
	}
	if t.bucket != nil {
		parts = append(parts, fmt.Sprintf("bucket %d", p.Bucket))
	}
	if len(t.By) > 0 {
		parts = append(parts, p.Group.String())
	}
	if len(parts) == 0 {
		return "all rows"
	}
	return strings.Join(parts, " ")
}

// figures gives only what differs: people look for the first wrong number.
func (t *target) figures(l legs, d difference) string {
	var parts []string
	differ := func(what, want, got string) {
		if want != got {
			parts = append(parts, fmt.Sprintf("%s %s in %s, %s in %s", what, want, l.want, got, l.got))
		}
	}
	differ("rows", fmt.Sprint(d.want.Rows), fmt.Sprint(d.got.Rows))
	for i, at := range t.Totals {
		col := t.Columns[at]
		differ(col.Name, d.want.Sums[i].Decimal(decimals(col)), d.got.Sums[i].Decimal(decimals(col)))
		differ("values of "+col.Name, fmt.Sprint(d.want.Counts[i]), fmt.Sprint(d.got.Counts[i]))
	}
	differ("rows with an offset", fmt.Sprint(d.want.Offsets), fmt.Sprint(d.got.Offsets))
	differ("sum of offsets", d.want.OffsetSum.String(), d.got.OffsetSum.String())
	if len(parts) == 0 {
		return fmt.Sprintf("the content of %d rows differs between %s and %s (hash lanes)", d.want.Rows, l.want, l.got)
	}
	return strings.Join(parts, ", ")
}
