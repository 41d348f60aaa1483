package workspace

import (
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// Settled returns fail.Unsettled for a window in which records may still
// arrive; last is the latest record of each partition.
func (w *Workspace) Settled(window kafka.Window, last map[kafka.TopicPartition]kafka.Instant) error {
	if window.IsAll() {
		return nil
	}
	archive := w.Dataset.Archive
	end := window.To.Time()
	if due := end.Add(archive.Lateness); w.Now().Before(due) {
		return fail.New(fail.Unsettled, "records of %s may still be archived until %s", window, due.Format(time.RFC3339)).
			Try("run again after that; archive.lateness says how late records may come")
	}
	for tp, at := range last {
		if at < kafka.InstantOf(end.Add(-archive.Idle)) {
			return fail.New(fail.Unsettled, "%s has archived nothing after the window's end: its last record is of %s", tp, at).
				Try("wait for the archiver to write the tail, or declare in archive.idle how long a partition may be silent. To add what is there already, say --preliminary")
		}
	}
	return nil
}
