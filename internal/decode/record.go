package decode

import (
	"unicode/utf8"

	"backfill/internal/columns"
	"backfill/internal/kafka"
	"backfill/internal/schema"
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
	raw    []byte // as spelled; nil: absent
	typ    schema.Type
	masked bool // the value is told nowhere
}

// detailBytes is how much of a value a message shows.
const detailBytes = 40

// Detail names the value as spelled, cut to 40 bytes, and the column's type. It
// is made on demand: most records that don't fit are not wanted anyway.
func (r *Reject) Detail() string {
	text := "absent"
	if r.raw != nil && r.masked {
		return "a masked value for " + r.typ.String()
	}
	if r.raw != nil {
		text = string(r.raw)
	}
	if len(text) > detailBytes {
		n := detailBytes
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n] + "…"
	}
	return text + " for " + r.typ.String()
}

// Large is a JSON value too long for its super column, of a column with an
// Overflow. A longer VARCHAR does not exist to stage it, text can't be put
// together from parts beyond that length either, and a nested Parquet group
// needs a schema that a free JSON value does not have.
type Large struct {
	Column int // in Spec.Columns
	Raw    []byte
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

	Large  []Large          // values that their columns can't hold, which are NULL instead
	Where  []columns.Scalar // in Spec.Where order
	Reject *Reject          // the first column, in Spec.Columns order, that does not fit; nil if all do

	bad []Reject // of all columns, when Reject is set
}

// Misfit reports whether the column's value does not fit it.
func (r *Record) Misfit(column int) bool { return r.Reject != nil && r.bad[column].Reason != fits }
