package publish

import (
	"context"
	"fmt"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
)

// AbortResult says how far an aborted plan had come.
type AbortResult struct {
	Already bool        // it was aborted before
	Loaded  []LedgerRow // slices that it had changed, the last one first
}

// Abort writes into the ledger that the plan must not go on, under the lock:
// whoever changes a slice of it has done so before, and nobody does after. A
// plan whose slices are all loaded is finished and refused.
func Abort(ctx context.Context, s Session, t Target, head *runplan.Head, planKey string, by Actor) (*AbortResult, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if err := by.check(); err != nil {
		return nil, err
	}
	digest, err := planDigest(head)
	if err != nil {
		return nil, err
	}
	if err := c.ensure(ctx, s, ownTable{t.Table + LedgerSuffix, c.createLedgerSQL()}); err != nil {
		return nil, err
	}
	r := &AbortResult{}
	err = c.retried(ctx, s, func() error {
		history, err := History(ctx, s, t, kafka.Window{})
		if err != nil {
			return err
		}
		*r = AbortResult{}
		for _, row := range history {
			r.Already = r.Already || row.Seq == head.Seq && row.Kind == KindAbort
			if row.Seq == head.Seq && row.Kind == KindLoad {
				r.Loaded = append(r.Loaded, row)
			}
		}
		if len(r.Loaded) == len(head.Slices) {
			return fail.New(fail.Stale, "plan %d is finished: all %d slices are loaded", head.Seq, len(head.Slices)).At("%s", c.name()).
				Try("to take it back: `backfill load --undo %d --dataset F`", head.Seq)
		}
		if r.Already {
			return nil
		}
		row := c.planRow(KindAbort, head, planKey, digest, by)
		row.SliceIndex = -1
		return c.writeLedger(ctx, s, row)
	})
	if err != nil {
		return nil, fmt.Errorf("aborting plan %d: %w", head.Seq, err)
	}
	return r, nil
}

// Forget drops the rows that plans put aside, those of one plan, or with seq 0
// of all plans that were loaded before the given time. Each is a transaction
// with its row in the ledger.
func Forget(ctx context.Context, s Session, t Target, seq runplan.Seq, before time.Time, by Actor) ([]Kept, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if err := by.check(); err != nil {
		return nil, err
	}
	kept, err := KeptRows(ctx, s, t)
	if err != nil {
		return nil, err
	}
	if err := c.ensure(ctx, s, ownTable{t.Table + LedgerSuffix, c.createLedgerSQL()}); err != nil {
		return nil, err
	}
	var dropped []Kept
	for _, k := range kept {
		if k.Seq != seq && (seq != 0 || !k.Since.Time().Before(before)) {
			continue
		}
		if err := c.forget(ctx, s, k, by); err != nil {
			return dropped, fmt.Errorf("dropping %s: %w", k.Table, err)
		}
		dropped = append(dropped, k)
	}
	if seq != 0 && len(dropped) == 0 {
		return nil, fail.New(fail.NotFoundInput, "no rows are kept for plan %d", seq).At("%s", c.name()).Try("`backfill status --dataset F --ledger` shows which plans keep rows")
	}
	return dropped, nil
}

func (t *target) forget(ctx context.Context, s Session, k Kept, by Actor) error {
	name, err := redshift.QuoteTable(t.Schema, keptName(t.Table, k.Seq))
	if err != nil {
		return err
	}
	return t.retried(ctx, s, func() error {
		history, err := History(ctx, s, t.Target, kafka.Window{})
		if err != nil {
			return err
		}
		for _, row := range history {
			if row.Seq != k.Seq || row.Kind != KindLoad {
				continue
			}
			if _, err := s.Exec(ctx, "DROP TABLE IF EXISTS "+name); err != nil {
				return err
			}
			row.Kind, row.SliceIndex, row.Flags, row.Damaged, row.Taken = KindForget, -1, "", "", kafka.Window{}
			row.RowsStage, row.RowsSuperseded, row.RowsOutdated, row.RowsAlready, row.RowsKept, row.RowsVanished = 0, 0, 0, 0, 0, 0
			row.RowsDeleted, row.RowsInserted, row.RowsTaken, row.RowsPutAside = 0, 0, 0, k.Rows
			row.TotalsDeleted, row.TotalsInserted, row.TotalsVanished = noTotals, noTotals, noTotals
			row.Reason, row.RequestedBy, row.Airflow, row.Image, row.Version = by.Reason, by.RequestedBy, by.Airflow, by.Image, by.Version
			row.ReceiptKey, row.ReceiptSHA256 = "", ""
			return t.writeLedger(ctx, s, row)
		}
		return fail.New(fail.Internal, "the ledger has no load of plan %d", k.Seq)
	})
}
