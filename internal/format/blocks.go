package format

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
)

// The library decompresses snappy into the size that the block names, LZ4 into a
// buffer that it doubles until the block fits, which one that is damaged never
// does, and the others for as long as there is more. So blocks are looked at
// before it sees them.

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
	case format.Lz4Raw, format.Zstd, format.Gzip, format.Brotli:
		if p.blocks == nil {
			p.blocks = bufio.NewReaderSize(nil, readBytes)
		}
		p.blocks.Reset(io.NewSectionReader(p.spool, at, size))
		if err := p.become(codec, plain); err != nil {
			return damaged(err)
		}
	}
	return nil
}

// become checks that a block becomes no more than most bytes, or, where its own
// headers are enough for that, than the pages may take.
func (p *Parquet) become(codec format.CompressionCodec, most int64) (err error) {
	var plain io.Reader
	switch codec {
	case format.Lz4Raw:
		return walkLZ4(p.blocks, most)
	case format.Zstd:
		return walkZstd(p.blocks, max(most, p.limits.PageBytes))
	case format.Brotli:
		plain = brotli.NewReader(p.blocks)
	default:
		if p.inflate == nil {
			p.inflate = new(gzip.Reader)
		}
		err, plain = p.inflate.Reset(p.blocks), p.inflate
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(plain, most+1))
	if err == nil && n > most {
		err = fmt.Errorf("a page has more than the %d bytes that its header says", most)
	}
	return err
}

// maxZstdBlock is the most that a compressed block of zstd becomes.
const maxZstdBlock = 128 << 10

// walkZstd adds up what the blocks of all frames may become, by their headers.
func walkZstd(r *bufio.Reader, most int64) error {
	for n := int64(0); ; {
		head, err := r.Peek(zstd.HeaderMaxSize)
		if len(head) == 0 && err == io.EOF {
			return nil
		}
		var h zstd.Header
		if err := h.Decode(head); err != nil {
			return fmt.Errorf("a page's zstd frame: %w", err)
		}
		if _, err := r.Discard(h.HeaderSize); err != nil {
			return err
		}
		rest := int64(h.SkippableSize)
		if h.HasCheckSum {
			rest = 4
		}
		for last := h.Skippable; !last; {
			var b [3]byte
			if _, err := io.ReadFull(r, b[:]); err != nil {
				return fmt.Errorf("a page's zstd block: %w", err)
			}
			word := int64(b[0]) | int64(b[1])<<8 | int64(b[2])<<16
			size, becomes := word>>3, word>>3
			switch word >> 1 & 3 {
			case 1: // one byte, repeated
				size = 1
			case 2:
				becomes = maxZstdBlock
			}
			if n += becomes; n > most {
				return fmt.Errorf("a page's zstd blocks may become more than %d bytes", most)
			}
			if _, err := io.CopyN(io.Discard, r, size); err != nil {
				return fmt.Errorf("a page's zstd block: %w", err)
			}
			last = word&1 == 1
		}
		if _, err := io.CopyN(io.Discard, r, rest); err != nil {
			return fmt.Errorf("a page's zstd frame: %w", err)
		}
	}
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
