package redshiftd

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

var queryModes = []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec}

// TestParameters sends and reads values of every type in all of the client's modes but the simple one.
func TestParameters(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE p (m INT, i2 SMALLINT, i4 INT, i8 BIGINT, b BOOLEAN, f FLOAT8, s VARCHAR(20), c CHAR(4), d DATE, ts TIMESTAMP, tz TIMESTAMPTZ, n DECIMAL(18,2))")
	at := time.Date(2024, 2, 29, 1, 2, 3, 456789000, time.UTC)
	for _, mode := range queryModes {
		_, err := c.Exec(t.Context(), "INSERT INTO p VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12)", mode,
			int(mode), -2, 4, int64(-1)<<63, true, 1.25, "it's \\ ä", "ab", at, at, at, "-0.05")
		if err != nil {
			t.Fatal(mode, describeError(err))
		}
		var i2, i4, i8 int64
		var b bool
		var f float64
		var s, char, n string
		var d, ts, tz time.Time
		err = c.QueryRow(t.Context(), "SELECT i2,i4,i8,b,f,s,c,d,ts,tz,n::VARCHAR FROM p WHERE m = $1 AND s = $2 AND ts >= $3 AND d = $4", mode, int(mode), "it's \\ ä", at, at).
			Scan(&i2, &i4, &i8, &b, &f, &s, &char, &d, &ts, &tz, &n)
		if err != nil {
			t.Fatal(mode, describeError(err))
		}
		if i2 != -2 || i4 != 4 || i8 != -1<<63 || !b || f != 1.25 || s != "it's \\ ä" || char != "ab  " || !d.Equal(at.Truncate(24*time.Hour)) || !ts.Equal(at) || !tz.Equal(at) || n != "-0.05" {
			t.Error(mode, i2, i4, i8, b, f, s, char, d, ts, tz, n)
		}
		var null *string
		if err := c.QueryRow(t.Context(), "SELECT NVL($1, 'none')", mode, null).Scan(&s); err != nil || s != "none" {
			t.Error(mode, s, err)
		}
		var count int
		if err := c.QueryRow(t.Context(), "SELECT COUNT(*) FROM p WHERE m = $1 AND n = $2 AND m IN ($3, $1)", mode, int(mode), "-0.05", 99).Scan(&count); err != nil || count != 1 {
			t.Error(mode, count, err)
		}
	}
	err := c.QueryRow(t.Context(), "SELECT n FROM p", pgx.QueryExecModeCacheStatement).Scan(new(string))
	if pg := wantError(t, err, "0A000"); !strings.HasPrefix(pg.Message, "numeric in binary format") {
		t.Error(pg.Message)
	}
	if _, err := c.Exec(t.Context(), "COPY p FROM $1", pgx.QueryExecModeExec, "x"); wantError(t, err, "42601").Message != `syntax error at or near "$1"` {
		t.Error(err)
	}
	rows, err := c.Query(t.Context(), "SELECT 1", pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		rows.Close()
		err = rows.Err()
	}
	if err == nil || !strings.Contains(err.Error(), "standard_conforming_strings") {
		t.Error("the simple mode of the client works:", err)
	}
}

func TestDescribe(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE p (a INT, s VARCHAR(20), d DATE)")
	d, err := c.PgConn().Prepare(t.Context(), "x", "SELECT a AS x, s, UPPER(s), COUNT(*), SUM(a) FROM p WHERE a = $1 AND s LIKE $2 AND d BETWEEN $3 AND $4::date AND $5::timestamp > d GROUP BY 1, 2, 3", nil)
	if err != nil {
		t.Fatal(describeError(err))
	}
	if want := []uint32{23, 1043, 1082, 1082, 1114}; !reflect.DeepEqual(d.ParamOIDs, want) {
		t.Error(d.ParamOIDs)
	}
	var names []string
	for _, f := range d.Fields {
		names = append(names, f.Name)
	}
	if got := strings.Join(names, ","); got != "x,s,upper,count,sum" {
		t.Error(got)
	}
	_, err = c.PgConn().Prepare(t.Context(), "x", "SELECT 1", nil)
	wantError(t, err, "42P05")
	_, err = c.PgConn().Prepare(t.Context(), "y", "SELECT 1; SELECT 2", nil)
	wantError(t, err, "42601")
	if got := table(t, c, "SELECT 1"); got[0][0] != "1" {
		t.Error(got)
	}
}

