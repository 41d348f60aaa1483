// Package reconcile ties the three legs of a window out: what the receipts say
// of the archive, what the warehouse read, and what the table holds now. It
// trusts the ledger for what was committed and the table for what is there,
// changes nothing, and keeps the report in staging.
package reconcile

import (
	"context"
	"fmt"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/runplan"
	"backfill/internal/seal"
	"backfill/internal/tieout"
	"backfill/jobs/workspace"
)

// Options say what to tie out.
type Options struct {
	Window kafka.Window
	Keep   bool          // keep the report in staging
	Plan   *runplan.Head // a plan that the ledger must hold; nil: whatever it holds
	Reason string        // why, for the ledger of reports
	Signer seal.Signer   // nil: the seal is not signed
	Given  Given         // what people brought from outside

	Way    tieout.Way    // "": by receipts where the ledger has loads of the window, else by the archive
	Rows   bool          // look for the rows behind breaks
	Memory int64         // bytes that a comparison row by row may use; 0: 512 MiB
	Disk   int64         // bytes that its files may hold; 0: no limit is known
	Cutoff tieout.Cutoff // of ByArchive; the zero Cutoff: that of the sign-off that closed the period

	Repairs string // URI of the report whose breaks a repair mended just now; "": none

	Standing string // URI of an earlier report on the same load, which the watermark names when this one is not kept; "": none
}

// Result is the report and where it stands.
type Result struct {
	Report *report.Report
	URI    string // "" when it was not kept
	Page   string // URI of the page for people; likewise
	Number int64  // in the ledger of reports; 0: not recorded there, so that nothing anchors the seal

	Verified *publish.Watermark // the dataset's; nil: none was ever set
	Moved    bool               // by this call

	mode dataset.Mode
}

// remedy says what running the same backfill again does to breaks.
func remedy(m dataset.Mode) string {
	switch m {
	case dataset.Append:
		return "append takes no row back: correct the table by hand, or load into an empty one"
	case dataset.Upsert, dataset.InsertMissing:
		return "running the same backfill again adds rows that are missing; a row that differs without a newer version must be corrected by hand"
	}
	return "running the same backfill again replaces the window from the archive"
}

// Error returns the verdict as an error: nil when the window is reconciled.
func (r *Result) Error() error {
	switch tieout.Verdict(r.Report.Verdict) {
	case tieout.NotReconciled:
		if r.Report.Way == tieout.ByArchive {
			return fail.New(fail.Break, "%s", r.Report.Sentence).Try("the report lists every row that differs; `backfill repair --dataset F --report %s` shows what would mend the table", r.URI)
		}
		return fail.New(fail.Break, "%s", r.Report.Sentence).
			Try("the report lists every break; %s", remedy(r.mode))
	case tieout.Incomplete:
		if r.Report.Way == tieout.ByArchive {
			return fail.New(fail.Incomplete, "%s", r.Report.Sentence).Try("the report lists what is unknown, and the rows that differ")
		}
		if len(r.Report.Plans) == 0 {
			return fail.New(fail.Incomplete, "%s", r.Report.Sentence).Try("load the window with `backfill run`, then reconcile")
		}
		return fail.New(fail.Incomplete, "%s", r.Report.Sentence).
			Try("the report lists what is unknown; a gap that is known can be declared in archive.gaps with its reason")
	}
	return nil
}

