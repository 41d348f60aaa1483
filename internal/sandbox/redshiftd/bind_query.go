package redshiftd

import (
	"strconv"
	"strings"
)

// query binds a query expression; its columns may still be untyped (text for the engine).
func (b *binder) query(q *query, parent *scope) (string, []output, error) {
	with, sc, err := b.with(q.ctes, parent)
	if err != nil {
		return "", nil, err
	}
	sql, cols, inner, err := b.setExpr(q.body, sc)
	if err != nil {
		return "", nil, err
	}
	sql = with + sql
	if len(q.order) > 0 {
		order, err := b.queryOrder(q, cols, inner)
		if err != nil {
			return "", nil, err
		}
		sql += " ORDER BY " + order
	}
	for _, part := range []struct {
		word string
		x    expr
	}{{" LIMIT ", q.limit}, {" OFFSET ", q.offset}} {
		if part.x == nil {
			continue
		}
		n, err := b.expr(part.x, &scope{})
		if err != nil {
			return "", nil, err
		}
		if n, err = b.coerce(n, typ{kind: kInt8}); err != nil {
			return "", nil, err
		}
		if !n.t.isInt() {
			return "", nil, errorf("42804", "argument of LIMIT must be type integer")
		}
		sql += part.word + n.sql
	}
	return sql, cols, nil
}

// with binds common table expressions and gives the scope that knows them.
func (b *binder) with(ctes []cte, parent *scope) (string, *scope, error) {
	sc := &scope{parent: parent, ctes: map[string]*relation{}}
	var parts []string
	for _, c := range ctes {
		sql, cols, err := b.query(c.q, sc)
		if err != nil {
			return "", nil, err
		}
		rel, err := derivedRelation(c.name, cols, c.columns)
		if err != nil {
			return "", nil, err
		}
		rel.sql = quoteIdent(c.name)
		if sc.ctes[c.name] != nil {
			return "", nil, errorf("42712", "WITH query name %q specified more than once", c.name)
		}
		sc.ctes[c.name] = rel
		parts = append(parts, quoteIdent(c.name)+"("+columnNames(rel)+") AS ("+sql+")")
	}
	if len(parts) == 0 {
		return "", sc, nil
	}
	return "WITH " + strings.Join(parts, ", ") + " ", sc, nil
}

func columnNames(r *relation) string {
	names := make([]string, len(r.columns))
	for i, c := range r.columns {
		names[i] = quoteIdent(c.name)
	}
	return strings.Join(names, ",")
}

// derivedRelation makes a relation from a query's columns; names, if given, rename the first of them.
func derivedRelation(alias string, cols []output, names []string) (*relation, error) {
	if len(names) > len(cols) {
		return nil, errorf("42P10", "table %q has %d columns available but %d columns specified", alias, len(cols), len(names))
	}
	r := &relation{name: alias}
	for i, c := range cols {
		if i < len(names) {
			c.name = names[i]
		}
		if c.t.kind == kUnknown {
			c.t = varchar(maxVarchar)
		}
		r.columns = append(r.columns, columnInfo{name: c.name, t: c.t})
	}
	return r, nil
}

// setExpr binds one SELECT or a set operation. inner is the scope of a single SELECT, for ORDER BY.
func (b *binder) setExpr(body any, sc *scope) (sql string, cols []output, inner *scope, err error) {
	switch body := body.(type) {
	case *selectCore:
		return b.selectCore(body, sc)
	case *query:
		sql, cols, err = b.query(body, sc)
		return "(" + sql + ")", cols, nil, err
	case *setOp:
		sql, cols, err = b.setOp(body, sc)
		return sql, cols, nil, err
	}
	return "", nil, nil, errSyntax("")
}

func (b *binder) setOp(op *setOp, sc *scope) (string, []output, error) {
	l, lc, _, err := b.setExpr(op.l, sc)
	if err != nil {
		return "", nil, err
	}
	r, rc, _, err := b.setExpr(op.r, sc)
	if err != nil {
		return "", nil, err
	}
	if len(lc) != len(rc) {
		return "", nil, errorf("42601", "each %s query must have the same number of columns", op.op)
	}
	cols := make([]output, len(lc))
	for i := range lc {
		t, ok := common(lc[i].t, rc[i].t)
		if !ok || !op.all && t.kind == kSuper {
			return "", nil, errorf("42804", "%s types %s and %s cannot be matched", op.op, lc[i].t.name(), rc[i].t.name())
		}
		cols[i] = output{lc[i].name, t}
	}
	if l, err = b.retype(l, lc, cols); err != nil {
		return "", nil, err
	}
	if r, err = b.retype(r, rc, cols); err != nil {
		return "", nil, err
	}
	word := " " + op.op + " "
	if op.all {
		word += "ALL "
	}
	return l + word + r, cols, nil
}

