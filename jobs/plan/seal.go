package plan

import (
	"context"
	"fmt"
	"time"

	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// seal makes and publishes the next plan, for the reasons instead of an older
// one, or the first.
func (p *planner) seal(ctx context.Context, older *runplan.Head, reasons []string) (*Result, error) {
	objects, err := p.objects(ctx)
	if err != nil {
		return nil, err
	}
	if len(objects) == 0 && !p.o.AllowEmpty {
		return nil, p.nothing()
	}
	head, err := p.head(ctx, objects, older, reasons)
	if err != nil {
		return nil, err
	}
	chunks := runplan.CutWithout(p.readable(p.now.Objects), except(p.now.Objects, objects, p.damaged), p.o.ChunkBytes, head.Basis())
	r := &Result{}
	if err := p.readableNow(ctx, chunks, r); err != nil {
		return nil, err
	}
	if err := p.w.KeepSuppressions(ctx); err != nil {
		return nil, err
	}
	if _, err := p.w.Runs.Seal(ctx, head, chunks); err != nil {
		return nil, err
	}
	if p.anew == "" { // a gc that began meanwhile may not have seen the plan
		if p.anew, err = p.swept(ctx, head); err != nil {
			return nil, err
		}
		if p.anew != "" {
			return p.seal(ctx, head, []string{p.anew})
		}
	}
	notes := r.Notes
	r = p.result(head, chunks)
	r.Sealed, r.Notes = true, append(notes, p.sealed(head, reasons, len(chunks))...)
	return r, p.replaced(ctx, r)
}

// head is the plan's head before it is sealed.
func (p *planner) head(ctx context.Context, objects []runplan.Input, older *runplan.Head, reasons []string) (*runplan.Head, error) {
	ds := p.w.Dataset
	warehouse, err := p.w.PlanWarehouse()
	if err != nil {
		return nil, err
	}
	head := &runplan.Head{
		Format: runplan.Format, Run: p.run, Attempt: runstore.NewAttempt(), Target: p.w.TargetName(),
		Dataset: runplan.Dataset{Name: ds.Name, Digest: ds.Digest, ConvertDigest: ds.ConvertDigest, Text: string(ds.Text)},
		Archive: ds.Archive.URI, Window: p.o.Window, Converter: runplan.Converter, Version: p.w.Version, KMSKey: ds.Staging.KMSKey, Sealed: p.w.Now().UTC(),
		Warehouse: warehouse, Objects: len(objects), Ignored: p.now.Ignored, SkippedFolders: p.now.Folders.Skipped, Inventory: p.now.Source, AsOf: p.now.AsOf, ListingID: p.now.ID,
		Damaged: p.damaged, Asked: p.o.asked(), By: p.w.By, Reason: p.o.Reason,
		Slices: runplan.CutSlices(p.o.Window, p.w.Calendar(), p.o.SliceDays),
	}
	if older != nil {
		head.Supersedes = &runplan.Supersedes{Seq: older.Seq, Reasons: reasons}
		head.Salt = older.Salt // receipts that were not trusted then are not used again
	}
	for _, o := range objects {
		head.Bytes += o.Size
	}
	if head.Standing, head.LastChange, err = publish.Standing(ctx, p.s, p.w.Target(), head.Slices, p.w.Calendar()); err != nil {
		return nil, err
	}
	if head.Schemas, err = p.w.SealSchemas(ctx, p.schemas); err != nil {
		return nil, err
	}
	if p.anew == "" {
		if p.anew, err = p.swept(ctx, head); err != nil {
			return nil, err
		}
	}
	if p.o.Reconvert || p.anew != "" {
		head.Salt = head.Attempt
	}
	return head, nil
}

// sealed is what people are told of a new plan.
func (p *planner) sealed(head *runplan.Head, reasons []string, chunks int) (notes []string) {
	if p.anew != "" && chunks > 0 {
		notes = append(notes, p.anew+": all chunks are converted anew")
	}
	if p.now.Layout != "" {
		notes = append(notes, "archive.layout: auto chose "+p.now.Layout)
	}
	if p.now.Source != "" {
		notes = append(notes, sourceNote(p.now))
	}
	if n := p.now.Folders; n.Skipped > 0 {
		notes = append(notes, fmt.Sprintf("archive.folder_time: %d dated folders were listed as a whole, %d of other times were not listed", n.Listed, n.Skipped))
	}
	for _, text := range p.w.Quiet(p.o.Window, p.now.Written) {
		notes = append(notes, text+": "+workspace.QuietFix)
	}
	if head.Supersedes != nil {
		for _, reason := range reasons {
			notes = append(notes, fmt.Sprintf("supersedes plan %d: %s", head.Supersedes.Seq, reason))
		}
	}
	for _, o := range head.Damaged {
		notes = append(notes, fmt.Sprintf("left out as damaged, its records are unknown: %s", ObjectURI(head.Archive, o.Key)))
	}
	return notes
}

// except tells the listed objects that are not to be loaded; nil where all are
// but the damaged ones, which are left out anyway.
func except(listed, load, damaged []runplan.Input) func(runplan.Input) bool {
	if len(load)+len(damaged) == len(listed) {
		return nil
	}
	fresh := make(map[string]bool, len(load))
	for _, o := range load {
		fresh[o.Key] = true
	}
	return func(in runplan.Input) bool { return !fresh[in.Key] }
}

// sourceNote says what an inventory stands for.
func sourceNote(l *workspace.Listing) string {
	if l.AsOf.IsZero() {
		return fmt.Sprintf("read from the %s, newer folders were listed", l.Source)
	}
	return fmt.Sprintf("read from the %s: what was archived after %s is not in the plan", l.Source, l.AsOf.Format(time.RFC3339))
}

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
