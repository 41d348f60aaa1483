// Package abort stops a plan for good: pods that convert it see the mark in
// staging, pods that load it the ledger's row, under the lock.
package abort

import (
	"context"

	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// Result says how far the plan had come.
type Result struct {
	Mark   *runplan.Abort
	Loaded []publish.LedgerRow // slices that it had changed, the last one first
}

// Abort marks the plan. The mark in staging comes first: from then on no pod
// begins a chunk or a slice. A slice under way is waited for by the lock of the
// ledger, so that what is loaded is known when Abort returns.
func Abort(ctx context.Context, w *workspace.Workspace, s publish.Session, head *runplan.Head, reason string) (*Result, error) {
	rows, err := publish.Ledger(ctx, s, w.Target(), head.Window)
	if err != nil {
		return nil, err
	}
	loaded := 0
	for _, row := range rows {
		if row.Seq == head.Seq {
			loaded++
		}
	}
	if loaded == len(head.Slices) { // publish refuses it: no mark for a plan that is finished
		_, err := publish.Abort(ctx, s, w.Target(), head, runstore.KeyOf(head), w.Actor(reason))
		return nil, err
	}
	mark, err := w.Runs.PutAbort(ctx, head, runplan.Abort{By: w.By, Reason: reason, At: w.Now().UTC()})
	if err != nil {
		return nil, err
	}
	done, err := publish.Abort(ctx, s, w.Target(), head, runstore.KeyOf(head), w.Actor(reason))
	if err != nil {
		return nil, err
	}
	return &Result{Mark: mark, Loaded: done.Loaded}, nil
}
