package redshiftd

import (
	"strconv"
	"strings"
)

// target looks up a table that is to be changed.
func (b *binder) target(n tableName) (*relation, error) {
	rel, err := b.relation(n)
	if err != nil {
		return nil, err
	}
	if rel.system {
		return nil, errorf("42501", "permission denied for relation %s", rel.name)
	}
	return rel, nil
}

// columnDefault writes the value of a column that a statement leaves out.
func (b *binder) columnDefault(c columnInfo) (string, error) {
	switch {
	case c.sequence != "":
		return castSQL("nextval("+quoteText(c.sequence)+")", c.t), nil
	case c.defaultSQL == "":
		return castSQL("NULL", c.t), nil
	}
	tokens, err := lex(c.defaultSQL)
	if err != nil {
		return "", err
	}
	p := &parser{sql: c.defaultSQL, tokens: tokens}
	e, err := p.expr()
	if err != nil {
		return "", err
	}
	if p.cur().kind != tEOF || len(p.reads) > 0 || p.params > 0 {
		return "", errorf("42601", "cannot use column references, parameters or subqueries in default expression")
	}
	inner := &binder{ctx: b.ctx, env: b.env, lookup: b.lookup}
	x, err := inner.expr(e, &scope{})
	if err != nil {
		return "", err
	}
	x, err = inner.assign(x, c)
	return x.sql, err
}

// targetColumns are the columns that INSERT or COPY name, or all.
func targetColumns(rel *relation, names []string) ([]columnInfo, error) {
	if len(names) == 0 {
		return rel.columns, nil
	}
	seen := map[string]bool{}
	var out []columnInfo
	for _, n := range names {
		c, ok := rel.column(n)
		if !ok {
			return nil, errorf("42703", "column %q of relation %q does not exist", n, rel.name)
		}
		if seen[n] {
			return nil, errorf("42701", "column %q specified more than once", n)
		}
		seen[n] = true
		out = append(out, c)
	}
	return out, nil
}

func checkIdentity(c columnInfo) error {
	if c.sequence != "" && !c.byDefault {
		return errorf("0A000", "cannot set an identity column to a value")
	}
	return nil
}

func (b *binder) insert(s *insertStmt) (string, error) {
	rel, err := b.target(s.table)
	if err != nil {
		return "", err
	}
	cols, err := targetColumns(rel, s.columns)
	if err != nil {
		return "", err
	}
	body := ""
	switch {
	case s.defaults:
		cols = nil
		body, err = b.insertRows(rel, cols, [][]expr{{}}, &scope{})
	case s.q != nil:
		body, err = b.insertQuery(rel, cols, s)
	default:
		body, err = b.insertRows(rel, cols, s.rows, &scope{})
	}
	if err != nil {
		return "", err
	}
	return "INSERT INTO " + rel.sql + " (" + columnNames(rel) + ") " + body, nil
}

// insertRows writes VALUES for all columns of the table, in its order. sc is what the values may name.
func (b *binder) insertRows(rel *relation, cols []columnInfo, rows [][]expr, sc *scope) (string, error) {
	at := map[string]int{}
	for i, c := range cols {
		at[c.name] = i
	}
	var lines []string
	for _, row := range rows {
		if len(row) > len(cols) {
			return "", errorf("42601", "INSERT has more expressions than target columns")
		}
		if len(row) < len(cols) && len(rows) > 1 && len(row) != len(rows[0]) {
			return "", errorf("42601", "VALUES lists must all be the same length")
		}
		var cells []string
		for _, c := range rel.columns {
			i, ok := at[c.name]
			if !ok || i >= len(row) || row[i] == nil {
				d, err := b.columnDefault(c)
				if err != nil {
					return "", err
				}
				cells = append(cells, d)
				continue
			}
			if err := checkIdentity(c); err != nil {
				return "", err
			}
			x, err := b.expr(row[i], sc)
			if err != nil {
				return "", err
			}
			if x, err = b.assign(x, c); err != nil {
				return "", err
			}
			cells = append(cells, x.sql)
		}
		lines = append(lines, "("+strings.Join(cells, ",")+")")
	}
	return "VALUES " + strings.Join(lines, ","), nil
}

