// Package load puts a converted plan into the warehouse: it collects the
// receipts, checks that all is there, settled and within the reject limits,
// writes the manifest and lets publish do the transactions.
package load

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/progress"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/internal/timing"
	"backfill/jobs/workspace"
)

// Options say what a person allowed.
type Options struct {
	AllowVanish int64       // rows of the table that may go although no archived record has their key
	AllowEmpty  bool        // a window without rows is no error
	Keep        bool        // put the replaced rows aside, for undo
	Only        []kafka.Day // change only the slices that hold one of these days; none: all
	Preliminary bool        // a window that is not settled may be loaded, without deleting a row
	Atomic      bool        // all slices in one transaction
	CreateTable bool        // a missing table is created
	Reason      string
}

// Result is what the load did.
type Result struct {
	Rows     int64 // Parquet rows of the plan
	Deleted  int64 // rows of the table that the plan replaced
	Inserted int64

	// Staged rows that were not inserted, see publish.SliceResult.
	Superseded, Outdated, Already, Differing, Repeated int64
	Doubled                                            int64 // keys of an append that stand more than once now
	Kept                                               int64 // rows of the table that none of the staged ones is
	Stale, Twins                                       int64 // rows outside of the window of inserted keys: older versions, or such of unknown order
	Preliminary                                        bool  // loaded before the window was settled

	Slices []publish.SliceResult
	Took   time.Duration
}

const readers = 8 // receipts read at a time

