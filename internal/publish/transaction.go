package publish

import (
	"context"
	"fmt"

	"backfill/internal/fail"
)

// transaction runs f between BEGIN, the lock of the ledger and COMMIT. All ways
// out but a commit, and a commit of unknown outcome, roll back.
func (t *target) transaction(ctx context.Context, s Session, f func() error) (err error) {
	committed := false
	defer func() {
		if !committed && !fail.Is(err, fail.Lost) {
			rollback(ctx, s) // also after a BEGIN that was done and answered with an error
		}
	}()
	if err := s.Begin(ctx); err != nil {
		return fmt.Errorf("beginning: %w", err)
	}
	if _, err := s.Exec(ctx, t.lockSQL()); err != nil {
		return fmt.Errorf("locking the ledger: %w", err)
	}
	if err := f(); err != nil {
		return err
	}
	// A signal must not make the outcome unknown: the commit has time of its own.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if err := s.Commit(end); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	committed = true
	return nil
}

// retried is transaction for changes that are small and begin anew by
// themselves: a conflict with another session is tried again, at most five times.
func (t *target) retried(ctx context.Context, s Session, f func() error) error {
	for try := 1; ; try++ {
		err := t.transaction(ctx, s, f)
		if !fail.Is(err, fail.Conflict) || try == maxTries {
			return err
		}
		if err := sleepFor(ctx, backoff(try)); err != nil {
			return fmt.Errorf("waiting after a conflict: %w", err)
		}
	}
}

// rollback needs no answer: a session that can't roll back is closed, and
// that rolls back, too.
func rollback(ctx context.Context, s Session) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	_ = s.Rollback(ctx)
}
