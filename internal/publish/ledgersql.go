package publish

import (
	"fmt"
	"strings"

	"backfill/internal/kafka"
)

// ledgerColumns is the ledger's table, one row per committed slice:
//
//	seq, slice_index                    the plan's number for this target, and the slice in it
//	attempt                             the plan's random mark: a number drawn twice is noticed
//	slice_from, slice_to                the changed event time, half-open, UTC; NULL: all rows (append)
//	day_from, day_to                    the slice's load days, half-open; NULL likewise
//	run_id, dataset, dataset_digest     what was asked for
//	plan_key, plan_digest               the sealed plan in staging, SHA-256 of its JSON
//	scope, mode                         the rows that the dataset owns ("all" or a predicate); how they were changed
//	rows_stage                          staged rows of the slice
//	rows_superseded                     of those, older versions of a key
//	rows_vanished                       rows that were in the table and whose key no longer is
//	rows_deleted, rows_inserted         what the change did
//	totals_deleted, totals_inserted     JSON {"groups":[{"group":[…],"rows":n,"sums":{…}}],"cut":n}, exact decimals
//	flags, reason, requested_by, image  who, why, with what
//	receipt_key, receipt_sha256         the slice's receipt in staging
//	committed_at                        UTC
var ledgerColumns = []struct{ name, definition, cast string }{
	{"seq", "BIGINT NOT NULL", "BIGINT"},
	{"slice_index", "INTEGER NOT NULL", "INTEGER"},
	{"attempt", "VARCHAR(64) NOT NULL", ""},
	{"slice_from", "TIMESTAMP", "TIMESTAMP"},
	{"slice_to", "TIMESTAMP", "TIMESTAMP"},
	{"day_from", "DATE", "DATE"},
	{"day_to", "DATE", "DATE"},
	{"run_id", "VARCHAR(64) NOT NULL", ""},
	{"dataset", "VARCHAR(256) NOT NULL", ""},
	{"dataset_digest", "VARCHAR(64) NOT NULL", ""},
	{"plan_key", "VARCHAR(1024) NOT NULL", ""},
	{"plan_digest", "VARCHAR(64) NOT NULL", ""},
	{"scope", "VARCHAR(16384) NOT NULL", ""},
	{"mode", "VARCHAR(32) NOT NULL", ""},
	{"rows_stage", "BIGINT NOT NULL", "BIGINT"},
	{"rows_superseded", "BIGINT NOT NULL", "BIGINT"},
	{"rows_vanished", "BIGINT NOT NULL", "BIGINT"},
	{"rows_deleted", "BIGINT NOT NULL", "BIGINT"},
	{"rows_inserted", "BIGINT NOT NULL", "BIGINT"},
	{"totals_deleted", "VARCHAR(65535) NOT NULL", ""},
	{"totals_inserted", "VARCHAR(65535) NOT NULL", ""},
	{"flags", "VARCHAR(1024) NOT NULL", ""},
	{"reason", "VARCHAR(1024) NOT NULL", ""},
	{"requested_by", "VARCHAR(256) NOT NULL", ""},
	{"image", "VARCHAR(512) NOT NULL", ""},
	{"receipt_key", "VARCHAR(1024) NOT NULL", ""},
	{"receipt_sha256", "VARCHAR(64) NOT NULL", ""},
	{"committed_at", "TIMESTAMP NOT NULL DEFAULT GETDATE()", ""},
}

const (
	maxScope         = 16384
	maxReason        = 1024
	maxRequestedBy   = 256
	maxImage         = 512
	maxTotals        = 60_000
	maxLedgerRows    = 200_000
	objectsPerInsert = 500
	maxKnownObjects  = 5_000_000
)

func (t *target) createLedgerSQL() string {
	lines := make([]string, len(ledgerColumns))
	for i, c := range ledgerColumns {
		lines[i] = "  " + c.name + " " + c.definition
	}
	return "CREATE TABLE IF NOT EXISTS " + t.ledger + " (\n" + strings.Join(lines, ",\n") + "\n)"
}

