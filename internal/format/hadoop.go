package format

import (
	"bytes"
	"compress/bzip2"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

// int32 reads a big-endian number.
func (s *sequence) int32() (int32, error) {
	var b [4]byte
	if _, err := io.ReadFull(s.in, b[:]); err != nil {
		return 0, whole(err)
	}
	return int32(binary.BigEndian.Uint32(b[:])), nil
}

// text reads a text with its length before it.
func (s *sequence) text() (string, error) {
	n, err := readVInt(s.in)
	if err != nil {
		return "", err
	}
	if n < 0 || n > maxText {
		return "", fmt.Errorf("a text of the header has %d bytes", n)
	}
	b, err := readInto(nil, s.in, int(n))
	return string(b), err
}

// whole makes an end in the middle of something an unexpected one.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// readInto appends n bytes to dst. Memory is taken as bytes come, so that a
// length that lies takes none.
func readInto(dst []byte, in io.Reader, n int) ([]byte, error) {
	for n > 0 {
		part := min(n, readBytes)
		from := len(dst)
		dst = append(dst, make([]byte, part)...)
		if _, err := io.ReadFull(in, dst[from:]); err != nil {
			return dst, whole(err)
		}
		n -= part
	}
	return dst, nil
}

// readVInt reads Hadoop's number of variable length: one byte from -112 to 127
// is the number; -113 to -120 announces one to eight bytes of a positive number,
// -121 to -128 of a negative one, whose bits are inverted.
func readVInt(in io.ByteReader) (int64, error) {
	b, err := in.ReadByte()
	if err != nil {
		return 0, whole(err)
	}
	first := int8(b)
	if first >= -112 {
		return int64(first), nil
	}
	n, negative := -112-int(first), false
	if first < -120 {
		n, negative = -120-int(first), true
	}
	var v uint64
	for range n {
		if b, err = in.ReadByte(); err != nil {
			return 0, whole(err)
		}
		v = v<<8 | uint64(b)
	}
	if negative {
		return int64(^v), nil
	}
	return int64(v), nil
}

// hadoopCodec decompresses what a codec of Hadoop's compressed as a whole.
type hadoopCodec struct {
	plain func(packed []byte) (io.Reader, error)
}

func newHadoopCodec(class string) (*hadoopCodec, error) {
	c := &hadoopCodec{}
	switch class[strings.LastIndexByte(class, '.')+1:] {
	case "DefaultCodec", "DeflateCodec":
		c.plain = func(p []byte) (io.Reader, error) { return zlib.NewReader(bytes.NewReader(p)) }
	case "GzipCodec":
		c.plain = func(p []byte) (io.Reader, error) { return gzip.NewReader(bytes.NewReader(p)) }
	case "BZip2Codec":
		c.plain = func(p []byte) (io.Reader, error) { return bzip2.NewReader(bytes.NewReader(p)), nil }
	case "ZStandardCodec":
		c.plain = func(p []byte) (io.Reader, error) {
			z, err := zstd.NewReader(bytes.NewReader(p), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(2*maxBlock))
			if err != nil {
				return nil, err
			}
			return z.IOReadCloser(), nil
		}
	case "SnappyCodec":
		c.plain = func(p []byte) (io.Reader, error) { return &hadoopSnappy{in: p}, nil }
	default:
		return nil, fail.New(fail.BadLayout, "the SequenceFile is compressed with %.100q, which is not read", class).
			Try("DefaultCodec, GzipCodec, BZip2Codec, ZStandardCodec and SnappyCodec are read")
	}
	return c, nil
}

// open returns what was compressed, at most limit bytes.
func (c *hadoopCodec) open(packed []byte, limit int) ([]byte, error) {
	in, err := c.plain(packed)
	if err != nil {
		return nil, whole(err)
	}
	var out bytes.Buffer
	n, err := out.ReadFrom(io.LimitReader(in, int64(limit)+1))
	if closer, ok := in.(io.Closer); ok {
		_ = closer.Close()
	}
	if err != nil {
		return nil, whole(err)
	}
	if n > int64(limit) {
		return nil, fmt.Errorf("it decompresses to more than %d bytes", limit)
	}
	return out.Bytes(), nil
}

// hadoopSnappy reads blocks: their plain length, then chunks with their packed
// length until the block is full.
type hadoopSnappy struct {
	in    []byte
	plain []byte
	left  int // of the block
}

// Read gives the plain bytes.
func (h *hadoopSnappy) Read(p []byte) (int, error) {
	for len(h.plain) == 0 {
		if h.left == 0 {
			if len(h.in) == 0 {
				return 0, io.EOF
			}
			n, err := h.length()
			if err != nil {
				return 0, err
			}
			h.left = n
			continue
		}
		n, err := h.length()
		if err != nil {
			return 0, err
		}
		if n > len(h.in) {
			return 0, io.ErrUnexpectedEOF
		}
		size, err := snappy.DecodedLen(h.in[:n])
		if err != nil {
			return 0, err
		}
		if size == 0 || size > h.left {
			return 0, errors.New("a snappy chunk does not have the length that its block says")
		}
		if h.plain, err = snappy.Decode(nil, h.in[:n]); err != nil {
			return 0, err
		}
		h.in, h.left = h.in[n:], h.left-size
	}
	n := copy(p, h.plain)
	h.plain = h.plain[n:]
	return n, nil
}

func (h *hadoopSnappy) length() (int, error) {
	if len(h.in) < 4 {
		return 0, io.ErrUnexpectedEOF
	}
	n := binary.BigEndian.Uint32(h.in)
	h.in = h.in[4:]
	if n > maxBlock {
		return 0, fmt.Errorf("a snappy block has %d bytes", n)
	}
	return int(n), nil
}

// appendSecorKey spells Secor's MessagePack map {1: offset, 2: key, 3: timestamp}.
func appendSecorKey(dst, packed []byte) ([]byte, error) {
	m := msgpack{packed}
	n, err := m.size(0x80, 0xf, 0xde)
	if err != nil {
		return dst, err
	}
	var seen [4]bool
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		name, err := m.number()
		if err != nil {
			return dst, err
		}
		if name < 1 || name > 3 || seen[name] {
			return dst, fmt.Errorf("it has a field %d, or has it twice", name)
		}
		seen[name] = true
		switch name {
		case 1, 3:
			v, err := m.number()
			if err != nil {
				return dst, err
			}
			dst = strconv.AppendInt(append(dst, map[int64]string{1: `"offset":`, 3: `"timestamp":`}[name]...), v, 10)
		case 2:
			key, err := m.bytes()
			if err != nil {
				return dst, err
			}
			dst = append(base64.StdEncoding.AppendEncode(append(dst, `"key":"`...), key), '"')
		}
	}
	if !seen[1] || len(m.b) > 0 {
		return dst, errors.New("it has no offset, or something behind it")
	}
	return dst, nil
}

