package reconcile

import (
	"context"
	"errors"
	"maps"
	"time"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/rowdiff"
	"backfill/internal/seal"
	"backfill/internal/tieout"
	"backfill/jobs/workspace"
)

// byArchive decides whether the table is compared with the archive itself: it
// was asked for, or the ledger names no load of the window and there is a key.
func byArchive(w *workspace.Workspace, o Options, held []publish.LedgerRow) (bool, error) {
	switch {
	case o.Way == tieout.ByArchive && len(w.Dataset.Table.Key) == 0:
		return false, fail.New(fail.BadDataset, "dataset %s has no table.key, and archive and table can only be compared by a key", w.Dataset.Name).
			Try("add table.key, or reconcile by the receipts of a load")
	case o.Way != "":
		return o.Way == tieout.ByArchive, nil
	}
	return o.Plan == nil && len(held) == 0 && len(w.Dataset.Table.Key) > 0, nil
}

// fromArchive compares archive and table by key, whoever loaded the table.
func fromArchive(ctx context.Context, w *workspace.Workspace, s *transcript, o Options) (out *Result, err error) {
	g := &gathering{w: w, o: o, in: tieout.Input{Groups: len(w.Dataset.Reconcile.By)}}
	if err := g.given(); err != nil {
		return nil, err
	}
	if err := g.close(ctx, s); err != nil {
		return nil, err
	}
	if err := g.cutoff(); err != nil {
		return nil, err
	}
	w.Pulse.Step("reconciling: listing the archive")
	listing, err := w.List(ctx, o.Window)
	if err != nil {
		return nil, err
	}
	w.Pulse.Step("reconciling: comparing archive and table by key")
	k, err := compareByKey(ctx, w, s, g.o, listing.Objects)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	if err := k.input(&g.in, listing.AsOf); err != nil {
		return nil, err
	}
	if err := g.erased(ctx, s); err != nil {
		return nil, err
	}
	g.in.Declared = declaredGaps(w)
	result, err := tieout.Compare(g.in)
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "comparing archive and table")
	}
	k.link(g, listing)
	return g.report(ctx, s, result)
}

// input brings what was counted to the tie-out.
func (k *byKey) input(in *tieout.Input, asOf time.Time) error {
	*in = tieout.Input{
		Way: tieout.ByArchive, Totals: len(k.ds.Reconcile.Totals), Archive: account.Cells{}, Expected: k.cmp.Left, Table: k.cmp.Right,
		Superseded: k.cmp.Superseded, Upsert: k.ds.Table.Mode == dataset.Upsert, Rows: &k.rows,
		Groups: in.Groups, Ends: in.Ends, Controls: in.Controls,
	}
	last := map[kafka.TopicPartition]kafka.Instant{}
	for i, c := range k.counts {
		tp := k.chunks[i].Partition
		in.Chunks = append(in.Chunks, tieout.Chunk{Partition: tp, Generation: k.chunks[i].Generation(), Counts: c})
		last[tp] = max(last[tp], c.LastRecord)
		if err := in.Archive.Merge(c.Cells); err != nil {
			return fail.Wrap(err, fail.Rejects, "adding the archive's days")
		}
	}
	in.Stage = in.Archive // there is none: what was read is compared with the table
	for _, c := range k.cmp.Left {
		in.Inserted += c.Rows
	}
	if k.respelled() {
		in.Table = maps.Clone(k.cmp.Left)
	}
	if err := k.w.Settled(k.o.Window, last, asOf); err != nil {
		in.Unknown = append(in.Unknown, err.Error())
	}
	return nil
}

// respelled reports whether nothing but the spelling of JSON differs: rows and
// money do not, and no row does when it is looked at.
func (k *byKey) respelled() bool {
	return k.rows.Complete && len(k.rows.List) == 0 && len(k.rows.Levels.Bad) > 0
}

// declaredGaps are the dataset's.
func declaredGaps(w *workspace.Workspace) (list []tieout.Gap) {
	for _, gap := range w.Dataset.Archive.Gaps {
		list = append(list, tieout.Gap{
			Partition: kafka.TopicPartition{Topic: gap.Topic, Partition: gap.Partition},
			Range:     account.Range{From: gap.From, To: gap.To}, Reason: gap.Reason,
		})
	}
	return list
}

// drill looks for the rows behind the breaks of a load by this tool.
func (g *gathering) drill(ctx context.Context, s publish.Session, result *tieout.Result) (_ *tieout.Result, err error) {
	table := false
	for _, b := range result.Breaks {
		table = table || b.Leg == tieout.StageTable
	}
	ds := g.w.Dataset
	if !table || !g.o.Rows || len(ds.Table.Key) == 0 || ds.Table.Mode != dataset.ReplaceWindow || len(g.in.Preliminary) > 0 {
		return result, nil
	}
	listing, err := g.w.List(ctx, g.o.Window)
	if err != nil {
		return nil, err
	}
	g.w.Pulse.Step("reconciling: looking for the rows that differ")
	k, err := compareByKey(ctx, g.w, s, g.o, listing.Objects)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	g.in.Rows = &k.rows
	if result, err = tieout.Compare(g.in); err != nil {
		return nil, fail.Wrap(err, fail.Internal, "comparing the legs")
	}
	return result, nil
}

// Wanted reads the archive for keys that a report names and returns what it says
// of each; no rows where it has none in the window.
func Wanted(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options, marks []tieout.KeyMark) (_ map[tieout.KeyMark]rowdiff.Wanted, err error) {
	listing, err := w.List(ctx, o.Window)
	if err != nil {
		return nil, err
	}
	k, err := newByKey(w, s, o, listing.Objects)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, k.Close()) }()
	k.cmp.Look(marks)
	if err := k.pick(ctx); err != nil {
		return nil, err
	}
	if len(k.damaged) > 0 {
		return nil, fail.New(fail.Damaged, "%d objects can't be read to their end; which rows they hold is not known", len(k.damaged)).
			Try("restore them before repairing")
	}
	return k.cmp.Wanted(), nil
}

// link names the objects that were read as what the report rests on.
func (k *byKey) link(g *gathering, listing *workspace.Listing) {
	g.listed = report.ArchiveNow{URI: k.w.Archive.Root().String(), Objects: len(listing.Objects), Bytes: listing.Bytes, Listing: listing.ID}
	for i, c := range k.chunks {
		for j, o := range c.Objects {
			l := seal.Link{Kind: seal.KindObject, Key: o.Key, ETag: o.ETag, Version: o.Version, Size: o.Size}
			if counts := k.counts[i]; counts != nil && j < len(counts.Objects) {
				l.Records = counts.Objects[j].Records
			}
			g.link(l)
		}
	}
}
