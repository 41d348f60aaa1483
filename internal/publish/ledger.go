package publish

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
)

// The kinds of ledger rows.
const (
	KindLoad   = "load"   // a slice was changed
	KindUndo   = "undo"   // a slice's change was taken back
	KindAbort  = "abort"  // the plan must not go on
	KindRepair = "repair" // keys that a report names were replaced from the archive
	KindForget = "forget" // the rows that were put aside for undo were dropped
)

// Airflow names the task instance that started the process.
type Airflow struct {
	DAG      string `json:"dag_id,omitempty"` // "": not started by Airflow
	Task     string `json:"task_id,omitempty"`
	Run      string `json:"dag_run_id,omitempty"`
	MapIndex int    `json:"map_index"`  // -1: not mapped
	Try      int    `json:"try_number"` // from 1; 0: unknown
}

// Actor is who changes the table, why and with what, for the ledger.
type Actor struct {
	Reason      string  // at most 1024 bytes
	RequestedBy string  // at most 256 bytes
	Image       string  // digest of the container image; at most 512 bytes
	Version     string  // of the program; at most 64 bytes
	ApprovedBy  string  // who allowed it, where somebody must; at most 256 bytes
	Airflow     Airflow // ids of at most 256 bytes each
}

// check refuses what the ledger's columns can't hold. A reason is not cut: it
// is somebody's word.
func (a Actor) check() error {
	for _, f := range []struct {
		what, text string
		limit      int
	}{
		{"the reason", a.Reason, maxReason}, {"the requester", a.RequestedBy, maxRequestedBy}, {"the approver", a.ApprovedBy, maxRequestedBy}, {"the image", a.Image, maxImage}, {"the version", a.Version, maxVersion},
		{"the DAG's id", a.Airflow.DAG, maxAirflowID}, {"the task's id", a.Airflow.Task, maxAirflowID}, {"the DAG run's id", a.Airflow.Run, maxAirflowID},
	} {
		if len(f.text) > f.limit || !utf8.ValidString(f.text) || strings.ContainsRune(f.text, 0) {
			return fail.New(fail.Usage, "%s has %d bytes, the ledger takes %d of UTF-8 without NUL", f.what, len(f.text), f.limit)
		}
	}
	return nil
}

// LedgerRow is one committed change, see ledgerColumns for the meaning.
type LedgerRow struct {
	Kind           string        `json:"kind"`
	Change         int64         `json:"change_number"` // commit order; 0: of an earlier version
	Target         string        `json:"target"`
	Seq            runplan.Seq   `json:"seq"`
	SliceIndex     int           `json:"slice_index"`
	Attempt        string        `json:"attempt"`
	Window         kafka.Window  `json:"window"`   // zero: all rows
	DayFrom        kafka.Day     `json:"day_from"` // NoDay: all rows
	DayTo          kafka.Day     `json:"day_to"`
	Run            runplan.RunID `json:"run_id"`
	Dataset        string        `json:"dataset"`
	DatasetDigest  string        `json:"dataset_digest"`
	PlanKey        string        `json:"plan_key"`
	PlanDigest     string        `json:"plan_digest"`
	Scope          string        `json:"scope"` // "all" or a predicate
	Mode           string        `json:"mode"`
	RowsStage      int64         `json:"rows_stage"`
	RowsSuperseded int64         `json:"rows_superseded"`
	RowsOutdated   int64         `json:"rows_superseded_by_table"`
	RowsAlready    int64         `json:"rows_already"`
	RowsKept       int64         `json:"rows_kept"`
	RowsVanished   int64         `json:"rows_vanished"`
	RowsDeleted    int64         `json:"rows_deleted"`
	RowsInserted   int64         `json:"rows_inserted"`
	RowsTaken      int64         `json:"rows_taken"`
	Taken          kafka.Window  `json:"taken"` // around the event times of these; zero: none
	RowsStale      int64         `json:"rows_stale"`
	Stale          kafka.Window  `json:"stale"` // around the event times of these; zero: none
	RowsPutAside   int64         `json:"rows_put_aside"`
	TotalsDeleted  string        `json:"totals_deleted"` // JSON
	TotalsInserted string        `json:"totals_inserted"`
	TotalsVanished string        `json:"totals_vanished"`
	Flags          string        `json:"flags"`
	Damaged        string        `json:"damaged_objects"` // JSON; "": none
	Reason         string        `json:"reason"`
	RequestedBy    string        `json:"requested_by"`
	ApprovedBy     string        `json:"approved_by,omitempty"`
	Airflow        Airflow       `json:"airflow"`
	Image          string        `json:"image"`
	Version        string        `json:"program_version"`
	ReceiptKey     string        `json:"receipt_key"`
	ReceiptSHA256  string        `json:"receipt_sha256"`
	Committed      kafka.Instant `json:"committed_at"`
}

// Has reports whether the row has the flag, with or without a value.
func (r LedgerRow) Has(flag string) bool {
	return slices.ContainsFunc(strings.Fields(r.Flags), func(word string) bool {
		name, _, _ := strings.Cut(word, "=")
		return name == flag
	})
}

// Ledger returns the loads that hold: the committed slices that overlap the
// window, took rows out of it or left older versions in it, and the target's scope, and were not undone, newest plan first, at
// most 200,000; none when nothing was ever published to the table.
func Ledger(ctx context.Context, s Session, t Target, w kafka.Window) ([]LedgerRow, error) {
	all, err := History(ctx, s, t, w)
	return Holding(all), err
}

