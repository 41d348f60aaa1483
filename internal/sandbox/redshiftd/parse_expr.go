package redshiftd

import (
	"slices"
	"strconv"
)

// Operators bind, weakest first: OR, AND, NOT, IS, comparison, IN/BETWEEN/LIKE, other, + -, * / %, unary, ::.
func (p *parser) expr() (expr, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	return p.chain(p.andExpr, "or")
}

func (p *parser) andExpr() (expr, error) { return p.chain(p.notExpr, "and") }

// chain reads operands joined by one word, left to right.
func (p *parser) chain(operand func() (expr, error), word string) (expr, error) {
	x, err := operand()
	for err == nil && p.word(word) {
		var r expr
		if r, err = operand(); err == nil {
			x = &binaryOp{word, x, r}
		}
	}
	return x, err
}

func (p *parser) notExpr() (expr, error) {
	if !p.word("not") {
		return p.comparison()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	x, err := p.notExpr()
	return &unary{"not", x}, err
}

func (p *parser) comparison() (expr, error) {
	x, err := p.predicate()
	if err != nil {
		return nil, err
	}
	if t := p.cur(); t.kind == tOp && slices.Contains([]string{"=", "<", ">", "<=", ">=", "<>", "!="}, t.text) {
		p.i++
		if p.isWord("any") || p.isWord("all") || p.isWord("some") {
			return nil, p.fail()
		}
		r, err := p.predicate()
		if err != nil {
			return nil, err
		}
		op := t.text
		if op == "!=" {
			op = "<>"
		}
		x = &binaryOp{op, x, r}
	}
	for {
		switch {
		case p.word("isnull"):
			x = &isTest{x: x, what: "null"}
		case p.word("notnull"):
			x = &isTest{x: x, what: "null", not: true}
		case p.word("is"):
			not := p.word("not")
			if !p.isWord("null") && !p.isWord("true") && !p.isWord("false") && !p.isWord("unknown") {
				return nil, p.fail()
			}
			x = &isTest{x, p.cur().text, not}
			p.i++
		default:
			return x, nil
		}
	}
}

// predicate reads IN, BETWEEN, LIKE, ILIKE, SIMILAR TO and the regular expression operator.
func (p *parser) predicate() (expr, error) {
	x, err := p.additive()
	if err != nil {
		return nil, err
	}
	not := false
	if p.isWord("not") && (p.at(1).text == "in" || p.at(1).text == "between" || p.at(1).text == "like" || p.at(1).text == "ilike" || p.at(1).text == "similar") {
		p.i++
		not = true
	}
	switch {
	case p.word("in"):
		return p.in(x, not)
	case p.word("between"):
		lo, err := p.additive()
		if err != nil {
			return nil, err
		}
		if err := p.needWord("and"); err != nil {
			return nil, err
		}
		hi, err := p.additive()
		return &between{x, lo, hi, not}, err
	case p.word("like"):
		return p.like("like", x, not)
	case p.word("ilike"):
		return p.like("ilike", x, not)
	case p.isWord("similar"), p.isOp("~"):
		return nil, strict("regular expressions are not supported")
	}
	return x, nil
}

func (p *parser) in(x expr, not bool) (expr, error) {
	if err := p.needOp("("); err != nil {
		return nil, err
	}
	if p.isWord("select") || p.isWord("with") {
		q, err := p.query()
		if err != nil {
			return nil, err
		}
		return &inExpr{x: x, sub: q, not: not}, p.needOp(")")
	}
	list, err := p.exprList()
	if err != nil {
		return nil, err
	}
	return &inExpr{x: x, list: list, not: not}, p.needOp(")")
}

func (p *parser) like(op string, x expr, not bool) (expr, error) {
	pattern, err := p.additive()
	if err != nil {
		return nil, err
	}
	l := &like{op: op, x: x, pattern: pattern, not: not}
	if p.word("escape") {
		l.escape, err = p.additive()
	}
	return l, err
}

func (p *parser) exprList() ([]expr, error) {
	var out []expr
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		out = append(out, x)
		if !p.op(",") {
			return out, nil
		}
	}
}

