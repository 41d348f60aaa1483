package parquetio

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// A dictionary is given up when its values take more than so many bytes, or a
// quarter of a page, when they are more than one for each dictionaryValue of
// that, or when more than one in four values is new. Up to fewValues are never
// too many.
const (
	dictionaryBytes = 128 << 10
	dictionaryValue = 16
	fewValues       = 256
)

func (o Options) dictionaryBytes() int { return min(dictionaryBytes, o.PageBytes/4) }

// dictionary numbers the distinct values of a chunk in the order in which they
// come, so that equal input gives equal files.
type dictionary struct {
	n      int
	plain  []byte   // the values, PLAIN
	starts []uint32 // of each value in plain
	table  []uint32 // open addressing: number plus 1, or 0
	last   uint32   // number of the value asked for last
	seed   maphash.Seed
	fixed  int // bytes of a value; 0: they carry their length
}

// minTable is the least size of the table; it is kept half empty.
const minTable = 64

func (d *dictionary) bytes() int { return len(d.plain) }

func (d *dictionary) clear() {
	d.n, d.plain, d.starts, d.last = 0, d.plain[:0], d.starts[:0], 0
	clear(d.table)
}

// appendTo appends a value, PLAIN.
func (d *dictionary) appendTo(dst []byte, n uint32) []byte {
	return append(dst, d.stored(n)...)
}

func (d *dictionary) stored(n uint32) []byte {
	end := len(d.plain)
	if int(n)+1 < d.n {
		end = int(d.starts[n+1])
	}
	return d.plain[d.starts[n]:end]
}

// int returns the number of an integer of 4 or 8 bytes.
func (d *dictionary) int(v int64, size int) uint32 {
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], uint64(v))
	d.fixed = size
	if d.n > 0 && d.intAt(d.last) == v {
		return d.last
	}
	d.grow()
	mask := uint32(len(d.table) - 1)
	for at := hashInt(v) & mask; ; at = (at + 1) & mask {
		n := d.table[at]
		if n == 0 {
			d.table[at] = uint32(d.n) + 1
			return d.add(key[:size])
		}
		if d.intAt(n-1) == v {
			d.last = n - 1
			return d.last
		}
	}
}

func (d *dictionary) intAt(n uint32) int64 {
	if d.fixed == 4 {
		return int64(int32(binary.LittleEndian.Uint32(d.plain[4*n:])))
	}
	return int64(binary.LittleEndian.Uint64(d.plain[8*n:]))
}

func hashInt(v int64) uint32 {
	hi, lo := bits.Mul64(uint64(v), 0x9e3779b97f4a7c15)
	return uint32(hi ^ lo ^ lo>>32)
}

// text returns the number of a text.
func (d *dictionary) text(s []byte) uint32 {
	d.fixed = 0
	if d.n > 0 && bytes.Equal(d.stored(d.last)[4:], s) {
		return d.last
	}
	d.grow()
	mask := uint32(len(d.table) - 1)
	for at := d.hashText(s) & mask; ; at = (at + 1) & mask {
		n := d.table[at]
		if n == 0 {
			d.table[at] = uint32(d.n) + 1
			d.starts = append(d.starts, uint32(len(d.plain)))
			d.plain = binary.LittleEndian.AppendUint32(d.plain, uint32(len(s)))
			d.plain = append(d.plain, s...)
			d.last = uint32(d.n)
			d.n++
			return d.last
		}
		if bytes.Equal(d.stored(n - 1)[4:], s) {
			d.last = n - 1
			return d.last
		}
	}
}

func (d *dictionary) hashText(s []byte) uint32 {
	if d.seed == (maphash.Seed{}) {
		d.seed = maphash.MakeSeed()
	}
	return uint32(maphash.Bytes(d.seed, s))
}

func (d *dictionary) add(stored []byte) uint32 {
	d.starts = append(d.starts, uint32(len(d.plain)))
	d.plain = append(d.plain, stored...)
	d.last = uint32(d.n)
	d.n++
	return d.last
}

// grow keeps the table half empty.
func (d *dictionary) grow() {
	if 2*(d.n+1) <= len(d.table) {
		return
	}
	if size := max(minTable, 2*len(d.table)); size <= cap(d.table) {
		d.table = d.table[:size]
		clear(d.table)
	} else {
		d.table = make([]uint32, size)
	}
	mask := uint32(len(d.table) - 1)
	for n := range uint32(d.n) {
		var at uint32
		if d.fixed != 0 {
			at = hashInt(d.intAt(n))
		} else {
			at = d.hashText(d.stored(n)[4:])
		}
		at &= mask
		for d.table[at] != 0 {
			at = (at + 1) & mask
		}
		d.table[at] = n + 1
	}
}
