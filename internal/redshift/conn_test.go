package redshift

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"backfill/internal/fail"
)

// answer is what the server says to a statement.
type answer struct {
	columns []string
	rows    [][]any // string or nil
	tag     string
	err     *pgproto3.ErrorResponse
	notice  string
	cut     bool // the connection is closed without an answer
	hang    bool // no answer until a cancel request comes
}

// server speaks just enough of the protocol, and shows at start-up what
// Redshift shows: no standard_conforming_strings, client_encoding UNICODE.
type server struct {
	t        *testing.T
	listener net.Listener
	answers  map[string]answer // by statement
	password string
	cancel   chan struct{}
	hung     chan struct{}

	tls            *tls.Config                                 // nil: an SSLRequest is answered 'N'
	plain          atomic.Bool                                 // a start-up message came without TLS
	status         byte                                        // of the transaction; 0: none
	authentication byte                                        // asked for instead of a cleartext password; 0: none
	refuse         func(n int) (bool, *pgproto3.ErrorResponse) // of the nth connection; without an answer it is cut
	answer         func(sql string) (answer, bool)             // before answers
	starts         int

	mu     sync.Mutex
	log    []string          // "simple: …" and "extended: …"
	params map[string]string // of the start-up
	bound  []string
	wg     sync.WaitGroup
}

func startServer(t *testing.T, answers map[string]answer) *server {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, listener: listener, answers: answers, password: "hunter2", cancel: make(chan struct{}, 8), hung: make(chan struct{}, 8)}
	s.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.wg.Go(func() { defer conn.Close(); s.serve(conn) })
		}
	})
	t.Cleanup(func() { listener.Close(); s.wg.Wait() })
	return s
}

func (s *server) config() Config {
	at := s.listener.Addr().(*net.TCPAddr)
	return configOf(Login{Host: at.IP.String(), Port: uint16(at.Port), Database: "analytics", User: "loader", Password: "hunter2"})
}

// configOf has pauses that a test does not notice.
func configOf(login Login) Config {
	quick := Retry{Tries: 3, First: time.Millisecond, Most: 2 * time.Millisecond}
	return Config{
		Login: func(context.Context) (Login, error) { return login, nil }, TLS: TLS{Off: true}, ApplicationName: "backfill",
		Connecting: quick, Copying: quick,
	}
}

func (s *server) serve(conn net.Conn) {
	backend := pgproto3.NewBackend(conn, conn)
	first, err := backend.ReceiveStartupMessage()
	if err != nil {
		return
	}
	if _, ok := first.(*pgproto3.SSLRequest); ok && s.tls != nil {
		if _, err := conn.Write([]byte{'S'}); err != nil {
			return
		}
		secured := tls.Server(conn, s.tls)
		backend = pgproto3.NewBackend(secured, secured)
		if first, err = backend.ReceiveStartupMessage(); err != nil {
			return
		}
	} else if ok {
		_, _ = conn.Write([]byte{'N'}) // the client leaves
		if first, err = backend.ReceiveStartupMessage(); err != nil {
			return
		}
		s.plain.Store(true)
	}
	start, ok := first.(*pgproto3.StartupMessage)
	if !ok {
		if _, ok := first.(*pgproto3.CancelRequest); ok {
			s.cancel <- struct{}{}
		}
		return
	}
	s.mu.Lock()
	s.params = start.Parameters
	s.starts++
	n := s.starts
	s.mu.Unlock()
	if s.refuse != nil {
		if no, why := s.refuse(n); no {
			if why != nil {
				backend.Send(why)
				_ = backend.Flush() // the test sees what the client makes of it
			}
			return
		}
	}
	if s.authentication != 0 {
		_, _ = conn.Write([]byte{'R', 0, 0, 0, 8, 0, 0, 0, s.authentication}) // the client leaves
		return
	}
	backend.Send(&pgproto3.AuthenticationCleartextPassword{})
	if backend.SetAuthType(pgproto3.AuthTypeCleartextPassword) != nil || backend.Flush() != nil {
		return
	}
	message, err := backend.Receive()
	if err != nil {
		return
	}
	if given, ok := message.(*pgproto3.PasswordMessage); !ok || given.Password != s.password {
		backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "28000", Message: `password authentication failed for user "loader"`})
		_ = backend.Flush()
		return
	}
	backend.Send(&pgproto3.AuthenticationOk{})
	backend.Send(&pgproto3.ParameterStatus{Name: "server_version", Value: "8.0.2"})
	backend.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UNICODE"})
	backend.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 2}})
	backend.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if backend.Flush() == nil {
		s.converse(backend)
	}
}

