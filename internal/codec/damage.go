package codec

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

var (
	errClosed   = errors.New("the reader is closed")
	errTrailing = errors.New("bytes after the last gzip member")
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
	case errors.Is(err, errTrailing), errors.Is(err, zstd.ErrMagicMismatch):
		what = "has garbage behind its end"
	case errors.Is(err, errPadding):
		what = "is padded with zero bytes behind its end"
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		what = fmt.Sprintf("needs more than the %d bytes of memory allowed for one frame", d.limits.Window)
	}
	return fail.Wrap(err, fail.Damaged, "the %s object %s; %d bytes were decoded", d.kind, what, d.decoded)
}

// members reads gzip members one after another until the input ends.
type members struct {
	in   *bufio.Reader
	gz   gzip.Reader
	open bool // gz is inside a member
}

func (m *members) start(in *bufio.Reader) { m.in, m.open = in, false }

// Read gives the bytes of all members. The end of the input is an end only
// right behind a member.
func (m *members) Read(p []byte) (int, error) {
	for {
		if !m.open {
			if err := m.next(); err != nil {
				return 0, err
			}
		}
		n, err := m.gz.Read(p)
		if err == io.EOF {
			m.open = false
			if err = nil; n == 0 {
				continue
			}
		}
		return n, err
	}
}

func (m *members) next() error {
	first, err := m.in.Peek(len(gzipMagic))
	switch {
	case len(first) == 0 && err != nil:
		return err
	case !bytes.Equal(first, gzipMagic):
		return m.trailing()
	}
	if err := m.gz.Reset(m.in); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	m.gz.Multistream(false)
	m.open = true
	return nil
}

// trailing tells zero padding, which some storage tools leave, from garbage.
func (m *members) trailing() error {
	rest, _ := m.in.Peek(m.in.Size())
	if len(bytes.Trim(rest, "\x00")) == 0 {
		return errPadding
	}
	return errTrailing
}
