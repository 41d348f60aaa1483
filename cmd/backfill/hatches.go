package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/abort"
	"backfill/jobs/status"
	"backfill/jobs/undo"
	"backfill/jobs/workspace"
)

func reasonFlag(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.reason, "reason", "", "why, for the ledger")
}

func undoFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.undo, "undo", "", "take the load of a plan back: its number or URI, or a run's id (its newest plan)")
	s.StringVar(&f.forget, "forget", "", "drop the rows that a plan's load put aside for undo")
	s.StringVar(&f.forgetOlder, "forget-older", "", "drop the rows that loads put aside longer ago than this, such as 720h")
}

func statusFlags(f *flags, s *pflag.FlagSet) {
	datasetFlags(f, s)
	s.BoolVar(&f.ledger, "ledger", false, "print the ledger: every change of the table, newest first")
}

func planHatches(f *flags, s *pflag.FlagSet) {
	s.BoolVar(&f.reconvert, "reconvert", false, "convert all chunks anew although receipts stand, under a new plan")
	s.StringArrayVar(&f.damaged, "accept-damaged", nil, "leave out an archived object that can't be read: its records are unknown and the result is INCOMPLETE; may be given several times")
}

// findPlan opens the plan that a person names: by its URI, or with --dataset by
// its number or its run's id. The dataset is then the plan's own.
func (p *program) findPlan(ctx context.Context, name string) (*workspace.Workspace, *runplan.Head, error) {
	p.flags.plan = name
	if !strings.Contains(name, "/") {
		w, err := p.openDataset(ctx)
		if err != nil {
			return nil, nil, err
		}
		head, err := w.Runs.Find(ctx, w.TargetName(), name)
		if err != nil {
			return nil, nil, err
		}
		p.flags.plan = w.Runs.URI(runstore.KeyOf(head))
	}
	w, head, _, err := p.openPlan(ctx)
	if err == nil {
		p.result.head(head, p.flags.plan)
	}
	return w, head, err
}

// runUndo takes a load back, or drops what was kept for that.
func runUndo(ctx context.Context, p *program) error {
	f := &p.flags
	if (f.undo != "") == (f.forget != "" || f.forgetOlder != "") || (f.forget != "" && f.forgetOlder != "") || f.plan != "" {
		return fail.New(fail.Usage, "--undo, --forget, --forget-older and --plan exclude each other")
	}
	if f.forgetOlder != "" {
		return runForgetOlder(ctx, p)
	}
	w, head, err := p.findPlan(ctx, f.undo+f.forget)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	if f.forget != "" {
		dropped, err := undo.Forget(ctx, w, s, head, time.Time{}, f.reason)
		p.forgot(dropped)
		return err
	}
	r, err := undo.Undo(ctx, w, s, head, f.reason)
	if err != nil {
		return err
	}
	p.result.Deleted, p.result.Inserted, p.result.Done = r.Deleted, r.Restored, r.Already
	p.print("plan %d of %s is undone: %d rows went, %d came back\n", head.Seq, head.Target, r.Deleted, r.Restored)
	return nil
}

func runForgetOlder(ctx context.Context, p *program) error {
	age, err := time.ParseDuration(p.flags.forgetOlder)
	if err != nil || age < 0 {
		return fail.New(fail.Usage, "--forget-older %q is no duration", p.flags.forgetOlder).Try("give one such as 720h")
	}
	w, err := p.openDataset(ctx)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	dropped, err := undo.Forget(ctx, w, s, nil, now().Add(-age), p.flags.reason)
	p.forgot(dropped)
	if err == nil && len(dropped) == 0 {
		p.print("no rows of %s have been kept for longer than %s\n", w.TargetName(), age)
	}
	return err
}

// forgot says which kept rows were dropped, those before an error, too.
func (p *program) forgot(dropped []publish.Kept) {
	p.result.Forgotten = dropped
	for _, k := range dropped {
		p.print("dropped %d rows that plan %d had replaced: %s\n", k.Rows, k.Seq, k.Table)
	}
}

func runAbort(ctx context.Context, p *program) error {
	if p.flags.run == "" {
		return fail.New(fail.Usage, "abort needs the plan that is to stop").Try("give its number or URI, or a run's id: backfill abort RUN --dataset F")
	}
	w, head, err := p.findPlan(ctx, p.flags.run)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := abort.Abort(ctx, w, s, head, p.flags.reason)
	if err != nil {
		return err
	}
	p.result.Loaded = len(r.Loaded)
	p.print("plan %d of %s is aborted; %d of its %d slices are loaded and stay\n", head.Seq, head.Target, len(r.Loaded), len(head.Slices))
	for _, row := range r.Loaded {
		p.print("  loaded: slice %d, %s\n", row.SliceIndex+1, head.Slices[row.SliceIndex])
	}
	return nil
}

func runStatus(ctx context.Context, p *program) error {
	w, o, err := p.looked(ctx)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	if p.flags.ledger {
		l, err := status.ReadLedger(ctx, w, s, o)
		if err != nil {
			return err
		}
		p.result.Ledger = l
		p.print("%s", l.Text())
		return nil
	}
	r, err := status.Status(ctx, w, s, o)
	if err != nil {
		return err
	}
	p.result.Status = r
	p.print("%s", r.Text())
	return nil
}

// looked opens the dataset, or the plan that is named.
func (p *program) looked(ctx context.Context) (*workspace.Workspace, status.Options, error) {
	o := status.Options{File: p.flags.dataset}
	if p.flags.run == "" {
		w, err := p.openDataset(ctx)
		return w, o, err
	}
	w, head, err := p.findPlan(ctx, p.flags.run)
	o.Plan = head
	return w, o, err
}
