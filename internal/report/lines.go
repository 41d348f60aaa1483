package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// maxAmounts bounds the groups whose money an exception names.
const maxAmounts = 5

// exceptions copies them, with the money of the rows that they are about.
func (b *builder) exceptions() error {
	b.rep.Exceptions = slices.Clone(b.r.Exceptions)
	for i, e := range b.rep.Exceptions {
		groups, err := e.Rows.Fold(func(p account.Place) account.Place { return account.Place{Group: b.h.group(p)} })
		if err != nil {
			return err
		}
		for n, p := range groups.Places() {
			if n == maxAmounts {
				b.rep.Exceptions[i].Text += fmt.Sprintf("; and %d more groups", len(groups)-n)
				break
			}
			f := b.figures(groups[p])
			text := count(f.Rows, "row")
			if columns := len(b.h.main()); columns > 0 {
				text = account.GroupText(p.Group.Values(columns)) + " " + text
			}
			for at, col := range b.h.Totals {
				text += ", " + col.Name + " " + f.Amounts[at]
			}
			b.rep.Exceptions[i].Text += "; " + text
		}
	}
	return nil
}

// lines fills the tables per group, per accounting period, per day and per
// partition.
func (b *builder) lines() (err error) {
	group := func(p account.Place) account.Place { return account.Place{Group: b.h.group(p)} }
	day := func(p account.Place) account.Place { return account.Place{Day: p.Day, Group: b.h.group(p)} }
	if b.rep.Totals, err = b.table(group, false); err != nil {
		return err
	}
	if err := b.periods(); err != nil {
		return err
	}
	if b.rep.Days, err = b.table(day, true); err != nil {
		return err
	}
	b.rep.Partitions, err = b.partitions()
	return err
}

// fold folds all legs alike and returns the places that any leg has.
func (b *builder) fold(fold func(account.Place) account.Place) (legs [4]account.Cells, places []account.Place, err error) {
	all := account.Cells{}
	for i, cells := range []account.Cells{b.r.Cells.Archive, b.r.Cells.Stage, b.r.Cells.Expected, b.r.Cells.Table} {
		if legs[i], err = cells.Fold(fold); err != nil {
			return legs, nil, err
		}
		maps.Copy(all, legs[i])
	}
	return legs, all.Places(), nil
}

// table gives one line per place.
func (b *builder) table(fold func(account.Place) account.Place, days bool) ([]Line, error) {
	legs, places, err := b.fold(fold)
	if err != nil {
		return nil, err
	}
	lines := make([]Line, 0, len(places))
	for _, p := range places {
		l := b.line(legs, p)
		l.Group = p.Group.Values(len(b.h.main()))
		if days {
			l.Day = p.Day.String()
		}
		lines = append(lines, l)
	}
	return lines, nil
}

// line compares the legs at one place; whose it is, the caller says.
func (b *builder) line(legs [4]account.Cells, p account.Place) Line {
	return Line{
		Archive: b.figures(legs[0][p]), Stage: b.figures(legs[1][p]), Expected: b.figures(legs[2][p]), Table: b.figures(legs[3][p]),
		Match: same(legs[0][p], legs[1][p]) && same(legs[2][p], legs[3][p]),
	}
}

