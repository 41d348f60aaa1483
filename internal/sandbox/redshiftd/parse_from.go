package redshiftd

func (p *parser) fromList() ([]fromItem, error) {
	var out []fromItem
	for {
		f, err := p.joins()
		if err != nil {
			return nil, err
		}
		out = append(out, f)
		if !p.op(",") {
			return out, nil
		}
	}
}

func (p *parser) joins() (fromItem, error) {
	l, err := p.fromPrimary()
	for err == nil {
		kind := ""
		switch {
		case p.word("cross", "join"):
			kind = "CROSS"
		case p.word("join"), p.word("inner", "join"):
			kind = "INNER"
		case p.word("left", "join"), p.word("left", "outer", "join"):
			kind = "LEFT"
		case p.word("right", "join"), p.word("right", "outer", "join"):
			kind = "RIGHT"
		case p.word("full", "join"), p.word("full", "outer", "join"):
			kind = "FULL"
		case p.isWord("natural"):
			return nil, strict("NATURAL JOIN is not supported")
		default:
			return l, nil
		}
		j := &join{kind: kind, l: l}
		if j.r, err = p.fromPrimary(); err != nil {
			return nil, err
		}
		switch {
		case kind == "CROSS":
		case p.word("on"):
			j.on, err = p.expr()
		case p.word("using"):
			j.using, err = p.names()
		default:
			return nil, p.fail()
		}
		l = j
	}
	return nil, err
}

func (p *parser) fromPrimary() (fromItem, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if p.op("(") {
		if !p.isWord("select") && !p.isWord("with") && !p.isOp("(") {
			f, err := p.joins()
			if err != nil {
				return nil, err
			}
			return f, p.needOp(")")
		}
		q, err := p.query()
		if err != nil {
			return nil, err
		}
		if err := p.needOp(")"); err != nil {
			return nil, err
		}
		d := &derived{q: q}
		if d.alias, d.columns, err = p.alias(); err != nil {
			return nil, err
		}
		if d.alias == "" {
			return nil, errorf("42601", "subquery in FROM must have an alias")
		}
		return d, nil
	}
	if p.isWord("lateral") {
		return nil, p.fail()
	}
	n, err := p.tableName()
	if err != nil {
		return nil, err
	}
	if p.isOp("(") {
		if n.name == "generate_series" {
			return nil, errLeaderNode(n.name)
		}
		return nil, errSyntax("(")
	}
	r := &tableRef{tableName: n}
	p.reads = append(p.reads, n)
	r.alias, r.columns, err = p.alias()
	return r, err
}

// alias reads [AS] alias [(column, …)].
func (p *parser) alias() (string, []string, error) {
	t := p.cur()
	if p.word("as") {
		if t = p.cur(); t.kind != tIdent && t.kind != tQuoted || t.kind == tIdent && reserved[t.text] {
			return "", nil, p.fail()
		}
	} else if t.kind != tQuoted && (t.kind != tIdent || reserved[t.text] || t.text == "set") {
		return "", nil, nil
	}
	p.i++
	if !p.isOp("(") {
		return t.text, nil, nil
	}
	cols, err := p.names()
	return t.text, cols, err
}
