package publish

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/schema"
	"backfill/internal/tieout"
)

// The comparison by key reads the table whoever loaded it: provenance and mode
// don't matter, identity is the key.

// KeyCells reads the table's rows in window ∧ scope in one statement, per load
// day, part of the key's hash space (of buckets) and group, and hands each group
// of rows to take. It returns the statement.
func KeyCells(ctx context.Context, s Session, t Target, w kafka.Window, cal *kafka.Calendar, buckets int, take func(account.Place, *account.Cell) error) (string, error) {
	c, err := keyed(t, buckets)
	if err != nil {
		return "", err
	}
	q := cellQuery{from: c.table + c.ownedSQL(w), form: canon.Table, content: true}
	if c.windowed() {
		if q.day, err = c.daySQL(w, cal); err != nil {
			return "", err
		}
	}
	sql := c.cellsSQL(q)
	if err := c.eachCell(ctx, s, q, sql, take); err != nil {
		return sql, fmt.Errorf("reading the rows of %s by day and key: %w", c.name(), err)
	}
	return sql, nil
}

// keyed compiles a target without what a comparison by key does not ask for.
func keyed(t Target, buckets int) (*target, error) {
	if len(t.Key) == 0 {
		return nil, fail.New(fail.BadDataset, "a comparison row by row needs table.key").At("%s.%s", t.Schema, t.Table)
	}
	t.Provenance, t.Buckets = false, buckets
	if t.Mode != Append {
		t.Mode = ReplaceWindow
	}
	return compile(t)
}

// KeyFilter chooses rows: those of buckets, or those of keys.
type KeyFilter struct {
	Window kafka.Window // of the event time; the zero Window is all time

	Buckets []tieout.Bucket  // of one number of buckets
	Keys    []tieout.KeyMark // at most MaxKeys
}

// MaxKeys bounds the keys of one statement.
const MaxKeys = 500

// KeyRows fetches the rows that the filter and the scope choose, with their
// values as text: decimals with all digits of their scale, dates as days and
// timestamps as microseconds since 1970, booleans as t and f.
func KeyRows(ctx context.Context, s Session, t Target, cal *kafka.Calendar, f KeyFilter, take func(tieout.TableRow) error) (string, error) {
	c, err := keyed(t, 1)
	if err != nil {
		return "", err
	}
	key, err := canon.New(t.Columns, t.Key)
	if err != nil {
		return "", err
	}
	sql := c.keyRowsSQL(key, cal, f)
	width := len(t.Columns)
	err = s.Query(ctx, sql, func(r redshift.Scanner) error {
		row := tieout.TableRow{Values: make([]*string, width)}
		var at *int64
		dest := []any{&row.Mark.Lane1, &row.Mark.Lane2, &row.Lane1, &row.Lane2, &at}
		for i := range row.Values {
			dest = append(dest, &row.Values[i])
		}
		if err := r.Scan(dest...); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		if at != nil {
			row.At = kafka.Instant(*at)
		}
		return take(row)
	})
	if err != nil {
		return sql, fmt.Errorf("fetching rows of %s: %w", c.name(), err)
	}
	return sql, nil
}

func (t *target) keyRowsSQL(key *canon.Text, cal *kafka.Calendar, f KeyFilter) string {
	key1, key2 := key.SQL("", canon.Table)
	lane1, lane2 := t.text.SQL("", canon.Table)
	at := "NULL::BIGINT"
	if t.windowed() {
		at = "DATEDIFF(microsecond, " + epochSQL + ", " + t.windowColumn + ")"
	}
	list := []string{key1 + " AS _key1", key2 + " AS _key2", lane1 + " AS _lane1", lane2 + " AS _lane2", at + " AS _at"}
	for i, col := range t.Columns {
		list = append(list, valueSQL(t.columns[i], col.Type)+" AS _value"+strconv.Itoa(i+1))
	}
	sql := "SELECT " + strings.Join(list, ",\n  ") + "\nFROM " + t.table
	var and []string
	if w := t.windowSQL(f.Window); w != "" {
		and = append(and, w)
	}
	if t.Scope != "" {
		and = append(and, "("+t.Scope+")")
	}
	if list := t.keyFilterSQL(key, key1, cal, f); list != "" {
		and = append(and, list)
	}
	if len(and) > 0 {
		sql += "\nWHERE " + strings.Join(and, "\n  AND ")
	}
	return sql
}

func (t *target) keyFilterSQL(key *canon.Text, key1 string, cal *kafka.Calendar, f KeyFilter) string {
	if len(f.Keys) > 0 {
		marks := make([]string, len(f.Keys))
		for i, k := range f.Keys {
			marks[i] = strconv.FormatInt(k.Lane1, 10)
		}
		return key1 + " IN (" + strings.Join(marks, ", ") + ")"
	}
	var or []string
	for _, b := range f.Buckets {
		var part []string
		if t.windowed() && b.Day != kafka.NoDay {
			part = append(part, t.windowSQL(kafka.Window{From: cal.Start(b.Day), To: cal.Start(b.Day + 1)}))
		}
		if b.Of > 1 {
			part = append(part, key.BucketSQL("", canon.Table, b.Of)+" = "+strconv.Itoa(int(b.Number)))
		}
		if len(part) > 0 {
			or = append(or, "("+strings.Join(part, " AND ")+")")
		}
	}
	if len(or) == 0 {
		return ""
	}
	return "(" + strings.Join(or, "\n   OR ") + ")"
}

// valueSQL is a value as exact text.
func valueSQL(name string, t schema.Type) string {
	switch t.Kind {
	case schema.Boolean:
		return "CASE WHEN " + name + " IS NULL THEN NULL WHEN " + name + " THEN 't' ELSE 'f' END"
	case schema.Date:
		return "DATEDIFF(day, " + firstDay + ", " + name + ")::VARCHAR"
	case schema.Timestamp:
		return "DATEDIFF(microsecond, " + epochSQL + ", " + name + ")::VARCHAR"
	case schema.Char:
		return "RTRIM(" + name + ")"
	case schema.Varchar:
		return name
	case schema.Super:
		return "JSON_SERIALIZE(" + name + ")"
	}
	return name + "::VARCHAR"
}
