package parquetio

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	codec "github.com/parquet-go/parquet-go/compress/zstd"

	"backfill/internal/schema"
)

// minPageBytes keeps a page larger than what surrounds it.
const minPageBytes = 16 << 10

// MemoryBound returns the most bytes that a Writer of the columns holds, for
// the caller to size its workers by:
//
//	the open row group   RowGroupBytes, and a page of each column on top, since
//	                     it is looked at after each column had its turn
//	open pages           two pages a column: the page, and its memory's slack
//	dictionaries         values, their index, and the plain page to fall back to,
//	                     for which the library takes eight times a page
//	while compressing    a page of twice its size three times, history, tables
//
// A row's own text comes on top while it is written.
func MemoryBound(cols []schema.Column, o Options) int64 {
	o = o.withDefaults()
	const (
		chunk   = 32 << 10 // of the memory for compressed pages
		indexed = 32       // a dictionary with its index, in times the size where it ends
		history = 4 << 20
	)
	page := int64(o.PageBytes)
	bound := o.RowGroupBytes + 6*page + history
	for _, c := range cols {
		bound += 3*page + chunk
		if hasFewValues(c) {
			bound += indexed*int64(o.dictionaryBytes()) + 8*page
		}
	}
	return bound
}

// pagePool counts the compressed bytes of the open row group, which the library
// doesn't tell apart.
type pagePool struct {
	parquet.BufferPool
	written int64
}

func (p *pagePool) GetBuffer() io.ReadWriteSeeker {
	return &pageBuffer{p.BufferPool.GetBuffer(), p}
}

func (p *pagePool) PutBuffer(b io.ReadWriteSeeker) {
	if b, ok := b.(*pageBuffer); ok {
		p.BufferPool.PutBuffer(b.ReadWriteSeeker)
	}
}

type pageBuffer struct {
	io.ReadWriteSeeker
	pool *pagePool
}

func (b *pageBuffer) Write(p []byte) (int, error) {
	n, err := b.ReadWriteSeeker.Write(p)
	b.pool.written += int64(n)
	return n, err
}

// WriteTo spares io.Copy a buffer of its own.
func (b *pageBuffer) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, b.ReadWriteSeeker) }

// countingWriter counts what reaches the output.
type countingWriter struct {
	out io.Writer
	n   int64
}

func (w *countingWriter) Write(p []byte) (int, error) {
	n, err := w.out.Write(p)
	w.n += int64(n)
	return n, err
}

// zstdWindow is how far back compression looks. The library's own 4 MiB would
// cost 8 MiB of history a writer, for pages that are smaller than this.
const zstdWindow = 1 << 20

// fastZstd is the library's zstd codec with one encoder, kept by its writer and
// so sized: the fastest level, because the next costs a quarter more of the
// whole work for 4 % of the size.
type fastZstd struct {
	codec.Codec
	encoder *zstd.Encoder
}

func newFastZstd() (*fastZstd, error) {
	e, err := zstd.NewWriter(nil,
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(zstdWindow),
		zstd.WithZeroFrames(true),
		zstd.WithEncoderCRC(false),
	)
	if err != nil {
		return nil, fmt.Errorf("setting up zstd: %w", err)
	}
	return &fastZstd{encoder: e}, nil
}

// Encode compresses src into dst's memory, or into more where that is too
// little.
func (c *fastZstd) Encode(dst, src []byte) ([]byte, error) {
	return c.encoder.EncodeAll(src, dst[:0]), nil
}
