package redshiftd

import (
	"slices"
	"strings"
)

// repeated names the common table expression of the keys that occur more than once; no identifier of a user's has a colon
// in front.
const repeated = `":repeated"`

// firstOfEach writes the subquery of
//
//	SELECT … FROM (SELECT …, ROW_NUMBER() OVER (PARTITION BY key ORDER BY …) AS n FROM table …) AS x WHERE n = 1
//
// which the engine would answer by sorting the whole table, so that rows whose key occurs once pass by with number 1 and
// only the others are sorted. Rows are told apart by the hash of their key: two keys with one hash are sorted without need.
// It gives "" for any other subquery.
func (b *binder) firstOfEach(d *derived, outer expr, parent *scope) (string, error) {
	inner, rank := numberedRows(d, outer)
	if rank < 0 {
		return "", nil
	}
	if t, ok := inner.from[0].(*tableRef); !ok || t.schema == "" && parent.cte(t.name) != nil {
		return "", nil
	}
	sc := &scope{parent: parent}
	from, err := b.from(inner.from, sc)
	if err != nil {
		return "", err
	}
	keys, err := b.exprs(inner.items[rank].x.(*call).over.partition, sc)
	if err != nil {
		return "", err
	}
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = trimmed(b.settle(k))
	}
	where, err := b.where("", inner.where, sc)
	if err != nil {
		return "", err
	}
	hash := "hash(" + strings.Join(parts, ",") + ")"
	once, often := *inner, *inner
	once.items = slices.Clone(inner.items)
	once.items[rank].x = &cast{&literal{"number", "1"}, tInt8}
	once.also = " ANTI JOIN " + repeated + " ON " + repeated + ".h = " + hash
	often.also = " SEMI JOIN " + repeated + " ON " + repeated + ".h = " + hash
	sql := "WITH " + repeated + " AS MATERIALIZED (SELECT " + hash + " AS h" + from + where + " GROUP BY 1 HAVING count(*) > 1) "
	for i, s := range []*selectCore{&once, &often} {
		part, _, _, err := b.selectCore(s, parent)
		if err != nil {
			return "", err
		}
		sql += []string{"", " UNION ALL "}[i] + part
	}
	return sql, nil
}

// onlyDerived is the subquery that a FROM list consists of.
func onlyDerived(from []fromItem) (*derived, bool) {
	if len(from) != 1 {
		return nil, false
	}
	d, ok := from[0].(*derived)
	return d, ok
}

// numberedRows finds the query and the place of its ROW_NUMBER; the place is -1 if firstOfEach does not apply.
func numberedRows(d *derived, outer expr) (*selectCore, int) {
	q := d.q
	s, ok := q.body.(*selectCore)
	if !ok || len(q.ctes)+len(q.order) > 0 || q.limit != nil || q.offset != nil || len(d.columns) > 0 {
		return nil, -1
	}
	if s.distinct || s.top != nil || len(s.group) > 0 || s.having != nil || s.qualify != nil || len(s.from) != 1 {
		return nil, -1
	}
	rank := -1
	for i, it := range s.items {
		switch x := it.x.(type) {
		case *column, *star:
		case *call:
			if x.name != "row_number" || x.over == nil || len(x.over.partition) == 0 || rank >= 0 || !isFirst(outer, it.alias, d.alias) {
				return nil, -1
			}
			rank = i
		default:
			return nil, -1
		}
	}
	return s, rank
}

// isFirst says whether a condition is just name = 1.
func isFirst(where expr, name, alias string) bool {
	eq, ok := where.(*binaryOp)
	if !ok || eq.op != "=" {
		return false
	}
	c, ok := eq.l.(*column)
	one, ok2 := eq.r.(*literal)
	return ok && ok2 && name != "" && c.name == name && (c.table == "" || c.table == alias) && one.kind == "number" && one.text == "1"
}
