package redshiftd

import (
	"fmt"
	"strings"
)

// arithmetic binds + - * / % over numbers, and dates with integers or intervals.
func (b *binder) arithmetic(op string, l, r bound) (bound, error) {
	l, r, err := b.operands(op, l, r)
	if err != nil {
		return l, err
	}
	if l.t.isTime() || r.t.isTime() || l.t.kind == kInterval || r.t.kind == kInterval {
		return b.timeArithmetic(op, l, r)
	}
	if !l.t.isNumber() || !r.t.isNumber() {
		return l, errOperator(op, l, r)
	}
	switch {
	case l.t.isFloat() || r.t.isFloat():
		x, y := castSQL(l.sql, typ{kind: kFloat8}), castSQL(r.sql, typ{kind: kFloat8})
		if op == "/" || op == "%" {
			y = "rs_nonzero(" + y + ")"
		}
		return bound{sql: "(" + x + " " + op + " " + y + ")", t: typ{kind: kFloat8}}, nil
	case l.t.isInt() && r.t.isInt():
		t := typ{kind: max(l.t.kind, r.t.kind)}
		x, y := castSQL(l.sql, t), castSQL(r.sql, t)
		switch op {
		case "/":
			return bound{sql: castSQL("("+x+" // rs_nonzero("+y+"))", t), t: t}, nil
		case "%":
			return bound{sql: castSQL("("+x+" % rs_nonzero("+y+"))", t), t: t}, nil
		}
		return bound{sql: "(" + x + " " + op + " " + y + ")", t: t}, nil
	}
	return decimalArithmetic(op, l, r), nil
}

// operands gives an untyped operand the type of the other side.
func (b *binder) operands(op string, l, r bound) (bound, bound, error) {
	if l.untyped() && r.untyped() {
		return l, r, errorf("42725", "operator is not unique: unknown %s unknown", op)
	}
	pick := func(x, other bound) (bound, error) {
		t := other.t
		switch {
		case !x.untyped():
			return x, nil
		case t.isTime():
			t = typ{kind: kInterval}
			if op == "-" {
				t = other.t
			}
		case t.kind == kInterval:
			t = typ{kind: kTimestamp}
		case t.kind == kNumeric:
			if x.text != nil {
				t = numericOf(*x.text)
			}
		case !t.isNumber():
			return x, errOperator(op, l, r)
		}
		return b.coerce(x, t)
	}
	x, err := pick(l, r)
	if err != nil {
		return l, r, err
	}
	y, err := pick(r, x)
	return x, y, err
}

// decimalArithmetic follows Redshift's table of result precision and scale.
func decimalArithmetic(op string, l, r bound) bound {
	a, c := l.t.asNumeric(), r.t.asNumeric()
	var t typ
	switch op {
	case "+", "-", "%":
		s := max(a.s, c.s)
		t = numeric(max(a.p-a.s, c.p-c.s)+1+s, s)
	case "*":
		t = numeric(a.p+c.p+1, a.s+c.s)
	case "/":
		s := max(4, a.s+c.p-c.s+1)
		t = numeric(a.p-a.s+c.s+s, s)
	}
	if t.p > maxPrecision { // keep the whole digits, give up scale down to 4
		t = numeric(maxPrecision, max(maxPrecision+t.s-t.p, min(t.s, 4)))
	}
	t.s = min(t.s, maxScale)
	x, y := castSQL(l.sql, a), castSQL(r.sql, c)
	switch op {
	case "/":
		return bound{sql: castSQL(fmt.Sprintf("rs_divide(CAST(%s AS VARCHAR),CAST(%s AS VARCHAR),%d)", x, y, t.s), t), t: t}
	case "*":
		return bound{sql: castSQL("("+x+" * "+y+")", t), t: t}
	}
	wide := numeric(t.p, max(a.s, c.s))
	x, y = castSQL(l.sql, wide), castSQL(r.sql, wide)
	if op == "%" {
		y = "rs_nonzero(" + y + ")"
	}
	return bound{sql: castSQL("("+x+" "+op+" "+y+")", t), t: t}
}

func (b *binder) timeArithmetic(op string, l, r bound) (bound, error) {
	if op != "+" && op != "-" {
		if op == "*" && (l.t.kind == kInterval && r.t.isInt() || l.t.isInt() && r.t.kind == kInterval) {
			return bound{sql: "(" + l.sql + " * " + r.sql + ")", t: typ{kind: kInterval}}, nil
		}
		return l, errOperator(op, l, r)
	}
	sql := "(" + l.sql + " " + op + " " + r.sql + ")"
	date, stamp := typ{kind: kDate}, typ{kind: kTimestamp}
	switch {
	case l.t.kind == kDate && r.t.isInt():
		return bound{sql: "CAST(" + l.sql + " " + op + " CAST(" + r.sql + " AS INTEGER) AS DATE)", t: date}, nil
	case l.t.isInt() && r.t.kind == kDate && op == "+":
		return bound{sql: "CAST(" + r.sql + " + CAST(" + l.sql + " AS INTEGER) AS DATE)", t: date}, nil
	case l.t.kind == kDate && r.t.kind == kDate && op == "-":
		return bound{sql: "CAST(" + sql + " AS BIGINT)", t: typ{kind: kInt8}}, nil
	case l.t.isTime() && r.t.isTime() && op == "-":
		return bound{sql: "(" + b.timeCast(l, stamp) + " - " + b.timeCast(r, stamp) + ")", t: typ{kind: kInterval}}, nil
	case l.t.kind == kInterval && r.t.kind == kInterval:
		return bound{sql: sql, t: l.t}, nil
	case l.t.isTime() && r.t.kind == kInterval, l.t.kind == kInterval && r.t.isTime() && op == "+":
		t := l.t
		if t.kind == kInterval {
			t = r.t
		}
		if t.kind == kTimestamptz { // days and months are those of the session's clock
			sql = "(" + b.wall(l) + " " + op + " " + b.wall(r) + ")"
			return b.convert(bound{sql: castSQL(sql, stamp), t: stamp}, t)
		}
		if t.kind == kDate {
			t = stamp
		}
		return bound{sql: castSQL(strings.TrimSpace(sql), t), t: t}, nil
	}
	return l, errOperator(op, l, r)
}
