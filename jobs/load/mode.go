package load

import (
	"slices"

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
func modeOf(w *workspace.Workspace, head *runplan.Head, receipts []*runplan.ChunkReceipt, o Options) (publish.Target, []string, error) {
	target, flags := w.Target(), slices.Clone(head.Asked)
	for _, d := range o.Only {
		flags = append(flags, "only="+d.String())
	}
	if o.Atomic {
		flags = append(flags, publish.FlagAtomic)
	}
	last := map[kafka.TopicPartition]kafka.Instant{}
	for _, r := range receipts {
		last[r.Partition] = max(last[r.Partition], r.Counts.LastRecord)
	}
	err := w.Settled(head.Window, last, head.AsOf)
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