// Reconcile ties the window out.
func Reconcile(ctx context.Context, w *workspace.Workspace, session publish.Session, o Options) (*Result, error) {
	w.Pulse.Step("reconciling: reading ledger and receipts")
	s := &transcript{Session: session}
	rows, err := publish.Ledger(ctx, s, w.Target(), o.Window)
	if err != nil {
		return nil, err
	}
	held := ours(w, rows)
	if direct, err := byArchive(w, o, held); err != nil || direct {
		if err != nil {
			return nil, err
		}
		return fromArchive(ctx, w, s, o)
	}
	if o.Cutoff.Time > 0 || o.Given.Cutoff != nil {
		return nil, fail.New(fail.Usage, "a cut-off is for --way archive: the cut-off of loads by this tool is what their plans listed").
			Try("leave it out, or compare with the archive itself by --way archive")
	}
	if o.Way == tieout.ByReceipts && o.Plan == nil && len(held) == 0 && len(w.Dataset.Table.Key) > 0 {
		return nil, fail.New(fail.Incomplete, "no load of %s by this dataset stands in the ledger, so that there are no receipts to compare the table with", o.Window).
			At("%s", w.TargetName()).Try("another pipeline loaded it: compare with the archive itself by --way archive; else load the window with `backfill run`")
	}
	parts, uncovered, err := cover(held, o.Window, w.Calendar())
	if err != nil {
		return nil, err
	}
	if o.Plan != nil {
		uncovered = append(notLoaded(o.Plan, held, w.Calendar()), uncovered...)
	}
	g := &gathering{w: w, o: o, in: tieout.Input{
		Totals: len(w.Dataset.Reconcile.Totals), Archive: account.Cells{}, Stage: account.Cells{}, Expected: account.Cells{}, Differing: account.Cells{}, Ties: account.Cells{},
		Unknown: uncovered, Upsert: w.Dataset.Table.Mode == dataset.Upsert, Groups: len(w.Dataset.Reconcile.By),
	}}
	g.open = notCovered(parts, o.Window, w.Calendar())
	if err := g.given(); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if err := g.add(ctx, p); err != nil {
			return nil, err
		}
	}
	if err := g.expect(ctx, held, parts); err != nil {
		return nil, err
	}
	if err := g.close(ctx, s); err != nil {
		return nil, err
	}
	stale, err := FindStale(ctx, w, s, rows, o.Window)
	if err != nil {
		return nil, err
	}
	g.in.Stale, g.in.Twins = stale.Older, stale.Twins
	g.in.Declared = declaredGaps(w)
	w.Pulse.Step("reconciling: listing the archive")
	if err := g.archiveNow(ctx); err != nil {
		return nil, err
	}
	g.countRecords()
	w.Pulse.Step("reconciling: counting and summing the table")
	if g.in.Table, err = publish.TableCells(ctx, s, w.Target(), o.Window, w.Calendar()); err != nil {
		return nil, err
	}
	if err := g.erased(ctx, s); err != nil {
		return nil, err
	}
	result, err := tieout.Compare(g.in)
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "comparing the legs")
	}
	if result, err = g.drill(ctx, s, result); err != nil {
		return nil, err
	}
	out, err := g.report(ctx, s, result)
	if err != nil {
		return nil, err
	}
	return out, g.mark(ctx, s, rows, out)
}

// ours keeps the ledger rows of this dataset's scope.
func ours(w *workspace.Workspace, rows []publish.LedgerRow) []publish.LedgerRow {
	scope := w.Dataset.Table.Scope
	if scope == "" {
		scope = "all"
	}
	var out []publish.LedgerRow
	for _, r := range rows {
		if r.Scope == scope {
			out = append(out, r)
		}
	}
	return out
}

// gathering collects the legs.
type gathering struct {
	w     *workspace.Workspace
	o     Options
	in    tieout.Input
	plans []report.Plan
	heads []*runplan.Head
	seen  map[string]int64 // records of each planned object, by key and ETag

	named  []tieout.Named
	inputs []input
	links  []seal.Link // what the report rests on
	linked map[string]bool
	listed report.ArchiveNow
	open   []kafka.Day    // days that nothing is known of
	closed *report.Signed // closed the period; nil: it is open
}