// retype casts the columns of a query whose types differ from the wanted ones.
func (b *binder) retype(sql string, from, to []output) (string, error) {
	same := true
	for i := range from {
		same = same && from[i].t.duck() == to[i].t.duck()
	}
	if same {
		return "(" + sql + ")", nil
	}
	var names, items []string
	for i := range from {
		n := quoteIdent("c" + strconv.Itoa(i))
		x := bound{sql: n, t: from[i].t}
		if to[i].t.kind != kUnknown {
			var err error
			if x, err = b.convert(x, to[i].t); err != nil {
				return "", err
			}
		}
		names, items = append(names, n), append(items, x.sql+" AS "+quoteIdent(to[i].name))
	}
	return "(SELECT " + strings.Join(items, ",") + " FROM (" + sql + ") AS s(" + strings.Join(names, ",") + "))", nil
}

func (b *binder) selectCore(s *selectCore, parent *scope) (string, []output, *scope, error) {
	sc := &scope{parent: parent}
	from, err := b.from(s.from, sc)
	if err != nil {
		return "", nil, nil, err
	}
	if d, ok := onlyDerived(s.from); ok && s.where != nil {
		first, err := b.firstOfEach(d, s.where, parent)
		if err != nil {
			return "", nil, nil, err
		}
		if first != "" {
			from = " FROM (" + first + ") AS " + quoteIdent(d.alias) + "(" + columnNames(sc.sources[0].rel) + ")"
		}
	}
	where := ""
	if s.where != nil {
		cond, err := b.boolean(s.where, sc, "WHERE")
		if err != nil {
			return "", nil, nil, err
		}
		where = " WHERE " + cond
	}
	sc.grouped = b.spacedKeys(s, sc)
	sc.aggs, sc.windows = true, true
	items, cols, err := b.items(s.items, sc)
	if err != nil {
		return "", nil, nil, err
	}
	tail, err := b.groupTail(s, items, cols, sc)
	if err != nil {
		return "", nil, nil, err
	}
	list := make([]string, len(items))
	for i, x := range items {
		list[i] = x.sql + " AS " + quoteIdent(cols[i].name)
	}
	sql := "SELECT "
	if s.distinct {
		sql += distinctSQL(items)
	}
	sql += strings.Join(list, ", ") + from + s.also + where + tail
	if s.top != nil {
		return "", nil, nil, strict("TOP inside a set operation is not supported")
	}
	return sql, cols, sc, nil
}

// items binds the select list; later items may use the aliases of earlier ones.
func (b *binder) items(list []selectItem, sc *scope) ([]item, []output, error) {
	var sqls []item
	var cols []output
	for _, it := range list {
		if st, ok := it.x.(*star); ok {
			s, c, err := expandStar(st, sc)
			if err != nil {
				return nil, nil, err
			}
			sqls, cols = append(sqls, s...), append(cols, c...)
			continue
		}
		x, err := b.expr(it.x, sc)
		if err != nil {
			return nil, nil, err
		}
		name := it.alias
		if name == "" {
			name = outputName(it.x)
		}
		if x.param != 0 && x.untyped() {
			x = b.settle(x)
		}
		sqls = append(sqls, item{x, it.x})
		cols = append(cols, output{name, x.t})
		if it.alias != "" {
			t := x.t
			if t.kind == kUnknown {
				t = varchar(maxVarchar)
			}
			sc.outputs = append(sc.outputs, output{name, t})
		}
	}
	if len(cols) > maxColumns+64 {
		return nil, nil, errorf("54011", "target lists can have at most 1664 entries")
	}
	return sqls, cols, nil
}

// item is a bound item of a select list and what it was bound from.
type item struct {
	bound
	e expr
}

func expandStar(st *star, sc *scope) ([]item, []output, error) {
	var items []item
	var cols []output
	for _, src := range sc.sources {
		if st.table != "" && st.table != src.alias {
			continue
		}
		for _, c := range src.rel.columns {
			if st.table == "" && src.hidden[c.name] {
				continue
			}
			e := &column{src.schema, src.alias, c.name}
			x, err := sc.columnRef(e)
			if err != nil {
				return nil, nil, err
			}
			items, cols = append(items, item{x, e}), append(cols, output{c.name, c.t})
		}
	}
	if len(cols) == 0 {
		if st.table != "" {
			return nil, nil, errorf("42P01", "relation %q does not exist", st.table)
		}
		return nil, nil, errorf("42601", "SELECT * with no tables specified is not valid")
	}
	return items, cols, nil
}

func outputName(e expr) string {
	switch e := e.(type) {
	case *column:
		return e.name
	case *call:
		return e.name
	case *cast:
		if n := outputName(e.x); n != "?column?" {
			return n
		}
		return e.t.outputName()
	case *caseExpr:
		return "case"
	case *extract:
		return "date_part"
	case *trimExpr:
		return "btrim"
	}
	return "?column?"
}

// outputName is what a column is called that casts a constant to this type.
func (t typ) outputName() string {
	names := map[kind]string{kBool: "bool", kInt2: "int2", kInt4: "int4", kInt8: "int8", kNumeric: "numeric", kFloat4: "float4",
		kFloat8: "float8", kChar: "bpchar", kVarchar: "varchar", kDate: "date", kTimestamp: "timestamp", kTimestamptz: "timestamptz", kSuper: "super"}
	return names[t.kind]
}
