// Package codec turns the bytes of an archived object into plain bytes. What
// an object is gets read from its first bytes, never from its name, because
// archivers and download tools name objects wrongly.
//
//	object ─▶ first bytes ─┬─ plain ───────────────────────────┬─▶ limits ─▶ sniff again, skip a BOM ─▶ Read
//	                       ├─ gzip, zlib, zip: own inflater ───┤                    │
//	                       ├─ zstd, lz4, bzip2, xz: all frames ┤                    └─ compressed again: once more
//	                       ├─ snappy: its four framings ───────┘
//	                       └─ anything else we know: refused by name
//
// One kind of snappy has no mark of its own, a single raw block: an object is
// taken for one when all of it decodes to exactly the length it begins with.
//
// It must not know records or formats, and opens nothing itself: the caller
// gives the object's body. scan calls it, one Reader per worker.
package codec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

// The kinds that a Reader reads.
const (
	Empty        = "empty" // not one byte
	Plain        = "plain"
	Gzip         = "gzip"
	Zstd         = "zstd"
	SnappyXerial = "snappy (xerial framing)"
	SnappyFramed = "snappy (standard framing)"
	SnappyHadoop = "snappy (Hadoop framing)"
	SnappyRaw    = "snappy (one raw block)"
	LZ4          = "lz4"
	Bzip2        = "bzip2"
	XZ           = "xz"
	Zlib         = "zlib"
	Zip          = "zip"
)

// layers is how often an object may be compressed: archivers do it once, and
// people who pack archives for storage once more.
const layers = 2

const (
	defaultBytes  = 64 << 30
	defaultWindow = 128 << 20
	readAhead     = 64 << 10 // compressed bytes per read of the object
	ratioFrom     = 64 << 20 // decoded bytes below which the ratio is not looked at
)

// Limits bounds what one object may decode to. Zero values mean the defaults.
type Limits struct {
	Bytes  int64 // most decoded bytes of an object; default 64 GiB
	Ratio  int64 // most decoded bytes per compressed byte, checked after the first 64 MiB; default no limit
	Window int64 // most memory in bytes that a zstd frame, an xz dictionary or a snappy block may ask for; default 128 MiB, as the zstd program
}

func (l Limits) withDefaults() Limits {
	if l.Bytes <= 0 {
		l.Bytes = defaultBytes
	}
	if l.Window <= 0 {
		l.Window = defaultWindow
	}
	return l
}

// Reader reads the decoded bytes of one object after another. It is owned by
// one goroutine.
type Reader struct {
	limits Limits
	source source
	in     *bufio.Reader // compressed side
	kind   string
	out    io.Reader // decoded side

	members members
	frames  *zstd.Decoder // made at the first zstd object, kept until Close
	blocks  blocks
	lz4     lz4Frames
	zipped  *zipped  // made at the first zip object
	zlibbed *zlibbed // made at the first zlib object

	layer int     // from 1
	inner *Reader // of data compressed twice, kept; in use while twice
	twice bool

	head    [sniffBytes]byte // first decoded bytes, already read to be looked at
	pending []byte           // part of head that Read has not given yet
	decoded int64            // bytes that came out of the decoder
	err     error            // sticky; io.EOF at the end
}

// Open looks at the first bytes of r and returns a reader of what is inside.
// An error of r is returned with its own code; a format that is known but not
// read is fail.BadLayout. Damage met later is an error of Read.
func Open(r io.Reader, limits Limits) (*Reader, error) {
	d := &Reader{limits: limits.withDefaults(), layer: 1}
	d.in = bufio.NewReaderSize(&d.source, readAhead)
	if err := d.Reset(r); err != nil {
		_ = d.Close()
		return nil, err
	}
	return d, nil
}

// Reset starts on another object and keeps the decoders' memory. After an
// error, and after Close, the Reader can be Reset again.
func (d *Reader) Reset(r io.Reader) error {
	d.source = source{r: r}
	d.in.Reset(&d.source)
	d.kind, d.out, d.pending, d.decoded, d.err, d.twice = Empty, nil, nil, 0, nil, false
	err := d.open()
	if err != nil {
		d.pending, d.err = nil, err
	}
	return err
}

// Kind returns what the object's bytes are, the outermost layer.
func (d *Reader) Kind() string { return d.kind }

// Begins reports whether the decoded bytes begin so. It must be asked before
// the first Read, for a prefix of at most 13 bytes.
func (d *Reader) Begins(prefix string) bool {
	if d.twice {
		return d.inner.Begins(prefix)
	}
	return hasPrefix(d.pending, prefix)
}

// Close frees the decoders. It does not close the object's body.
func (d *Reader) Close() error {
	if d.frames != nil {
		d.frames.Close()
		d.frames = nil
	}
	if d.inner != nil {
		_ = d.inner.Close()
	}
	d.twice = false
	d.out, d.pending, d.err = nil, nil, errClosed
	return nil
}

// open chooses the decoder and looks at the first decoded bytes.
func (d *Reader) open() error {
	first, err := d.in.Peek(sniffBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return d.source.reading(err)
	}
	if len(first) == 0 {
		d.err = io.EOF
		return nil
	}
	d.kind = supported(first)
	if d.out, err = d.decoder(); err != nil {
		return err
	}
	return d.lookInside()
}

