package publish

import (
	"fmt"
	"strings"
)

// reportColumns is the ledger of reports. All who write it hold the lock of
// the ledger; nobody changes a row.
func reportColumns() []ownColumn {
	return []ownColumn{
		{"number", "BIGINT NOT NULL", "order in which the rows were written, from 1"},
		{"kind", "VARCHAR(16) NOT NULL", "report: a reconciliation was sealed; sign_off: a person signed a report off, which closes its period"},
		{"dataset", "VARCHAR(256) NOT NULL", "name of the dataset"},
		{"scope", "VARCHAR(16384) NOT NULL", "rows that the dataset owns: all, or a predicate"},
		{"run_id", "VARCHAR(64) NOT NULL", "hash of dataset and window"},
		{"seq", "BIGINT NOT NULL", "newest plan that the report is about; 0: none, another pipeline loaded the table"},
		{"window_from", "TIMESTAMP", "start of the reconciled window, UTC, inclusive; NULL: all rows"},
		{"window_to", "TIMESTAMP", "its end, exclusive"},
		{"verdict", "VARCHAR(32) NOT NULL", "RECONCILED, RECONCILED WITH EXCEPTIONS, NOT RECONCILED or INCOMPLETE"},
		{"sentence", "VARCHAR(2048) NOT NULL", "the outcome in one line"},
		{"rows_table", "BIGINT NOT NULL", "rows of the table in window and scope"},
		{"totals", "VARCHAR(65535) NOT NULL", "their money: JSON {groups:[{group:[],rows:n,sums:{column:decimal}}],cut:n}"},
		{"seal_key", "VARCHAR(1024) NOT NULL", "seal of the report, below the staging URI"},
		{"seal_sha256", "VARCHAR(64) NOT NULL", "SHA-256 of the seal: what reconcile --verify compares with"},
		{"about", "BIGINT NOT NULL", "number of the report that is signed off or restated; 0: none"},
		{"signed_with", "VARCHAR(64) NOT NULL", "SHA-256 of the public key whose signature stands beside the seal; empty: none"},
		{"requested_by", "VARCHAR(256) NOT NULL", "who or what asked for the report, or who signed it off"},
		{"reason", "VARCHAR(1024) NOT NULL", "why, as given with --reason"},
		{"airflow", "VARCHAR(1024) NOT NULL", "DAG, task and run; empty: not started by Airflow"},
		{"image", "VARCHAR(512) NOT NULL", "digest of the container image"},
		{"program_version", "VARCHAR(64) NOT NULL", "version of the program"},
		{"recorded_at", "TIMESTAMP NOT NULL DEFAULT GETDATE()", "when, UTC, by the clock of the warehouse"},
	}
}

func (t *target) createReportsSQL() string {
	return documented(t.reports, "one row per sealed reconciliation report and per sign-off", reportColumns())
}

// insertReportSQL takes all columns but recorded_at as parameters, as text.
func (t *target) insertReportSQL() string {
	var names, values []string
	for _, c := range reportColumns() {
		if c.name == "recorded_at" {
			continue
		}
		names = append(names, c.name)
		value := fmt.Sprintf("$%d", len(names))
		if kind, _, _ := strings.Cut(c.definition, " "); kind == "BIGINT" || kind == "TIMESTAMP" {
			value += "::" + kind
		}
		values = append(values, value)
	}
	return "INSERT INTO " + t.reports + " (" + strings.Join(names, ", ") + ")\nVALUES (" + strings.Join(values, ", ") + ")"
}

// selectReportsSQL reads rows in the order of reportColumns, the newest first.
func (t *target) selectReportsSQL(predicate string) string {
	var expressions []string
	for _, c := range reportColumns() {
		if strings.HasPrefix(c.definition, "TIMESTAMP") {
			expressions = append(expressions, "DATEDIFF(microsecond, "+epochSQL+", "+c.name+")")
			continue
		}
		expressions = append(expressions, c.name)
	}
	sql := "SELECT " + strings.Join(expressions, ", ") + "\nFROM " + t.reports
	if predicate != "" {
		sql += "\nWHERE " + predicate
	}
	return sql + fmt.Sprintf("\nORDER BY number DESC\nLIMIT %d", maxReports+1)
}