func (s *server) converse(backend *pgproto3.Backend) {
	parsed := ""
	for {
		message, err := backend.Receive()
		if err != nil {
			return
		}
		switch m := message.(type) {
		case *pgproto3.Query:
			if !s.reply(backend, "simple: ", m.String) {
				return
			}
			backend.Send(&pgproto3.ReadyForQuery{TxStatus: s.txStatus()})
		case *pgproto3.Parse:
			parsed = m.Query
		case *pgproto3.Bind:
			s.mu.Lock()
			for _, p := range m.Parameters {
				s.bound = append(s.bound, string(p))
			}
			s.mu.Unlock()
		case *pgproto3.Execute:
			if !s.reply(backend, "extended: ", parsed) {
				return
			}
		case *pgproto3.Sync:
			backend.Send(&pgproto3.ReadyForQuery{TxStatus: s.txStatus()})
		case *pgproto3.Terminate:
			return
		}
		if backend.Flush() != nil {
			return
		}
	}
}

func (s *server) txStatus() byte {
	if s.status != 0 {
		return s.status
	}
	return 'I'
}

// reply answers one statement; false: the connection is to be closed.
func (s *server) reply(backend *pgproto3.Backend, protocol, sql string) bool {
	s.mu.Lock()
	s.log = append(s.log, protocol+sql)
	s.mu.Unlock()
	a, ok := s.answers[sql]
	if s.answer != nil {
		if own, has := s.answer(sql); has {
			a, ok = own, true
		}
	}
	if !ok {
		a = answer{tag: strings.ToUpper(strings.Fields(sql)[0])}
	}
	if a.cut {
		return false
	}
	if a.hang {
		s.hung <- struct{}{}
		<-s.cancel
		a.err = &pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014", Message: "Query (1) cancelled on user's request"}
	}
	if protocol == "extended: " {
		backend.Send(&pgproto3.ParseComplete{})
		backend.Send(&pgproto3.BindComplete{})
	}
	if a.notice != "" {
		backend.Send(&pgproto3.NoticeResponse{Severity: "INFO", Message: a.notice})
	}
	if a.err != nil {
		backend.Send(a.err)
		return true
	}
	if a.columns != nil {
		s.sendRows(backend, a)
	}
	backend.Send(&pgproto3.CommandComplete{CommandTag: []byte(a.tag)})
	return true
}

func (s *server) sendRows(backend *pgproto3.Backend, a answer) {
	var fields []pgproto3.FieldDescription
	for _, name := range a.columns {
		fields = append(fields, pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: 1043, DataTypeSize: -1})
	}
	backend.Send(&pgproto3.RowDescription{Fields: fields})
	for _, row := range a.rows {
		values := make([][]byte, len(row))
		for i, v := range row {
			if v != nil {
				values[i] = []byte(v.(string))
			}
		}
		backend.Send(&pgproto3.DataRow{Values: values})
	}
}

