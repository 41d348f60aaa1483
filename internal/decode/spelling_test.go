package decode

import (
	"encoding/base64"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/schema"
)

// read gives the one value of a column as it is stored, or !reason.
func read(t testing.TB, c schema.Column, value string) string {
	t.Helper()
	got, err := scanAll(t, Spec{Columns: []schema.Column{c}}, Limits{}, strings.NewReader(`{"v":`+value+`}`))
	if err != nil || len(got) != 1 {
		t.Fatalf("%s: %d records, %v", value, len(got), err)
	}
	if got[0].Reject != "" {
		return "!" + strings.TrimPrefix(strings.SplitN(got[0].Reject, ",", 2)[0], "0: ")
	}
	return got[0].Cells
}

func TestSpellingsOfNumbers(t *testing.T) {
	unscaled := func(typ string, scale int) schema.Column {
		c := column("v", typ, "v")
		c.Unscaled = &scale
		return c
	}
	unit := func(typ, unit string) schema.Column {
		c := column("v", typ, "v")
		c.Unit = unit
		return c
	}
	const damaged = "!float_damage"
	for _, x := range []struct {
		c           schema.Column
		value, want string
	}{
		// Kafka Connect's base64 decimals: 1234 is 04d2, -1234 is fb2e.
		{unscaled("decimal(18,2)", 2), `"BNI="`, "1234"},
		{unscaled("decimal(18,2)", 2), `"+y4="`, "-1234"},
		{unscaled("decimal(18,4)", 2), `"BNI="`, "123400"},
		{unscaled("decimal(18,1)", 2), `"BNI="`, "!inexact"},
		{unscaled("decimal(3,2)", 2), `"BNI="`, "!out_of_range"},
		{unscaled("decimal(18,2)", 2), `"AAAAAAAAAAAAAAAAAAAAAAAABNI="`, "1234"},
		{unscaled("decimal(18,2)", 2), `""`, "!bad_unscaled"},
		{unscaled("decimal(18,2)", 2), `"12.34"`, "!bad_unscaled"},
		{unscaled("decimal(18,2)", 2), `12.34`, "!wrong_type"},
		{unscaled("decimal(18,2)", 2), `null`, "NULL"},
		// Debezium's decimals of variable scale.
		{column("v", "decimal(18,2)", "v"), `{"scale":2,"value":"BNI="}`, "1234"},
		{column("v", "decimal(18,2)", "v"), `{"value": "+y4=", "scale": 1}`, "-12340"},
		{column("v", "decimal(18,2)", "v"), `{"scale":0,"value":"BNI="}`, "123400"},
		{column("v", "decimal(18,2)", "v"), `{"scale":3,"value":"BNI="}`, "!inexact"},
		{column("v", "decimal(3,2)", "v"), `{"scale":2,"value":"BNI="}`, "!out_of_range"},
		{column("v", "decimal(18,2)", "v"), `{"scale":-2,"value":"BNI="}`, "!bad_unscaled"},
		{column("v", "decimal(18,2)", "v"), `{"scale":2,"value":""}`, "!bad_unscaled"},
		{column("v", "decimal(18,2)", "v"), `{"scale":2}`, "!wrong_type"},
		{column("v", "decimal(18,2)", "v"), `{"scale":2,"value":"BNI=","currency":"USD"}`, "!wrong_type"},
		{column("v", "decimal(18,2)", "v"), `[1234]`, "!wrong_type"},
		// Floats.
		{column("v", "decimal(18,2)", "v"), `0.30000000000000004`, damaged},
		{column("v", "decimal(18,2)", "v"), `"0.7999999999999999"`, damaged},
		{column("v", "decimal(18,2)", "v"), `-5.551115123125783e-17`, damaged},
		{column("v", "decimal(38,4)", "v"), `1234567.8900000001`, damaged},
		{column("v", "decimal(18,2)", "v"), `0.300000000000000040001`, "!inexact"},
		{column("v", "decimal(18,2)", "v"), `1.005`, "!inexact"},
		{column("v", "decimal(18,2)", "v"), `0.30`, "30"},
		// AvroConverter loses that a long counts microseconds, JsonConverter that an int counts days.
		{unit("timestamp", schema.UnitMicros), `1772323200000001`, "1772323200000001"},
		{unit("timestamp", ""), `1772323200000`, "1772323200000000"},
		{unit("timestamp", schema.UnitSeconds), `1772323200`, "1772323200000000"},
		{unit("timestamp", schema.UnitNanos), `1772323200000001000`, "1772323200000001"},
		{unit("timestamp", schema.UnitNanos), `1772323200000001001`, "!fraction"},
		{unit("timestamp", ""), `1772323200000001`, "!out_of_range"},
		{unit("timestamp", schema.UnitMicros), `"2026-03-01T00:00:00Z"`, "1772323200000000"},
		{unit("date", schema.UnitDays), `20513`, "20513"},
		{unit("date", schema.UnitDays), `"2026-03-01"`, "20513"},
		{unit("date", schema.UnitDays), `20513.5`, "!inexact"},
		{unit("date", schema.UnitDays), `99999999`, "!out_of_range"},
		{column("v", "date", "v"), `20513`, "!wrong_type"},
	} {
		if got := read(t, x.c, x.value); got != x.want {
			t.Errorf("%s unit %q unscaled %v: %s is %s, want %s", x.c.Type, x.c.Unit, x.c.Unscaled, x.value, got, x.want)
		}
	}
}

// TestFloatsAreNamed: a sum of floats that is no amount is named so, whatever
// the amounts; one that is spelled as the amount is the amount.
func TestFloatsAreNamed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var sum float64
		var cents int64
		for range rapid.IntRange(2, 6).Draw(t, "amounts") {
			c := rapid.Int64Range(1, 1e9).Draw(t, "cents")
			cents += c
			sum += float64(c) / 100
		}
		text := strconv.FormatFloat(sum, 'f', -1, 64)
		got, err := parseDecimal([]byte(text), 18, 2)
		exact, _ := new(big.Rat).SetString(text)
		switch exact.Mul(exact, big.NewRat(100, 1)).IsInt() {
		case true:
			if err != fits || got != cents {
				t.Fatalf("%s reads as %d, %s", text, got, err)
			}
		case false:
			if err != FloatDamage && err != Inexact || err == Inexact && len(strings.TrimLeft(strings.Replace(text, ".", "", 1), "0")) > 15 {
				t.Fatalf("%s is %s", text, err)
			}
		}
	})
}

// FuzzUnscaled: base64 reads as big.Int does.
func FuzzUnscaled(f *testing.F) {
	f.Add([]byte{4, 0xd2}, 2)
	f.Add([]byte{0xff}, 0)
	f.Add([]byte{0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, 38)
	f.Fuzz(func(t *testing.T, b []byte, scale int) {
		if len(b) == 0 || len(b) > maxUnscaledBytes || scale < 0 || scale > 38 {
			return
		}
		n := new(big.Int).SetBytes(b)
		if b[0] >= 0x80 {
			n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
		}
		want := new(big.Rat).SetFrac(n, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		text := string(AppendUnscaled(nil, b, scale))
		if got, ok := new(big.Rat).SetString(text); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%x at scale %d is %s, want %s", b, scale, text, want.FloatString(scale))
		}
		c := column("v", "decimal(38,38)", "v")
		c.Type.Scale, c.Unscaled = scale, &scale
		if got := read(t, c, `"`+base64.StdEncoding.EncodeToString(b)+`"`); strings.HasPrefix(got, "!") && got != "!out_of_range" {
			t.Fatalf("%x: %s", b, got)
		}
	})
}
