package decode

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

// narrowDigits is the most digits whose numbers all fit an int64.
const narrowDigits = 18

// maxExponent is where exponents stop growing: no text is long enough to bring
// such a number back into any column's range.
const maxExponent = 1 << 40

var powers = [narrowDigits + 1]int64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9,
	1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// parseInteger reads a whole number within [low, high], in any spelling of
// scaleText.
func parseInteger(text []byte, low, high int64) (int64, Reason) {
	n, ok := scaleShort(text, 0)
	if !ok {
		d, r := scaleText(text, 19, 0)
		switch {
		case r != fits:
			return 0, r
		case !d.exact:
			return 0, Inexact
		}
		if n, ok = d.int64(); !ok {
			return 0, OutOfRange
		}
	}
	if n < low || n > high {
		return 0, OutOfRange
	}
	return n, fits
}

// parseDecimal reads a number with at most precision ≤ 18 digits, times ten to
// the scale.
func parseDecimal(text []byte, precision, scale int) (int64, Reason) {
	n, ok := scaleShort(text, scale)
	if !ok {
		d, r := scaleText(text, precision, scale)
		switch {
		case r != fits:
			return 0, r
		case !d.exact:
			return 0, inexact(text)
		}
		n, _ = d.int64()
		return n, fits
	}
	if n >= powers[precision] || n <= -powers[precision] {
		return 0, OutOfRange
	}
	return n, fits
}

// appendWide appends a number with at most precision digits, 19 to 38, times ten to
// the scale, as 16 bytes, big-endian two's complement.
func appendWide(dst, text []byte, precision, scale int) ([]byte, Reason) {
	if n, ok := scaleShort(text, scale); ok {
		dst = binary.BigEndian.AppendUint64(dst, uint64(n>>63))
		return binary.BigEndian.AppendUint64(dst, uint64(n)), fits
	}
	d, r := scaleText(text, precision, scale)
	switch {
	case r != fits:
		return dst, r
	case !d.exact:
		return dst, inexact(text)
	case precision == narrowStored && (d.hi != 0 || d.lo > math.MaxInt64):
		return dst, OutOfRange
	}
	hi, lo := d.hi, d.lo
	if d.negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	dst = binary.BigEndian.AppendUint64(dst, hi)
	return binary.BigEndian.AppendUint64(dst, lo), fits
}

// inexact tells what digits past the scale come from. A 64-bit float that is no
// such decimal is spelled with 16 or 17 digits: 0.30000000000000004 was a sum of
// floats. Others are digits that somebody wrote.
func inexact(text []byte) Reason {
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		text = text[1:]
	}
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		text = text[:e]
	}
	if m, ok := measure(text); ok && (m.digits == 16 || m.digits == 17) {
		return FloatDamage
	}
	return Inexact
}

// narrowStored is the precision whose largest digits the warehouse can't hold:
// it stores decimals of up to 19 digits in 64 bits.
const narrowStored = 19

// scaleShort reads plain numbers (sign, digits, point, digits) that fit 18
// digits at the scale: nearly all there are. ok is false for the others, right
// or wrong.
func scaleShort(text []byte, scale int) (n int64, ok bool) {
	digits := text
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > narrowDigits || scale > narrowDigits {
		return 0, false
	}
	point := -1
	for i, c := range digits {
		switch {
		case c-'0' <= 9:
			n = n*10 + int64(c-'0')
		case c == '.' && point < 0 && i > 0:
			point = i
		default:
			return 0, false
		}
	}
	fraction := 0
	if point >= 0 {
		if fraction = len(digits) - point - 1; fraction == 0 {
			return 0, false
		}
	}
	if fraction > scale || len(digits)+scale-fraction > narrowDigits {
		return 0, false
	}
	n *= powers[scale-fraction]
	if len(digits) < len(text) {
		n = -n
	}
	return n, true
}

// scaled is a decimal number times a power of ten, cut towards zero to a whole
// number of at most 38 digits.
type scaled struct {
	hi, lo   uint64 // its amount
	negative bool
	exact    bool // nothing was cut
}

// int64 returns the number if it fits.
func (d scaled) int64() (int64, bool) {
	switch {
	case d.hi != 0:
		return 0, false
	case !d.negative:
		return int64(d.lo), d.lo <= 1<<63-1
	}
	return -int64(d.lo), d.lo <= 1<<63
}

// scaleText reads a number and multiplies it by ten to the scale. It takes
// every usual spelling: a sign, digits with a point among, before or behind
// them, an exponent. Its work is bounded by the text's length, whatever the
// exponent. It returns NotANumber, or OutOfRange for more than maxDigits ≤ 38
// digits.
func scaleText(text []byte, maxDigits, scale int) (scaled, Reason) {
	var d scaled
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		d.negative = text[0] == '-'
		text = text[1:]
	}
	exponent := int64(0)
	if e := bytes.IndexAny(text, "eE"); e >= 0 {
		var ok bool
		if exponent, ok = parseExponent(text[e+1:]); !ok {
			return d, NotANumber
		}
		text = text[:e]
	}
	m, ok := measure(text)
	switch {
	case !ok:
		return d, NotANumber
	case m.digits == 0:
		return scaled{exact: true}, fits
	}
	shift := exponent - m.fraction + m.zeros + int64(scale)
	keep := m.digits + min(shift, 0)
	if m.digits+shift > int64(maxDigits) {
		return d, OutOfRange
	}
	d.exact = shift >= 0
	for _, c := range text[m.first:] {
		if keep <= 0 {
			break
		}
		if c != '.' {
			d.push(c - '0')
			keep--
		}
	}
	for ; shift > 0; shift-- {
		d.push(0)
	}
	return d, fits
}

// push appends a decimal digit.
func (d *scaled) push(digit byte) {
	over, lo := bits.Mul64(d.lo, 10)
	lo, carry := bits.Add64(lo, uint64(digit), 0)
	d.hi, d.lo = d.hi*10+over+carry, lo
}

// mantissa is the make-up of a number's digits.
type mantissa struct {
	first    int   // index of the first digit that is not 0
	digits   int64 // from there to the last digit that is not 0; 0 for zero
	zeros    int64 // digits behind that one
	fraction int64 // digits behind the point
}

// measure checks and counts the digits of a number without its sign and exponent.
func measure(text []byte) (mantissa, bool) {
	var m mantissa
	point, count := false, 0
	for i, c := range text {
		switch {
		case c == '.' && !point:
			point = true
			continue
		case c-'0' > 9:
			return m, false
		}
		count++
		if point {
			m.fraction++
		}
		switch {
		case c != '0' && m.digits == 0:
			m.first, m.digits, m.zeros = i, 1, 0
		case c != '0':
			m.digits, m.zeros = m.digits+m.zeros+1, 0
		default:
			m.zeros++
		}
	}
	return m, count > 0
}

func parseExponent(text []byte) (int64, bool) {
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	n := int64(0)
	for _, c := range text {
		if c-'0' > 9 {
			return 0, false
		}
		n = min(n*10+int64(c-'0'), maxExponent)
	}
	if negative {
		n = -n
	}
	return n, len(text) > 0
}
