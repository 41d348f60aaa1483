package redshiftd

import "strings"

// from binds the FROM list and adds its sources to the scope.
func (b *binder) from(items []fromItem, sc *scope) (string, error) {
	if len(items) == 0 {
		return "", nil
	}
	var parts []string
	for _, it := range items {
		sql, err := b.fromItem(it, sc)
		if err != nil {
			return "", err
		}
		parts = append(parts, sql)
	}
	return " FROM " + strings.Join(parts, ", "), nil
}

func (b *binder) fromItem(it fromItem, sc *scope) (string, error) {
	switch it := it.(type) {
	case *tableRef:
		return b.tableRef(it, sc)
	case *derived:
		sql, cols, err := b.query(it.q, &scope{parent: sc.parent})
		if err != nil {
			return "", err
		}
		rel, err := derivedRelation(it.alias, cols, it.columns)
		if err != nil {
			return "", err
		}
		if err := sc.add(it.alias, "", rel); err != nil {
			return "", err
		}
		return "(" + sql + ") AS " + quoteIdent(it.alias) + "(" + columnNames(rel) + ")", nil
	case *join:
		return b.join(it, sc)
	}
	return "", errSyntax("FROM")
}

func (s *scope) add(alias, schema string, rel *relation) error {
	for _, src := range s.sources {
		if src.alias == alias {
			return errorf("42712", "table name %q specified more than once", alias)
		}
	}
	s.sources = append(s.sources, source{alias: alias, schema: schema, rel: rel})
	return nil
}

func (b *binder) tableRef(r *tableRef, sc *scope) (string, error) {
	rel := (*relation)(nil)
	if r.schema == "" {
		rel = sc.cte(r.name)
	}
	if rel == nil {
		var err error
		if rel, err = b.relation(r.tableName); err != nil {
			return "", err
		}
	}
	alias := r.alias
	if alias == "" {
		alias = r.name
	}
	as := " AS " + quoteIdent(alias)
	if len(r.columns) > 0 {
		var cols []output
		for _, c := range rel.columns {
			cols = append(cols, output{c.name, c.t})
		}
		renamed, err := derivedRelation(alias, cols, r.columns)
		if err != nil {
			return "", err
		}
		renamed.sql, rel = rel.sql, renamed
		as += "(" + columnNames(rel) + ")"
	}
	schema := rel.schema
	if r.alias != "" {
		schema = ""
	}
	return rel.sql + as, sc.add(alias, schema, rel)
}

// relation looks a table up and notes whether it is a user's.
func (b *binder) relation(n tableName) (*relation, error) {
	rel, err := b.lookup(b.ctx, n)
	if err != nil {
		return nil, err
	}
	if !rel.system {
		b.tables = true
	}
	return rel, nil
}

func (b *binder) join(j *join, sc *scope) (string, error) {
	first := len(sc.sources)
	l, err := b.fromItem(j.l, sc)
	if err != nil {
		return "", err
	}
	middle := len(sc.sources)
	r, err := b.fromItem(j.r, sc)
	if err != nil {
		return "", err
	}
	sql := "(" + l + " " + j.kind + " JOIN " + r
	switch {
	case j.on != nil:
		inner := &scope{parent: sc.parent, sources: sc.sources[first:]} // ON sees only what it joins
		cond, err := b.boolean(j.on, inner, "JOIN/ON")
		if err != nil {
			return "", err
		}
		sql += " ON " + cond
	case len(j.using) > 0:
		cond, err := b.using(j, sc, first, middle)
		if err != nil {
			return "", err
		}
		sql += " ON " + cond
	}
	return sql + ")", nil
}

// using joins on equal names; the right side's copy of the column is hidden.
func (b *binder) using(j *join, sc *scope, first, middle int) (string, error) {
	if j.kind == "FULL" || j.kind == "RIGHT" {
		return "", strict("%s JOIN with USING is not supported", j.kind)
	}
	left := &scope{sources: sc.sources[first:middle]}
	right := &scope{sources: sc.sources[middle:]}
	var conds []string
	for _, name := range j.using {
		l, err := left.columnRef(&column{name: name})
		if err != nil {
			return "", err
		}
		r, err := right.columnRef(&column{name: name})
		if err != nil {
			return "", err
		}
		eq, err := b.compare("=", l, r)
		if err != nil {
			return "", err
		}
		conds = append(conds, eq.sql)
		for i := middle; i < len(sc.sources); i++ {
			if _, ok := sc.sources[i].rel.column(name); ok {
				if sc.sources[i].hidden == nil {
					sc.sources[i].hidden = map[string]bool{}
				}
				sc.sources[i].hidden[name] = true
			}
		}
	}
	return strings.Join(conds, " AND "), nil
}
