package workspace

import (
	"maps"
	"slices"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// Settled returns fail.Unsettled for a window in which records may still
// arrive, or had not yet when the archive was listed; last is the latest record
// of each partition, asOf the time of an inventory that was read, or zero.
func (w *Workspace) Settled(window kafka.Window, last map[kafka.TopicPartition]kafka.Instant, asOf time.Time) error {
	if window.IsAll() {
		return nil
	}
	archive := w.Dataset.Archive
	end := window.To.Time()
	due := end.Add(archive.Lateness)
	if w.Now().Before(due) {
		return fail.New(fail.Unsettled, "records of %s may still be archived until %s", window, due.Format(time.RFC3339)).
			Try("run again after that; archive.lateness says how late records may come")
	}
	if !asOf.IsZero() && asOf.Before(due) {
		return fail.New(fail.Unsettled, "the inventory that was read is complete up to %s, and records of %s may have been archived until %s",
			asOf.Format(time.RFC3339), window, due.Format(time.RFC3339)).
			Try("plan again with a newer inventory, without archive.inventory, or with archive.folder_time, so that newer folders are listed")
	}
	if tp, silent := w.unseen(last); silent {
		return fail.New(fail.Unsettled, "%s has no object in the dated folders that were listed, so that how long it has been silent is not known", tp).
			Try("wait for the archiver, or declare in archive.idle how long a partition may be silent")
	}
	for tp, at := range last {
		if at < kafka.InstantOf(end.Add(-archive.Idle)) {
			return fail.New(fail.Unsettled, "%s has archived nothing after the window's end: its last record is of %s", tp, at).
				Try("wait for the archiver to write the tail, or declare in archive.idle how long a partition may be silent. To add what is there already, say --preliminary")
		}
	}
	return nil
}

// unseen returns a partition that dated folders hide: one with a lower number
// than others of its topic, and no object where folders were listed.
func (w *Workspace) unseen(last map[kafka.TopicPartition]kafka.Instant) (kafka.TopicPartition, bool) {
	a := w.Dataset.Archive
	if a.FolderTime == nil || a.Idle > 0 || a.Layout.Partition != nil {
		return kafka.TopicPartition{}, false
	}
	highest := map[string]kafka.Partition{}
	for tp := range last {
		highest[tp.Topic] = max(highest[tp.Topic], tp.Partition)
	}
	for _, topic := range slices.Sorted(maps.Keys(highest)) {
		for n := range highest[topic] {
			tp := kafka.TopicPartition{Topic: topic, Partition: n}
			if _, there := last[tp]; !there {
				return tp, true
			}
		}
	}
	return kafka.TopicPartition{}, false
}
