package survey

import (
	"fmt"
	"math"
)

// typeOf sets the column's type: the narrowest that holds every value of the
// sample exactly, with room to grow. It returns what the choice rests on.
func typeOf(c *node, col *Column) []string {
	n := c.seen()
	numbers := merged(c.numbers, c.strings.decimal)
	switch {
	case mostly(c.objects+c.arrays, n):
		col.Type = "super"
		if c.objects != n && c.arrays != n {
			return []string{"objects, lists and single values mixed"}
		}
		return nil
	case mostly(c.bools, n):
		col.Type = "boolean"
		return misfits(col, n-c.bools, n, "truth values")
	case c.numbers.n > 0 && mostly(numbers.n, n):
		why := append(misfits(col, n-numbers.n, n, "numbers"), numberType(&numbers, col, c.name)...)
		if c.strings.decimal.n > 0 {
			why = append(why, share(c.strings.decimal.n, n)+" spelled as texts")
		}
		return why
	case mostly(c.strings.n, n):
		return append(misfits(col, n-c.strings.n, n, "texts"), textType(&c.strings, col, c.name)...)
	}
	col.Type = "super"
	return []string{"texts, numbers and truth values mixed"}
}

// mostly is the share of values that decides a type; the others go to the
// quarantine, which the comment says.
func mostly(part, whole int64) bool { return part*1000 >= whole*995 }

// misfits notes values that the type will not take.
func misfits(col *Column, n, of int64, what string) []string {
	if n == 0 {
		return nil
	}
	col.misfits += n
	return []string{fmt.Sprintf("LOOK: %d of %d are no %s and will be rejected", n, of, what)}
}

// merged counts numbers together.
func merged(a, b number) number {
	out := number{n: a.n + b.n, fraction: a.fraction + b.fraction, noisy: a.noisy + b.noisy, whole: max(a.whole, b.whole), scale: max(a.scale, b.scale), exponent: a.exponent + b.exponent}
	out.least, out.most = a.least, a.most
	if out.least == nil || b.least != nil && b.least.Cmp(out.least) < 0 {
		out.least = b.least
	}
	if out.most == nil || b.most != nil && b.most.Cmp(out.most) > 0 {
		out.most = b.most
	}
	return out
}

// Epochs of 2001 to 2100, in milliseconds.
const (
	firstMillis = 978_307_200_000
	lastMillis  = 4_102_444_800_000
)

func numberType(n *number, col *Column, name string) []string {
	switch {
	case n.fraction == 0 && n.exponent == 0 && n.within(firstMillis, lastMillis) && says(name, "at", "time", "timestamp", "ts", "date", "when", "ms", "millis"):
		col.Type, col.Fraction = "timestamp", "reject"
		return []string{"numbers that are milliseconds since 1970"}
	case n.fraction == 0 && n.exponent == 0 && !money(name) && n.within(math.MinInt64, math.MaxInt64):
		col.Type = "bigint"
		if says(name, "version", "revision", "count", "number", "year", "month", "day") && n.within(math.MinInt32/2, math.MaxInt32/2) {
			col.Type = "integer"
		}
		return nil
	case n.fraction == 0 && n.exponent == 0 && says(name, "cents", "minor", "pence") && n.within(math.MinInt64, math.MaxInt64):
		col.Type = "bigint"
		return []string{"an amount in minor units"}
	}
	return decimalType(n, col, name)
}

func decimalType(n *number, col *Column, name string) []string {
	scale := n.scale
	if money(name) {
		scale = max(scale, 2)
	}
	precision := 18
	if n.whole+scale > 15 {
		precision = 38
	}
	col.Type = fmt.Sprintf("decimal(%d,%d)", precision, min(scale, precision-1))
	var why []string
	if n.noisy > 0 {
		col.misfits += n.noisy
		why = append(why, fmt.Sprintf("LOOK: %d of %d have %d or more digits behind the point, as money has that went through floats: they will be rejected", n.noisy, n.n, noise))
	}
	if n.exponent > 0 {
		why = append(why, fmt.Sprintf("%d are spelled with an exponent", n.exponent))
	}
	return append(why, fmt.Sprintf("at most %d digits before and %d behind the point", n.whole, n.scale))
}

func textType(t *text, col *Column, name string) []string {
	rest := func(part int64, what string) []string { return misfits(col, t.n-part, t.n, what) }
	switch {
	case mostly(t.zoned+t.wall, t.n):
		why := rest(t.zoned+t.wall, "timestamps")
		col.Type, col.Fraction = "timestamp", "reject"
		if t.fraction > 6 {
			col.Fraction = "floor"
			why = append(why, fmt.Sprintf("%d digits of a second, of which the warehouse holds 6", t.fraction))
		}
		if t.wall > 0 {
			col.Zone = "UTC"
			why = append(why, fmt.Sprintf("LOOK: %d of %d have no zone; UTC is a guess", t.wall, t.n))
		}
		return why
	case mostly(t.date, t.n):
		col.Type = "date"
		return rest(t.date, "dates")
	case t.uuid == t.n:
		col.Type = "varchar(36)"
		return nil
	case mostly(t.decimal.n, t.n) && t.decimal.exponent == 0 && (money(name) || t.decimal.fraction > 0):
		return append(rest(t.decimal.n, "numbers"), decimalType(&t.decimal, col, name)...)
	case t.code == t.n && t.bytes == 3:
		col.Type = "char(3)"
		return nil
	}
	col.Type = fmt.Sprintf("varchar(%d)", room(t.bytes))
	return []string{fmt.Sprintf("at most %d bytes", t.bytes)}
}

// room is a length with as much again to grow, up to what the warehouse holds.
func room(bytes int64) int64 {
	for _, n := range []int64{16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768} {
		if bytes*2 <= n {
			return n
		}
	}
	return 65535
}
