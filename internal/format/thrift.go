package format

import (
	"encoding/binary"
	"errors"
)

// Limits of a file's metadata: the library takes memory for what a list claims.
const (
	maxItems   = 4_000_000
	maxStructs = 200_000
	maxThrift  = 32 // levels of nesting
)

var errThrift = errors.New("its metadata is invalid, or has more entries than are read")

// The types of Thrift's compact protocol, as numbers.
const (
	thriftFalse  = 2
	thriftByte   = 3
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12
)

// walker steps over a value of Thrift's compact protocol and checks that all
// that it claims is there.
type walker struct {
	b              []byte
	pos            int
	items, structs int
}

// structure steps over one structure.
func (w *walker) structure(depth int) bool {
	if depth > maxThrift {
		return false
	}
	for w.pos < len(w.b) {
		head := w.b[w.pos]
		w.pos++
		if head == 0 {
			return true
		}
		if head>>4 == 0 {
			if _, ok := w.number(); !ok {
				return false
			}
		}
		if kind := head & 15; kind > thriftFalse || kind == 0 {
			if !w.value(kind, depth) {
				return false
			}
		}
	}
	return false
}

func (w *walker) number() (uint64, bool) {
	n, size := binary.Uvarint(w.b[w.pos:])
	if size <= 0 {
		return 0, false
	}
	w.pos += size
	return n, true
}

func (w *walker) bytes(n uint64) bool {
	if n > uint64(len(w.b)-w.pos) {
		return false
	}
	w.pos += int(n)
	return true
}

// value steps over a value of the kind; truth values have a byte of their own
// in lists and maps only.
func (w *walker) value(kind byte, depth int) bool {
	switch {
	case kind == 0:
		return false
	case kind <= thriftByte:
		return w.bytes(1)
	case kind <= thriftI64:
		_, ok := w.number()
		return ok
	case kind == thriftDouble:
		return w.bytes(8)
	case kind == thriftBinary:
		n, ok := w.number()
		return ok && w.bytes(n)
	case kind == thriftList, kind == thriftSet:
		if !w.bytes(1) {
			return false
		}
		head := w.b[w.pos-1]
		n, ok := uint64(head>>4), true
		if n == 15 {
			n, ok = w.number()
		}
		return ok && w.repeat(n, depth, head&15)
	case kind == thriftMap:
		n, ok := w.number()
		if !ok || n == 0 {
			return ok
		}
		if !w.bytes(1) {
			return false
		}
		return w.repeat(n, depth, w.b[w.pos-1]>>4, w.b[w.pos-1]&15)
	case kind == thriftStruct:
		return w.structure(depth + 1)
	}
	return false
}

// repeat steps over n items of the kinds.
func (w *walker) repeat(n uint64, depth int, kinds ...byte) bool {
	if n > uint64(len(w.b)-w.pos) { // each has a byte at least
		return false
	}
	if w.items += int(n); w.items > maxItems {
		return false
	}
	for _, kind := range kinds {
		if kind == thriftStruct {
			if w.structs += int(n); w.structs > maxStructs {
				return false
			}
		}
	}
	for ; n > 0; n-- {
		for _, kind := range kinds {
			if !w.value(kind, depth+1) {
				return false
			}
		}
	}
	return true
}
