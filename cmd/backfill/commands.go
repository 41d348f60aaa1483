package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/publish"
	"backfill/internal/tieout"
	"backfill/jobs/convert"
	"backfill/jobs/load"
	"backfill/jobs/plan"
	"backfill/jobs/reconcile"
	"backfill/jobs/run"
	"backfill/jobs/workspace"
)

// connector opens sessions; closing errors don't matter after the work is done.
func connector(w *workspace.Workspace) run.Connect {
	return func(ctx context.Context) (publish.Session, func(), error) {
		conn, err := w.Connect(ctx)
		if err != nil {
			return nil, nil, err
		}
		return w.Watch(conn), func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if err := conn.Close(ctx); err != nil {
				w.Log.Debug(err.Error())
			}
		}, nil
	}
}

func runPlan(ctx context.Context, p *program) error {
	w, o, err := p.planned(ctx)
	if err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := plan.Plan(ctx, w, s, o)
	p.result.Created = w.Created
	if err != nil {
		return err
	}
	p.result.planned(r)
	return p.printPlan(r)
}

func (p *program) planOptions(window kafka.Window) plan.Options {
	return plan.Options{Window: window, ChunkBytes: int64(p.flags.chunkBytes), SliceDays: p.flags.sliceDays, Replan: p.flags.replan, AllowEmpty: p.flags.allowEmpty,
		Preliminary: p.flags.preliminary, Reconvert: p.flags.reconvert, Damaged: p.flags.damaged, Reason: p.flags.reason, CreateTable: p.flags.createTable}
}

// planned opens the dataset and reads the flags of a plan.
func (p *program) planned(ctx context.Context) (*workspace.Workspace, plan.Options, error) {
	o := p.planOptions(kafka.Window{})
	if o.SliceDays < 1 {
		return nil, o, fail.New(fail.Usage, "--slice-days must be at least 1").Try("leave it out, or give a number of days such as --slice-days 7")
	}
	var err error
	if o.Restore, err = p.restoring(); err != nil {
		return nil, o, err
	}
	w, err := p.openDataset(ctx)
	if err != nil {
		return nil, o, err
	}
	o.Window, err = window(w.Dataset, p.flags.from, p.flags.to)
	return w, o, err
}

// restoring reads the flags of a restore; nil: none is wanted.
func (p *program) restoring() (*plan.Restore, error) {
	if !p.flags.restore {
		return nil, nil
	}
	tiers := map[string]objstore.Tier{"bulk": objstore.Bulk, "standard": objstore.Standard, "expedited": objstore.Expedited}
	r := &plan.Restore{Tier: tiers[p.flags.restoreTier], Days: p.flags.restoreDays}
	if r.Tier == "" {
		return nil, fail.New(fail.Usage, "--restore-tier %q is no tier", p.flags.restoreTier).Try("give bulk, standard or expedited")
	}
	if r.Days < 1 || r.Days > 365 {
		return nil, fail.New(fail.Usage, "--restore-days must be from 1 to 365").Try("give for how many days the copies are needed, such as --restore-days 7")
	}
	return r, nil
}

func (p *program) convertOptions() convert.Options {
	return convert.Options{Shard: p.flags.shard.i, Of: p.flags.shard.n, Memory: p.memory(), Disk: int64(p.flags.disk), Workers: p.flags.workers}
}

func (p *program) loadOptions() load.Options {
	return load.Options{AllowVanish: p.flags.allowVanish, AllowEmpty: p.flags.allowEmpty, Keep: p.flags.keep, Preliminary: p.flags.preliminary,
		Atomic: p.flags.atomic, Reason: p.flags.reason, CreateTable: p.flags.createTable}
}

func runConvert(ctx context.Context, p *program) error {
	w, head, chunks, err := p.openPlan(ctx)
	if err != nil {
		return err
	}
	p.result.head(head, p.flags.plan)
	if err := w.Claim(ctx, head); err != nil {
		return err
	}
	o := p.convertOptions()
	if o.Only, err = p.flags.onlyPartitions(); err != nil {
		return err
	}
	r, err := convert.Convert(ctx, w, head, chunks, o)
	if r != nil {
		p.result.converted(r)
	}
	if err != nil {
		return err
	}
	p.print("%s\n", convertText(r, p.flags.shard))
	return nil
}

