// Package parquetio writes batches of columns as Parquet files that Redshift's
// COPY reads: data pages V1 with zstd, PLAIN or RLE_DICTIONARY, leaves in the
// order of the columns, because COPY maps columns by position alone.
//
//	columns.Batch ─▶ pages, one open per column ─▶ row group ─▶ io.Writer
//	                 PageBytes                     RowGroupBytes
//
// It never changes a value: what does not fit its column's type is an error.
// It opens no files, uploads nothing and starts no goroutines. convert writes
// staging files with it, one Writer per worker, sized by MemoryBound.
package parquetio

import (
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"

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
	cols []column
	opts Options

	codec  *fastZstd
	pages  pagePool
	values []parquet.Value // one column's part of a batch

	file *parquet.GenericWriter[any]
	out  countingWriter
	err  error // why nothing more is taken

	rows, groupRows, groups int64
	flushed                 int64 // file.Size() when the row group began
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
	codec, err := newFastZstd()
	if err != nil {
		return nil, fmt.Errorf("creating a Parquet writer: %w", err)
	}
	pw := &Writer{cols: list, opts: o, codec: codec, values: make([]parquet.Value, columns.BatchRows)}
	pw.pages.BufferPool = parquet.NewBufferPool()
	pw.Reset(w)
	return pw, pw.err
}

// Reset drops what is unfinished and starts a file to out.
//
// The library's writer serves one file alone. Reset by its own means, v0.32.0
// loses the columns' paths in the footer, by which other readers find columns,
// and keeps values of an unfinished file for the next one.
func (w *Writer) Reset(out io.Writer) {
	w.out = countingWriter{out: out}
	w.rows, w.groupRows, w.groups, w.flushed = 0, 0, 0, 0
	w.pages.written = 0
	w.err = guard(func() (err error) {
		w.file, err = w.newFile()
		return err
	})
	if w.err != nil {
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
	w.file, w.err = nil, errClosed
	return Summary{Rows: w.rows, Bytes: w.out.n, RowGroups: w.groups}, nil
}

var errClosed = errors.New("writing Parquet: the file is closed")

// Buffered returns the bytes held for the open row group: compressed pages,
// values that wait for their page to fill, and dictionaries.
func (w *Writer) Buffered() int64 {
	if w.file == nil || w.err != nil {
		return 0
	}
	return w.file.Size() - w.flushed
}

func (w *Writer) write(b *columns.Batch) error {
	if err := w.check(b); err != nil {
		return err
	}
	for from := 0; from < b.N; {
		to := w.rangeEnd(b, from)
		if err := w.writeRows(b, from, to); err != nil {
			return err
		}
		w.rows += int64(to - from)
		w.groupRows += int64(to - from)
		// The library limits row groups for rows written one by one only.
		if w.pages.written >= w.opts.RowGroupBytes || w.groupRows >= maxRowGroupRows {
			if err := w.flush(); err != nil {
				return err
			}
		}
		from = to
	}
	return nil
}

// flush ends the row group.
func (w *Writer) flush() error {
	if err := w.file.Flush(); err != nil {
		return err
	}
	w.groups++
	w.groupRows, w.pages.written = 0, 0
	w.flushed = w.file.Size()
	return nil
}

func (w *Writer) finish() error {
	if w.groupRows > 0 {
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.file.Close()
}

// newFile returns the library's writer, set to what Redshift is known to read;
// most of the library's defaults are not.
func (w *Writer) newFile() (*parquet.GenericWriter[any], error) {
	tree, err := newSchema(w.cols)
	if err != nil {
		return nil, err
	}
	opts := []parquet.WriterOption{
		tree,
		parquet.DataPageVersion(1),
		parquet.Compression(w.codec),
		parquet.PageBufferSize(w.opts.PageBytes),
		parquet.DictionaryMaxBytes(int64(w.opts.dictionaryBytes())),
		parquet.ColumnPageBuffers(&w.pages),
	}
	for k, v := range w.opts.Meta {
		opts = append(opts, parquet.KeyValueMetadata(k, v))
	}
	for _, c := range w.cols {
		if !c.bounds {
			opts = append(opts, parquet.SkipPageBounds(c.name), parquet.SkipPageStatistics(c.name))
		}
	}
	config, err := parquet.NewWriterConfig(opts...)
	if err != nil {
		return nil, err
	}
	return parquet.NewGenericWriter[any](&w.out, config), nil
}

// guard turns a panic of the Parquet library into an error.
func guard(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the Parquet encoder gave up: %v", r)
		}
	}()
	return f()
}
