package publish

// maxMarks bounds the datasets that share one table.
const maxMarks = 10_000

// createVerifiedSQL makes the table of watermarks. All who write it hold the
// lock of the ledger.
func (t *target) createVerifiedSQL() string {
	return documented(t.verified, "up to which event time the rows of a dataset tie to the archive; one row per dataset and scope", []ownColumn{
		{"dataset", "VARCHAR(256) NOT NULL", "name of the dataset"},
		{"scope", "VARCHAR(16384) NOT NULL", "rows that the dataset owns: all, or a predicate"},
		{"verified_from", "TIMESTAMP NOT NULL", "start of the first reconciled window, UTC, inclusive"},
		{"verified_through", "TIMESTAMP NOT NULL", "all event times from verified_from to here, exclusive, tie to the archive; UTC"},
		{"also", "VARCHAR(65535) NOT NULL", "JSON list of reconciled windows beyond a gap, microseconds since 1970; they count when the gap is closed"},
		{"report", "VARCHAR(2048) NOT NULL", "URI of the report that raised it last"},
		{"verified_at", "TIMESTAMP NOT NULL", "when it was raised last, UTC"},
		{"lowered_at", "TIMESTAMP", "when a change or a break lowered it last, UTC; NULL: never"},
		{"lowered_by", "VARCHAR(256)", "what lowered it"},
	})
}

func (t *target) selectMarksSQL() string {
	const micros = "DATEDIFF(microsecond, " + epochSQL + ", "
	return "SELECT dataset, scope, " + micros + "verified_from), " + micros + "verified_through), also\nFROM " + t.verified +
		"\nORDER BY dataset, scope"
}

// The statements that write a watermark take its start, its end and the windows
// beyond as text, then the report or what lowered it, then dataset and scope.
const wherePlaceholders = "\nWHERE dataset = $5 AND scope = $6"

func (t *target) insertMarkSQL() string {
	return "INSERT INTO " + t.verified + " (verified_from, verified_through, also, report, dataset, scope, verified_at)\n" +
		"VALUES ($1::TIMESTAMP, $2::TIMESTAMP, $3, $4, $5, $6, GETDATE())"
}

func (t *target) raiseMarkSQL() string {
	return "UPDATE " + t.verified + " SET verified_from = $1::TIMESTAMP, verified_through = $2::TIMESTAMP, also = $3, report = $4, verified_at = GETDATE()" +
		wherePlaceholders
}

func (t *target) lowerMarkSQL() string {
	return "UPDATE " + t.verified + " SET verified_from = $1::TIMESTAMP, verified_through = $2::TIMESTAMP, also = $3, lowered_by = $4, lowered_at = GETDATE()" +
		wherePlaceholders
}
