package redshiftd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// clientSession is a session of a client program. One statement is on its way at a time.
type clientSession interface {
	start(sql string)
	finish() reply
	cancel()
	close()
}

// reply is what a client shows of a statement's answer: rows, tag (of a SELECT none), notices, or the error with its detail.
type reply struct{ code, text string }

// pgxSession speaks the simple protocol through the Go client.
type pgxSession struct {
	t       *testing.T
	conn    *pgx.Conn
	answer  chan reply
	notices *strings.Builder
}

func openPgx(t *testing.T, s *Server) clientSession {
	t.Helper()
	config, err := pgx.ParseConfig("postgres://loader:secret@" + s.Addr() + "/analytics")
	if err != nil {
		t.Fatal(err)
	}
	c := &pgxSession{t: t, answer: make(chan reply, 1), notices: &strings.Builder{}}
	config.OnNotice = func(_ *pgconn.PgConn, n *pgconn.Notice) {
		fmt.Fprintf(c.notices, "%s:  %s: %s\n", n.Severity, n.Code, n.Message)
	}
	if c.conn, err = pgx.ConnectConfig(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *pgxSession) start(sql string) {
	go func() { c.answer <- c.run(sql) }()
}

func (c *pgxSession) run(sql string) reply {
	c.notices.Reset()
	results := c.conn.PgConn().Exec(context.Background(), sql)
	var b strings.Builder
	for results.NextResult() {
		r := results.ResultReader()
		shows := len(r.FieldDescriptions()) > 0
		for r.NextRow() {
			cells := make([]string, len(r.Values()))
			for i, v := range r.Values() {
				cells[i] = string(v)
			}
			b.WriteString(strings.Join(cells, "|") + "\n")
		}
		tag, err := r.Close()
		if err == nil && (!shows || tag.String() != "SELECT" && tag.String() != "SHOW") { // psql shows no tag of these
			b.WriteString(tag.String() + "\n")
		}
	}
	err := results.Close()
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return reply{pg.Code, c.notices.String() + pg.Message + "\n" + pg.Detail}
	case err != nil:
		return reply{"lost", err.Error()}
	}
	return reply{"", strings.TrimSuffix(c.notices.String()+b.String(), "\n")}
}

func (c *pgxSession) finish() reply { return <-c.answer }

func (c *pgxSession) cancel() {
	if err := c.conn.PgConn().CancelRequest(context.Background()); err != nil {
		c.t.Error(err)
	}
}

func (c *pgxSession) close() { c.conn.Close(context.Background()) }

// psqlSession is a psql that reads statements from a pipe. A mark follows every answer.
type psqlSession struct {
	t    *testing.T
	cmd  *exec.Cmd
	in   *os.File
	out  *bufio.Reader
	pipe *os.File
}

const psqlMark = "-- answered --"

func openPsql(t *testing.T, s *Server, path string) clientSession {
	t.Helper()
	host, port, _ := strings.Cut(s.Addr(), ":")
	c := &psqlSession{t: t, cmd: exec.Command(path, "-X", "-A", "-t", "-v", "VERBOSITY=verbose", "-v", "SHOW_CONTEXT=never", "-h", host, "-p", port, "-U", "loader", "-d", "analytics")}
	c.cmd.Env = append(os.Environ(), "PGPASSWORD=secret", "PGSSLMODE=prefer")
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = inRead, outWrite, outWrite
	c.in, c.pipe, c.out = inWrite, outRead, bufio.NewReader(outRead)
	err = c.cmd.Start()
	inRead.Close()
	outWrite.Close()
	if err != nil {
		t.Fatal(err)
	}
	c.start(`\set X 1`) // wait until it is connected
	if got := c.finish(); got.text != "" {
		t.Fatal(got)
	}
	return c
}

func (c *psqlSession) start(sql string) {
	if !strings.HasPrefix(sql, `\`) {
		sql += ";"
	}
	fmt.Fprintf(c.in, "%s\n\\warn %s\n", sql, psqlMark) // fails once psql has ended, which finish sees
}

var psqlError = regexp.MustCompile(`(?s)(?:ERROR|FATAL):  ([0-9A-Z]{5}): (.*)`)

func (c *psqlSession) finish() reply {
	var b strings.Builder
	ended := false
	if err := c.pipe.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		c.t.Fatal(err)
	}
	for {
		line, err := c.out.ReadString('\n')
		if err != nil || line == psqlMark+"\n" {
			if os.IsTimeout(err) {
				c.t.Fatalf("psql does not answer; so far %q", b.String())
			}
			ended = err != nil
			break
		}
		b.WriteString(line)
	}
	text := strings.TrimSuffix(b.String(), "\n")
	if m := psqlError.FindStringSubmatchIndex(text); m != nil {
		return reply{text[m[2]:m[3]], text[:m[0]] + text[m[4]:m[5]]}
	}
	if ended || strings.Contains(text, "server closed the connection unexpectedly") {
		return reply{"lost", text}
	}
	return reply{"", text}
}

func (c *psqlSession) cancel() {
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil {
		c.t.Error(err)
	}
}

func (c *psqlSession) close() {
	c.in.Close()
	_ = c.cmd.Wait() // it ends with the last statement's success
	c.pipe.Close()
}
