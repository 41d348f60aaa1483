package load

import (
	"context"
	"fmt"

	"backfill/internal/publish"
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
