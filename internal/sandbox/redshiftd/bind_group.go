package redshiftd

import (
	"strconv"
	"strings"
)

// groupTail binds GROUP BY, HAVING and QUALIFY.
func (b *binder) groupTail(s *selectCore, cols []output, sc *scope) (string, error) {
	sql := ""
	if len(s.group) > 0 {
		var parts []string
		for _, g := range s.group {
			x, err := b.ordinalOr(g, cols, sc)
			if err != nil {
				return "", err
			}
			parts = append(parts, x)
		}
		sql += " GROUP BY " + strings.Join(parts, ", ")
	}
	for _, part := range []struct {
		word string
		x    expr
	}{{"HAVING", s.having}, {"QUALIFY", s.qualify}} {
		if part.x == nil {
			continue
		}
		cond, err := b.boolean(part.x, sc, part.word)
		if err != nil {
			return "", err
		}
		sql += " " + part.word + " " + cond
	}
	return sql, nil
}

// ordinalOr binds an item of GROUP BY: an integer names an output column.
func (b *binder) ordinalOr(e expr, cols []output, sc *scope) (string, error) {
	if l, ok := e.(*literal); ok && l.kind == "number" {
		n, err := strconv.Atoi(l.text)
		if err != nil || n < 1 || n > len(cols) {
			return "", errorf("42P10", "GROUP BY position %s is not in select list", l.text)
		}
		return l.text, nil
	}
	if c, ok := e.(*column); ok && c.table == "" { // an input column comes before an output name
		inputs := *sc
		inputs.outputs = nil
		if _, err := inputs.columnRef(c); err != nil {
			for i, o := range cols {
				if o.name == c.name {
					return strconv.Itoa(i + 1), nil
				}
			}
		}
	}
	x, err := b.expr(e, sc)
	return x.sql, err
}

// queryOrder binds ORDER BY of a query: output names and positions first, then expressions over the FROM clause.
func (b *binder) queryOrder(items []orderItem, cols []output, inner, outer *scope) (string, error) {
	var parts []string
	for _, o := range items {
		sql := ""
		if c, ok := o.x.(*column); ok && c.table == "" {
			for i, out := range cols {
				if out.name == c.name {
					sql = strconv.Itoa(i + 1)
				}
			}
		}
		if l, ok := o.x.(*literal); ok && l.kind == "number" {
			n, err := strconv.Atoi(l.text)
			if err != nil || n < 1 || n > len(cols) {
				return "", errorf("42P10", "ORDER BY position %s is not in select list", l.text)
			}
			sql = l.text
		}
		if sql == "" {
			if inner == nil {
				return "", errorf("0A000", "ORDER BY on a UNION/INTERSECT/EXCEPT result must be on one of the result columns")
			}
			x, err := b.expr(o.x, inner)
			if err != nil {
				return "", err
			}
			sql = x.sql
		}
		parts = append(parts, sql+direction(o))
	}
	return strings.Join(parts, ", "), nil
}

// direction writes how an item sorts. NULLs count as larger than anything.
func direction(o orderItem) string {
	nulls := o.nulls
	switch {
	case nulls == "" && o.desc:
		nulls = "FIRST"
	case nulls == "":
		nulls = "LAST"
	}
	if o.desc {
		return " DESC NULLS " + nulls
	}
	return " ASC NULLS " + nulls
}

func (b *binder) orderList(items []orderItem, sc *scope) (string, error) {
	var parts []string
	for _, o := range items {
		x, err := b.expr(o.x, sc)
		if err != nil {
			return "", err
		}
		parts = append(parts, trimmed(b.settle(x))+direction(o))
	}
	return strings.Join(parts, ", "), nil
}
