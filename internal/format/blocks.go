package format

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// The library decompresses snappy into the size that the block names, and LZ4
// into a buffer that it doubles until the block fits, which one that is damaged
// never does. So blocks are looked at before it sees them.

var errLZ4 = errors.New("a page's LZ4 block is damaged")

// surveyBlock checks that a page's bytes, which are compressed, become no more
// than its header says.
func (p *Parquet) surveyBlock(h *format.PageHeader, codec format.CompressionCodec, at int64) error {
	size, plain := int64(h.CompressedPageSize), int64(h.UncompressedPageSize)
	if v := &h.DataPageHeaderV2.V; h.DataPageHeaderV2.Valid {
		if v.IsCompressed.Valid && !v.IsCompressed.V {
			return nil
		}
		levels := int64(v.RepetitionLevelsByteLength) + int64(v.DefinitionLevelsByteLength)
		if v.RepetitionLevelsByteLength < 0 || v.DefinitionLevelsByteLength < 0 || levels > size {
			return damaged(fmt.Errorf("a page of %d bytes claims levels of %d", size, levels))
		}
		at, size = at+levels, size-levels
	}
	if size == 0 {
		return nil
	}
	switch codec {
	case format.Snappy:
		var head [binary.MaxVarintLen64]byte
		some := head[:min(size, int64(len(head)))]
		if _, err := p.spool.ReadAt(some, at); err != nil {
			return damaged(err)
		}
		if n, used := binary.Uvarint(some); used <= 0 || n > uint64(plain) {
			return damaged(fmt.Errorf("a page's snappy block has %d bytes, and its header says %d", n, plain))
		}
	case format.Lz4Raw:
		if p.blocks == nil {
			p.blocks = bufio.NewReaderSize(nil, readBytes)
		}
		p.blocks.Reset(io.NewSectionReader(p.spool, at, size))
		if err := walkLZ4(p.blocks, plain); err != nil {
			return damaged(err)
		}
	}
	return nil
}

// walkLZ4 reads a block's sequences: literals, then a copy of earlier bytes,
// but for the last one, which has literals alone. It must become no more than
// most bytes.
func walkLZ4(r *bufio.Reader, most int64) error {
	for n := int64(0); ; {
		token, err := r.ReadByte()
		if err != nil {
			return errLZ4
		}
		literals, err := lz4Length(r, int64(token>>4), most)
		if n += literals; err != nil || n > most {
			return errLZ4
		}
		if _, err := r.Discard(int(literals)); err != nil {
			return errLZ4
		}
		low, err := r.ReadByte()
		if err == io.EOF && token&15 == 0 && (literals > 0 || n == 0) {
			return nil
		}
		high, err2 := r.ReadByte()
		back := int64(high)<<8 | int64(low)
		if err != nil || err2 != nil || back == 0 || back > n {
			return errLZ4
		}
		match, err := lz4Length(r, int64(token&15), most)
		if n += match + 4; err != nil || n > most {
			return errLZ4
		}
	}
}

// lz4Length reads the rest of a length of which a token has four bits.
func lz4Length(r *bufio.Reader, n, most int64) (int64, error) {
	if n < 15 {
		return n, nil
	}
	for n <= most {
		b, err := r.ReadByte()
		if err != nil {
			return 0, errLZ4
		}
		if n += int64(b); b != 255 {
			return n, nil
		}
	}
	return 0, errLZ4
}
