package redshiftd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

func counter(t *testing.T, c *pgx.Conn) string {
	t.Helper()
	return table(t, c, "SELECT COUNT(*) FROM t")[0][0]
}

func TestTransactions(t *testing.T) {
	s := startServer(t, nil)
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TABLE t (a INT)", "BEGIN", "INSERT INTO t VALUES (1)")
	if n := counter(t, b); n != "0" {
		t.Error("uncommitted row is seen:", n)
	}
	execAll(t, a, "ROLLBACK", "BEGIN", "INSERT INTO t VALUES (1)", "COMMIT")
	if n := counter(t, b); n != "1" {
		t.Error("rows after commit:", n)
	}
	execAll(t, a, "BEGIN", "INSERT INTO t VALUES (2)")
	_, err := a.Exec(t.Context(), "SELECT nope FROM t")
	wantError(t, err, "42703")
	_, err = a.Exec(t.Context(), "SELECT 1")
	if pg := wantError(t, err, "25P02"); pg.Message != "current transaction is aborted, commands ignored until end of transaction block" {
		t.Error(pg.Message)
	}
	if tag, err := a.Exec(t.Context(), "COMMIT"); err != nil || tag.String() != "ROLLBACK" {
		t.Error(tag, err)
	}
	execAll(t, a, "BEGIN", "INSERT INTO t VALUES (3)", "TRUNCATE t", "ROLLBACK")
	if n := counter(t, b); n != "0" {
		t.Error("rows after TRUNCATE and ROLLBACK:", n)
	}
	_, err = a.Exec(t.Context(), "INSERT INTO t VALUES (1); INSERT INTO t VALUES ('x')")
	wantError(t, err, "22P02")
	if n := counter(t, b); n != "0" {
		t.Error("a string of statements is not one transaction:", n)
	}
	execAll(t, a, "BEGIN")
	_, err = a.Exec(t.Context(), "VACUUM")
	wantError(t, err, "25001")
	execAll(t, a, "ROLLBACK", "INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", "BEGIN", "INSERT INTO t VALUES (4)")
	a.PgConn().Conn().Close() // lost in a block
	execAll(t, b, "BEGIN", "LOCK TABLE t")
	if n := counter(t, b); n != "2" {
		t.Error("rows after a lost connection:", n)
	}
}

// TestDDLInTransaction creates, changes, fills and drops tables in one block, and rolls some of it back.
func TestDDLInTransaction(t *testing.T) {
	s := startServer(t, nil)
	c := dial(t, s, "")
	execAll(t, c, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)", "BEGIN", "CREATE TEMP TABLE stage (LIKE t)", "INSERT INTO stage VALUES (5),(6)",
		"ALTER TABLE t ADD COLUMN b VARCHAR(9) DEFAULT 'new'", "INSERT INTO t (a) SELECT a FROM stage", "DELETE FROM t WHERE a = 5", "INSERT INTO t VALUES (5, 'again')",
		"DROP TABLE stage", "CREATE TEMP TABLE stage (z DATE)", "COMMIT")
	if got := table(t, c, "SELECT a, b FROM t ORDER BY a"); !reflect.DeepEqual(got, [][]string{{"1", "new"}, {"5", "again"}, {"6", "new"}}) {
		t.Error(got)
	}
	execAll(t, c, "BEGIN", "DROP TABLE t", "CREATE TABLE t (z INT)", "INSERT INTO t VALUES (9)", "ROLLBACK", "DROP TABLE stage")
	if got := table(t, c, "SELECT COUNT(b) FROM t"); got[0][0] != "3" {
		t.Error(got)
	}
	_, err := c.Exec(t.Context(), "SELECT * FROM stage")
	wantError(t, err, "42P01")
}

// waiting blocks until some session waits for a lock.
func waiting(t *testing.T, s *Server, n int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		s.locks.mu.Lock()
		got := 0
		for _, l := range s.locks.tables {
			got += len(l.waiting)
		}
		s.locks.mu.Unlock()
		if got == n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d sessions wait, want %d", got, n)
		}
		time.Sleep(time.Millisecond)
	}
}

func async(c *pgx.Conn, sql string) <-chan error {
	done := make(chan error, 1)
	go func() {
		_, err := c.Exec(context.Background(), sql)
		done <- err
	}()
	return done
}

