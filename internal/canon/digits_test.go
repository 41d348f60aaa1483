package canon

import (
	"math"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

func TestDigitsAreThoseOfStrconv(t *testing.T) {
	check := func(t interface{ Fatalf(string, ...any) }, dst []byte, n uint64) {
		if got, want := string(appendDigits(dst, n)), string(strconv.AppendUint(dst, n, 10)); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
		if got, want := string(appendInt(dst, int64(n))), string(strconv.AppendInt(dst, int64(n), 10)); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	for shift := range 65 {
		for d := uint64(0); d < 5; d++ {
			check(t, nil, uint64(1)<<shift-2+d) // around all powers of two, zero and the greatest number too
		}
	}
	for n := uint64(1); ; n *= 10 {
		for d := uint64(0); d < 5; d++ {
			check(t, make([]byte, 3, 7), n-2+d)
		}
		if n > math.MaxUint64/10 {
			break
		}
	}
	for n := range uint64(20_000) {
		check(t, make([]byte, 1, 64), n)
	}
	rapid.Check(t, func(t *rapid.T) {
		check(t, make([]byte, 0, rapid.IntRange(0, 30).Draw(t, "room")), rapid.Uint64().Draw(t, "n")>>rapid.IntRange(0, 63).Draw(t, "less"))
	})
}
