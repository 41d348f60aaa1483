package publish

import (
	"context"
	"fmt"
	"maps"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// merge adds the rows whose key the table does not hold and, in an upsert,
// replaces older versions. What else stands in the table stays. It proves that
// the slice then holds what it held, less the replaced rows, and the new ones.
func (p *publisher) merge(ctx context.Context, c *change) error {
	before, sql, err := p.t.readTable(ctx, p.s, c.slice.Window, p.l.Calendar)
	if err != nil {
		return err
	}
	c.queries = append(c.queries, sql)
	if err := p.meet(ctx, c); err != nil {
		return fmt.Errorf("looking for the staged keys in the table: %w", err)
	}
	if err := p.replaceOld(ctx, c); err != nil {
		return err
	}
	from := p.t.newSource(stageName(p.l.Head.Seq), c.met, c.slice.Window)
	if err := p.insert(ctx, c, from); err != nil {
		return err
	}
	if c.after, _, err = p.t.readTable(ctx, p.s, c.slice.Window, p.l.Calendar); err != nil {
		return err
	}
	want, err := sumCells(before, c.inserted)
	if err == nil {
		err = subtractCells(want, c.deleted)
	}
	if err != nil {
		return err
	}
	if err := p.prove(c, want, c.after); err != nil {
		return err
	}
	return p.keepWritten(ctx, c, from)
}

// meet classifies the slice's staged rows by what the table holds of their
// keys, under the lock, and says which are to be inserted.
func (p *publisher) meet(ctx context.Context, c *change) error {
	stage := stageName(p.l.Head.Seq)
	c.met = metName(p.l.Head.Seq, c.index)
	if err := p.createTemp(ctx, c.met, p.t.metSQL(stage, c.met, c.slice.Window)); err != nil {
		return err
	}
	counts := map[int64]int64{}
	err := p.s.Query(ctx, "SELECT _met::BIGINT, COUNT(*)\nFROM "+quoteOwn(c.met)+"\nGROUP BY 1", func(r redshift.Scanner) error {
		var outcome, rows int64
		if err := r.Scan(&outcome, &rows); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		counts[outcome] = rows
		return nil
	})
	if err != nil {
		return err
	}
	for _, class := range []struct {
		outcome int
		cells   *account.Cells
	}{{metNewer, &c.outdated}, {metSame, &c.already}, {metDiffers, &c.differing}} {
		if *class.cells, err = p.metCells(ctx, c, class.outcome, counts[int64(class.outcome)]); err != nil {
			return err
		}
	}
	return p.newRows(ctx, c)
}

// metCells gives rows and money of one outcome by day and group.
func (p *publisher) metCells(ctx context.Context, c *change, outcome int, rows int64) (account.Cells, error) {
	if rows == 0 {
		return account.Cells{}, nil
	}
	day, err := p.t.daySQL(c.slice.Window, p.l.Calendar)
	if err != nil {
		return nil, err
	}
	q := cellQuery{from: p.t.metSource(stageName(p.l.Head.Seq), c.met, c.slice.Window, outcome), form: canon.Inserted, day: day}
	cells, err := p.t.readCells(ctx, p.s, q, p.t.cellsSQL(q))
	if err == nil && sumRows(cells) != rows {
		err = fail.New(fail.Break, "%d keys were met, %d staged rows have them; nothing was changed", rows, sumRows(cells)).At("%s", p.t.name())
	}
	return cells, err
}

// newRows reads what is to be inserted. Every staged row of the slice is in
// one class, which the counts prove.
func (p *publisher) newRows(ctx context.Context, c *change) error {
	old := sumRows(c.outdated) + sumRows(c.already) + sumRows(c.differing)
	if old == 0 {
		c.inserted = c.source
		return nil
	}
	day, err := p.t.daySQL(c.slice.Window, p.l.Calendar)
	if err != nil {
		return err
	}
	q := cellQuery{from: p.t.newSource(stageName(p.l.Head.Seq), c.met, c.slice.Window), form: canon.Inserted, day: day,
		located: p.t.Provenance, content: true}
	sql := p.t.cellsSQL(q)
	c.queries = append(c.queries, sql)
	if c.inserted, err = p.t.readCells(ctx, p.s, q, sql); err != nil {
		return fmt.Errorf("reading the new rows: %w", err)
	}
	if fresh := sumRows(c.inserted); fresh+old != sumRows(c.source) {
		return fail.New(fail.Break, "%d staged rows are new and %d are not, of %d; nothing was changed", fresh, old, sumRows(c.source)).
			At("%s", p.t.name())
	}
	return nil
}

// replaceOld deletes the rows of the scope that the slice has newer versions
// of, those of other days, too.
func (p *publisher) replaceOld(ctx context.Context, c *change) error {
	c.deleted, c.taken = account.Cells{}, account.Cells{}
	if p.t.Mode != Upsert {
		return nil
	}
	var err error
	if c.deleted, err = p.oldCells(ctx, c, c.slice.Window); err != nil {
		return err
	}
	if err := p.takenCells(ctx, c); err != nil {
		return err
	}
	if err := p.keepReplaced(ctx, c, p.t.table+where(p.t.scopeSQL(), p.t.seenSQL(c.met, quoteOwn(p.t.Table), metOlder))); err != nil {
		return err
	}
	if c.deletedRows, err = p.s.Exec(ctx, p.t.replaceOldSQL(c.met)); err != nil {
		return fmt.Errorf("deleting the old versions: %w", err)
	}
	if counted := sumRows(c.deleted) + sumRows(c.taken); c.deletedRows != counted {
		return fail.New(fail.Break, "%d old versions were deleted, %d were counted before; nothing was changed", c.deletedRows, counted).
			At("%s", p.t.name())
	}
	return nil
}

// oldCells reads the old versions in a window.
func (p *publisher) oldCells(ctx context.Context, c *change, w kafka.Window) (account.Cells, error) {
	day, err := p.t.daySQL(w, p.l.Calendar)
	if err != nil {
		return nil, err
	}
	q := cellQuery{from: p.t.oldSource(c.met, p.t.ownedSQL(w)), form: canon.Table, day: day, located: p.t.Provenance, content: true}
	cells, err := p.t.readCells(ctx, p.s, q, p.t.cellsSQL(q))
	if err != nil {
		return nil, fmt.Errorf("reading the old versions: %w", err)
	}
	return cells, nil
}

// takenCells reads the old versions outside of the slice. They may be years
// away, so that they are read in portions, whose days fit a statement.
func (p *publisher) takenCells(ctx context.Context, c *change) error {
	rows, span, err := p.oldSpan(ctx, c, p.t.outsideSQL(c.slice.Window))
	if err != nil || rows == 0 {
		return err
	}
	c.takenSpan = span
	for _, side := range []kafka.Window{
		{From: span.From, To: min(span.To, c.slice.Window.From)}, {From: max(span.From, c.slice.Window.To), To: span.To},
	} {
		if err := p.takenSide(ctx, c, side); err != nil {
			return err
		}
	}
	if sumRows(c.taken) != rows {
		return fail.New(fail.Break, "%d old versions stand on other days, %d were read; nothing was changed", rows, sumRows(c.taken)).At("%s", p.t.name())
	}
	return nil
}

func (p *publisher) takenSide(ctx context.Context, c *change, side kafka.Window) error {
	const most = (maxDays - 1) * 24 * 60 * 60 * 1_000_000
	for range maxPortions {
		if side.From >= side.To {
			return nil
		}
		rows, span, err := p.oldSpan(ctx, c, p.t.ownedSQL(side))
		if err != nil || rows == 0 {
			return err
		}
		w := kafka.Window{From: span.From, To: min(span.To, span.From+most)}
		cells, err := p.oldCells(ctx, c, w)
		if err != nil {
			return err
		}
		if err := c.taken.Merge(cells); err != nil {
			return fail.Wrap(err, fail.Internal, "adding old versions")
		}
		side.From = w.To
	}
	return fail.New(fail.Memory, "the old versions of the slice's keys are scattered over more than %d years", maxPortions).At("%s", p.t.name()).
		Try("load fewer days at a time with --slice-days")
}

// oldSpan counts the old versions in a part of the table, and gives a window
// around them.
func (p *publisher) oldSpan(ctx context.Context, c *change, owned string) (rows int64, span kafka.Window, err error) {
	var first, last *int64
	rows = -1
	err = p.s.Query(ctx, p.t.spanSQL(p.t.oldSource(c.met, owned)), func(r redshift.Scanner) error { return r.Scan(&rows, &first, &last) })
	switch {
	case err != nil:
		return 0, span, fmt.Errorf("looking for old versions on other days: %w", err)
	case rows == 0:
		return 0, span, nil
	case first == nil || last == nil:
		return 0, span, fail.New(fail.Internal, "%d rows have no event time", rows).At("%s", p.t.name())
	}
	return rows, kafka.Window{From: kafka.Instant(*first), To: kafka.Instant(*last) + 1}, nil
}

// sumCells adds two legs to a new one.
func sumCells(a, b account.Cells) (account.Cells, error) {
	out := make(account.Cells, len(a))
	for _, cells := range []account.Cells{a, b} {
		if err := out.Merge(cells); err != nil {
			return nil, fail.Wrap(err, fail.Internal, "adding the rows before and the new ones")
		}
	}
	return out, nil
}

// subtractCells takes one leg out of another, which it changes.
func subtractCells(from, cells account.Cells) error {
	if err := from.Subtract(cells); err != nil {
		return fail.Wrap(err, fail.Internal, "taking the replaced rows out")
	}
	maps.DeleteFunc(from, func(_ account.Place, c *account.Cell) bool { return c.IsZero() })
	return nil
}
