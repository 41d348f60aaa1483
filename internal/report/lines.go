package report

import (
	"fmt"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// lines fills the tables per group, per day and per partition.
func (b *builder) lines() (err error) {
	group := func(p account.Place) account.Place { return account.Place{Partition: -1, Group: p.Group} }
	day := func(p account.Place) account.Place { return account.Place{Partition: -1, Day: p.Day, Group: p.Group} }
	partition := func(p account.Place) account.Place {
		return account.Place{Topic: p.Topic, Partition: p.Partition, Day: p.Day}
	}
	if b.rep.Totals, err = b.table(group, false); err != nil {
		return err
	}
	if b.rep.Days, err = b.table(day, true); err != nil {
		return err
	}
	b.rep.Partitions, err = b.table(partition, true)
	return err
}

// table folds all legs alike and gives one line per place.
func (b *builder) table(fold func(account.Place) account.Place, days bool) ([]Line, error) {
	var legs [4]account.Cells
	all := account.Cells{}
	for i, cells := range []account.Cells{b.r.Cells.Archive, b.r.Cells.Stage, b.r.Cells.Inserted, b.r.Cells.Table} {
		folded, err := cells.Fold(fold)
		if err != nil {
			return nil, err
		}
		legs[i] = folded
		for p, c := range folded {
			all[p] = c
		}
	}
	lines := make([]Line, 0, len(all))
	for _, p := range all.Places() {
		l := Line{
			Group: p.Group.Values(len(b.h.By)), Topic: p.Topic, Partition: partitionOf(p),
			Archive: b.figures(legs[0][p]), Stage: b.figures(legs[1][p]), Expected: b.figures(legs[2][p]), Table: b.figures(legs[3][p]),
			Match: same(legs[0][p], legs[1][p]) && same(legs[2][p], legs[3][p]),
		}
		if p.Topic != "" || p.Group == "" {
			l.Group = nil
		}
		if days {
			l.Day = p.Day.String()
		}
		lines = append(lines, l)
	}
	return lines, nil
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
	var t strings.Builder
	if d.Place.Topic != "" {
		fmt.Fprintf(&t, "%s/%d ", d.Place.Topic, d.Place.Partition)
	}
	if d.Place.Day != kafka.NoDay {
		fmt.Fprintf(&t, "%s ", d.Place.Day)
	}
	if len(b.h.By) > 0 {
		fmt.Fprintf(&t, "%s ", d.Place.Group)
	}
	switch d.Kind {
	case tieout.Missing:
		fmt.Fprintf(&t, "%d rows missing (%d, expected %d)", d.Rows, d.Right.Rows, d.Left.Rows)
	case tieout.Extra:
		fmt.Fprintf(&t, "%d rows too many (%d, expected %d)", d.Rows, d.Right.Rows, d.Left.Rows)
	default:
		fmt.Fprintf(&t, "%d rows as expected, but content differs", d.Right.Rows)
	}
	for i, col := range b.h.Totals {
		if diff := d.Right.Sums[i].Sub(d.Left.Sums[i]); !diff.IsZero() {
			fmt.Fprintf(&t, ", %s %s instead of %s (%s)", col.Name, out.Right.Amounts[i], out.Left.Amounts[i], signed(diff.Decimal(col.Scale)))
		}
	}
	out.Text = t.String()
	return out
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
	rows := sumRows(b.r.Cells.Table)
	switch b.r.Verdict {
	case tieout.NotReconciled:
		return fmt.Sprintf("%s: %d breaks, the first: %s", where, len(b.r.Breaks), b.rep.Breaks[0].Text)
	case tieout.Incomplete:
		return fmt.Sprintf("%s: %s", where, b.r.Unknown[0])
	case tieout.WithExceptions:
		var n int64
		for _, e := range b.r.Exceptions {
			n += e.Count
		}
		return fmt.Sprintf("%s: %d rows agree on all legs, %d exceptions are listed", where, rows, n)
	}
	return fmt.Sprintf("%s: %d rows agree on all legs", where, rows)
}

func windowText(r *Report) string {
	if r.From == "" {
		return "(all time)"
	}
	return fmt.Sprintf("[%s, %s)", r.From, r.To)
}
