package codec

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/xi2/xz"

	"backfill/internal/fail"
)

var (
	errClosed   = errors.New("the reader is closed")
	errTrailing = errors.New("bytes after the last member")
	errPadding  = errors.New("zero bytes after the last gzip member")
)

// source counts the compressed bytes and remembers an error of the object's
// body, so that a lost connection never passes for damage, nor for the end.
type source struct {
	r    io.Reader
	read int64
	err  error // any but io.EOF
}

// Read reads from the object's body.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) reading(err error) error {
	return fmt.Errorf("reading the object after %d bytes: %w", s.read, err)
}

// damaged says what the decoder's error means to the reader of a message.
func (d *Reader) damaged(err error) error {
	if errors.Is(err, io.ErrNoProgress) {
		return d.source.reading(err)
	}
	what := "is corrupt"
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		what = "is cut off"
	case errors.Is(err, errZipCoding), errors.Is(err, errVersion), errors.Is(err, xz.ErrOptions), errors.Is(err, xz.ErrUnsupportedCheck):
		what = "uses a part of its format that is not read"
	case errors.Is(err, errTrailing), errors.Is(err, zstd.ErrMagicMismatch):
		what = "has garbage behind its end"
	case errors.Is(err, errPadding):
		what = "is padded with zero bytes behind its end"
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, errBlock), errors.Is(err, xz.ErrMemlimit):
		what = fmt.Sprintf("needs more than the %d bytes of memory allowed for one frame", d.limits.Window)
	}
	return fail.Wrap(err, fail.Damaged, "the %s object %s; %d bytes were decoded", d.kind, what, d.decoded)
}
