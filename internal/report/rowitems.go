package report

import (
	"cmp"
	"fmt"
	"strings"

	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// rowItems lists the rows of a comparison row by row, in the report's order. Row n
// is R<n>.
func (r *Report) rowItems() []Item {
	if r.Rows == nil {
		return nil
	}
	items := make([]Item, 0, len(r.Rows.List))
	for n, b := range r.Rows.List {
		item := Item{ID: fmt.Sprintf("R%d", n+1), State: rowState(b), Class: string(b.Class), Group: b.Group,
			Key: r.key(b.Key), Columns: columnsOf(b.Diffs), Text: r.rowText(b)}
		if b.Day != kafka.NoDay {
			item.Day = b.Day.String()
		}
		if p := b.Place; p != nil {
			partition, offset := int32(p.Partition), int64(p.Offset)
			item.Topic, item.Partition = p.Topic, &partition
			if p.Offset != kafka.NoOffset {
				item.Offset = &offset
			}
		}
		if b.Left != nil || b.Right != nil {
			item.Left, item.Right = r.side(b.Left, 1), r.side(b.Right, max(1, b.Copies))
		}
		items = append(items, item)
	}
	return items
}

func rowState(b tieout.RowBreak) string {
	if b.Granted != "" {
		return StateGranted
	}
	switch b.Outcome() {
	case tieout.IsException:
		return StateException
	case tieout.IsUnknown:
		return StateUnknown
	}
	return StateBreak
}

// key joins the key's values; a hidden one is said to be.
func (r *Report) key(values []*string) string {
	texts := make([]string, len(values))
	for i, v := range values {
		if texts[i] = "(hidden)"; v != nil {
			texts[i] = *v
		}
	}
	return strings.Join(texts, " / ")
}

// side gives one side of a row: no amounts where it has no such row.
func (r *Report) side(amounts []*string, rows int64) *Figures {
	f := &Figures{Amounts: make([]string, len(r.TotalColumns))}
	if amounts == nil {
		return f
	}
	f.Rows = rows
	for i := range f.Amounts {
		if f.Amounts[i] = "(null)"; i < len(amounts) && amounts[i] != nil {
			f.Amounts[i] = *amounts[i]
		}
	}
	return f
}

func columnsOf(list []tieout.Change) string {
	names := make([]string, len(list))
	for i, c := range list {
		names[i] = c.Column
	}
	return strings.Join(names, ", ")
}

// rowText is the entry's sentence with the values that differ, as far as reports
// may show them, or with the amounts of the one side that has the row.
func (r *Report) rowText(b tieout.RowBreak) string {
	var values []string
	for _, c := range b.Diffs {
		if !c.Hidden {
			values = append(values, fmt.Sprintf("%s %s instead of %s", c.Column, quoted(c.Right), quoted(c.Left)))
		}
	}
	if one := b.Left; (one == nil) != (b.Right == nil) {
		if one == nil {
			one = b.Right
		}
		for i, amount := range r.side(one, 1).Amounts {
			values = append(values, r.TotalColumns[i].Name+" "+amount)
		}
	}
	if len(values) == 0 {
		return b.Text
	}
	return cmp.Or(b.Text, string(b.Class)) + ": " + strings.Join(values, ", ")
}

func quoted(v *string) string {
	if v == nil {
		return "NULL"
	}
	return "'" + *v + "'"
}
