package publish

import (
	"context"
	"fmt"
	"strconv"
	"unicode/utf8"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// The kinds of rows in the ledger of reports.
const (
	KindReport  = "report"   // a reconciliation was sealed
	KindSignOff = "sign_off" // a person took responsibility for a report, which closes its period
)

// ReportRow is one row of the ledger of reports. It anchors a report: the
// SHA-256 of its seal stands here, out of reach of who can write to staging.
type ReportRow struct {
	Number      int64         `json:"number"` // order in which they were recorded, from 1
	Kind        string        `json:"kind"`
	Dataset     string        `json:"dataset"`
	Scope       string        `json:"scope"`
	Run         string        `json:"run"`
	Seq         int64         `json:"seq"` // newest plan that the report is about; 0: none
	Window      kafka.Window  `json:"window"`
	Verdict     string        `json:"verdict"`
	Sentence    string        `json:"sentence"`
	Rows        int64         `json:"rows"`   // of the table in window and scope
	Totals      string        `json:"totals"` // JSON, as in the ledger
	SealKey     string        `json:"seal_key"`
	SealSHA256  string        `json:"seal_sha256"`
	About       int64         `json:"about"`       // number of the report that is signed off, or restated; 0: none
	SignedWith  string        `json:"signed_with"` // fingerprint of the public key; "": no signature
	RequestedBy string        `json:"requested_by"`
	Reason      string        `json:"reason"`
	Airflow     string        `json:"airflow"` // DAG, task and run; "": not started by Airflow
	Image       string        `json:"image"`
	Version     string        `json:"program_version"`
	Recorded    kafka.Instant `json:"recorded_at"`
}

// maxSentence is the longest sentence that the table takes; the report has all of it.
const maxSentence = 2048

// maxReports bounds the rows that are read at once.
const maxReports = 50_000

// RecordReport adds a row, numbered under the lock of the ledger, and returns
// it with its number. A sign-off is refused when somebody signed off first.
func RecordReport(ctx context.Context, s Session, t Target, row ReportRow, by Actor, table account.Cells) (ReportRow, error) {
	c, err := compile(t)
	if err != nil {
		return row, err
	}
	if err := by.check(); err != nil {
		return row, err
	}
	row.Scope, row.RequestedBy, row.Reason, row.Image, row.Version = c.scope(), by.RequestedBy, by.Reason, by.Image, by.Version
	if by.Airflow.DAG != "" {
		row.Airflow = fmt.Sprintf("%s.%s %s", by.Airflow.DAG, by.Airflow.Task, by.Airflow.Run)
	}
	for len(row.Sentence) > maxSentence {
		_, size := utf8.DecodeLastRuneInString(row.Sentence[:maxSentence])
		row.Sentence = row.Sentence[:maxSentence-size]
	}
	if row.Kind == KindReport {
		row.Rows, row.Totals = sumRows(table), c.totalsJSON(table)
	}
	err = c.ensure(ctx, s, ownTable{t.Table + LedgerSuffix, c.createLedgerSQL()}, ownTable{t.Table + ReportsSuffix, c.createReportsSQL()})
	if err != nil {
		return row, err
	}
	err = c.retried(ctx, s, func() error {
		row.Number = 0
		if row.Kind == KindSignOff {
			if err := c.unsigned(ctx, s, row.About); err != nil {
				return err
			}
		}
		err := s.Query(ctx, "SELECT COALESCE(MAX(number), 0)\nFROM "+c.reports, func(r redshift.Scanner) error { return r.Scan(&row.Number) })
		if err != nil {
			return fmt.Errorf("numbering the report: %w", err)
		}
		row.Number++
		rows, err := s.Exec(ctx, c.insertReportSQL(), row.args()...)
		if err == nil && rows != 1 {
			err = fail.New(fail.Internal, "the ledger of reports took %d rows", rows)
		}
		return err
	})
	if err != nil {
		return row, fmt.Errorf("recording the report: %w", err)
	}
	return row, nil
}

// unsigned refuses when the report was signed off before.
func (t *target) unsigned(ctx context.Context, s Session, number int64) error {
	rows, err := t.readReports(ctx, s, "kind = '"+KindSignOff+"' AND about = "+strconv.FormatInt(number, 10))
	if err != nil || len(rows) == 0 {
		return err
	}
	return fail.New(fail.Stopped, "report %d was signed off by %s at %s", number, rows[0].RequestedBy, rows[0].Recorded).At("%s%s", t.name(), ReportsSuffix).
		Try("reconcile again to restate the period, then sign off the new report")
}

// Reports returns the ledger of reports of the target's scope as far as it
// overlaps the window, newest first; none where nothing was ever recorded.
func Reports(ctx context.Context, s Session, t Target, w kafka.Window) ([]ReportRow, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if exists, err := tableExists(ctx, s, t.Schema, t.Table+ReportsSuffix); err != nil || !exists {
		return nil, err
	}
	all, err := c.readReports(ctx, s, overlapping(w))
	if err != nil {
		return nil, err
	}
	var rows []ReportRow
	for _, r := range all {
		if r.Scope == c.scope() {
			rows = append(rows, r)
		}
	}
	return rows, nil
}

// RecordedSeals returns the keys of all seals that the target's ledger of reports
// names, whatever their scope.
func RecordedSeals(ctx context.Context, s Session, t Target) (map[string]bool, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	keys := map[string]bool{}
	if exists, err := tableExists(ctx, s, t.Schema, t.Table+ReportsSuffix); err != nil || !exists {
		return keys, err
	}
	rows, err := c.readReports(ctx, s, "")
	for _, r := range rows {
		keys[r.SealKey] = true
	}
	return keys, err
}

func overlapping(w kafka.Window) string {
	if w.IsAll() {
		return ""
	}
	return "(window_from IS NULL OR (window_from < " + timestamp(w.To) + " AND window_to > " + timestamp(w.From) + "))"
}

func (t *target) readReports(ctx context.Context, s Session, predicate string) ([]ReportRow, error) {
	var rows []ReportRow
	err := s.Query(ctx, t.selectReportsSQL(predicate), func(sc redshift.Scanner) error {
		if len(rows) == maxReports {
			return fail.New(fail.Memory, "more than %d reports", maxReports).Try("ask for a shorter window")
		}
		var r ReportRow
		var from, to *int64
		err := sc.Scan(&r.Number, &r.Kind, &r.Dataset, &r.Scope, &r.Run, &r.Seq, &from, &to, &r.Verdict, &r.Sentence, &r.Rows, &r.Totals, &r.SealKey, &r.SealSHA256,
			&r.About, &r.SignedWith, &r.RequestedBy, &r.Reason, &r.Airflow, &r.Image, &r.Version, (*int64)(&r.Recorded))
		if err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		if from != nil && to != nil {
			r.Window = kafka.Window{From: kafka.Instant(*from), To: kafka.Instant(*to)}
		}
		rows = append(rows, r)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the ledger of reports: %w", err)
	}
	return rows, nil
}

// args are the row's parameters, in the order of reportColumns.
func (r *ReportRow) args() []any {
	var from, to any
	if !r.Window.IsAll() {
		from, to = stamp(r.Window.From), stamp(r.Window.To)
	}
	number := func(n int64) any { return strconv.FormatInt(n, 10) }
	return []any{number(r.Number), r.Kind, r.Dataset, r.Scope, r.Run, number(r.Seq), from, to, r.Verdict, r.Sentence, number(r.Rows), r.Totals, r.SealKey, r.SealSHA256,
		number(r.About), r.SignedWith, r.RequestedBy, r.Reason, r.Airflow, r.Image, r.Version}
}
