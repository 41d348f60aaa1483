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
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/plan"
	"backfill/jobs/workspace"
)

// Options say what a person allowed.
type Options struct {
	AllowVanish int64 // rows of the table that may go although no archived record has their key
	AllowEmpty  bool  // a window without rows is no error
	Keep        bool  // put the replaced rows aside, for undo
	Reason      string
}

// Result is what the load did.
type Result struct {
	Rows     int64 // Parquet rows of the plan
	Deleted  int64 // rows of the table that the plan replaced
	Inserted int64
	Slices   []publish.SliceResult
	Took     time.Duration
}

const readers = 8 // receipts read at a time

// Receipts reads the receipts of all chunks, in plan order. A chunk without
// one is an error that says how to go on.
func Receipts(ctx context.Context, w *workspace.Workspace, head *runplan.Head, chunks []runplan.Chunk) ([]*runplan.ChunkReceipt, error) {
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
	if err := w.Stopped(ctx, head); err != nil {
		return nil, err
	}
	receipts, err := Receipts(ctx, w, head, chunks)
	if err != nil {
		return nil, err
	}
	expected, tally, err := sum(receipts)
	if err != nil {
		return nil, err
	}
	if err := withinRejects(w, tally, receipts); err != nil {
		return nil, err
	}
	if err := settled(w, head.Window, receipts); err != nil {
		return nil, err
	}
	if tally[account.Row] == 0 {
		if err := empty(ctx, w, s, head, tally, o); err != nil {
			return nil, err
		}
	}
	uri, rows := "", int64(0)
	if tally[account.Row] > 0 {
		if uri, rows, err = w.Runs.PutManifest(ctx, head, receipts); err != nil {
			return nil, err
		}
	}
	done, err := publish.Publish(ctx, s, w.Target(), publish.Load{
		Head: head, Calendar: w.Calendar(), PlanKey: runstore.KeyOf(head), ManifestURI: uri, IAMRole: w.Dataset.Warehouse.IAMRole,
		Expected: expected, Rows: rows, AllowVanish: o.AllowVanish, Keep: o.Keep, Actor: w.Actor(cmp.Or(o.Reason, head.Reason)), Flags: head.Asked,
		Stopped: func(ctx context.Context) error { return w.Stopped(ctx, head) },
		Objects: objects(head, chunks), Evidence: w.Runs, Observe: func(e publish.Event) { w.Log.Info(describe(e)) },
	})
	if err != nil {
		return nil, err
	}
	r := &Result{Rows: rows, Slices: done.Slices, Took: w.Now().Sub(started)}
	for _, slice := range done.Slices {
		r.Deleted += slice.Deleted
		r.Inserted += slice.Inserted
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
func withinRejects(w *workspace.Workspace, t account.Tally, receipts []*runplan.ChunkReceipt) error {
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
	reasons, file := quarantined(w, receipts)
	return fail.New(fail.Rejects, "%d of %d records could not become rows (%s), and %s; nothing was loaded", bad, read, reasons, over).
		Try("look at the records in %s, then mend the dataset or the archive, or raise the limit", file)
}

// shownReasons is how many reasons a message names.
const shownReasons = 5

// quarantined names the most frequent reasons and the first quarantine file.
func quarantined(w *workspace.Workspace, receipts []*runplan.ChunkReceipt) (reasons, file string) {
	counts := map[string]int64{}
	for _, r := range receipts {
		for reason, n := range r.Counts.Reasons {
			counts[reason] += n
		}
		if file == "" && r.Quarantine != nil {
			file = w.Runs.URI(r.Quarantine.Key)
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
	return strings.Join(parts, ", "), file
}

// settled refuses a window in which records may still arrive.
func settled(w *workspace.Workspace, window kafka.Window, receipts []*runplan.ChunkReceipt) error {
	if window.IsAll() {
		return nil
	}
	archive := w.Dataset.Archive
	end := window.To.Time()
	if due := end.Add(archive.Lateness); w.Now().Before(due) {
		return fail.New(fail.Unsettled, "records of %s may still be archived until %s", window, due.Format(time.RFC3339)).
			Try("run again after that; archive.lateness says how late records may come")
	}
	last := map[kafka.TopicPartition]kafka.Instant{}
	for _, r := range receipts {
		last[r.Partition] = max(last[r.Partition], r.Counts.LastRecord)
	}
	for tp, at := range last {
		if at < kafka.InstantOf(end.Add(-archive.Idle)) {
			return fail.New(fail.Unsettled, "%s has archived nothing after the window's end: its last record is of %s", tp, at).
				Try("wait for the archiver to write the tail, or declare in archive.idle how long a partition may be silent")
		}
	}
	return nil
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

// objects lists what append remembers; other modes need none.
func objects(head *runplan.Head, chunks []runplan.Chunk) []publish.LoadedObject {
	if !head.Window.IsAll() {
		return nil
	}
	var out []publish.LoadedObject
	for _, c := range chunks {
		for _, o := range c.Objects {
			out = append(out, publish.LoadedObject{URI: plan.ObjectURI(head.Archive, o.Key), ETag: o.ETag})
		}
	}
	return out
}

// describe gives a step of publish as a log line.
func describe(e publish.Event) string {
	took := e.Took.Round(time.Millisecond)
	switch e.Step {
	case publish.StepCopy:
		return fmt.Sprintf("copied %d rows to the stage in %s", e.Rows, took)
	case publish.StepStage:
		return fmt.Sprintf("the stage equals the receipts, record by record and cent by cent, checked in %s", took)
	case publish.StepWinners:
		return fmt.Sprintf("%d rows are the newest versions of their keys, found in %s", e.Rows, took)
	case publish.StepGuard:
		if e.Rows == 0 {
			return "no row of the table would vanish"
		}
		return fmt.Sprintf("%d rows of the table will vanish, as allowed", e.Rows)
	case publish.StepConflict:
		return fmt.Sprintf("another session was in the way of slice %d (%s), try %d", e.Slice, e.Name, e.Attempt)
	case publish.StepSlice:
		return fmt.Sprintf("slice %d of %d committed: %s, %d rows replaced by %d, in %s", e.Slice, e.Slices, e.Name, e.Replaced, e.Rows, took)
	case publish.StepSkipped:
		return fmt.Sprintf("slice %d of %d was committed before: %s", e.Slice, e.Slices, e.Name)
	}
	return fmt.Sprintf("%s %s", e.Step, e.Name)
}