// TestLockWaits shows that LOCK waits for readers and writers and that what follows it sees their commits.
func TestLockWaits(t *testing.T) {
	s := startServer(t, nil)
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TABLE t (a INT)", "BEGIN", "INSERT INTO t VALUES (1)")
	execAll(t, b, "BEGIN")
	done := async(b, "LOCK TABLE t")
	waiting(t, s, 1)
	execAll(t, a, "COMMIT")
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := counter(t, b); n != "1" {
		t.Error("LOCK does not see what was committed before it was granted:", n)
	}
	reader := async(a, "SELECT COUNT(*) FROM t")
	waiting(t, s, 1)
	execAll(t, b, "INSERT INTO t VALUES (2)", "COMMIT")
	if err := <-reader; err != nil {
		t.Error(err)
	}
	execAll(t, a, "BEGIN", "SELECT * FROM t")
	execAll(t, b, "BEGIN", "SET statement_timeout TO 50")
	_, err := b.Exec(t.Context(), "LOCK TABLE t")
	wantError(t, err, "57014")
	execAll(t, b, "ROLLBACK")
}

func TestDeadlock(t *testing.T) {
	s := startServer(t, nil)
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TABLE t (a INT)", "CREATE TABLE u (a INT)", "BEGIN", "LOCK t")
	execAll(t, b, "BEGIN", "LOCK u")
	done := async(a, "LOCK u")
	waiting(t, s, 1)
	_, err := b.Exec(t.Context(), "LOCK t")
	wantError(t, err, "40P01")
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSerialization shows 1023 for a transaction that read before another one committed, and its absence after LOCK.
func TestSerialization(t *testing.T) {
	s := startServer(t, nil)
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TABLE t (a INT)", "BEGIN", "SELECT * FROM t")
	execAll(t, b, "INSERT INTO t VALUES (1)")
	execAll(t, a, "LOCK t")
	_, err := a.Exec(t.Context(), "INSERT INTO t VALUES (2)")
	if pg := wantError(t, err, "XX000"); pg.Message != "1023" || !strings.HasPrefix(pg.Detail, "Serializable isolation violation on table - 1") {
		t.Error(pg.Message, pg.Detail)
	}
	execAll(t, a, "ROLLBACK", "BEGIN", "LOCK t", "DELETE FROM t WHERE a = 1", "INSERT INTO t VALUES (2)", "COMMIT")
	if got := table(t, b, "SELECT a FROM t"); !reflect.DeepEqual(got, [][]string{{"2"}}) {
		t.Error(got)
	}
}

// TestWriters lets many sessions append and bump under LOCK; nothing may be lost.
func TestWriters(t *testing.T) {
	s := startServer(t, nil)
	execAll(t, dial(t, s, ""), "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (0)")
	var wg sync.WaitGroup
	for range 4 {
		c := dial(t, s, "")
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 5 {
				for _, q := range []string{"BEGIN", "LOCK TABLE t", "UPDATE t SET a = a + 1", "COMMIT"} {
					if _, err := c.Exec(context.Background(), q); err != nil {
						t.Error(describeError(err))
						return
					}
				}
			}
		}()
	}
	wg.Wait()
	if got := table(t, dial(t, s, ""), "SELECT a FROM t"); got[0][0] != "20" {
		t.Error(got)
	}
}

