package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// change is one slice's transaction: what it saw and did.
type change struct {
	index    int
	slice    runplan.Slice
	staged   int64
	source   account.Cells // rows to insert, as the table will hold them
	deleted  account.Cells
	inserted account.Cells // the slice of the table after the change; append: the source
	gone     account.Cells // rows that vanished
	aside    *runplan.PutAside

	vanished, deletedRows, insertedRows int64
	queries                             []string
}

// superseded is how many staged rows are older versions of a key.
func (c *change) superseded() int64 { return c.staged - sumRows(c.source) }

func (c *change) result(key string) SliceResult {
	return SliceResult{
		Slice: c.slice, Stage: c.staged, Superseded: c.superseded(), Vanished: c.vanished,
		Deleted: c.deletedRows, Inserted: c.insertedRows, ReceiptKey: key,
	}
}

// publishSlice commits one slice, or finds it done. A conflict with another
// session undoes the transaction and leaves the stage, so that it is tried
// again, at most five times.
func (p *publisher) publishSlice(ctx context.Context, i int) (SliceResult, error) {
	if _, done := p.done[i]; done {
		return p.already(i), nil
	}
	slice := p.l.Head.Slices[i]
	for try := 1; ; try++ {
		begin := time.Now()
		r, err := p.transact(ctx, i)
		switch {
		case err == nil && r.Already:
			return p.already(i), nil
		case err == nil:
			p.gone += r.Vanished
			p.observe(Event{Step: StepSlice, Slice: i + 1, Name: slice.String(), Rows: r.Inserted, Replaced: r.Deleted,
				Attempt: try, Took: time.Since(begin)})
			return r, nil
		case !fail.Is(err, fail.Conflict) || try == maxTries:
			return r, fmt.Errorf("changing slice %d of %d (%s): %w", i+1, len(p.l.Head.Slices), slice, err)
		}
		p.observe(Event{Step: StepConflict, Slice: i + 1, Name: slice.String(), Attempt: try, Took: time.Since(begin)})
		if err := p.sleep(ctx, backoff(try)); err != nil {
			return r, fmt.Errorf("waiting after a conflict: %w", err)
		}
	}
}

// backoff doubles from half a second; half of it is chance, so that two
// sessions in each other's way part.
func backoff(try int) time.Duration {
	d := firstBackoff << (try - 1)
	return d/2 + rand.N(d/2)
}

// transact is one try of one slice.
func (p *publisher) transact(ctx context.Context, i int) (r SliceResult, err error) {
	err = p.t.transaction(ctx, p.s, func() error {
		r, err = p.change(ctx, i)
		if err == nil && r.Already {
			return errAlready
		}
		return err
	})
	if err == errAlready {
		err = nil
	}
	return r, err
}

// errAlready ends a transaction that has nothing to do.
var errAlready = errors.New("the ledger has the slice")

// change does the slice's work under the lock of the ledger.
func (p *publisher) change(ctx context.Context, i int) (r SliceResult, err error) {
	c := &change{index: i, slice: p.l.Head.Slices[i], queries: []string{p.texts.stage, p.texts.rows}}
	if already, err := p.fence(ctx, c); err != nil || already {
		return SliceResult{Already: already}, err
	}
	if p.l.Stopped != nil {
		if err := p.l.Stopped(ctx); err != nil {
			return r, err
		}
	}
	c.staged = sumRows(inDays(p.stage, c.slice.DayFrom, c.slice.DayTo))
	c.source = inDays(p.rows, c.slice.DayFrom, c.slice.DayTo)
	apply := p.replace
	if p.t.Mode == Append {
		apply = p.append
	}
	if err := apply(ctx, c); err != nil {
		return r, err
	}
	key, err := p.record(ctx, c)
	return c.result(key), err
}

// replace deletes window ∧ scope, inserts the slice's rows and proves that
// the table then holds exactly them.
func (p *publisher) replace(ctx context.Context, c *change) error {
	gone, err := p.vanishing(ctx, c.slice.Window, c.slice.Window)
	if err != nil {
		return fmt.Errorf("looking for rows that would vanish: %w", err)
	}
	if err := p.allow(gone); err != nil {
		return err
	}
	c.gone, c.vanished = gone, sumRows(gone)
	var sql string
	if c.deleted, sql, err = p.t.readTable(ctx, p.s, c.slice.Window, p.l.Calendar); err != nil {
		return err
	}
	c.queries = append(c.queries, sql)
	if err := p.keepReplaced(ctx, c, p.t.table+p.t.ownedSQL(c.slice.Window)); err != nil {
		return err
	}
	if c.deletedRows, err = p.s.Exec(ctx, p.t.deleteSQL(c.slice.Window)); err != nil {
		return fmt.Errorf("deleting the old rows: %w", err)
	}
	if counted := sumRows(c.deleted); c.deletedRows != counted {
		return fail.New(fail.Break, "%d rows were deleted, %d were counted before; nothing was changed", c.deletedRows, counted).
			At("%s", p.t.name())
	}
	if err := p.insert(ctx, c, c.slice.Window); err != nil {
		return err
	}
	if c.inserted, _, err = p.t.readTable(ctx, p.s, c.slice.Window, p.l.Calendar); err != nil {
		return err
	}
	if err := p.prove(c, c.source, c.inserted); err != nil {
		return err
	}
	return p.keepWritten(ctx, c)
}

// insert moves the rows and compares the server's count with the cells.
func (p *publisher) insert(ctx context.Context, c *change, w kafka.Window) error {
	sql, err := p.t.insertSQL(stageName(p.l.Head.Seq), w, p.l.Head.Run)
	if err != nil {
		return err
	}
	if c.insertedRows, err = p.s.Exec(ctx, sql); err != nil {
		return fmt.Errorf("inserting the new rows: %w", err)
	}
	if want := sumRows(c.source); c.insertedRows != want {
		return fail.New(fail.Break, "%d rows were inserted, %d were to be; nothing was changed", c.insertedRows, want).
			At("%s", p.t.name())
	}
	return nil
}

// prove compares the table with what it must hold.
func (p *publisher) prove(c *change, want, got account.Cells) error {
	list := p.t.compare(want, got)
	if len(list) == 0 {
		return nil
	}
	err := p.t.breakError("the table differs from what was inserted", legs{want: "the stage", got: "the table"}, list)
	if sumRows(got) < sumRows(want) && p.t.Scope != "" {
		return err.Try("do the rows fulfil the scope (%s)? rows outside of it would never be replaced", p.t.Scope)
	}
	return err
}

// record writes the receipt and then the ledger row that names it.
func (p *publisher) record(ctx context.Context, c *change) (key string, err error) {
	h := p.l.Head
	receipt := &runplan.SliceReceipt{
		Format: runplan.Format, Run: h.Run, Seq: h.Seq, Attempt: p.attempt(), Target: h.Target, Slice: c.slice,
		Stage: inDays(p.stage, c.slice.DayFrom, c.slice.DayTo), Inserted: c.inserted, Deleted: c.deleted,
		Superseded: c.superseded(), Vanished: c.vanished, Queries: c.queries, Aside: c.aside,
	}
	key, sum, err := p.l.Evidence.PutSlice(ctx, receipt)
	if err != nil {
		return "", fmt.Errorf("writing the slice's receipt: %w", err)
	}
	if err := p.t.writeLedger(ctx, p.s, p.ledgerRow(c, key, sum)); err != nil {
		return "", err
	}
	return key, nil
}
