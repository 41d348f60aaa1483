package publish

import (
	"fmt"
	"strconv"
	"strings"

	"backfill/internal/canon"
	"backfill/internal/schema"
)

// cellQuery reads rows as cells: grouped by the place, counted and summed.
type cellQuery struct {
	from    string     // what stands behind FROM, its WHERE included
	form    canon.Form // how the rows' SUPER columns are held
	day     string     // expression, see daySQL; "" without event time
	located bool       // the rows know topic, partition and offset
	content bool       // with buckets, offsets and hash lanes; without: only rows and money
}

// cellsSQL gives, in this order: topic, partition (located); day; bucket
// (content, several buckets); the groups; rows; offsets, their sum (located
// and content); the lanes' sums (content); sum and count of each total. Sums
// are text, because only text of a NUMERIC is exact.
func (t *target) cellsSQL(q cellQuery) string {
	keys, values, sums := t.cellKeys(q), []string(nil), []string{"COUNT(*)"}
	value := func(expression, name string) string {
		values = append(values, expression+" AS "+name)
		return name
	}
	if q.located && q.content {
		offset := value(`"`+schema.OffsetColumn+`"`, "_offset")
		sums = append(sums, "COUNT("+offset+")", "SUM("+offset+"::DECIMAL(38,0))::VARCHAR")
	}
	if q.content {
		lane1, lane2 := t.text.SQL("", q.form)
		for i, lane := range []string{lane1, lane2} {
			name := value(lane, "_lane"+strconv.Itoa(i+1))
			sums = append(sums, "SUM("+name+"::DECIMAL(38,0))::VARCHAR")
		}
	}
	for i, at := range t.Totals {
		name := value(t.columns[at], "_total"+strconv.Itoa(i+1))
		sums = append(sums, fmt.Sprintf("SUM(%s::DECIMAL(38,%d))::VARCHAR", name, decimals(t.Columns[at])), "COUNT("+name+")")
	}
	var names, numbers []string
	for i := range keys {
		name := "_key" + strconv.Itoa(i+1)
		keys[i] += " AS " + name
		names, numbers = append(names, name), append(numbers, strconv.Itoa(i+1))
	}
	inner := append(keys, values...)
	if len(inner) == 0 {
		inner = []string{"1 AS _row"}
	}
	sql := "SELECT " + strings.Join(append(names, sums...), ", ") +
		"\nFROM (\nSELECT " + strings.Join(inner, ",\n  ") + "\nFROM " + q.from + "\n) AS _rows"
	if len(keys) > 0 {
		sql += "\nGROUP BY " + strings.Join(numbers, ", ")
	}
	return sql
}

// cellKeys are the expressions of the place.
func (t *target) cellKeys(q cellQuery) []string {
	var keys []string
	if q.located {
		keys = append(keys, `"`+schema.TopicColumn+`"`, `"`+schema.PartitionColumn+`"`)
	}
	if q.day != "" {
		keys = append(keys, q.day)
	}
	if q.content && t.bucket != nil {
		keys = append(keys, t.bucket.BucketSQL("", q.form, t.Buckets))
	}
	for _, at := range t.By {
		keys = append(keys, t.groupSQL(at))
	}
	return keys
}

// groupSQL is a group's value as text. Redshift takes texts that differ only
// in trailing blanks as one group, so that a mark is put behind.
func (t *target) groupSQL(at int) string {
	switch t.Columns[at].Type.Kind {
	case schema.Char:
		return "RTRIM(" + t.columns[at] + ") || '.'"
	case schema.Varchar:
		return t.columns[at] + " || '.'"
	}
	return t.columns[at] + "::VARCHAR || '.'"
}