func connect(t *testing.T, s *server, config Config) *Conn {
	t.Helper()
	c, err := Connect(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestSession(t *testing.T) {
	s := startServer(t, map[string]answer{
		"SELECT a":                    {columns: []string{"a", "b"}, rows: [][]any{{"12.50", "7"}, {nil, "8"}}, tag: "SELECT"},
		"DELETE FROM t WHERE a = $1":  {tag: "DELETE 3"},
		"SELECT pg_last_copy_count()": {columns: []string{"n"}, rows: [][]any{{"42"}}, tag: "SELECT"},
	})
	config := s.config()
	config.QueryGroup, config.StatementTimeout = "back'fill", 90*time.Second
	c := connect(t, s, config)
	ctx := context.Background()
	var got []string
	err := c.Query(ctx, "SELECT a", func(r Scanner) error {
		var a *string
		var b int64
		if err := r.Scan(&a, &b); err != nil {
			return err
		}
		if a == nil {
			a = new(string)
		}
		got = append(got, *a+"/"+string(rune('0'+b)))
		return nil
	})
	if err != nil || strings.Join(got, " ") != "12.50/7 /8" {
		t.Errorf("%v, %v", got, err)
	}
	stop := errors.New("stop")
	if err := c.Query(ctx, "SELECT a", func(Scanner) error { return stop }); err != stop {
		t.Errorf("%v", err)
	}
	if rows, err := c.Exec(ctx, "DELETE FROM t WHERE a = $1", "x'y"); err != nil || rows != 3 {
		t.Errorf("%d, %v", rows, err)
	}
	copying := CopyStatement{Table: "s", Columns: []string{"a"}, Manifest: "s3://b/m", IAMRole: "default"}
	if rows, err := c.Copy(ctx, copying); err != nil || rows != 42 {
		t.Errorf("%d, %v", rows, err)
	}
	if _, err := c.Copy(ctx, CopyStatement{}); err == nil {
		t.Error("an empty COPY passes")
	}
	for _, step := range []func(context.Context) error{c.Begin, c.Commit, c.Rollback} {
		if err := step(ctx); err != nil {
			t.Error(err)
		}
	}
	text, err := CopySQL(copying)
	if err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	want := []string{
		"simple: SET timezone TO 'UTC'", "simple: SET query_group TO 'back''fill'", "simple: SET statement_timeout TO 90000",
		"extended: SELECT a", "extended: SELECT a", "extended: DELETE FROM t WHERE a = $1",
		"simple: " + text, "extended: SELECT pg_last_copy_count()", "simple: BEGIN", "simple: COMMIT", "simple: ROLLBACK",
	}
	if strings.Join(s.log, "\n") != strings.Join(want, "\n") {
		t.Errorf("statements\n%s\nwant\n%s", strings.Join(s.log, "\n"), strings.Join(want, "\n"))
	}
	if len(s.params) != 3 || s.params["application_name"] != "backfill" || s.params["user"] != "loader" || s.params["database"] != "analytics" {
		t.Errorf("start-up parameters %v", s.params)
	}
	if len(s.bound) != 1 || s.bound[0] != "x'y" {
		t.Errorf("bound %q", s.bound)
	}
}

func TestLoginRefused(t *testing.T) {
	s := startServer(t, nil)
	config := s.config()
	login, err := config.Login(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	login.Password = "wrong-secret"
	_, err = Connect(context.Background(), configOf(login))
	if !fail.Is(err, fail.Credentials) || strings.Contains(err.Error(), "wrong-secret") {
		t.Errorf("%v", err)
	}
	if want := s.listener.Addr().String() + `: password authentication failed for user "loader" (SQLSTATE 28000)`; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	at := listener.Addr().(*net.TCPAddr)
	var repeats []Repeat
	config := configOf(Login{Host: at.IP.String(), Port: uint16(at.Port), Database: "x", User: "loader", Password: "hunter2"})
	config.OnRetry = func(r Repeat) { repeats = append(repeats, r) }
	_, err = Connect(context.Background(), config)
	if len(repeats) != 2 || repeats[1].What != "connecting" || repeats[1].Try != 2 || repeats[1].Tries != 3 {
		t.Errorf("repeated %+v", repeats)
	}
	if !fail.Is(err, fail.Network) || !strings.Contains(err.Error(), "connection refused") || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%v", err)
	}
}

func TestCommitOutcomes(t *testing.T) {
	tests := []struct {
		name   string
		answer answer
		code   fail.Code
	}{
		{"cut", answer{cut: true}, fail.Lost},
		{"the server goes away", answer{err: &pgproto3.ErrorResponse{Severity: "FATAL", Code: "57P01", Message: "terminating"}}, fail.Lost},
		{"conflict", answer{err: &pgproto3.ErrorResponse{Severity: "ERROR", Code: "XX000", Message: "1023"}}, fail.Conflict},
		{"rolled back", answer{tag: "ROLLBACK"}, fail.Internal},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := startServer(t, map[string]answer{"COMMIT": test.answer})
			c := connect(t, s, s.config())
			if err := c.Commit(context.Background()); !fail.Is(err, test.code) {
				t.Errorf("%v (%s), want %s", err, fail.CodeOf(err), test.code)
			}
		})
	}
}

