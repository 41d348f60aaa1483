package redshiftd

import "strings"

// copyFlags are COPY's options without an argument, copyArgs those with one. Options that Parquet refuses are read
// all the same, so that the refusal can name them.
var (
	copyFlags = wordSet(`manifest fillrecord explicit_ids csv gzip bzip2 lzop zstd avro json orc fixedwidth shapefile
acceptanydate blanksasnull emptyasnull escape encrypted fillrecord ignoreblanklines removequotes roundec
trimblanks truncatecolumns noload ssh ignoreallerrors`)
	copyArgs = wordSet(`region maxerror delimiter quote dateformat timeformat encoding ignoreheader master_symmetric_key
comprows readratio`)
	copyToggles = wordSet(`statupdate compupdate`)
)

func (p *parser) copy() (statement, error) {
	p.i++
	c := &copyStmt{}
	var err error
	if c.table, err = p.tableName(); err != nil {
		return nil, err
	}
	if p.isOp("(") {
		if c.columns, err = p.names(); err != nil {
			return nil, err
		}
	}
	if err := p.needWord("from"); err != nil {
		return nil, err
	}
	if p.cur().kind == tParam {
		return nil, p.fail()
	}
	if c.from, err = p.str(); err != nil {
		return nil, err
	}
	for p.cur().kind != tEOF {
		if err := p.copyPart(c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (p *parser) copyPart(c *copyStmt) (err error) {
	switch {
	case p.word("iam_role"):
		c.credentials++
		if p.word("default") {
			c.roles = []string{"default"}
			return nil
		}
		s, err := p.str()
		c.roles = strings.Split(s, ",")
		return err
	case p.word("credentials"):
		c.credentials++
		p.word("as")
		s, err := p.str()
		if err != nil {
			return err
		}
		role, ok := strings.CutPrefix(s, "aws_iam_role=")
		if !ok {
			return strict("COPY with keys in CREDENTIALS is not supported")
		}
		c.roles = strings.Split(role, ",")
		return nil
	case p.isWord("access_key_id"), p.isWord("secret_access_key"), p.isWord("session_token"):
		return strict("COPY with access keys is not supported")
	case p.word("format"):
		p.word("as")
		return p.copyFormat(c)
	case p.isWord("as"):
		p.i++
		return p.copyFormat(c)
	case p.isWord("parquet"):
		return p.copyFormat(c)
	}
	return p.copyOption(c)
}

func (p *parser) copyFormat(c *copyStmt) error {
	if p.word("parquet") {
		c.parquet = true
		return nil
	}
	t := p.cur()
	if t.kind != tIdent || !copyFlags[t.text] {
		return p.fail()
	}
	return p.copyOption(c)
}

func (p *parser) copyOption(c *copyStmt) error {
	t := p.cur()
	if t.kind != tIdent {
		return p.fail()
	}
	p.i++
	o := copyOption{name: t.text}
	var err error
	switch {
	case t.text == "null":
		p.word("as")
		o.arg, err = p.str()
	case t.text == "serializetojson", copyFlags[t.text]:
		if n := p.cur(); n.kind == tString || n.kind == tIdent && n.text == "as" && p.at(1).kind == tString {
			p.word("as")
			o.arg, err = p.str()
		}
	case t.text == "acceptinvchars":
		o.arg = "?"
		p.word("as")
		if p.cur().kind == tString {
			o.arg, err = p.str()
		}
	case copyToggles[t.text]:
		o.arg = "on"
		if n := p.cur(); n.kind == tIdent && wordSet("on off true false preset")[n.text] {
			o.arg = n.text
			p.i++
		}
	case copyArgs[t.text]:
		p.word("as")
		n := p.cur()
		if n.kind != tString && n.kind != tNumber && n.kind != tIdent {
			return p.fail()
		}
		o.arg = n.text
		p.i++
	default:
		p.i--
		return p.fail()
	}
	c.options = append(c.options, o)
	return err
}
