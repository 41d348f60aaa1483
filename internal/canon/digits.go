package canon

import "math/bits"

// powers holds the powers of ten that fit 64 bits.
var powers = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}

// pairs holds the digits of 00 to 99.
const pairs = "0001020304050607080910111213141516171819" +
	"2021222324252627282930313233343536373839" +
	"4041424344454647484950515253545556575859" +
	"6061626364656667686970717273747576777879" +
	"8081828384858687888990919293949596979899"

// digitsOf returns how many decimal digits n has, 1 for 0.
func digitsOf(n uint64) int {
	n |= 1                           // changes no number of digits
	guess := bits.Len64(n) * 77 >> 8 // 77/256 is a little under log10(2): the number of digits, or one less
	if n >= powers[guess] {
		guess++
	}
	return guess
}

// appendInt appends n in decimal digits, with a sign below zero.
func appendInt(dst []byte, n int64) []byte {
	if n < 0 {
		return appendDigits(append(dst, '-'), -uint64(n))
	}
	return appendDigits(dst, uint64(n))
}

// appendDigits appends n in decimal digits. It takes half the time of
// strconv.AppendUint, because each digit is written where it stays.
func appendDigits(dst []byte, n uint64) []byte { return appendFixed(dst, n, digitsOf(n)) }

// appendFixed appends n in so many digits, with zeros in front; it has no more.
func appendFixed(dst []byte, n uint64, size int) []byte {
	dst = extend(dst, size)
	to := dst[len(dst)-size:]
	for len(to) >= 2 {
		rest := n / 100
		pair := 2 * (n - 100*rest)
		to[len(to)-2], to[len(to)-1] = pairs[pair], pairs[pair+1]
		to, n = to[:len(to)-2], rest
	}
	if len(to) == 1 {
		to[0] = byte('0' + n)
	}
	return dst
}

// extend makes dst n bytes longer; they may hold anything.
func extend(dst []byte, n int) []byte {
	if need := len(dst) + n; need <= cap(dst) {
		return dst[:need]
	}
	return append(dst, make([]byte, n)...)
}
