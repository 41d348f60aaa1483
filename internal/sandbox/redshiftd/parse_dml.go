package redshiftd

func (p *parser) insert() (statement, error) {
	p.i++
	if err := p.needWord("into"); err != nil {
		return nil, err
	}
	s := &insertStmt{}
	var err error
	if s.table, err = p.tableName(); err != nil {
		return nil, err
	}
	if p.isOp("(") && !(p.at(1).kind == tIdent && (p.at(1).text == "select" || p.at(1).text == "with")) {
		if s.columns, err = p.names(); err != nil {
			return nil, err
		}
	}
	switch {
	case p.word("default", "values"):
		s.defaults = true
		return s, nil
	case p.word("values"):
		s.rows, err = p.values()
		return s, err
	}
	s.q, err = p.query()
	return s, err
}

func (p *parser) values() ([][]expr, error) {
	var rows [][]expr
	for {
		if err := p.needOp("("); err != nil {
			return nil, err
		}
		var row []expr
		for {
			var x expr
			if !p.word("default") {
				var err error
				if x, err = p.expr(); err != nil {
					return nil, err
				}
			}
			row = append(row, x)
			if !p.op(",") {
				break
			}
		}
		if err := p.needOp(")"); err != nil {
			return nil, err
		}
		rows = append(rows, row)
		if !p.op(",") {
			return rows, nil
		}
	}
}

// delete reads DELETE [FROM] t [USING …] [WHERE …]. The target takes no alias.
func (p *parser) delete(ctes []cte) (statement, error) {
	p.i++
	p.word("from")
	s := &deleteStmt{ctes: ctes}
	var err error
	if s.table, err = p.tableName(); err != nil {
		return nil, err
	}
	if p.word("using") {
		if s.using, err = p.fromList(); err != nil {
			return nil, err
		}
	}
	if p.word("where") {
		s.where, err = p.expr()
	}
	return s, err
}

func (p *parser) update(ctes []cte) (statement, error) {
	p.i++
	s := &updateStmt{ctes: ctes}
	var err error
	if s.table, err = p.tableName(); err != nil {
		return nil, err
	}
	if err := p.needWord("set"); err != nil {
		return nil, err
	}
	if s.set, err = p.assignments(); err != nil {
		return nil, err
	}
	if p.word("from") {
		if s.from, err = p.fromList(); err != nil {
			return nil, err
		}
	}
	if p.word("where") {
		s.where, err = p.expr()
	}
	return s, err
}

// assignments reads column = value, …
func (p *parser) assignments() ([]assignment, error) {
	var out []assignment
	for {
		a := assignment{}
		var err error
		if a.column, err = p.name(); err != nil {
			return nil, err
		}
		if err := p.needOp("="); err != nil {
			return nil, err
		}
		if !p.word("default") {
			if a.x, err = p.expr(); err != nil {
				return nil, err
			}
		}
		out = append(out, a)
		if !p.op(",") {
			return out, nil
		}
	}
}
