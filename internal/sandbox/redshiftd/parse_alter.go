package redshiftd

import "strings"

func (p *parser) drop() (statement, string, error) {
	p.i++
	switch {
	case p.word("schema"):
		d := &dropSchema{ifExists: p.word("if", "exists")}
		var err error
		d.name, err = p.name()
		d.cascade = p.word("cascade")
		p.word("restrict")
		return d, "DROP SCHEMA", err
	case p.word("table"):
		d := &dropTable{ifExists: p.word("if", "exists")}
		for {
			n, err := p.tableName()
			if err != nil {
				return nil, "", err
			}
			d.tables = append(d.tables, n)
			if !p.op(",") {
				break
			}
		}
		if !p.word("cascade") {
			p.word("restrict")
		}
		return d, "DROP TABLE", nil
	}
	if p.cur().kind == tIdent {
		return nil, "", strict("DROP %s is not supported", strings.ToUpper(p.cur().text))
	}
	return nil, "", p.fail()
}

func (p *parser) alter() (statement, error) {
	p.i++
	if !p.word("table") {
		return nil, strict("ALTER %s is not supported", strings.ToUpper(p.cur().raw))
	}
	a := &alterTable{}
	var err error
	if a.table, err = p.tableName(); err != nil {
		return nil, err
	}
	switch {
	case p.word("add", "constraint"), p.isWord("add", "primary"), p.isWord("add", "unique"), p.isWord("add", "foreign"):
		return nil, strict("ALTER TABLE ADD CONSTRAINT is not supported")
	case p.word("add"):
		p.word("column")
		a.action = "add"
		a.def, err = p.columnDef()
	case p.word("drop", "constraint"):
		return nil, strict("ALTER TABLE DROP CONSTRAINT is not supported")
	case p.word("drop"):
		p.word("column")
		a.action = "drop"
		a.column, err = p.name()
		if !p.word("cascade") {
			p.word("restrict")
		}
	case p.word("rename", "to"):
		a.action = "rename"
		a.to, err = p.name()
	case p.word("rename"):
		p.word("column")
		a.action = "rename column"
		if a.column, err = p.name(); err != nil {
			return nil, err
		}
		if err := p.needWord("to"); err != nil {
			return nil, err
		}
		a.to, err = p.name()
	case p.word("owner", "to"):
		a.action = "owner"
		a.to, err = p.name()
	case p.word("append", "from"):
		a.action, a.needsNoBlock = "append", true
		if a.from, err = p.tableName(); err != nil {
			return nil, err
		}
		if p.isWord("ignoreextra") || p.isWord("filltarget") {
			a.extra = p.cur().text
			p.i++
		}
	case p.isWord("alter"):
		a.needsNoBlock, a.unimplemented = true, "ALTER TABLE ALTER COLUMN"
		err = p.rest()
	default:
		return nil, p.fail()
	}
	return a, err
}

// rest passes what follows of a statement that is recognised and then refused.
func (p *parser) rest() error {
	for p.cur().kind != tEOF {
		p.i++
	}
	return nil
}
