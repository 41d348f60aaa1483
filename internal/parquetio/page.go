package parquetio

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/parquet-go/parquet-go/format"
)

// maxPageRows bounds a page of NULLs.
const maxPageRows = 128 << 10

// numbersPart bounds the numbers of a page, which take 4 bytes each: a number
// for so many bytes of the page's size.
const numbersPart = 16

// runValues is how many values a run of bit-packed ones holds at most: 63
// groups of 8, so that its length fits one byte, as other writers have it.
const runValues = 63 * 8

// endPage compresses the open page and puts it behind the chunk's others.
func (c *chunk) endPage() {
	if c.rows == 0 {
		return
	}
	coded := c.coding && len(c.numbers) > 0 // a page of NULLs has no numbers, and perhaps there is no dictionary
	body := c.values
	if !c.required || coded {
		body = c.w.body[:0]
		if !c.required {
			body = append(body, 0, 0, 0, 0)
			body = appendLevels(body, c.levels, c.rows)
			binary.LittleEndian.PutUint32(body, uint32(len(body)-4))
		}
		if coded {
			width := max(1, bits.Len(uint(c.dict.n-1)))
			body = appendNumbers(append(body, byte(width)), c.numbers, width)
		} else {
			body = append(body, c.values...)
		}
		c.w.body = body
	}
	h := format.DataPageHeader{NumValues: int32(c.rows), Encoding: format.Plain, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}
	if coded {
		h.Encoding = format.RLEDictionary
		c.coded++
	}
	packed := c.w.codec.compress(body, &c.squeeze)
	header := appendPageHeader(c.w.header[:0], format.DataPage, len(body), packed, h)
	c.w.header = header
	c.pages.write(header)
	c.pages.write(packed)
	c.uncompressed += int64(len(header) + len(body))
	c.dataPages++
	c.total += int64(c.rows)
	c.totalNulls += int64(c.nulls)
	c.w.written += int64(len(header) + len(packed))
	c.startPage()
}

// dictionaryPage returns the header and the compressed body of the chunk's
// dictionary; nothing where no page uses one. Both are valid until the next
// page.
func (c *chunk) dictionaryPage() (header, body []byte) {
	if c.coded == 0 {
		return nil, nil
	}
	squeeze := undecided
	body = c.w.codec.compress(c.dict.plain, &squeeze)
	header = appendPageHeader(c.w.header[:0], format.DictionaryPage, len(c.dict.plain), body, format.DataPageHeader{NumValues: int32(c.dict.n), Encoding: format.Plain})
	c.w.header = header
	c.uncompressed += int64(len(header) + len(c.dict.plain))
	return header, body
}

// appendLevels appends n levels of one bit in runs (RLE): whole blocks that are
// all NULL or all values in one run, others bit by bit.
func appendLevels(dst, levels []byte, n int) []byte {
	for from := 0; from < n; {
		end := min(n, from+runValues)
		bit := levels[from>>3] & 1
		same := allBits(levels, from, end, bit)
		for same && end < n {
			next := min(n, end+runValues)
			if !allBits(levels, end, next, bit) {
				break
			}
			end = next
		}
		if same {
			dst = binary.AppendUvarint(dst, uint64(end-from)<<1)
			dst = append(dst, bit)
		} else {
			groups := (end - from + 7) / 8
			dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
			dst = append(dst, levels[from>>3:from>>3+groups]...)
		}
		from = end
	}
	return dst
}

// allBits reports whether bits [from, to) are all like bit; from is a multiple
// of 8.
func allBits(levels []byte, from, to int, bit byte) bool {
	whole := byte(-int8(bit))
	for ; from+8 <= to; from += 8 {
		if levels[from>>3] != whole {
			return false
		}
	}
	rest := byte(1)<<(to-from) - 1
	return from == to || levels[from>>3]&rest == whole&rest
}

// appendNumbers appends numbers of so many bits in runs (RLE), as appendLevels
// does.
func appendNumbers(dst []byte, numbers []uint32, width int) []byte {
	for len(numbers) > 0 {
		end := min(len(numbers), runValues)
		same := sameNumbers(numbers[:end], numbers[0])
		for same && end < len(numbers) {
			next := min(len(numbers), end+runValues)
			if !sameNumbers(numbers[end:next], numbers[0]) {
				break
			}
			end = next
		}
		if same {
			dst = binary.AppendUvarint(dst, uint64(end)<<1)
			for at := 0; at < width; at += 8 {
				dst = append(dst, byte(numbers[0]>>at))
			}
		} else {
			dst = binary.AppendUvarint(dst, uint64((end+7)/8)<<1|1)
			dst = packNumbers(dst, numbers[:end], width)
		}
		numbers = numbers[end:]
	}
	return dst
}

func sameNumbers(numbers []uint32, as uint32) bool {
	for _, n := range numbers {
		if n != as {
			return false
		}
	}
	return true
}

// packNumbers appends the low bits of the numbers, the first one lowest, and
// zeros up to a multiple of 8 numbers.
func packNumbers(dst []byte, numbers []uint32, width int) []byte {
	size := len(dst) + (len(numbers)+7)/8*width
	var held uint64
	filled := 0
	for _, n := range numbers {
		held |= uint64(n) << filled
		if filled += width; filled >= 32 {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(held))
			held >>= 32
			filled -= 32
		}
	}
	for ; filled > 0; filled -= 8 {
		dst = append(dst, byte(held))
		held >>= 8
	}
	for len(dst) < size {
		dst = append(dst, 0)
	}
	return dst
}

// The parts of Thrift's compact protocol that a page's header needs.
const (
	thriftI32    = 5
	thriftStruct = 12
	thriftStop   = 0
	thriftFalse  = 2
)

// appendPageHeader appends a format.PageHeader. It is written by hand because
// the library takes memory for each, and there are thousands.
func appendPageHeader(dst []byte, kind format.PageType, size int, packed []byte, h format.DataPageHeader) []byte {
	i32 := func(step byte, n int32) { // step: how far the field's number is behind the last one
		dst = binary.AppendVarint(append(dst, step<<4|thriftI32), int64(n))
	}
	i32(1, int32(kind))
	i32(1, int32(size))
	i32(1, int32(len(packed)))
	i32(1, int32(crc32.ChecksumIEEE(packed)))
	if kind == format.DictionaryPage {
		dst = append(dst, 3<<4|thriftStruct) // field 7
		i32(1, h.NumValues)
		i32(1, int32(h.Encoding))
		dst = append(dst, 1<<4|thriftFalse) // not sorted
	} else {
		dst = append(dst, 1<<4|thriftStruct) // field 5
		i32(1, h.NumValues)
		i32(1, int32(h.Encoding))
		i32(1, int32(h.DefinitionLevelEncoding))
		i32(1, int32(h.RepetitionLevelEncoding))
	}
	return append(dst, thriftStop, thriftStop)
}
