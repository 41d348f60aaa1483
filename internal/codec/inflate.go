package codec

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
)

const (
	literalRoot = 11
	distRoot    = 9

	history    = 32 << 10  // how far back a match may reach
	windowSize = 128 << 10 // history and what was inflated and not yet taken
	longestRun = 258
	// A turn of the loop may write so much behind the window: three literals or
	// a match, rounded up to eight bytes.
	stepBytes = longestRun + 16
	// A turn loads eight bytes so far past where it begins.
	slack = 32
	// The longest header of a block with Huffman codes has 562 bytes.
	lookBytes = 1 << 10
)

var errDeflate = errors.New("the compressed data is invalid")

// inflater decodes one deflate stream after another (RFC 1951) into a window
// of its own:
//
//	window  ┌─────────────┬──────────────────┬────────────────┐
//	        │ history     │ not yet taken    │ free           │
//	        └─────────────┴──────────────────┴────────────────┘
//	0                 taken              filled
//
// It is faster than the libraries at hand because it looks at eleven bits of
// input at once, keeps up to 63 bits in a register, takes a code and the bits
// behind it in one step, and copies matches eight bytes at a time. It uses no
// byte behind the stream's end.
type inflater struct {
	in    *bufio.Reader
	src   []byte // unread input, and slack bytes behind limit
	limit int    // in src, where the last step may begin
	last  bool   // the input ends at limit
	tail  [lookBytes + slack]byte

	pos  int    // in src
	bits uint64 // input taken from src and not used, lowest bit first
	n    uint   // how many

	state  blockState
	final  bool // no block follows
	stored int  // bytes left of a stored block
	err    error
	fixed  bool // the tables are those of the fixed codes

	taken, filled int // places in the window
	meanings      *meanings
	lengths       [literalCodes + distCodes]uint8
	literals      [1 << (literalRoot + 1)]entry // at most 2,342 are needed
	dists         [1 << (distRoot + 1)]entry    // at most 594
	window        [windowSize + stepBytes]byte
}

// blockState is where the stream stands.
type blockState uint8

const (
	atHeader blockState = iota // of the next block
	inStored
	inCodes
	atEnd
)

// start begins a stream at the input's next byte.
func (z *inflater) start(in *bufio.Reader) {
	if z.meanings == nil {
		z.meanings = newMeanings()
	}
	z.in, z.state, z.err = in, atHeader, nil
	z.bits, z.n = 0, 0
	z.taken, z.filled = 0, 0
}

// more inflates until the window is full or the stream ends or breaks, and
// returns what is new, which is valid until the next call. An error comes alone;
// io.EOF is the stream's end.
func (z *inflater) more() ([]byte, error) {
	if z.filled > windowSize-history {
		copy(z.window[:history], z.window[z.filled-history:z.filled])
		z.filled = history
	}
	z.taken = z.filled
	for z.err == nil && z.filled < windowSize {
		switch z.state {
		case atHeader:
			z.err = z.header()
		case inStored:
			z.err = z.copyStored()
		case inCodes:
			z.err = z.codes()
		case atEnd:
			z.err = io.EOF
		}
	}
	if z.filled > z.taken {
		return z.window[z.taken:z.filled], nil
	}
	return nil, z.err
}

// look makes src the unread input: lookBytes of it or more, else all there is
// with zeros behind it.
func (z *inflater) look() error {
	z.pos = 0
	p, err := z.in.Peek(lookBytes)
	if z.last = err == io.EOF; z.last {
		z.limit = copy(z.tail[:], p)
		clear(z.tail[z.limit:])
		z.src = z.tail[:z.limit+slack]
		return nil
	}
	if err == nil {
		z.src, err = z.in.Peek(z.in.Buffered())
		z.limit = len(z.src) - slack
	}
	return err
}

// leave ends the use of src: it gives back what was not used but for the bits of
// a byte that was begun.
func (z *inflater) leave() error {
	z.pos -= int(z.n >> 3)
	z.n &= 7
	z.bits &= 1<<z.n - 1
	if z.last && z.pos > z.limit {
		return io.ErrUnexpectedEOF
	}
	_, err := z.in.Discard(z.pos)
	return err
}

