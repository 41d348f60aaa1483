package redshiftd

import (
	"context"
	"errors"
	"strings"
	"time"
)

// transaction is what a session has open. Before the first statement that touches data, block may be true and open false.
type transaction struct {
	block    bool // inside BEGIN … COMMIT
	failed   bool // the block waits for its ROLLBACK
	implicit bool // inside a string of several statements
	open     bool // the engine's transaction has begun
	id       int64
	snapshot int64 // the last commit that the snapshot sees
	catalog  int64 // the last change of the catalog that the snapshot sees
	ddl      bool  // the catalog was changed
	tracked  bool  // the commit log counts the snapshot as open
	began    time.Time
	before   map[string]string // the settings when the block first changed one; nil: it has not
	after    map[string]string // what they will be when it has committed
	reads    map[string]bool
	writes   map[string]bool
}

// begin opens the engine's transaction and fixes its snapshot, unless that is done.
func (s *session) begin(ctx context.Context) error {
	if s.tx.open {
		return nil
	}
	snapshot, catalog, err := s.srv.commits.begin(func() error {
		if _, err := s.db.ExecContext(ctx, "BEGIN TRANSACTION"); err != nil {
			return err
		}
		s.tx.open = true
		_, err := count(ctx, s.db, "SELECT count(*) FROM rs_internal.schemas")
		return err
	})
	if err != nil {
		return err
	}
	s.tx.snapshot, s.tx.catalog, s.tx.tracked = snapshot, catalog, true
	s.number()
	s.tx.reads, s.tx.writes = map[string]bool{}, map[string]bool{}
	return nil
}

// number gives the transaction its id, which it has from its first lock on.
func (s *session) number() {
	if s.tx.id != 0 {
		return
	}
	s.tx.id = s.srv.xids.Add(1) + 10_000
	began := s.tx.began
	if began.IsZero() {
		began = time.Now()
	}
	s.show(func(a *activity) { a.xid, a.began = s.tx.id, began })
}

// commit ends the transaction, whether anything was done or not, and gives back its locks.
func (s *session) commit() (err error) {
	open := s.tx.open
	defer func() {
		s.settleSettings(err != nil)
		s.endTransaction()
	}()
	if !open {
		return nil
	}
	ctx := context.WithoutCancel(s.srv.ctx)
	err = s.srv.commits.commit(func() error {
		_, err := s.db.ExecContext(ctx, "COMMIT")
		return err
	}, &commit{snapshot: s.tx.snapshot, xid: s.tx.id, pid: s.pid, reads: s.tx.reads, writes: s.tx.writes, ddl: s.tx.ddl}, s.srv.config.Profile == Provisioned)
	var skew *skewError
	if errors.As(err, &skew) {
		schema, name, _ := strings.Cut(skew.table, ".")
		var oid int64
		if rel, ferr := findTable(ctx, s.db, false, schema, name); ferr == nil && rel != nil {
			oid = rel.oid
		}
		err = errConflict(oid, skew.pid, skew.xids...)
	}
	if err != nil {
		s.undo()
	}
	return err
}

// rollback ends the transaction and undoes it.
func (s *session) rollback() {
	s.undo()
	s.settleSettings(true)
	s.endTransaction()
}

// undo rolls the engine back and keeps the block, which then only takes ROLLBACK.
func (s *session) undo() {
	if s.tx.open {
		_, _ = s.db.ExecContext(context.WithoutCancel(s.srv.ctx), "ROLLBACK") // fails only if the engine has done it already
	}
	s.tx.open = false
	if s.tx.ddl {
		s.relations.forget()
	}
	s.leaveLog()
}

// leaveLog tells the commit log that the snapshot is given up.
func (s *session) leaveLog() {
	if s.tx.tracked {
		s.tx.tracked = false
		s.srv.commits.end(s.tx.snapshot)
	}
}

func (s *session) fail() {
	s.undo()
	s.srv.locks.release(&s.locks)
	s.tx.failed = true
}

func (s *session) endTransaction() {
	implicit := s.tx.implicit
	s.leaveLog()
	s.show(func(a *activity) { a.xid = 0 })
	s.tx = transaction{implicit: implicit}
	s.srv.locks.release(&s.locks)
}

// lockTable waits for a lock on a permanent table.
func (s *session) lockTable(ctx context.Context, key string, mode lockMode) error {
	s.number()
	err := s.srv.locks.acquire(ctx, &s.locks, key, mode)
	var pg *pgError
	if err != nil && !errors.As(err, &pg) {
		return errorf("57014", "Query (%d) canceled on user's request", s.lastQuery)
	}
	return err
}

// checkConflict refuses a write that the snapshot is too old for: the table has changed since, and this transaction
// has read it or reads it now.
func (s *session) checkConflict(key string, oid int64, readsNow bool) error {
	last := s.srv.commits.of(key)
	if last.seq > s.tx.snapshot && (readsNow || s.tx.reads[key]) {
		return errConflict(oid, last.pid, s.tx.id, last.xid)
	}
	return nil
}

// runTransaction runs BEGIN, COMMIT and ROLLBACK.
func (s *session) runTransaction(kind string) (tag string, err error) {
	switch kind {
	case "BEGIN":
		if s.tx.block {
			s.warn("25001", "there is already a transaction in progress")
			return kind, nil
		}
		s.tx.block, s.tx.began = true, time.Now()
		return kind, nil
	case "COMMIT":
		if !s.tx.block && !s.tx.open {
			s.warn("25P01", "there is no transaction in progress")
			return kind, nil
		}
		if s.tx.failed {
			s.rollback()
			return "ROLLBACK", nil
		}
		return kind, s.commit()
	}
	if !s.tx.block && !s.tx.open {
		s.warn("25P01", "there is no transaction in progress")
	}
	s.rollback()
	return kind, nil
}
