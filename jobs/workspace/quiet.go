package workspace

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"backfill/internal/kafka"
)

// maxQuiet bounds the partitions that are named.
const maxQuiet = 20

// QuietFix is what to do about partitions that Quiet names.
const QuietFix = "let the archiver flush by the clock (Confluent: rotate.schedule.interval.ms) or send a record to wake it; " +
	"where such a silence is usual, archive.idle says how long it may be"

// Quiet names partitions of which nothing was written to the archive after the
// window's end, or until now, less archive.idle, and since when. What Kafka took
// since then may be missing: an archiver that rotates by the time of records
// flushes a partition's tail only when new ones come. written is when each
// partition's newest object was written.
func (w *Workspace) Quiet(window kafka.Window, written map[kafka.TopicPartition]time.Time) []string {
	if window.IsAll() {
		return nil
	}
	end := window.To.Time()
	if now := w.Now(); now.Before(end) {
		end = now
	}
	end = end.Add(-w.Dataset.Archive.Idle)
	var out []string
	more := 0
	for _, tp := range slices.SortedFunc(maps.Keys(written), func(a, b kafka.TopicPartition) int {
		if a.Less(b) {
			return -1
		}
		return 1
	}) {
		since := written[tp]
		switch {
		case !since.Before(end):
		case len(out) == maxQuiet:
			more++
		default:
			out = append(out, fmt.Sprintf("%s: nothing was archived since %s; its last records may wait in the archiver until new ones come", tp, since.UTC().Format(time.RFC3339)))
		}
	}
	if more > 0 {
		out = append(out, fmt.Sprintf("%d more partitions likewise", more))
	}
	return out
}

// newest keeps when the newest object of each partition was written.
func newest(written map[kafka.TopicPartition]time.Time, tp kafka.TopicPartition, at time.Time) {
	if before, known := written[tp]; !known || at.After(before) {
		written[tp] = at
	}
}