func convertText(r *convert.Result, s shard) string {
	return fmt.Sprintf("shard %s: %d of %d chunks converted, %d were there; %d records, %d rows", s.String(),
		r.Converted, r.Chunks, r.Reused, r.Tally.Read(), r.Tally[len(r.Tally)-1])
}

func runLoad(ctx context.Context, p *program) error {
	if p.flags.undo != "" || p.flags.forget != "" || p.flags.forgetOlder != "" {
		return runUndo(ctx, p)
	}
	o := p.loadOptions()
	var err error
	if o.Only, err = p.flags.onlyDays(); err != nil {
		return err
	}
	w, head, chunks, err := p.openPlan(ctx)
	if err != nil {
		return err
	}
	p.result.head(head, p.flags.plan)
	if err := w.Claim(ctx, head); err != nil {
		return err
	}
	s, done, err := connector(w)(ctx)
	if err != nil {
		return err
	}
	defer done()
	r, err := load.Load(ctx, w, s, head, chunks, o)
	p.result.Created = w.Created
	if err != nil {
		return err
	}
	p.result.loaded(r)
	p.print("plan %d: %d rows staged, %s\n", head.Seq, r.Rows, loadText(r))
	if left := len(head.Slices) - len(r.Slices); left > 0 {
		p.print("%d of its %d slices were left out; all that are not loaded yet: backfill load --plan %s\n", left, len(head.Slices), p.flags.plan)
	}
	return nil
}

// toReconcile opens what is to be tied out: a window of a dataset, or a plan,
// which must then stand in the ledger.
func (p *program) toReconcile(ctx context.Context) (*workspace.Workspace, reconcile.Options, error) {
	o := reconcile.Options{Keep: true, Reason: p.flags.reason, Rows: true, Memory: p.memory(), Disk: int64(p.flags.disk) / 4 * 3}
	switch p.flags.way {
	case "auto":
	case string(tieout.ByReceipts), string(tieout.ByArchive):
		o.Way = tieout.Way(p.flags.way)
	default:
		return nil, o, fail.New(fail.Usage, "--way %q is not known", p.flags.way).Try("give auto, receipts or archive")
	}
	if p.flags.plan != "" {
		if p.flags.from != "" || p.flags.to != "" || len(p.flags.set) > 0 {
			return nil, o, fail.New(fail.Usage, "--plan has its dataset and window: --from, --to and --set can't change them").Try("leave them out, or give --dataset instead of --plan")
		}
		w, head, _, err := p.openPlan(ctx)
		if err != nil {
			return nil, o, err
		}
		p.result.head(head, p.flags.plan)
		o.Window, o.Plan = head.Window, head
		return w, o, nil
	}
	w, err := p.openDataset(ctx)
	if err != nil {
		return nil, o, err
	}
	o.Window, err = window(w.Dataset, p.flags.from, p.flags.to)
	return w, o, err
}

func runAll(ctx context.Context, p *program) error {
	w, o, err := p.planned(ctx)
	if err != nil {
		return err
	}
	return p.finishRun(ctx, w, o)
}

// finishRun does what is left to do of a run and reports all of its steps.
func (p *program) finishRun(ctx context.Context, w *workspace.Workspace, o plan.Options) error {
	p.flags.shard = shard{1, 1}
	signer, err := p.signer()
	if err != nil {
		return err
	}
	r, err := run.Run(ctx, w, connector(w), run.Options{Plan: o, Convert: p.convertOptions(), Load: p.loadOptions(), Signer: signer})
	p.result.Created = w.Created
	if r.Plan != nil {
		p.result.planned(r.Plan)
	}
	if r.Convert != nil {
		p.result.converted(r.Convert)
	}
	if r.Load != nil {
		p.result.loaded(r.Load)
	}
	if r.Reconcile != nil {
		p.result.reconciled(r.Reconcile)
		if perr := p.printReport(r.Reconcile); perr != nil {
			return errors.Join(err, perr)
		}
	}
	if err == nil && r.Plan.Done {
		p.print("Nothing to do: %s.\n", strings.Join(r.Plan.Notes, "; "))
	}
	return err
}
