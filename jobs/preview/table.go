package preview

import (
	"context"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/publish"
)

// Slice is what the table holds where a slice will load: in window ∧ scope.
type Slice struct {
	Days  string  `json:"days"`
	Rows  int64   `json:"rows"`
	Money []Money `json:"money,omitempty"` // at most mostGroups
	Cut   int     `json:"money_groups_left_out,omitempty"`
}

// Money is the exact sums of one group of a slice's rows.
type Money struct {
	Group []*string `json:"group"` // values of the columns of reconcile.by; null is NULL
	Rows  int64     `json:"rows"`
	Sums  []Sum     `json:"sums"`
}

// Sum is an exact total of a column.
type Sum struct {
	Column string `json:"column"`
	Amount string `json:"amount"`
}

const (
	mostSlices = 120 // that are asked for; others are counted in Result.Slices
	mostGroups = 20  // of a slice
)

// table reads rows and money of each slice. A table that differs from the
// dataset, or is missing, is said and not asked.
func (p *preview) table(ctx context.Context) error {
	if p.s == nil {
		p.r.NotAsked = "--without-table"
		return nil
	}
	if err := publish.CheckTable(ctx, p.s, p.w.Target()); err != nil {
		if fail.ExitOf(err) == fail.ExitEnvironment || ctx.Err() != nil {
			return err
		}
		p.r.NotAsked = err.Error()
		return nil
	}
	if p.w.Dataset.Records.EventTime == nil {
		p.r.NotAsked = "nothing is replaced: the dataset has no event time, rows are appended"
		return nil
	}
	for _, slice := range p.slices[:min(len(p.slices), mostSlices)] {
		cells, err := publish.TableCells(ctx, p.s, p.w.Target(), slice.Window, p.w.Calendar())
		if err != nil {
			return err
		}
		out, err := p.slice(slice.String(), cells)
		if err != nil {
			return err
		}
		p.r.Table = append(p.r.Table, out)
	}
	return nil
}

// slice sums the cells by group.
func (p *preview) slice(days string, cells account.Cells) (Slice, error) {
	ds := p.w.Dataset
	byGroup := map[account.Group]*account.Cell{}
	out := Slice{Days: days}
	for place, cell := range cells {
		if byGroup[place.Group] == nil {
			byGroup[place.Group] = &account.Cell{}
		}
		if err := byGroup[place.Group].Add(cell); err != nil {
			return out, fail.Wrap(err, fail.Internal, "adding the money of a slice")
		}
		out.Rows += cell.Rows
	}
	if len(ds.Reconcile.Totals) == 0 {
		return out, nil
	}
	groups := make([]account.Group, 0, len(byGroup))
	for g := range byGroup {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	for i, g := range groups {
		if i == mostGroups {
			out.Cut = len(groups) - i
			break
		}
		m := Money{Group: g.Values(len(ds.Reconcile.By)), Rows: byGroup[g].Rows}
		for n, at := range ds.Reconcile.Totals {
			m.Sums = append(m.Sums, Sum{Column: ds.Columns[at].Name, Amount: byGroup[g].Sums[n].Decimal(ds.Columns[at].Type.Scale)})
		}
		out.Money = append(out.Money, m)
	}
	return out, nil
}

// name spells the group for people.
func (m Money) name() string {
	var parts []string
	for _, v := range m.Group {
		if v == nil {
			parts = append(parts, "NULL")
			continue
		}
		parts = append(parts, strings.TrimSpace(*v))
	}
	return strings.Join(parts, " ")
}
