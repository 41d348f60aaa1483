package main

import (
	"fmt"
	"strings"
	"testing"
)

// TestWhatAComparisonCosts counts the statements that read the table and the rows that they gave, as the session saw them: when
// all ties at most 3, none of which fetches a row; with 12 bad rows at most 15, and 10,000 rows of a bucket.
func TestWhatAComparisonCosts(t *testing.T) {
	const rows, bad = 10_000, 12
	f := newForeign(t, "paid_levels")
	list := slips(rows)
	for p := range 2 {
		var lines []string
		for i := p; i < rows; i += 2 {
			list[i].id, list[i].at = fmt.Sprintf("s%05d", i), fmt.Sprintf("2026-03-%02dT%02d:10:20.123456", 3+i%2, 10+i%8)
			lines = append(lines, list[i].line())
		}
		f.archive(p, 0, lines...)
	}
	f.load(list)
	cost := func(exit int) (statements, given, fetched int64) {
		t.Helper()
		rep := f.report(f.do("reconcile", exit).result.Report)
		for _, q := range rep.Statement.Queries {
			if strings.Contains(q.Text, "paid_levels") && !strings.Contains(q.Text, "paid_levels__backfill") {
				statements, given = statements+int64(q.Times), given+q.Rows
			}
		}
		l := rep.Rows.Levels
		if l.Scans != 1 || l.ArchiveRows != rows || int64(l.Queries) != statements {
			t.Errorf("%d readings of %d rows, %d statements; the session saw %d", l.Scans, l.ArchiveRows, l.Queries, statements)
		}
		for _, b := range l.Bad {
			if b.Left > 10_000 || b.Of < 2 {
				t.Errorf("a bucket of %d rows, one of %d", b.Left, b.Of)
			}
		}
		return statements, given, l.Fetched
	}
	if n, given, fetched := cost(0); n == 0 || n > 3 || fetched != 0 || given > 100 {
		t.Errorf("all ties: %d statements gave %d rows, %d of them fetched", n, given, fetched)
	}
	for i := range bad {
		f.sql(fmt.Sprintf("UPDATE payroll.paid_levels SET amount = amount + 0.01 WHERE id = 's%05d'", i*rows/bad))
	}
	n, given, fetched := cost(5)
	if n > 15 || fetched > bad*10_000 || fetched < bad || given < fetched {
		t.Errorf("12 bad rows: %d statements gave %d rows, %d of them fetched", n, given, fetched)
	}
}
