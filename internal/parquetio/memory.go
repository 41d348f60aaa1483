package parquetio

import (
	"io"

	"backfill/internal/schema"
)

// minPageBytes keeps a page larger than what surrounds it.
const minPageBytes = 16 << 10

// segmentBytes is the unit of the memory for compressed pages.
const segmentBytes = 32 << 10

// MemoryBound returns the most bytes that a Writer of the columns holds, for
// the caller to size its workers by:
//
//	the open row group   RowGroupBytes, and a page of each column on top, since
//	                     it is looked at after each column had its turn
//	open pages           a column's page, as much again while its memory grows,
//	                     and a quarter for numbers instead of values
//	dictionaries         values, their places, and the table to find them by
//	while compressing    a page and what it becomes, history, tables
//
// A row's own text comes on top while it is written.
func MemoryBound(cols []schema.Column, o Options) int64 {
	o = o.withDefaults()
	const history = 4 << 20
	page := int64(o.PageBytes)
	bound := o.RowGroupBytes + 4*page + history
	for range cols {
		bound += 2*page + page/4 + segmentBytes + 5*int64(o.dictionaryBytes())/2
	}
	return bound
}

// pool keeps memory for compressed pages from row group to row group.
type pool struct{ free [][]byte }

// segments hold bytes in pieces of one size, so that nothing is copied while
// they grow and nothing lies idle in one column while another needs it.
type segments struct {
	pool *pool
	list [][]byte
}

func (s *segments) write(p []byte) {
	for len(p) > 0 {
		last := len(s.list) - 1
		if last < 0 || len(s.list[last]) == segmentBytes {
			s.list = append(s.list, s.pool.get())
			last++
		}
		n := min(len(p), segmentBytes-len(s.list[last]))
		s.list[last] = append(s.list[last], p[:n]...)
		p = p[n:]
	}
}

func (s *segments) writeTo(w *countingWriter) error { return w.all(s.list...) }

func (s *segments) clear() {
	s.pool.free = append(s.pool.free, s.list...)
	s.list = s.list[:0]
}

func (p *pool) get() []byte {
	if last := len(p.free) - 1; last >= 0 {
		b := p.free[last]
		p.free = p.free[:last]
		return b[:0]
	}
	return make([]byte, 0, segmentBytes)
}

// countingWriter counts what reaches the output.
type countingWriter struct {
	out io.Writer
	n   int64
}

// all writes the parts one after another.
func (w *countingWriter) all(parts ...[]byte) error {
	for _, p := range parts {
		n, err := w.out.Write(p)
		w.n += int64(n)
		if err == nil && n < len(p) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return err
		}
	}
	return nil
}
