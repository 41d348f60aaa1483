package publish

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/schema"
	"backfill/internal/tieout"
)

// distinct leaves one of exact copies.
func distinct(rows []tieout.TableRow) []tieout.TableRow {
	type lanes struct{ one, two int64 }
	known := map[lanes]bool{}
	return slices.DeleteFunc(slices.Clone(rows), func(t tieout.TableRow) bool {
		at := lanes{t.Lane1, t.Lane2}
		again := known[at]
		known[at] = true
		return again
	})
}

func (m *mending) deleteSQL(key *canon.Text, rows []tieout.TableRow) string {
	key1, _ := key.SQL("", canon.Table)
	lane1, lane2 := m.t.text.SQL("", canon.Table)
	var and []string
	for _, by := range []struct {
		what string
		of   func(tieout.TableRow) int64
	}{
		{key1, func(t tieout.TableRow) int64 { return t.Mark.Lane1 }},
		{lane1, func(t tieout.TableRow) int64 { return t.Lane1 }},
		{lane2, func(t tieout.TableRow) int64 { return t.Lane2 }},
	} {
		list := make([]string, len(rows))
		for i, t := range rows {
			list[i] = strconv.FormatInt(by.of(t), 10)
		}
		and = append(and, by.what+" IN ("+strings.Join(list, ", ")+")")
	}
	if w := m.t.windowSQL(m.r.Wide); w != "" {
		and = append(and, w)
	}
	if m.t.Scope != "" {
		and = append(and, "("+m.t.Scope+")")
	}
	return "DELETE FROM " + m.t.table + "\nWHERE " + strings.Join(and, "\n  AND ")
}

func (m *mending) insertSQL(rows []tieout.ArchiveRow) (string, error) {
	names := slices.Clone(m.t.columns)
	if m.provenance {
		for _, name := range []string{schema.TopicColumn, schema.PartitionColumn, schema.OffsetColumn, schema.RunColumn} {
			names = append(names, quoteOwn(name))
		}
	}
	selects := make([]string, len(rows))
	for i, row := range rows {
		list := make([]string, 0, len(names))
		for n, col := range m.t.Columns {
			text, err := literal(col.Type, row.Values[n])
			if err != nil {
				return "", err
			}
			list = append(list, text)
		}
		if m.provenance {
			topic, err := redshift.QuoteLiteral(row.Position.Topic)
			if err != nil {
				return "", err
			}
			offset := "NULL::BIGINT"
			if row.Position.Offset != kafka.NoOffset {
				offset = fmt.Sprintf("%d::BIGINT", row.Position.Offset)
			}
			list = append(list, topic+"::VARCHAR(249)", fmt.Sprintf("%d::INTEGER", row.Position.Partition), offset, "'"+string(m.r.Run)+"'::VARCHAR(64)")
		}
		selects[i] = "SELECT " + strings.Join(list, ", ")
	}
	return "INSERT INTO " + m.t.table + " (" + strings.Join(names, ", ") + ")\n" + strings.Join(selects, "\nUNION ALL\n"), nil
}

// literal spells a value as KeyRows gives it.
func literal(t schema.Type, value *string) (string, error) {
	if t.Kind == schema.Super {
		if value == nil {
			return "NULL::SUPER", nil
		}
		text, err := redshift.QuoteLiteral(*value)
		return "JSON_PARSE(" + text + ")", err
	}
	if value == nil {
		return "NULL::" + strings.ToUpper(t.String()), nil
	}
	switch t.Kind {
	case schema.Timestamp, schema.Date:
		n, err := strconv.ParseInt(*value, 10, 64)
		if err != nil {
			return "", fail.Wrap(err, fail.Internal, "spelling a time")
		}
		if t.Kind == schema.Timestamp {
			return timestamp(kafka.Instant(n)), nil
		}
		return "DATE '" + kafka.Day(n).String() + "'", nil
	case schema.Boolean:
		return strconv.FormatBool(*value == "t"), nil
	}
	text, err := redshift.QuoteLiteral(*value)
	return text + "::" + strings.ToUpper(t.String()), err
}
