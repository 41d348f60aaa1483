package decode

import (
	"backfill/internal/columns"
	"backfill/internal/kafka"
)

// RecordKind says what stands at a record's place.
type RecordKind uint8

// The kinds of a record.
const (
	Value      RecordKind = iota + 1
	Tombstone             // a bare null
	Unreadable            // see Record.Reason
)

// State says whether a field beside the columns could be read.
type State uint8

// The states of a field.
const (
	Missing State = iota // absent or null
	Bad                  // there, but not a value of its kind
	OK
)

// Reject is a value that does not fit its column.
type Reject struct {
	Column int // in Spec.Columns
	Reason Reason
	Detail string // the value as spelled, cut to 40 bytes, and the column's type
}

// Record is one record as it was read. It and all it points to are the
// scanner's: they are valid until admit returns.
type Record struct {
	Row        int64  // number of the record in its object, from 0
	Start, Len int64  // bytes in the decompressed stream, without separators
	Raw        []byte // the record's bytes, at most Limits.RawBytes of them
	Truncated  bool   // Raw is only the beginning
	Kind       RecordKind
	Reason     Reason // Unreadable: why
	Detail     string // Unreadable: what is wrong, at which byte of the record

	EventTime      kafka.Instant // 0 unless OK
	EventTimeState State
	Timestamp      kafka.Instant // 0 unless OK
	TimestampState State
	Partition      kafka.Partition // 0 unless OK
	PartitionState State
	Offset         kafka.Offset // kafka.NoOffset unless OK
	OffsetState    State

	Where  []columns.Scalar // in Spec.Where order
	Reject *Reject          // the first column, in Spec.Columns order, that does not fit; nil if all do
}
