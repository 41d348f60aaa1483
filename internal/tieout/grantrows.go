package tieout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

// share is what one row brings to the cells of its day and group on one side.
type share struct {
	place account.Place
	cell  account.Cell
	table bool // the table's side; else the archive's
}

// share counts one row.
func (r *Rules) share(values []*string, lane1, lane2 int64, at kafka.Instant, place *Position, table bool) share {
	s := share{place: account.Place{Partition: -1, Day: kafka.NoDay}, table: table}
	if r.Windowed {
		s.place.Day = r.Calendar.DayOf(at)
	}
	var group []byte
	for i, n := range r.By {
		if values[n] == nil {
			group = account.AppendGroup(group, nil, true, i == 0)
			continue
		}
		group = account.AppendGroup(group, []byte(*values[n]), false, i == 0)
	}
	s.place.Group = account.Group(group)
	s.cell = account.Cell{Rows: 1, Sums: make([]account.Int128, len(r.Totals)), Counts: make([]int64, len(r.Totals))}
	s.cell.Lane1.Plus(lane1)
	s.cell.Lane2.Plus(lane2)
	if place != nil && place.Offset != kafka.NoOffset {
		s.cell.Offsets = 1
		s.cell.OffsetSum.Plus(int64(place.Offset))
	}
	for i, n := range r.Totals {
		if values[n] == nil {
			continue
		}
		scale := 0
		if t := r.Columns[n].Type; t.Kind == schema.Decimal {
			scale = t.Scale
		}
		// An amount that can't be read leaves the sums as they are, and so the break.
		if v, err := account.ParseDecimal(*values[n], scale); err == nil {
			s.cell.Sums[i], s.cell.Counts[i] = v, 1
		}
	}
	return s
}

// grantRows marks the rows that a named exception covers.
func (r *Result) grantRows(effects []Effect, columns int) {
	if r.Rows == nil {
		return
	}
	for i := range r.Rows.List {
		b := &r.Rows.List[i]
		if b.Outcome() != IsBreak {
			continue
		}
		fits := func(e *Effect) bool {
			if e.Class != string(b.Class) {
				return false
			}
			if e.Bucket != nil {
				return e.Bucket.fitsRow(*b, columns)
			}
			return slices.ContainsFunc(e.Keys, func(k []string) bool { return slices.Equal(k, b.key) })
		}
		id, note := grant(effects, max(1, b.Copies), fits, string(b.Class)+" "+b.shownKey())
		b.Granted = id
		b.Text += note
	}
}

func (b *RowBreak) shownKey() string {
	texts := make([]string, len(b.Key))
	for i, v := range b.Key {
		if texts[i] = "(hidden)"; v != nil {
			texts[i] = strconv.Quote(*v)
		}
	}
	return strings.Join(texts, ", ")
}

// fitsRow reports whether the bucket holds the row. Parts of the hash space are
// not a row's to know.
func (a *At) fitsRow(b RowBreak, columns int) bool {
	in := Break{Place: account.Place{Day: b.Day}}
	if b.Place != nil {
		in.Place.Topic, in.Place.Partition = b.Place.Topic, b.Place.Partition
	}
	if len(b.shares) > 0 {
		in.Place.Group = b.shares[0].place.Group
	}
	for _, leg := range []Leg{ArchiveTable, StageTable} {
		if in.Leg = leg; a.Bucket == nil && a.fits(in, columns) {
			return true
		}
	}
	return false
}

// settle takes out the days and groups on which rows that were granted, or that
// are no breaks, are all that differs, to the cent and by fingerprint.
func (r *Result) settle(columns, totals int) {
	settled := func(b RowBreak) bool { return b.Granted != "" || b.Outcome() == IsException }
	if r.Rows == nil || !slices.ContainsFunc(r.Rows.List, settled) {
		return
	}
	fold := func(p account.Place) account.Place { return account.Place{Partition: -1, Day: p.Day, Group: p.Group} }
	byRows := func(b Break) bool { return b.Leg == ArchiveTable || b.Leg == StageTable }
	rest, located := account.Cells{}, map[account.Place]bool{}
	for _, b := range r.Breaks {
		if !byRows(b) {
			continue
		}
		at := fold(b.Place)
		cell := rest.At(at, totals)
		if cell.Add(b.Left) != nil || cell.Subtract(b.Right) != nil {
			return
		}
		located[at] = located[at] || b.Left.Offsets+b.Right.Offsets > 0
	}
	for _, b := range r.Rows.List {
		for _, s := range b.shares {
			cell := rest[s.place]
			if !settled(b) || cell == nil {
				continue
			}
			mine := s.cell.Clone()
			if !located[s.place] {
				mine.Offsets, mine.OffsetSum = 0, account.Int128{}
			}
			change := cell.Subtract
			if s.table {
				change = cell.Add
			}
			if change(mine) != nil {
				return
			}
		}
	}
	r.Breaks = slices.DeleteFunc(r.Breaks, func(b Break) bool { return byRows(b) && rest[fold(b.Place)].IsZero() })
}

// open reports whether the list has a break that nobody granted.
func (r *Rows) open() bool {
	return r != nil && slices.ContainsFunc(r.List, func(b RowBreak) bool { return b.Outcome() == IsBreak && b.Granted == "" })
}

// FirstOpen describes the first break that nobody granted, and says how many there
// are.
func (r *Rows) FirstOpen() (text string, rows int64) {
	if r == nil {
		return "", 0
	}
	for _, b := range r.List {
		if b.Outcome() != IsBreak || b.Granted != "" {
			continue
		}
		if rows == 0 {
			text = fmt.Sprintf("%s %s %s", b.Class, b.shownKey(), b.Text)
		}
		rows += max(1, b.Copies)
	}
	return text, rows
}

// KeyShown reports whether reports may show keys.
func (r *Rules) KeyShown() bool {
	return !slices.ContainsFunc(r.Key, r.hides)
}
