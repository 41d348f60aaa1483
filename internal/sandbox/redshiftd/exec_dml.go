package redshiftd

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

func (s *session) newBinder(ctx context.Context, values []paramValue) *binder {
	now := time.Now().UTC()
	began := s.tx.began
	if began.IsZero() {
		began = now
	}
	return &binder{ctx: ctx, lookup: s.lookup, values: values, env: environment{user: s.user, database: s.srv.config.Database,
		schema: s.searchPath()[0], pid: s.pid, zone: s.zone(), now: now, began: began, lastCopyCount: s.lastCopy.count, lastCopyID: s.lastCopy.id,
		lastQueryID: s.lastQuery - 1, version: serverVersion}}
}

// bindStatement writes a statement for the engine; cols is nil for one without rows.
func bindStatement(b *binder, st statement) (sql string, cols []output, err error) {
	switch st := st.(type) {
	case *selectStmt:
		sql, cols, err = b.query(st.q, nil)
		for i := range cols {
			switch cols[i].t.kind {
			case kUnknown:
				cols[i].t = varchar(maxVarchar)
			case kRegtype:
				return "", nil, strict("a result of type regtype is not supported")
			}
		}
	case *insertStmt:
		sql, err = b.insert(st)
	case *deleteStmt:
		sql, err = b.delete(st)
	case *updateStmt:
		sql, err = b.update(st)
	case *mergeStmt:
		_, _, err = b.merge(st)
	}
	if err == nil {
		err = b.finish()
	}
	return sql, cols, err
}

// describe infers the types of a prepared statement's parameters and columns.
func (s *session) describe(st *preparedStatement) error {
	if s.tx.failed {
		if tx, ok := st.p.stmt.(*txStmt); ok && tx.kind != "BEGIN" {
			return nil
		}
		return errAborted
	}
	ctx, cancel := s.statementContext()
	defer cancel()
	switch stmt := st.p.stmt.(type) {
	case *showStmt:
		st.cols = []output{{stmt.name, varchar(256)}}
	case *selectStmt, *insertStmt, *deleteStmt, *updateStmt, *mergeStmt:
		b := s.newBinder(ctx, nil)
		b.types = st.types
		_, cols, err := bindStatement(b, stmt)
		if err != nil {
			return engineError(ctx, err, s.lastQuery)
		}
		st.types, st.cols = b.types, cols
	default:
		if st.p.params > 0 {
			return errSyntax("$1")
		}
	}
	for len(st.types) < st.p.params {
		st.types = append(st.types, typ{})
	}
	return nil
}

func (s *session) runSelect(ctx context.Context, r *running, st *selectStmt) (*answer, error) {
	keys, err := s.lockAll(ctx, r.p.reads, lockRead)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	for _, k := range keys {
		s.tx.reads[k] = true
	}
	b := s.newBinder(ctx, r.values)
	b.act = func(function string, pid int) (bool, error) {
		if function == "pg_cancel_backend" {
			return s.cancelBackend(pid, "")
		}
		return s.terminateBackend(pid)
	}
	query, cols, err := bindStatement(b, st)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, query)
	return &answer{tag: "SELECT", cols: cols, rows: rows}, err
}

// runDML runs INSERT, DELETE and UPDATE.
func (s *session) runDML(ctx context.Context, r *running) (*answer, error) {
	var target tableName
	readsTarget := true
	switch st := r.p.stmt.(type) {
	case *insertStmt:
		target, readsTarget = st.table, false
	case *deleteStmt:
		target = st.table
	case *updateStmt:
		target = st.table
	}
	mode := lockWrite
	if !readsTarget {
		mode = s.appendMode()
	}
	writes, err := s.lockAll(ctx, []tableName{target}, mode)
	if err != nil {
		return nil, err
	}
	reads, err := s.lockAll(ctx, r.p.reads, lockRead)
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	for _, k := range reads {
		s.tx.reads[k] = true
	}
	query, _, err := bindStatement(s.newBinder(ctx, r.values), r.p.stmt)
	if err != nil {
		return nil, err
	}
	if err := s.noteWrites(ctx, target, writes, readsTarget); err != nil {
		return nil, err
	}
	res, err := s.db.ExecContext(ctx, query)
	if err != nil {
		return nil, err
	}
	n, err := res.RowsAffected()
	if r.p.tag == "INSERT" {
		return &answer{tag: fmt.Sprintf("INSERT 0 %d", n)}, err
	}
	return &answer{tag: fmt.Sprintf("%s %d", r.p.tag, n)}, err
}

// appendMode is how INSERT and COPY lock their table: under SNAPSHOT they run beside each other.
func (s *session) appendMode() lockMode {
	if s.srv.config.Profile == Serverless {
		return lockAppend
	}
	return lockWrite
}

// noteWrites checks that the snapshot may write the tables and remembers them for the commit.
func (s *session) noteWrites(ctx context.Context, target tableName, keys []string, readsNow bool) error {
	for _, k := range keys {
		rel, err := s.lookup(ctx, target)
		if err != nil {
			return err
		}
		if err := s.checkConflict(k, rel.oid, readsNow); err != nil {
			return err
		}
		s.tx.writes[k] = true
		if readsNow {
			s.tx.reads[k] = true
		}
	}
	return nil
}

// runLock waits for exclusive locks. The snapshot is not fixed by it.
func (s *session) runLock(ctx context.Context, st *lockStmt) error {
	if !s.tx.block && !s.tx.implicit {
		return errorf("25P01", "LOCK TABLE can only be used in transaction blocks")
	}
	for _, n := range st.tables {
		rel, err := s.lookup(ctx, n)
		if err != nil {
			return err
		}
		if rel.system {
			return errorf("42501", "permission denied for relation %s", n.name)
		}
	}
	_, err := s.lockAll(ctx, st.tables, lockExclusive)
	return err
}

func (s *session) describeRows(a *answer, via *portal) {
	if via == nil { // in the extended protocol Describe has told
		s.wire.Send(s.rowsDescription(a.cols, nil))
	}
}

const flushRows = 1000

func (s *session) sendRows(a *answer, via *portal) error {
	if err := s.checkScales(a, via); err != nil {
		return err
	}
	s.describeRows(a, via)
	var formats []int16
	if via != nil {
		formats = via.formats
	}
	names, err := a.rows.Columns()
	if err != nil {
		return err
	}
	if len(names) != len(a.cols) {
		return strict("the engine gives %d columns instead of %d", len(names), len(a.cols))
	}
	vals := make([]any, len(a.cols))
	ptrs := make([]any, len(a.cols))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	zone := s.zone()
	for n := 1; a.rows.Next(); n++ {
		if err := a.rows.Scan(ptrs...); err != nil {
			return err
		}
		row := pgproto3.DataRow{Values: make([][]byte, len(vals))}
		for i, v := range vals {
			if at, ok := v.(time.Time); ok && a.cols[i].t.kind == kTimestamptz {
				v = at.In(zone)
			}
			if row.Values[i], err = encodeValue(v, a.cols[i].t, formatOf(formats, i) == 1); err != nil {
				return err
			}
		}
		s.wire.Send(&row)
		if n%flushRows == 0 {
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
	return a.rows.Err()
}
