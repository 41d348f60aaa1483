package decode

import (
	"bytes"
	"compress/bzip2"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
)

const (
	ocfMagic     = "Obj\x01"
	parquetMagic = "PAR1"
	syncSize     = 16

	maxMetadata = 10_000 // entries of a file's header

	// A block may hold so many values that take no bytes.
	maxEmptyValues = 1 << 20
)

// container reads an Avro object container file: a header with the schema,
// then blocks of values, each compressed and followed by the file's marker.
type container struct {
	on     bool // the stream is such a file
	codec  string
	marker [syncSize]byte
	typ    *avroType
	root   *avroReader
	err    error // after it nothing can be read; sticky

	data []byte // the open block, decompressed
	pos  int    // in data
	left int64  // values in it
	read int64  // bytes of values before this block, all blocks together

	plain []byte // memory of data
	flate io.ReadCloser
	zstd  *zstd.Decoder
}

var errAvroEnd = errors.New("the file is cut off")

// damage says that the file can't be read on. Its values have no other
// framing, so that one broken value takes the rest along.
func (c *container) damage(cause error) error {
	c.err = fail.Wrap(cause, fail.Damaged, "the Avro file is damaged after %d bytes of records", c.read+int64(c.pos))
	return c.err
}

// need has n bytes of the stream in the block, not more than the limit; it
// reports false at the stream's end.
func (s *Scanner) need(n int) (bool, error) {
	for s.end-s.pos < n {
		switch {
		case s.readErr != nil:
			return false, fmt.Errorf("reading records: %w", s.readErr)
		case s.eof:
			return false, nil
		case n > s.limits.RecordBytes+syncSize:
			return false, s.avro.damage(fmt.Errorf("a part of %d bytes is longer than the limit of %d", n, s.limits.RecordBytes))
		}
		s.refill(s.limits.RecordBytes + syncSize)
	}
	return true, nil
}

// detect looks at the stream's first bytes: what is no Avro file is JSON. A
// stream that is not what was declared is refused; one without a byte is either.
func (s *Scanner) detect() error {
	s.avro.on = false
	there, err := s.need(len(ocfMagic))
	if err != nil {
		return err
	}
	is := there && string(s.buf[s.pos:s.pos+len(ocfMagic)]) == ocfMagic
	switch declared := s.program.spec.Format; {
	case is && declared == JSON:
		return fail.New(fail.BadLayout, "the object is an Avro file, and archive.format says json").Try("write archive.format: auto, or exclude the object from the archive")
	case !is && declared == Avro && s.end > s.pos:
		return fail.New(fail.BadLayout, "the object is no Avro file, and archive.format says avro").Try("write archive.format: auto, or exclude the object from the archive")
	case !is && s.end-s.pos >= len(parquetMagic) && string(s.buf[s.pos:s.pos+len(parquetMagic)]) == parquetMagic:
		return fail.New(fail.BadLayout, "the object is a Parquet file, and archive.format says json or avro").Try("write archive.format: auto, or exclude the object from the archive")
	case !is:
		return nil
	}
	s.avro.on = true
	s.avro.data, s.avro.pos, s.avro.left, s.avro.read, s.avro.err = nil, 0, 0, 0, nil
	s.pos += len(ocfMagic)
	return s.header()
}

// header reads the file's header.
func (s *Scanner) header() error {
	c := &s.avro
	var text []byte
	c.codec = "null"
	for entries := 0; ; {
		count, err := s.streamLong()
		if err != nil {
			return err
		}
		if count == 0 {
			break
		}
		if count < 0 {
			if count = -count; count > 0 {
				_, err = s.streamLong()
			}
		}
		if entries += int(min(count, maxMetadata)); err == nil && (entries > maxMetadata || count < 0) {
			err = c.damage(errors.New("its header has too many entries"))
		}
		for ; count > 0 && err == nil; count-- {
			var key, value []byte
			if key, err = s.streamBytes(); err != nil {
				break
			}
			name := string(key)
			if value, err = s.streamBytes(); err != nil {
				break
			}
			switch name {
			case "avro.schema":
				text = bytes.Clone(value)
			case "avro.codec":
				c.codec = string(value)
			}
		}
		if err != nil {
			return err
		}
	}
	there, err := s.need(syncSize)
	if err != nil || !there {
		return errors.Join(err, c.damageUnless(err, errAvroEnd))
	}
	s.pos += copy(c.marker[:], s.buf[s.pos:s.pos+syncSize])
	switch c.codec {
	case "null", "deflate", "bzip2", "snappy", "zstandard":
	default:
		return fail.New(fail.BadLayout, "the Avro file's codec %q is not read", c.codec).Try("have the archiver write null, deflate, snappy or zstandard")
	}
	if c.typ, err = parseAvroSchema(text); err != nil {
		return fail.Wrap(err, fail.BadLayout, "the Avro file can't be understood")
	}
	c.root = s.bind(c.typ, s.tree.root)
	return nil
}

func (c *container) damageUnless(err, cause error) error {
	if err != nil {
		return nil
	}
	return c.damage(cause)
}

