package redshiftd

import (
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestTransactionsView shows who holds a lock and who waits for it.
func TestTransactionsView(t *testing.T) {
	s := startServer(t, nil)
	a, b, c := dial(t, s, ""), dial(t, s, ""), dial(t, s, "")
	const ask = "SELECT pid, lock_mode, granted FROM svv_transactions WHERE lock_mode = 'AccessExclusiveLock' ORDER BY granted"
	list := func() (rows []string) {
		t.Helper()
		found, err := c.Query(t.Context(), ask, pgx.QueryResultFormats{pgx.TextFormatCode})
		if err != nil {
			t.Fatal(err)
		}
		defer found.Close()
		for found.Next() {
			v := found.RawValues()
			rows = append(rows, string(v[0])+" "+string(v[2]))
		}
		if found.Err() != nil {
			t.Fatal(found.Err())
		}
		return rows
	}
	execAll(t, a, "CREATE TABLE t (a INT)", "BEGIN", "LOCK TABLE t")
	execAll(t, b, "BEGIN")
	done := async(b, "LOCK TABLE t")
	waiting(t, s, 1)
	pid := func(conn *pgx.Conn) string {
		var n string
		if err := conn.QueryRow(t.Context(), "SELECT pg_backend_pid()::VARCHAR").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	holder := pid(a)
	if got := list(); len(got) != 2 || got[1] != holder+" t" {
		t.Errorf("while one holds and one waits: %v, the holder is %s", got, holder)
	}
	execAll(t, a, "COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := list(); len(got) != 1 || got[0] != pid(b)+" t" {
		t.Errorf("after the first commit: %v", got)
	}
	execAll(t, b, "ROLLBACK")
	if got := list(); len(got) != 0 {
		t.Errorf("at the end: %v", got)
	}
}
