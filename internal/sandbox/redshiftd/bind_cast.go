package redshiftd

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

var (
	integerText = regexp.MustCompile(`^\s*[+-]?[0-9]+\s*$`)
	decimalText = regexp.MustCompile(`^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$`)
)

// coerce gives an untyped constant or parameter the type t; a typed expression is left as it is.
func (b *binder) coerce(x bound, t typ) (bound, error) {
	if !x.untyped() {
		return x, nil
	}
	b.infer(x, t)
	if x.text == nil && x.sql == "NULL" {
		return bound{sql: castSQL("NULL", t), t: t}, nil
	}
	if x.text == nil { // an untyped output column of a subquery
		return b.convert(bound{sql: x.sql, t: varchar(maxVarchar)}, t)
	}
	s := *x.text
	switch {
	case t.isText():
		if t.kind == kChar {
			s = strings.TrimRight(s, " ")
		}
		return bound{sql: quoteText(s), t: varchar(max(1, len(s))), text: &s}, nil
	case t.isInt() && !integerText.MatchString(s):
		return x, errorf("22P02", "invalid input syntax for integer: %q", s)
	case (t.kind == kNumeric || t.isFloat()) && !decimalText.MatchString(s) && !(t.isFloat() && isSpecialFloat(s)):
		return x, errorf("22P02", "invalid input syntax for type %s: %q", t.name(), s)
	}
	return b.convert(bound{sql: quoteText(s), t: varchar(max(1, len(s))), nulls: nullness{}, text: &s}, t)
}

func isSpecialFloat(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "nan", "infinity", "-infinity", "inf", "-inf":
		return true
	}
	return false
}

func errCast(from, to typ) error {
	return errorf("42846", "cannot cast type %s to %s", from.name(), to.name())
}

// convert is an explicit cast. Text is cut to a shorter length, numbers are rounded.
func (b *binder) convert(x bound, t typ) (bound, error) {
	if x.untyped() {
		if t.isText() && x.text != nil {
			x = b.settle(x)
		} else if x.text == nil && x.sql != "NULL" {
			x.t = varchar(maxVarchar)
		} else {
			return b.coerce(x, t)
		}
	}
	from := x.t
	if from.kind == kSuper && t.kind != kSuper {
		return x, strict("cannot cast type super to %s", t.name())
	}
	sql, ok := "", true
	if x.text != nil && from.isText() && t.isTime() {
		s, err := timeConstant(*x.text, t)
		if err != nil {
			return x, err
		}
		x.sql, x.text = quoteText(s), &s
	}
	switch {
	case from == t:
		return x, nil
	case t.isText() && from.kind == kTimestamptz:
		sql = b.zonedText(x.sql)
		if t.p < 48 {
			sql = fmt.Sprintf("rs_fit(%s,%d)", sql, t.p)
		}
	case t.isText():
		sql, ok = textSQL(x, t)
	case from.isText() && t.kind == kTimestamptz:
		sql = b.zonedFromText(x)
	case from.isTime() && t.isTime():
		sql = b.timeCast(x, t)
	case x.text != nil && from.isText() && t.isTime():
		sql = castSQL(x.sql, t)
	case from.isText():
		sql, ok = fromText(x.sql, t)
	case t.kind == kSuper:
		if ok = from.isNumber() || from.kind == kBool; ok {
			sql = "CAST(" + x.sql + " AS VARCHAR)"
		}
	case from.isNumber() && t.isNumber(), from.kind == t.kind,
		from.isInt() && t.kind == kBool, from.kind == kBool && (t.kind == kInt4 || t.kind == kInt8 || t.kind == kInt2):
		sql = castSQL(x.sql, t)
	default:
		ok = false
	}
	if !ok {
		return x, errCast(from, t)
	}
	return bound{sql: sql, t: t, nulls: strictNulls(x)}, nil
}

// textSQL writes a value as text of type t.
func textSQL(x bound, t typ) (string, bool) {
	sql := ""
	switch from := x.t; {
	case from.isText():
		if t.kind == kChar {
			return "rtrim(" + cutSQL(x.sql, from, t) + ",' ')", true
		}
		return cutSQL(x.sql, from, t), true
	case from.isInt(), from.isTime():
		sql = "CAST(" + x.sql + " AS VARCHAR)"
	case from.kind == kNumeric:
		if from.p == from.s { // the engine leaves out the zero before the point
			from.p++
		}
		sql = "CAST(" + castSQL(x.sql, from) + " AS VARCHAR)"
	default:
		return "", false
	}
	if t.p >= 48 { // longer than any of these texts
		return sql, true
	}
	return fmt.Sprintf("rs_fit(%s,%d)", sql, t.p), true
}

func cutSQL(sql string, from, t typ) string {
	if from.p <= t.p {
		return sql
	}
	return fmt.Sprintf("CASE WHEN strlen(%s)<=%d THEN %s ELSE rs_cut(%s,%d) END", sql, t.p, sql, sql, t.p)
}