// History returns all rows of the ledger that overlap the window, took rows out
// of it or left older versions in it, and the target's scope, those of every kind, newest plan first, at most 200,000.
func History(ctx context.Context, s Session, t Target, w kafka.Window) ([]LedgerRow, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	live, err := tableColumns(ctx, s, t.Schema, t.Table+LedgerSuffix)
	if err != nil || live == nil {
		return nil, err
	}
	missing := missingColumns(live)
	all, err := readLedger(ctx, s, c.selectLedgerSQL(concernsSQL(w, missing), missing...))
	if err != nil {
		return nil, err
	}
	var rows []LedgerRow
	for _, row := range all {
		if scopesOverlap(row.Scope, c.scope()) {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// Holding leaves the loads that were not undone. What was undone is as if it
// had never been: the table is as before it.
func Holding(rows []LedgerRow) []LedgerRow {
	type slice struct {
		seq   runplan.Seq
		index int
	}
	undone := map[slice]bool{}
	for _, r := range rows {
		if r.Kind == KindUndo {
			undone[slice{r.Seq, r.SliceIndex}] = true
		}
	}
	var list []LedgerRow
	for _, r := range rows {
		if r.Kind == KindLoad && !undone[slice{r.Seq, r.SliceIndex}] {
			list = append(list, r)
		}
	}
	return list
}

func tableExists(ctx context.Context, s Session, schemaName, table string) (bool, error) {
	live, err := tableColumns(ctx, s, schemaName, table)
	return live != nil, err
}

// tableColumns returns the table's columns, nil when there is no such table.
func tableColumns(ctx context.Context, s Session, schemaName, table string) ([]redshift.LiveColumn, error) {
	live, err := s.Columns(ctx, schemaName, table)
	if fail.Is(err, fail.TableMissing) {
		return nil, nil
	}
	return live, err
}

func readLedger(ctx context.Context, s Session, sql string) ([]LedgerRow, error) {
	var rows []LedgerRow
	err := s.Query(ctx, sql, func(sc redshift.Scanner) error {
		if len(rows) == maxLedgerRows {
			return fail.New(fail.Memory, "more than %d rows", maxLedgerRows).Try("ask for a shorter window")
		}
		row, err := scanLedger(sc)
		rows = append(rows, row)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger: %w", err)
	}
	return rows, nil
}

func scanLedger(sc redshift.Scanner) (LedgerRow, error) {
	columns := ledgerColumns()
	texts, dest := make([]*string, len(columns)), make([]any, len(columns))
	for i := range texts {
		dest[i] = &texts[i]
	}
	r := LedgerRow{Kind: KindLoad, DayFrom: kafka.NoDay, DayTo: kafka.NoDay, Airflow: Airflow{MapIndex: -1}}
	if err := sc.Scan(dest...); err != nil {
		return r, fail.Wrap(err, fail.Internal, "reading a row")
	}
	for i, c := range columns {
		if texts[i] == nil {
			continue
		}
		if err := c.set(&r, *texts[i]); err != nil {
			return r, fmt.Errorf("reading %s: %w", c.name, err)
		}
	}
	return r, nil
}

// ensureTables creates the ledger and, for appends, the table of objects, and
// brings a ledger of an earlier form up to date. The catalog is asked first: a
// login without CREATE can work with existing tables.
func (p *publisher) ensureTables(ctx context.Context) error {
	tables := []ownTable{{p.t.Table + LedgerSuffix, p.t.createLedgerSQL()}}
	if p.t.Mode == Append {
		tables = append(tables, ownTable{p.t.Table + ObjectsSuffix, p.t.createObjectsSQL()})
	}
	return p.t.ensure(ctx, p.s, tables...)
}

// ownTable is a table beside the target.
type ownTable struct{ name, create string }

func (t *target) ensure(ctx context.Context, s Session, tables ...ownTable) error {
	for _, table := range tables {
		live, err := tableColumns(ctx, s, t.Schema, table.name)
		if err != nil {
			return fmt.Errorf("looking for %s: %w", table.name, err)
		}
		if live == nil {
			if _, err := s.Exec(ctx, table.create); err != nil {
				// Another session may have created it in the same moment.
				if exists, again := tableExists(ctx, s, t.Schema, table.name); again != nil || !exists {
					return fmt.Errorf("creating %s: %w", table.name, err)
				}
			}
			continue
		}
		if table.name == t.Table+LedgerSuffix {
			if err := t.upgradeLedger(ctx, s, live); err != nil {
				return err
			}
		}
	}
	return nil
}

// missingColumns returns the columns that a ledger of an earlier form lacks.
func missingColumns(live []redshift.LiveColumn) []ledgerColumn {
	there := map[string]bool{}
	for _, c := range live {
		there[c.Name] = true
	}
	var missing []ledgerColumn
	for _, c := range ledgerColumns() {
		if !there[c.name] {
			missing = append(missing, c)
		}
	}
	return missing
}

// upgradeLedger adds the missing columns. Rows of before get the defaults,
// which say what was true then.
func (t *target) upgradeLedger(ctx context.Context, s Session, live []redshift.LiveColumn) error {
	missing := missingColumns(live)
	for _, c := range missing {
		if _, err := s.Exec(ctx, t.addColumnSQL(c)); err != nil {
			// Another session may have added it in the same moment.
			now, again := tableColumns(ctx, s, t.Schema, t.Table+LedgerSuffix)
			if again == nil && len(missingColumns(now)) == 0 {
				return nil
			}
			return fail.Wrap(err, fail.CodeOf(err), "adding columns to the ledger of an earlier version").At("%s", t.name()).
				Try("let the table's owner run:\n%s", t.upgradeText(missing))
		}
	}
	return nil
}

func (t *target) upgradeText(missing []ledgerColumn) string {
	lines := make([]string, len(missing))
	for i, c := range missing {
		lines[i] = t.addColumnSQL(c) + ";"
	}
	return strings.Join(lines, "\n")
}
