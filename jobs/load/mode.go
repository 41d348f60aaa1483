package load

import (
	"slices"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// modeOf returns the target in the mode that this load has, and the flags for
// the ledger. A window that is not settled is refused, or loaded as
// preliminary: then no row is deleted, because the archive may not yet explain
// it.
func modeOf(w *workspace.Workspace, window kafka.Window, receipts []*runplan.ChunkReceipt, asked []string, o Options) (publish.Target, []string, error) {
	target, flags := w.Target(), slices.Clone(asked)
	for _, d := range o.Only {
		flags = append(flags, "only="+d.String())
	}
	if o.Atomic {
		flags = append(flags, publish.FlagAtomic)
	}
	err := settled(w, window, receipts)
	if err == nil {
		return target, flags, nil
	}
	if !o.Preliminary {
		return target, nil, err
	}
	w.Step("preliminary: %v", err)
	if target.Mode == publish.ReplaceWindow {
		if len(target.Key) == 0 {
			return target, nil, fail.New(fail.Unsettled, "the window is not settled, and without a key nothing but the whole window can be loaded: %v", err).
				Try("add table.key to the dataset, or wait until the window is settled")
		}
		target.Mode = publish.InsertMissing
	}
	return target, append(flags, publish.FlagPreliminary), nil
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
				Try("wait for the archiver to write the tail, or declare in archive.idle how long a partition may be silent. To add what is there already, say --preliminary")
		}
	}
	return nil
}
