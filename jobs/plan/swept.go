package plan

import (
	"context"
	"fmt"
	"time"

	"backfill/internal/runplan"
)

// swept says why receipts of the plan's basis can't be relied on: the Parquet that
// they name was removed, or is about to be. "" where nothing was.
func (p *planner) swept(ctx context.Context, head *runplan.Head) (string, error) {
	if word, err := p.w.Runs.Swept(ctx, head.Basis()); err != nil || word != nil {
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("gc removed earlier Parquet of the window on %s (%s)", word.At.Format(time.DateOnly), word.Reason), nil
	}
	at, err := p.w.Runs.Sweeping(ctx, p.w.Now())
	if err != nil || !at {
		return "", err
	}
	return "gc is at work", nil
}
