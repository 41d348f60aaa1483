package dataset

import (
	"slices"
	"unicode/utf8"

	"backfill/internal/columns"
)

// Where is the compiled filter of records.where. It is safe for concurrent use.
//
// The language is a small part of expr's: comparisons (== != < <= > >=, in,
// not in) of paths below `value` with texts, numbers, true, false and nil, put
// together by and, or, not and parentheses. Both sides are told apart by kind:
//
//   - A field that is absent or null is nil, and nil equals nil.
//   - Numbers compare by their exact decimal value: 1.0 == 1, 1e2 == 100.
//   - Texts compare byte by byte.
//   - Values of different kinds are not equal, so == is false and != true;
//     objects and arrays equal nothing, not even themselves.
//   - Only two numbers or two texts have an order; <, <=, > and >= of anything
//     else are false.
type Where struct {
	Text  string     // as in the file
	Paths [][]string // of the values that it looks at, below the record's value

	match condition
}

// condition is a compiled part of the filter; v is indexed like Where.Paths.
type condition func(v []columns.Scalar) bool

// Match reports whether a record is wanted. v holds the scalars at w.Paths, in
// that order. It does not allocate.
func (w *Where) Match(v []columns.Scalar) bool { return w.match(v) }

// shownBytes is the most of one value that Looked shows.
const shownBytes = 64

// Looked returns the values that the filter looked at, as one printable line
// for counting what was dropped: each cut to 64 bytes, put together by " | ".
// Absent and null values and containers are named in parentheses.
func (w *Where) Looked(v []columns.Scalar) []byte { return w.AppendLooked(nil, v) }

// AppendLooked appends what Looked returns to dst. It allocates nothing if dst
// has room.
func (w *Where) AppendLooked(dst []byte, v []columns.Scalar) []byte {
	for i := range v {
		if i > 0 {
			dst = append(dst, " | "...)
		}
		switch v[i].Kind {
		case columns.Absent:
			dst = append(dst, "(absent)"...)
		case columns.Null:
			dst = append(dst, "(null)"...)
		case columns.Other:
			dst = append(dst, "(container)"...)
		default:
			dst = appendPrintable(dst, v[i].Text)
		}
	}
	return dst
}

// appendPrintable appends at most shownBytes of the text, whole characters
// only, with a question mark for what does not print.
func appendPrintable(dst, text []byte) []byte {
	const ellipsis = "…"
	cut := len(text) > shownBytes
	room := shownBytes
	if cut {
		room -= len(ellipsis)
	}
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		if size > room {
			break
		}
		if r < ' ' || r == 0x7f || r == '|' || r == utf8.RuneError && size == 1 || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			r = '?'
		}
		dst = utf8.AppendRune(dst, r)
		text, room = text[size:], room-size
	}
	if cut {
		dst = append(dst, ellipsis...)
	}
	return dst
}

// operand is one side of a comparison: a path by its index, or a literal.
type operand struct {
	index   int // into Where.Paths; -1: the literal
	literal columns.Scalar
}

func (o operand) of(v []columns.Scalar) columns.Scalar {
	if o.index < 0 {
		return o.literal
	}
	return v[o.index]
}

// equals compiles left == right.
func equals(left, right operand) condition {
	return func(v []columns.Scalar) bool { return equal(left.of(v), right.of(v)) }
}

// among compiles left in list.
func among(left operand, list []columns.Scalar) condition {
	return func(v []columns.Scalar) bool {
		value := left.of(v)
		return slices.ContainsFunc(list, func(one columns.Scalar) bool { return equal(value, one) })
	}
}

// ordered compiles a comparison by order; wanted judges its outcome, which is
// negative, 0 or positive.
func ordered(left, right operand, wanted func(int) bool) condition {
	return func(v []columns.Scalar) bool {
		order, ok := compare(left.of(v), right.of(v))
		return ok && wanted(order)
	}
}

func not(one condition) condition {
	return func(v []columns.Scalar) bool { return !one(v) }
}

func both(left, right condition) condition {
	return func(v []columns.Scalar) bool { return left(v) && right(v) }
}

func either(left, right condition) condition {
	return func(v []columns.Scalar) bool { return left(v) || right(v) }
}
