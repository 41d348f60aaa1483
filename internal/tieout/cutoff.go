package tieout

import (
	"bytes"
	"fmt"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// Cutoff says which records came too late for the period: the table need not
// hold them, nor what they make of the rows of their key. The zero Cutoff says
// that none did.
type Cutoff struct {
	Offsets map[kafka.TopicPartition]kafka.Offset `json:"-"`                     // records from it on are late
	Time    kafka.Instant                         `json:"time_micros,omitempty"` // records of this Kafka time or later are late; 0: that decides nothing
	Closed  int64                                 `json:"closed_by,omitempty"`   // number of the signed-off report that Offsets are of, which knew all partitions; 0: people gave them
}

// Given reports whether records can be late.
func (c Cutoff) Given() bool { return c.Offsets != nil || c.Time > 0 }

// late says why a record is late, "" if it is not. One of which neither offset
// nor Kafka time is known never is.
func (c Cutoff) late(a ArchiveRow) string {
	tp := kafka.TopicPartition{Topic: a.Position.Topic, Partition: a.Position.Partition}
	cut, given := c.Offsets[tp]
	switch offset := a.Position.Offset; {
	case offset == kafka.NoOffset:
	case given && offset >= cut && c.Closed > 0:
		return fmt.Sprintf("archived behind offset %d of %s, where report %d closed the period", cut, tp, c.Closed)
	case given && offset >= cut:
		return fmt.Sprintf("archived behind the cut-off %d of %s", cut, tp)
	case !given && c.Closed > 0:
		return fmt.Sprintf("archived in %s, which had nothing when report %d closed the period", tp, c.Closed)
	}
	if c.Time > 0 && a.Recorded >= c.Time {
		return fmt.Sprintf("written to Kafka at %s, and the cut-off is %s", a.Recorded, c.Time)
	}
	return ""
}

// older is an archived version of the row's key that the row is, and that is not
// wanted; nil: none is.
func (r *Rules) older(t TableRow, k Key) *ArchiveRow {
	for i, v := range k.Archive {
		version := v.Disposition == account.Row || v.Disposition == account.OutOfWindow
		if version && !v.Wanted && len(Changes(r.Columns, v.Values, t.Values)) == 0 {
			return &k.Archive[i]
		}
	}
	return nil
}

// asClosed reports whether a version of the key was the newest before the cut-off.
func (r *Rules) asClosed(v ArchiveRow, k Key) bool {
	if r.Cutoff.late(v) != "" {
		return false
	}
	for _, other := range k.Archive {
		if other.Disposition == account.Row && other.NewerThan(v) && r.Cutoff.late(other) == "" {
			return false
		}
	}
	return true
}

// NewerThan reports whether a version of a key is known to be newer than another:
// by latest_by, else by the offset within a partition.
func (a ArchiveRow) NewerThan(b ArchiveRow) bool {
	if n := bytes.Compare(a.Version, b.Version); n != 0 {
		return n > 0
	}
	return a.Position.Topic == b.Position.Topic && a.Position.Partition == b.Position.Partition && a.Position.Offset > b.Position.Offset
}
