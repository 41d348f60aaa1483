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
	from := p.t.newSource(stageName(p.l.Head.Seq), c.met, c.slice.Window, metNewer, metSame, metDiffers)
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
	c.met = metName(p.l.Head.Seq, c.index)
	sql := p.t.metSQL(stageName(p.l.Head.Seq), c.met, c.slice.Window, p.t.ownedSQL(kafka.Window{}))
	if err := p.createTemp(ctx, c.met, sql); err != nil {
		return err
	}
	counts, err := p.metCounts(ctx, c)
	if err != nil {
		return err
	}
	for _, class := range []struct {
		outcome int
		cells   *account.Cells
	}{{metNewer, &c.outdated}, {metSame, &c.already}, {metDiffers, &c.differing}} {
		if *class.cells, err = p.metCells(ctx, c, class.outcome, counts[class.outcome]); err != nil {
			return err
		}
	}
	return p.newRows(ctx, c, metNewer, metSame, metDiffers)
}

// metCounts counts the slice's staged rows by outcome.
func (p *publisher) metCounts(ctx context.Context, c *change) (map[int]int64, error) {
	counts := map[int]int64{}
	err := p.s.Query(ctx, p.t.metCountsSQL(c.met, c.slice.Window), func(r redshift.Scanner) error {
		var outcome, rows int64
		if err := r.Scan(&outcome, &rows); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		counts[int(outcome)] = rows
		return nil
	})
	return counts, err
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

// newRows reads what is to be inserted: all but the rows with these outcomes.
// Every staged row of the slice is in one class, which the counts prove.
func (p *publisher) newRows(ctx context.Context, c *change, outcomes ...int) error {
	old := sumRows(c.outdated) + sumRows(c.already) + sumRows(c.differing)
	if old == 0 {
		c.inserted = c.source
		return nil
	}
	day, err := p.t.daySQL(c.slice.Window, p.l.Calendar)
	if err != nil {
		return err
	}
	q := cellQuery{from: p.t.newSource(stageName(p.l.Head.Seq), c.met, c.slice.Window, outcomes...), form: canon.Inserted, day: day,
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
	day, err := p.t.daySQL(c.slice.Window, p.l.Calendar)
	if err != nil {
		return err
	}
	q := cellQuery{from: p.t.oldSource(c.met, p.t.ownedSQL(c.slice.Window), kafka.Window{}, metOlder), form: canon.Table, day: day,
		located: p.t.Provenance, content: true}
	if c.deleted, err = p.t.readCells(ctx, p.s, q, p.t.cellsSQL(q)); err != nil {
		return fmt.Errorf("reading the old versions: %w", err)
	}
	source := func(owned string) string { return p.t.oldSource(c.met, owned, kafka.Window{}, metOlder) }
	if c.taken, c.takenSpan, err = p.scattered(ctx, c.slice.Window, source, true); err != nil {
		return fmt.Errorf("reading old versions on other days: %w", err)
	}
	if err := p.keepReplaced(ctx, c, p.t.table+where(p.t.scopeSQL(), p.t.seenSQL(c.met, quoteOwn(p.t.Table), kafka.Window{}, metOlder))); err != nil {
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
