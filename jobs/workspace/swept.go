package workspace

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/fail"
	"backfill/internal/runplan"
)

// ParquetGone says that Parquet of converted chunks of the plan was removed, ""
// where it is there or nothing was ever removed. It matters to a plan that is not loaded.
func (w *Workspace) ParquetGone(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) (string, error) {
	word, err := w.Runs.Swept(ctx, head.Basis())
	if err != nil || word == nil {
		return "", err
	}
	receipts := make([]*runplan.ChunkReceipt, len(chunks))
	group, limited := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i, c := range chunks {
		group.Go(func() (err error) {
			receipts[i], err = w.Runs.ChunkReceipt(limited, c.ID)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	n, err := w.Runs.Missing(ctx, receipts)
	if err != nil || n == 0 {
		return "", err
	}
	return fmt.Sprintf("gc removed %d of its Parquet files on %s (%s)", n, word.At.Format(time.DateOnly), word.Reason), nil
}

// Claim writes that this process uses the plan, unless it is young, and refuses
// a plan that a gc is removing.
func (w *Workspace) Claim(ctx context.Context, head *runplan.Head) error {
	removed, err := w.Runs.Claim(ctx, head, w.Now())
	if err != nil || !removed {
		return err
	}
	if mark, err := w.Runs.Aborted(ctx, head); err != nil || mark != nil {
		if err != nil {
			return err
		}
		return fail.New(fail.Stopped, "%s", mark).At("%s", head.Target).Try("if the window is to be loaded, run it again: a new plan is sealed")
	}
	return fail.New(fail.Service, "gc is at work, and plan %d is so old that it may be among what it removes", head.Seq).At("%s", head.Target).
		Try("run the same command again when gc has ended, which takes minutes")
}