// msgpack reads the few forms that Secor writes.
type msgpack struct{ b []byte }

func (m *msgpack) take(n int) ([]byte, error) {
	if n < 0 || n > len(m.b) {
		return nil, io.ErrUnexpectedEOF
	}
	out := m.b[:n]
	m.b = m.b[n:]
	return out, nil
}

// size reads the length of a map or binary: in the first byte where its high
// bits are fixed, or in the bytes behind one of the codes.
func (m *msgpack) size(fixed, mask byte, codes ...byte) (int, error) {
	first, err := m.take(1)
	if err != nil {
		return 0, err
	}
	c := first[0]
	if mask > 0 && c&^mask == fixed {
		return int(c & mask), nil
	}
	for i, code := range codes {
		if c == code {
			width := map[byte]int{0xde: 2, 0xc4: 1, 0xc5: 2, 0xc6: 4, 0xd9: 1, 0xda: 2, 0xdb: 4}[codes[i]]
			n, err := m.take(width)
			return int(bigEndian(n)), err
		}
	}
	return 0, fmt.Errorf("a byte %#x stands where none was expected", c)
}

func bigEndian(b []byte) uint64 {
	var v uint64
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return v
}

// number reads an integer of any width.
func (m *msgpack) number() (int64, error) {
	first, err := m.take(1)
	if err != nil {
		return 0, err
	}
	c := first[0]
	switch {
	case c < 0x80:
		return int64(c), nil
	case c >= 0xe0:
		return int64(int8(c)), nil
	case c >= 0xcc && c <= 0xcf, c >= 0xd0 && c <= 0xd3:
		width := 1 << (c & 3)
		b, err := m.take(width)
		if err != nil {
			return 0, err
		}
		v := bigEndian(b)
		if c >= 0xd0 { // signed
			return int64(v<<(64-8*width)) >> (64 - 8*width), nil
		}
		if v > 1<<63-1 {
			return 0, fmt.Errorf("the number %d is too large", v)
		}
		return int64(v), nil
	}
	return 0, fmt.Errorf("a byte %#x is no number", c)
}

// bytes reads a binary or a text.
func (m *msgpack) bytes() ([]byte, error) {
	n, err := m.size(0xa0, 0x1f, 0xc4, 0xc5, 0xc6, 0xd9, 0xda, 0xdb)
	if err != nil {
		return nil, err
	}
	return m.take(n)
}
