package redshiftd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// activity is what other sessions may see of a session.
type activity struct {
	xid     int64
	began   time.Time // of the transaction
	query   int64
	sql     string // of the running or last statement
	since   time.Time
	running bool
}

// liveViews show what the sessions do at this moment; true are those that a serverless warehouse keeps from its users.
// A user who is no superuser sees the own sessions.
var liveViews = map[string]struct {
	columns string
	rows    func(s *session) [][]string // in the engine's words
	private bool
}{
	"svv_transactions": {"txn_owner text, txn_db text, xid bigint, pid int, txn_start timestamp, lock_mode text, lockable_object_type text, relation int, granted bool",
		(*session).transactionRows, false},
	"pg_locks": {"relation int, database int, transaction bigint, pid int, mode text, granted bool", (*session).pgLockRows, true},
	"stv_locks": {`table_id bigint, last_commit timestamp, last_update timestamp, lock_owner bigint, lock_owner_pid bigint, lock_owner_start_ts timestamp,
		lock_owner_end_ts timestamp, lock_status char22`, (*session).stvLockRows, true},
	"stv_recents":  {"userid int, status char20, starttime timestamp, duration int, user_name char50, db_name char50, query char600, pid int", (*session).recentRows, true},
	"stv_inflight": {"userid int, slice int, query int, label char320, xid bigint, pid int, starttime timestamp, text char100, suspended int", (*session).inflightRows, true},
	"stv_sessions": {"starttime timestamp, process int, user_name char50, db_name char50", (*session).sessionRows, true},
	"stv_partitions": {`owner int, host int, diskno int, part_begin bigint, part_end bigint, used int, tossed int, capacity int, mount char256`,
		(*session).partitionRows, true},
}

// liveView gives a view of that name; nil if there is none.
func (s *session) liveView(n tableName) (*relation, error) {
	v, ok := liveViews[n.name]
	if !ok || n.schema != "" && n.schema != "pg_catalog" {
		return nil, nil
	}
	if v.private && s.srv.config.Profile == Serverless {
		if n.name == "pg_locks" {
			return nil, strict("pg_locks is not supported on serverless; read svv_transactions")
		}
		return nil, errorf("42501", "permission denied for relation %s", n.name)
	}
	r, err := systemRelation(n.name, v.columns)
	if err != nil {
		return nil, err
	}
	rows, none := v.rows(s), ""
	if len(rows) == 0 {
		rows, none = [][]string{slices.Repeat([]string{"NULL"}, len(r.columns))}, " WHERE false"
	}
	var lines, cells, names []string
	for _, row := range rows {
		lines = append(lines, "("+strings.Join(row, ",")+")")
	}
	for i, c := range r.columns {
		name := fmt.Sprintf("c%d", i)
		names = append(names, name)
		cells = append(cells, castSQL(name, c.t)+" AS "+quoteIdent(c.name))
	}
	r.sql = "(SELECT " + strings.Join(cells, ",") + " FROM (VALUES " + strings.Join(lines, ",") + ") AS v(" + strings.Join(names, ",") + ")" + none + ")"
	return r, nil
}

// lockRow is a table lock that a session holds or waits for.
type lockRow struct {
	of      activity
	pid     int
	table   string // an expression for its id
	mode    lockMode
	granted bool
}

// ownSessions are the sessions of the same user, by pid.
func (s *session) ownSessions() []*session {
	s.srv.mu.Lock()
	defer s.srv.mu.Unlock()
	var out []*session
	for _, other := range s.srv.sessions {
		if other.loggedIn() == s.user {
			out = append(out, other)
		}
	}
	slices.SortFunc(out, func(a, b *session) int { return a.pid - b.pid })
	return out
}

// lockRows lists the locks on tables, in the order of sessions and names.
func (s *session) lockRows() (rows []lockRow) {
	sessions := s.ownSessions()
	s.srv.locks.mu.Lock()
	defer s.srv.locks.mu.Unlock()
	for _, other := range sessions {
		shown := other.shows()
		add := func(key string, mode lockMode, granted bool) {
			if !strings.HasPrefix(key, "schema ") {
				id := "(SELECT any_value(oid) FROM rs_internal.tables WHERE sch||'.'||name=" + quoteText(key) + ")"
				rows = append(rows, lockRow{shown, other.pid, id, mode, granted})
			}
		}
		keys := make([]string, 0, len(other.locks.held))
		for key := range other.locks.held {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			add(key, other.locks.held[key], true)
		}
		if w := other.locks.waits; w != nil {
			add(other.locks.waitsOn, w.mode, false)
		}
	}
	return rows
}

