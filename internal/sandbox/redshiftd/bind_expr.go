package redshiftd

import (
	"slices"
	"strconv"
	"strings"
)

func (b *binder) expr(e expr, sc *scope) (bound, error) {
	switch e := e.(type) {
	case *literal:
		return literalSQL(e), nil
	case *typedLit:
		return b.typedLiteral(e)
	case *param:
		return b.param(e.n), nil
	case *column:
		return sc.columnRef(e)
	case *unary:
		return b.unary(e, sc)
	case *binaryOp:
		return b.binary(e, sc)
	case *cast:
		x, err := b.expr(e.x, sc)
		if err != nil {
			return x, err
		}
		return b.convert(x, e.t)
	case *caseExpr:
		return b.caseExpr(e, sc)
	case *inExpr:
		return b.in(e, sc)
	case *between:
		return b.between(e, sc)
	case *isTest:
		return b.isTest(e, sc)
	case *like:
		return b.like(e, sc)
	case *exists:
		sql, _, err := b.query(e.q, sc)
		return bound{sql: "EXISTS (" + sql + ")", t: typ{kind: kBool}}, err
	case *subquery:
		return b.scalar(e.q, sc)
	case *call:
		return b.call(e, sc)
	case *extract:
		return b.call(&call{name: "date_part", args: []expr{&literal{"string", e.part}, e.x}}, sc)
	case *trimExpr:
		name := map[string]string{"both": "btrim", "leading": "ltrim", "trailing": "rtrim"}[e.side]
		args := []expr{e.x}
		if e.chars != nil {
			args = append(args, e.chars)
		}
		return b.call(&call{name: name, args: args}, sc)
	}
	return bound{}, strict("row constructors are not supported")
}

