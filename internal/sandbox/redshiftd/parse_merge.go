package redshiftd

// merge reads MERGE INTO t USING source ON … with both WHEN clauses in their one order, or with REMOVE DUPLICATES. The
// target takes no alias and a WHEN no further condition.
func (p *parser) merge() (statement, error) {
	p.i++
	if err := p.needWord("into"); err != nil {
		return nil, err
	}
	s := &mergeStmt{}
	var err error
	if s.table, err = p.tableName(); err != nil {
		return nil, err
	}
	if err := p.needWord("using"); err != nil {
		return nil, err
	}
	params := p.params
	if s.source, err = p.fromPrimary(); err != nil {
		return nil, err
	}
	if p.params > params {
		return nil, errorf("XX000", "internal error: parameter in the source of MERGE (queryVoltDecorrCSQ)")
	}
	if err := p.needWord("on"); err != nil {
		return nil, err
	}
	if s.on, err = p.expr(); err != nil {
		return nil, err
	}
	if p.word("remove", "duplicates") {
		s.duplicates = true
		return s, nil
	}
	return s, p.mergeWhens(s)
}

func (p *parser) mergeWhens(s *mergeStmt) (err error) {
	single := errorf("0A000", "MERGE statement with a single WHEN clause is not enabled.")
	matched := p.word("when", "matched", "then")
	switch {
	case matched && p.word("update", "set"):
		if s.set, err = p.assignments(); err != nil {
			return err
		}
	case matched && p.word("delete"):
	case p.isWord("when", "matched"):
		p.i += 2
		return p.fail()
	case p.isWord("when", "not", "matched"):
		if err := p.mergeInsert(s); err != nil {
			return err
		}
		if p.cur().kind == tEOF {
			return single
		}
		return p.fail()
	default:
		return p.fail()
	}
	if p.cur().kind == tEOF {
		return single
	}
	return p.mergeInsert(s)
}

// mergeInsert reads WHEN NOT MATCHED THEN INSERT [(columns)] VALUES (…).
func (p *parser) mergeInsert(s *mergeStmt) (err error) {
	if err := p.needWord("when", "not", "matched", "then", "insert"); err != nil {
		return err
	}
	if p.isOp("(") {
		if s.columns, err = p.names(); err != nil {
			return err
		}
	}
	if err := p.needWord("values"); err != nil {
		return err
	}
	rows, err := p.values()
	if err != nil {
		return err
	}
	if len(rows) != 1 {
		return errSyntax(",")
	}
	s.values = rows[0]
	return nil
}