// createObjectsSQL makes the table of appended objects, which the lock of the
// ledger guards, too.
func (t *target) createObjectsSQL() string {
	return "CREATE TABLE IF NOT EXISTS " + t.objects + ` (
  uri VARCHAR(4096) NOT NULL,
  etag VARCHAR(256) NOT NULL,
  scope VARCHAR(16384) NOT NULL,
  seq BIGINT NOT NULL,
  run_id VARCHAR(64) NOT NULL,
  loaded_at TIMESTAMP NOT NULL DEFAULT GETDATE()
)`
}

// lockSQL is the first statement of every change: a snapshot taken before it
// would not see what a plan that held the lock has committed.
func (t *target) lockSQL() string { return "LOCK TABLE " + t.ledger }

// insertLedgerSQL takes all columns but committed_at as parameters, as text.
func (t *target) insertLedgerSQL() string {
	var names, values []string
	for i, c := range ledgerColumns[:len(ledgerColumns)-1] {
		names = append(names, c.name)
		value := fmt.Sprintf("$%d", i+1)
		if c.cast != "" {
			value += "::" + c.cast
		}
		values = append(values, value)
	}
	return "INSERT INTO " + t.ledger + " (" + strings.Join(names, ", ") + ")\nVALUES (" + strings.Join(values, ", ") + ")"
}

// selectLedgerSQL reads rows in the order of LedgerRow's fields.
func (t *target) selectLedgerSQL(where string) string {
	const epoch, first = "TIMESTAMP '1970-01-01 00:00:00'", "DATE '1970-01-01'"
	expressions := make([]string, len(ledgerColumns))
	for i, c := range ledgerColumns {
		switch c.name {
		case "slice_from", "slice_to", "committed_at":
			expressions[i] = "DATEDIFF(microsecond, " + epoch + ", " + c.name + ")"
		case "day_from", "day_to":
			expressions[i] = "DATEDIFF(day, " + first + ", " + c.name + ")"
		default:
			expressions[i] = c.name
		}
	}
	sql := "SELECT " + strings.Join(expressions, ", ") + "\nFROM " + t.ledger
	if where != "" {
		sql += "\nWHERE " + where
	}
	return sql + fmt.Sprintf("\nORDER BY seq DESC, slice_index DESC\nLIMIT %d", maxLedgerRows+1)
}

// overlapSQL chooses ledger rows whose slice shares an instant with the window.
func overlapSQL(w kafka.Window) string {
	if w.IsAll() {
		return ""
	}
	return "(slice_from IS NULL OR (slice_from < " + timestamp(w.To) + " AND slice_to > " + timestamp(w.From) + "))"
}

// progressSQL reads this plan's rows and newer ones that overlap the window.
func (t *target) progressSQL(seq int64, w kafka.Window) string {
	newer := fmt.Sprintf("seq > %d", seq)
	if overlap := overlapSQL(w); overlap != "" {
		newer = "(" + newer + " AND " + overlap + ")"
	}
	return t.selectLedgerSQL(fmt.Sprintf("seq = %d OR %s", seq, newer))
}

func (t *target) selectObjectsSQL() string {
	return "SELECT uri, etag, scope, seq\nFROM " + t.objects
}

// insertObjectsSQL takes uri and etag of n objects, then scope, seq and run as
// parameters, as text.
func (t *target) insertObjectsSQL(n int) string {
	rows := make([]string, n)
	last := 2 * n
	for i := range rows {
		rows[i] = fmt.Sprintf("($%d, $%d, $%d, $%d::BIGINT, $%d)", 2*i+1, 2*i+2, last+1, last+2, last+3)
	}
	return "INSERT INTO " + t.objects + " (uri, etag, scope, seq, run_id)\nVALUES\n  " + strings.Join(rows, ",\n  ")
}
