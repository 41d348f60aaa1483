// Package parquetio writes batches of columns as Parquet files that Redshift's
// COPY reads: data pages V1 with zstd, PLAIN or RLE_DICTIONARY, leaves in the
// order of the columns, because COPY maps columns by position alone.
//
//	columns.Batch ─▶ pages, one open per column ─▶ row group ─▶ io.Writer
//	                 PageBytes                     RowGroupBytes
//
// The bytes are written here and not by a library, because between vectors and
// pages a general writer has to box every value, and keeps several copies of
// each page. chunk.go fills pages, dictionary.go numbers values that repeat,
// page.go ends a page, compress.go makes it smaller, footer.go ends row groups
// and files. Which columns have a dictionary and how pages are compressed is
// decided by the values, from the first ones of each file. Nothing optional is
// written: no statistics but the number of NULLs, no page index, no bloom
// filters, since what loads the files reads all of them.
//
// It never changes a value: what does not fit its column's type is an error.
// It opens no files, uploads nothing and starts no goroutines. convert writes
// staging files with it, one Writer per worker, sized by MemoryBound.
package parquetio

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// The defaults of Options.
const (
	DefaultPageBytes     = 512 << 10
	DefaultRowGroupBytes = 32 << 20
)

// maxRowGroupRows bounds what a row group holds of columns that compress to
// nearly nothing.
const maxRowGroupRows = 1 << 20

// Options size a Writer; the zero value takes the defaults.
type Options struct {
	PageBytes     int               // a column's page is compressed when it holds this much
	RowGroupBytes int64             // a row group ends when its compressed pages hold this much
	Meta          map[string]string // footer key and value pairs
}

func (o Options) withDefaults() Options {
	if o.PageBytes == 0 {
		o.PageBytes = DefaultPageBytes
	}
	if o.RowGroupBytes == 0 {
		o.RowGroupBytes = DefaultRowGroupBytes
	}
	return o
}

// Summary says what Close has finished.
type Summary struct {
	Rows      int64
	Bytes     int64 // of the whole file
	RowGroups int64
}

// Writer writes one file after another, each started by Reset. It belongs to
// one goroutine. After an error it takes nothing more until Reset, and the
// output so far is not a Parquet file.
type Writer struct {
	opts   Options
	schema []format.SchemaElement
	chunks []chunk
	codec  *codec
	pool   pool
	long   []int // columns of long texts

	body, header []byte // of the page that ends

	out    countingWriter
	err    error // why nothing more is taken
	groups []format.RowGroup

	rows, groupRows int64
	written         int64 // compressed bytes of the open row group
}

// NewWriter returns a writer of the columns to w. It fails on no or repeated
// columns and on a type that Parquet can't carry.
func NewWriter(w io.Writer, cols []schema.Column, o Options) (*Writer, error) {
	o = o.withDefaults()
	if o.PageBytes < minPageBytes || o.RowGroupBytes < int64(o.PageBytes) {
		return nil, fmt.Errorf("creating a Parquet writer: pages of %d bytes in row groups of %d: a page needs at least %d, a row group at least a page",
			o.PageBytes, o.RowGroupBytes, minPageBytes)
	}
	list, err := newColumns(cols)
	if err != nil {
		return nil, fmt.Errorf("creating a Parquet writer: %w", err)
	}
	codec, err := newCodec()
	if err != nil {
		return nil, fmt.Errorf("creating a Parquet writer: %w", err)
	}
	pw := &Writer{opts: o, schema: newSchema(list), codec: codec, chunks: make([]chunk, len(list))}
	for i := range list {
		pw.chunks[i] = chunk{column: list[i], w: pw}
		pw.chunks[i].pages.pool = &pw.pool
		if list[i].physical == format.ByteArray && list[i].length > longText {
			pw.long = append(pw.long, i)
		}
	}
	pw.Reset(w)
	return pw, pw.err
}

// Reset drops what is unfinished and starts a file to out.
func (w *Writer) Reset(out io.Writer) {
	w.out = countingWriter{out: out}
	w.rows, w.groupRows, w.written, w.groups = 0, 0, 0, nil
	for i := range w.chunks {
		w.chunks[i].unfit = false
		w.chunks[i].begin()
	}
	if w.err = guard(func() error { return w.out.all([]byte(magic)) }); w.err != nil {
		w.err = fmt.Errorf("creating a Parquet writer: %w", w.err)
	}
}

// Write appends all rows of the batch, which is free afterwards. It fails when
// a value does not fit its column, or NULL stands in a required one.
func (w *Writer) Write(b *columns.Batch) error {
	if w.err != nil {
		return w.err
	}
	if err := guard(func() error { return w.write(b) }); err != nil {
		w.err = fmt.Errorf("writing Parquet: %w", err)
	}
	return w.err
}

// Close ends the file. Without rows it is a valid file without row groups.
func (w *Writer) Close() (Summary, error) {
	if w.err != nil {
		return Summary{}, w.err
	}
	if err := guard(w.finish); err != nil {
		w.err = fmt.Errorf("finishing Parquet: %w", err)
		return Summary{}, w.err
	}
	w.err = errClosed
	return Summary{Rows: w.rows, Bytes: w.out.n, RowGroups: int64(len(w.groups))}, nil
}

var errClosed = errors.New("writing Parquet: the file is closed")

// Buffered returns the bytes held for the open row group: compressed pages,
// values that wait for their page to fill, and dictionaries.
func (w *Writer) Buffered() int64 {
	if w.err != nil {
		return 0
	}
	held := w.written
	for i := range w.chunks {
		held += int64(w.chunks[i].open() + w.chunks[i].dict.bytes())
	}
	return held
}

func (w *Writer) write(b *columns.Batch) error {
	if err := w.check(b); err != nil {
		return err
	}
	for from := 0; from < b.N; {
		to := w.rangeEnd(b, from)
		for i := range w.chunks {
			c := &w.chunks[i]
			if err := c.add(&b.Cols[i], from, to); err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
		}
		w.rows += int64(to - from)
		w.groupRows += int64(to - from)
		if w.written >= w.opts.RowGroupBytes || w.groupRows >= maxRowGroupRows {
			if err := w.endGroup(); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// check compares the batch's form with the columns.
func (w *Writer) check(b *columns.Batch) error {
	if len(b.Cols) != len(w.chunks) {
		return fmt.Errorf("a batch of %d columns for %d columns", len(b.Cols), len(w.chunks))
	}
	if b.N < 0 || b.N > columns.BatchRows {
		return fmt.Errorf("a batch of %d rows, at most %d are allowed", b.N, columns.BatchRows)
	}
	for i := range w.chunks {
		if b.Cols[i].Shape != w.chunks[i].typ.Shape() {
			return fmt.Errorf("column %s: the batch's vector does not hold %s", w.chunks[i].name, w.chunks[i].typ)
		}
	}
	return nil
}

// rangeEnd returns the end of the rows to take next: no more long text than a
// page, because a row group's size is looked at only after all columns.
func (w *Writer) rangeEnd(b *columns.Batch, from int) int {
	text := 0
	for row := from; row < b.N; row++ {
		for _, i := range w.long {
			if v := &b.Cols[i]; !v.Null[row] {
				text += len(v.S[row])
			}
		}
		if text >= w.opts.PageBytes {
			return row + 1
		}
	}
	return b.N
}

func (w *Writer) finish() error {
	if w.groupRows > 0 {
		if err := w.endGroup(); err != nil {
			return err
		}
	}
	return w.footer()
}

// guard turns a panic over a malformed batch into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the Parquet encoder gave up: %v", r)
		}
	}()
	return f()
}