// add brings one plan's receipts and slices, cut to the days that count.
func (g *gathering) add(ctx context.Context, p part) error {
	head, digest, err := g.w.Runs.PlanFile(ctx, p.planKey)
	if err != nil {
		return err
	}
	g.link(seal.Link{Kind: seal.KindPlan, Key: digest.Key, SHA256: digest.SHA256})
	for _, segment := range head.Segments {
		g.link(seal.Link{Kind: seal.KindSegment, Key: segment.Key, SHA256: segment.SHA256})
	}
	if head.Dataset.ConvertDigest != g.w.Dataset.ConvertDigest {
		return fail.New(fail.Incomplete, "plan %d was loaded with another form of dataset %s: other columns, totals, archive, calendar or suppression list", head.Seq, g.w.Dataset.Name).
			At("%s", g.w.TargetName()).Try("reconcile with the dataset file that was loaded, or load the window again with this one: `backfill run`")
	}
	chunks, err := g.w.Runs.Chunks(ctx, head)
	if err != nil {
		return err
	}
	if g.seen == nil {
		g.seen = map[string]int64{}
	}
	for _, o := range head.Damaged {
		g.seen[o.Key+"\x00"+o.ETag] = 0
		g.in.Unknown = append(g.in.Unknown, fmt.Sprintf("an object was left out as damaged (--accept-damaged), its records are unknown: %s/%s", head.Archive, o.Key))
	}
	for _, c := range chunks {
		receipt, digest, err := g.w.Runs.ChunkReceiptFile(ctx, c.ID)
		if err != nil {
			return err
		}
		if receipt == nil {
			g.in.Unknown = append(g.in.Unknown, fmt.Sprintf("the receipt of a chunk of %s is gone from staging", c.Partition))
			continue
		}
		g.link(seal.Link{Kind: seal.KindChunkReceipt, Key: digest.Key, SHA256: digest.SHA256})
		for i, o := range c.Objects {
			g.link(seal.Link{Kind: seal.KindObject, Key: o.Key, ETag: o.ETag, Version: o.Version, Size: o.Size, Records: receipt.Counts.Objects[i].Records})
			g.seen[o.Key+"\x00"+o.ETag] = receipt.Counts.Objects[i].Records
		}
		g.in.Chunks = append(g.in.Chunks, tieout.Chunk{Partition: c.Partition, Generation: c.Generation(), Counts: receipt.Counts})
		if err := addDays(g.in.Archive, receipt.Counts.Cells, p.days); err != nil {
			return err
		}
	}
	for _, row := range p.rows {
		receipt, err := comparable(ctx, g.w, row)
		if err != nil {
			return err
		}
		g.link(seal.Link{Kind: seal.KindSliceReceipt, Key: row.ReceiptKey, SHA256: row.ReceiptSHA256})
		if err := g.slice(receipt, row, p.days); err != nil {
			return err
		}
	}
	g.heads = append(g.heads, head)
	g.plans = append(g.plans, report.Plan{Seq: int64(head.Seq), URI: g.w.Runs.URI(p.planKey), Days: p.text(), Slices: len(p.rows),
		Asked: asked(p.rows), By: p.rows[0].RequestedBy, Reason: p.rows[0].Reason})
	return nil
}

// slice brings what a slice's change did with the staged rows of the days that
// count.
func (g *gathering) slice(r *runplan.SliceReceipt, row publish.LedgerRow, days map[kafka.Day]bool) error {
	if err := addDays(g.in.Stage, r.Stage, days); err != nil {
		return err
	}
	if err := addDays(g.in.Differing, r.Differing, days); err != nil {
		return err
	}
	if err := addDays(g.in.Ties, r.Ties, days); err != nil {
		return err
	}
	outdated, already, inserted := rowsOn(r.Outdated, days), rowsOn(r.Already, days), rowsOn(r.Inserted, days)
	g.in.Outdated += outdated
	g.in.Already += already
	g.in.Inserted += inserted
	g.in.Repeated += r.Repeated
	g.in.Doubled += r.Doubled
	g.in.DoubledOffsets += r.DoubledOffsets
	// Of a part of the slice's days, the receipt does not count older versions.
	if superseded := rowsOn(r.Stage, days) - outdated - already - rowsOn(r.Differing, days) - r.Repeated - inserted; rowsOn(r.Stage, days) == rowsOn(r.Stage, nil) {
		g.in.Superseded += r.Superseded
	} else {
		g.in.Superseded += superseded
	}
	if row.Has(publish.FlagPreliminary) {
		for day := row.DayFrom; day < row.DayTo; day++ {
			if days == nil || days[day] {
				g.in.Preliminary = append(g.in.Preliminary, day)
			}
		}
	}
	return nil
}

// rowsOn counts the rows on the days that count; nil days count all.
func rowsOn(cells account.Cells, days map[kafka.Day]bool) (rows int64) {
	for p, c := range cells {
		if days == nil || days[p.Day] {
			rows += c.Rows
		}
	}
	return rows
}

// addDays adds the cells of the days that count; nil days count all.
func addDays(to, cells account.Cells, days map[kafka.Day]bool) error {
	for p, c := range cells {
		if days != nil && !days[p.Day] {
			continue
		}
		if err := to.At(p, len(c.Sums)).Add(c); err != nil {
			return fail.Wrap(err, fail.Internal, "adding receipts")
		}
	}
	return nil
}

// countRecords counts each object once where the window is made of several
// plans or of a part of one.
func (g *gathering) countRecords() {
	if g.o.Window.IsAll() || len(g.heads) == 0 || len(g.heads) == 1 && g.heads[0].Window == g.o.Window {
		return
	}
	for _, records := range g.seen {
		g.in.Records += records
	}
}
