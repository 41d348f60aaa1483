package redshiftd

import (
	"strconv"
	"strings"
)

func (b *binder) in(e *inExpr, sc *scope) (bound, error) {
	not := ""
	if e.not {
		not = "NOT "
	}
	if t, ok := e.x.(*tuple); ok {
		return b.tupleIn(t, e, sc)
	}
	x, err := b.expr(e.x, sc)
	if err != nil {
		return x, err
	}
	if e.sub != nil {
		return b.inQuery([]bound{x}, e, sc)
	}
	list, err := b.exprs(e.list, sc)
	if err != nil {
		return x, err
	}
	parts, err := b.comparable("=", append([]bound{x}, list...)...)
	if err != nil {
		return x, err
	}
	return bound{sql: "(" + parts[0] + " " + not + "IN (" + strings.Join(parts[1:], ",") + "))", t: typ{kind: kBool}}, nil
}

func (b *binder) tupleIn(t *tuple, e *inExpr, sc *scope) (bound, error) {
	if e.sub == nil {
		return bound{}, strict("row constructors in IN are not supported")
	}
	xs, err := b.exprs(t.items, sc)
	if err != nil {
		return bound{}, err
	}
	return b.inQuery(xs, e, sc)
}

// inQuery writes x IN (SELECT …); each side's texts lose their trailing blanks.
func (b *binder) inQuery(xs []bound, e *inExpr, sc *scope) (bound, error) {
	sql, cols, err := b.query(e.sub, sc)
	if err != nil {
		return bound{}, err
	}
	if len(cols) != len(xs) {
		return bound{}, errorf("42601", "subquery has %d columns, %d expected", len(cols), len(xs))
	}
	var left, right, names []string
	for i, x := range xs {
		n := quoteIdent("c" + strconv.Itoa(i))
		pair, err := b.comparable("=", x, bound{sql: n, t: cols[i].t})
		if err != nil {
			return bound{}, err
		}
		left, right, names = append(left, pair[0]), append(right, pair[1]), append(names, n)
	}
	not := ""
	if e.not {
		not = "NOT "
	}
	l := left[0]
	if len(left) > 1 {
		l = "(" + strings.Join(left, ",") + ")"
	}
	return bound{sql: "(" + l + " " + not + "IN (SELECT " + strings.Join(right, ",") + " FROM (" + sql + ") AS s(" +
		strings.Join(names, ",") + ")))", t: typ{kind: kBool}}, nil
}

func (b *binder) between(e *between, sc *scope) (bound, error) {
	xs, err := b.exprs([]expr{e.x, e.lo, e.hi}, sc)
	if err != nil {
		return bound{}, err
	}
	s, err := b.comparable("BETWEEN", xs...)
	if err != nil {
		return bound{}, err
	}
	not := ""
	if e.not {
		not = "NOT "
	}
	return bound{sql: "(" + s[0] + " " + not + "BETWEEN " + s[1] + " AND " + s[2] + ")", t: typ{kind: kBool}}, nil
}

func (b *binder) isTest(e *isTest, sc *scope) (bound, error) {
	x, err := b.expr(e.x, sc)
	if err != nil {
		return x, err
	}
	what := strings.ToUpper(e.what)
	if what != "NULL" {
		if x, err = b.coerce(x, typ{kind: kBool}); err != nil || x.t.kind != kBool {
			return x, errorf("42804", "argument of IS %s must be type boolean", what)
		}
		if what == "UNKNOWN" {
			what = "NULL"
		}
	}
	x = b.settle(x)
	not := ""
	if e.not {
		not = "NOT "
	}
	return bound{sql: "(" + x.sql + " IS " + not + what + ")", t: typ{kind: kBool}}, nil
}

func (b *binder) like(e *like, sc *scope) (bound, error) {
	xs, err := b.exprs([]expr{e.x, e.pattern}, sc)
	if err != nil {
		return bound{}, err
	}
	for i := range xs {
		if xs[i], err = b.coerce(xs[i], varchar(maxVarchar)); err != nil {
			return bound{}, err
		}
		if !xs[i].t.isText() {
			return bound{}, errOperator(strings.ToUpper(e.op), xs[0], xs[1])
		}
	}
	escape := `'\'`
	if e.escape != nil {
		l, ok := e.escape.(*literal)
		if !ok || l.kind != "string" || len(l.text) > 1 {
			return bound{}, errorf("22019", "invalid escape string")
		}
		escape = quoteText(l.text)
	}
	not := ""
	if e.not {
		not = "NOT "
	}
	return bound{sql: "(" + xs[0].sql + " " + not + strings.ToUpper(e.op) + " " + xs[1].sql + " ESCAPE " + escape + ")", t: typ{kind: kBool}}, nil
}

func (b *binder) scalar(q *query, sc *scope) (bound, error) {
	sql, cols, err := b.query(q, sc)
	if err != nil {
		return bound{}, err
	}
	if len(cols) != 1 {
		return bound{}, errorf("42601", "subquery must return only one column")
	}
	t := cols[0].t
	if t.kind == kUnknown {
		t = varchar(maxVarchar)
	}
	return bound{sql: "(" + sql + ")", t: t}, nil
}
