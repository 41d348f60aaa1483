package decode

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// hurt says what is wrong with a string that is sound JSON.
type hurt uint8

const (
	halfPair hurt = 1 << iota // half of a surrogate pair
	nul                       // U+0000
)

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
)

// stops returns a word whose lowest set bit is the high bit of the first byte
// that is a quote, a backslash or a control character; 0 if there is none.
func stops(w uint64) uint64 {
	quote := w ^ ones*'"'
	slash := w ^ ones*'\\'
	return ((quote-ones)&^quote | (slash-ones)&^slash | (w-ones*' ')&^w) & highs
}

// str reads the string at p. It reports whether there are escapes.
func (s *Scanner) str(p int) (end int, escaped bool) {
	buf := s.buf
	start := p + 1
	var high uint64 // or of all bytes: tells whether there is any beyond ASCII
	for p = start; ; {
		w := binary.LittleEndian.Uint64(buf[p:])
		m := stops(w)
		if m == 0 {
			high |= w
			p += 8
			continue
		}
		n := bits.TrailingZeros64(m) &^ 7
		high |= w & (1<<n - 1)
		p += n >> 3
		switch buf[p] {
		case '"':
			if high&highs != 0 && !utf8.Valid(buf[start:p]) {
				s.stop = stop{at: p, reason: InvalidUTF8, what: "a string that is not valid UTF-8 ends"}
				return -1, escaped
			}
			return p + 1, escaped
		case '\\':
			escaped = true
			if p = s.escape(p); p < 0 {
				return -1, true
			}
		default:
			return s.fail(p, "a control character stands in a string"), escaped
		}
	}
}

// escape checks the escape at p.
func (s *Scanner) escape(p int) int {
	switch s.buf[p+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return p + 2
	case 'u':
		for i := p + 2; i < p+6; i++ {
			if hexDigit(s.buf[i]) < 0 {
				return s.fail(i, "not a hexadecimal digit of an escape")
			}
		}
		s.unicode = true
		return p + 6
	}
	return s.fail(p+1, "not an escape")
}

func hexDigit(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// unescaped returns the characters of a string's inside, kept in the arena.
func (s *Scanner) unescaped(inside []byte) ([]byte, hurt) {
	start := len(s.arena)
	var h hurt
	s.arena, h = unescape(s.arena, inside)
	return s.arena[start:len(s.arena):len(s.arena)], h
}

// unescape appends the characters of a checked string's inside to dst. Half of
// a surrogate pair becomes U+FFFD, as in encoding/json.
func unescape(dst, inside []byte) ([]byte, hurt) {
	var h hurt
	for i := 0; i < len(inside); {
		c := inside[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if inside[i+1] != 'u' {
			dst = append(dst, plainEscape(inside[i+1]))
			i += 2
			continue
		}
		r, n, hr := unicodeEscape(inside[i:])
		dst = utf8.AppendRune(dst, r)
		h |= hr
		i += n
	}
	return dst, h
}

// inspect returns what is wrong with the strings in a piece of checked JSON.
func inspect(raw []byte) hurt {
	var h hurt
	for i := 0; i < len(raw); {
		switch {
		case raw[i] != '\\':
			i++
		case raw[i+1] != 'u':
			i += 2
		default:
			_, n, hr := unicodeEscape(raw[i:])
			h |= hr
			i += n
		}
	}
	return h
}

func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// unicodeEscape reads the escape, or pair of escapes, that b begins with.
func unicodeEscape(b []byte) (r rune, size int, h hurt) {
	r = hex4(b[2:])
	switch {
	case r == 0:
		return 0, 6, nul
	case !utf16.IsSurrogate(r):
		return r, 6, 0
	}
	if len(b) >= 12 && b[6] == '\\' && b[7] == 'u' {
		if pair := utf16.DecodeRune(r, hex4(b[8:])); pair != utf8.RuneError {
			return pair, 12, 0
		}
	}
	return utf8.RuneError, 6, halfPair
}

func hex4(b []byte) rune {
	return rune(hexDigit(b[0])<<12 | hexDigit(b[1])<<8 | hexDigit(b[2])<<4 | hexDigit(b[3]))
}
