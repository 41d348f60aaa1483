package redshiftd

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// bound is an expression in the engine's words together with its Redshift type.
// While the type is unknown, text is the constant (nil: NULL) or param the number of the parameter.
type bound struct {
	sql   string
	t     typ
	text  *string
	param int
	nulls nullness
	parts []bound // of a concatenation
	tight bool    // a text that never ends in blanks
}

// nullness tells when an expression is NULL: exactly when one of these columns is. A nil one says that it is not known,
// an empty one that it never is.
type nullness []string

// never says that an expression is known to be never NULL.
func (n nullness) never() bool { return n != nil && len(n) == 0 }

// strictNulls is the nullness of a function or operator that is NULL exactly when one of its arguments is.
func strictNulls(xs ...bound) nullness {
	all := nullness{}
	for _, x := range xs {
		n := x.nulls
		if x.text != nil {
			n = nullness{}
		}
		if n == nil {
			return nil
		}
		all = append(all, n...)
	}
	return all
}

func (b bound) untyped() bool { return b.t.kind == kUnknown }

// relation is a table, a system view, a common table expression or a subquery as FROM sees it.
type relation struct {
	oid          int64
	schema, name string
	temp, system bool
	sql          string
	columns      []columnInfo
}

type columnInfo struct {
	name       string
	t          typ
	notNull    bool
	defaultSQL string
	sequence   string // identity: the engine's sequence
	byDefault  bool
}

func (r *relation) column(name string) (columnInfo, bool) {
	for _, c := range r.columns {
		if c.name == name {
			return c, true
		}
	}
	return columnInfo{}, false
}

// environment is what a statement may see of its session.
type environment struct {
	user, database, schema string
	pid                    int
	now, began             time.Time // of the statement and of the transaction
	zone                   *time.Location
	lastCopyCount          int64
	lastCopyID             int64
	lastQueryID            int64
	version                string
}

// paramValue is a bound parameter in text form.
type paramValue struct {
	t    typ // unknown: to be inferred
	text *string
}

// binder resolves names and types of one statement and writes it in the engine's dialect.
type binder struct {
	ctx     context.Context
	env     environment
	lookup  func(ctx context.Context, n tableName) (*relation, error)
	types   []typ        // parameter types, given or inferred
	values  []paramValue // nil while describing
	tables  bool         // a user table takes part
	leaders []string     // leader-node functions met
	// act carries out a function that acts on another session; nil while describing.
	act func(function string, pid int) (bool, error)
}

// scope is what names mean at one place of a query.
type scope struct {
	parent  *scope
	sources []source
	outputs []output // select list items by alias, where an alias may be used
	ctes    map[string]*relation
	aggs    bool            // aggregates are allowed
	grouped map[string]bool // columns that GROUP BY compares without their trailing blanks
	windows bool
}

type source struct {
	alias  string
	schema string
	rel    *relation
	hidden map[string]bool // columns merged by USING
}

type output struct {
	name string
	t    typ
}

func (s *scope) cte(name string) *relation {
	for ; s != nil; s = s.parent {
		if r := s.ctes[name]; r != nil {
			return r
		}
	}
	return nil
}