func TestRestartKeepsData(t *testing.T) {
	c := testConfig(t.TempDir())
	for want := range 3 {
		s, err := Start(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := pgx.Connect(t.Context(), "postgres://loader:secret@"+s.Addr()+"/analytics")
		if err != nil {
			t.Fatal(err)
		}
		execAll(t, conn, "CREATE TABLE IF NOT EXISTS t (id INT IDENTITY(1,1), a CHAR(3))")
		if n := counter(t, conn); n != string(rune('0'+want)) {
			t.Errorf("start %d: %s rows", want, n)
		}
		execAll(t, conn, "INSERT INTO t (a) VALUES ('x')", "BEGIN", "INSERT INTO t (a) VALUES ('y')")
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		conn.Close(t.Context())
	}
}

// TestHook runs a transaction and lets the hook act on one operation of it.
func TestHook(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		phase  Phase
		action Action
		block  bool
		rows   string // afterwards
		lost   bool   // the connection
	}{
		{"COMMIT", Before, Cut, true, "0", true},
		{"COMMIT", After, Cut, true, "4", true},
		{"COMMIT", Before, Fail, true, "0", false},
		{"COPY", Before, Cut, true, "0", true},
		{"COPY", During, Cut, true, "0", true},
		{"COPY", After, Cut, true, "0", true},
		{"COPY", During, Cut, false, "4", true},
		{"COPY", After, Cut, false, "4", true},
		{"COPY", Before, Cut, false, "0", true},
		{"COPY", During, Fail, false, "0", false},
		{"COPY", After, Fail, false, "0", false},
		{"INSERT", After, Fail, true, "0", false},
	} {
		name := tt.kind + []string{" before", " during", " after"}[tt.phase] + []string{"", " fail", " cut"}[tt.action] + map[bool]string{true: " in block"}[tt.block]
		t.Run(name, func(t *testing.T) {
			var once sync.Once
			s, store := copyServer(t, func(c *Config) {
				c.Hook = func(op Op) (a Action) {
					if op.Kind == tt.kind && op.Phase == tt.phase {
						once.Do(func() { a = tt.action })
					}
					return a
				}
			})
			store.manifest(parquetFile(t, events(1, 2)), parquetFile(t, events(3, 2)))
			execAll(t, dial(t, s, ""), eventTable, "CREATE TABLE t (a INT)")
			c := dial(t, s, "")
			stmts := []string{eventCopy}
			if tt.block {
				stmts = []string{"BEGIN", "INSERT INTO t VALUES (1)", eventCopy, "COMMIT"}
			}
			var err error
			for _, q := range stmts {
				if _, err = c.Exec(t.Context(), q); err != nil {
					break
				}
			}
			var pg *pgconn.PgError
			if err == nil || errors.As(err, &pg) == tt.lost {
				t.Errorf("got %v", err)
			}
			if pg != nil && pg.Message != "injected fault" {
				t.Errorf("got %v", pg)
			}
			if !tt.lost {
				c.Exec(t.Context(), "ROLLBACK")
			}
			check := dial(t, s, "")
			execAll(t, check, "BEGIN", "LOCK TABLE e") // waits for the lost session's end
			if got := table(t, check, "SELECT COUNT(*) FROM e"); got[0][0] != tt.rows {
				t.Errorf("%s rows, want %s", got[0][0], tt.rows)
			}
		})
	}
}

func TestHookSeesOperations(t *testing.T) {
	var mu sync.Mutex
	var got []string
	s := startServer(t, func(c *Config) {
		c.Hook = func(op Op) Action {
			mu.Lock()
			defer mu.Unlock()
			got = append(got, op.Kind)
			if op.Phase == Before && int64(len(got)+1)/2 != op.Number {
				t.Errorf("operation %d is the %dth call", op.Number, len(got))
			}
			return Continue
		}
	})
	c := dial(t, s, "")
	execAll(t, c, "CREATE TABLE t (a INT)", "BEGIN; INSERT INTO t VALUES (1); END")
	if want := []string{"CREATE TABLE", "CREATE TABLE", "BEGIN", "BEGIN", "INSERT", "INSERT", "COMMIT", "COMMIT"}; !reflect.DeepEqual(got, want) || s.Operations() != 4 {
		t.Error(got, s.Operations())
	}
}

func TestCancel(t *testing.T) {
	s := startServer(t, nil)
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TABLE t (a INT)", "BEGIN", "LOCK t")
	done := async(b, "SELECT * FROM t")
	waiting(t, s, 1)
	if err := b.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantError(t, <-done, "57014")
	execAll(t, a, "ROLLBACK", "INSERT INTO t SELECT 1 FROM svv_columns", "INSERT INTO t VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9),(10)")
	for range 2 {
		execAll(t, a, "INSERT INTO t SELECT x.a FROM t x, t y")
	}
	execAll(t, a, "SET statement_timeout TO 100")
	_, err := a.Exec(t.Context(), "SELECT COUNT(*) FROM t x, t y, t z WHERE x.a + y.a + z.a = 7")
	if pg := wantError(t, err, "57014"); !strings.Contains(pg.Message, "canceled on user's request") {
		t.Error(pg.Message)
	}
}

func TestPsql(t *testing.T) {
	path, err := exec.LookPath("psql")
	if err != nil {
		return // not installed
	}
	s := startServer(t, nil)
	host, port, _ := strings.Cut(s.Addr(), ":")
	cmd := exec.CommandContext(t.Context(), path, "-X", "-A", "-t", "-h", host, "-p", port, "-U", "loader", "-d", "analytics", "-v", "ON_ERROR_STOP=1")
	cmd.Env = append(os.Environ(), "PGPASSWORD=secret", "PGSSLMODE=prefer")
	cmd.Stdin = strings.NewReader("CREATE TABLE t (a INT, c CHAR(3));\nBEGIN;\nINSERT INTO t VALUES (1, 'x');\nCOMMIT;\nSELECT a, c || '!' FROM t;\n")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.Contains(string(out), "CREATE TABLE\nBEGIN\nINSERT 0 1\nCOMMIT\n1|x!\n") {
		t.Errorf("%s", out)
	}
}
