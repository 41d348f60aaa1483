package codec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"github.com/klauspost/compress/snappy"
)

const (
	xerialMagic  = "\x82SNAPPY\x00"
	xerialHeader = len(xerialMagic) + 8 // and two versions
	framedMagic  = "\xff\x06\x00\x00sNaPpY"

	// A snappy element of three bytes gives at most 64, so that a block is
	// never so many times longer than what it was read from.
	snappyRatio = 22
	snappySlack = 64

	firstRead = 64 << 10 // of a block whose length is only claimed so far
)

var (
	errSnappy   = errors.New("the snappy data is invalid")
	errBlock    = errors.New("a snappy block is larger than allowed")
	errVersion  = errors.New("the snappy stream needs a later version of its format")
	errOverhang = errors.New("a snappy block holds more than its header says")
)

// blocks reads the snappy streams that are raw blocks behind lengths: the
// framing of xerial's library and that of Hadoop. Neither has checksums, so
// that a flipped byte in a literal can't be noticed here.
type blocks struct {
	in     *bufio.Reader
	hadoop bool
	limit  int64  // most bytes of a block, packed or not
	packed []byte // scratch
	plain  []byte
	ready  []byte // decoded, not given yet
	left   int64  // Hadoop: bytes of the open block that are to come
}

func (b *blocks) start(in *bufio.Reader, hadoop bool, limit int64) {
	b.in, b.hadoop, b.limit, b.ready, b.left = in, hadoop, limit, nil, 0
}

// Read gives the bytes of all blocks.
func (b *blocks) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		if err := b.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// fill decodes the next raw block.
func (b *blocks) fill() error {
	if !b.hadoop {
		// Streams may be put together, each with its header.
		if head, _ := b.in.Peek(xerialHeader); hasPrefix(head, xerialMagic) {
			if len(head) < xerialHeader {
				return io.ErrUnexpectedEOF
			}
			if binary.BigEndian.Uint32(head[12:]) > 1 {
				return errVersion
			}
			_, _ = b.in.Discard(xerialHeader)
		}
	} else if b.left == 0 {
		whole, err := b.length(true)
		if err != nil {
			return err
		}
		if b.left = whole; whole == 0 {
			return nil
		}
	}
	size, err := b.length(!b.hadoop)
	if err != nil {
		return err
	}
	if b.packed, err = readBlock(b.in, b.packed[:0], size); err != nil {
		return err
	}
	if b.plain, err = unsnap(b.plain, b.packed, b.limit); err != nil {
		return err
	}
	b.ready = b.plain
	if b.hadoop {
		if b.left -= int64(len(b.plain)); b.left < 0 || len(b.plain) == 0 {
			return errOverhang
		}
	}
	return nil
}

// length reads a big-endian length; only where an end may be is it one.
func (b *blocks) length(mayEnd bool) (int64, error) {
	var word [4]byte
	if _, err := io.ReadFull(b.in, word[:]); err != nil {
		if mayEnd && err == io.EOF {
			return 0, err
		}
		return 0, cutOff(err)
	}
	n := int64(binary.BigEndian.Uint32(word[:]))
	if n > b.limit {
		return 0, errBlock
	}
	return n, nil
}

// readBlock appends n bytes. It takes memory for what is there, not for what a
// length claims.
func readBlock(in io.Reader, dst []byte, n int64) ([]byte, error) {
	for n > 0 {
		step := int(min(n, int64(max(firstRead, len(dst)))))
		from := len(dst)
		if cap(dst)-from < step {
			grown := make([]byte, from, from+step)
			copy(grown, dst)
			dst = grown
		}
		dst = dst[:from+step]
		if _, err := io.ReadFull(in, dst[from:]); err != nil {
			return dst, cutOff(err)
		}
		n -= int64(step)
	}
	return dst, nil
}

// unsnap decodes a raw block into dst's memory.
func unsnap(dst, packed []byte, limit int64) ([]byte, error) {
	n, err := snappy.DecodedLen(packed)
	switch {
	case err != nil:
		return nil, errSnappy
	case int64(n) > limit:
		return nil, errBlock
	case n > snappyRatio*len(packed)+snappySlack:
		return nil, errSnappy
	}
	plain, err := snappy.Decode(dst[:cap(dst)], packed)
	if err != nil {
		return nil, errSnappy
	}
	return plain, nil
}

// rawSnappy returns the content of an object that is one raw block. Nothing
// marks such an object, so that it is one only if all of it decodes to exactly
// the length it begins with; whatever begins like text has a short one.
func rawSnappy(in *bufio.Reader, limit int64) (plain, packed []byte, err error) {
	first, _ := in.Peek(sniffBytes)
	n, head := binary.Uvarint(first)
	if head <= 0 || n == 0 || n > uint64(limit) || len(first) == head || first[head]&3 != 0 {
		return nil, nil, nil
	}
	most := int64(n) + int64(n)/6 + 32 // what the format's writers need at most
	var object bytes.Buffer
	if most < int64(in.Size()) {
		whole, err := in.Peek(int(most) + 1)
		if err == nil {
			return nil, nil, nil
		}
		if plain, err := unsnap(nil, whole, limit); err == nil && len(plain) == int(n) {
			_, _ = in.Discard(len(whole))
			return plain, nil, nil
		}
		return nil, nil, nil
	}
	if _, err = object.ReadFrom(io.LimitReader(in, most+1)); err != nil {
		return nil, nil, err
	}
	if int64(object.Len()) <= most {
		if plain, err := unsnap(nil, object.Bytes(), limit); err == nil && len(plain) == int(n) {
			return plain, nil, nil
		}
	}
	return nil, object.Bytes(), nil
}
