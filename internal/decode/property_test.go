package decode

import (
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"backfill/internal/schema"
)

// numberText draws a number in any spelling scaleText takes.
var numberText = rapid.Custom(func(t *rapid.T) string {
	digits := rapid.StringMatching(`0{0,3}[0-9]{0,45}0{0,5}`).Draw(t, "digits")
	if rapid.Bool().Draw(t, "short") {
		digits = digits[:min(len(digits), 20)]
	}
	if digits == "" {
		digits = "0"
	}
	if rapid.Bool().Draw(t, "point") {
		at := rapid.IntRange(0, len(digits)).Draw(t, "at")
		digits = digits[:at] + "." + digits[at:]
	}
	if rapid.Bool().Draw(t, "exponent") {
		digits += rapid.SampledFrom([]string{"e", "E", "e+", "e-", "E-"}).Draw(t, "e") + fmt.Sprint(rapid.IntRange(0, 50).Draw(t, "by"))
	}
	return rapid.SampledFrom([]string{"", "", "-", "+"}).Draw(t, "sign") + digits
})

// bigDecimal is the slow oracle: the number times ten to the scale.
func bigDecimal(text string, digits, scale int) (*big.Int, Reason) {
	text = strings.TrimPrefix(text, "+")
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, NotANumber
	}
	r.Mul(r, new(big.Rat).SetInt(power(scale)))
	whole := new(big.Int).Quo(r.Num(), r.Denom())
	switch {
	case whole.CmpAbs(power(digits)) >= 0:
		return nil, OutOfRange
	case !r.IsInt():
		return nil, Inexact
	}
	return whole, fits
}

// significant counts a number's digits between its first and its last that is not 0.
func significant(text string) int {
	mantissa, _, _ := strings.Cut(strings.ToLower(strings.TrimLeft(text, "+-")), "e")
	return len(strings.Trim(strings.ReplaceAll(mantissa, ".", ""), "0"))
}

func power(n int) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func TestDecimalsAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numberText.Draw(t, "text")
		precision := rapid.IntRange(1, 38).Draw(t, "precision")
		scale := rapid.IntRange(0, min(37, precision)).Draw(t, "scale")
		want, wantReason := bigDecimal(text, precision, scale)
		if wantReason == fits && precision == 19 && want.CmpAbs(big.NewInt(math.MaxInt64)) > 0 {
			wantReason = OutOfRange // the warehouse keeps 19 digits in 64 bits
		}
		if n := significant(text); wantReason == Inexact && (n == 16 || n == 17) {
			wantReason = FloatDamage
		}
		got, reason := "", fits
		if precision <= narrowDigits {
			var n int64
			n, reason = parseDecimal([]byte(text), precision, scale)
			got = fmt.Sprint(n)
		} else {
			var b []byte
			if b, reason = appendWide(nil, []byte(text), precision, scale); reason == fits {
				got = wideText(b)
			}
		}
		if reason != wantReason || reason == fits && got != want.String() {
			t.Fatalf("%s into decimal(%d,%d): %s %s, want %s %s", text, precision, scale, got, reason, want, wantReason)
		}
	})
}

func TestIntegersAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numberText.Draw(t, "text")
		low, high := rapid.Int64().Draw(t, "low"), rapid.Int64().Draw(t, "high")
		want, wantReason := bigDecimal(text, 19, 0)
		if wantReason == fits && (want.Cmp(big.NewInt(low)) < 0 || want.Cmp(big.NewInt(high)) > 0) {
			wantReason = OutOfRange
		}
		got, reason := parseInteger([]byte(text), low, high)
		if reason != wantReason || reason == fits && got != want.Int64() {
			t.Fatalf("%s in [%d, %d]: %d %s, want %s %s", text, low, high, got, reason, want, wantReason)
		}
	})
}

func TestEpochsAgainstBig(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := numberText.Draw(t, "text")
		m := newMoment("", schema.Fraction(rapid.IntRange(0, 1).Draw(t, "fraction")), Unit(rapid.IntRange(0, 3).Draw(t, "unit")))
		r, _ := new(big.Rat).SetString(strings.TrimPrefix(text, "+"))
		r.Mul(r, new(big.Rat).SetFrac(power(6+m.unit.scale()), power(6)))
		floor := new(big.Int).Div(r.Num(), r.Denom()) // Euclidean: the denominator is positive
		outside := floor.Cmp(big.NewInt(firstMicros)) < 0 || floor.Cmp(big.NewInt(lastMicros)) > 0
		got, reason := m.number([]byte(text))
		switch {
		case reason == FractionLost && !r.IsInt() && m.fraction == schema.RejectFraction:
		case reason == OutOfRange && outside:
		case reason == fits && !outside && (r.IsInt() || m.fraction == schema.FloorFraction) && got == floor.Int64():
		default:
			t.Fatalf("%s in unit %d: %d %s, want %s", text, m.unit, got, reason, floor)
		}
	})
}

