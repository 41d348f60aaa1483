package parquetio

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/huff0"
	"github.com/klauspost/compress/zstd"
)

// zstdWindow is how far back compression looks. The library's own 4 MiB would
// cost 8 MiB of history a writer, for pages that are smaller than this.
const zstdWindow = 1 << 20

// squeeze is how a chunk's pages are made into zstd frames.
type squeeze uint8

const (
	undecided squeeze = iota
	matching          // repetitions are looked for, by the library
	entropy           // only rare bytes become longer than frequent ones
)

// sampleBytes of a chunk's first page decide. Looking for repetitions takes
// three to four times as long: it must make pages smaller by an eighth.
const (
	sampleBytes = 16 << 10
	worthMore   = 8 // parts
)

// codec compresses pages. It is set to the fastest level, because the next
// costs a quarter more of the whole work for 4 % of the size.
type codec struct {
	encoder *zstd.Encoder
	huff    huff0.Scratch
	packed  []byte // a block by huff, which forgets its own memory after a block that can't be made smaller
	out     []byte // what compress returned last
	trial   []byte
}

func newCodec() (*codec, error) {
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
	return &codec{encoder: e, huff: huff0.Scratch{Reuse: huff0.ReusePolicyNone}, packed: make([]byte, 0, packedBytes)}, nil
}

// compress returns the page as a zstd frame, which is valid until the next
// call. What is undecided is decided by this page.
func (c *codec) compress(page []byte, how *squeeze) []byte {
	if *how == undecided {
		sample := page[:min(len(page), sampleBytes)]
		c.trial = c.encoder.EncodeAll(sample, c.trial[:0])
		c.out = c.squeezed(c.out[:0], sample)
		*how = entropy
		if len(c.trial)+len(c.trial)/worthMore < len(c.out) {
			*how = matching
		}
	}
	if *how == entropy {
		c.out = c.squeezed(c.out[:0], page)
	} else {
		c.out = c.encoder.EncodeAll(page, c.out[:0])
	}
	return c.out
}

// The parts of the zstd format (RFC 8878) that squeezed writes.
const (
	zstdMagic     = 0xfd2fb528
	oneSegment    = 0b10_1_00000            // the frame's header: a size of 4 bytes follows
	blockBytes    = 128 << 10               // the longest block
	packedBytes   = blockBytes/8*11 + 1<<10 // what it takes at 11 bits a byte, the longest code, with its table
	rawBlock      = 0
	packedBlock   = 2
	packedLiteral = 2 // Huffman codes with their table
	fourStreams   = 3 // sizes of 18 bits
	literalHeader = 5 // bytes
)

// squeezed appends a zstd frame whose blocks hold literals alone, in Huffman
// codes. Random digits and small numbers have no repetitions to look for, and
// become as small by this.
func (c *codec) squeezed(dst, page []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, zstdMagic)
	dst = append(dst, oneSegment)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(page)))
	for last := false; !last; {
		block := page[:min(len(page), blockBytes)]
		page = page[len(block):]
		last = len(page) == 0
		c.huff.Out = c.packed
		packed, _, err := huff0.Compress4X(block, &c.huff)
		if size := literalHeader + len(packed) + 1; err == nil && size < len(block) {
			dst = appendBlock(dst, packedBlock, size, last)
			dst = appendLow(dst, packedLiteral|fourStreams<<2|uint64(len(block))<<4|uint64(len(packed))<<22, literalHeader)
			dst = append(dst, packed...)
			dst = append(dst, 0) // sequences
			continue
		}
		// What can't be made smaller (huff0 says so by an error) stands as it is.
		dst = append(appendBlock(dst, rawBlock, len(block), last), block...)
	}
	return dst
}

func appendBlock(dst []byte, kind, size int, last bool) []byte {
	header := uint64(kind)<<1 | uint64(size)<<3
	if last {
		header |= 1
	}
	return appendLow(dst, header, 3)
}

// appendLow appends the low n bytes of v, the lowest first.
func appendLow(dst []byte, v uint64, n int) []byte {
	for range n {
		dst = append(dst, byte(v))
		v >>= 8
	}
	return dst
}
