package workspace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"backfill/internal/publish"
	"backfill/internal/redshift"
)

// When a wait for a lock is told for the first time, and how often again.
const (
	firstNotice = 3 * time.Second
	nextNotice  = time.Minute
)

// lockWatch is a session that says who is in the way while it waits for a
// lock. The waiting session can't ask, so that another one does.
type lockWatch struct {
	publish.Session
	table string
	ask   func(ctx context.Context) ([]redshift.LockHolder, error)
	tell  func(string)
	most  time.Duration // longest wait for a lock
}

// Watch wraps a session of the workspace.
func (w *Workspace) Watch(s publish.Session) publish.Session {
	return &lockWatch{Session: &timedSession{s, w.Times}, table: w.TargetName() + publish.LedgerSuffix, tell: func(text string) { w.Log.Warn(text) }, most: w.Lock, ask: func(ctx context.Context) ([]redshift.LockHolder, error) {
		conn, err := w.Connect(ctx)
		if err != nil {
			return nil, err
		}
		holders, err := conn.LockHolders(ctx)
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTime)
		defer cancel()
		_ = conn.Close(closing) // it has told what it can
		return holders, err
	}}
}

const closeTime = 5 * time.Second

// Exec runs the statement; while a LOCK waits, it tells who holds the lock.
func (l *lockWatch) Exec(ctx context.Context, sql string, args ...any) (rows int64, err error) {
	if !strings.HasPrefix(sql, "LOCK TABLE ") {
		return l.Session.Exec(ctx, sql, args...)
	}
	l.during(ctx, l.most, func() { rows, err = l.Session.Exec(ctx, sql, args...) })
	return rows, err
}

// Query likewise: the lock of the ledger excludes its readers, too.
func (l *lockWatch) Query(ctx context.Context, sql string, scan func(redshift.Scanner) error, args ...any) (err error) {
	if !strings.Contains(sql, publish.LedgerSuffix) {
		return l.Session.Query(ctx, sql, scan, args...)
	}
	l.during(ctx, 0, func() { err = l.Session.Query(ctx, sql, scan, args...) })
	return err
}

// during runs the statement beside a watch.
func (l *lockWatch) during(ctx context.Context, most time.Duration, statement func()) {
	asking, stop := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { l.watch(asking, most) })
	statement()
	stop()
	watching.Wait()
}

// watch tells until it is stopped. The wait itself is bounded by the session.
func (l *lockWatch) watch(ctx context.Context, most time.Duration) {
	began := time.Now()
	timer := time.NewTimer(firstNotice)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		holders, err := l.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		l.tell(waitText(l.table, time.Since(began), most, holders, err, time.Now()))
		timer.Reset(nextNotice)
	}
}

// waitText says who is in the way and what a person can do.
func waitText(table string, waited, most time.Duration, holders []redshift.LockHolder, err error, now time.Time) string {
	text := fmt.Sprintf("waiting for the lock of %s for %s", table, waited.Round(time.Second))
	if most > 0 {
		text += fmt.Sprintf(" (at most %s a try)", most)
	}
	switch {
	case err != nil:
		return text + fmt.Sprintf("; the warehouse does not tell who holds it (%v): ask an administrator for svv_transactions", err)
	case len(holders) == 0:
		return text + "; this login can't see who holds it: another login's session, or none any more; an administrator sees all in svv_transactions"
	}
	var parts []string
	for _, h := range holders {
		parts = append(parts, fmt.Sprintf("session %d of %s since %s (%s)", h.PID, h.User, h.Since.Format(time.RFC3339), now.Sub(h.Since).Round(time.Second)))
	}
	return text + "; exclusive locks are held by " + strings.Join(parts, ", ") +
		fmt.Sprintf("; another slice of this table ends by itself, a stuck session ends with SELECT pg_terminate_backend(%d)", holders[0].PID)
}
