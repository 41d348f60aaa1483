package publish

import (
	"context"
	"fmt"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
)

// Standing reads what the slices hold, for a plan that is about to be sealed,
// and the number of the last change of the table. It is only for replacements
// without a key: rows with a key are guarded one by one, others by these
// figures alone. Else both are empty.
func Standing(ctx context.Context, s Session, t Target, list []runplan.Slice, cal *kafka.Calendar) ([]runplan.Standing, int64, error) {
	c, err := compile(t)
	if err != nil || !c.needsStanding() {
		return nil, 0, err
	}
	last, err := c.changes(ctx, s, 0, kafka.Window{})
	if err != nil {
		return nil, 0, err
	}
	out := make([]runplan.Standing, len(list))
	for i, slice := range list {
		cells, _, err := c.readTable(ctx, s, slice.Window, cal)
		if err != nil {
			return nil, 0, err
		}
		if out[i], err = c.standing(cells); err != nil {
			return nil, 0, err
		}
	}
	return out, last, nil
}

func (t *target) needsStanding() bool { return t.Mode == ReplaceWindow && len(t.Key) == 0 }

func (t *target) standing(cells account.Cells) (runplan.Standing, error) {
	total, err := cells.Total(len(t.Totals))
	if err != nil {
		return runplan.Standing{}, fail.Wrap(err, fail.Internal, "adding the rows of a slice")
	}
	return runplan.Standing{Rows: total.Rows, Lane1: total.Lane1, Lane2: total.Lane2}, nil
}

// changes returns the number of the last change that concerns the window and
// came after another, 0 for none.
func (t *target) changes(ctx context.Context, s Session, after int64, w kafka.Window) (last int64, err error) {
	live, err := tableColumns(ctx, s, t.Schema, t.Table+LedgerSuffix)
	if err != nil || live == nil || lacks(missingColumns(live), "change_number") {
		return 0, err
	}
	err = s.Query(ctx, t.changesSQL(after, w), func(r redshift.Scanner) error { return r.Scan(&last) })
	if err != nil {
		return 0, fmt.Errorf("reading the number of the last change: %w", err)
	}
	return last, nil
}

func (t *target) changesSQL(after int64, w kafka.Window) string {
	newer := fmt.Sprintf("change_number > %d", after)
	return t.lastChangeSQL() + where(newer, overlapSQL(w))
}

// unchangedAll refuses, before anything is changed, when one of the slices that
// are left was changed by others.
func (p *publisher) unchangedAll(ctx context.Context) error {
	if !p.t.needsStanding() {
		return nil
	}
	for i, slice := range p.l.Head.Slices {
		if _, done := p.done[i]; done || i >= len(p.l.Head.Standing) {
			continue
		}
		cells, _, err := p.t.readTable(ctx, p.s, slice.Window, p.l.Calendar)
		if err != nil {
			return err
		}
		if err := p.unchanged(ctx, i, cells); err != nil {
			return err
		}
	}
	return nil
}

// unchanged refuses a slice that others than this program changed since the
// plan was sealed: without a key it can't be told whether their rows are in the
// archive. Rows that are gone are no loss, the load brings the archive's.
func (p *publisher) unchanged(ctx context.Context, index int, cells account.Cells) error {
	if !p.t.needsStanding() || index >= len(p.l.Head.Standing) || len(cells) == 0 {
		return nil
	}
	slice, then := p.l.Head.Slices[index], p.l.Head.Standing[index]
	now, err := p.t.standing(cells)
	if err != nil || now == then {
		return err
	}
	if ours, err := p.t.changes(ctx, p.s, p.l.Head.LastChange, slice.Window); err != nil || ours > 0 {
		return err
	}
	if p.l.AllowVanish > 0 && now.Rows-then.Rows <= p.l.AllowVanish {
		return nil
	}
	return fail.New(fail.Vanish, "the table changed after plan %d was sealed: %s had %d rows and has %d, with other content; without a key it can't be told which of them the archive explains; nothing was changed",
		p.l.Head.Seq, slice, then.Rows, now.Rows).At("%s", p.t.name()).
		Try("find out who wrote them; to replace what is there now, run again with --replan")
}