// decoder starts the decoder of the object's kind.
func (d *Reader) decoder() (io.Reader, error) {
	switch d.kind {
	case Gzip:
		d.members.start(d.in)
		return &d.members, nil
	case Zstd:
		return d.startFrames()
	case SnappyXerial, SnappyHadoop:
		d.blocks.start(d.in, d.kind == SnappyHadoop, d.limits.Window)
		return &d.blocks, nil
	case SnappyFramed:
		return startFramed(d.in), nil
	case LZ4:
		d.lz4.start(d.in)
		return &d.lz4, nil
	case Bzip2:
		return startBzip2(d.in), nil
	case XZ:
		return &xzStreams{in: d.in, limit: d.limits.Window}, nil
	case Zlib:
		if d.zlibbed == nil {
			d.zlibbed = &zlibbed{}
		}
		d.zlibbed.start(d.in)
		return d.zlibbed, nil
	case Zip:
		if d.zipped == nil {
			d.zipped = &zipped{}
		}
		d.zipped.start(d.in)
		return d.zipped, nil
	}
	return d.plainOrRaw()
}

// plainOrRaw tells plain data from a raw snappy block.
func (d *Reader) plainOrRaw() (io.Reader, error) {
	plain, read, err := rawSnappy(d.in, d.limits.Window)
	switch {
	case err != nil:
		return nil, d.source.reading(err)
	case plain != nil:
		d.kind = SnappyRaw
		return bytes.NewReader(plain), nil
	case read != nil:
		return io.MultiReader(bytes.NewReader(read), d.in), nil
	}
	return d.in, nil
}

func (d *Reader) startFrames() (io.Reader, error) {
	if d.frames == nil {
		// One synchronous decoder: objects run in parallel, a decoder's own
		// goroutines would only cost hand-offs.
		frames, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(uint64(d.limits.Window)))
		if err != nil {
			return nil, fail.Wrap(err, fail.Internal, "making a zstd decoder")
		}
		d.frames = frames
	}
	if err := d.frames.Reset(d.in); err != nil {
		return nil, fail.Wrap(err, fail.Internal, "resetting the zstd decoder")
	}
	return d.frames, nil
}

// lookInside reads the first decoded bytes, refuses what nothing downstream
// can read, and skips a byte order mark.
func (d *Reader) lookInside() error {
	n := 0
	for n < len(d.head) && d.err == nil {
		m, err := d.decode(d.head[n:])
		n, d.err = n+m, err
	}
	d.pending = d.head[:n]
	if hasPrefix(d.pending, byteOrderMark) {
		d.pending = d.pending[len(byteOrderMark):]
	}
	name := unsupported(d.pending)
	if inner := supported(d.pending); name == "" && inner != Plain && d.kind != Plain {
		if d.layer < layers {
			return d.again()
		}
		name = "data compressed more than twice (" + inner + ")"
	}
	if name == "" {
		return nil
	}
	refusal := fail.New(fail.BadLayout, "the object holds %s, which is not read", name)
	if d.kind != Plain {
		refusal = fail.New(fail.BadLayout, "the %s object holds %s, which is not read", d.kind, name)
	}
	return refusal.Try("have the archiver write JSON, CSV, Avro or Parquet, or exclude the object from the archive")
}

// again reads what is compressed a second time.
func (d *Reader) again() error {
	body := readerOf(d.own)
	d.twice = true
	if d.inner == nil {
		d.inner = &Reader{limits: d.limits, layer: d.layer + 1}
		d.inner.in = bufio.NewReaderSize(&d.inner.source, readAhead)
	}
	if err := d.inner.Reset(body); err != nil {
		return d.inside(err)
	}
	return nil
}

type readerOf func([]byte) (int, error)

func (f readerOf) Read(p []byte) (int, error) { return f(p) }

// inside says of an error of the inner layer that it is one, unless it came
// from this one.
func (d *Reader) inside(err error) error {
	if d.err != nil && !errors.Is(d.err, io.EOF) {
		return d.err
	}
	return fmt.Errorf("inside the %s object: %w", d.kind, err)
}

// Read gives decoded bytes. Errors: io.EOF at the sound end of the object;
// fail.Damaged, saying how many bytes were decoded, if the data is corrupt, cut
// off, followed by garbage or larger than the limits; an error of the object's
// body with its own code.
func (d *Reader) Read(p []byte) (int, error) {
	if d.twice {
		n, err := d.inner.Read(p)
		if err != nil && err != io.EOF {
			err = d.inside(err)
		}
		return n, err
	}
	return d.own(p)
}

// own reads from this layer.
func (d *Reader) own(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(d.pending) > 0 {
		n := copy(p, d.pending)
		d.pending = d.pending[n:]
		return n, nil
	}
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.decode(p)
	d.err = err
	return n, err
}

// decode reads from the decoder, counts, and says what an error means.
func (d *Reader) decode(p []byte) (int, error) {
	n, err := d.out.Read(p)
	d.decoded += int64(n)
	switch {
	case d.source.err != nil && err != nil:
		return n, d.source.reading(d.source.err)
	case errors.Is(err, io.EOF):
		return n, io.EOF
	case err != nil:
		return n, d.damaged(err)
	case d.decoded > d.limits.Bytes:
		return 0, fail.New(fail.Damaged, "the %s object decodes to more than %d bytes, the limit for one object", d.kind, d.limits.Bytes)
	case d.limits.Ratio > 0 && d.decoded > ratioFrom && d.decoded/max(d.source.read, 1) > d.limits.Ratio:
		return 0, fail.New(fail.Damaged, "the %s object decodes to more than %d times its size (%d bytes from %d), the limit for one object",
			d.kind, d.limits.Ratio, d.decoded, d.source.read)
	}
	return n, nil
}
