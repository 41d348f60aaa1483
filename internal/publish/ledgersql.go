package publish

import (
	"fmt"
	"slices"
	"strings"

	"backfill/internal/kafka"
)

const (
	maxScope         = 16384
	maxReason        = 1024
	maxRequestedBy   = 256
	maxImage         = 512
	maxAirflowID     = 256
	maxVersion       = 64
	maxFlags         = 1024
	maxDamaged       = 16384
	maxTotals        = 60_000
	maxLedgerRows    = 200_000
	objectsPerInsert = 500
	maxKnownObjects  = 5_000_000
)

// documented is a table with a comment on it and on each column, in one string
// of statements: all of it is done, or nothing.
func documented(table, about string, columns []ownColumn) string {
	lines := make([]string, len(columns))
	for i, c := range columns {
		lines[i] = "  " + c.name + " " + c.definition
	}
	sql := "CREATE TABLE IF NOT EXISTS " + table + " (\n" + strings.Join(lines, ",\n") + "\n);\n" +
		"COMMENT ON TABLE " + table + " IS '" + about + "'"
	for _, c := range columns {
		sql += ";\nCOMMENT ON COLUMN " + table + "." + c.name + " IS '" + c.about + "'"
	}
	return sql
}

func (t *target) createLedgerSQL() string {
	var columns []ownColumn
	for _, c := range ledgerColumns() {
		columns = append(columns, c.ownColumn)
	}
	return documented(t.ledger, "one row per committed change that backfill made", columns)
}

// addColumnSQL gives an older ledger a column. Redshift adds one per statement.
func (t *target) addColumnSQL(c ledgerColumn) string {
	return "ALTER TABLE " + t.ledger + " ADD COLUMN " + c.name + " " + c.definition
}

// objectColumns is the table of appended objects, which the lock of the ledger
// guards, too. A row is an object, or one range of its offsets.
func objectColumns() []ownColumn {
	return []ownColumn{
		{"uri", "VARCHAR(4096) NOT NULL", "archived object"},
		{"etag", "VARCHAR(256) NOT NULL", "its ETag as it was loaded"},
		{"scope", "VARCHAR(16384) NOT NULL", "rows that the dataset owns: all, or a predicate"},
		{"seq", "BIGINT NOT NULL", "plan that loaded it"},
		{"run_id", "VARCHAR(64) NOT NULL", "run of the plan"},
		{"loaded_at", "TIMESTAMP NOT NULL DEFAULT GETDATE()", "when, UTC"},
		{"topic", "VARCHAR(249) DEFAULT NULL", "of its records; NULL: their offsets are not proven, and the object alone is known"},
		{"kafka_partition", "INTEGER DEFAULT NULL", "of its records"},
		{"first_offset", "BIGINT DEFAULT NULL", "first offset of a range of which the object held every one, or another object of the same load"},
		{"last_offset", "BIGINT DEFAULT NULL", "last offset of the range, inclusive"},
	}
}

func (t *target) createObjectsSQL() string {
	return documented(t.objects, "archived objects, and ranges of offsets, that appends have loaded", objectColumns())
}

// lockSQL is the first statement of every change: a snapshot taken before it
// would not see what a plan that held the lock has committed.
func (t *target) lockSQL() string { return "LOCK TABLE " + t.ledger }

// insertLedgerSQL takes all columns but committed_at as parameters, as text.
func (t *target) insertLedgerSQL() string {
	var names, values []string
	for _, c := range ledgerColumns() {
		if c.text == nil {
			continue
		}
		names = append(names, c.name)
		value := fmt.Sprintf("$%d", len(names))
		if c.cast != "" {
			value += "::" + c.cast
		}
		values = append(values, value)
	}
	return "INSERT INTO " + t.ledger + " (" + strings.Join(names, ", ") + ")\nVALUES (" + strings.Join(values, ", ") + ")"
}

// selectLedgerSQL reads rows in the order of ledgerColumns, the newest first.
// Columns that an older ledger lacks are read as their defaults.
func (t *target) selectLedgerSQL(where string, missing ...ledgerColumn) string {
	var expressions []string
	for _, c := range ledgerColumns() {
		expression := c.read
		if expression == "" {
			expression = c.name
		}
		if lacks(missing, c.name) {
			_, expression, _ = strings.Cut(c.definition, "DEFAULT ")
			expression += " AS " + c.name
		}
		expressions = append(expressions, expression)
	}
	sql := "SELECT " + strings.Join(expressions, ", ") + "\nFROM " + t.ledger
	if where != "" {
		sql += "\nWHERE " + where
	}
	return sql + fmt.Sprintf("\nORDER BY seq DESC, slice_index DESC, committed_at DESC\nLIMIT %d", maxLedgerRows+1)
}

// overlapSQL chooses ledger rows whose slice shares an instant with the window.
func overlapSQL(w kafka.Window) string {
	if w.IsAll() {
		return ""
	}
	return "(slice_from IS NULL OR (slice_from < " + timestamp(w.To) + " AND slice_to > " + timestamp(w.From) + "))"
}

// concernsSQL chooses ledger rows that concern rows of the window: those of
// their slice, others that they took out, or older versions that they left.
func concernsSQL(w kafka.Window, missing []ledgerColumn) string {
	if w.IsAll() {
		return ""
	}
	sql := overlapSQL(w)
	for _, name := range []string{"taken", "stale"} {
		if !lacks(missing, name+"_from") {
			sql += " OR (" + name + "_from < " + timestamp(w.To) + " AND " + name + "_to > " + timestamp(w.From) + ")"
		}
	}
	return "(" + sql + ")"
}

func lacks(missing []ledgerColumn, name string) bool {
	return slices.ContainsFunc(missing, func(m ledgerColumn) bool { return m.name == name })
}

// lastChangeSQL asks for the number of the last change. It is asked under the
// lock, so that no two changes get the same.
func (t *target) lastChangeSQL() string {
	return "SELECT COALESCE(MAX(change_number), 0)\nFROM " + t.ledger
}

// progressSQL reads this plan's rows and newer ones that overlap the window.
func (t *target) progressSQL(seq int64, w kafka.Window) string {
	newer := fmt.Sprintf("seq > %d", seq)
	if overlap := overlapSQL(w); overlap != "" {
		newer = "(" + newer + " AND " + overlap + ")"
	}
	return t.selectLedgerSQL(fmt.Sprintf("seq = %d OR %s", seq, newer))
}

// forgetObjectsSQL lets the objects of an undone append be loaded again.
func (t *target) forgetObjectsSQL(seq int64) string {
	return fmt.Sprintf("DELETE FROM %s\nWHERE seq = %d", t.objects, seq)
}

func (t *target) selectObjectsSQL() string {
	return "SELECT uri, etag, scope, seq, topic, kafka_partition::BIGINT, first_offset, last_offset\nFROM " + t.objects
}

// insertObjectsSQL takes uri, etag, topic, partition, first and last offset of
// n rows, then scope, seq and run as parameters, as text.
func (t *target) insertObjectsSQL(n int) string {
	rows := make([]string, n)
	last := 6 * n
	for i := range rows {
		at := 6 * i
		rows[i] = fmt.Sprintf("($%d, $%d, $%d, $%d::INTEGER, $%d::BIGINT, $%d::BIGINT, $%d, $%d::BIGINT, $%d)",
			at+1, at+2, at+3, at+4, at+5, at+6, last+1, last+2, last+3)
	}
	return "INSERT INTO " + t.objects + " (uri, etag, topic, kafka_partition, first_offset, last_offset, scope, seq, run_id)\nVALUES\n  " +
		strings.Join(rows, ",\n  ")
}
