// Package canon defines the canonical text of a row and the hash lanes over
// it, in Go and in Redshift SQL. Both forms of a type stand side by side in one
// table (rules.go), so that they can't drift apart:
//
//	row   42 | NULL | "a|b" | 12.50      text   42|~|3:a|b|12.50|
//	lane 1 = FARMFINGERPRINT64(text)     lane 2 = FARMFINGERPRINT64('#' || text)
//
// A column's text says where it ends (digits, or a byte length first), so that
// two different rows of the same columns never have the same text. Texts past
// 256 bytes enter by digest. A row whose text could pass the longest VARCHAR
// expression is cut into groups, each of which enters by its two lanes.
//
// The package does no I/O, runs no SQL and sums nothing. scan hashes batches
// with it, publish and tieout's callers put its SQL into their statements,
// account sums the lanes.
package canon

import (
	"errors"
	"fmt"

	"github.com/dgryski/go-farm"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// Format is the version of the canonical text. It changes whenever the text of
// any value does; lanes of different versions can't be compared. runplan's
// Converter rises with it.
const Format = 2

// maxText is the most bytes of text that one FARMFINGERPRINT64 is given: a
// VARCHAR expression ends at 65,535 bytes and lane 2 adds one.
const maxText = 32_000

// laneWidth is the most bytes a lane takes as text, with its sign.
const laneWidth = 20

// Text is the canonical text of some columns. It is immutable and may be used
// by many goroutines, each with its own Buffer.
type Text struct {
	groups [][]column // one group: the row text is its text; more: the row text is made of their lanes
}

// column is one column's part in the text.
type column struct {
	rule
	index int // in the batch
	name  string
	typ   schema.Type
}

// Buffer is scratch memory that Lanes and Bucket reuse from row to row. The
// zero Buffer is ready; it belongs to one goroutine.
type Buffer struct {
	row   []byte
	group []byte
}

// New returns the text made of the columns cols[include[0]], cols[include[1]]
// and so on, in that order. It fails on an empty, repeated or unknown index and
// on a type without a canonical text.
func New(cols []schema.Column, include []int) (*Text, error) {
	if len(include) == 0 {
		return nil, errors.New("building a canonical text: no columns")
	}
	seen := make(map[int]bool, len(include))
	parts := make([]column, 0, len(include))
	for _, i := range include {
		if i < 0 || i >= len(cols) {
			return nil, fmt.Errorf("building a canonical text: no column %d among %d", i, len(cols))
		}
		c := cols[i]
		if seen[i] {
			return nil, fmt.Errorf("building a canonical text: column %s is named twice", c.Name)
		}
		seen[i] = true
		r, ok := ruleOf(c.Type)
		if !ok {
			return nil, fmt.Errorf("building a canonical text: column %s has no canonical text for type %s", c.Name, c.Type)
		}
		parts = append(parts, column{rule: r, index: i, name: c.Name, typ: c.Type})
	}
	groups := cut(parts)
	if len(groups)*2*(laneWidth+1) > maxText {
		return nil, fmt.Errorf("building a canonical text: %d columns are too wide together", len(include))
	}
	return &Text{groups: groups}, nil
}

// cut fills groups in column order, none of which can pass maxText bytes.
func cut(parts []column) [][]column {
	var groups [][]column
	start, width := 0, 0
	for i, c := range parts {
		w := max(c.width(c.typ), len(null)) + len(end)
		if width+w > maxText && i > start {
			groups = append(groups, parts[start:i])
			start, width = i, 0
		}
		width += w
	}
	return append(groups, parts[start:])
}

// Lanes returns the two hash lanes of one row of the batch.
func (t *Text) Lanes(b *columns.Batch, row int, buf *Buffer) (lane1, lane2 int64) {
	buf.row = t.appendRow(append(buf.row[:0], mark), b, row, buf)
	return lanes(buf.row)
}

// Bucket returns lane 1 of the row modulo n with its sign kept, as MOD does in
// SQL; n is at most 2^31-1, and everything is in bucket 0 when it is at most 1.
func (t *Text) Bucket(b *columns.Batch, row, n int, buf *Buffer) int32 {
	if n <= 1 {
		return 0
	}
	buf.row = t.appendRow(buf.row[:0], b, row, buf)
	return int32(int64(farm.Fingerprint64(buf.row)) % int64(n))
}

// appendRow appends the row's text. Groups are written into buf.group.
func (t *Text) appendRow(dst []byte, b *columns.Batch, row int, buf *Buffer) []byte {
	if len(t.groups) == 1 {
		return appendColumns(dst, t.groups[0], b, row)
	}
	for _, g := range t.groups {
		buf.group = appendColumns(append(buf.group[:0], mark), g, b, row)
		lane1, lane2 := lanes(buf.group)
		dst = append(appendInt(dst, lane1), end[0])
		dst = append(appendInt(dst, lane2), end[0])
	}
	return dst
}

// appendColumns appends the text of some columns, each ended by end.
func appendColumns(dst []byte, cols []column, b *columns.Batch, row int) []byte {
	for i := range cols {
		c := &cols[i]
		v := &b.Cols[c.index]
		if v.Null[row] {
			dst = append(dst, null...)
		} else {
			dst = c.text(dst, v, row, c.typ)
		}
		dst = append(dst, end[0])
	}
	return dst
}

// lanes hashes a text that has lane 2's mark in front.
func lanes(marked []byte) (lane1, lane2 int64) {
	return int64(farm.Fingerprint64(marked[1:])), int64(farm.Fingerprint64(marked))
}
