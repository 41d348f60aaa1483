// Package columns holds decoded values column by column: the seam between
// reading formats and writing Parquet. Readers fill a Batch, writers and
// accounting read it; neither knows the other.
//
//	record 0 ─┐            Cols[0].I   Cols[1].S   …
//	record 1 ─┼─ decode ─▶ row 0: 42   "a"         ─▶ parquetio, canon, account
//	record 2 ─┘            row 1: 43   NULL
//
// Byte slices in a batch alias memory of the reader and are valid only until
// the reader is called again. A batch is owned by one goroutine.
package columns

import (
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

// BatchRows is the most rows a batch holds: its vectors then fit a core's
// second-level cache.
const BatchRows = 1024

// Vector holds the values of one column; which slice is in use is told by Shape.
type Vector struct {
	Shape schema.Shape
	I     []int64  // schema.Int
	S     [][]byte // schema.Bytes and schema.Wide (16 bytes, big-endian two's complement)
	Null  []bool   // true: the value is NULL and I or S is meaningless
}

// Batch holds up to BatchRows rows. Slices have length BatchRows and are
// indexed by row; rows at N and above are scratch.
type Batch struct {
	N         int
	Cols      []Vector
	EventTime []kafka.Instant // meaningless for datasets without event time
	Offset    []kafka.Offset  // kafka.NoOffset where unknown
	Recorded  []kafka.Instant // Kafka time; 0 where unknown
	Row       []int64         // number of the record in its object, from 0

	text []byte // what S points to in a copy
}

// NewBatch returns an empty batch for the columns.
func NewBatch(cols []schema.Column) *Batch {
	b := &Batch{
		Cols:      make([]Vector, len(cols)),
		EventTime: make([]kafka.Instant, BatchRows),
		Offset:    make([]kafka.Offset, BatchRows),
		Recorded:  make([]kafka.Instant, BatchRows),
		Row:       make([]int64, BatchRows),
	}
	for i, c := range cols {
		v := Vector{Shape: c.Type.Shape(), Null: make([]bool, BatchRows)}
		if v.Shape == schema.Int {
			v.I = make([]int64, BatchRows)
		} else {
			v.S = make([][]byte, BatchRows)
		}
		b.Cols[i] = v
	}
	return b
}

// Copy makes b hold the same rows as another batch of the same columns. It
// copies the bytes too, so that it stays valid when the other's reader goes on.
func (b *Batch) Copy(from *Batch) {
	b.N, b.text = from.N, b.text[:0]
	copy(b.EventTime[:b.N], from.EventTime)
	copy(b.Offset[:b.N], from.Offset)
	copy(b.Recorded[:b.N], from.Recorded)
	copy(b.Row[:b.N], from.Row)
	for i := range from.Cols {
		v, w := &b.Cols[i], &from.Cols[i]
		copy(v.Null[:b.N], w.Null)
		if v.Shape == schema.Int {
			copy(v.I[:b.N], w.I)
			continue
		}
		for row, value := range w.S[:b.N] {
			if w.Null[row] {
				continue
			}
			at := len(b.text)
			b.text = append(b.text, value...)
			v.S[row] = b.text[at:len(b.text):len(b.text)]
		}
	}
}

// ScalarKind is the JSON kind of a Scalar.
type ScalarKind uint8

// The kinds of a scalar. Absent: the path leads nowhere. Other: an object or array.
const (
	Absent ScalarKind = iota
	Null
	Bool
	Number
	String
	Other
)

// Scalar is a value that a filter looks at: Text is true/false, the number as
// spelled, or the unescaped string. It aliases the reader's memory.
type Scalar struct {
	Kind ScalarKind
	Text []byte
}