func TestNotNumbers(t *testing.T) {
	for _, text := range []string{"", "-", "+", ".", "-.", "e1", ".e1", "1e", "1e+", "1e1.5", "1.2.3", "1 ", " 1", "0x1", "1_000", "½", "Infinity", "--1", "+-1"} {
		if _, r := parseDecimal([]byte(text), 18, 2); r != NotANumber {
			t.Errorf("%q: %s", text, r)
		}
		if _, r := parseInteger([]byte(text), 0, 9); r != NotANumber {
			t.Errorf("%q: %s", text, r)
		}
		if _, r := appendWide(nil, []byte(text), 38, 2); r != NotANumber {
			t.Errorf("%q: %s", text, r)
		}
	}
}

// TestHugeNumbersTakeBoundedWork would not end if an exponent were spelled out.
func TestHugeNumbersTakeBoundedWork(t *testing.T) {
	zeros := strings.Repeat("0", 1<<20)
	for text, want := range map[string]Reason{
		"1e999999999999999999999":    OutOfRange,
		"-1e-999999999999999999999":  Inexact,
		"0e999999999999999999999":    fits,
		"1" + zeros:                  OutOfRange,
		"1" + zeros + "e-1048576":    fits,
		"0." + zeros + "1":           Inexact,
		"0." + zeros + "1e1048577":   fits,
		zeros + "1." + zeros:         fits,
		"1" + zeros + "e-" + zeros:   OutOfRange,
		"1" + zeros + "1e-1048577":   Inexact,
		"100e-00000000000000000002":  fits,
		"1e+00000000000000000000001": fits,
	} {
		if _, r := parseDecimal([]byte(text), 18, 2); r != want {
			t.Errorf("%.40s: %q, want %q", text, r, want)
		}
	}
}

func TestTextsAgainstTime(t *testing.T) {
	layouts := []string{
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05.000000Z07:00", "2006-01-02 15:04:05.000Z07:00",
		"2006-01-02 15:04:05Z0700", "2006-01-02T15:04:05-07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05.000000000 -0700",
	}
	m := newMoment("", schema.FloorFraction, Millis)
	rapid.Check(t, func(t *rapid.T) {
		seconds := rapid.Int64Range(firstMicros/secondMicros+daySeconds, lastMicros/secondMicros-daySeconds).Draw(t, "seconds")
		nanos := rapid.Int64Range(0, 999_999_999).Draw(t, "nanos")
		minutes := rapid.IntRange(-23*60-59, 23*60+59).Draw(t, "minutes")
		at := time.Unix(seconds, nanos).In(time.FixedZone("", minutes*60))
		layout := rapid.SampledFrom(layouts).Draw(t, "layout")
		text := at.Format(layout)
		want, err := time.Parse(layout, text)
		if err != nil {
			t.Fatal(err)
		}
		if got, r := m.text([]byte(text)); r != fits || got != want.UnixMicro() {
			t.Fatalf("%s: %d %s, want %d", text, got, r, want.UnixMicro())
		}
		date := at.Format(time.DateOnly)
		day, _ := time.Parse(time.DateOnly, date)
		if got, r := parseDate([]byte(date)); r != fits || got != day.Unix()/daySeconds {
			t.Fatalf("%s: %d %s", date, got, r)
		}
	})
}

func TestEveryDate(t *testing.T) {
	for year := 1; year <= 9999; year += 1 + year%7 {
		for month := 1; month <= 12; month++ {
			for day := 1; day <= 31; day++ {
				text := fmt.Sprintf("%04d-%02d-%02d", year, month, day)
				want, err := time.Parse(time.DateOnly, text)
				got, r := parseDate([]byte(text))
				if (err == nil) != (r == fits) || err == nil && got != want.Unix()/daySeconds {
					t.Fatalf("%s: %d %s, want %v", text, got, r, want)
				}
			}
		}
	}
}

