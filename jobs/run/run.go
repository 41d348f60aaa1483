// Package run is the main job: plan, convert, load and reconcile in one
// process. The same command again finds what is done and goes on from there.
package run

import (
	"context"
	"path"

	"backfill/internal/publish"
	"backfill/internal/runstore"
	"backfill/internal/seal"
	"backfill/internal/tieout"
	"backfill/jobs/convert"
	"backfill/jobs/load"
	"backfill/jobs/plan"
	"backfill/jobs/reconcile"
	"backfill/jobs/workspace"
)

// Options are the options of the four steps.
type Options struct {
	Plan    plan.Options
	Convert convert.Options
	Load    load.Options
	Signer  seal.Signer // of the report's seal; nil: none
}

// Result holds the results of the steps that ran; a step that did not is nil.
type Result struct {
	Plan      *plan.Result
	Convert   *convert.Result
	Load      *load.Result
	Reconcile *reconcile.Result
}

// Connect opens a session; the caller of connect closes it.
type Connect func(ctx context.Context) (publish.Session, func(), error)

// Run does what is left to do. The warehouse is asked before and after
// converting, with a session each: none stays open idle for hours.
func Run(ctx context.Context, w *workspace.Workspace, connect Connect, o Options) (*Result, error) {
	r := &Result{}
	if err := r.plan(ctx, w, connect, o); err != nil {
		return r, err
	}
	if !r.Plan.Done {
		if err := r.convert(ctx, w, o); err != nil {
			return r, err
		}
	}
	if err := w.Halt.Cause(); err != nil {
		return r, err
	}
	s, done, err := connect(ctx)
	if err != nil {
		return r, err
	}
	defer done()
	if !r.Plan.Done {
		if r.Load, err = load.Load(ctx, w, s, r.Plan.Head, r.Plan.Chunks, o.Load); err != nil {
			return r, err
		}
	}
	if err := w.Halt.Cause(); err != nil {
		return r, err
	}
	standing, err := r.reported(ctx, w, s)
	if err != nil {
		return r, err
	}
	r.Reconcile, err = reconcile.Reconcile(ctx, w, s, reconcile.Options{Window: o.Plan.Window, Way: tieout.ByReceipts, Keep: standing == "", Standing: standing, Reason: o.Load.Reason, Signer: o.Signer})
	if err != nil {
		return r, err
	}
	return r, r.Reconcile.Error()
}

// reported returns the URI of the recorded report on the plan's load, "" if
// there is none yet: it was loaded now, or a run before died in between.
func (r *Result) reported(ctx context.Context, w *workspace.Workspace, s publish.Session) (string, error) {
	if !r.Plan.Done {
		return "", nil
	}
	rows, err := publish.Reports(ctx, s, w.Target(), r.Plan.Head.Window)
	if err != nil {
		return "", err
	}
	for _, row := range rows {
		if row.Kind == publish.KindReport && row.Run == string(r.Plan.Head.Run) && row.Seq == int64(r.Plan.Head.Seq) {
			return w.Runs.URI(path.Join(path.Dir(row.SealKey), runstore.ReportName)), nil
		}
	}
	return "", nil
}

func (r *Result) plan(ctx context.Context, w *workspace.Workspace, connect Connect, o Options) error {
	s, done, err := connect(ctx)
	if err != nil {
		return err
	}
	defer done()
	if r.Plan, err = plan.Plan(ctx, w, s, o.Plan); err != nil {
		return err
	}
	for _, note := range r.Plan.Notes {
		w.Log.Info(note)
	}
	if !r.Plan.Done {
		w.Step("plan %d: %d objects, %d bytes, %d chunks, %d slices, %d rows of %s stand in the window: %s", r.Plan.Head.Seq,
			r.Plan.Head.Objects, r.Plan.Head.Bytes, len(r.Plan.Chunks), len(r.Plan.Head.Slices), r.Plan.TotalRows(), r.Plan.Head.Target, r.Plan.URI)
	}
	return nil
}

func (r *Result) convert(ctx context.Context, w *workspace.Workspace, o Options) (err error) {
	if r.Convert, err = convert.Convert(ctx, w, r.Plan.Head, r.Plan.Chunks, o.Convert); err != nil {
		return err
	}
	w.Step("converted %d chunks (%d were there), %d records read, in %s", r.Convert.Converted, r.Convert.Reused, r.Convert.Tally.Read(), r.Convert.Took.Round(1e6))
	return nil
}
