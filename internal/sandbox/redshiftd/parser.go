package redshiftd

import (
	"strconv"
	"strings"
)

// parser reads one statement. Its grammar is the whitelist: what it does not know is a syntax error.
type parser struct {
	sql    string
	tokens []token
	i      int
	depth  int
	reads  []tableName
	params int
}

const (
	maxDepth  = 200 // nesting of expressions and queries
	maxParams = 32767
)

// reserved words can't be names or aliases unless quoted.
var reserved = wordSet(`all analyse analyze and any array as asc authorization backup between binary both case cast
check collate column constraint create credentials cross current_date current_time current_timestamp current_user
default deferrable desc disable distinct do else enable encode end except explicit false for foreign freeze from full
grant group having identity ignore ilike in initially inner intersect interval into is isnull join leading left like
limit localtime localtimestamp minus natural new not notnull null nulls off offline offset oid old on only open or
order outer overlaps parallel partition percent permissions pivot placing primary qualify raw references rejectlog
resort respect restore right select session_user similar snapshot some sysdate system table tag then timestamp to top
trailing true truncatecolumns union unique unnest unpivot user using verbose wallet when where with without`)

func wordSet(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// parse reads one statement from the tokens of splitStatements.
func parse(sql string, tokens []token) (*parsed, error) {
	p := &parser{sql: sql, tokens: tokens}
	st, tag, err := p.statement()
	if err != nil {
		return nil, err
	}
	if p.cur().kind != tEOF {
		return nil, p.fail()
	}
	text := sql[tokens[0].pos:tokens[len(tokens)-1].pos]
	return &parsed{stmt: st, tag: tag, sql: strings.TrimSpace(text), reads: p.reads, params: p.params}, nil
}

func (p *parser) cur() token { return p.tokens[p.i] }

func (p *parser) at(n int) token {
	if p.i+n < len(p.tokens) {
		return p.tokens[p.i+n]
	}
	return p.tokens[len(p.tokens)-1]
}

func (p *parser) fail() error {
	t := p.cur()
	if t.kind == tEOF {
		return errorf("42601", "syntax error at end of input")
	}
	return errSyntax(t.raw)
}

// isWord says whether the next tokens are these unquoted words.
func (p *parser) isWord(words ...string) bool {
	for n, w := range words {
		if t := p.at(n); t.kind != tIdent || t.text != w {
			return false
		}
	}
	return true
}

// word takes the words if they come next.
func (p *parser) word(words ...string) bool {
	if !p.isWord(words...) {
		return false
	}
	p.i += len(words)
	return true
}

func (p *parser) needWord(words ...string) error {
	for _, w := range words {
		if !p.word(w) {
			return p.fail()
		}
	}
	return nil
}

func (p *parser) isOp(op string) bool { t := p.cur(); return t.kind == tOp && t.text == op }

func (p *parser) op(op string) bool {
	if p.isOp(op) {
		p.i++
		return true
	}
	return false
}

func (p *parser) needOp(op string) error {
	if !p.op(op) {
		return p.fail()
	}
	return nil
}

// name takes an identifier: quoted, or a word that is not reserved.
func (p *parser) name() (string, error) {
	t := p.cur()
	if t.kind == tQuoted || t.kind == tIdent && !reserved[t.text] {
		p.i++
		return t.text, nil
	}
	return "", p.fail()
}

func (p *parser) names() ([]string, error) {
	if err := p.needOp("("); err != nil {
		return nil, err
	}
	var out []string
	for {
		n, err := p.name()
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		if !p.op(",") {
			return out, p.needOp(")")
		}
	}
}

func (p *parser) str() (string, error) {
	if t := p.cur(); t.kind == tString {
		p.i++
		return t.text, nil
	}
	return "", p.fail()
}

func (p *parser) integer() (int64, error) {
	neg := p.op("-")
	t := p.cur()
	if t.kind != tNumber {
		return 0, p.fail()
	}
	v, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		return 0, p.fail()
	}
	p.i++
	if neg {
		v = -v
	}
	return v, nil
}

// tableName reads [schema.]table. A database name in front is refused.
func (p *parser) tableName() (tableName, error) {
	n, err := p.name()
	if err != nil {
		return tableName{}, err
	}
	if !p.op(".") {
		return tableName{name: n}, nil
	}
	m, err := p.name()
	if err != nil {
		return tableName{}, err
	}
	if p.isOp(".") {
		return tableName{}, strict("cross-database reference to %q is not supported", n)
	}
	return tableName{n, m}, nil
}

// enter guards against nesting that would exhaust the stack.
func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return errorf("54001", "stack depth limit exceeded")
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// typeName reads a type with its modifier and checks its limits.
func (p *parser) typeName() (typ, error) {
	t := p.cur()
	if t.kind != tIdent && t.kind != tQuoted {
		return typ{}, p.fail()
	}
	p.i++
	var out typ
	switch word := t.text; {
	case word == "double":
		if err := p.needWord("precision"); err != nil {
			return typ{}, err
		}
		out = typ{kind: kFloat8}
	case word == "decimal" || word == "numeric" || word == "dec":
		return p.decimalType()
	case lengthTypes[word] != 0:
		return p.charType(lengthTypes[word])
	case word == "timestamp":
		out = typ{kind: kTimestamp}
		if p.word("with", "time", "zone") {
			out.kind = kTimestamptz
		} else {
			p.word("without", "time", "zone")
		}
	default:
		known, ok := typeNames[word]
		if !ok {
			return typ{}, errUnknownType(word)
		}
		out = known
	}
	if p.isOp("(") || p.isOp("[") {
		return typ{}, p.fail()
	}
	return out, nil
}

func (p *parser) decimalType() (typ, error) {
	t := numeric(18, 0)
	if p.op("(") {
		prec, err := p.integer()
		if err != nil {
			return t, err
		}
		var scale int64
		if p.op(",") {
			if scale, err = p.integer(); err != nil {
				return t, err
			}
		}
		if prec < 1 || prec > maxPrecision {
			return t, errorf("22023", "DECIMAL precision %d must be between 1 and %d", prec, maxPrecision)
		}
		if scale < 0 || scale > prec || scale > maxScale {
			return t, errorf("22023", "DECIMAL scale %d must be between 0 and precision %d", scale, prec)
		}
		t = numeric(int(prec), int(scale))
		if err := p.needOp(")"); err != nil {
			return t, err
		}
	}
	if p.isOp("[") {
		return t, p.fail()
	}
	return t, nil
}

func (p *parser) charType(k kind) (typ, error) {
	t := typ{k, 1, 0}
	if k == kVarchar {
		t.p = 256
	}
	if p.word("varying") {
		if k == kVarchar {
			p.i--
			return t, p.fail()
		}
		k, t = kVarchar, varchar(256)
	}
	if p.op("(") {
		limit := int64(maxChar)
		if k == kVarchar {
			limit = maxVarchar
		}
		n := limit
		if !p.word("max") {
			var err error
			if n, err = p.integer(); err != nil {
				return t, err
			}
		}
		if n < 1 {
			return t, errorf("22023", "length for type %s must be at least 1", kindFacts[k].name)
		}
		if n > limit {
			return t, errorf("22023", "length for type %s cannot exceed %d", kindFacts[k].name, limit)
		}
		t.p = int(n)
		if err := p.needOp(")"); err != nil {
			return t, err
		}
	}
	if p.isOp("[") {
		return t, p.fail()
	}
	return t, nil
}
