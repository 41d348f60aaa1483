package redshiftd

// bareFunctions are functions that are called without parentheses.
var bareFunctions = map[string]string{
	"sysdate": "sysdate", "current_date": "current_date", "current_timestamp": "now", "current_user": "current_user",
	"session_user": "current_user", "user": "current_user",
}

// keyword reads the expressions that begin with a word of their own. ok is false when none does.
func (p *parser) keyword(w string) (x expr, ok bool, err error) {
	next := p.at(1)
	paren := next.kind == tOp && next.text == "("
	switch {
	case w == "null":
		p.i++
		return &literal{"null", ""}, true, nil
	case w == "true" || w == "false":
		p.i++
		return &literal{"bool", w}, true, nil
	case w == "case":
		x, err = p.caseExpr()
	case w == "cast" && paren:
		x, err = p.castCall()
	case w == "extract" && paren:
		x, err = p.extract()
	case w == "trim" && paren:
		x, err = p.trim()
	case w == "substring" && paren:
		x, err = p.substring()
	case w == "position" && paren:
		x, err = p.position()
	case w == "exists" && paren:
		p.i += 2
		var q *query
		if q, err = p.query(); err == nil {
			x, err = &exists{q}, p.needOp(")")
		}
	case w == "array" || w == "row" && paren:
		return nil, true, p.fail()
	case (w == "date" || w == "timestamp" || w == "timestamptz" || w == "interval") && next.kind == tString:
		p.i += 2
		x = &typedLit{w, next.text}
	case w == "interval" && next.kind == tNumber:
		return nil, true, strict("INTERVAL without quotes is not supported")
	case w == "timestamp" && p.isWord("timestamp", "with", "time", "zone"):
		p.i += 4
		var s string
		if s, err = p.str(); err == nil {
			x = &typedLit{"timestamptz", s}
		}
	case bareFunctions[w] != "" && !paren:
		p.i++
		x = &call{name: bareFunctions[w]}
	default:
		return nil, false, nil
	}
	return x, true, err
}

func (p *parser) caseExpr() (expr, error) {
	p.i++
	c := &caseExpr{}
	var err error
	if !p.isWord("when") {
		if c.operand, err = p.expr(); err != nil {
			return nil, err
		}
	}
	for p.word("when") {
		var w [2]expr
		if w[0], err = p.expr(); err != nil {
			return nil, err
		}
		if err := p.needWord("then"); err != nil {
			return nil, err
		}
		if w[1], err = p.expr(); err != nil {
			return nil, err
		}
		c.whens = append(c.whens, w)
	}
	if len(c.whens) == 0 {
		return nil, p.fail()
	}
	if p.word("else") {
		if c.other, err = p.expr(); err != nil {
			return nil, err
		}
	}
	return c, p.needWord("end")
}

func (p *parser) castCall() (expr, error) {
	p.i += 2
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	if err := p.needWord("as"); err != nil {
		return nil, err
	}
	t, err := p.typeName()
	if err != nil {
		return nil, err
	}
	return &cast{x, t}, p.needOp(")")
}

func (p *parser) extract() (expr, error) {
	p.i += 2
	t := p.cur()
	if t.kind != tIdent && t.kind != tString {
		return nil, p.fail()
	}
	p.i++
	if err := p.needWord("from"); err != nil {
		return nil, err
	}
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	return &extract{t.text, x}, p.needOp(")")
}

func (p *parser) trim() (expr, error) {
	p.i += 2
	t := &trimExpr{side: "both"}
	switch {
	case p.word("leading"):
		t.side = "leading"
	case p.word("trailing"):
		t.side = "trailing"
	default:
		p.word("both")
	}
	var err error
	if p.word("from") {
		if t.x, err = p.expr(); err != nil {
			return nil, err
		}
		return t, p.needOp(")")
	}
	if t.x, err = p.expr(); err != nil {
		return nil, err
	}
	switch {
	case p.word("from"):
		t.chars = t.x
		t.x, err = p.expr()
	case p.op(","):
		t.chars, err = p.expr()
	}
	if err != nil {
		return nil, err
	}
	return t, p.needOp(")")
}

func (p *parser) substring() (expr, error) {
	p.i += 2
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	args := []expr{x}
	sep := ","
	if p.isWord("from") {
		sep = "from"
	}
	for n := 0; n < 2; n++ {
		if sep == "," && !p.op(",") {
			break
		}
		if sep == "from" && !p.word([]string{"from", "for"}[n]) {
			break
		}
		a, err := p.expr()
		if err != nil {
			return nil, err
		}
		args = append(args, a)
	}
	return &call{name: "substring", args: args}, p.needOp(")")
}

func (p *parser) position() (expr, error) {
	p.i += 2
	sub, err := p.additive()
	if err != nil {
		return nil, err
	}
	if err := p.needWord("in"); err != nil {
		return nil, err
	}
	x, err := p.expr()
	if err != nil {
		return nil, err
	}
	return &call{name: "strpos", args: []expr{x, sub}}, p.needOp(")")
}

// call reads the arguments of a function and what may follow them.
func (p *parser) call(name string) (expr, error) {
	p.i++ // the parenthesis
	c := &call{name: name}
	var err error
	switch {
	case p.op("*"):
		c.star = true
	case p.isOp(")"):
	default:
		if !p.word("all") {
			c.distinct = p.word("distinct")
		}
		if c.args, err = p.exprList(); err != nil {
			return nil, err
		}
		if p.word("ignore", "nulls") {
			c.nulls = "IGNORE NULLS"
		}
	}
	if err := p.needOp(")"); err != nil {
		return nil, err
	}
	if p.word("within", "group") {
		if err := p.needOp("("); err != nil {
			return nil, err
		}
		if c.within, err = p.orderBy(); err != nil {
			return nil, err
		}
		if err := p.needOp(")"); err != nil {
			return nil, err
		}
	}
	if p.word("ignore", "nulls") {
		c.nulls = "IGNORE NULLS"
	} else {
		p.word("respect", "nulls")
	}
	if p.isWord("over") && p.at(1).text == "(" {
		p.i += 2
		if c.over, err = p.window(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (p *parser) window() (*window, error) {
	w := &window{}
	var err error
	if p.word("partition", "by") {
		if w.partition, err = p.exprList(); err != nil {
			return nil, err
		}
	}
	if p.isWord("order") {
		if w.order, err = p.orderBy(); err != nil {
			return nil, err
		}
	}
	if p.word("rows") {
		if w.frame, err = p.frame(); err != nil {
			return nil, err
		}
	}
	return w, p.needOp(")")
}

func (p *parser) frame() (string, error) {
	if !p.word("between") {
		b, err := p.bound()
		return "ROWS " + b, err
	}
	lo, err := p.bound()
	if err != nil {
		return "", err
	}
	if err := p.needWord("and"); err != nil {
		return "", err
	}
	hi, err := p.bound()
	return "ROWS BETWEEN " + lo + " AND " + hi, err
}

func (p *parser) bound() (string, error) {
	n := ""
	switch {
	case p.word("current", "row"):
		return "CURRENT ROW", nil
	case p.word("unbounded"):
		n = "UNBOUNDED"
	case p.cur().kind == tNumber:
		n = p.cur().text
		p.i++
	}
	switch {
	case n != "" && p.word("preceding"):
		return n + " PRECEDING", nil
	case n != "" && p.word("following"):
		return n + " FOLLOWING", nil
	}
	return "", p.fail()
}