// need has at least k ≤ 56 bits at hand. Behind the input's end they are
// anything; leave finds that out.
func (z *inflater) need(k uint) {
	if z.n < k {
		at := min(z.pos, len(z.src)-8)
		z.bits |= binary.LittleEndian.Uint64(z.src[at:]) << (z.n & 63)
		z.pos += int((63 - z.n) >> 3)
		z.n |= 56
	}
}

// take returns the next k bits.
func (z *inflater) take(k uint) int {
	z.need(k)
	v := z.bits & (1<<(k&63) - 1)
	z.bits >>= k & 63
	z.n -= k
	return int(v)
}

// codes decodes symbols of a block until it ends, the window is full, or the
// input must be looked at anew.
func (z *inflater) codes() error {
	if err := z.look(); err != nil {
		return err
	}
	end, err := z.symbols()
	if short := z.leave(); short != nil {
		return short
	}
	if end {
		z.endBlock()
	}
	return err
}

func (z *inflater) endBlock() {
	z.state = atHeader
	if z.final {
		z.state = atEnd
	}
}

// symbols is the loop where the time goes. Each turn begins with at least 56
// bits at hand: enough for two literals, a length and the bits behind it, or
// for three literals; then for a distance.
func (z *inflater) symbols() (end bool, err error) {
	src, out, literals, dists := z.src, &z.window, &z.literals, &z.dists
	pos, bits, n, w, before, limit := z.pos, z.bits, z.n, z.filled, z.filled, z.limit<<3
	for pos<<3-int(n) <= limit && w < windowSize {
		before = w
		bits |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos, n = pos+int((63-n)>>3), n|56
		e := literals[bits&(1<<literalRoot-1)]
		if e&isLiteral != 0 {
			out[w] = byte(e >> valueShift)
			w++
			bits, n = bits>>(e&allMask), n-uint(e&allMask)
			e = literals[bits&(1<<literalRoot-1)]
			if e&isLiteral != 0 {
				out[w] = byte(e >> valueShift)
				w++
				bits, n = bits>>(e&allMask), n-uint(e&allMask)
				e = literals[bits&(1<<literalRoot-1)]
			}
		}
		if e&isTable != 0 {
			bits, n = bits>>literalRoot, n-literalRoot
			e = literals[(uint64(e>>valueShift)+bits&(1<<(e>>codeShift&codeMask)-1))&(1<<(literalRoot+1)-1)]
		}
		code := bits
		bits, n = bits>>(e&allMask), n-uint(e&allMask)
		if e&(isLiteral|isSpecial) != 0 {
			if e&isLiteral != 0 {
				out[w] = byte(e >> valueShift)
				w++
				continue
			}
			if end = e&isEnd != 0; !end {
				err = errDeflate
			}
			break
		}
		length := int(e>>valueShift) + int(code&(1<<(e&allMask)-1)>>(e>>codeShift&codeMask))
		bits |= binary.LittleEndian.Uint64(src[pos:]) << (n & 63)
		pos, n = pos+int((63-n)>>3), n|56
		d := dists[bits&(1<<distRoot-1)]
		if d&isTable != 0 {
			bits, n = bits>>distRoot, n-distRoot
			d = dists[(uint64(d>>valueShift)+bits&(1<<(d>>codeShift&codeMask)-1))&(1<<(distRoot+1)-1)]
		}
		back := int(d>>valueShift) + int(bits&(1<<(d&allMask)-1)>>(d>>codeShift&codeMask))
		bits, n = bits>>(d&allMask), n-uint(d&allMask)
		if d&isSpecial != 0 || back > w {
			err = errDeflate
			break
		}
		stop := w + length
		if from := w - back; back >= 8 {
			for ; w < stop; w, from = w+8, from+8 {
				binary.LittleEndian.PutUint64(out[w:], binary.LittleEndian.Uint64(out[from:]))
			}
			w = stop
		} else {
			for ; w < stop; w, from = w+1, from+1 {
				out[w] = out[from]
			}
		}
	}
	z.pos, z.bits, z.n, z.filled = pos, bits, n, w
	if z.last && pos<<3-int(n) > limit {
		z.filled = before // the turn used bits that are not there
	}
	return end, err
}
