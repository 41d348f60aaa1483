package redshiftd

import (
	"slices"
	"strings"
)

const (
	maxColumns  = 1600
	maxSortKeys = 400
)

func (p *parser) create() (statement, string, error) {
	p.i++
	if p.word("schema") {
		s := &createSchema{ifNotExists: p.word("if", "not", "exists")}
		var err error
		s.name, err = p.name()
		if err == nil && p.word("authorization") {
			_, err = p.name()
		}
		return s, "CREATE SCHEMA", err
	}
	if p.word("local") && !p.isWord("temp") && !p.isWord("temporary") {
		return nil, "", p.fail()
	}
	temp := p.word("temp") || p.word("temporary")
	if !p.word("table") {
		switch t := p.cur(); t.text {
		case "view", "materialized", "external", "function", "procedure", "user", "group", "role", "database", "library", "model", "datashare", "or":
			return nil, "", strict("CREATE %s is not supported", strings.ToUpper(t.text))
		}
		return nil, "", p.fail()
	}
	st, err := p.createTable(temp)
	if err != nil {
		return nil, "", err
	}
	if st.as != nil {
		return st, "SELECT", nil
	}
	return st, "CREATE TABLE", nil
}

func (p *parser) createTable(temp bool) (*createTable, error) {
	c := &createTable{temp: temp, ifNotExists: p.word("if", "not", "exists")}
	var err error
	if c.table, err = p.tableName(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(c.table.name, "#") {
		c.temp = true
	}
	if c.temp && c.table.schema != "" {
		return nil, errorf("42P16", "temporary tables may not specify a schema name")
	}
	if p.isOp("(") && !(p.at(1).kind == tIdent && p.at(1).text == "select") {
		if err := p.tableElements(c); err != nil {
			return nil, err
		}
	}
	if err := p.tableAttributes(c); err != nil {
		return nil, err
	}
	if p.word("as") {
		if c.like != nil || len(c.columns) > 0 {
			return nil, p.fail()
		}
		if c.as, err = p.query(); err != nil {
			return nil, err
		}
		return c, nil
	}
	if len(c.asColumns) > 0 || c.like == nil && len(c.columns) == 0 {
		return nil, p.fail()
	}
	if len(c.columns) > maxColumns {
		return nil, errorf("54011", "tables can have at most %d columns", maxColumns)
	}
	return c, nil
}

// tableElements reads the parenthesis: column definitions and constraints, LIKE, or the bare names of CREATE TABLE AS.
func (p *parser) tableElements(c *createTable) error {
	if n := p.at(2); n.kind == tOp && (n.text == "," || n.text == ")") {
		var err error
		c.asColumns, err = p.names()
		return err
	}
	p.i++
	if p.word("like") {
		n, err := p.tableName()
		if err != nil {
			return err
		}
		c.like = &n
		if p.word("including", "defaults") {
			c.likeDefaults = true
		} else {
			p.word("excluding", "defaults")
		}
		return p.needOp(")")
	}
	for {
		if err := p.tableElement(c); err != nil {
			return err
		}
		if !p.op(",") {
			return p.needOp(")")
		}
	}
}

func (p *parser) tableElement(c *createTable) error {
	if p.word("constraint") {
		if _, err := p.name(); err != nil {
			return err
		}
	}
	switch {
	case p.word("primary", "key"):
		cols, err := p.names()
		c.notNull = append(c.notNull, cols...)
		return err
	case p.word("unique"):
		_, err := p.names()
		return err
	case p.word("foreign", "key"):
		if _, err := p.names(); err != nil {
			return err
		}
		return p.references()
	}
	d, err := p.columnDef()
	c.columns = append(c.columns, d)
	return err
}

func (p *parser) references() error {
	if err := p.needWord("references"); err != nil {
		return err
	}
	if _, err := p.tableName(); err != nil {
		return err
	}
	if p.isOp("(") {
		_, err := p.names()
		return err
	}
	return nil
}

var (
	systemColumns = wordSet("oid tableoid xmin cmin xmax cmax ctid insertxid deletexid")
	encodings     = wordSet("auto az64 bytedict delta delta32k lzo mostly8 mostly16 mostly32 raw runlength text255 text32k zstd")
)

func (p *parser) columnDef() (columnDef, error) {
	d := columnDef{}
	var err error
	if d.name, err = p.name(); err != nil {
		return d, err
	}
	if systemColumns[d.name] {
		return d, errorf("42701", "column name %q conflicts with a system column name", d.name)
	}
	if p.isWord("serial") || p.isWord("bigserial") {
		return d, errorf("42704", "type %q does not exist", p.cur().text)
	}
	if d.t, err = p.typeName(); err != nil {
		return d, err
	}
	for {
		more, err := p.columnAttribute(&d)
		if err != nil || !more {
			return d, err
		}
	}
}

// columnAttribute reads one attribute or constraint of a column; more is false at the end.
func (p *parser) columnAttribute(d *columnDef) (more bool, err error) {
	switch {
	case p.word("not", "null"):
		d.notNull = true
	case p.word("null"), p.word("unique"):
	case p.word("primary", "key"):
		d.notNull = true
	case p.isWord("references"):
		return true, p.references()
	case p.word("distkey"):
		d.distKey = true
	case p.word("sortkey"):
		d.sortKey = 1
	case p.word("encode"):
		t := p.cur()
		if t.kind != tIdent || !encodings[t.text] {
			return false, p.fail()
		}
		d.encode = t.text
		p.i++
	case p.word("collate"):
		if p.word("case_sensitive") || p.word("cs") {
			return true, nil
		}
		return false, strict("COLLATE is not supported")
	case p.word("default"):
		start := p.cur().pos
		if _, err := p.additive(); err != nil {
			return false, err
		}
		d.defaultSQL = strings.TrimSpace(p.sql[start:p.cur().pos])
	case p.word("identity"):
		return true, p.identity(d)
	case p.isWord("generated"):
		p.i++
		if err := p.needWord("by", "default", "as", "identity"); err != nil {
			return false, err
		}
		d.byDefault = true
		return true, p.identity(d)
	default:
		return false, nil
	}
	return true, nil
}

func (p *parser) identity(d *columnDef) (err error) {
	if d.t.kind != kInt4 && d.t.kind != kInt8 {
		return errorf("42601", "identity column type must be INT or BIGINT")
	}
	d.identity, d.notNull = true, true
	if err := p.needOp("("); err != nil {
		return err
	}
	if d.seed, err = p.integer(); err != nil {
		return err
	}
	if err := p.needOp(","); err != nil {
		return err
	}
	if d.step, err = p.integer(); err != nil {
		return err
	}
	if d.step == 0 {
		return errorf("22023", "identity step must not be 0")
	}
	return p.needOp(")")
}

func (p *parser) tableAttributes(c *createTable) error {
	for {
		switch {
		case p.word("backup"):
			if !p.word("yes") && !p.word("no") {
				return p.fail()
			}
		case p.word("diststyle"):
			t := p.cur()
			if !slices.Contains([]string{"auto", "even", "key", "all"}, t.text) {
				return p.fail()
			}
			c.distStyle = t.text
			p.i++
		case p.word("distkey"):
			cols, err := p.names()
			if err != nil {
				return err
			}
			if len(cols) != 1 || c.distKey != "" {
				return p.fail()
			}
			c.distKey = cols[0]
		case p.word("sortkey", "auto"), p.word("encode", "auto"):
		case p.isWord("compound"), p.isWord("interleaved"), p.isWord("sortkey"):
			limit := maxSortKeys
			if p.word("interleaved") {
				limit = 8
			} else {
				p.word("compound")
			}
			if err := p.needWord("sortkey"); err != nil {
				return err
			}
			cols, err := p.names()
			if err != nil {
				return err
			}
			if len(cols) > limit {
				return errorf("54011", "tables can have at most %d sort keys", limit)
			}
			c.sortKey = cols
		default:
			return nil
		}
		if c.like != nil {
			return errorf("42601", "cannot specify table attributes with LIKE")
		}
	}
}
