package redshiftd

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

const serverVersion = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017 (Red Hat 3.4.2-6.fc3), Redshift 1.0.434008"

// errClosed ends a session without a message to the client.
var errClosed = errors.New("connection closed")

// session is one connection: its protocol state, its transaction and its connection to the engine.
type session struct {
	srv       *Server
	conn      net.Conn
	wire      *pgproto3.Backend
	pid       int
	secret    uint32
	user      string
	db        *sql.Conn
	locks     lockOwner
	tx        transaction
	relations relationCache
	// settings are the values of SET by name.
	settings   map[string]string
	prepared   map[string]*preparedStatement
	portals    map[string]*portal
	lastCopy   copyResult
	lastQuery  int64
	cutPending bool // the connection is gone, the statement still runs to its end
	ending     bool // the error on its way is the session's last word
	secure     bool // wire speaks TLS over conn
	protocol   protocolVersion

	started time.Time

	mu           sync.Mutex // guards what follows: other sessions look at it
	running      context.CancelFunc
	owner        string // user, once logged in
	activity     activity
	cancelReason string // why the running statement was canceled by another session
	terminated   bool
}

// copyResult is what the session functions tell about the last COPY.
type copyResult struct {
	count, id int64
}

func newSession(s *Server, conn net.Conn, pid int) *session {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return &session{srv: s, conn: conn, wire: pgproto3.NewBackend(conn, conn), pid: pid, secret: binary.BigEndian.Uint32(b[:]),
		settings: map[string]string{}, prepared: map[string]*preparedStatement{}, portals: map[string]*portal{}, lastCopy: copyResult{id: -1}, started: time.Now()}
}

// serve runs the session to its end. A panic ends this session only.
func (s *session) serve() {
	defer func() {
		if r := recover(); r != nil {
			s.wire.Send(errorf("XX000", "internal error: %v", r).response())
			_ = s.wire.Flush()
		}
		s.shutdown()
	}()
	if err := s.conn.SetDeadline(time.Now().Add(loginTimeout)); err != nil {
		return
	}
	if err := s.login(); err != nil {
		var pg *pgError
		if errors.As(err, &pg) {
			pg.fatal = true
			s.wire.Send(pg.response())
			_ = s.wire.Flush()
		}
		return
	}
	if err := s.conn.SetDeadline(time.Time{}); err != nil {
		return
	}
	s.loop()
}

// shutdown rolls back what is open and gives everything back.
func (s *session) shutdown() {
	if s.db == nil {
		return
	}
	s.rollback()
	_ = s.db.Close()
}

// interrupt cancels the running statement, if there is one.
func (s *session) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		s.running()
	}
}

func (s *session) flush() error {
	if s.cutPending {
		return errClosed
	}
	if err := s.wire.Flush(); err != nil {
		return errClosed
	}
	return nil
}

func (s *session) ready() {
	status := byte('I')
	switch {
	case s.tx.failed:
		status = 'E'
	case s.tx.block:
		status = 'T'
	}
	s.wire.Send(&pgproto3.ReadyForQuery{TxStatus: status})
}

// knownSettings are the parameters that SET and the startup message take.
var knownSettings = map[string]string{
	"query_group": "unset", "statement_timeout": "0", "search_path": "$user, public", "timezone": "UTC", "application_name": "",
	"client_encoding": "UNICODE", "datestyle": "ISO, MDY", "enable_case_sensitive_identifier": "off", "wlm_query_slot_count": "1",
	"enable_result_cache_for_session": "on", "max_cursor_result_set_size": "0", "analyze_threshold_percent": "10",
	"server_version": "8.0.2", "is_superuser": "off", "transaction_isolation": "serializable", "describe_field_name_in_uppercase": "off",
	"enable_large_strings_opt_in": "off",
}

// checkSetting refuses unknown parameters and values that are not modelled.
func (s *session) checkSetting(name, value string) error {
	if _, ok := knownSettings[name]; !ok {
		return errorf("42704", "unrecognized configuration parameter %q", name)
	}
	v := strings.ToLower(strings.TrimSpace(value))
	ok := true
	switch name {
	case "timezone":
		_, err := loadZone(value)
		return err
	case "client_encoding":
		ok = v == "utf8" || v == "unicode" || v == "utf-8"
	case "enable_case_sensitive_identifier", "enable_large_strings_opt_in", "describe_field_name_in_uppercase":
		ok = v == "off" || v == "false"
	case "statement_timeout":
		var ms int64
		if _, err := fmt.Sscan(v, &ms); err != nil || ms < 0 {
			return errorf("22023", "parameter \"statement_timeout\" requires an integer value")
		}
	case "server_version", "is_superuser", "transaction_isolation":
		return errorf("55P02", "parameter %q cannot be changed", name)
	}
	if !ok {
		return strict("value %q of %s is not supported", value, name)
	}
	return nil
}

func (s *session) setting(name string) (string, bool) {
	if v, ok := s.settings[name]; ok {
		return v, true
	}
	v, ok := knownSettings[name]
	return v, ok
}

// searchPath gives the schemas that unqualified names are looked up in.
func (s *session) searchPath() []string {
	v, _ := s.setting("search_path")
	var out []string
	for _, p := range strings.Split(v, ",") {
		p = strings.ToLower(strings.Trim(strings.TrimSpace(p), `"'`))
		if p != "" && p != "$user" {
			out = append(out, p)
		}
	}
	if len(out) == 0 {
		out = []string{"public"}
	}
	return out
}