func (m lockMode) String() string {
	switch m {
	case lockRead:
		return "AccessShareLock"
	case lockExclusive:
		return "AccessExclusiveLock"
	}
	return "ShareRowExclusiveLock"
}

func (s *session) transactionRows() (rows [][]string) {
	head := func(a activity, pid int) []string {
		return []string{quoteText(s.user), quoteText(s.srv.config.Database), fmt.Sprint(a.xid), fmt.Sprint(pid), timestampSQL(a.began)}
	}
	for _, l := range s.lockRows() {
		rows = append(rows, append(head(l.of, l.pid), quoteText(l.mode.String()), "'relation'", l.table, fmt.Sprint(l.granted)))
	}
	for _, other := range s.ownSessions() {
		if a := other.shows(); a.xid != 0 {
			rows = append(rows, append(head(a, other.pid), "'ExclusiveLock'", "'transactionid'", "NULL", "true"))
		}
	}
	return rows
}

func (s *session) pgLockRows() (rows [][]string) {
	for _, l := range s.lockRows() {
		rows = append(rows, []string{l.table, "100", fmt.Sprint(l.of.xid), fmt.Sprint(l.pid), quoteText(l.mode.String()), fmt.Sprint(l.granted)})
	}
	return rows
}

func (s *session) stvLockRows() (rows [][]string) {
	for _, l := range s.lockRows() {
		if l.mode == lockRead {
			continue // only locks that change a table show
		}
		status := map[bool]string{true: "Holding write lock", false: "Waiting for write lock"}[l.granted]
		rows = append(rows, []string{l.table, "NULL", timestampSQL(l.of.since), fmt.Sprint(l.of.xid), fmt.Sprint(l.pid), timestampSQL(l.of.began), "NULL", quoteText(status)})
	}
	return rows
}

func (s *session) recentRows() (rows [][]string) {
	for _, other := range s.ownSessions() {
		a := other.shows()
		if a.sql == "" {
			continue
		}
		status, pid, duration := "Done", -1, int64(0)
		if a.running {
			status, pid, duration = "Running", other.pid, time.Since(a.since).Microseconds()
		}
		rows = append(rows, []string{"100", quoteText(status), timestampSQL(a.since), fmt.Sprint(min(duration, 1<<31-1)), quoteText(s.user), quoteText(s.srv.config.Database),
			quoteText(cut(a.sql, 600)), fmt.Sprint(pid)})
	}
	return rows
}

func (s *session) inflightRows() (rows [][]string) {
	for _, other := range s.ownSessions() {
		if a := other.shows(); a.running {
			rows = append(rows, []string{"100", "0", fmt.Sprint(a.query), "'default'", fmt.Sprint(a.xid), fmt.Sprint(other.pid), timestampSQL(a.since),
				quoteText(cut(a.sql, 100)), "0"})
		}
	}
	return rows
}

func (s *session) sessionRows() (rows [][]string) {
	for _, other := range s.ownSessions() {
		rows = append(rows, []string{timestampSQL(other.started), fmt.Sprint(other.pid), quoteText(s.user), quoteText(s.srv.config.Database)})
	}
	return rows
}

// partitionRows is one disk; used is what the database file takes, in blocks of a megabyte.
func (s *session) partitionRows() [][]string {
	used := s.srv.engine.fileBytes()>>20 + 1
	const capacity = 1 << 20
	return [][]string{{"0", "0", "0", "0", fmt.Sprint(int64(capacity) << 20), fmt.Sprint(used), "0", fmt.Sprint(capacity), "'/dev/standin'"}}
}

// loggedIn is whom the session runs as, empty before its login has succeeded.
func (s *session) loggedIn() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owner
}

// shows is what the session does now.
func (s *session) shows() activity {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.activity
}

// show changes what others see.
func (s *session) show(change func(*activity)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.activity)
}
