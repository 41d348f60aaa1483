package account_test

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/account"
)

var (
	limit = new(big.Int).Lsh(big.NewInt(1), 127) // first integer that does not fit
	least = new(big.Int).Neg(limit)
)

func fits(b *big.Int) bool { return b.Cmp(least) >= 0 && b.Cmp(limit) < 0 }

// drawInt128 draws integers of all sizes, borders included.
func drawInt128(t *rapid.T, label string) (account.Int128, *big.Int) {
	text := rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, label)
	keep := rapid.IntRange(0, 16).Draw(t, label+" bytes")
	sign := rapid.SampledFrom([]byte{0x00, 0xff}).Draw(t, label+" sign")
	for i := range 16 - keep {
		text[i] = sign
	}
	n, err := account.FromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	b := new(big.Int).SetBytes(text)
	if text[0] >= 0x80 {
		b.Sub(b, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return n, b
}

func TestInt128AgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, a := drawInt128(t, "n")
		m, b := drawInt128(t, "m")
		if n.Big().Cmp(a) != 0 || n.String() != a.String() {
			t.Fatalf("reads as %s, want %s", n, a)
		}
		if (n == m) != (a.Cmp(b) == 0) || n.IsZero() != (a.Sign() == 0) {
			t.Fatalf("%s and %s compare wrongly", n, m)
		}
		want := new(big.Int).Add(a, b)
		sum, ok := n.Add(m)
		if ok != fits(want) || (ok && sum.Big().Cmp(want) != 0) {
			t.Fatalf("%s + %s = %s (%v), want %s", n, m, sum, ok, want)
		}
		if want := new(big.Int).Neg(a); fits(want) && n.Neg().Big().Cmp(want) != 0 {
			t.Fatalf("-(%s) = %s", n, n.Neg())
		}
		if want := new(big.Int).Sub(a, b); fits(want) && b.Cmp(least) != 0 && n.Sub(m).Big().Cmp(want) != 0 {
			t.Fatalf("%s - %s = %s, want %s", n, m, n.Sub(m), want)
		}
		v := rapid.Int64().Draw(t, "v")
		if account.FromInt64(v).String() != big.NewInt(v).String() {
			t.Fatalf("%d reads as %s", v, account.FromInt64(v))
		}
		if want := new(big.Int).Add(a, big.NewInt(v)); fits(want) {
			plus := n
			if plus.Plus(v); plus.Big().Cmp(want) != 0 {
				t.Fatalf("%s plus %d = %s, want %s", n, v, plus, want)
			}
		}
		text, err := json.Marshal(n)
		var back account.Int128
		if err == nil {
			err = json.Unmarshal(text, &back)
		}
		if err != nil || back != n || string(text) != `"`+a.String()+`"` {
			t.Fatalf("%s comes back from %s as %s, %v", n, text, back, err)
		}
	})
}

func TestInt128Borders(t *testing.T) {
	greatest := new(big.Int).Sub(limit, big.NewInt(1))
	for _, b := range []*big.Int{least, greatest} {
		n, err := account.ParseInt128(b.String())
		if err != nil || n.Big().Cmp(b) != 0 {
			t.Errorf("%s reads as %s, %v", b, n, err)
		}
	}
	for _, text := range []string{limit.String(), new(big.Int).Sub(least, big.NewInt(1)).String()} {
		if n, err := account.ParseInt128(text); err == nil || !strings.Contains(err.Error(), "does not fit in 128 bits") {
			t.Errorf("%s reads as %s, %v", text, n, err)
		}
	}
	for _, text := range []string{"", "x", "1.5", "1_000", "0x10", "1e3", " 1", "--1"} {
		if n, err := account.ParseInt128(text); err == nil {
			t.Errorf("%q reads as %s", text, n)
		}
	}
	if _, err := account.FromBytes(make([]byte, 15)); err == nil || !strings.Contains(err.Error(), "15 bytes, want 16") {
		t.Error(err)
	}
}

func TestDecimal(t *testing.T) {
	cases := []struct {
		units string
		scale int
		text  string
	}{
		{"0", 0, "0"}, {"0", 2, "0.00"}, {"5", 2, "0.05"}, {"-5", 2, "-0.05"}, {"12345", 2, "123.45"}, {"-12345", 0, "-12345"},
		{"100", 2, "1.00"}, {"-99", 2, "-0.99"}, {"-100", 2, "-1.00"}, {"7", 10, "0.0000000007"},
		{"99999999999999999999999999999999999999", 2, "999999999999999999999999999999999999.99"},
		{"-99999999999999999999999999999999999999", 37, "-9.9999999999999999999999999999999999999"},
	}
	for _, c := range cases {
		n, err := account.ParseInt128(c.units)
		if err != nil {
			t.Fatal(err)
		}
		if got := n.Decimal(c.scale); got != c.text {
			t.Errorf("%s at scale %d gives %s, want %s", c.units, c.scale, got, c.text)
		}
		if back, err := account.ParseDecimal(c.text, c.scale); err != nil || back != n {
			t.Errorf("%s at scale %d reads as %s, %v", c.text, c.scale, back, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n, _ := drawInt128(t, "n")
		scale := rapid.IntRange(0, 37).Draw(t, "scale")
		if back, err := account.ParseDecimal(n.Decimal(scale), scale); err != nil || back != n {
			t.Fatalf("%s at scale %d: %s comes back as %s, %v", n, scale, n.Decimal(scale), back, err)
		}
	})
}

// TestParseDecimal never guesses: a text that is no plain decimal is an error,
// because 0 instead of an amount would tie out with another 0.
func TestParseDecimal(t *testing.T) {
	for text, want := range map[string]string{"1.5": "150", "1": "100", "-.5": "-50", ".5": "50", "+2.25": "225", "5.": "500", "-0.00": "0", "007": "700"} {
		if n, err := account.ParseDecimal(text, 2); err != nil || n.String() != want {
			t.Errorf("%q reads as %s, %v; want %s", text, n, err, want)
		}
	}
	for _, text := range []string{"", ".", "-", "+", "-.", "+.", ".-5", ".+5", "1.-5", "1.+5", "1.2.3", "1e2", "NaN", "1,5", " 1", "1 ", "1.5x", "1.234"} {
		if n, err := account.ParseDecimal(text, 2); err == nil {
			t.Errorf("%q reads as %s", text, n)
		} else if !strings.Contains(err.Error(), "reading a decimal: ") {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := account.ParseDecimal("9"+strings.Repeat("0", 38), 2); err == nil || !strings.Contains(err.Error(), "128 bits") {
		t.Error(err)
	}
}

func FuzzParseDecimal(f *testing.F) {
	for _, text := range []string{"0", "-1.50", ".5", "-", "9.99", ".-5", "+"} {
		f.Add(text, uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, scale uint8) {
		n, err := account.ParseDecimal(text, int(scale%38))
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatalf("%q is no number, and reads as %s", text, n)
		}
		pow := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale%38)), nil)
		if want.Mul(want, new(big.Rat).SetInt(pow)); want.Cmp(new(big.Rat).SetInt(n.Big())) != 0 {
			t.Fatalf("%q at scale %d reads as %s, want %s", text, scale%38, n, want)
		}
	})
}
