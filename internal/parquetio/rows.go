package parquetio

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/parquet-go/parquet-go"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// check compares the batch's form with the columns.
func (w *Writer) check(b *columns.Batch) error {
	if len(b.Cols) != len(w.cols) {
		return fmt.Errorf("a batch of %d columns for %d columns", len(b.Cols), len(w.cols))
	}
	if b.N < 0 || b.N > columns.BatchRows {
		return fmt.Errorf("a batch of %d rows, at most %d are allowed", b.N, columns.BatchRows)
	}
	for i := range w.cols {
		if b.Cols[i].Shape != w.cols[i].typ.Shape() {
			return fmt.Errorf("column %s: the batch's vector does not hold %s", w.cols[i].name, w.cols[i].typ)
		}
	}
	return nil
}

// rangeEnd returns the end of the rows to hand over next: no more text than a
// page, because the library looks at a page's size only after each call.
func (w *Writer) rangeEnd(b *columns.Batch, from int) int {
	text := 0
	for row := from; row < b.N; row++ {
		for i := range w.cols {
			if v := &b.Cols[i]; v.Shape == schema.Bytes && !v.Null[row] {
				text += len(v.S[row])
			}
		}
		if text >= w.opts.PageBytes {
			return row + 1
		}
	}
	return b.N
}

// writeRows hands rows [from, to) of every column to the library. It is the one
// place that does, because columns of different lengths make a broken file
// without an error.
func (w *Writer) writeRows(b *columns.Batch, from, to int) error {
	writers := w.file.ColumnWriters()
	const every = dictionaryPageRows
	endPages := (w.groupRows+int64(to-from))/every > w.groupRows/every
	for i := range w.cols {
		c := &w.cols[i]
		values := w.values[:to-from]
		if err := c.values(values, &b.Cols[i], from); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
		n, err := writers[i].WriteRowValues(values)
		if err == nil && n != to-from {
			err = fmt.Errorf("%d of %d rows were taken", n, to-from)
		}
		if err == nil && c.dictionary && endPages {
			err = writers[i].Flush()
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return nil
}

var errRequired = errors.New("NULL in a required column")

// values fills out with the rows from the given one on, as Parquet values that
// alias the vector. A NULL is the zero value; others of an optional column carry
// level 1. It is one loop because a call for each value costs as much as the
// value.
func (c *column) values(out []parquet.Value, v *columns.Vector, from int) error {
	for i := range out {
		row := from + i
		if v.Null[row] {
			if c.required {
				return fmt.Errorf("row %d of the batch: %w", row, errRequired)
			}
			out[i] = parquet.Value{}
			continue
		}
		var value parquet.Value
		if c.typ.Shape() == schema.Int {
			n := v.I[row]
			if n < c.low || n > c.high {
				return fmt.Errorf("row %d of the batch: %d does not fit %s", row, n, c.typ)
			}
			switch c.kind {
			case parquet.Int32:
				value = parquet.Int32Value(int32(n))
			case parquet.Boolean:
				value = parquet.BooleanValue(n != 0)
			default:
				value = parquet.Int64Value(n)
			}
		} else {
			s := v.S[row]
			if c.kind == parquet.FixedLenByteArray {
				if !c.fitsWide(s) {
					return fmt.Errorf("row %d of the batch: 0x%x does not fit %s", row, s, c.typ)
				}
				value = parquet.FixedLenByteArrayValue(s[16-c.length:])
			} else {
				if len(s) > c.length {
					return fmt.Errorf("row %d of the batch: %d bytes do not fit %s", row, len(s), c.typ)
				}
				value = parquet.ByteArrayValue(s)
			}
		}
		if !c.required {
			value = value.Level(0, 1, 0)
		}
		out[i] = value
	}
	return nil
}

// fitsWide reports whether 16 bytes of big-endian two's complement hold no
// more than the column's digits.
func (c *column) fitsWide(s []byte) bool {
	if len(s) != 16 {
		return false
	}
	hi, lo := binary.BigEndian.Uint64(s), binary.BigEndian.Uint64(s[8:])
	if int64(hi) < 0 {
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	return hi < c.limitHi || hi == c.limitHi && lo < c.limitLo
}
