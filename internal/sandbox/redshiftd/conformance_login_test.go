package redshiftd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// TestConformanceLogin is rows 9.2.1 and 9.3.1: how a session begins, by the Go client and by psql. params are of the
// startup message.
func TestConformanceLogin(t *testing.T) {
	plain := startServer(t, nil)
	clear := startServer(t, func(c *Config) { c.Authentication = Cleartext })
	secure, caFile := secured(t, func(c *Config) { c.RequireTLS = true })
	for _, tt := range []struct {
		row          string
		server       *Server
		sslMode      string
		params       map[string]string
		user         string
		password     string
		database     string
		code, answer string // answer is a part of the refusal
	}{
		{row: "9.2.1 no SSLRequest, MD5 password", server: plain, sslMode: "disable"},
		{row: "9.2.1 SSLRequest refused", server: plain, sslMode: "prefer"},
		{row: "9.2.1 SSLRequest granted", server: secure, sslMode: "verify-full"},
		{row: "9.2.1 SSLRequest missing", server: secure, sslMode: "disable", code: "28000", answer: "SSL off"},
		{row: "9.2.1 cleartext password", server: clear, sslMode: "disable"},
		{row: "9.2.1 wrong MD5 password", server: plain, sslMode: "disable", password: "x", code: "28000", answer: `password authentication failed for user "loader"`},
		{row: "9.2.1 wrong cleartext password", server: clear, sslMode: "disable", password: "x", code: "28000", answer: `password authentication failed for user "loader"`},
		{row: "9.2.1 unknown user", server: plain, sslMode: "disable", user: "nobody", code: "28000", answer: `password authentication failed for user "nobody"`},
		{row: "9.2.1 unknown database", server: plain, sslMode: "disable", database: "other", code: "3D000", answer: `database "other" does not exist`},
		{row: "9.2.1 application_name and client_encoding", server: plain, sslMode: "disable", params: map[string]string{"application_name": "suite", "client_encoding": "UTF8"}},
		{row: "9.3.1 unknown startup parameter", server: plain, sslMode: "disable", params: map[string]string{"standard_conforming_strings": "on"}, code: "42704",
			answer: `unrecognized configuration parameter "standard_conforming_strings"`},
		{row: "9.3.1 extra_float_digits", server: plain, sslMode: "disable", params: map[string]string{"extra_float_digits": "3"}, code: "42704",
			answer: `unrecognized configuration parameter "extra_float_digits"`},
	} {
		or := func(s, other string) string {
			if s == "" {
				return other
			}
			return s
		}
		user, password, database := or(tt.user, "loader"), or(tt.password, "secret"), or(tt.database, "analytics")
		t.Run("pgx/"+tt.row, func(t *testing.T) {
			config, err := pgx.ParseConfig("postgres://x@" + tt.server.Addr() + "/" + database + "?sslmode=" + tt.sslMode + "&sslrootcert=" + caFile)
			if err != nil {
				t.Fatal(err)
			}
			config.User, config.Password = user, password
			for name, value := range tt.params {
				config.RuntimeParams[name] = value
			}
			c, err := pgx.ConnectConfig(t.Context(), config)
			if err == nil {
				defer c.Close(context.Background())
			}
			var pg *pgconn.PgError
			switch {
			case tt.code != "" && (!errors.As(err, &pg) || pg.Code != tt.code || pg.Severity != "FATAL" || !strings.Contains(pg.Message, tt.answer)):
				t.Errorf("got %v", err)
			case tt.code == "" && err != nil:
				t.Error(err)
			case tt.code == "":
				checkStatus(t, c.PgConn())
			}
		})
		t.Run("psql/"+tt.row, func(t *testing.T) {
			path, err := exec.LookPath("psql")
			if err != nil {
				t.Fatal("psql is not installed: apt-get install postgresql-client")
			}
			host, port, _ := strings.Cut(tt.server.Addr(), ":")
			cmd := exec.CommandContext(t.Context(), path, "-X", "-A", "-t", "-w", "-h", host, "-p", port, "-U", user, "-d", database,
				"-c", `\echo :SERVER_VERSION_NAME`, "-c", "SELECT 'in'")
			cmd.Env = append(os.Environ(), "PGPASSWORD="+password, "PGSSLMODE="+tt.sslMode, "PGSSLROOTCERT="+caFile)
			var options []string
			for name, value := range tt.params {
				if variable, ok := map[string]string{"application_name": "PGAPPNAME", "client_encoding": "PGCLIENTENCODING"}[name]; ok {
					cmd.Env = append(cmd.Env, variable+"="+value)
				} else {
					options = append(options, "-c "+name+"="+value)
				}
			}
			if options != nil {
				cmd.Env = append(cmd.Env, "PGOPTIONS="+strings.Join(options, " "))
			}
			out, err := cmd.CombinedOutput()
			switch {
			case tt.code == "" && (err != nil || string(out) != "8.0.2\nin\n"):
				t.Errorf("%v: %s", err, out)
			case tt.code != "" && (err == nil || !strings.Contains(string(out), "FATAL:  ") || !strings.Contains(string(out), tt.answer)):
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// checkStatus looks at what a session is told at its start.
func checkStatus(t *testing.T, c *pgconn.PgConn) {
	t.Helper()
	for name, want := range map[string]string{"server_version": "8.0.2", "client_encoding": "UNICODE", "server_encoding": "UNICODE", "DateStyle": "ISO, MDY",
		"TimeZone": "UTC", "integer_datetimes": "on", "is_superuser": "off", "session_authorization": "loader", "standard_conforming_strings": ""} {
		if got := c.ParameterStatus(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if c.PID() == 0 || len(c.SecretKey()) == 0 {
		t.Error("no BackendKeyData")
	}
}

// TestConformanceExtended is rows 9.2.2 and 9.3.7: the extended protocol. psql speaks the simple one only, which the rest of
// the suite plays by both clients.
func TestConformanceExtended(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE t (a INT, b VARCHAR(9), n DECIMAL(18,2))", "INSERT INTO t VALUES (1, 'x', 1.5)")
	ctx := t.Context()
	t.Run("9.2.2 named statement", func(t *testing.T) {
		d, err := c.Prepare(ctx, "named", "SELECT a, b FROM t WHERE a = $1")
		if err != nil || len(d.ParamOIDs) != 1 || d.ParamOIDs[0] != 23 || len(d.Fields) != 2 {
			t.Fatal(d, err)
		}
		var a int
		var b string
		for range 2 {
			if err := c.QueryRow(ctx, "named", 1).Scan(&a, &b); err != nil || a != 1 || b != "x" {
				t.Error(a, b, err)
			}
		}
		if err := c.Deallocate(ctx, "named"); err != nil {
			t.Error(err)
		}
	})
	t.Run("9.2.2 unnamed statement and portal", func(t *testing.T) {
		r := c.PgConn().ExecParams(ctx, "SELECT b FROM t WHERE a = $1", [][]byte{[]byte("1")}, []uint32{23}, nil, []int16{0}).Read()
		if r.Err != nil || len(r.Rows) != 1 || string(r.Rows[0][0]) != "x" || r.CommandTag.String() != "SELECT" {
			t.Error(r)
		}
	})
	t.Run("9.2.2 Describe of a statement without rows", func(t *testing.T) {
		d, err := c.PgConn().Prepare(ctx, "", "INSERT INTO t (a, b) VALUES ($1, $2)", nil)
		if err != nil || len(d.Fields) != 0 || len(d.ParamOIDs) != 2 {
			t.Error(d, err)
		}
	})
	t.Run("9.2.2 NUMERIC in binary", func(t *testing.T) {
		wantError(t, c.PgConn().ExecParams(ctx, "SELECT n FROM t", nil, nil, nil, []int16{1}).Read().Err, "0A000")
	})
	t.Run("9.2.2 an error is over at Sync", func(t *testing.T) {
		wantError(t, c.PgConn().ExecParams(ctx, "SELECT nope FROM t", nil, nil, nil, nil).Read().Err, "42703")
		if r := c.PgConn().ExecParams(ctx, "SELECT 1", nil, nil, nil, nil).Read(); r.Err != nil {
			t.Error(r.Err)
		}
	})
	t.Run("9.3.7 COPY with parameters", func(t *testing.T) {
		_, err := c.Exec(ctx, "COPY t FROM $1 IAM_ROLE default PARQUET", pgx.QueryExecModeExec, "s3://lake/x")
		if pg := wantError(t, err, "42601"); pg.Message != `syntax error at or near "$1"` {
			t.Error(pg.Message)
		}
	})
}
