package publish

import (
	"context"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// change is one slice's transaction: what it saw and did.
//
//	staged rows = superseded + outdated + already + differing + repeated + inserted
//	after       = before - deleted + inserted
type change struct {
	index  int
	slice  runplan.Slice
	staged int64
	source account.Cells // newest rows of the stage, as the table would hold them
	met    string        // temp table of what the table holds of their keys; "": it was not asked

	outdated, already, differing account.Cells // staged rows that were not inserted, rows and money by day and group
	inserted                     account.Cells
	deleted                      account.Cells // in the slice
	taken                        account.Cells // deleted outside of it
	takenSpan                    kafka.Window  // around these
	gone                         account.Cells // rows that vanished
	after                        account.Cells // the slice of the table, all of it in an append
	stale, twins                 account.Cells // rows outside of the window that stay: older versions of inserted keys, and such of unknown order
	staleSpan                    kafka.Window  // around these
	repeated                     int64         // rows of an append whose offsets were loaded before
	doubled, doubledOffsets      int64         // keys and offsets of an append that stand more than once now
	aside                        *runplan.PutAside

	vanished, deletedRows, insertedRows int64
	queries                             []string
}

// apply changes the slice as the mode says.
func (p *publisher) apply(ctx context.Context, c *change) error {
	switch p.t.Mode {
	case Append:
		return p.append(ctx, c)
	case InsertMissing, Upsert:
		return p.merge(ctx, c)
	}
	return p.replace(ctx, c)
}

// superseded is how many staged rows are older versions of a key in the stage.
func (c *change) superseded() int64 { return c.staged - sumRows(c.source) }

// kept is how many rows the slice of the table holds that no staged row is.
func (c *change) kept() int64 { return sumRows(c.after) - sumRows(c.inserted) - sumRows(c.already) }

func (c *change) result(key string) SliceResult {
	return SliceResult{
		Slice: c.slice, Stage: c.staged, Superseded: c.superseded(), Outdated: sumRows(c.outdated), Already: sumRows(c.already),
		Differing: sumRows(c.differing), Repeated: c.repeated, Doubled: c.doubled,
		Stale: sumRows(c.stale), Twins: sumRows(c.twins), Kept: c.kept(), Vanished: c.vanished, Deleted: c.deletedRows, Inserted: c.insertedRows, ReceiptKey: key,
	}
}

// receipt is the change as it is kept. What the table holds after it is left
// out where it is what was inserted.
func (p *publisher) receipt(c *change) *runplan.SliceReceipt {
	h := p.l.Head
	r := &runplan.SliceReceipt{
		Format: runplan.Format, Run: h.Run, Seq: h.Seq, Attempt: p.attempt(), Target: h.Target, Mode: p.t.Mode, Slice: c.slice, Lanes: canon.Format,
		Stage: inDays(p.stage, c.slice.DayFrom, c.slice.DayTo), Inserted: c.inserted, Deleted: c.deleted, Taken: c.taken,
		Outdated: c.outdated, Already: c.already, Differing: c.differing, Repeated: c.repeated, Doubled: c.doubled, DoubledOffsets: c.doubledOffsets,
		Stale: c.stale, Twins: c.twins, Ties: inDays(p.ties, c.slice.DayFrom, c.slice.DayTo),
		Superseded: c.superseded(), Vanished: c.vanished, Queries: c.queries, Aside: c.aside,
	}
	if p.t.Mode != ReplaceWindow {
		r.After = c.after
	}
	return r
}
