package redshiftd

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// groupTail binds GROUP BY, HAVING and QUALIFY. An item that is a key with trailing blanks becomes one of its group's values.
func (b *binder) groupTail(s *selectCore, items []item, cols []output, sc *scope) (string, error) {
	sql := ""
	if len(s.group) > 0 {
		var parts []string
		for _, g := range s.group {
			x, err := b.groupKey(g, s, items, cols, sc)
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

// groupKey binds an item of GROUP BY: an integer or an output name stands for an output column.
func (b *binder) groupKey(g expr, s *selectCore, items []item, cols []output, sc *scope) (string, error) {
	n, err := groupedItem(g, cols, sc)
	if err != nil {
		return "", err
	}
	plain := *sc // keys see columns, not groups
	plain.grouped, plain.outputs = nil, nil
	if n < 0 {
		x, err := b.expr(g, &plain)
		if err != nil {
			return "", err
		}
		for i := range items {
			if items[i].sql == x.sql && x.spaced() {
				items[i].sql = "any_value(" + x.sql + ")"
			}
		}
		return trimmed(x), nil
	}
	if !items[n].spaced() {
		return strconv.Itoa(n + 1), nil
	}
	plain.aggs, plain.windows = false, false
	x, err := b.expr(items[n].e, &plain)
	if err != nil {
		return "", err
	}
	items[n].sql = "any_value(" + x.sql + ")"
	return trimmed(x), nil
}

// groupedItem is the place of the output column that an item of GROUP BY names; -1 for an expression. An input column comes
// before an output name.
func groupedItem(g expr, cols []output, sc *scope) (int, error) {
	if l, ok := g.(*literal); ok && l.kind == "number" {
		n, err := strconv.Atoi(l.text)
		if err != nil || n < 1 || n > len(cols) {
			return 0, errorf("42P10", "GROUP BY position %s is not in select list", l.text)
		}
		return n - 1, nil
	}
	if c, ok := g.(*column); ok && c.table == "" {
		inputs := *sc
		inputs.outputs = nil
		if _, err := inputs.columnRef(c); err != nil {
			return slices.IndexFunc(cols, func(o output) bool { return o.name == c.name }), nil
		}
	}
	return -1, nil
}

// spacedKeys are the columns among the keys of GROUP BY whose values may end in blanks.
func (b *binder) spacedKeys(s *selectCore, sc *scope) map[string]bool {
	keys := map[string]bool{}
	for _, g := range s.group {
		if l, ok := g.(*literal); ok && l.kind == "number" {
			n, err := strconv.Atoi(l.text)
			if err != nil || n < 1 || n > len(s.items) {
				continue
			}
			g = s.items[n-1].x
		}
		c, ok := g.(*column)
		if !ok {
			continue
		}
		if x, err := sc.columnRef(c); err == nil && x.spaced() {
			keys[x.sql] = true
			continue
		}
		for _, it := range s.items {
			if inner, ok := it.x.(*column); ok && it.alias == c.name && c.table == "" {
				if x, err := sc.columnRef(inner); err == nil && x.spaced() {
					keys[x.sql] = true
				}
			}
		}
	}
	return keys
}

// distinctSQL writes DISTINCT: texts that differ in trailing blanks only are one.
func distinctSQL(items []item) string {
	keys := make([]string, len(items))
	spaced := false
	for i, x := range items {
		keys[i] = trimmed(x.bound)
		spaced = spaced || x.spaced()
		if x.untyped() {
			return "DISTINCT "
		}
	}
	if !spaced {
		return "DISTINCT "
	}
	return "DISTINCT ON (" + strings.Join(keys, ", ") + ") "
}

// shows says whether an expression is in the select list.
func (c *selectCore) shows(x expr) bool {
	for _, item := range c.items {
		if _, all := item.x.(*star); all || reflect.DeepEqual(item.x, x) {
			return true
		}
		a, ok := item.x.(*column)
		b, too := x.(*column)
		if ok && too && a.name == b.name && (a.table == "" || b.table == "") {
			return true
		}
	}
	return false
}

// queryOrder binds ORDER BY of a query: output names and positions first, then expressions over the FROM clause.
func (b *binder) queryOrder(q *query, cols []output, inner *scope) (string, error) {
	var parts []string
	for _, o := range q.order {
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
			if core, ok := q.body.(*selectCore); ok && core.distinct && !core.shows(o.x) {
				return "", errorf("42P10", "for SELECT DISTINCT, ORDER BY expressions must appear in select list")
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