// TestZonesAgainstEveryOffset finds the instants of a wall time by trying every
// offset that the zone has within two days.
func TestZonesAgainstEveryOffset(t *testing.T) {
	names := []string{
		"UTC", "America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "Australia/Lord_Howe", "Pacific/Apia",
		"America/Sao_Paulo", "Africa/Casablanca", "America/St_Johns", "Europe/Dublin", "Antarctica/Troll",
	}
	zones := map[string]*zone{}
	for _, name := range names {
		zones[name] = newZone(name)
	}
	day := int64(daySeconds)
	rapid.Check(t, func(t *rapid.T) {
		z := zones[rapid.SampledFrom(names).Draw(t, "zone")]
		wall := rapid.Int64Range(firstDay*day, (lastDay+1)*day-1).Draw(t, "wall")
		if rapid.Bool().Draw(t, "near a change") {
			near := z.around(rapid.Int64Range(-60*365*day, 100*365*day).Draw(t, "near"))
			if near.to < 1<<40 {
				wall = near.to + near.east + rapid.Int64Range(-7300, 7300).Draw(t, "by")
			}
		}
		// What the zone remembers of a time nearby must not lead astray.
		z.instant(wall + rapid.Int64Range(-30, 30).Draw(t, "days before")*day)
		offsets, hits, want := map[int64]bool{}, 0, int64(0)
		for at := wall - reach; at <= wall+reach; at += 900 {
			_, east := time.Unix(at, 0).In(z.location).Zone()
			offsets[int64(east)] = true
		}
		for east := range offsets {
			if _, there := time.Unix(wall-east, 0).In(z.location).Zone(); int64(there) == east {
				hits++
				want = wall - east
			}
		}
		got, r := z.instant(wall)
		wantReason := map[int]Reason{0: NonexistentTime, 1: fits}[hits]
		if hits > 1 {
			wantReason = AmbiguousTime
		}
		if r != wantReason || r == fits && got != want {
			t.Fatalf("%s at %s: %d %s, want %d %s", z.location, time.Unix(wall, 0).UTC(), got, r, want, wantReason)
		}
	})
}

// TestLastDaysOfLeapYears walks the days on which the standard library gives
// wrong bounds, hour by hour, beyond the years of the zone's own table.
func TestLastDaysOfLeapYears(t *testing.T) {
	z := newZone("America/Los_Angeles")
	from := time.Date(2056, 12, 25, 0, 0, 0, 0, time.UTC).Unix()
	for wall := from; wall < from+14*daySeconds; wall += 3600 {
		if got, r := z.instant(wall); r != fits || got != wall+8*3600 {
			t.Errorf("%s: %d %s", time.Unix(wall, 0).UTC(), got, r)
		}
	}
}

func FuzzDecimal(f *testing.F) {
	for _, seed := range []string{"1.50", "-0", "1e5", "12345678901234567890.12", ".5", "1e-400", "--1"} {
		f.Add(seed, uint8(18), uint8(2))
	}
	f.Fuzz(func(t *testing.T, text string, precision, scale uint8) {
		p := int(precision)%38 + 1
		s := int(scale) % (min(37, p) + 1)
		d, r := scaleText([]byte(text), p, s)
		if e := strings.IndexAny(text, "eE"); e >= 0 && len(text)-e > 5 || strings.ContainsAny(text, "_xXoObBpP/ninfNINF") {
			return // math/big takes more spellings, and spells exponents out
		}
		want, wantReason := bigDecimal(strings.TrimPrefix(text, "+"), p, s)
		switch {
		case r == fits && !d.exact:
			r = Inexact
		case strings.HasPrefix(text, "+-"), strings.HasPrefix(text, "++"):
			wantReason = NotANumber
		}
		if r != wantReason {
			t.Fatalf("%q into decimal(%d,%d): %q, want %q", text, p, s, r, wantReason)
		}
		if r == fits {
			got := new(big.Int).Lsh(new(big.Int).SetUint64(d.hi), 64)
			if got.Or(got, new(big.Int).SetUint64(d.lo)); d.negative {
				got.Neg(got)
			}
			if got.Cmp(want) != 0 {
				t.Fatalf("%q into decimal(%d,%d): %s, want %s", text, p, s, got, want)
			}
		}
	})
}

func FuzzMoment(f *testing.F) {
	for _, seed := range []string{"2024-02-29T12:34:56.123456Z", "2024-02-29 12:34", "2024-03-10T02:30:00", "1969-12-31T23:59:59.9999999-08", "2024-02-29T12:34:56 UTC"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := newMoment("", schema.FloorFraction, Millis)
		got, r := m.text([]byte(text))
		want, err := time.Parse(time.RFC3339Nano, text)
		// time.Parse takes a comma, one-digit hours, and zones up to 24:60.
		if err == nil && r != fits && want.Year() >= 1 && want.Year() <= 9999 && !strings.Contains(text, ",") && len(text) >= 20 && text[13] == ':' &&
			text[:4] != "0000" && !strings.ContainsAny(text[len(text)-6:], "+-") {
			t.Fatalf("%q: %s, want %s", text, r, want)
		}
		if err == nil && r == fits && got != want.UnixMicro() {
			t.Fatalf("%q: %d, want %d", text, got, want.UnixMicro())
		}
		if again, rr := m.text([]byte(text)); again != got || rr != r {
			t.Fatalf("%q: %d %s, the first time %d %s", text, again, rr, got, r)
		}
		local := newMoment("America/Los_Angeles", schema.RejectFraction, Millis)
		if n, r := local.text([]byte(text)); r == fits && (n < firstMicros || n > lastMicros) {
			t.Fatalf("%q: %d", text, n)
		}
	})
}
