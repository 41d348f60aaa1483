package parquetio

import (
	"encoding/binary"
	"errors"
	"fmt"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// chunk is one column of the open row group: its pages, compressed, and the
// page that is being filled.
//
//	vector ─▶ values (PLAIN) or numbers (of a dictionary), levels ─▶ page ─▶ pages
type chunk struct {
	column
	w *Writer

	// The open page.
	rows    int      // NULLs included
	nulls   int      // among them
	levels  []byte   // of an optional column: a bit for each row, set where it has a value
	values  []byte   // PLAIN
	bits    int      // schema.Boolean: values in the last byte of values
	numbers []uint32 // instead of values, while the dictionary is in use
	plain   int      // bytes that the numbers' values take

	dict   dictionary
	coding bool // values enter by their number
	unfit  bool // the file's values are too many for a dictionary

	squeeze squeeze // how pages are compressed

	// The chunk so far.
	pages        segments
	dataPages    int
	coded        int   // pages of them that hold numbers
	total        int64 // values, NULLs included
	totalNulls   int64
	uncompressed int64 // bytes of the pages before compression, with their headers
}

// leastValues is the first room for the values of a page.
const leastValues = 4 << 10

// begin empties the chunk for another row group.
func (c *chunk) begin() {
	c.startPage()
	c.dict.clear()
	c.coding = c.mayRepeat && !c.unfit
	c.squeeze = undecided
	c.pages.clear()
	c.dataPages, c.coded, c.total, c.totalNulls, c.uncompressed = 0, 0, 0, 0, 0
}

func (c *chunk) startPage() {
	c.rows, c.nulls, c.bits, c.plain = 0, 0, 0, 0
	c.levels, c.values, c.numbers = c.levels[:0], c.values[:0], c.numbers[:0]
}

// open returns the bytes that the open page holds.
func (c *chunk) open() int { return len(c.values) + c.plain + len(c.levels) }

// full reports whether the page ends here.
func (c *chunk) full() bool {
	page := c.w.opts.PageBytes
	return c.open() >= page || c.rows >= maxPageRows || len(c.numbers) >= page/numbersPart
}

var errRequired = errors.New("NULL in a required column")

// add appends rows [from, to) of the vector.
func (c *chunk) add(v *columns.Vector, from, to int) error {
	for row := from; row < to; row++ {
		if v.Null[row] {
			if c.required {
				return fmt.Errorf("row %d of the batch: %w", row, errRequired)
			}
			c.level(0)
			c.nulls++
			c.rows++
			continue
		}
		if !c.required {
			c.level(1)
		}
		c.rows++
		var err error
		switch {
		case v.Shape == schema.Int:
			err = c.addInt(v.I[row])
		case v.Shape == schema.Wide:
			err = c.addWide(v.S[row])
		default:
			err = c.addText(v.S[row])
		}
		if err != nil {
			return fmt.Errorf("row %d of the batch: %w", row, err)
		}
		if c.full() {
			c.judge()
			c.endPage()
		}
	}
	c.judge()
	return nil
}

// level notes whether the next row has a value.
func (c *chunk) level(bit byte) {
	if c.rows&7 == 0 {
		c.levels = append(c.levels, 0)
	}
	c.levels[c.rows>>3] |= bit << (c.rows & 7)
}

func (c *chunk) addInt(n int64) error {
	if n < c.low || n > c.high {
		return fmt.Errorf("%d does not fit %s", n, c.typ)
	}
	switch {
	case c.coding:
		c.number(c.dict.int(n, c.size), c.size)
	case c.size == 8:
		c.room(8)
		c.values = binary.LittleEndian.AppendUint64(c.values, uint64(n))
	case c.size == 4:
		c.room(4)
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(n))
	default:
		if c.bits&7 == 0 {
			c.values = append(c.values, 0)
		}
		c.values[len(c.values)-1] |= byte(n) << (c.bits & 7)
		c.bits++
	}
	return nil
}

func (c *chunk) addWide(s []byte) error {
	if !c.fitsWide(s) {
		return fmt.Errorf("0x%x does not fit %s", s, c.typ)
	}
	c.room(c.length)
	c.values = append(c.values, s[16-c.length:]...)
	return nil
}

func (c *chunk) addText(s []byte) error {
	if len(s) > c.length {
		return fmt.Errorf("%d bytes do not fit %s", len(s), c.typ)
	}
	if c.coding {
		c.number(c.dict.text(s), 4+len(s))
		return nil
	}
	c.room(4 + len(s))
	c.values = binary.LittleEndian.AppendUint32(c.values, uint32(len(s)))
	c.values = append(c.values, s...)
	return nil
}

// room makes room for n more bytes of values.
func (c *chunk) room(n int) {
	if len(c.values)+n > cap(c.values) {
		c.grow(n)
	}
}

// grow doubles the room, up to a page and the value that ends it: append would
// go in smaller steps and beyond.
func (c *chunk) grow(n int) {
	size := min(2*cap(c.values), c.w.opts.PageBytes+n)
	c.values = append(make([]byte, 0, max(size, len(c.values)+n, leastValues)), c.values...)
}

func (c *chunk) number(n uint32, size int) {
	c.numbers = append(c.numbers, n)
	c.plain += size
}

// judge looks whether the dictionary pays: where values are many, looking them
// up takes longer than compressing them, and their pages become larger.
func (c *chunk) judge() {
	if !c.coding {
		return
	}
	values := c.total + int64(c.rows) - c.totalNulls - int64(c.nulls)
	few, limit := int64(c.dict.n) <= max(values/4, fewValues), c.w.opts.dictionaryBytes()
	if few && c.dict.bytes() <= limit && c.dict.n <= limit/dictionaryValue {
		return
	}
	c.giveUp()
}

// giveUp ends the use of the dictionary. Pages that use it stay, if there are
// any; the open one becomes plain.
func (c *chunk) giveUp() {
	c.coding, c.unfit = false, true
	c.room(c.plain)
	for _, n := range c.numbers {
		c.values = c.dict.appendTo(c.values, n)
	}
	c.numbers, c.plain = c.numbers[:0], 0
	if c.coded == 0 {
		c.dict.clear()
	}
}
