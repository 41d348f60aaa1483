package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/internal/runplan"
	"backfill/jobs/quarantine"
	"backfill/jobs/workspace"
)

func showFlags(f *flags, s *pflag.FlagSet) {
	datasetFlags(f, s)
	s.StringVar(&f.chosen.reason, "with-reason", "", "only records with this reason, as `quarantine ls` names it")
	s.StringVar(&f.chosen.column, "column", "", "only records with a value that does not fit this column")
	s.IntVar(&f.chosen.limit, "limit", 20, "most records to show")
	s.BoolVar(&f.chosen.raw, "raw", false, "show the records as they are archived, personal data included")
}

func replayFlags(f *flags, s *pflag.FlagSet) {
	datasetFlags(f, s)
	convertFlags(f, s)
	loadFlags(f, s)
	s.BoolVar(&f.apply, "apply", false, "run the plan's window again by the dataset as it is now; without it the replay only shows what would become of the records")
}

// rejected opens the plan that a person names, and its chunks.
func (p *program) rejected(ctx context.Context) (*workspace.Workspace, *runplan.Head, []runplan.Chunk, error) {
	if p.flags.run == "" {
		return nil, nil, nil, fail.New(fail.Usage, "the plan or run is missing").Try("give a plan's number or URI, or a run's id; `backfill status --dataset F` lists them")
	}
	w, head, err := p.findPlan(ctx, p.flags.run)
	if err != nil {
		return nil, nil, nil, err
	}
	chunks, err := w.Runs.Chunks(ctx, head)
	return w, head, chunks, err
}

func runQuarantineLs(ctx context.Context, p *program) error {
	w, head, chunks, err := p.rejected(ctx)
	if err != nil {
		return err
	}
	reasons, err := quarantine.List(ctx, w, head, chunks)
	if err != nil {
		return err
	}
	p.result.Reasons = reasons
	if len(reasons) == 0 {
		p.print("plan %d of %s: no record is in quarantine\n", head.Seq, head.Target)
		return nil
	}
	if p.flags.output != "text" {
		return nil
	}
	tw := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(tw, "records\treason\tcolumn\tfirst: object\trecord\toffset\n")
	for _, r := range reasons {
		offset := fmt.Sprint(r.Offset)
		if r.Offset < 0 {
			offset = "unknown"
		}
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%d\t%s\n", r.Records, r.Reason, r.Column, r.Object, r.Row, offset)
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	removed, since := int64(0), ""
	for _, r := range reasons {
		if removed += r.Removed; r.Since != "" && (since == "" || r.Since < since) {
			since = r.Since
		}
	}
	if removed > 0 {
		p.print("\nThe bytes of %d of them were removed on %s; where they are in the archive, and why they were rejected, stays.\n", removed, since)
	}
	p.print("\n`backfill explain REASON` says what each means; `backfill quarantine show %s` shows the records.\n", p.flags.run)
	return nil
}

func runQuarantineShow(ctx context.Context, p *program) error {
	if p.flags.chosen.limit < 1 {
		return fail.New(fail.Usage, "--limit must be at least 1")
	}
	w, _, chunks, err := p.rejected(ctx)
	if err != nil {
		return err
	}
	records, err := quarantine.Show(ctx, w, chunks, quarantine.ShowOptions{Reason: p.flags.chosen.reason, Column: p.flags.chosen.column, Limit: p.flags.chosen.limit, Raw: p.flags.chosen.raw})
	if err != nil {
		return err
	}
	p.result.Quarantined = records
	for _, r := range records {
		p.print("%s, record %d, offset %d: %s\n  %s\n", r.Object, r.Row, r.Offset, strings.TrimSpace(r.Reason+" "+r.Column+" "+oneLine(r.Detail)), r.Text)
	}
	if len(records) == 0 {
		p.print("no record in quarantine is like that\n")
	}
	return nil
}

// runQuarantineReplay shows what a changed dataset does with a plan's rejected
// records; --apply runs the window again, as a newer plan.
func runQuarantineReplay(ctx context.Context, p *program) error {
	if p.flags.dataset == "" && p.flags.datasetText == "" {
		return fail.New(fail.Usage, "--dataset is missing").Try("name the dataset file as it is after the fix")
	}
	old, head, chunks, err := p.rejected(ctx)
	if err != nil {
		return err
	}
	w, err := p.openDataset(ctx)
	if err != nil {
		return err
	}
	if w.TargetName() != head.Target {
		return fail.New(fail.Usage, "plan %d is of %s, the dataset of %s", head.Seq, head.Target, w.TargetName()).Try("give the dataset of that table")
	}
	r, err := quarantine.Preview(ctx, old, w, head, chunks)
	if err != nil {
		return err
	}
	p.result.Replay = r
	p.printReplay(head, r)
	if !p.flags.apply {
		return nil
	}
	if r.Fit == 0 {
		return fail.New(fail.EmptyWindow, "no record in quarantine would become a row of the window: nothing is run").Try("mend the dataset first; `backfill quarantine ls %d --dataset F` says what is wrong", head.Seq)
	}
	return p.runWindow(ctx, w, head)
}

func (p *program) printReplay(head *runplan.Head, r *quarantine.Replay) {
	if r.Removed > 0 {
		p.print("the bytes of %d of the records were removed from quarantine on %s; they are read in the archive, as all are\n", r.Removed, r.Since)
	}
	p.print("plan %d of %s has %d records in quarantine. By the dataset as it is now:\n", head.Seq, head.Target, r.Records)
	p.print("  %7d become rows of the plan's window\n", r.Fit)
	for _, day := range r.Days() {
		p.print("  %7d become rows of %s, which is outside of it: run that window, too\n", r.Others[day], day)
	}
	for _, why := range slices.Sorted(maps.Keys(r.Still)) {
		p.print("  %7d are still rejected: %s\n", r.Still[why], why)
	}
	if r.Dropped > 0 {
		p.print("  %7d are left out by the dataset: filtered, tombstones or without any time\n", r.Dropped)
	}
	if !p.flags.apply && r.Fit > 0 {
		p.print("nothing was changed; to load them, say --apply: the window is run again as a newer plan, and unchanged rows stay\n")
	}
}

// runWindow runs a plan's window by another dataset.
func (p *program) runWindow(ctx context.Context, w *workspace.Workspace, head *runplan.Head) error {
	p.flags.chunkBytes, p.flags.sliceDays = 64<<20, 7
	p.flags.reason = orDefault(p.flags.reason, fmt.Sprintf("replay of the quarantine of plan %d", head.Seq))
	return p.finishRun(ctx, w, p.planOptions(head.Window))
}

// oneLine keeps a message of one record on one line of a terminal.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
