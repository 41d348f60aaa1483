package redshift

import (
	"context"
	"strings"
	"time"

	"backfill/internal/fail"
)

// LockHolder is a session that holds an exclusive lock on some table.
type LockHolder struct {
	PID   int64
	User  string
	Since time.Time // start of its transaction, UTC
}

// maxHolders bounds what LockHolders reads.
const maxHolders = 20

// LockHolders returns the other sessions that hold an exclusive lock, as far as
// this login may see them: a login without further rights sees its own
// sessions only. The longest transaction comes first.
func (c *Conn) LockHolders(ctx context.Context) ([]LockHolder, error) {
	const sql = "SELECT DISTINCT pid, TRIM(txn_owner), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', txn_start) AS start\n" +
		"FROM svv_transactions\n" +
		"WHERE lock_mode = 'AccessExclusiveLock' AND granted AND pid <> pg_backend_pid()\n" +
		"ORDER BY start"
	var list []LockHolder
	err := c.Query(ctx, sql, func(r Scanner) error {
		var h LockHolder
		var start *int64
		if err := r.Scan(&h.PID, &h.User, &start); err != nil {
			return fail.Wrap(err, fail.Internal, "reading the sessions that hold locks")
		}
		h.User = strings.TrimSpace(h.User)
		if start != nil {
			h.Since = time.UnixMicro(*start).UTC()
		}
		if len(list) < maxHolders {
			list = append(list, h)
		}
		return nil
	})
	return list, err
}
