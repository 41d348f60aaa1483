package redshiftd

import (
	"context"
	"database/sql"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// answer is what a statement gives back: a tag and perhaps rows.
type answer struct {
	tag  string
	cols []output
	rows *sql.Rows
	text [][]byte // one row that needs no query
}

// running is one statement on its way.
type running struct {
	p      *parsed
	number int64
	values []paramValue
	portal *portal         // nil for the simple protocol
	done   <-chan struct{} // closed when the statement is cancelled or timed out
	fault  Action          // what the hook asked for before the statement
}

func (s *session) hook(r *running, phase Phase) Action {
	if s.srv.config.Hook == nil || s.cutPending {
		return Continue
	}
	return s.srv.config.Hook(Op{Number: r.number, Session: s.pid, Phase: phase, Kind: r.p.tag, SQL: r.p.sql, Done: r.done})
}

// cut drops the connection; what runs may run on, and a cancel request of the client's, who noticed, comes too late.
func (s *session) cut() {
	s.cutPending = true
	s.mu.Lock()
	s.running = nil
	s.mu.Unlock()
	s.conn.Close()
}

// run executes one statement, calls the hook around it, ends an autocommit transaction and sends the answer.
func (s *session) run(p *parsed, values []paramValue, via *portal) error {
	tx, isTx := p.stmt.(*txStmt)
	if s.tx.failed && (!isTx || tx.kind == "BEGIN") {
		return errAborted
	}
	r := &running{p: p, number: s.srv.operations.Add(1), values: values, portal: via}
	s.lastQuery = s.srv.queries.Add(1)
	ctx, cancel := s.statementContext()
	defer cancel()
	r.done = ctx.Done()
	if r.fault = s.hook(r, Before); r.fault == Cut {
		s.cut()
		return errClosed
	}
	if e := s.injected(r.fault); e != nil {
		return e
	}
	if ctx.Err() != nil { // the hook waited that long
		return engineError(ctx, ctx.Err(), s.lastQuery)
	}
	s.show(func(a *activity) {
		a.query, a.sql, a.since, a.running = s.lastQuery, strings.Clone(cut(p.sql, 600)), time.Now(), true
	})
	defer s.show(func(a *activity) { a.running = false })
	a, err := s.execute(ctx, r)
	if err != nil {
		if a != nil && a.rows != nil {
			a.rows.Close()
		}
		return s.conflictDetail(s.canceled(engineError(ctx, err, s.lastQuery)))
	}
	if a.rows != nil {
		defer a.rows.Close()
	}
	action := s.hook(r, After)
	autocommit := !s.tx.block && !s.tx.implicit
	if e := s.injected(action); e != nil {
		return e
	}
	if action == Cut {
		s.cut()
	}
	if a.rows != nil && !s.cutPending {
		if err := s.sendRows(a, via); err != nil {
			return s.canceled(engineError(ctx, err, s.lastQuery))
		}
	}
	if a.rows != nil {
		a.rows.Close()
	}
	if autocommit {
		if err := s.commit(); err != nil {
			return engineError(s.srv.ctx, err, s.lastQuery)
		}
	}
	if s.cutPending {
		return errClosed
	}
	if a.text != nil {
		s.describeRows(a, via)
		s.wire.Send(&pgproto3.DataRow{Values: a.text})
	}
	s.wire.Send(&pgproto3.CommandComplete{CommandTag: []byte(a.tag)})
	return nil
}

// conflictDetail names this transaction in a conflict that the engine found.
func (s *session) conflictDetail(e *pgError) error {
	if e.message == "1023" && strings.Contains(e.detail, "pid:0") {
		return errConflict(s.lastQuery, s.pid, s.tx.id, s.tx.id+1)
	}
	return e
}

// statementContext ends with statement_timeout, with a cancel request or with the server.
func (s *session) statementContext() (context.Context, context.CancelFunc) {
	limit := 24 * time.Hour
	v, _ := s.setting("statement_timeout")
	if ms, err := strconv.ParseInt(v, 10, 64); err == nil && ms > 0 && ms < limit.Milliseconds() {
		limit = time.Duration(ms) * time.Millisecond
	}
	ctx, cancel := context.WithTimeout(s.srv.ctx, limit)
	s.mu.Lock()
	s.running, s.cancelReason = cancel, ""
	s.mu.Unlock()
	return ctx, func() {
		s.mu.Lock()
		s.running = nil
		s.mu.Unlock()
		cancel()
	}
}

func (s *session) warn(code, text string) {
	s.wire.Send(&pgproto3.NoticeResponse{Severity: "WARNING", Code: code, Message: text})
}

func (s *session) execute(ctx context.Context, r *running) (*answer, error) {
	switch st := r.p.stmt.(type) {
	case *txStmt:
		tag, err := s.runTransaction(st.kind)
		return &answer{tag: tag}, err
	case *selectStmt:
		return s.runSelect(ctx, r, st)
	case *insertStmt, *deleteStmt, *updateStmt:
		return s.runDML(ctx, r)
	case *mergeStmt:
		return s.runMerge(ctx, r, st)
	case *copyStmt:
		return s.runCopy(ctx, r, st)
	case *lockStmt:
		return &answer{tag: r.p.tag}, s.runLock(ctx, st)
	case *setStmt:
		return &answer{tag: r.p.tag}, s.runSet(st)
	case *showStmt:
		v, ok := s.setting(st.name)
		if !ok {
			return nil, errorf("42704", "unrecognized configuration parameter %q", st.name)
		}
		return &answer{tag: r.p.tag, cols: []output{{st.name, varchar(256)}}, text: [][]byte{[]byte(v)}}, nil
	case *noopStmt:
		return s.runNoop(ctx, r, st)
	case *cancelStmt:
		_, err := s.cancelBackend(st.pid, st.text)
		return &answer{tag: r.p.tag}, err
	case *deallocate:
		if s.prepared[st.name] == nil {
			return nil, errorf("26000", "prepared statement %q does not exist", st.name)
		}
		delete(s.prepared, st.name)
		return &answer{tag: r.p.tag}, nil
	}
	return s.runDDL(ctx, r)
}

func (s *session) runSet(st *setStmt) error {
	if _, ok := knownSettings[st.name]; !ok {
		return errorf("42704", "unrecognized configuration parameter %q", st.name)
	}
	if !st.reset {
		if err := s.checkSetting(st.name, st.value); err != nil {
			return err
		}
	}
	s.keepSettings(st)
	if s.settings[st.name] = st.value; st.reset {
		delete(s.settings, st.name)
	}
	if st.name == "timezone" {
		s.tellZone()
	}
	return nil
}

// keepSettings remembers what the settings were, for the end of the block: a rollback takes SET back, and any end takes
// SET LOCAL back.
func (s *session) keepSettings(st *setStmt) {
	if !s.tx.block {
		return
	}
	if s.tx.before == nil {
		s.tx.before, s.tx.after = maps.Clone(s.settings), maps.Clone(s.settings)
	}
	if st.local {
		return
	}
	if s.tx.after[st.name] = st.value; st.reset {
		delete(s.tx.after, st.name)
	}
}

// settleSettings gives the settings that hold after the block.
func (s *session) settleSettings(undone bool) {
	if s.tx.before == nil {
		return
	}
	was, _ := s.setting("timezone")
	if s.settings = s.tx.after; undone {
		s.settings = s.tx.before
	}
	s.tx.before = nil
	if is, _ := s.setting("timezone"); is != was {
		s.tellZone()
	}
}

// tellZone tells the client the time zone, as at the beginning of the session.
func (s *session) tellZone() {
	name, _ := s.setting("timezone")
	s.wire.Send(&pgproto3.ParameterStatus{Name: "TimeZone", Value: name})
}

func (s *session) runNoop(ctx context.Context, r *running, st *noopStmt) (*answer, error) {
	if st.outOfBlock && (s.tx.block || s.tx.implicit) {
		return nil, errorf("25001", "%s cannot run inside a transaction block", st.tag)
	}
	for _, t := range st.tables {
		if _, err := s.lookup(ctx, t); err != nil {
			return nil, err
		}
	}
	return &answer{tag: r.p.tag}, nil
}

// lookup finds a relation by name: temporary tables first, then the search path, then system views.
func (s *session) lookup(ctx context.Context, n tableName) (*relation, error) {
	schemas := []string{n.schema}
	if n.schema == "" {
		rel, err := s.find(ctx, relationName{temp: true, name: n.name})
		if rel != nil || err != nil {
			return rel, err
		}
		schemas = s.searchPath()
	}
	for _, schema := range schemas {
		rel, err := s.find(ctx, relationName{schema: schema, name: n.name})
		if rel != nil || err != nil {
			return rel, err
		}
	}
	if rel, err := s.liveView(n); rel != nil || err != nil {
		return rel, err
	}
	rel, err := systemTable(n, s.srv.config.Profile)
	if err != nil {
		return nil, err
	}
	if rel != nil {
		rel.sql = strings.ReplaceAll(rel.sql, engineDatabaseMark, s.srv.config.Database)
		rel.sql = strings.ReplaceAll(rel.sql, "\x01schema\x01", s.searchPath()[0])
		rel.sql = strings.ReplaceAll(rel.sql, shownMark, timestampSQL(time.Now().Add(-s.srv.config.LoadLag)))
		return rel, nil
	}
	if n.schema != "" {
		ok, err := schemaExists(ctx, s.db, n.schema)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, errorf("3F000", "schema %q does not exist", n.schema)
		}
		return nil, errRelation(n.schema + "." + n.name)
	}
	return nil, errRelation(n.name)
}

// lockKey is the lock name of a table; empty for temporary tables and system views.
func (s *session) lockKey(ctx context.Context, n tableName) (string, error) {
	rel, err := s.lookup(ctx, n)
	if err == nil {
		if rel.temp || rel.system {
			return "", nil
		}
		return rel.schema + "." + rel.name, nil
	}
	if e := engineError(ctx, err, s.lastQuery); e.code != "42P01" && e.code != "3F000" {
		return "", e
	}
	if n.schema != "" {
		return n.schema + "." + n.name, nil
	}
	return s.searchPath()[0] + "." + n.name, nil
}

// lockAll waits for locks on tables, in the order given, and gives their names.
func (s *session) lockAll(ctx context.Context, tables []tableName, mode lockMode) ([]string, error) {
	var keys []string
	for _, n := range tables {
		key, err := s.lockKey(ctx, n)
		if err != nil {
			return nil, err
		}
		if key == "" {
			continue
		}
		if err := s.lockTable(ctx, key, mode); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, nil
}
