package contender

import (
	"fmt"
	"strings"

	"backfill/cmd/bench/data"
)

// Dataset returns the product's dataset file for an archive.
func Dataset(s *data.Spec, archive, staging string) string {
	var b strings.Builder
	at := s.Column(s.Time)
	fmt.Fprintf(&b, "version: 1\nname: bench_%s\narchive: {uri: %q, layout: confluent, idle: 24h}\nrecords: {event_time: value.%s}\ncolumns:\n",
		s.Name, archive+"/topics/"+data.Topic, strings.Join(at.Path, "."))
	for _, c := range s.Columns {
		fmt.Fprintf(&b, "  - {name: %s, type: %q, from: value.%s, required: %t}\n", c.Name, redshiftType(c), strings.Join(c.Path, "."), !c.Nullable)
	}
	fmt.Fprintf(&b, "table: {name: bench.%s, mode: replace_window, scope: all, window_column: %s, key: [%s]}\n", s.Name, s.Time, s.ID)
	fmt.Fprintf(&b, "staging: {uri: %q}\nquarantine: {max_records: %d, max_rate: 1}\n", staging, s.Lines)
	if len(s.Totals) > 0 {
		fmt.Fprintf(&b, "reconcile: {totals: [%s], by: [%s]}\n", strings.Join(s.Totals, ", "), s.By)
	}
	return b.String()
}

// Table returns the statement that makes the table of an archive.
func Table(s *data.Spec) string {
	var list []string
	for _, c := range s.Columns {
		column := c.Name + " " + redshiftType(c)
		if !c.Nullable {
			column += " NOT NULL"
		}
		list = append(list, column)
	}
	return "CREATE TABLE bench." + s.Name + " (" + strings.Join(list, ", ") + ")"
}

func redshiftType(c data.Column) string {
	switch c.Kind {
	case data.Int:
		return "bigint"
	case data.Decimal:
		return fmt.Sprintf("decimal(%d,%d)", c.Precision, c.Scale)
	case data.Timestamp, data.Millis:
		return "timestamp"
	case data.Date:
		return "date"
	case data.Bool:
		return "boolean"
	case data.RawJSON:
		return "super"
	}
	return fmt.Sprintf("varchar(%d)", c.Length)
}
