package redshiftd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// secured starts a server with TLS and gives the file of its authority.
func secured(t *testing.T, change func(*Config)) (s *Server, caFile string) {
	t.Helper()
	config, caFile, err := IssueCertificate(filepath.Join(t.TempDir(), "tls"), "127.0.0.1", "localhost")
	if err != nil {
		t.Fatal(err)
	}
	return startServer(t, func(c *Config) {
		c.TLS = config
		if change != nil {
			change(c)
		}
	}), caFile
}

func connectAs(ctx context.Context, s *Server, user, password, options string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig("postgres://x@" + s.Addr() + "/analytics?" + options)
	if err != nil {
		return nil, err
	}
	config.User, config.Password = user, password
	return pgx.ConnectConfig(ctx, config)
}

func TestTLS(t *testing.T) {
	s, caFile := secured(t, func(c *Config) { c.RequireTLS = true })
	other, _, err := IssueCertificate(filepath.Join(t.TempDir(), "other"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	foreign := filepath.Join(t.TempDir(), "foreign.pem")
	if err := os.WriteFile(foreign, []byte(pemOf(other.Certificates[0].Certificate[1])), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ options, want string }{
		{"sslmode=verify-full&sslrootcert=" + caFile, ""},
		{"sslmode=require", ""},
		{"sslmode=verify-full&sslrootcert=" + foreign, "certificate signed by unknown authority"},
		{"sslmode=disable", `no pg_hba.conf entry for host "127.0.0.1", user "loader", database "analytics", SSL off (SQLSTATE 28000)`},
	} {
		c, err := connectAs(t.Context(), s, "loader", "secret", test.options)
		if err != nil {
			if test.want == "" || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %v", test.options, err)
			}
			continue
		}
		if test.want != "" {
			t.Errorf("%s: connected", test.options)
		}
		if _, secure := c.PgConn().Conn().(*tls.Conn); !secure {
			t.Errorf("%s: plaintext", test.options)
		}
		if got := table(t, c, "SELECT 1"); got[0][0] != "1" {
			t.Error(got)
		}
		c.Close(t.Context())
	}
}

// A name that the certificate lacks is refused by the client, as a custom DNS alias of a cluster is.
func TestTLSHostName(t *testing.T) {
	s, caFile := secured(t, nil)
	pool := x509.NewCertPool()
	text, err := os.ReadFile(caFile)
	if err != nil || !pool.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	config, err := pgx.ParseConfig("postgres://loader:secret@" + s.Addr() + "/analytics?sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	config.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "warehouse.example.com"}
	if _, err := pgx.ConnectConfig(t.Context(), config); err == nil || !strings.Contains(err.Error(), "not warehouse.example.com") {
		t.Error(err)
	}
	config.TLSConfig = &tls.Config{RootCAs: pool, ServerName: "localhost", MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}
	if _, err := pgx.ConnectConfig(t.Context(), config); err == nil {
		t.Error("TLS 1.1 works")
	}
}

// Plaintext that was sent behind the request for TLS never becomes part of the session.
func TestTLSDropsPlaintext(t *testing.T) {
	s, _ := secured(t, nil)
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hello := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 8), 80877103)
	if _, err := conn.Write(append(hello, "\x00\x00\x00\x10\x00\x03\x00\x00user\x00x\x00\x00"...)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 1)
	if _, err := io.ReadFull(conn, answer); err != nil || answer[0] != 'S' {
		t.Fatal(answer, err)
	}
	secure := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if err := secure.HandshakeContext(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := secure.Write([]byte("\x00\x00\x00\x15\x00\x03\x00\x00user\x00loader\x00\x00")); err != nil {
		t.Fatal(err)
	}
	question := make([]byte, 9)
	if _, err := io.ReadFull(secure, question); err != nil || string(question) != "R\x00\x00\x00\x0c\x00\x00\x00\x05" {
		t.Errorf("%q, %v, want the question for an MD5 password", question, err)
	}
}

// The authority stays, so that trust outlives a restart; a damaged one is named.
func TestIssueCertificate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	_, first, err := IssueCertificate(dir, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	config, second, err := IssueCertificate(dir, "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	if after, err := os.ReadFile(second); err != nil || string(after) != string(before) {
		t.Error("the authority changed", err)
	}
	leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
	if err != nil || leaf.VerifyHostname("127.0.0.1") != nil || leaf.VerifyHostname("localhost") == nil {
		t.Error(leaf, err)
	}
	key := filepath.Join(dir, "ca-key.pem")
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info, err)
	}
	if err := os.WriteFile(key, []byte("rubbish"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := IssueCertificate(dir); err == nil || err.Error() != key+" holds no PRIVATE KEY: remove it, and a new authority is made" {
		t.Error(err)
	}
}

func TestAuthentication(t *testing.T) {
	for _, a := range []Authentication{MD5, Cleartext} {
		s := startServer(t, func(c *Config) { c.Authentication = a })
		for _, test := range []struct {
			user, password string
			ok             bool
		}{{"loader", "secret", true}, {"loader", "Secret", false}, {"loader", "", false}, {"nobody", "secret", false}, {"", "", false}} {
			c, err := connectAs(t.Context(), s, test.user, test.password, "sslmode=disable")
			if err == nil {
				c.Close(t.Context())
			}
			if (err == nil) != test.ok {
				t.Errorf("%v %q %q: %v", a, test.user, test.password, err)
			}
		}
	}
}

func TestTemporaryLogin(t *testing.T) {
	var now atomic.Pointer[time.Time]
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now.Store(&start)
	s := startServer(t, func(c *Config) { c.Now = func() time.Time { return *now.Load() } })
	for _, l := range []Temporary{
		{Login: "IAM:loader", Password: "one", User: "loader", Expires: start.Add(time.Minute)},
		{Login: "IAM:loader", Password: "two", User: "loader", Expires: start.Add(time.Hour)},
		{Login: "IAMR:etl", Password: "three", Expires: start.Add(time.Hour)},
	} {
		if err := s.Admit(l); err != nil {
			t.Fatal(err)
		}
	}
	try := func(user, password, want string) *pgx.Conn {
		t.Helper()
		c, err := connectAs(t.Context(), s, user, password, "sslmode=disable")
		switch {
		case err != nil && want != "":
			wantError(t, err, "28000")
		case err != nil || want == "":
			if c != nil {
				c.Close(t.Context())
			}
			t.Errorf("%s: %v", user, err)
		default:
			t.Cleanup(func() { c.Close(context.Background()) })
			if got := table(t, c, "SELECT current_user")[0][0]; got != want {
				t.Errorf("%s runs as %s, want %s", user, got, want)
			}
		}
		return c
	}
	open := try("IAM:loader", "one", "loader")
	try("IAM:loader", "two", "loader")
	try("IAMR:etl", "three", "IAMR:etl")
	refused := func(user, password string) {
		t.Helper()
		_, err := connectAs(t.Context(), s, user, password, "sslmode=disable")
		if pg := wantError(t, err, "28000"); pg.Message != `password authentication failed for user "`+user+`"` {
			t.Error(pg.Message)
		}
	}
	refused("IAM:loader", "three")
	refused("loader", "one")
	later := start.Add(time.Minute)
	now.Store(&later)
	refused("IAM:loader", "one")
	try("IAM:loader", "two", "loader")
	if got := table(t, open, "SELECT 1"); got[0][0] != "1" {
		t.Error("the open session ended with its credentials")
	}
	if err := s.Admit(Temporary{Login: "x"}); err == nil {
		t.Error("a login without a password is admitted")
	}
}

// TestPsqlTLS logs in as psql does, with the full check of the certificate.
func TestPsqlTLS(t *testing.T) {
	path, err := exec.LookPath("psql")
	if err != nil {
		return // not installed
	}
	s, caFile := secured(t, func(c *Config) { c.RequireTLS = true; c.Authentication = Cleartext })
	host, port, _ := strings.Cut(s.Addr(), ":")
	for mode, want := range map[string]string{"verify-full": "1\n", "disable": "SSL off"} {
		cmd := exec.CommandContext(t.Context(), path, "-X", "-A", "-t", "-h", host, "-p", port, "-U", "loader", "-d", "analytics", "-c", "SELECT 1")
		cmd.Env = append(os.Environ(), "PGPASSWORD=secret", "PGSSLMODE="+mode, "PGSSLROOTCERT="+caFile)
		out, err := cmd.CombinedOutput()
		if !strings.Contains(string(out), want) || (err == nil) != (mode == "verify-full") {
			t.Errorf("%s: %v %s", mode, err, out)
		}
	}
}

// A cancel request gets through whether the session has TLS or not.
func TestCancelOverTLS(t *testing.T) {
	waiting := make(chan struct{})
	s, _ := secured(t, func(c *Config) {
		c.RequireTLS = true
		c.Hook = func(op Op) Action {
			if op.Kind == "COPY" {
				return Continue
			}
			if strings.Contains(op.SQL, "42") && op.Phase == Before {
				close(waiting)
				<-op.Done
			}
			return Continue
		}
	})
	c, err := connectAs(t.Context(), s, "loader", "secret", "sslmode=require")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	done := async(c, "SELECT 42")
	<-waiting
	if err := c.PgConn().CancelRequest(t.Context()); err != nil {
		t.Fatal(err)
	}
	var pg *pgconn.PgError
	if err := <-done; !errors.As(err, &pg) || pg.Code != "57014" {
		t.Error(err)
	}
}

func pemOf(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
