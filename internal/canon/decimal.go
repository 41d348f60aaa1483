package canon

import (
	"encoding/binary"
	"math/bits"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

// Decimals: sign, digits, point and exactly scale digits; no point at scale 0.
// Redshift casts a DECIMAL to the same text.

// decimalWidth counts the digits (one before the point at least), sign and point.
func decimalWidth(t schema.Type) int { return max(t.Precision, t.Scale+1) + 2 }

func decimalText(dst []byte, v *columns.Vector, row int, t schema.Type) []byte {
	n := v.I[row]
	magnitude := uint64(n)
	if n < 0 {
		dst = append(dst, '-')
		magnitude = -magnitude
	}
	if t.Scale == 0 {
		return appendDigits(dst, magnitude)
	}
	whole := magnitude / powers[t.Scale]
	dst = append(appendDigits(dst, whole), '.')
	return appendFixed(dst, magnitude-whole*powers[t.Scale], t.Scale)
}

// wideText reads 16 bytes of big-endian two's complement.
func wideText(dst []byte, v *columns.Vector, row int, t schema.Type) []byte {
	b := v.S[row]
	hi, lo := binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:16])
	if int64(hi) < 0 {
		dst = append(dst, '-')
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	var digits [40]byte
	return appendScaled(dst, appendUint128(digits[:0], hi, lo), t.Scale)
}

// appendUint128 appends the decimal digits of a number below 2^127+1.
func appendUint128(dst []byte, hi, lo uint64) []byte {
	const chunk = 1e19 // the largest power of ten in 64 bits; hi is below it
	if hi == 0 {
		return appendDigits(dst, lo)
	}
	high, low := bits.Div64(hi, lo, chunk)
	dst = appendDigits(dst, high)
	at := len(dst)
	dst = append(dst, "0000000000000000000"...)
	for i := at + 18; low > 0; i-- {
		dst[i] = byte('0' + low%10)
		low /= 10
	}
	return dst
}

// appendScaled appends the digits with a point before the last scale of them,
// filling up with zeros in front.
func appendScaled(dst, digits []byte, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole > 0 {
		dst = append(dst, digits[:whole]...)
		dst = append(dst, '.')
		return append(dst, digits[whole:]...)
	}
	dst = append(dst, '0', '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}