func TestLogin(t *testing.T) {
	s := startServer(t, nil)
	for _, tt := range []struct{ url, code, message string }{
		{"postgres://loader:wrong@%/analytics", "28000", `password authentication failed for user "loader"`},
		{"postgres://nobody:secret@%/analytics", "28000", ""},
		{"postgres://loader:secret@%/other", "3D000", `database "other" does not exist`},
		{"postgres://loader:secret@%/analytics?standard_conforming_strings=on", "42704", `unrecognized configuration parameter "standard_conforming_strings"`},
		{"postgres://loader:secret@%/analytics?extra_float_digits=3", "42704", ""},
	} {
		_, err := pgx.Connect(t.Context(), strings.Replace(tt.url, "%", s.Addr(), 1))
		if pg := wantError(t, err, tt.code); pg.Severity != "FATAL" || !strings.Contains(pg.Message, tt.message) {
			t.Error(pg)
		}
	}
	c := dial(t, s, "&application_name=test&client_encoding=UTF8")
	for name, want := range map[string]string{"server_version": "8.0.2", "client_encoding": "UNICODE", "standard_conforming_strings": "", "TimeZone": "UTC"} {
		if got := c.PgConn().ParameterStatus(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := table(t, c, "SELECT pg_backend_pid(), version(), pg_last_copy_id(), pg_last_copy_count()")[0]; !strings.Contains(got[1], "Redshift 1.0.") || got[2] != "-1" || got[3] != "0" {
		t.Error(got)
	}
	if want := "redshift://loader@" + s.Addr() + "/analytics"; s.URL("loader") != want {
		t.Error(s.URL("loader"))
	}
}

// TestSessionsAreApart sends rubbish on one connection; others go on. Temporary tables and settings are a session's own.
func TestSessionsAreApart(t *testing.T) {
	s := startServer(t, nil)
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TEMP TABLE t (a INT)", "INSERT INTO t VALUES (1)", "SET query_group TO 'x'")
	_, err := readTable(b, "SELECT * FROM t")
	wantError(t, err, "42P01")
	if got := table(t, b, "SHOW query_group"); got[0][0] != "unset" {
		t.Error(got)
	}
	for _, junk := range [][]byte{bytes.Repeat([]byte{0xff}, 100), binary.BigEndian.AppendUint32(nil, 4), []byte("GET / HTTP/1.1\r\n\r\n")} {
		conn, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Write(junk); err != nil {
			t.Fatal(err)
		}
		conn.Close()
	}
	if got := table(t, a, "SELECT a FROM t"); got[0][0] != "1" {
		t.Error(got)
	}
}

// TestNotices shows the INFO messages of a COPY and of a leader-node function.
func TestNotices(t *testing.T) {
	s, store := copyServer(t, nil)
	var notices []string
	config, err := pgx.ParseConfig("postgres://loader:secret@" + s.Addr() + "/analytics")
	if err != nil {
		t.Fatal(err)
	}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) { notices = append(notices, n.Severity+":"+n.Message) }
	c, err := pgx.ConnectConfig(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	store.manifest(parquetFile(t, events(1, 3)))
	execAll(t, c, eventTable, eventCopy)
	_, err = c.Exec(t.Context(), "SELECT now(), id FROM e")
	wantError(t, err, "0A000")
	execAll(t, c, "BEGIN", "BEGIN", "ROLLBACK")
	want := []string{"INFO: Load into table 'e' completed, 3 record(s) loaded successfully.", `INFO:Function "now()" not supported.`, "WARNING:there is already a transaction in progress"}
	if !reflect.DeepEqual(notices, want) {
		t.Errorf("%q", notices)
	}
}
