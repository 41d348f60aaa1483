// Package undo takes a plan's load back from the rows that it put aside, and
// drops such rows when they are no longer wanted.
package undo

import (
	"context"
	"fmt"
	"time"

	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// Result is what was taken back.
type Result struct {
	Deleted  int64 // rows that the load had written
	Restored int64 // rows that it had replaced
	Already  bool  // all of it was undone before
	Took     time.Duration
}

// Undo takes the plan's load back.
func Undo(ctx context.Context, w *workspace.Workspace, s publish.Session, head *runplan.Head, reason string) (*Result, error) {
	started := w.Now()
	erased, err := w.People()
	if err != nil {
		return nil, err
	}
	done, err := publish.Undo(ctx, s, w.Target(), publish.UndoOptions{
		Head: head, PlanKey: runstore.KeyOf(head), Actor: w.Actor(reason), Receipts: w.Runs, Erased: erased,
		Observe: func(e publish.Event) { w.Log.Info(describe(e)) },
	})
	if err != nil {
		return nil, err
	}
	r := &Result{Already: done.Done(), Took: w.Now().Sub(started)}
	for _, slice := range done.Slices {
		r.Deleted += slice.Deleted
		r.Restored += slice.Inserted
	}
	return r, nil
}

func describe(e publish.Event) string {
	switch e.Step {
	case publish.StepUndone:
		return fmt.Sprintf("slice %d of %d undone: %s, %d rows went, %d came back, in %s", e.Slice, e.Slices, e.Name, e.Replaced, e.Rows, e.Took.Round(time.Millisecond))
	case publish.StepSkipped:
		return fmt.Sprintf("slice %d of %d was undone before: %s", e.Slice, e.Slices, e.Name)
	}
	return fmt.Sprintf("another session was in the way of slice %d, try %d", e.Slice, e.Attempt)
}

// Forget drops the rows that one plan put aside, or with a nil head those of
// all plans whose load began before the time.
func Forget(ctx context.Context, w *workspace.Workspace, s publish.Session, head *runplan.Head, before time.Time, reason string) ([]publish.Kept, error) {
	seq := runplan.Seq(0)
	if head != nil {
		seq = head.Seq
	}
	return publish.Forget(ctx, s, w.Target(), seq, before, w.Actor(reason))
}