func (b *binder) exprs(es []expr, sc *scope) ([]bound, error) {
	out := make([]bound, len(es))
	for i, e := range es {
		var err error
		if out[i], err = b.expr(e, sc); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func literalSQL(l *literal) bound {
	switch l.kind {
	case "null":
		return bound{sql: "NULL"}
	case "bool":
		return bound{sql: l.text, t: typ{kind: kBool}}
	case "string":
		s := l.text
		return bound{sql: quoteText(s), text: &s}
	}
	if strings.ContainsAny(l.text, "eE") {
		return bound{sql: "CAST(" + quoteText(l.text) + " AS DOUBLE)", t: typ{kind: kFloat8}}
	}
	if !strings.Contains(l.text, ".") {
		if v, err := strconv.ParseInt(l.text, 10, 64); err == nil {
			t := typ{kind: kInt8}
			if int64(int32(v)) == v {
				t.kind = kInt4
			}
			return bound{sql: castSQL(l.text, t), t: t, nulls: nullness{}}
		}
	}
	t := numericOf(l.text)
	return bound{sql: castSQL(quoteText(l.text), t), t: t, nulls: nullness{}}
}

func (b *binder) boolean(e expr, sc *scope, what string) (string, error) {
	x, err := b.expr(e, sc)
	if err != nil {
		return "", err
	}
	if x, err = b.coerce(x, typ{kind: kBool}); err != nil {
		return "", err
	}
	if x.t.kind != kBool {
		return "", errorf("42804", "argument of %s must be type boolean, not type %s", what, x.t.name())
	}
	return x.sql, nil
}

func (b *binder) unary(e *unary, sc *scope) (bound, error) {
	if e.op == "not" {
		sql, err := b.boolean(e.x, sc, "NOT")
		return bound{sql: "(NOT " + sql + ")", t: typ{kind: kBool}}, err
	}
	x, err := b.expr(e.x, sc)
	if err != nil {
		return x, err
	}
	if !x.t.isNumber() && x.t.kind != kInterval {
		return x, errorf("42883", "operator does not exist: %s %s", e.op, x.t.name())
	}
	return bound{sql: "(" + e.op + x.sql + ")", t: x.t}, nil
}

func (b *binder) binary(e *binaryOp, sc *scope) (bound, error) {
	if e.op == "and" || e.op == "or" {
		l, err := b.boolean(e.l, sc, strings.ToUpper(e.op))
		if err != nil {
			return bound{}, err
		}
		r, err := b.boolean(e.r, sc, strings.ToUpper(e.op))
		return bound{sql: "(" + l + " " + strings.ToUpper(e.op) + " " + r + ")", t: typ{kind: kBool}}, err
	}
	l, err := b.expr(e.l, sc)
	if err != nil {
		return l, err
	}
	r, err := b.expr(e.r, sc)
	if err != nil {
		return r, err
	}
	switch e.op {
	case "=", "<>", "<", ">", "<=", ">=":
		return b.compare(e.op, l, r)
	case "||":
		return b.concat(l, r)
	}
	return b.arithmetic(e.op, l, r)
}

func errOperator(op string, l, r bound) error {
	return errorf("42883", "operator does not exist: %s %s %s", l.t.name(), op, r.t.name())
}

// comparable writes two values so that the engine compares them as Redshift does: text without its trailing blanks.
func (b *binder) comparable(op string, xs ...bound) ([]string, error) {
	t := typ{}
	for _, x := range xs {
		u, ok := common(t, x.t)
		if !ok || u.kind == kSuper {
			return nil, errOperator(op, xs[0], x)
		}
		t = u
	}
	if t.kind == kUnknown {
		t = varchar(maxVarchar)
	}
	out := make([]string, len(xs))
	for i, x := range xs {
		x, err := b.coerce(x, t)
		if err != nil {
			return nil, err
		}
		out[i] = x.sql
		switch {
		case t.isText():
			out[i] = trimmed(x)
		case x.t.kind != t.kind && x.t.isTime():
			out[i] = b.timeCast(x, t)
		case x.t.kind != t.kind && t.isFloat():
			out[i] = castSQL(x.sql, t)
		}
	}
	return out, nil
}

// trimmed is a text without trailing blanks; CHAR is stored so.
func trimmed(x bound) string {
	switch {
	case x.text != nil:
		return quoteText(strings.TrimRight(*x.text, " "))
	case x.spaced():
		return "rtrim(" + x.sql + ",' ')"
	}
	return x.sql
}

// spaced says whether a value may end in blanks that comparison ignores.
func (x bound) spaced() bool { return x.t.kind == kVarchar && !x.tight && x.text == nil }

func (b *binder) compare(op string, l, r bound) (bound, error) {
	xs, err := b.comparable(op, l, r)
	if err != nil {
		return l, err
	}
	return bound{sql: "(" + xs[0] + " " + op + " " + xs[1] + ")", t: typ{kind: kBool}}, nil
}

// concat joins texts; a NULL makes the result NULL.
func (b *binder) concat(l, r bound) (bound, error) {
	var err error
	for _, x := range []*bound{&l, &r} {
		if x.untyped() {
			if *x, err = b.coerce(*x, varchar(maxVarchar)); err != nil {
				return l, err
			}
		}
		if !x.t.isText() {
			if x.t.kind == kBool || x.t.kind == kSuper {
				return l, errOperator("||", l, r)
			}
			if *x, err = b.convert(*x, varchar(64)); err != nil {
				return l, err
			}
		}
	}
	x := bound{sql: "(" + l.sql + " || " + r.sql + ")", t: varchar(l.t.p + r.t.p), nulls: strictNulls(l, r)}
	if l.t.p+r.t.p > maxVarchar {
		x.sql = "rs_fit(" + x.sql + ",65535)"
		return x, nil
	}
	x.parts = append(l.pieces(), r.pieces()...)
	x.tight = r.tight || r.text != nil && *r.text != "" && !strings.HasSuffix(*r.text, " ")
	if x.nulls.never() { // one step, where the operator copies the text again for each part
		x.sql = "concat(" + join2(x.parts) + ")"
	}
	return x, nil
}

// pieces are the parts of a concatenation, or the expression itself.
func (x bound) pieces() []bound {
	if x.parts != nil {
		return x.parts[:len(x.parts):len(x.parts)]
	}
	return []bound{x}
}

func (b *binder) caseExpr(e *caseExpr, sc *scope) (bound, error) {
	var operand *bound
	if e.operand != nil {
		x, err := b.expr(e.operand, sc)
		if err != nil {
			return x, err
		}
		operand = &x
	}
	var conds []string
	var results []bound
	for _, w := range e.whens {
		cond := ""
		if operand == nil {
			c, err := b.boolean(w[0], sc, "CASE/WHEN")
			if err != nil {
				return bound{}, err
			}
			cond = c
		} else {
			x, err := b.expr(w[0], sc)
			if err != nil {
				return x, err
			}
			c, err := b.compare("=", *operand, x)
			if err != nil {
				return x, err
			}
			cond = c.sql
		}
		x, err := b.expr(w[1], sc)
		if err != nil {
			return x, err
		}
		conds, results = append(conds, cond), append(results, x)
	}
	other := bound{sql: "NULL"}
	if e.other != nil {
		var err error
		if other, err = b.expr(e.other, sc); err != nil {
			return other, err
		}
	}
	results, t, err := b.unify(append(results, other), "CASE")
	if err != nil {
		return bound{}, err
	}
	if x, ok := nullDefault(e, results, sc); ok {
		x.t = t
		return x, nil
	}
	var sql strings.Builder
	sql.WriteString("CASE")
	for i, c := range conds {
		sql.WriteString(" WHEN " + c + " THEN " + results[i].sql)
	}
	sql.WriteString(" ELSE " + results[len(conds)].sql + " END")
	return bound{sql: sql.String(), t: t}, nil
}

// nullDefault writes CASE WHEN column IS NULL THEN constant ELSE f(column) END as what it is: a default for NULL, which the
// engine computes without splitting its rows.
func nullDefault(e *caseExpr, results []bound, sc *scope) (bound, bool) {
	if e.operand != nil || len(e.whens) != 1 {
		return bound{}, false
	}
	constant, value := results[0], results[1]
	test, ok := e.whens[0][0].(*isTest)
	if !ok || test.not || test.what != "null" || constant.text == nil || len(value.nulls) == 0 {
		return bound{}, false
	}
	c, ok := test.x.(*column)
	if !ok {
		return bound{}, false
	}
	tested, err := sc.columnRef(c)
	if err != nil || slices.ContainsFunc(value.nulls, func(name string) bool { return name != tested.sql }) {
		return bound{}, false
	}
	return bound{sql: "coalesce(" + value.sql + "," + constant.sql + ")", nulls: nullness{}}, true
}
