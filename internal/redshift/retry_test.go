package redshift

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"backfill/internal/fail"
)

func refusal(code, message string) *pgproto3.ErrorResponse {
	return &pgproto3.ErrorResponse{Severity: "FATAL", Code: code, Message: message}
}

func TestPauses(t *testing.T) {
	r := Retry{Tries: 70, Within: time.Hour, First: time.Second, Most: 8 * time.Second}
	try := r.start()
	for i, most := range []time.Duration{1, 2, 4, 8, 8, 8} {
		d, left := try.pause()
		if most *= time.Second; d < most/2 || d > most || !left {
			t.Errorf("pause %d is %s, %t", i+1, d, left)
		}
	}
	for try.tries < 69 {
		if d, left := try.pause(); d > r.Most || left != (try.tries < 70) {
			t.Errorf("pause %d is %s, %t", try.tries, d, left)
		}
	}
	if _, left := try.pause(); left {
		t.Error("more tries than allowed")
	}
	late := Retry{Tries: 9, Within: time.Second, First: time.Minute, Most: time.Minute}.start()
	if _, left := late.pause(); left {
		t.Error("a try would begin after the deadline")
	}
}

// Each attempt asks for a new login, and only what a moment may mend is tried again.
func TestConnectingAgain(t *testing.T) {
	tests := []struct {
		name  string
		fatal *pgproto3.ErrorResponse
		times int // that the server refuses
		tries int
		code  fail.Code // "": connects
	}{
		{"starting up", refusal("57P03", "the database system is starting up"), 2, 3, ""},
		{"too many connections", refusal("53300", "too many connections"), 2, 3, ""},
		{"shutting down", refusal("57P01", "terminating connection"), 1, 2, ""},
		{"resize", refusal("XX000", "system is in resize mode"), 1, 2, ""},
		{"cut", nil, 2, 3, ""},
		{"too often", refusal("57P03", "the database system is starting up"), 9, 3, fail.Service},
		{"login refused", refusal("28000", "no"), 9, 1, fail.Credentials},
		{"no database", refusal("3D000", "no"), 9, 1, fail.NotFoundInput},
		{"unknown", refusal("XX000", "no"), 9, 1, fail.Internal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, nil)
			s.refuse = func(n int) (bool, *pgproto3.ErrorResponse) { return n <= test.times, test.fatal }
			config := s.config()
			login, logins := config.Login, 0
			config.Login = func(ctx context.Context) (Login, error) { logins++; return login(ctx) }
			var repeats []string
			config.OnRetry = func(r Repeat) {
				repeats = append(repeats, fmt.Sprintf("%s %d/%d", r.What, r.Try, r.Tries))
				if r.Pause <= 0 || r.Pause > 2*time.Millisecond || r.Err == nil {
					t.Errorf("%+v", r)
				}
			}
			conn, err := Connect(context.Background(), config)
			if test.code == "" != (err == nil) || err != nil && !fail.Is(err, test.code) {
				t.Fatalf("%v", err)
			}
			if conn != nil {
				if err := conn.Close(context.Background()); err != nil {
					t.Error(err)
				}
			}
			if logins != test.tries || len(repeats) != test.tries-1 || len(repeats) > 0 && repeats[0] != "connecting 1/3" {
				t.Errorf("%d logins, %v", logins, repeats)
			}
		})
	}
}

// A login whose password is kept as SHA-256 is asked in a way that only
// Amazon's drivers know; trying again does not help.
func TestUnknownAuthentication(t *testing.T) {
	s := startServer(t, nil)
	s.authentication = 13
	config := s.config()
	config.OnRetry = func(r Repeat) { t.Errorf("repeated after %v", r.Err) }
	_, err := Connect(context.Background(), config)
	if !fail.Is(err, fail.Credentials) || !strings.Contains(err.Error(), "the warehouse asks for the password in a way that is not supported (") ||
		!strings.HasSuffix(err.Error(), "unknown authentication type: 13)") {
		t.Errorf("%v", err)
	}
}

func TestLoginFails(t *testing.T) {
	own := fail.New(fail.Permission, "not allowed")
	config := Config{Login: func(context.Context) (Login, error) { return Login{}, own }, OnRetry: func(Repeat) { t.Error("repeated") }}
	if _, err := Connect(context.Background(), config); !errors.Is(err, own) {
		t.Errorf("%v", err)
	}
	if _, err := Connect(context.Background(), Config{}); !fail.Is(err, fail.Internal) {
		t.Errorf("%v", err)
	}
}

func TestStoppedWhileWaiting(t *testing.T) {
	s := startServer(t, nil)
	s.refuse = func(int) (bool, *pgproto3.ErrorResponse) { return true, refusal("57P03", "starting up") }
	config := s.config()
	config.Connecting = Retry{First: time.Hour, Most: time.Hour, Within: 3 * time.Hour}
	ctx, stop := context.WithCancel(context.Background())
	config.OnRetry = func(Repeat) { stop() }
	if _, err := Connect(ctx, config); fail.ExitOf(err) != fail.ExitTerminated {
		t.Errorf("%v", err)
	}
}

