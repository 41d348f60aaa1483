package account

import (
	"fmt"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

// Int128 is an exact signed 128-bit integer: sums of offsets, of hash lanes
// and of scaled money. It holds what Redshift's DECIMAL(38) sums hold; Add
// and the like report an overflow instead of wrapping.
type Int128 struct {
	hi int64
	lo uint64
}

// FromInt64 returns v.
func FromInt64(v int64) Int128 { return Int128{hi: v >> 63, lo: uint64(v)} }

// FromBytes reads 16 bytes of big-endian two's complement.
func FromBytes(b []byte) (Int128, error) {
	if len(b) != 16 {
		return Int128{}, fmt.Errorf("reading a 128-bit integer: %d bytes, want 16", len(b))
	}
	var n Int128
	for _, c := range b[:8] {
		n.hi = n.hi<<8 | int64(c)
	}
	for _, c := range b[8:] {
		n.lo = n.lo<<8 | uint64(c)
	}
	return n, nil
}

// Add returns the sum and whether it fits.
func (n Int128) Add(m Int128) (Int128, bool) {
	lo, carry := bits.Add64(n.lo, m.lo, 0)
	hi := int64(uint64(n.hi) + uint64(m.hi) + carry)
	overflow := (n.hi < 0) == (m.hi < 0) && (hi < 0) != (n.hi < 0)
	return Int128{hi: hi, lo: lo}, !overflow
}

// Plus adds an int64; the sum of fewer than 2^63 int64 values always fits.
func (n *Int128) Plus(v int64) {
	var carry uint64
	n.lo, carry = bits.Add64(n.lo, uint64(v), 0)
	n.hi += v>>63 + int64(carry)
}

// Neg returns -n.
func (n Int128) Neg() Int128 {
	lo, borrow := bits.Sub64(0, n.lo, 0)
	return Int128{hi: int64(0 - uint64(n.hi) - borrow), lo: lo}
}

// Sub returns n - m; callers compare sums, where the difference always fits.
func (n Int128) Sub(m Int128) Int128 {
	d, _ := n.Add(m.Neg())
	return d
}

// IsZero reports whether n is 0.
func (n Int128) IsZero() bool { return n == Int128{} }

// Big returns n as a big integer.
func (n Int128) Big() *big.Int {
	b := big.NewInt(n.hi)
	b.Lsh(b, 64)
	return b.Add(b, new(big.Int).SetUint64(n.lo))
}

// String gives decimal digits.
func (n Int128) String() string {
	var room [maxDigits + 1]byte
	text, _ := n.AppendText(room[:0]) // it can't fail
	return string(text)
}

// AppendText appends the decimal digits. Receipts have thousands of such numbers.
func (n Int128) AppendText(dst []byte) ([]byte, error) {
	hi, lo := uint64(n.hi), n.lo
	if n.hi < 0 {
		dst = append(dst, '-')
		m := n.Neg() // of the least number: itself, which is right without its sign
		hi, lo = uint64(m.hi), m.lo
	}
	if hi == 0 {
		return strconv.AppendUint(dst, lo, 10), nil
	}
	const chunk = 1e19 // the largest power of ten in 64 bits; hi is below it
	high, low := bits.Div64(hi, lo, chunk)
	dst = strconv.AppendUint(dst, high, 10)
	at := len(dst)
	dst = append(dst, "0000000000000000000"...)
	for i := at + 18; low > 0; i-- {
		dst[i] = byte('0' + low%10)
		low /= 10
	}
	return dst, nil
}

// Decimal gives n divided by 10^scale, exactly, with scale digits after the point.
func (n Int128) Decimal(scale int) string {
	s := n.String()
	if scale == 0 {
		return s
	}
	sign := ""
	if s[0] == '-' {
		sign, s = "-", s[1:]
	}
	for len(s) <= scale {
		s = "0" + s
	}
	return sign + s[:len(s)-scale] + "." + s[len(s)-scale:]
}

// maxDigits is the most digits of a number.
const maxDigits = 39

// ParseInt128 reads decimal digits with an optional sign.
func ParseInt128(s string) (Int128, error) {
	if v, err := strconv.ParseInt(s, 10, 64); err == nil {
		return FromInt64(v), nil
	}
	b, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return Int128{}, fmt.Errorf("reading an integer: %q is not one", s)
	}
	return fromBig(b)
}

// ParseDecimal reads a decimal text without exponent, with at most scale digits
// after the point, as an integer scaled by 10^scale.
func ParseDecimal(s string, scale int) (Int128, error) {
	digits, frac, _ := strings.Cut(s, ".")
	if !strings.ContainsAny(digits+frac, "0123456789") || strings.ContainsAny(frac, "+-") {
		return Int128{}, fmt.Errorf("reading a decimal: %q is not one", s)
	}
	if len(frac) > scale {
		return Int128{}, fmt.Errorf("reading a decimal: %q has more than %d digits after the point", s, scale)
	}
	n, err := ParseInt128(digits + frac + strings.Repeat("0", scale-len(frac)))
	if err != nil {
		return Int128{}, fmt.Errorf("reading a decimal: %q is not one of 128 bits", s)
	}
	return n, nil
}

func fromBig(b *big.Int) (Int128, error) {
	size := b
	if b.Sign() < 0 {
		size = new(big.Int).Not(b) // two's complement: one more below zero than above
	}
	if size.BitLen() > 127 {
		return Int128{}, fmt.Errorf("reading an integer: %s does not fit in 128 bits", b)
	}
	abs := new(big.Int).Abs(b)
	n := Int128{
		hi: int64(new(big.Int).Rsh(abs, 64).Uint64()),
		lo: new(big.Int).And(abs, new(big.Int).SetUint64(^uint64(0))).Uint64(),
	}
	if b.Sign() < 0 {
		n = n.Neg()
	}
	return n, nil
}

// MarshalText gives decimal digits, so that JSON readers lose nothing.
func (n Int128) MarshalText() ([]byte, error) { return n.AppendText(make([]byte, 0, maxDigits+1)) }

// UnmarshalText reads what MarshalText wrote.
func (n *Int128) UnmarshalText(text []byte) error {
	v, err := ParseInt128(string(text))
	*n = v
	return err
}