// additive reads || at one level below + and -, as PostgreSQL's "other operators" bind.
func (p *parser) additive() (expr, error) {
	return p.ops(func() (expr, error) { return p.ops(p.multiplicative, "+", "-") }, "||")
}

func (p *parser) multiplicative() (expr, error) { return p.ops(p.unary, "*", "/", "%") }

func (p *parser) ops(operand func() (expr, error), ops ...string) (expr, error) {
	x, err := operand()
	for err == nil {
		t := p.cur()
		if t.kind != tOp || !slices.Contains(ops, t.text) {
			break
		}
		p.i++
		var r expr
		if r, err = operand(); err == nil {
			x = &binaryOp{t.text, x, r}
		}
	}
	return x, err
}

func (p *parser) unary() (expr, error) {
	if !p.isOp("-") && !p.isOp("+") {
		return p.postfix()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	op := p.cur().text
	p.i++
	x, err := p.unary()
	if err != nil {
		return nil, err
	}
	if l, ok := x.(*literal); ok && l.kind == "number" && op == "-" && l.text[0] != '-' {
		return &literal{"number", "-" + l.text}, nil // so that -9223372036854775808 is one constant
	}
	return &unary{op, x}, nil
}

func (p *parser) postfix() (expr, error) {
	x, err := p.primary()
	for err == nil && p.op("::") {
		var t typ
		if t, err = p.typeName(); err == nil {
			x = &cast{x, t}
		}
	}
	if err == nil && p.isOp("[") {
		return nil, p.fail()
	}
	return x, err
}

func (p *parser) primary() (expr, error) {
	t := p.cur()
	switch t.kind {
	case tNumber:
		p.i++
		return &literal{"number", t.text}, nil
	case tString:
		p.i++
		return &literal{"string", t.text}, nil
	case tParam:
		n, err := strconv.Atoi(t.text)
		if err != nil || n < 1 || n > maxParams {
			return nil, p.fail()
		}
		p.i++
		p.params = max(p.params, n)
		return &param{n}, nil
	case tOp:
		if t.text == "(" {
			return p.paren()
		}
		return nil, p.fail()
	case tIdent:
		if x, ok, err := p.keyword(t.text); ok || err != nil {
			return x, err
		}
	case tEOF:
		return nil, p.fail()
	}
	return p.nameOrCall()
}

func (p *parser) paren() (expr, error) {
	p.i++
	if p.isWord("select") || p.isWord("with") {
		q, err := p.query()
		if err != nil {
			return nil, err
		}
		return &subquery{q}, p.needOp(")")
	}
	list, err := p.exprList()
	if err != nil {
		return nil, err
	}
	if err := p.needOp(")"); err != nil {
		return nil, err
	}
	if len(list) > 1 {
		return &tuple{list}, nil
	}
	return list[0], nil
}

// nameOrCall reads a column reference or a function call.
func (p *parser) nameOrCall() (expr, error) {
	t := p.cur()
	isCall := p.at(1).kind == tOp && p.at(1).text == "("
	if t.kind == tIdent && reserved[t.text] && !(isCall && (t.text == "left" || t.text == "right")) {
		return nil, p.fail()
	}
	p.i++
	if isCall {
		return p.call(t.text)
	}
	parts := []string{t.text}
	for p.op(".") {
		if p.isOp("*") {
			return nil, p.fail()
		}
		c := p.cur()
		if c.kind != tIdent && c.kind != tQuoted || len(parts) == 3 {
			return nil, p.fail()
		}
		p.i++
		if len(parts) == 1 && parts[0] == "pg_catalog" && p.isOp("(") {
			return p.call(c.text)
		}
		parts = append(parts, c.text)
	}
	switch len(parts) {
	case 1:
		return &column{name: parts[0]}, nil
	case 2:
		return &column{table: parts[0], name: parts[1]}, nil
	}
	return &column{parts[0], parts[1], parts[2]}, nil
}