func TestCopyAgain(t *testing.T) {
	statement := CopyStatement{Table: "stage", Columns: []string{"a"}, Manifest: "s3://b/m", IAMRole: "default"}
	sql, err := CopySQL(statement)
	if err != nil {
		t.Fatal(err)
	}
	throttled := answer{err: &pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "Spectrum Scan Error", Detail: scan("Access throttled by S3").Detail}}
	refused := answer{err: &pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "Spectrum Scan Error", Detail: scan("File not found").Detail}}
	one := func(n string) answer { return answer{columns: []string{"n"}, rows: [][]any{{n}}, tag: "SELECT"} }
	const count, copied = `SELECT COUNT(*) FROM "stage"`, "SELECT pg_last_copy_count()"
	tests := []struct {
		name    string
		answers []answer // of the COPYs in turn; the last one for all further
		left    string   // rows in the stage afterwards
		copies  int
		code    fail.Code
	}{
		{"throttled twice", []answer{throttled, throttled, {tag: "COPY"}}, "0", 3, ""},
		{"always throttled", []answer{throttled}, "0", 3, fail.Throttled},
		{"rows are there", []answer{throttled, {tag: "COPY"}}, "7", 1, fail.Throttled},
		{"refused", []answer{refused, {tag: "COPY"}}, "0", 1, fail.LoadRefused},
		{"cut", []answer{{cut: true}, {tag: "COPY"}}, "0", 1, fail.Network},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, map[string]answer{count: one(test.left), copied: one("42"), "SELECT pg_last_copy_id()": one("-1")})
			var n atomic.Int32
			s.answer = func(text string) (answer, bool) {
				if text != sql {
					return answer{}, false
				}
				return test.answers[min(int(n.Add(1)), len(test.answers))-1], true
			}
			c := connect(t, s, s.config())
			rows, err := c.Copy(context.Background(), statement)
			if test.code == "" && (err != nil || rows != 42) || test.code != "" && !fail.Is(err, test.code) {
				t.Errorf("%d, %v", rows, err)
			}
			if n := n.Load(); int(n) != test.copies {
				t.Errorf("%d COPYs", n)
			}
		})
	}
	t.Run("in a transaction", func(t *testing.T) {
		s := startServer(t, map[string]answer{sql: throttled})
		s.status = 'E'
		c := connect(t, s, s.config())
		if _, err := c.Copy(context.Background(), statement); !fail.Is(err, fail.Throttled) {
			t.Errorf("%v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := strings.Count(strings.Join(s.log, "\n"), "COPY"); got != 1 {
			t.Errorf("%d COPYs", got)
		}
	})
}

// What the client's copy of a refusal does not say comes from the view, without
// any value of the row, and within a bound when the view lags.
func TestLoadErrors(t *testing.T) {
	statement := CopyStatement{Table: "stage", Columns: []string{"a"}, Manifest: "s3://b/m", IAMRole: "default"}
	sql, err := CopySQL(statement)
	if err != nil {
		t.Fatal(err)
	}
	const view = "SELECT file_name, line_number, column_name, column_type, column_length, position, error_code, error_message\n" +
		"FROM sys_load_error_detail\nWHERE query_id = 77\nORDER BY start_time, file_name, line_number\nLIMIT 3"
	columns := []string{"file_name", "line_number", "column_name", "column_type", "column_length", "position", "error_code", "error_message"}
	failed := answer{err: &pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "Spectrum Scan Error",
		Detail: scan("The length of the data column note is longer than the le").Detail}}
	row := []any{"s3://lake/1.parquet   ", "7", "note  ", "varchar ", "256 ", "0", "15007",
		"The length of the data column note is longer than the length defined in the table. Table: 256, Data: 320, File name: https://s3.eu-west-1.amazonaws.com/lake/1.parquet"}
	digit := []any{"s3://lake/1.parquet", "0", "n", "int4", "0", "3", "1207", "Invalid digit, Value 'DE89 3704', Pos 3, Type: Integer"}
	s := startServer(t, map[string]answer{
		sql: failed, "SELECT pg_last_copy_id()": {columns: []string{"n"}, rows: [][]any{{"77"}}, tag: "SELECT"},
		view: {columns: columns, rows: [][]any{row, digit}, tag: "SELECT"},
	})
	c := connect(t, s, s.config())
	_, err = c.Copy(context.Background(), statement)
	want := "The length of the data column note is longer than the le (code 15007) (SQLSTATE XX000); " +
		"s3://lake/1.parquet, line 7, column note (varchar 256): column note holds 320 bytes in s3://lake/1.parquet, the table takes 256 (code 15007); " +
		"s3://lake/1.parquet, column n (int4 0): Invalid digit (value left out) (code 1207)"
	if !fail.Is(err, fail.LoadRefused) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	// The view lags: the refusal comes out as it is.
	lagging := startServer(t, map[string]answer{
		sql: failed, "SELECT pg_last_copy_id()": {columns: []string{"n"}, rows: [][]any{{"77"}}, tag: "SELECT"}, view: {columns: columns, tag: "SELECT"},
	})
	l := connect(t, lagging, lagging.config())
	l.patience = 30 * time.Millisecond
	if _, err := l.Copy(context.Background(), statement); !fail.Is(err, fail.LoadRefused) || !strings.HasSuffix(err.Error(), "than the le (code 15007) (SQLSTATE XX000)") {
		t.Errorf("%v", err)
	}
	// The same id again: this COPY never began, the rows are of the one before.
	if _, err = c.Copy(context.Background(), statement); strings.Contains(err.Error(), "320 bytes") {
		t.Errorf("%v", err)
	}
}

func TestLockWait(t *testing.T) {
	s := startServer(t, map[string]answer{"LOCK TABLE l": {hang: true}})
	config := s.config()
	config.LockWait = 20 * time.Millisecond
	c := connect(t, s, config)
	_, err := c.Exec(context.Background(), "LOCK TABLE l")
	if !fail.Is(err, fail.Conflict) || err.Error() != "the lock was not free within 20ms" {
		t.Errorf("%v", err)
	}
	if err := c.Rollback(context.Background()); err != nil {
		t.Errorf("the session is gone: %v", err)
	}
}
