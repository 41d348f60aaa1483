package workspace

import (
	"context"
	"strings"

	"backfill/internal/publish"
	"backfill/internal/redshift"
	"backfill/internal/timing"
)

// timedSession counts how long the statements of a session take, each kind by
// itself. Their text is this program's own, so that their first words tell.
type timedSession struct {
	publish.Session
	times *timing.Times
}

func (s *timedSession) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	stage := execStage(sql)
	defer s.times.Begin(stage)()
	rows, err := s.Session.Exec(ctx, sql, args...)
	if stage == timing.Change && err == nil {
		s.times.Passed(stage, 0, rows)
	}
	return rows, err
}

func execStage(sql string) timing.Stage {
	switch {
	case strings.HasPrefix(sql, "LOCK "):
		return timing.Lock
	case strings.HasPrefix(sql, `INSERT INTO "_backfill_`), strings.HasPrefix(sql, `DELETE FROM "_backfill_`): // temp tables
		return timing.Winners
	case strings.HasPrefix(sql, "INSERT "), strings.HasPrefix(sql, "DELETE "), strings.HasPrefix(sql, "UPDATE "):
		return timing.Change
	case strings.HasPrefix(sql, "CREATE TEMP"):
		return timing.Winners
	}
	return timing.Rows
}

func (s *timedSession) Query(ctx context.Context, sql string, scan func(redshift.Scanner) error, args ...any) error {
	stage := timing.Rows
	if strings.Contains(sql, "GROUP BY") {
		stage = timing.Check
	}
	defer s.times.Begin(stage)()
	return s.Session.Query(ctx, sql, scan, args...)
}

func (s *timedSession) Copy(ctx context.Context, c redshift.CopyStatement) (int64, error) {
	defer s.times.Begin(timing.Copy)()
	rows, err := s.Session.Copy(ctx, c)
	s.times.Passed(timing.Copy, 0, rows)
	return rows, err
}

func (s *timedSession) Commit(ctx context.Context) error {
	defer s.times.Begin(timing.Commit)()
	return s.Session.Commit(ctx)
}
