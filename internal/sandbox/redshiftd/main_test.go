package redshiftd

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testRole = "arn:aws:iam::123456789012:role/copy"

func testConfig(dir string) Config {
	return Config{Dir: dir, Listen: "127.0.0.1:0", Database: "analytics", Users: map[string]string{"loader": "secret"}, Roles: []string{testRole}}
}

// startServer runs a server for the test's length.
func startServer(t *testing.T, change func(*Config)) *Server {
	t.Helper()
	c := testConfig(t.TempDir())
	if change != nil {
		change(&c)
	}
	s, err := Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

func dial(t *testing.T, s *Server, options string) *pgx.Conn {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgres://loader:secret@"+s.Addr()+"/analytics?sslmode=prefer"+options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// exec runs statements by the simple protocol.
func execAll(t *testing.T, c *pgx.Conn, stmts ...string) {
	t.Helper()
	for _, q := range stmts {
		if _, err := c.Exec(context.Background(), q); err != nil {
			t.Fatalf("%s: %s", q, describeError(err))
		}
	}
}

func describeError(err error) string {
	if err == nil {
		return ""
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code + " " + pg.Message + " " + pg.Detail
	}
	return err.Error()
}

// wantError checks SQLSTATE of an error.
func wantError(t *testing.T, err error, code string) *pgconn.PgError {
	t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		t.Fatalf("got %v, want SQLSTATE %s", err, code)
	}
	if pg.Code != code {
		t.Fatalf("got %s, want SQLSTATE %s", describeError(err), code)
	}
	return pg
}

// table reads all rows of a query as text; NULL is "NULL".
func table(t *testing.T, c *pgx.Conn, query string) [][]string {
	t.Helper()
	out, err := readTable(c, query)
	if err != nil {
		t.Fatalf("%s: %s", query, describeError(err))
	}
	return out
}

func readTable(c *pgx.Conn, query string) ([][]string, error) {
	results, err := c.PgConn().Exec(context.Background(), query).ReadAll()
	if err != nil {
		return nil, err
	}
	var out [][]string
	for _, r := range results {
		for _, row := range r.Rows {
			var line []string
			for _, v := range row {
				if v == nil {
					line = append(line, "NULL")
				} else {
					line = append(line, string(v))
				}
			}
			out = append(out, line)
		}
	}
	return out, nil
}
