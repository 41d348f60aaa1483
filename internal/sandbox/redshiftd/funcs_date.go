package redshiftd

import (
	"fmt"
	"strings"
)

var datePartSpellings = map[string]string{
	"year": "year years y yr yrs", "quarter": "quarter quarters qtr qtrs", "month": "month months mon mons",
	"day": "day days d", "hour": "hour hours h hr hrs", "minute": "minute minutes m min mins",
	"second": "second seconds s sec secs", "millisecond": "millisecond milliseconds ms msec msecs msecond mseconds millisec millisecs millisecon",
	"microsecond": "microsecond microseconds us usec usecs usecond useconds microsec microsecs microsecon",
	"week":        "week weeks w", "dow": "dow dayofweek dw weekday", "doy": "doy dayofyear dy yearday", "epoch": "epoch",
	"decade": "decade decades dec decs", "century": "century centuries c cent cents", "millennium": "millennium millennia mil mils",
}

func datePart(word string) (string, bool) {
	for part, words := range datePartSpellings {
		for _, w := range strings.Fields(words) {
			if w == word {
				return part, true
			}
		}
	}
	return "", false
}

// partArgument reads the date part, given as a word or as text.
func partArgument(e expr) (string, error) {
	word := ""
	switch e := e.(type) {
	case *column:
		word = e.name
	case *literal:
		word = strings.ToLower(e.text)
	}
	part, ok := datePart(word)
	if !ok {
		return "", errorf("22023", "timestamp units %q not recognized", word)
	}
	return part, nil
}

// specialFunction binds functions whose first argument is a date part.
func (b *binder) specialFunction(c *call, sc *scope) (bound, bool, error) {
	want := map[string]int{"datediff": 3, "date_diff": 3, "dateadd": 3, "date_add": 3, "date_trunc": 2, "date_part": 2}[c.name]
	if want == 0 {
		return bound{}, false, nil
	}
	if len(c.args) != want {
		return bound{}, true, errFunction(c.name, make([]bound, len(c.args)))
	}
	part, err := partArgument(c.args[0])
	if err != nil {
		return bound{}, true, err
	}
	args, err := b.exprs(c.args[1:], sc)
	if err != nil {
		return bound{}, true, err
	}
	var x bound
	switch c.name {
	case "datediff", "date_diff":
		x, err = b.dateDiff(part, args)
	case "dateadd", "date_add":
		last := args[1]
		x, err = b.dateAdd(part, args)
		x, err = b.zonedLike(x, last, err)
	case "date_trunc":
		x, err = b.dateTrunc(part, args[0])
		x, err = b.zonedLike(x, args[0], err)
	default:
		x, err = b.datePart(part, args[0])
	}
	return x, true, err
}

// dateDiff counts the boundaries of a part between two times. Weeks are refused: where they begin is not settled here.
func (b *binder) dateDiff(part string, a []bound) (bound, error) {
	switch part {
	case "week", "dow", "doy", "epoch", "decade", "century", "millennium":
		return a[0], strict("DATEDIFF by %s is not supported", part)
	}
	for i := range a {
		var err error
		if a[i], err = b.argument(a[i], tStamp); err != nil {
			return a[i], errFunction("date_diff", a)
		}
	}
	return bound{sql: fmt.Sprintf("date_diff('%s',%s,%s)", part, a[0].sql, a[1].sql), t: tInt8, nulls: strictNulls(a...)}, nil
}

func (b *binder) dateAdd(part string, a []bound) (bound, error) {
	switch part {
	case "dow", "doy", "epoch", "decade", "century", "millennium":
		return a[0], strict("DATEADD by %s is not supported", part)
	}
	n, err := b.argument(a[0], tInt8)
	if err != nil {
		return n, errFunction("date_add", a)
	}
	x, err := b.argument(a[1], tStamp)
	if err != nil {
		return x, errFunction("date_add", a)
	}
	factor, unit := 1, part+"s"
	switch part {
	case "quarter":
		factor, unit = 3, "months"
	case "week":
		factor, unit = 7, "days"
	}
	return bound{sql: fmt.Sprintf("CAST(%s + to_%s(CAST(%s*%d AS %s)) AS TIMESTAMP)", x.sql, unit, n.sql, factor, stepType(unit)), t: tStamp}, nil
}

// stepType is the argument type of the engine's to_<unit> functions.
func stepType(unit string) string {
	switch unit {
	case "years", "months", "days":
		return "INTEGER"
	case "seconds", "milliseconds":
		return "DOUBLE"
	}
	return "BIGINT"
}

func (b *binder) dateTrunc(part string, a bound) (bound, error) {
	switch part {
	case "dow", "doy", "epoch":
		return a, errorf("22023", "timestamp units %q not supported", part)
	}
	x, err := b.argument(a, tStamp)
	if err != nil {
		return x, errFunction("date_trunc", []bound{a})
	}
	return bound{sql: fmt.Sprintf("CAST(date_trunc('%s',%s) AS TIMESTAMP)", part, x.sql), t: tStamp}, nil
}

func (b *binder) datePart(part string, a bound) (bound, error) {
	x, err := b.argument(a, tStamp)
	if err != nil {
		return x, errFunction("date_part", []bound{a})
	}
	switch part {
	case "millisecond":
		return bound{sql: "CAST((date_part('microsecond'," + x.sql + ") % 1000000) // 1000 AS INTEGER)", t: tInt4}, nil
	case "microsecond":
		return bound{sql: "CAST(date_part('microsecond'," + x.sql + ") % 1000000 AS INTEGER)", t: tInt4}, nil
	case "epoch":
		return bound{sql: "CAST(floor(epoch_us(" + x.sql + ") / 1000000) AS BIGINT)", t: tInt8}, nil
	case "week":
		return bound{sql: "CAST(date_part('week'," + x.sql + ") AS INTEGER)", t: tInt4}, nil
	}
	return bound{sql: fmt.Sprintf("CAST(floor(date_part('%s',%s)) AS INTEGER)", part, x.sql), t: tInt4}, nil
}

// charPattern splits a TO_CHAR format into its known parts and literal text.
func charPattern(format string) ([]string, error) {
	var out []string
next:
	for format != "" {
		if format[0] == '"' {
			end := strings.IndexByte(format[1:], '"')
			if end < 0 {
				return nil, strict("TO_CHAR format %q is not supported", format)
			}
			out, format = append(out, "="+format[1:end+1]), format[end+2:]
			continue
		}
		for _, p := range []string{"YYYY", "HH24", "HH12", "MM", "DD", "HH", "MI", "SS", "MS", "US", "YY", "DDD", "D", "Q", "AM", "PM"} {
			if strings.HasPrefix(format, p) && !strings.HasPrefix(format, "DDD") {
				out, format = append(out, p), format[len(p):]
				continue next
			}
		}
		if c := format[0]; isLetter(c) || isDigit(c) {
			if strings.HasPrefix(format, "T") && len(out) > 0 { // the T of ISO 8601 is passed through
				out, format = append(out, "=T"), format[1:]
				continue
			}
			return nil, strict("TO_CHAR format %q is not supported", format)
		}
		out, format = append(out, "="+format[:1]), format[1:]
	}
	return out, nil
}
