package load

import (
	"context"
	"fmt"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// retain drops the rows that earlier loads of the table put aside for undo and
// that are kept for longer than the dataset allows. It comes before the load
// changes anything: personal data goes also where the load fails.
func retain(ctx context.Context, w *workspace.Workspace, s publish.Session) error {
	age := w.Dataset.KeptRows
	if age == 0 {
		return nil
	}
	dropped, err := publish.Forget(ctx, s, w.Target(), 0, w.Now().Add(-age), w.Actor(fmt.Sprintf("retain.kept_rows is %s", age)))
	for _, k := range dropped {
		w.Step("dropped %d rows that plan %d had replaced, kept since %s: retain.kept_rows is %s", k.Rows, k.Seq, k.Since, age)
	}
	if err != nil {
		return fmt.Errorf("dropping rows that are kept for too long: %w", err)
	}
	return nil
}

// parquetThere refuses a plan whose Parquet was removed, unless all of it is
// loaded: then nothing is copied.
func parquetThere(ctx context.Context, w *workspace.Workspace, s publish.Session, head *runplan.Head, chunks []runplan.Chunk) error {
	gone, err := w.ParquetGone(ctx, head, chunks)
	if err != nil || gone == "" {
		return err
	}
	held, err := publish.Ledger(ctx, s, w.Target(), head.Window)
	if err != nil {
		return err
	}
	loaded := map[int]bool{}
	for _, row := range held {
		if row.Seq == head.Seq {
			loaded[row.SliceIndex] = true
		}
	}
	if len(loaded) == len(head.Slices) {
		return nil
	}
	return fail.New(fail.Incomplete, "%s", gone).At("plan %d", head.Seq).Try("plan the window again with --replan: its chunks are converted anew")
}
