package format

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

const (
	rowsAtOnce     = 256
	maxRowGroups   = 100_000
	maxLeaves      = 4096
	maxFooter      = 16 << 20
	maxParquetTree = 64 // levels of nesting
)

// Parquet gives the rows of a Parquet file as JSON objects. It must be closed.
type Parquet struct {
	spool   *spool
	limits  Limits
	file    *parquet.File
	root    *column
	groups  []parquet.RowGroup
	open    parquet.Rows
	rows    []parquet.Row
	given   int   // in rows
	read    int64 // rows
	said    int64 // rows of the groups so far, by their own account
	err     error
	cells   cursor
	blocks  *bufio.Reader // for the survey
	inflate *gzip.Reader  // of pages; nil: none was met
}

// NewParquet reads an object. Errors: fail.Damaged, with the cause; fail.BadLayout
// for what the format allows and is not read; fail.Memory where the file's pages
// take more than the limit.
//
// Dates and times become text as JSON archives have it, in UTC; decimals keep
// all digits; bytes that are not said to be text become base64; lists, old ones
// too, become arrays and maps objects.
func NewParquet(r io.Reader, l Limits) (*Parquet, error) {
	l = l.withDefaults()
	held, err := newSpool(r, l.ObjectBytes, l.FileBytes)
	if err != nil {
		return nil, err
	}
	p := &Parquet{spool: held, limits: l, rows: make([]parquet.Row, rowsAtOnce)}
	if err := guarded(p.start); err != nil {
		_ = held.close()
		return nil, err
	}
	return p, nil
}

// Close frees the file.
func (p *Parquet) Close() error {
	var err error
	if p.open != nil {
		err = p.open.Close()
		p.open = nil
	}
	return errors.Join(err, p.spool.close())
}

// guarded runs f. The library panics on some damaged files; those are damaged
// to us.
func guarded(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damaged(fmt.Errorf("reading it failed: %v", r))
		}
	}()
	return f()
}

func damaged(err error) error {
	return fail.Wrap(err, fail.Damaged, "the Parquet file is damaged")
}

// footer checks how long the file's end says that its metadata is, for which
// the library takes the memory.
func (p *Parquet) footer() error {
	var end [8]byte
	if p.spool.size < 12 {
		return damaged(io.ErrUnexpectedEOF)
	}
	if _, err := p.spool.ReadAt(end[:], p.spool.size-8); err != nil {
		return damaged(err)
	}
	size := int64(binary.LittleEndian.Uint32(end[:]))
	switch {
	case string(end[4:]) == "PARE":
		return fail.New(fail.BadLayout, "the Parquet file is encrypted")
	case string(end[4:]) != "PAR1":
		return damaged(errors.New("it does not end as a Parquet file does; it may be cut off"))
	case size > p.spool.size-12 || size > maxFooter:
		return damaged(fmt.Errorf("its metadata would have %d bytes", size))
	}
	text := make([]byte, size)
	if _, err := p.spool.ReadAt(text, p.spool.size-8-size); err != nil {
		return damaged(err)
	}
	if w := (walker{b: text}); !w.structure(0) {
		return damaged(errThrift)
	}
	return nil
}

func (p *Parquet) start() error {
	if err := p.footer(); err != nil {
		return err
	}
	file, err := parquet.OpenFile(p.spool, p.spool.size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true),
		parquet.FileReadMode(parquet.ReadModeSync), parquet.ReadBufferSize(readBytes))
	if err != nil {
		return damaged(err)
	}
	p.file, p.groups = file, file.RowGroups()
	if len(p.groups) > maxRowGroups {
		return fail.New(fail.BadLayout, "the Parquet file has %d row groups, more than %d", len(p.groups), maxRowGroups)
	}
	if err := p.survey(); err != nil {
		return err
	}
	if p.root, err = newTree(file.Metadata().Schema); err != nil {
		return err
	}
	if p.root.leaves > maxLeaves {
		return fail.New(fail.BadLayout, "the Parquet file has %d columns, more than %d", p.root.leaves, maxLeaves)
	}
	p.cells = newCursor(p.root.leaves)
	return nil
}

// Next gives the next row.
func (p *Parquet) Next(dst []byte) ([]byte, error) {
	if p.err != nil {
		return dst, p.err
	}
	from := len(dst)
	err := guarded(func() (err error) {
		dst, err = p.next(dst)
		return err
	})
	var bad *decode.BadRecord
	if err != nil && !errors.As(err, &bad) {
		p.err = err
		return dst[:from], err
	}
	if err != nil {
		return dst[:from], err
	}
	return dst, nil
}

func (p *Parquet) next(dst []byte) ([]byte, error) {
	for p.given == len(p.rows) || p.open == nil {
		if err := p.fill(); err != nil {
			return dst, err
		}
	}
	row := p.rows[p.given]
	p.given++
	p.read++
	if err := p.cells.fill(row); err != nil {
		return dst, damaged(err)
	}
	dst, err := p.root.appendJSON(dst, &p.cells)
	switch {
	case err == errLevels:
		return dst, damaged(err)
	case err != nil:
		return dst, err
	}
	if !p.cells.used() {
		return dst, damaged(errLevels)
	}
	return dst, nil
}

// fill reads more rows, from the next group where the open one has no more.
func (p *Parquet) fill() error {
	if p.open == nil {
		if len(p.groups) == 0 {
			if p.read != p.said {
				return damaged(fmt.Errorf("it holds %d rows and says %d", p.read, p.said))
			}
			return io.EOF
		}
		p.said += p.groups[0].NumRows()
		p.open, p.groups = p.groups[0].Rows(), p.groups[1:]
	}
	p.rows = p.rows[:cap(p.rows)]
	n, err := p.open.ReadRows(p.rows)
	p.rows, p.given = p.rows[:n], 0
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	closing := p.open.Close()
	p.open = nil
	if err == io.EOF {
		err = closing
	}
	if err != nil {
		return damaged(err)
	}
	return nil
}