// streamLong reads a number outside the blocks.
func (s *Scanner) streamLong() (int64, error) {
	for n := 1; n <= binary.MaxVarintLen64; n++ {
		there, err := s.need(n)
		if err != nil || !there {
			return 0, errors.Join(err, s.avro.damageUnless(err, errAvroEnd))
		}
		if v, size := binary.Varint(s.buf[s.pos : s.pos+n]); size > 0 {
			s.pos += size
			return v, nil
		}
	}
	return 0, s.avro.damage(errors.New("a number is longer than 64 bits"))
}

// streamBytes reads bytes outside the blocks; they are valid until the next read.
func (s *Scanner) streamBytes() ([]byte, error) {
	n, err := s.streamLong()
	if err != nil {
		return nil, err
	}
	if n < 0 || n > int64(s.limits.RecordBytes) {
		return nil, s.avro.damage(fmt.Errorf("a text of its header has %d bytes", n))
	}
	there, err := s.need(int(n))
	if err != nil || !there {
		return nil, errors.Join(err, s.avro.damageUnless(err, errAvroEnd))
	}
	s.pos += int(n)
	return s.buf[s.pos-int(n) : s.pos], nil
}

// nextBlock opens the next block; false is the sound end of the file.
func (s *Scanner) nextBlock() (bool, error) {
	c := &s.avro
	if c.pos != len(c.data) {
		return false, c.damage(fmt.Errorf("%d bytes are left in a block behind its last value", len(c.data)-c.pos))
	}
	c.read += int64(len(c.data))
	c.data, c.pos = nil, 0
	if there, err := s.need(1); err != nil || !there {
		return false, err
	}
	count, err := s.streamLong()
	if err != nil {
		return false, err
	}
	size, err := s.streamLong()
	if err != nil {
		return false, err
	}
	if size < 0 || size > int64(s.limits.RecordBytes) {
		return false, c.damage(fmt.Errorf("a block of %d bytes, at most %d are read", size, s.limits.RecordBytes))
	}
	// Both at once: what was read may move when more is.
	if there, err := s.need(int(size) + syncSize); err != nil || !there {
		return false, errors.Join(err, c.damageUnless(err, errAvroEnd))
	}
	packed := s.buf[s.pos : s.pos+int(size)]
	s.pos += int(size)
	if !bytes.Equal(s.buf[s.pos:s.pos+syncSize], c.marker[:]) {
		return false, c.damage(errors.New("a block does not end in the file's marker"))
	}
	if c.data, err = c.unpack(packed, s.limits.RecordBytes); err != nil {
		return false, c.damage(err)
	}
	if c.left = count; count < 0 || count > int64(len(c.data))+maxEmptyValues {
		return false, c.damage(fmt.Errorf("a block of %d bytes claims %d values", len(c.data), count))
	}
	s.pos += syncSize
	return true, nil
}

// zstdWindow is the window that every zstd decoder should allow (RFC 8878,
// section 3.1.1.1.2): writers that stream name theirs however short a block is.
const zstdWindow = 8 << 20

// unpack decompresses a block to at most limit bytes.
func (c *container) unpack(packed []byte, limit int) ([]byte, error) {
	var err error
	switch c.codec {
	case "null":
		return packed, nil
	case "deflate":
		if c.flate == nil {
			c.flate = flate.NewReader(bytes.NewReader(packed))
		} else if err := c.flate.(flate.Resetter).Reset(bytes.NewReader(packed), nil); err != nil {
			return nil, err
		}
		c.plain, err = readUpTo(c.plain[:0], c.flate, limit)
	case "bzip2":
		c.plain, err = readUpTo(c.plain[:0], bzip2.NewReader(bytes.NewReader(packed)), limit)
	case "snappy":
		if len(packed) < crc32.Size {
			return nil, errAvroEnd
		}
		body, sum := packed[:len(packed)-crc32.Size], packed[len(packed)-crc32.Size:]
		n, err := snappy.DecodedLen(body)
		if err != nil || n > limit {
			return nil, fmt.Errorf("a block decompresses to %d bytes, more than the limit of %d: %w", n, limit, err)
		}
		if c.plain, err = snappy.Decode(c.plain[:cap(c.plain)], body); err != nil {
			return nil, err
		}
		if crc32.ChecksumIEEE(c.plain) != binary.BigEndian.Uint32(sum) {
			return nil, errors.New("the checksum of a block differs")
		}
	case "zstandard":
		if c.zstd == nil {
			if c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(uint64(max(limit, zstdWindow)))); err != nil {
				return nil, err
			}
		}
		if c.plain, err = c.zstd.DecodeAll(packed, c.plain[:0]); err == nil && len(c.plain) > limit {
			err = fmt.Errorf("a block decompresses to more than the limit of %d bytes", limit)
		}
	}
	return c.plain, err
}

// readUpTo appends all of r to dst, an error when that is more than limit bytes.
func readUpTo(dst []byte, r io.Reader, limit int) ([]byte, error) {
	for {
		if len(dst) == cap(dst) {
			if len(dst) > limit {
				return dst, fmt.Errorf("a block decompresses to more than the limit of %d bytes", limit)
			}
			larger := make([]byte, len(dst), max(64<<10, 2*cap(dst)))
			copy(larger, dst)
			dst = larger
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		if err == io.EOF {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
}
