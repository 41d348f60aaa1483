package redshiftd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
)

// nvl2 chooses by whether its first argument is NULL.
func nvl2(b *binder, a []bound) (bound, error) {
	x := b.settle(a[0])
	xs, t, err := b.unify(a[1:], "NVL2")
	if err != nil {
		return x, err
	}
	return bound{sql: "CASE WHEN " + x.sql + " IS NOT NULL THEN " + xs[0].sql + " ELSE " + xs[1].sql + " END", t: t}, nil
}

// splitPart gives the n-th part of a text, from 1; empty where there is none.
func splitPart(s, delimiter string, n int64) (any, error) {
	if n < 1 {
		return nil, marked("22023", "field position must be greater than zero")
	}
	if delimiter == "" {
		return nil, marked("0A000", "SPLIT_PART with an empty delimiter is not supported (stand-in strictness)")
	}
	parts := strings.Split(s, delimiter)
	if n > int64(len(parts)) {
		return "", nil
	}
	return parts[n-1], nil
}

// translate replaces characters one by one; those without a counterpart go.
func translate(s, from, to string) string {
	target := []rune(to)
	swap := map[rune]rune{}
	for i, c := range []rune(from) {
		if _, twice := swap[c]; twice {
			continue
		}
		if swap[c] = -1; i < len(target) {
			swap[c] = target[i]
		}
	}
	return strings.Map(func(c rune) rune {
		if other, ok := swap[c]; ok {
			return other
		}
		return c
	}, s)
}

// initCap makes the first letter of every word large and the others small. Words end at what is no letter and no digit.
func initCap(s string) string {
	inWord := false
	return strings.Map(func(c rune) rune {
		first := !inWord
		inWord = unicode.IsLetter(c) || unicode.IsDigit(c)
		if first {
			return unicode.ToUpper(c)
		}
		return unicode.ToLower(c)
	}, s)
}

func reverse(s string) string {
	r := []rune(s)
	for i, j := 0, len(r)-1; i < j; i, j = i+1, j-1 {
		r[i], r[j] = r[j], r[i]
	}
	return string(r)
}

// repeat is bounded by the longest VARCHAR.
func repeat(s string, n int64) (any, error) {
	if n < 0 {
		return nil, marked("0A000", "REPEAT with a negative count is not supported (stand-in strictness)")
	}
	if int64(len(s))*min(n, maxVarchar+1) > maxVarchar {
		return nil, marked("22001", "value too long for type character varying(%d)", maxVarchar)
	}
	return strings.Repeat(s, int(n)), nil
}

// jsonType is JSON_TYPEOF.
func jsonType(s string) string {
	switch s = strings.TrimLeft(s, " \t\r\n"); {
	case strings.HasPrefix(s, "{"):
		return "object"
	case strings.HasPrefix(s, "["):
		return "array"
	case strings.HasPrefix(s, `"`):
		return "string"
	case s == "null":
		return "null"
	case s == "true" || s == "false":
		return "boolean"
	}
	return "number"
}

// jsonArray reads a JSON array given as text.
func jsonArray(s string) ([]json.RawMessage, error) {
	var l []json.RawMessage
	if err := json.Unmarshal([]byte(s), &l); err != nil || !bytes.HasPrefix(bytes.TrimSpace([]byte(s)), []byte("[")) {
		return nil, marked("22P02", "JSON parsing error")
	}
	return l, nil
}

func jsonElement(s string, i int64) (any, error) {
	l, err := jsonArray(s)
	if err != nil || i < 0 || i >= int64(len(l)) {
		return nil, err
	}
	var text string
	if json.Unmarshal(l[i], &text) == nil && string(l[i]) != "null" {
		return text, nil
	}
	return string(l[i]), nil
}

// addMonths keeps the last day of a month the last day.
func addMonths(t time.Time, n int64) time.Time {
	first := time.Date(t.Year(), t.Month(), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC).AddDate(0, int(n), 0)
	last := first.AddDate(0, 1, -1).Day()
	day := t.Day()
	if day > last || t.AddDate(0, 0, 1).Month() != t.Month() {
		day = last
	}
	return first.AddDate(0, 0, day-1)
}

// round gives a NUMERIC the scale that it is rounded to.
func round(_ *binder, a []bound) (bound, error) {
	x, n := a[0], 0
	if !x.t.isNumber() || len(a) == 2 && !a[1].t.isInt() {
		return x, errFunction("round", a)
	}
	if len(a) == 1 {
		if x.t.isFloat() {
			return bound{sql: "round(" + x.sql + ")", t: tFloat}, nil
		}
	} else if x.t.isFloat() {
		return bound{sql: "round(" + x.sql + "," + a[1].sql + ")", t: tFloat}, nil
	} else if m := wholeConstant.FindStringSubmatch(a[1].sql); m == nil {
		return x, strict("ROUND takes a constant number of digits")
	} else if _, err := fmt.Sscan(m[1]+m[2], &n); err != nil {
		return x, err
	}
	if x.t.isInt() {
		if n >= 0 {
			return x, nil
		}
		return bound{sql: castSQL(fmt.Sprintf("round(%s,%d)", x.sql, n), x.t), t: x.t}, nil
	}
	t := x.t
	if s := max(n, 0); s < t.s {
		t = numeric(min(t.p-t.s+s+1, maxPrecision), s)
	}
	return bound{sql: castSQL(fmt.Sprintf("round(%s,%d)", x.sql, n), t), t: t}, nil
}

// wholeConstant is an integer constant in the engine's words.
var wholeConstant = regexp.MustCompile(`^\(?(-?)CAST\(([0-9]+) AS [A-Z]+\)\)?$`)

var (
	isoTime     = regexp.MustCompile(`^\s*([0-9]{4})-?([0-9]{1,2})-?([0-9]{1,2})([ T]+([0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,6})?)?)\s*(.*))?$`)
	compactDate = regexp.MustCompile(`^\s*([0-9]{4})([0-9]{2})([0-9]{2})([ T].*)?$`)
	offsetText  = regexp.MustCompile(`^([+-][0-9]{1,2}(:?[0-9]{2})?|[zZ]|(?i:utc|gmt))?\s*$`)
)

// timeConstant checks the form of a date or time, and gives it the form that the engine reads. ISO 8601 with at most six
// digits of a second's fraction is what is known here.
func timeConstant(s string, t typ) (string, error) {
	if !strings.ContainsAny(s, "0123456789") {
		switch strings.ToLower(strings.TrimSpace(s)) {
		case "infinity", "-infinity", "epoch", "now", "today", "tomorrow", "yesterday":
			return s, strict("the date %q is not supported", s)
		}
		return s, errorf("22007", "invalid input syntax for type %s: %q", t.name(), s)
	}
	if m := compactDate.FindStringSubmatch(s); m != nil {
		s = m[1] + "-" + m[2] + "-" + m[3] + m[4]
	}
	m := isoTime.FindStringSubmatch(s)
	if m == nil || !offsetText.MatchString(m[8]) {
		return s, strict("the form of the date %q is not supported", s)
	}
	return s, nil
}
