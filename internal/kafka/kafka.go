// Package kafka holds the words of the archive: topic, partition, offset,
// position, proof, instants, days and windows, as types that can't be mixed up.
//
// It does no I/O and imports nothing of the project.
package kafka

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Partition is the number of a Kafka partition.
type Partition int32

// Offset is a Kafka offset, NoOffset where none is known.
type Offset int64

// NoOffset marks a record whose offset is not known.
const NoOffset Offset = -1

// TopicPartition names one log.
type TopicPartition struct {
	Topic     string    `json:"topic"`
	Partition Partition `json:"partition"`
}

// String gives topic/partition, as reports show it.
func (tp TopicPartition) String() string { return fmt.Sprintf("%s/%d", tp.Topic, tp.Partition) }

// Less orders by topic, then partition.
func (tp TopicPartition) Less(other TopicPartition) bool {
	if tp.Topic != other.Topic {
		return tp.Topic < other.Topic
	}
	return tp.Partition < other.Partition
}

// Proof says how sure a record's offset is.
type Proof string

// The proofs, strongest first.
const (
	ProofBody     Proof = "body"     // the offset stands in the record
	ProofDerived  Proof = "derived"  // first offset from the name plus row number, confirmed by the next object's name
	ProofUnproven Proof = "unproven" // no offset, or one that nothing confirms; identity is the position
)

// Instant is a moment in microseconds since 1970-01-01T00:00:00Z.
type Instant int64

// InstantOf returns t in microseconds, rounded down.
func InstantOf(t time.Time) Instant { return Instant(t.UnixMicro()) }

// Time returns the instant as a UTC time.
func (i Instant) Time() time.Time { return time.UnixMicro(int64(i)).UTC() }

// String gives RFC 3339 in UTC with as many fraction digits as needed.
func (i Instant) String() string { return i.Time().Format(time.RFC3339Nano) }

// Day is a calendar date of the dataset's zone, as days since 1970-01-01.
// Which instants it holds depends on the zone: see Calendar.
type Day int32

// NoDay stands for records of a dataset without event time.
const NoDay Day = -1 << 31

// String gives YYYY-MM-DD, or "all" for NoDay.
func (d Day) String() string {
	if d == NoDay {
		return "all"
	}
	return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly)
}

// MarshalText gives the date as String does.
func (d Day) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (d *Day) UnmarshalText(text []byte) error {
	if string(text) == "all" {
		*d = NoDay
		return nil
	}
	// time.Parse knows years of four digits only; the day after 9999-12-31,
	// which people write for "never", must be readable, too.
	year, rest, _ := strings.Cut(string(text[min(1, len(text)):]), "-")
	y, err := strconv.Atoi(string(text[:min(1, len(text))]) + year)
	at, err2 := time.Parse("01-02", rest)
	day := time.Date(y, at.Month(), at.Day(), 0, 0, 0, 0, time.UTC).Unix() / 86400
	if err != nil || err2 != nil || day != int64(Day(day)) || Day(day).String() != string(text) {
		return fmt.Errorf("reading a day: %q is not YYYY-MM-DD", text)
	}
	*d = Day(day)
	return nil
}

// Window is the half-open interval [From, To) of event time. The zero Window
// belongs to datasets without event time and holds everything.
type Window struct {
	From Instant `json:"from"`
	To   Instant `json:"to"`
}

// IsAll reports whether the window holds everything.
func (w Window) IsAll() bool { return w == Window{} }

// Contains reports whether the instant lies in the window.
func (w Window) Contains(i Instant) bool { return w.IsAll() || (i >= w.From && i < w.To) }

// Overlaps reports whether two windows share an instant.
func (w Window) Overlaps(other Window) bool {
	return w.IsAll() || other.IsAll() || (w.From < other.To && other.From < w.To)
}

// String gives [from, to) in RFC 3339, or "all time".
func (w Window) String() string {
	if w.IsAll() {
		return "all time"
	}
	return fmt.Sprintf("[%s, %s)", w.From, w.To)
}
