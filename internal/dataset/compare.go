package dataset

import (
	"bytes"

	"backfill/internal/columns"
)

// equal says whether two values are equal, see Where.
func equal(a, b columns.Scalar) bool {
	switch {
	case isNil(a) || isNil(b):
		return isNil(a) && isNil(b)
	case a.Kind != b.Kind:
		return false
	case a.Kind == columns.Number:
		return compareNumbers(a.Text, b.Text) == 0
	case a.Kind == columns.Other:
		return false
	}
	return bytes.Equal(a.Text, b.Text)
}

// compare orders two values; false if they have no order, see Where.
func compare(a, b columns.Scalar) (int, bool) {
	switch {
	case a.Kind != b.Kind:
		return 0, false
	case a.Kind == columns.Number:
		return compareNumbers(a.Text, b.Text), true
	case a.Kind == columns.String:
		return bytes.Compare(a.Text, b.Text), true
	}
	return 0, false
}

func isNil(s columns.Scalar) bool { return s.Kind == columns.Absent || s.Kind == columns.Null }

// compareNumbers orders two JSON numbers by their exact decimal value, without
// a float and without allocating, in time linear in their lengths.
func compareNumbers(a, b []byte) int {
	x, y := readNumber(a), readNumber(b)
	if x.sign != y.sign || x.sign == 0 {
		return x.sign - y.sign
	}
	return x.sign * x.magnitude(y)
}

// number is a view of a number's text: sign × 0.d1d2d3… × 10^exponent, where
// d1 is not 0.
type number struct {
	sign     int    // -1, 0, 1
	digits   []byte // from d1 on, with the point, if any, still between them
	exponent int64
}

// maxExponent stands for every exponent beyond it. No text that a reader keeps
// is long enough to bring such a number back into reach.
const maxExponent = 1 << 40

// readNumber reads a number spelled as JSON does.
func readNumber(text []byte) number {
	n := number{sign: 1}
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		if text[0] == '-' {
			n.sign = -1
		}
		text = text[1:]
	}
	mantissa := text
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		mantissa, n.exponent = text[:e], readExponent(text[e+1:])
	}
	point := bytes.IndexByte(mantissa, '.')
	if point < 0 {
		point = len(mantissa)
	}
	first := bytes.IndexAny(mantissa, "123456789")
	if first < 0 {
		return number{} // zero, whatever its sign and exponent
	}
	n.digits = mantissa[first:]
	if first < point {
		n.exponent += int64(point - first)
	} else {
		n.exponent -= int64(first - point - 1)
	}
	return n
}

func readExponent(text []byte) int64 {
	negative := len(text) > 0 && text[0] == '-'
	var e int64
	for _, ch := range bytes.TrimLeft(text, "+-") {
		e = min(e*10+int64(ch-'0'), maxExponent)
	}
	if negative {
		return -e
	}
	return e
}

// magnitude orders two numbers of equal sign without it.
func (n number) magnitude(other number) int {
	if n.exponent != other.exponent {
		if n.exponent < other.exponent {
			return -1
		}
		return 1
	}
	a, b := n.digits, other.digits
	for len(a) > 0 || len(b) > 0 {
		var x, y byte
		x, a = nextDigit(a)
		y, b = nextDigit(b)
		if x != y {
			return int(x) - int(y)
		}
	}
	return 0
}

// nextDigit takes a digit off the front, 0 after the last.
func nextDigit(digits []byte) (byte, []byte) {
	if len(digits) > 0 && digits[0] == '.' {
		digits = digits[1:]
	}
	if len(digits) == 0 {
		return '0', nil
	}
	return digits[0], digits[1:]
}