func TestLostConnection(t *testing.T) {
	s := startServer(t, map[string]answer{"DELETE FROM t": {cut: true}})
	c := connect(t, s, s.config())
	if _, err := c.Exec(context.Background(), "DELETE FROM t"); !fail.Is(err, fail.Network) {
		t.Errorf("%v", err)
	}
	if err := c.Rollback(context.Background()); !fail.Is(err, fail.Network) {
		t.Errorf("after it was lost: %v", err)
	}
	// Nothing is sent any more, so that nothing is unknown.
	if err := c.Commit(context.Background()); !fail.Is(err, fail.Network) {
		t.Errorf("after it was lost: %v", err)
	}
}

// A stopped program cancels its statement, and the session goes on.
func TestStoppedStatementIsCancelled(t *testing.T) {
	s := startServer(t, map[string]answer{"SELECT slow": {hang: true}})
	c := connect(t, s, s.config())
	ctx, stop := context.WithCancel(context.Background())
	go func() { <-s.hung; stop() }()
	_, err := c.Exec(ctx, "SELECT slow")
	if fail.ExitOf(err) != fail.ExitTerminated || !fail.Is(err, fail.Network) {
		t.Errorf("%v", err)
	}
	if err := c.Rollback(context.Background()); err != nil {
		t.Errorf("the session is gone: %v", err)
	}
}

func TestCatalog(t *testing.T) {
	sql, err := columnsSQL("pay'roll", "events")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"column_name", "data_type", "character_maximum_length", "numeric_precision", "numeric_scale", "is_nullable", "column_default"}
	s := startServer(t, map[string]answer{sql: {columns: names, tag: "SELECT", rows: [][]any{
		{"event_id", "character varying", "36", nil, nil, "NO", nil}, {"gross", "numeric", nil, "18", "2", "YES", "0"},
	}}})
	c := connect(t, s, s.config())
	got, err := c.Columns(context.Background(), "pay'roll", "events")
	if err != nil || len(got) != 2 || got[0].Spelled != "varchar(36)" || !got[0].NotNull || got[1].Spelled != "decimal(18,2)" || !got[1].HasDefault {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Columns(context.Background(), "payroll", "nothing"); !fail.Is(err, fail.TableMissing) {
		t.Errorf("%v", err)
	}
}

func TestNotices(t *testing.T) {
	s := startServer(t, map[string]answer{"BEGIN": {tag: "BEGIN", notice: "Load into table 's' completed"}})
	var got []string
	config := s.config()
	config.OnNotice = func(text string) { got = append(got, text) }
	c := connect(t, s, config)
	if err := c.Begin(context.Background()); err != nil || len(got) != 1 || got[0] != "Load into table 's' completed" {
		t.Errorf("%q, %v", got, err)
	}
}
