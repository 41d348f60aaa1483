package codec

import (
	"encoding/binary"
	"io"
)

// The kinds of deflate blocks.
const (
	storedBlock = iota
	fixedBlock
	dynamicBlock
)

// header reads the header of a block and prepares for what is in it.
func (z *inflater) header() error {
	if err := z.look(); err != nil {
		return err
	}
	final, kind := z.take(1) == 1, z.take(2)
	sound := true
	switch kind {
	case storedBlock:
		z.state = inStored
	case fixedBlock:
		z.state = inCodes
		z.setFixed()
	case dynamicBlock:
		z.state = inCodes
		sound = z.readCodes()
	default:
		sound = false
	}
	if err := z.leave(); err != nil {
		return err
	}
	if !sound {
		return errDeflate
	}
	z.final = final
	if kind == storedBlock {
		return z.startStored()
	}
	return nil
}

// startStored reads the length of a stored block, twice there, at the next byte.
func (z *inflater) startStored() error {
	z.bits, z.n = 0, 0
	var head [4]byte
	if _, err := io.ReadFull(z.in, head[:]); err != nil {
		return cutOff(err)
	}
	size, check := binary.LittleEndian.Uint16(head[:]), binary.LittleEndian.Uint16(head[2:])
	if size != ^check {
		return errDeflate
	}
	z.stored = int(size)
	return nil
}

// cutOff says that the input must not end here.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// copyStored copies what the input has at hand of a stored block.
func (z *inflater) copyStored() error {
	if z.stored > 0 {
		n, err := z.in.Read(z.window[z.filled:min(z.filled+z.stored, windowSize)])
		z.filled += n
		z.stored -= n
		if err != nil {
			return cutOff(err)
		}
	}
	if z.stored == 0 {
		z.endBlock()
	}
	return nil
}

// setFixed makes the tables those of the fixed codes.
func (z *inflater) setFixed() {
	if z.fixed {
		return
	}
	lengths := &z.lengths
	for i := range literalCodes {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	for i := range distCodes {
		lengths[literalCodes+i] = 5
	}
	// Both are whole codes.
	z.fixed = buildTable(z.literals[:], literalRoot, lengths[:literalCodes], z.meanings.literals[:]) &&
		buildTable(z.dists[:], distRoot, lengths[literalCodes:], z.meanings.dists[:])
}

// lengthOrder is the order in which a block gives the lengths of its first code.
var lengthOrder = [lengthCodes]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// The code for code lengths: symbols up to 15 are lengths, the others repeat.
const (
	lengthRoot  = 7
	repeatLast  = 16
	repeatZero  = 17
	repeatZeros = 18
)

// readCodes reads the codes of a block; it reports false when they are none.
func (z *inflater) readCodes() bool {
	z.fixed = false
	literals, dists, given := z.take(5)+257, z.take(5)+1, z.take(4)+4
	if literals > usedLiterals || dists > usedDists {
		return false
	}
	var first [lengthCodes]uint8
	for _, symbol := range lengthOrder[:given] {
		first[symbol] = uint8(z.take(3))
	}
	if !buildTable(z.literals[:], lengthRoot, first[:], z.meanings.plain[:]) {
		return false
	}
	lengths := z.lengths[:literals+dists]
	for i := 0; i < len(lengths); {
		symbol, ok := z.lengthSymbol()
		if !ok {
			return false
		}
		if symbol < repeatLast {
			lengths[i] = uint8(symbol)
			i++
			continue
		}
		value, times := uint8(0), 0
		switch symbol {
		case repeatLast:
			if i == 0 {
				return false
			}
			value, times = lengths[i-1], 3+z.take(2)
		case repeatZero:
			times = 3 + z.take(3)
		case repeatZeros:
			times = 11 + z.take(7)
		}
		if times > len(lengths)-i {
			return false
		}
		for range times {
			lengths[i] = value
			i++
		}
	}
	return buildTable(z.literals[:], literalRoot, lengths[:literals], z.meanings.literals[:]) &&
		buildTable(z.dists[:], distRoot, lengths[literals:], z.meanings.dists[:])
}

// lengthSymbol decodes one symbol of the code for code lengths.
func (z *inflater) lengthSymbol() (int, bool) {
	z.need(lengthRoot)
	e := z.literals[z.bits&(1<<lengthRoot-1)]
	if e&isSpecial != 0 {
		return 0, false
	}
	z.bits >>= e & allMask
	z.n -= uint(e & allMask)
	return int(e >> valueShift), true
}
