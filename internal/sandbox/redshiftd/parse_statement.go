package redshiftd

import "strings"

// statement reads any statement; tag is its command tag without counts.
func (p *parser) statement() (st statement, tag string, err error) {
	t := p.cur()
	if t.kind == tOp && t.text == "(" {
		st, err = p.selectStatement()
		return st, "SELECT", err
	}
	if t.kind != tIdent {
		return nil, "", p.fail()
	}
	switch t.text {
	case "select":
		st, err = p.selectStatement()
		return st, "SELECT", err
	case "with":
		return p.withStatement()
	case "insert":
		st, err = p.insert()
		return st, "INSERT", err
	case "delete":
		st, err = p.delete(nil)
		return st, "DELETE", err
	case "update":
		st, err = p.update(nil)
		return st, "UPDATE", err
	case "merge":
		st, err = p.merge()
		return st, "MERGE", err
	case "copy":
		st, err = p.copy()
		return st, "COPY", err
	case "create":
		return p.create()
	case "drop":
		return p.drop()
	case "alter":
		st, err = p.alter()
		return st, "ALTER TABLE", err
	case "truncate":
		p.i++
		p.word("table")
		n, err := p.tableName()
		return &truncateStmt{n}, "TRUNCATE TABLE", err
	case "lock":
		st, err = p.lock()
		return st, "LOCK TABLE", err
	}
	if st, tag, ok, err := p.transaction(); ok || err != nil {
		return st, tag, err
	}
	return p.session()
}

func (p *parser) selectStatement() (statement, error) {
	q, err := p.query()
	return &selectStmt{q: q}, err
}

func (p *parser) withStatement() (statement, string, error) {
	start := p.i
	ctes, err := p.with()
	if err != nil {
		return nil, "", err
	}
	switch {
	case p.isWord("update"):
		st, err := p.update(ctes)
		return st, "UPDATE", err
	case p.isWord("delete"):
		st, err := p.delete(ctes)
		return st, "DELETE", err
	case p.isWord("insert"):
		return nil, "", p.fail()
	}
	p.i, p.reads = start, nil
	st, err := p.selectStatement()
	return st, "SELECT", err
}

// transaction reads BEGIN, COMMIT and ROLLBACK in all their spellings. Isolation levels parse and change nothing.
func (p *parser) transaction() (st statement, tag string, ok bool, err error) {
	switch {
	case p.word("begin"), p.word("start", "transaction"):
		st, tag = &txStmt{"BEGIN"}, "BEGIN"
	case p.word("commit"), p.word("end"):
		st, tag = &txStmt{"COMMIT"}, "COMMIT"
	case p.word("rollback"), p.word("abort"):
		st, tag = &txStmt{"ROLLBACK"}, "ROLLBACK"
	case p.isWord("savepoint"), p.isWord("release"):
		return nil, "", true, errorf("0A000", "SQL command %q not supported on Redshift tables.", strings.ToUpper(p.cur().text))
	default:
		return nil, "", false, nil
	}
	if !p.word("work") {
		p.word("transaction")
	}
	for tag == "BEGIN" && p.cur().kind != tEOF {
		switch {
		case p.word("isolation", "level", "serializable"), p.word("isolation", "level", "read", "committed"),
			p.word("isolation", "level", "read", "uncommitted"), p.word("isolation", "level", "repeatable", "read"),
			p.word("isolation", "level", "snapshot"), p.word("read", "write"), p.op(","):
		case p.isWord("read", "only"):
			return nil, "", true, strict("READ ONLY transactions are not supported")
		default:
			return nil, "", true, p.fail()
		}
	}
	return st, tag, true, nil
}