func fromText(sql string, t typ) (string, bool) {
	switch {
	case t.isInt():
		return castSQL("rs_integer("+sql+")", t), true
	case t.kind == kNumeric:
		return castSQL("rs_decimal("+sql+")", t), true
	case t.isFloat():
		return castSQL(sql, t), true
	case t.isTime():
		return castSQL("rs_time("+sql+")", t), true
	case t.kind == kBool:
		return "rs_bool(" + sql + ")", true
	case t.kind == kSuper:
		return "CAST(to_json(" + sql + ") AS VARCHAR)", true
	case t.kind == kInterval:
		return castSQL(sql, t), true
	case t.kind == kRegtype:
		return sql, true
	}
	return "", false
}

// assign converts a value for storing in a column: nothing is cut, only number to number, time to time and so on.
func (b *binder) assign(x bound, c columnInfo) (bound, error) {
	if x.untyped() && x.text == nil && x.sql != "NULL" && c.t.isText() { // a constant that a subquery hands on is not cut
		x.t = varchar(maxVarchar)
	}
	if x.untyped() {
		literal := x.text != nil
		y, err := b.coerce(x, c.t)
		if err != nil {
			return x, err
		}
		if literal && c.t.isText() {
			return bound{sql: fitSQL(y, c.t), t: c.t}, nil
		}
		x = y
		if !x.t.isText() {
			return x, nil
		}
	}
	from, t := x.t, c.t
	mismatch := errorf("42804", "column %q is of type %s but expression is of type %s", c.name, t.name(), from.name())
	switch {
	case from.isText() && t.isText():
		return bound{sql: fitSQL(x, t), t: t}, nil
	case from == t:
		return x, nil
	case from.isText(), from.kind == kSuper:
		return x, mismatch
	case t.isText():
		y, err := b.convert(x, varchar(maxVarchar))
		if err != nil {
			return x, mismatch
		}
		return bound{sql: fitSQL(y, t), t: t}, nil
	case t.kind == kSuper, from.kind == kBool, t.kind == kBool:
		if from.kind != t.kind {
			return x, mismatch
		}
	}
	y, err := b.convert(x, t)
	if err != nil {
		return x, mismatch
	}
	return y, nil
}

// fitSQL checks that a text fits the bytes of its column; blanks past the end are dropped.
func fitSQL(x bound, t typ) string {
	sql := x.sql
	if t.kind == kChar {
		sql = "rtrim(" + sql + ",' ')"
		return fmt.Sprintf("rs_fit_char(%s,%d)", sql, t.p)
	}
	if x.t.p <= t.p {
		return sql
	}
	return fmt.Sprintf("rs_fit(%s,%d)", sql, t.p)
}

// common is the type that values of both types are brought to by CASE, UNION, IN and comparison.
func common(a, c typ) (typ, bool) {
	switch {
	case a.kind == kUnknown:
		return c, true
	case c.kind == kUnknown || a == c:
		return a, true
	case a.isText() && c.isText():
		if a.kind == kChar && c.kind == kChar {
			return typ{kChar, max(a.p, c.p), 0}, true
		}
		return varchar(max(a.p, c.p)), true
	case a.isInt() && c.isInt():
		return typ{kind: max(a.kind, c.kind)}, true
	case a.isNumber() && c.isNumber():
		if a.isFloat() || c.isFloat() {
			return typ{kind: kFloat8}, true
		}
		x, y := a.asNumeric(), c.asNumeric()
		s := max(x.s, y.s)
		return numeric(min(max(x.p-x.s, y.p-y.s)+s, maxPrecision), s), true
	case a.isTime() && c.isTime():
		return typ{kind: max(a.kind, c.kind)}, true
	}
	return typ{}, false
}

// unify brings expressions to their common type. what names the construct for the error.
func (b *binder) unify(xs []bound, what string) ([]bound, typ, error) {
	t := typ{}
	for _, x := range xs {
		u, ok := common(t, x.t)
		if !ok {
			return nil, t, errorf("42804", "%s types %s and %s cannot be matched", what, t.name(), x.t.name())
		}
		t = u
	}
	if t.kind == kUnknown {
		n := 1
		for _, x := range xs {
			if x.text != nil {
				n = max(n, len(*x.text))
			}
		}
		t = varchar(n)
	}
	out := make([]bound, len(xs))
	for i, x := range xs {
		y, err := b.coerce(x, t)
		if err == nil && !(y.t.isText() && t.isText()) {
			y, err = b.convert(y, t)
		}
		if err != nil {
			return nil, t, err
		}
		if t.isText() {
			t.p = max(t.p, y.t.p)
		}
		out[i] = y
	}
	return out, t, nil
}

// typedLiteral writes DATE '…', TIMESTAMP '…' and INTERVAL '…'.
func (b *binder) typedLiteral(l *typedLit) (bound, error) {
	t := map[string]typ{"date": {kind: kDate}, "timestamp": {kind: kTimestamp}, "timestamptz": {kind: kTimestamptz}, "interval": {kind: kInterval}}[l.kind]
	return b.coerce(bound{sql: quoteText(l.text), text: &l.text}, t)
}

func timestampSQL(t time.Time) string {
	return "TIMESTAMP '" + t.UTC().Format("2006-01-02 15:04:05.999999") + "'"
}