func (b *binder) insertQuery(rel *relation, cols []columnInfo, s *insertStmt) (string, error) {
	sql, outs, err := b.query(s.q, nil)
	if err != nil {
		return "", err
	}
	if len(outs) > len(cols) {
		return "", errorf("42601", "INSERT has more expressions than target columns")
	}
	if len(outs) < len(cols) && len(s.columns) > 0 {
		return "", errorf("42601", "INSERT has more target columns than expressions")
	}
	source := map[string]bound{}
	var names []string
	for i, o := range outs {
		n := quoteIdent("c" + strconv.Itoa(i))
		names = append(names, n)
		if err := checkIdentity(cols[i]); err != nil {
			return "", err
		}
		source[cols[i].name] = bound{sql: n, t: o.t}
	}
	var cells []string
	for _, c := range rel.columns {
		x, ok := source[c.name]
		if !ok {
			d, err := b.columnDefault(c)
			if err != nil {
				return "", err
			}
			cells = append(cells, d)
			continue
		}
		if x, err = b.assign(x, c); err != nil {
			return "", err
		}
		cells = append(cells, x.sql)
	}
	return "SELECT " + strings.Join(cells, ",") + " FROM (" + sql + ") AS s(" + strings.Join(names, ",") + ")", nil
}

func (b *binder) delete(s *deleteStmt) (string, error) {
	rel, err := b.target(s.table)
	if err != nil {
		return "", err
	}
	with, sc, err := b.with(s.ctes, nil)
	if err != nil {
		return "", err
	}
	sc = &scope{parent: sc}
	if err := sc.add(s.table.name, rel.schema, rel); err != nil {
		return "", err
	}
	sql := with + "DELETE FROM " + rel.sql + " AS " + quoteIdent(s.table.name)
	if len(s.using) > 0 {
		from, err := b.from(s.using, sc)
		if err != nil {
			return "", err
		}
		sql += " USING" + strings.TrimPrefix(from, " FROM")
	}
	return b.where(sql, s.where, sc)
}

func (b *binder) where(sql string, e expr, sc *scope) (string, error) {
	if e == nil {
		return sql, nil
	}
	cond, err := b.boolean(e, sc, "WHERE")
	return sql + " WHERE " + cond, err
}

func (b *binder) update(s *updateStmt) (string, error) {
	rel, err := b.target(s.table)
	if err != nil {
		return "", err
	}
	with, sc, err := b.with(s.ctes, nil)
	if err != nil {
		return "", err
	}
	sc = &scope{parent: sc}
	if err := sc.add(s.table.name, rel.schema, rel); err != nil {
		return "", err
	}
	from, err := b.from(s.from, sc)
	if err != nil {
		return "", err
	}
	sets, err := b.assignments(rel, s.set, sc)
	if err != nil {
		return "", err
	}
	sql := with + "UPDATE " + rel.sql + " AS " + quoteIdent(s.table.name) + " SET " + sets + from
	return b.where(sql, s.where, sc)
}

// assignments binds the SET list of UPDATE and MERGE.
func (b *binder) assignments(rel *relation, list []assignment, sc *scope) (string, error) {
	var sets []string
	seen := map[string]bool{}
	for _, a := range list {
		c, ok := rel.column(a.column)
		if !ok {
			return "", errorf("42703", "column %q of relation %q does not exist", a.column, rel.name)
		}
		if seen[c.name] {
			return "", errorf("42601", "multiple assignments to same column %q", c.name)
		}
		seen[c.name] = true
		if err := checkIdentity(c); err != nil {
			return "", err
		}
		value := ""
		if a.x == nil {
			d, err := b.columnDefault(c)
			if err != nil {
				return "", err
			}
			value = d
		} else {
			x, err := b.expr(a.x, sc)
			if err != nil {
				return "", err
			}
			if x, err = b.assign(x, c); err != nil {
				return "", err
			}
			value = x.sql
		}
		sets = append(sets, quoteIdent(c.name)+" = "+value)
	}
	return strings.Join(sets, ", "), nil
}
