// Package codec turns the bytes of an archived object into plain bytes. What
// an object is gets read from its first bytes, never from its name, because
// archivers and download tools name objects wrongly.
//
//	object ─▶ first bytes ─┬─ plain ─────────────────┬─▶ limits ─▶ sniff again, skip a BOM ─▶ Read
//	                       ├─ gzip, member by member ┤
//	                       ├─ zstd, all frames ──────┘
//	                       └─ anything else we know: refused by name
//
// It must not know records or formats, and opens nothing itself: the caller
// gives the object's body. scan calls it, one Reader per worker.
package codec

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

// The kinds that a Reader reads.
const (
	Empty = "empty" // not one byte
	Plain = "plain"
	Gzip  = "gzip"
	Zstd  = "zstd"
)

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
	Window int64 // most memory in bytes that a zstd frame may ask for; default 128 MiB, as the zstd program
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

	head    [sniffBytes]byte // first decoded bytes, already read to be looked at
	pending []byte           // part of head that Read has not given yet
	decoded int64            // bytes that came out of the decoder
	err     error            // sticky; io.EOF at the end
}

// Open looks at the first bytes of r and returns a reader of what is inside.
// An error of r is returned with its own code; a format that is known but not
// read is fail.BadLayout. Damage met later is an error of Read.
func Open(r io.Reader, limits Limits) (*Reader, error) {
	d := &Reader{limits: limits.withDefaults()}
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
	d.kind, d.out, d.pending, d.decoded, d.err = Empty, nil, nil, 0, nil
	err := d.open()
	if err != nil {
		d.pending, d.err = nil, err
	}
	return err
}

// Kind returns what the object's bytes are: Empty, Plain, Gzip or Zstd.
func (d *Reader) Kind() string { return d.kind }

// Close frees the decoders. It does not close the object's body.
func (d *Reader) Close() error {
	if d.frames != nil {
		d.frames.Close()
		d.frames = nil
	}
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
	switch d.kind = supported(first); d.kind {
	case Gzip:
		d.members.start(d.in)
		d.out = &d.members
	case Zstd:
		if d.out, err = d.startFrames(); err != nil {
			return err
		}
	default:
		d.out = d.in
	}
	return d.lookInside()
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
	if inner := supported(d.pending); name == "" && inner != Plain {
		name = "data compressed twice (" + inner + ")"
	}
	if name == "" {
		return nil
	}
	refusal := fail.New(fail.BadLayout, "the object holds %s, which is not read yet", name)
	if d.kind != Plain {
		refusal = fail.New(fail.BadLayout, "the %s object holds %s, which is not read yet", d.kind, name)
	}
	return refusal.Try("have the archiver write JSON or Avro, plain or with gzip or zstd, or exclude the object from the archive")
}

// Read gives decoded bytes. Errors: io.EOF at the sound end of the object;
// fail.Damaged, saying how many bytes were decoded, if the data is corrupt, cut
// off, followed by garbage or larger than the limits; an error of the object's
// body with its own code.
func (d *Reader) Read(p []byte) (int, error) {
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
