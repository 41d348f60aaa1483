package reconcile

import (
	"context"

	"backfill/internal/publish"
	"backfill/internal/redshift"
	"backfill/internal/report"
)

// Limits of the statements that a report shows.
const (
	maxQueries    = 200
	maxQueryBytes = 2 << 20 // of all texts
)

// transcript is a session that remembers what was asked, for the report. Texts
// hold no secrets and no values of rows: those are parameters.
type transcript struct {
	publish.Session
	list  []report.Query
	index map[string]int
	bytes int
	cut   int
}

func (t *transcript) Query(ctx context.Context, sql string, scan func(redshift.Scanner) error, args ...any) error {
	rows := int64(0)
	err := t.Session.Query(ctx, sql, func(r redshift.Scanner) error {
		rows++
		return scan(r)
	}, args...)
	t.note(sql, rows)
	return err
}

func (t *transcript) note(sql string, rows int64) {
	if t.index == nil {
		t.index = map[string]int{}
	}
	if i, there := t.index[sql]; there {
		t.list[i].Rows, t.list[i].Times = t.list[i].Rows+rows, t.list[i].Times+1
		return
	}
	if len(t.list) == maxQueries || t.bytes+len(sql) > maxQueryBytes {
		t.cut++
		return
	}
	t.index[sql] = len(t.list)
	t.bytes += len(sql)
	t.list = append(t.list, report.Query{Text: sql, Rows: rows, Times: 1})
}
