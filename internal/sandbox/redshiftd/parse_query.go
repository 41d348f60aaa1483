package redshiftd

func (p *parser) query() (*query, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	ctes, err := p.with()
	if err != nil {
		return nil, err
	}
	q := &query{ctes: ctes}
	if q.body, err = p.setExpr(); err != nil {
		return nil, err
	}
	if s, ok := q.body.(*selectCore); ok {
		q.limit, s.top = s.top, nil // TOP n is LIMIT n
	}
	if p.isWord("order") {
		if q.order, err = p.orderBy(); err != nil {
			return nil, err
		}
	}
	for {
		switch {
		case q.limit == nil && p.word("limit"):
			if p.word("all") {
				continue
			}
			q.limit, err = p.expr()
		case q.offset == nil && p.word("offset"):
			q.offset, err = p.expr()
		case p.isWord("for"):
			return nil, strict("SELECT FOR UPDATE is not supported")
		default:
			return q, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parser) with() ([]cte, error) {
	if !p.word("with") {
		return nil, nil
	}
	if p.isWord("recursive") {
		return nil, strict("WITH RECURSIVE is not supported")
	}
	var out []cte
	for {
		c := cte{}
		var err error
		if c.name, err = p.name(); err != nil {
			return nil, err
		}
		if p.isOp("(") {
			if c.columns, err = p.names(); err != nil {
				return nil, err
			}
		}
		if err := p.needWord("as"); err != nil {
			return nil, err
		}
		if err := p.needOp("("); err != nil {
			return nil, err
		}
		if !p.isWord("select") && !p.isWord("with") && !p.isOp("(") {
			return nil, p.fail() // writable CTE
		}
		if c.q, err = p.query(); err != nil {
			return nil, err
		}
		out = append(out, c)
		if err := p.needOp(")"); err != nil {
			return nil, err
		}
		if !p.op(",") {
			return out, nil
		}
	}
}

func (p *parser) setExpr() (any, error) {
	l, err := p.setTerm()
	for err == nil {
		op := ""
		switch {
		case p.word("union"):
			op = "UNION"
		case p.word("except"), p.word("minus"):
			op = "EXCEPT"
		default:
			return l, nil
		}
		all := p.word("all")
		if all && op == "EXCEPT" {
			return nil, strict("EXCEPT ALL is not supported")
		}
		var r any
		if r, err = p.setTerm(); err == nil {
			l = &setOp{op, all, l, r}
		}
	}
	return nil, err
}

func (p *parser) setTerm() (any, error) {
	l, err := p.setPrimary()
	for err == nil && p.word("intersect") {
		if p.isWord("all") {
			return nil, strict("INTERSECT ALL is not supported")
		}
		var r any
		if r, err = p.setPrimary(); err == nil {
			l = &setOp{"INTERSECT", false, l, r}
		}
	}
	return l, err
}

func (p *parser) setPrimary() (any, error) {
	if !p.op("(") {
		return p.selectCore()
	}
	q, err := p.query()
	if err != nil {
		return nil, err
	}
	if err := p.needOp(")"); err != nil {
		return nil, err
	}
	return q, nil
}

func (p *parser) selectCore() (*selectCore, error) {
	if err := p.needWord("select"); err != nil {
		return nil, err
	}
	s := &selectCore{}
	if !p.word("all") {
		s.distinct = p.word("distinct")
		if s.distinct && p.isWord("on") {
			return nil, p.fail()
		}
	}
	var err error
	if p.isWord("top") && p.at(1).kind == tNumber {
		p.i++
		if s.top, err = p.primary(); err != nil {
			return nil, err
		}
	}
	if s.items, err = p.selectItems(); err != nil {
		return nil, err
	}
	if p.isWord("into") {
		return nil, strict("SELECT INTO is not supported")
	}
	if p.word("from") {
		if s.from, err = p.fromList(); err != nil {
			return nil, err
		}
	}
	return s, p.selectTail(s)
}

func (p *parser) selectTail(s *selectCore) (err error) {
	if p.word("where") {
		if s.where, err = p.expr(); err != nil {
			return err
		}
	}
	if p.word("group", "by") {
		if p.isWord("rollup") || p.isWord("cube") || p.isWord("grouping") {
			return strict("GROUP BY extensions are not supported")
		}
		if s.group, err = p.exprList(); err != nil {
			return err
		}
	}
	if p.word("having") {
		if s.having, err = p.expr(); err != nil {
			return err
		}
	}
	if p.word("qualify") {
		s.qualify, err = p.expr()
	}
	return err
}

func (p *parser) selectItems() ([]selectItem, error) {
	var out []selectItem
	for {
		item, err := p.selectItem()
		if err != nil {
			return nil, err
		}
		out = append(out, item)
		if !p.op(",") {
			return out, nil
		}
	}
}

func (p *parser) selectItem() (selectItem, error) {
	if p.op("*") {
		return selectItem{x: &star{}}, nil
	}
	if t := p.cur(); (t.kind == tIdent && !reserved[t.text] || t.kind == tQuoted) && p.at(1).text == "." && p.at(2).kind == tOp && p.at(2).text == "*" {
		p.i += 3
		return selectItem{x: &star{t.text}}, nil
	}
	x, err := p.expr()
	if err != nil {
		return selectItem{}, err
	}
	item := selectItem{x: x}
	if p.word("as") {
		t := p.cur()
		if t.kind != tIdent && t.kind != tQuoted {
			return item, p.fail()
		}
		p.i++
		item.alias = t.text // after AS even a reserved word will do
	} else if t := p.cur(); t.kind == tQuoted || t.kind == tIdent && !reserved[t.text] {
		p.i++
		item.alias = t.text
	}
	return item, nil
}

func (p *parser) orderBy() ([]orderItem, error) {
	if err := p.needWord("order", "by"); err != nil {
		return nil, err
	}
	var out []orderItem
	for {
		x, err := p.expr()
		if err != nil {
			return nil, err
		}
		o := orderItem{x: x}
		if !p.word("asc") {
			o.desc = p.word("desc")
		}
		if p.word("nulls") {
			switch {
			case p.word("first"):
				o.nulls = "FIRST"
			case p.word("last"):
				o.nulls = "LAST"
			default:
				return nil, p.fail()
			}
		}
		out = append(out, o)
		if !p.op(",") {
			return out, nil
		}
	}
}