// partitions gives one line per topic-partition and day.
func (b *builder) partitions() ([]PartitionLine, error) {
	legs, places, err := b.fold(func(p account.Place) account.Place {
		return account.Place{Topic: p.Topic, Partition: p.Partition, Day: p.Day}
	})
	if err != nil {
		return nil, err
	}
	known := true
	for p := range legs[3] {
		known = known && p.Topic != ""
	}
	lines := []PartitionLine{}
	for _, p := range places {
		if p.Topic == "" {
			continue
		}
		l := PartitionLine{
			Topic: p.Topic, Partition: int32(p.Partition), Day: p.Day.String(),
			Archive: rowsOf(legs[0][p]), Stage: rowsOf(legs[1][p]), Match: same(legs[0][p], legs[1][p]),
		}
		if known {
			expected, table := rowsOf(legs[2][p]), rowsOf(legs[3][p])
			l.Expected, l.Table = &expected, &table
			l.Match = l.Match && same(legs[2][p], legs[3][p])
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func rowsOf(c *account.Cell) int64 {
	if c == nil {
		return 0
	}
	return c.Rows
}

func same(left, right *account.Cell) bool {
	if left == nil || right == nil {
		return (left == nil || left.Rows == 0) && (right == nil || right.Rows == 0)
	}
	return left.Equal(right)
}

func partitionOf(p account.Place) *int32 {
	if p.Topic == "" {
		return nil
	}
	n := int32(p.Partition)
	return &n
}

// describe gives a break its figures and its sentence.
func (b *builder) describe(d tieout.Break) Break {
	out := Break{
		Leg: string(d.Leg), Kind: string(d.Kind), Topic: d.Place.Topic, Partition: partitionOf(d.Place), Day: d.Place.Day.String(),
		Bucket: d.Place.Bucket, Group: d.Place.Group.Values(len(b.h.By)), Left: b.figures(d.Left), Right: b.figures(d.Right),
	}
	out.Diff = b.difference(d.Right, d.Left).Amounts
	if d.Leg == tieout.KafkaArchive {
		out.Text, out.Group = d.Where, nil
		return out
	}
	var where []string
	if d.Place.Topic != "" {
		where = append(where, fmt.Sprintf("%s/%d", d.Place.Topic, d.Place.Partition))
	}
	if d.Place.Day != kafka.NoDay {
		where = append(where, d.Place.Day.String())
	}
	switch {
	case d.Where != "":
		where, out.Where, out.Group = []string{d.Where}, d.Where, nil
	case len(b.h.By) > 0:
		where = append(where, account.GroupText(out.Group))
	}
	var t strings.Builder
	if len(where) > 0 {
		t.WriteString(strings.Join(where, " ") + ": ")
	}
	switch d.Kind {
	case tieout.Missing:
		fmt.Fprintf(&t, "%s missing (%d, expected %d)", count(d.Rows, "row"), d.Right.Rows, d.Left.Rows)
	case tieout.Extra, tieout.Erased:
		fmt.Fprintf(&t, "%s too many (%d, expected %d)", count(d.Rows, "row"), d.Right.Rows, d.Left.Rows)
	default:
		fmt.Fprintf(&t, "%s as expected, but the content differs", count(d.Right.Rows, "row"))
	}
	for i, col := range b.h.Totals {
		if diff := d.Right.Sums[i].Sub(d.Left.Sums[i]); !diff.IsZero() {
			fmt.Fprintf(&t, ", %s %s instead of %s (%s)", col.Name, out.Right.Amounts[i], out.Left.Amounts[i], signed(diff.Decimal(col.Scale)))
		}
	}
	if d.Note != "" {
		t.WriteString("; " + d.Note)
	}
	out.Text = t.String()
	return out
}

// count gives a number with its noun.
func count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func signed(amount string) string {
	if strings.HasPrefix(amount, "-") {
		return amount
	}
	return "+" + amount
}

// sentence says the outcome in one line, for logs and termination messages.
func (b *builder) sentence() string {
	where := fmt.Sprintf("%s %s: %s", b.h.Target, windowText(b.rep), b.r.Verdict)
	agree := "all legs agree on " + count(sumRows(b.r.Cells.Table), "row")
	switch b.r.Verdict {
	case tieout.NotReconciled:
		if len(b.r.Breaks) == 0 {
			text, rows := b.r.Rows.FirstOpen()
			return fmt.Sprintf("%s: %s differ, the first: %s", where, count(rows, "row"), text)
		}
		return fmt.Sprintf("%s: %s, the first: %s %s", where, count(int64(len(b.r.Breaks)), "break"), b.rep.Breaks[0].Leg, b.rep.Breaks[0].Text)
	case tieout.Incomplete:
		more := ""
		if n := len(b.r.Unknown) - 1; n > 0 {
			more = fmt.Sprintf("; and %d more", n)
		}
		return fmt.Sprintf("%s: %s%s", where, b.r.Unknown[0], more)
	case tieout.WithExceptions:
		var classes []string
		for _, e := range b.r.Exceptions {
			classes = append(classes, fmt.Sprintf("%d %s", e.Count, strings.ReplaceAll(e.Class, "_", " ")))
		}
		return fmt.Sprintf("%s: %s; %s", where, agree, strings.Join(classes, ", "))
	}
	return fmt.Sprintf("%s: %s", where, agree)
}

func windowText(r *Report) string {
	if r.From == "" {
		return "(all time)"
	}
	return fmt.Sprintf("[%s, %s)", r.From, r.To)
}
