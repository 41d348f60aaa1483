package codec

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"io"

	"github.com/klauspost/compress/snappy"
	"github.com/pierrec/lz4/v4"
	"github.com/xi2/xz"
)

// lz4Magic begins an lz4 frame.
const lz4Magic = "\x04\x22\x4d\x18"

// startFramed reads the official snappy framing, which has checksums.
func startFramed(in *bufio.Reader) io.Reader { return snappy.NewReader(in) }

// startBzip2 reads bzip2 streams, one after another.
func startBzip2(in *bufio.Reader) io.Reader { return bzip2.NewReader(in) }

// lz4Frames reads lz4 frames one after another; the library stops at the end
// of the first.
type lz4Frames struct {
	in    *bufio.Reader
	frame *lz4.Reader
}

func (l *lz4Frames) start(in *bufio.Reader) {
	if l.in = in; l.frame == nil {
		l.frame = lz4.NewReader(in)
		return
	}
	l.frame.Reset(in)
}

// Read gives the bytes of all frames.
func (l *lz4Frames) Read(p []byte) (int, error) {
	for {
		n, err := l.frame.Read(p)
		if n > 0 || err != io.EOF {
			return n, err
		}
		next, err := l.in.Peek(len(lz4Magic))
		switch {
		case len(next) == 0:
			return 0, err
		case !hasPrefix(next, lz4Magic) && !isSkippable(next):
			return 0, errTrailing
		}
		l.frame.Reset(l.in)
	}
}

// xzStreams reads xz streams, one after another. It is begun at the first
// read, because the library reads the header at once.
type xzStreams struct {
	in    io.Reader
	limit int64 // of a dictionary, in bytes
	r     *xz.Reader
}

// Read gives the bytes of all streams.
func (x *xzStreams) Read(p []byte) (n int, err error) {
	if x.r == nil {
		if x.r, err = xz.NewReader(x.in, uint32(min(x.limit, 1<<32-1))); err != nil {
			return 0, xzError(err)
		}
	}
	n, err = x.r.Read(p)
	return n, xzError(err)
}

// xzError tells a cut stream: the library says "truncated or corrupt" only
// where the input has ended.
func xzError(err error) error {
	if errors.Is(err, xz.ErrBuf) {
		return io.ErrUnexpectedEOF
	}
	return err
}
