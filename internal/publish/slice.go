package publish

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// groups are the slices of each transaction: one, or all of the plan.
func (p *publisher) groups() [][]int {
	var groups [][]int
	for i := range p.l.Head.Slices {
		if !p.wanted(i) {
			continue
		}
		if p.l.Atomic && i > 0 {
			groups[0] = append(groups[0], i)
			continue
		}
		groups = append(groups, []int{i})
	}
	return groups
}

// wanted reports whether the slice is to be changed, see Load.Only.
func (p *publisher) wanted(i int) bool {
	slice := p.l.Head.Slices[i]
	return len(p.l.Only) == 0 || slices.ContainsFunc(p.l.Only, func(d kafka.Day) bool { return d >= slice.DayFrom && d < slice.DayTo })
}

// publishGroup commits the slices of one transaction, or finds them done. A
// conflict with another session undoes the transaction and leaves the stage, so
// that it is tried again, at most five times.
func (p *publisher) publishGroup(ctx context.Context, group []int) ([]SliceResult, error) {
	name := p.groupName(group)
	for try := 1; ; try++ {
		begin := time.Now()
		results, err := p.transact(ctx, group)
		switch {
		case err == nil:
			p.gone += p.pending
			for n, i := range group {
				if results[n].Committed {
					results[n] = p.already(i)
					continue
				}
				p.observe(Event{Step: StepSlice, Slice: i + 1, Name: results[n].Slice.String(), Rows: results[n].Inserted, Replaced: results[n].Deleted,
					Result: results[n], Attempt: try, Took: time.Since(begin)})
			}
			return results, nil
		case !fail.Is(err, fail.Conflict) || try == maxTries:
			return nil, fmt.Errorf("changing %s: %w", name, err)
		}
		p.observe(Event{Step: StepConflict, Slice: group[0] + 1, Name: name, Attempt: try, Took: time.Since(begin)})
		if err := p.sleep(ctx, backoff(try)); err != nil {
			return nil, fmt.Errorf("waiting after a conflict: %w", err)
		}
	}
}

func (p *publisher) groupName(group []int) string {
	slices := p.l.Head.Slices
	if len(group) == 1 {
		return fmt.Sprintf("slice %d of %d (%s)", group[0]+1, len(slices), slices[group[0]])
	}
	return fmt.Sprintf("all %d slices at once", len(slices))
}

// backoff doubles from half a second; half of it is chance, so that two
// sessions in each other's way part.
func backoff(try int) time.Duration {
	d := firstBackoff << (try - 1)
	return d/2 + rand.N(d/2)
}

// transact is one try of one transaction. Its guards come before its first
// change.
func (p *publisher) transact(ctx context.Context, group []int) (results []SliceResult, err error) {
	p.pending = 0
	undone := func(i int) bool { _, done := p.done[i]; return !done }
	if !slices.ContainsFunc(group, undone) {
		return slices.Repeat([]SliceResult{{Committed: true}}, len(group)), nil
	}
	out := p.out // a temp table of the transaction goes with it
	err = p.t.transaction(ctx, p.s, func() error {
		if len(group) > 1 {
			if _, err := p.guard(ctx); err != nil {
				return err
			}
		}
		changed := false
		for _, i := range group {
			r, err := p.change(ctx, i)
			if err != nil {
				if len(group) > 1 {
					err = fmt.Errorf("slice %d (%s): %w", i+1, p.l.Head.Slices[i], err)
				}
				return err
			}
			p.pending += r.Vanished
			changed = changed || !r.Committed
			results = append(results, r)
		}
		if !changed {
			return errAlready
		}
		return nil
	})
	if err != nil {
		out.try = p.out.try
		p.out = out
	}
	if err == errAlready {
		err = nil
	}
	return results, err
}

// errAlready ends a transaction that has nothing to do.
var errAlready = errors.New("the ledger has the slices")

// change does the slice's work under the lock of the ledger.
func (p *publisher) change(ctx context.Context, i int) (r SliceResult, err error) {
	if _, done := p.done[i]; done {
		return SliceResult{Committed: true}, nil
	}
	c := &change{index: i, slice: p.l.Head.Slices[i], queries: []string{p.texts.stage, p.texts.rows}}
	if already, err := p.fence(ctx, c); err != nil || already {
		return SliceResult{Committed: already}, err
	}
	if err := p.stopped(ctx); err != nil {
		return r, err
	}
	if err := p.freshOutside(ctx); err != nil {
		return r, err
	}
	c.staged = sumRows(inDays(p.stage, c.slice.DayFrom, c.slice.DayTo))
	c.source = inDays(p.rows, c.slice.DayFrom, c.slice.DayTo)
	if err := p.apply(ctx, c); err != nil {
		return r, err
	}
	key, err := p.record(ctx, c)
	p.out.change++ // the change of this slice, under the lock
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
	if err := p.unchanged(ctx, c.index, c.deleted); err != nil {
		return err
	}
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
	if err := p.judgeOutside(ctx, c); err != nil {
		return err
	}
	source := quoteOwn(stageName(p.l.Head.Seq)) + where(p.t.windowSQL(c.slice.Window))
	if sumRows(c.outdated) > 0 {
		source = p.t.newSource(stageName(p.l.Head.Seq), c.met, c.slice.Window, metNewer)
	}
	if err := p.insert(ctx, c, source); err != nil {
		return err
	}
	if c.after, _, err = p.t.readTable(ctx, p.s, c.slice.Window, p.l.Calendar); err != nil {
		return err
	}
	if err := p.prove(c, c.inserted, c.after); err != nil {
		return err
	}
	return p.keepWritten(ctx, c, source)
}

// insert moves the rows of a source and compares the server's count with the
// cells.
func (p *publisher) insert(ctx context.Context, c *change, source string) error {
	sql, err := p.t.insertSQL(source, p.l.Head.Run)
	if err != nil {
		return err
	}
	if c.insertedRows, err = p.s.Exec(ctx, sql); err != nil {
		return fmt.Errorf("inserting the new rows: %w", err)
	}
	if want := sumRows(c.inserted); c.insertedRows != want {
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
	receipt := p.receipt(c)
	key, sum, err := p.l.Evidence.PutSlice(ctx, receipt)
	if err != nil {
		return "", fmt.Errorf("writing the slice's receipt: %w", err)
	}
	if err := p.t.writeLedger(ctx, p.s, p.ledgerRow(c, key, sum)); err != nil {
		return "", err
	}
	return key, nil
}
