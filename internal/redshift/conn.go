package redshift

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"backfill/internal/fail"
)

// Scanner reads the values of one row, in column order, into *string and
// *int64, and into **string and **int64 where NULL can be. It is an alias so that a caller's own
// interface with this method is the same type.
type Scanner = interface {
	Scan(dest ...any) error
}

// scanFailure tells an error of the caller's scan function from one of the server.
type scanFailure struct{ err error }

func (s scanFailure) Error() string { return s.err.Error() }

// Exec sends one statement and returns how many rows it changed. Without args
// it goes by the simple protocol; with args, $1 and on are bound as text. A
// LOCK that waits longer than Config.LockWait is cancelled: fail.Conflict.
func (c *Conn) Exec(ctx context.Context, sql string, args ...any) (int64, error) {
	if strings.HasPrefix(sql, "LOCK ") && c.config.LockWait > 0 {
		return 0, c.lock(ctx, sql)
	}
	tag, err := c.pg.Exec(ctx, sql, args...)
	if err != nil {
		return 0, c.failure(ctx, err)
	}
	return tag.RowsAffected(), nil
}

// lock bounds the wait from here: Redshift has no lock_timeout.
func (c *Conn) lock(ctx context.Context, sql string) error {
	limited, cancel := context.WithTimeout(ctx, c.config.LockWait)
	defer cancel()
	_, err := c.pg.Exec(limited, sql)
	if err == nil {
		return nil
	}
	if ctx.Err() == nil && limited.Err() != nil && !c.pg.IsClosed() {
		return fail.New(fail.Conflict, "the lock was not free within %s", c.config.LockWait).
			Try("see who holds it (svv_transactions), then run the same command again")
	}
	return c.failure(ctx, err)
}

// Query sends one statement and calls scan for every row, in order. Values
// come as text; a NUMERIC must be selected ::VARCHAR, because only text of it
// is exact. An error of scan ends the query and is returned as it is.
func (c *Conn) Query(ctx context.Context, sql string, scan func(Scanner) error, args ...any) error {
	rows, err := c.pg.Query(ctx, sql, args...)
	if err == nil {
		for rows.Next() {
			if err = scan(textRow(rows.RawValues())); err != nil {
				err = scanFailure{err}
				break
			}
		}
		rows.Close()
		if err == nil {
			err = rows.Err()
		}
	}
	if own := (scanFailure{}); errors.As(err, &own) {
		return own.err
	}
	if err != nil {
		return c.failure(ctx, err)
	}
	return nil
}

// Begin opens a transaction. The snapshot is taken by the first statement
// that reads, so that a LOCK after it sees what was committed meanwhile.
func (c *Conn) Begin(ctx context.Context) error {
	_, err := c.Exec(ctx, "BEGIN")
	return err
}

// Commit ends the transaction. When it was sent and no answer came, the outcome
// is unknown and the error is fail.Lost; on any other error nothing was changed.
func (c *Conn) Commit(ctx context.Context) error {
	// Asked before sending: afterwards the driver calls a connection that broke
	// under the statement "closed", as if nothing had been sent.
	if err := ctx.Err(); err != nil {
		return fail.Wrap(err, fail.Network, "stopped before COMMIT")
	}
	if c.pg.IsClosed() {
		return fail.New(fail.Network, "the connection to the warehouse was lost before COMMIT")
	}
	tag, err := c.pg.Exec(ctx, "COMMIT")
	if err != nil {
		return c.commitFailure(ctx, err)
	}
	if tag.String() == "ROLLBACK" {
		return fail.New(fail.Internal, "the transaction had failed before COMMIT and was rolled back")
	}
	return nil
}

func (c *Conn) commitFailure(ctx context.Context, err error) *fail.Error {
	as := c.failure(ctx, err)
	var answer *pgconn.PgError
	if errors.As(err, &answer) && as.Code != fail.Network {
		return as
	}
	return fail.Wrap(as, fail.Lost, "the connection was lost at COMMIT, the outcome is unknown").
		Try("run the same command again: it asks the ledger first")
}

// Rollback ends the transaction and changes nothing.
func (c *Conn) Rollback(ctx context.Context) error {
	_, err := c.Exec(ctx, "ROLLBACK")
	return err
}

// Close ends the session; its temp tables are gone, an open transaction is
// rolled back.
func (c *Conn) Close(ctx context.Context) error {
	if err := c.pg.Close(ctx); err != nil {
		f, _ := classify(err)
		return f
	}
	return nil
}

// close ends a session that could not be set up.
func (c *Conn) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	_ = c.pg.Close(ctx) // the error that brought us here matters more
}

// failure classifies. It knows two things that the error does not: whether the
// caller stopped the statement, which the server tells as any other
// cancellation, and whether the session is gone.
func (c *Conn) failure(ctx context.Context, err error) *fail.Error {
	f, _ := c.judge(ctx, err)
	return f
}

// judge is failure with classify's again, which needs a session that lives.
func (c *Conn) judge(ctx context.Context, err error) (f *fail.Error, again bool) {
	f, again = classify(err)
	if stopped := ctx.Err(); stopped != nil {
		return fail.Wrap(stopped, fail.Network, "the statement was stopped"), false
	}
	if c.pg.IsClosed() {
		if f.Code == fail.Internal {
			f = fail.Wrap(err, fail.Network, "the connection to the warehouse was lost")
		}
		return f, false
	}
	return f, again
}