// columnRef finds a column: in this query's FROM, then among its output names, then outside.
func (s *scope) columnRef(c *column) (bound, error) {
	for sc := s; sc != nil; sc = sc.parent {
		var found bound
		n := 0
		tableSeen := false
		for _, src := range sc.sources {
			if c.table != "" && c.table != src.alias || c.schema != "" && c.schema != src.schema {
				continue
			}
			tableSeen = true
			info, ok := src.rel.column(c.name)
			if !ok || c.table == "" && src.hidden[c.name] {
				continue
			}
			n++
			found = bound{sql: quoteIdent(src.alias) + "." + quoteIdent(c.name), t: info.t}
			found.nulls = nullness{found.sql}
		}
		switch {
		case n > 1:
			return bound{}, errorf("42702", "column reference %q is ambiguous", c.name)
		case n == 1 && sc == s && sc.aggs && sc.grouped[found.sql]: // one of the group's spellings
			return bound{sql: "any_value(" + found.sql + ")", t: found.t}, nil
		case n == 1:
			return found, nil
		case c.table != "" && tableSeen:
			return bound{}, errorf("42703", "column %s.%s does not exist", c.table, c.name)
		}
		if c.table == "" {
			for _, o := range sc.outputs {
				if o.name == c.name {
					return bound{sql: quoteIdent(o.name), t: o.t}, nil
				}
			}
		}
	}
	if c.table != "" {
		return bound{}, errorf("42P01", "missing FROM-clause entry for table %q", c.table)
	}
	return bound{}, errorf("42703", "column %q does not exist", c.name)
}

// param binds $n: to its value when executing, to nothing yet when describing.
func (b *binder) param(n int) bound {
	for len(b.types) < n {
		b.types = append(b.types, typ{})
	}
	if b.values == nil {
		t := b.types[n-1]
		if t.kind == kNumeric && t.p == 0 {
			t = numeric(maxPrecision, 0)
		}
		if t.kind == kUnknown {
			return bound{sql: "NULL", param: n}
		}
		return bound{sql: "CAST(NULL AS " + t.duck() + ")", t: t, param: n}
	}
	if n > len(b.values) {
		return bound{sql: "NULL", param: n}
	}
	v := b.values[n-1]
	out := bound{sql: "NULL", text: v.text, param: n}
	if v.text != nil {
		out.sql = quoteText(*v.text)
	}
	if v.t.kind == kUnknown {
		return out
	}
	t := v.t
	if t.kind == kNumeric && t.p == 0 {
		t = numeric(maxPrecision, 0)
		if v.text != nil {
			t = numericOf(*v.text)
		}
	}
	typed, err := b.coerce(out, t)
	if err != nil {
		return out // the constant does not read as its type; using it says so
	}
	return typed
}

// infer notes the type of a parameter that stands where t is wanted.
func (b *binder) infer(x bound, t typ) {
	if x.param == 0 || b.types[x.param-1].kind != kUnknown {
		return
	}
	if t.isText() || t.kind == kUnknown {
		t = varchar(maxVarchar)
	}
	if t.kind == kNumeric {
		t = typ{kind: kNumeric}
	}
	b.types[x.param-1] = t
}

// numericOf is the NUMERIC that a constant is written as.
func numericOf(text string) typ {
	text = strings.TrimLeft(text, "+-")
	whole, frac, _ := strings.Cut(text, ".")
	whole = strings.TrimLeft(whole, "0")
	s := min(len(frac), maxScale)
	return numeric(min(max(len(whole)+s, 1), maxPrecision), s)
}

func castSQL(sql string, t typ) string { return "CAST(" + sql + " AS " + t.duck() + ")" }

// settle gives an untyped expression the type it has when nothing else decides.
func (b *binder) settle(x bound) bound {
	if !x.untyped() {
		return x
	}
	b.infer(x, varchar(maxVarchar))
	n := 1
	if x.text != nil {
		n = max(1, len(*x.text))
	}
	if x.param != 0 {
		n = maxVarchar
	}
	return bound{sql: castSQL(x.sql, varchar(n)), t: varchar(n)}
}

// leader notes a function that only the leader node has.
func (b *binder) leader(name string) { b.leaders = append(b.leaders, name) }

// finish refuses leader-node functions beside user tables.
func (b *binder) finish() error {
	if b.tables && len(b.leaders) > 0 {
		return errLeaderNode(b.leaders...)
	}
	return nil
}

func errLeaderNode(names ...string) error {
	e := errorf("0A000", "Specified types or functions (one per INFO message) not supported on Redshift tables.")
	for _, n := range names {
		e.notices = append(e.notices, fmt.Sprintf("Function %q not supported.", n+"()"))
	}
	return e
}
