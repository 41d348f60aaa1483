package publish

import (
	"strconv"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// ownColumn is a column of a table beside the target; about is its comment in
// the warehouse.
type ownColumn struct{ name, definition, about string }

// ledgerColumn is one column of the ledger: what the warehouse is told, and
// where its value stands in a LedgerRow.
type ledgerColumn struct {
	ownColumn
	cast string // of the parameter; "" for text
	read string // expression that reads it as text or integer; "" for the column itself
	text func(*LedgerRow) any
	set  func(r *LedgerRow, text string) error // not called for NULL
}

// ledgerColumns is the ledger's table, one row per committed change. Columns
// with a default came after the first form of the table: ensureTables adds
// them to an older one, whose rows then have the default.
func ledgerColumns() []ledgerColumn {
	return []ledgerColumn{
		number("seq", "BIGINT NOT NULL", "number of the plan for this target", func(r *LedgerRow) *int64 { return (*int64)(&r.Seq) }),
		integer("slice_index", "INTEGER NOT NULL", "slice of the plan, from 0; -1: the plan as a whole (abort, forget)", func(r *LedgerRow) *int { return &r.SliceIndex }),
		text("kind", "VARCHAR(16) DEFAULT 'load'", "load: the slice was changed; undo: the change was taken back; repair: keys that a report names were replaced; abort: the plan must not go on; forget: rows put aside for undo were dropped",
			func(r *LedgerRow) *string { return &r.Kind }),
		number("change_number", "BIGINT DEFAULT 0", "order in which the changes of the table were committed, from 1; 0: written by an earlier version", func(r *LedgerRow) *int64 { return &r.Change }),
		text("target", "VARCHAR(256) DEFAULT ''", "schema.table", func(r *LedgerRow) *string { return &r.Target }),
		text("attempt", "VARCHAR(64) NOT NULL", "random mark of the sealed plan", func(r *LedgerRow) *string { return &r.Attempt }),
		instant("slice_from", "first event time of the slice, UTC, inclusive; NULL: all rows", func(r *LedgerRow) *kafka.Instant { return &r.Window.From }),
		instant("slice_to", "end of the slice, UTC, exclusive; NULL: all rows", func(r *LedgerRow) *kafka.Instant { return &r.Window.To }),
		day("day_from", "first load day of the slice in the calendar of the dataset; NULL: all rows", func(r *LedgerRow) *kafka.Day { return &r.DayFrom }),
		day("day_to", "day after the last one; NULL: all rows", func(r *LedgerRow) *kafka.Day { return &r.DayTo }),
		text("run_id", "VARCHAR(64) NOT NULL", "what was asked for: hash of dataset and window; the same command has the same run", func(r *LedgerRow) *string { return (*string)(&r.Run) }),
		text("dataset", "VARCHAR(256) NOT NULL", "name of the dataset", func(r *LedgerRow) *string { return &r.Dataset }),
		text("dataset_digest", "VARCHAR(64) NOT NULL", "SHA-256 of the canonical dataset file", func(r *LedgerRow) *string { return &r.DatasetDigest }),
		text("plan_key", "VARCHAR(1024) NOT NULL", "sealed plan, below the staging URI", func(r *LedgerRow) *string { return &r.PlanKey }),
		text("plan_digest", "VARCHAR(64) NOT NULL", "SHA-256 of the plan", func(r *LedgerRow) *string { return &r.PlanDigest }),
		text("scope", "VARCHAR(16384) NOT NULL", "rows that the dataset owns: all, or a predicate", func(r *LedgerRow) *string { return &r.Scope }),
		text("mode", "VARCHAR(32) NOT NULL", "how the rows were changed: replace_window, upsert, append, insert_missing", func(r *LedgerRow) *string { return &r.Mode }),
		number("rows_stage", "BIGINT NOT NULL", "staged rows of the slice; equals rows_superseded + rows_superseded_by_table + rows_inserted + rows_already", func(r *LedgerRow) *int64 { return &r.RowsStage }),
		number("rows_superseded", "BIGINT NOT NULL", "of those, older versions of a key in the stage", func(r *LedgerRow) *int64 { return &r.RowsSuperseded }),
		number("rows_superseded_by_table", "BIGINT DEFAULT 0", "of those, older than the version that the table has", func(r *LedgerRow) *int64 { return &r.RowsOutdated }),
		number("rows_already", "BIGINT DEFAULT 0", "of those, in the table already", func(r *LedgerRow) *int64 { return &r.RowsAlready }),
		number("rows_kept", "BIGINT DEFAULT 0", "rows of the table in the slice that no archived record explains and that stayed", func(r *LedgerRow) *int64 { return &r.RowsKept }),
		number("rows_vanished", "BIGINT NOT NULL", "rows that were in the table and whose key no longer is", func(r *LedgerRow) *int64 { return &r.RowsVanished }),
		number("rows_deleted", "BIGINT NOT NULL", "rows that the change deleted", func(r *LedgerRow) *int64 { return &r.RowsDeleted }),
		number("rows_inserted", "BIGINT NOT NULL", "rows that the change inserted", func(r *LedgerRow) *int64 { return &r.RowsInserted }),
		number("rows_taken", "BIGINT DEFAULT 0", "of the deleted rows, those outside of the slice: their newer version is in it", func(r *LedgerRow) *int64 { return &r.RowsTaken }),
		taken("taken_from", "first event time of rows that the change deleted outside of the slice, UTC; NULL: none", func(r *LedgerRow) *kafka.Instant { return &r.Taken.From }),
		taken("taken_to", "behind the last one", func(r *LedgerRow) *kafka.Instant { return &r.Taken.To }),
		number("rows_stale", "BIGINT DEFAULT 0", "rows outside of the slice that stayed, of keys that the change inserted: older versions, or such of unknown order; a load of their days settles them", func(r *LedgerRow) *int64 { return &r.RowsStale }),
		stale("stale_from", "first event time of these, UTC; NULL: none", func(r *LedgerRow) *kafka.Instant { return &r.Stale.From }),
		stale("stale_to", "behind the last one", func(r *LedgerRow) *kafka.Instant { return &r.Stale.To }),
		number("rows_put_aside", "BIGINT DEFAULT 0", "deleted rows that --keep-replaced put aside for undo", func(r *LedgerRow) *int64 { return &r.RowsPutAside }),
		text("totals_deleted", "VARCHAR(65535) NOT NULL", "money deleted: JSON {groups:[{group:[],rows:n,sums:{column:decimal}}],cut:n}", func(r *LedgerRow) *string { return &r.TotalsDeleted }),
		text("totals_inserted", "VARCHAR(65535) NOT NULL", "money inserted, likewise", func(r *LedgerRow) *string { return &r.TotalsInserted }),
		text("totals_vanished", "VARCHAR(65535) DEFAULT ''", "money of the vanished rows, likewise", func(r *LedgerRow) *string { return &r.TotalsVanished }),
		text("flags", "VARCHAR(1024) NOT NULL", "what a person allowed or asked for, one word each: allow_vanish=n keep_replaced preliminary atomic replan reconvert accept_damaged=n", func(r *LedgerRow) *string { return &r.Flags }),
		text("damaged_objects", "VARCHAR(16384) DEFAULT ''", "JSON list of archived objects that --accept-damaged left out in whole or in part", func(r *LedgerRow) *string { return &r.Damaged }),
		text("reason", "VARCHAR(1024) NOT NULL", "why, as given with --reason", func(r *LedgerRow) *string { return &r.Reason }),
		text("requested_by", "VARCHAR(256) NOT NULL", "who or what asked for it", func(r *LedgerRow) *string { return &r.RequestedBy }),
		text("approved_by", "VARCHAR(256) DEFAULT ''", "who allowed a repair, never who asked for it; empty: nobody had to", func(r *LedgerRow) *string { return &r.ApprovedBy }),
		text("dag_id", "VARCHAR(256) DEFAULT ''", "Airflow DAG; empty: not started by Airflow", func(r *LedgerRow) *string { return &r.Airflow.DAG }),
		text("task_id", "VARCHAR(256) DEFAULT ''", "Airflow task", func(r *LedgerRow) *string { return &r.Airflow.Task }),
		text("dag_run_id", "VARCHAR(256) DEFAULT ''", "Airflow DAG run", func(r *LedgerRow) *string { return &r.Airflow.Run }),
		integer("map_index", "INTEGER DEFAULT -1", "Airflow map index; -1: not mapped", func(r *LedgerRow) *int { return &r.Airflow.MapIndex }),
		integer("try_number", "INTEGER DEFAULT 0", "Airflow try, from 1; 0: unknown", func(r *LedgerRow) *int { return &r.Airflow.Try }),
		text("image", "VARCHAR(512) NOT NULL", "digest of the container image", func(r *LedgerRow) *string { return &r.Image }),
		text("program_version", "VARCHAR(64) DEFAULT ''", "version of the program", func(r *LedgerRow) *string { return &r.Version }),
		text("receipt_key", "VARCHAR(1024) NOT NULL", "receipt of the change, below the staging URI", func(r *LedgerRow) *string { return &r.ReceiptKey }),
		text("receipt_sha256", "VARCHAR(64) NOT NULL", "SHA-256 of the receipt: its seal", func(r *LedgerRow) *string { return &r.ReceiptSHA256 }),
		committed(),
	}
}

const (
	epochSQL = "TIMESTAMP '1970-01-01 00:00:00'"
	firstDay = "DATE '1970-01-01'"
)

func text(name, definition, about string, at func(*LedgerRow) *string) ledgerColumn {
	return ledgerColumn{ownColumn: ownColumn{name, definition, about},
		text: func(r *LedgerRow) any { return *at(r) },
		set:  func(r *LedgerRow, v string) error { *at(r) = v; return nil },
	}
}

func number(name, definition, about string, at func(*LedgerRow) *int64) ledgerColumn {
	return ledgerColumn{ownColumn: ownColumn{name, definition, about}, cast: "BIGINT",
		text: func(r *LedgerRow) any { return strconv.FormatInt(*at(r), 10) },
		set:  func(r *LedgerRow, v string) error { return parse(v, at(r)) },
	}
}

func integer(name, definition, about string, at func(*LedgerRow) *int) ledgerColumn {
	return ledgerColumn{ownColumn: ownColumn{name, definition, about}, cast: "INTEGER",
		text: func(r *LedgerRow) any { return strconv.Itoa(*at(r)) },
		set: func(r *LedgerRow, v string) error {
			var n int64
			err := parse(v, &n)
			*at(r) = int(n)
			return err
		},
	}
}

func instant(name, about string, at func(*LedgerRow) *kafka.Instant) ledgerColumn {
	return moment(name, "TIMESTAMP", about, at, func(r *LedgerRow) bool { return r.Window.IsAll() })
}

func taken(name, about string, at func(*LedgerRow) *kafka.Instant) ledgerColumn {
	return moment(name, "TIMESTAMP DEFAULT NULL", about, at, func(r *LedgerRow) bool { return r.Taken.IsAll() })
}

func stale(name, about string, at func(*LedgerRow) *kafka.Instant) ledgerColumn {
	return moment(name, "TIMESTAMP DEFAULT NULL", about, at, func(r *LedgerRow) bool { return r.Stale.IsAll() })
}

func moment(name, definition, about string, at func(*LedgerRow) *kafka.Instant, none func(*LedgerRow) bool) ledgerColumn {
	return ledgerColumn{ownColumn: ownColumn{name, definition, about}, cast: "TIMESTAMP", read: "DATEDIFF(microsecond, " + epochSQL + ", " + name + ")",
		text: func(r *LedgerRow) any {
			if none(r) {
				return nil
			}
			return stamp(*at(r))
		},
		set: func(r *LedgerRow, v string) error { return parse(v, (*int64)(at(r))) },
	}
}

func day(name, about string, at func(*LedgerRow) *kafka.Day) ledgerColumn {
	return ledgerColumn{ownColumn: ownColumn{name, "DATE", about}, cast: "DATE", read: "DATEDIFF(day, " + firstDay + ", " + name + ")",
		text: func(r *LedgerRow) any {
			if *at(r) == kafka.NoDay {
				return nil
			}
			return at(r).String()
		},
		set: func(r *LedgerRow, v string) error {
			var n int64
			err := parse(v, &n)
			*at(r) = kafka.Day(n)
			return err
		},
	}
}

// committed is filled by the warehouse's clock.
func committed() ledgerColumn {
	return ledgerColumn{ownColumn: ownColumn{"committed_at", "TIMESTAMP NOT NULL DEFAULT GETDATE()", "when, UTC, by the clock of the warehouse"},
		read: "DATEDIFF(microsecond, " + epochSQL + ", committed_at)",
		set:  func(r *LedgerRow, v string) error { return parse(v, (*int64)(&r.Committed)) },
	}
}

func parse(text string, into *int64) error {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fail.New(fail.Internal, "%q is no number", text)
	}
	*into = n
	return nil
}

func stamp(i kafka.Instant) string { return i.Time().Format("2006-01-02 15:04:05.000000") }