// session reads SET, SHOW and the maintenance commands that change nothing here.
func (p *parser) session() (statement, string, error) {
	w := p.cur().text
	switch w {
	case "set":
		st, err := p.set()
		return st, "SET", err
	case "reset":
		p.i++
		n, err := p.name()
		return &setStmt{name: n, reset: true}, "RESET", err
	case "show":
		p.i++
		switch t := p.cur(); t.text {
		case "all", "tables", "columns", "schemas", "databases", "table", "view", "external", "procedure", "grants":
			return nil, "", strict("SHOW %s is not supported", strings.ToUpper(t.text))
		}
		n, err := p.settingName()
		return &showStmt{n}, "SHOW", err
	case "deallocate":
		p.i++
		p.word("prepare")
		if p.isWord("all") {
			return nil, "", p.fail()
		}
		n, err := p.name()
		return &deallocate{n}, "DEALLOCATE", err
	case "cancel":
		p.i++
		pid, err := p.integer()
		st := &cancelStmt{pid: int(pid)}
		if err == nil && p.cur().kind == tString {
			st.text, err = p.str()
		}
		return st, "CANCEL", err
	case "analyze", "vacuum", "grant", "revoke", "comment":
		return p.maintenance(w)
	case "unload", "call", "declare", "fetch", "close", "explain", "prepare", "execute", "use", "refresh":
		return nil, "", strict("%s is not supported", strings.ToUpper(w))
	}
	return nil, "", p.fail()
}

func (p *parser) maintenance(w string) (statement, string, error) {
	p.i++
	tag := strings.ToUpper(w)
	n := &noopStmt{tag: tag, outOfBlock: w == "vacuum"}
	switch w {
	case "analyze":
		p.word("verbose")
		if p.word("compression") {
			return nil, "", strict("ANALYZE COMPRESSION is not supported")
		}
	case "vacuum":
		for p.word("full") || p.word("sort", "only") || p.word("delete", "only") || p.word("reindex") || p.word("recluster") {
		}
	default:
		return p.privileges(n)
	}
	if p.cur().kind != tEOF {
		t, err := p.tableName()
		if err != nil {
			return nil, "", err
		}
		n.tables = append(n.tables, t)
		if w == "analyze" && p.isOp("(") {
			if _, err := p.names(); err != nil {
				return nil, "", err
			}
		}
		if p.word("predicate", "columns") || p.word("all", "columns") {
			return n, tag, nil
		}
		if w == "vacuum" && p.word("to") {
			if _, err := p.integer(); err != nil {
				return nil, "", err
			}
			p.word("percent")
		}
		p.word("boost")
	}
	return n, tag, nil
}

// privileges passes the words of GRANT, REVOKE and COMMENT, as long as they look like such a statement.
func (p *parser) privileges(n *noopStmt) (statement, string, error) {
	need := map[string]string{"GRANT": "to", "REVOKE": "from", "COMMENT": "is"}[n.tag]
	seen := false
	for p.cur().kind != tEOF {
		t := p.cur()
		seen = seen || t.kind == tIdent && t.text == need
		if t.kind == tParam || t.kind == tOp && !strings.Contains("(),.", t.text) {
			return nil, "", p.fail()
		}
		p.i++
	}
	if !seen {
		return nil, "", p.fail()
	}
	return n, n.tag, nil
}

// settingName reads a dotted parameter name.
func (p *parser) settingName() (string, error) {
	t := p.cur()
	if t.kind != tIdent && t.kind != tQuoted {
		return "", p.fail()
	}
	p.i++
	if p.op(".") {
		u, err := p.name()
		return t.text + "." + u, err
	}
	return t.text, nil
}

func (p *parser) set() (statement, error) {
	p.i++
	local := !p.word("session") && p.word("local")
	if p.word("time", "zone") {
		s, err := p.str()
		return &setStmt{name: "timezone", value: s, local: local}, err
	}
	if p.isWord("transaction") || p.isWord("characteristics") {
		return nil, strict("SET TRANSACTION is not supported")
	}
	n, err := p.settingName()
	if err != nil {
		return nil, err
	}
	if !p.word("to") && !p.op("=") {
		return nil, p.fail()
	}
	if p.word("default") {
		return &setStmt{name: n, reset: true, local: local}, nil
	}
	var parts []string
	for {
		neg := p.op("-")
		t := p.cur()
		switch t.kind {
		case tString, tNumber, tIdent, tQuoted:
		default:
			return nil, p.fail()
		}
		p.i++
		if neg {
			t.text = "-" + t.text
		}
		parts = append(parts, t.text)
		if !p.op(",") {
			return &setStmt{name: n, value: strings.Join(parts, ", "), local: local}, nil
		}
	}
}

func (p *parser) lock() (statement, error) {
	p.i++
	p.word("table")
	l := &lockStmt{}
	for {
		n, err := p.tableName()
		if err != nil {
			return nil, err
		}
		l.tables = append(l.tables, n)
		if !p.op(",") {
			break
		}
	}
	return l, nil
}
