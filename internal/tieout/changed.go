package tieout

import (
	"encoding/json"
	"math/big"
	"strings"

	"backfill/internal/schema"
)

// The longest shift of a clock, and its step, in microseconds.
const (
	quarter  = int64(15 * 60 * 1_000_000)
	maxShift = int64(26 * 60 * 60 * 1_000_000)
)

// Changes returns the columns in which two rows differ, with the kind of each.
// Values are text as publish.KeyRows gives it; nil is NULL.
func Changes(cols []schema.Column, left, right []*string) []Change {
	var list []Change
	for i, c := range cols {
		if same(c.Type, left[i], right[i]) {
			continue
		}
		list = append(list, Change{Column: c.Name, Kind: KindOf(c.Type, left[i], right[i]), Left: left[i], Right: right[i]})
	}
	return list
}

func same(t schema.Type, left, right *string) bool {
	if left == nil || right == nil {
		return left == right
	}
	return *left == *right || t.Kind == schema.Super && sameJSON(*left, *right)
}

// sameJSON compares values, not spellings: numbers by their value, exactly.
func sameJSON(a, b string) bool {
	left, ok := parseJSON(a)
	right, ok2 := parseJSON(b)
	return ok && ok2 && equalJSON(left, right)
}

func parseJSON(text string) (v any, ok bool) {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return v, d.Decode(&v) == nil
}

func equalJSON(a, b any) bool {
	switch x := a.(type) {
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			if w, there := y[k]; !there || !equalJSON(v, w) {
				return false
			}
		}
		return true
	case []any:
		y, ok := b.([]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for i := range x {
			if !equalJSON(x[i], y[i]) {
				return false
			}
		}
		return true
	case json.Number:
		y, ok := b.(json.Number)
		if !ok || len(x) > 100 || len(y) > 100 {
			return ok && x == y
		}
		return x == y || sameNumber(string(x), string(y))
	}
	return a == b
}

func sameNumber(a, b string) bool {
	if strings.ContainsAny(a+b, "eE") && (len(a) > 20 || len(b) > 20) {
		return false // an exponent could make a number of any size
	}
	x, ok := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	return ok && ok2 && x.Cmp(y) == 0
}

// KindOf says how two values of a type differ; right is the table's.
func KindOf(t schema.Type, left, right *string) ChangeKind {
	if left == nil || right == nil {
		other := left
		if left == nil {
			other = right
		}
		if other != nil && strings.TrimSpace(*other) == "" {
			return NullEmpty
		}
		return OtherValue
	}
	switch t.Kind {
	case schema.Decimal:
		return decimalKind(*left, *right, t.Scale)
	case schema.Timestamp:
		return momentKind(*left, *right)
	case schema.Char, schema.Varchar:
		return textKind(*left, *right)
	}
	return OtherValue
}

// decimalKind finds a number that was rounded, half away from zero or half to
// even, or cut: to fewer digits behind the point, or to tens, hundreds and so on
// while a digit other than zero is left.
func decimalKind(left, right string, scale int) ChangeKind {
	l, ok := new(big.Int).SetString(strings.Replace(left, ".", "", 1), 10)
	r, ok2 := new(big.Int).SetString(strings.Replace(right, ".", "", 1), 10)
	if !ok || !ok2 {
		return OtherValue
	}
	unit := big.NewInt(1)
	cut := false
	for digits := 1; digits <= scale || r.Sign() != 0 && !cut; digits++ {
		unit.Mul(unit, big.NewInt(10))
		if new(big.Int).Rem(r, unit).Sign() != 0 {
			break
		}
		quo, rest := new(big.Int).QuoRem(l, unit, new(big.Int))
		down := new(big.Int).Mul(quo, unit)
		away := new(big.Int).Add(down, new(big.Int).Mul(unit, big.NewInt(int64(l.Sign()))))
		twice := new(big.Int).Mul(new(big.Int).Abs(rest), big.NewInt(2)).Cmp(unit)
		switch {
		case r.Cmp(away) == 0 && twice >= 0, r.Cmp(down) == 0 && (twice < 0 || twice == 0 && quo.Bit(0) == 0):
			return Rounding
		case r.Cmp(down) == 0:
			cut = true
		}
	}
	if cut {
		return Truncation
	}
	return OtherValue
}

// momentKind finds a shift by a clock's steps, or digits that were cut or rounded.
func momentKind(left, right string) ChangeKind {
	l, ok := new(big.Int).SetString(left, 10)
	r, ok2 := new(big.Int).SetString(right, 10)
	if !ok || !ok2 || !l.IsInt64() || !r.IsInt64() {
		return OtherValue
	}
	a, b := l.Int64(), r.Int64()
	if d := b - a; d%quarter == 0 && d <= maxShift && d >= -maxShift {
		return ZoneShift
	}
	for _, unit := range []int64{1000, 1_000_000, 60 * 1_000_000} {
		switch floor := a - ((a%unit)+unit)%unit; b {
		case floor:
			return Truncation
		case floor + unit:
			return Rounding
		}
	}
	return OtherValue
}

func textKind(left, right string) ChangeKind {
	switch {
	case strings.TrimSpace(left) == strings.TrimSpace(right):
		return Padding
	case strings.EqualFold(left, right):
		return LetterCase
	case right != "" && strings.HasPrefix(left, right):
		return Truncation
	}
	return OtherValue
}
