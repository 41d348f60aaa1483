package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// maxListed is how many days and groups a refusal lists.
const maxListed = 10

// guardAll refuses before anything is changed when, over all slices that are
// left, more rows would be gone than allowed.
func (p *publisher) guardAll(ctx context.Context) error {
	begin := time.Now()
	gone, err := p.guard(ctx)
	if err == nil && p.t.Mode == ReplaceWindow {
		p.observe(Event{Step: StepGuard, Rows: gone, Took: time.Since(begin)})
	}
	return err
}

// guard counts the rows that would be gone over all slices that are left.
func (p *publisher) guard(ctx context.Context) (rows int64, err error) {
	if p.t.Mode != ReplaceWindow {
		return 0, nil
	}
	gone, err := p.vanishing(ctx, p.l.Head.Window, p.windowsLeft()...)
	if err != nil {
		return 0, fmt.Errorf("looking for rows that would vanish: %w", err)
	}
	if err := p.allow(gone); err != nil {
		return 0, err
	}
	return sumRows(gone), p.unchangedAll(ctx)
}

// allow compares with the allowance, which is one for the whole plan.
func (p *publisher) allow(gone account.Cells) error {
	n := sumRows(gone)
	before := p.gone + p.pending
	if before+n <= p.l.AllowVanish {
		return nil
	}
	text := fmt.Sprintf("%d rows would vanish, %d are allowed", n, p.l.AllowVanish)
	if before > 0 {
		text += fmt.Sprintf(" and %d have vanished with earlier slices", before)
	}
	return fail.New(fail.Vanish, "%s: %s; nothing was changed", text, p.t.goneText(gone)).At("%s", p.t.name()).
		Try("find out why the archive does not explain them%s; if they must go, allow it with --allow-vanish %d", p.t.versionHint(), before+n)
}

// versionHint says that rows count, too, whose key the archive has in an older
// version.
func (t *target) versionHint() string {
	if len(t.Key) == 0 || len(t.LatestBy) == 0 {
		return ""
	}
	return ", or has only an older version of them"
}

// vanishing returns the rows of the table, by day and group, that are in
// windows ∧ scope and would be gone, those of erased people left out. days is a window around them all.
func (p *publisher) vanishing(ctx context.Context, days kafka.Window, windows ...kafka.Window) (account.Cells, error) {
	day, err := p.t.daySQL(days, p.l.Calendar)
	if err != nil {
		return nil, err
	}
	q := cellQuery{form: canon.Table, day: day}
	if len(p.t.Key) > 0 {
		from := p.t
		if p.l.Erased != nil {
			from = from.byPerson(p.l.Erased.Column)
		}
		q.from = from.vanishSource(stageName(p.l.Head.Seq), windows...)
		return p.guarded(ctx, q)
	}
	q.from, q.located = p.t.table+p.t.ownedSQL(windows...), p.t.Provenance
	table, err := p.guarded(ctx, q)
	if err != nil {
		return nil, err
	}
	return fewer(table, p.stage)
}

// fewer stands in for keys: where the table has more rows of a partition and
// day than the stage, the surplus vanishes. Days with rows of unknown
// partition, which another pipeline loaded, are compared as a whole. The money
// is the difference, by group.
func fewer(table, stage account.Cells) (account.Cells, error) {
	blind := map[kafka.Day]bool{}
	for p := range table {
		if p.Topic == "" {
			blind[p.Day] = true
		}
	}
	fold := func(p account.Place) account.Place {
		out := account.Place{Topic: p.Topic, Partition: p.Partition, Day: p.Day, Group: p.Group}
		if blind[p.Day] {
			out.Topic, out.Partition = "", NoPartition
		}
		return out
	}
	have, err := table.Fold(fold)
	if err != nil {
		return nil, err
	}
	come, err := stage.Fold(fold)
	if err != nil {
		return nil, err
	}
	surplus := map[account.Place]int64{}
	whole := func(p account.Place) account.Place { p.Group = ""; return p }
	for p, c := range have {
		surplus[whole(p)] += c.Rows
	}
	for p, c := range come {
		surplus[whole(p)] -= c.Rows
	}
	gone := account.Cells{}
	for p, n := range surplus {
		if n > 0 {
			if err := addSurplus(gone, p, n, have, come); err != nil {
				return nil, err
			}
		}
	}
	return gone, nil
}

// addSurplus books the n rows of a partition and day, with their money, on the
// groups that became smaller, in the groups' order.
func addSurplus(gone account.Cells, place account.Place, n int64, have, come account.Cells) error {
	for _, p := range have.Places() {
		if p.Topic != place.Topic || p.Partition != place.Partition || p.Day != place.Day {
			continue
		}
		lost := have[p].Clone()
		if c := come[p]; c != nil {
			lost.Rows -= c.Rows
			for i := range lost.Sums {
				lost.Sums[i] = lost.Sums[i].Sub(c.Sums[i])
				lost.Counts[i] -= c.Counts[i]
			}
		}
		rows := min(lost.Rows, n)
		if rows <= 0 {
			continue
		}
		n -= rows
		lost.Rows = rows
		at := account.Place{Partition: NoPartition, Day: p.Day, Group: p.Group}
		if err := gone.At(at, len(lost.Sums)).Add(lost); err != nil {
			return err
		}
	}
	return nil
}

// goneText gives money by group and the days.
func (t *target) goneText(gone account.Cells) string {
	byGroup := map[account.Group]*account.Cell{}
	var groups []account.Group
	var days []kafka.Day
	for _, p := range gone.Places() {
		c := byGroup[p.Group]
		if c == nil {
			c = &account.Cell{}
			byGroup[p.Group] = c
			groups = append(groups, p.Group)
		}
		if err := c.Add(gone[p]); err != nil {
			return err.Error()
		}
		days = append(days, p.Day)
	}
	slices.Sort(groups)
	slices.Sort(days)
	days = slices.Compact(days)
	texts := make([]string, 0, maxListed)
	for _, g := range groups {
		texts = append(texts, t.moneyText(g, byGroup[g]))
	}
	names := make([]string, len(days))
	for i, d := range days {
		names[i] = d.String()
	}
	return first(texts, "; ") + "; on " + first(names, ", ")
}

func (t *target) moneyText(g account.Group, c *account.Cell) string {
	text := fmt.Sprintf("%d rows", c.Rows)
	if len(t.By) > 0 {
		text = g.String() + " " + text
	}
	for i, at := range t.Totals {
		text += ", " + t.Columns[at].Name + " " + c.Sums[i].Decimal(decimals(t.Columns[at]))
	}
	return text
}

// first joins the first ten and says how many are left out.
func first(texts []string, separator string) string {
	more := len(texts) - maxListed
	if more <= 0 {
		return strings.Join(texts, separator)
	}
	return strings.Join(texts[:maxListed], separator) + fmt.Sprintf(" and %d more", more)
}