// Receipts reads the receipts of all chunks, in plan order. A chunk without
// one is an error that says how to go on.
func Receipts(ctx context.Context, w *workspace.Workspace, head *runplan.Head, chunks []runplan.Chunk) ([]*runplan.ChunkReceipt, error) {
	defer w.Times.Begin(timing.Receipts)()
	receipts := make([]*runplan.ChunkReceipt, len(chunks))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for i, c := range chunks {
		group.Go(func() (err error) {
			receipts[i], err = w.Runs.ChunkReceipt(ctx, c.ID)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	missing := 0
	for _, r := range receipts {
		if r == nil {
			missing++
		}
	}
	if missing > 0 {
		uri := w.Runs.URI(runstore.KeyOf(head))
		return nil, fail.New(fail.Incomplete, "%d of %d chunks are not converted yet", missing, len(chunks)).At("plan %d", head.Seq).
			Try("run: backfill convert --plan %s", uri)
	}
	return receipts, nil
}

// Load loads the plan.
func Load(ctx context.Context, w *workspace.Workspace, s publish.Session, head *runplan.Head, chunks []runplan.Chunk, o Options) (*Result, error) {
	started := w.Now()
	if err := w.Current(head); err != nil {
		return nil, err
	}
	// Converting may have taken hours, and the plan may be days old.
	if err := w.CheckTable(ctx, s, o.CreateTable); err != nil {
		return nil, err
	}
	if err := retain(ctx, w, s); err != nil {
		return nil, err
	}
	receipts, err := Receipts(ctx, w, head, chunks)
	if err != nil {
		return nil, err
	}
	if err := parquetThere(ctx, w, s, head, chunks); err != nil {
		return nil, err
	}
	expected, tally, err := sum(receipts)
	if err != nil {
		return nil, err
	}
	if err := withinRejects(w, head, tally, receipts); err != nil {
		return nil, err
	}
	target, flags, err := modeOf(w, head, receipts, o)
	if err != nil {
		return nil, err
	}
	if tally[account.Row] == 0 {
		if err := empty(ctx, w, s, head, tally, o); err != nil {
			return nil, err
		}
	}
	uri, rows := "", int64(0)
	if tally[account.Row] > 0 {
		if err := headroom(ctx, w, s, receipts); err != nil {
			return nil, err
		}
		if uri, rows, err = w.Runs.PutManifest(ctx, head, receipts); err != nil {
			return nil, err
		}
	}
	erased, err := w.People()
	if fail.Is(err, fail.Credentials) { // then their rows count as any that vanish
		w.Log.Warn(fmt.Sprintf("rows of erased people in the table are not told from others: %v", err))
		erased, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	meter := progress.Counted("loading", "slices", len(head.Slices), w.Now)
	meter.Step("copying %d rows to the stage", rows)
	w.Pulse.Follow(meter)
	done, err := publish.Publish(ctx, s, target, publish.Load{
		Head: head, Calendar: w.Calendar(), PlanKey: runstore.KeyOf(head), ManifestURI: uri, IAMRole: w.Dataset.Warehouse.IAMRole,
		Expected: expected, Rows: rows, AllowVanish: o.AllowVanish, Erased: erased, Atomic: o.Atomic, Keep: o.Keep, Actor: w.Actor(cmp.Or(o.Reason, head.Reason)), Flags: flags,
		Damaged: damaged(head), Only: o.Only,
		Stopped: func(ctx context.Context) error { return w.Stopped(ctx, head) },
		Objects: objects(head, chunks, receipts), Evidence: w.Runs, Observe: func(e publish.Event) {
			w.Log.Info(describe(e))
			follow(meter, e)
		},
	})
	if err != nil {
		return nil, err
	}
	r := &Result{Rows: rows, Slices: done.Slices, Took: w.Now().Sub(started), Preliminary: slices.Contains(flags, publish.FlagPreliminary)}
	for _, slice := range done.Slices {
		r.Deleted += slice.Deleted
		r.Inserted += slice.Inserted
		r.Superseded += slice.Superseded
		r.Outdated += slice.Outdated
		r.Already += slice.Already
		r.Differing += slice.Differing
		r.Repeated += slice.Repeated
		r.Doubled += slice.Doubled
		r.Kept += slice.Kept
		r.Stale += slice.Stale
		r.Twins += slice.Twins
	}
	return r, nil
}

func sum(receipts []*runplan.ChunkReceipt) (account.Cells, account.Tally, error) {
	expected, tally := account.Cells{}, account.Tally{}
	for _, r := range receipts {
		tally.Add(r.Counts.Tally)
		if err := expected.Merge(r.Counts.Cells); err != nil {
			return nil, tally, fail.Wrap(err, fail.Rejects, "summing the receipts")
		}
	}
	return expected, tally, nil
}

// withinRejects stops a run that rejected too much before anything is loaded.
func withinRejects(w *workspace.Workspace, head *runplan.Head, t account.Tally, receipts []*runplan.ChunkReceipt) error {
	limits := w.Dataset.Quarantine
	bad, read := t[account.Unreadable]+t[account.Rejected], t.Read()
	over := ""
	if limits.MaxRecords >= 0 && bad > limits.MaxRecords {
		over = fmt.Sprintf("quarantine.max_records is %d", limits.MaxRecords)
	}
	if limits.MaxRate != nil && read > 0 && big.NewRat(bad, read).Cmp(limits.MaxRate) > 0 {
		over = fmt.Sprintf("quarantine.max_rate is %s", limits.MaxRate.FloatString(6))
	}
	if over == "" {
		return nil
	}
	return fail.New(fail.Rejects, "%d of %d records could not become rows (%s), and %s; nothing was loaded", bad, read, rejects(receipts), over).
		Try("`backfill quarantine ls %d --dataset F` shows reasons and first examples; mend the dataset or the archive, or raise the limit, then run the same command again", head.Seq)
}

// shownReasons is how many reasons a message names.
const shownReasons = 5

// rejects names the most frequent reasons.
func rejects(receipts []*runplan.ChunkReceipt) string {
	counts := map[string]int64{}
	for _, r := range receipts {
		for reason, n := range r.Counts.Reasons {
			counts[reason] += n
		}
	}
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names[:min(len(names), shownReasons)] {
		parts = append(parts, fmt.Sprintf("%s: %d", name, counts[name]))
	}
	if len(names) > shownReasons {
		parts = append(parts, "…")
	}
	return strings.Join(parts, ", ")
}

// empty decides what a window without a single row means.
func empty(ctx context.Context, w *workspace.Workspace, s publish.Session, head *runplan.Head, t account.Tally, o Options) error {
	if !o.AllowEmpty {
		return fail.New(fail.EmptyWindow, "none of the %d archived records became a row of %s in %s", t.Read(), head.Target, head.Window).
			Try("check the window and `where`; if an empty window is right, say --allow-empty")
	}
	rows, err := publish.WindowRows(ctx, s, w.Target(), head.Window)
	if err != nil {
		return err
	}
	if rows == 0 {
		return fail.New(fail.Nothing, "archive and warehouse hold nothing for %s", head.Window)
	}
	return nil
}
