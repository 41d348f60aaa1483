package redshiftd

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/subtle"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Authentication is how the server asks for passwords.
type Authentication int

const (
	MD5       Authentication = iota // a salted digest of the password
	Cleartext                       // the password itself
)

// Temporary is a login that ends by itself, as minted credentials do. A session that is open then stays open.
type Temporary struct {
	Login    string // the name that the client gives, such as "IAM:loader"
	Password string
	User     string // whom the session runs as; empty: Login
	Expires  time.Time
}

// maxTemporary bounds the temporary logins that have not expired; credentials are minted per connection.
const maxTemporary = 10_000

// Admit lets a temporary login in from now on. Several passwords of one login may be good at a time.
func (s *Server) Admit(t Temporary) error {
	if t.Login == "" || t.Password == "" {
		return errors.New("admitting a temporary login: a login and a password are required")
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.temporary[:0]
	for _, old := range s.temporary {
		if now.Before(old.Expires) {
			kept = append(kept, old)
		}
	}
	s.temporary = kept
	if len(kept) >= maxTemporary {
		return fmt.Errorf("admitting a temporary login: %d are waiting already", maxTemporary)
	}
	s.temporary = append(s.temporary, t)
	return nil
}

// Knows tells whether a permanent login exists.
func (s *Server) Knows(login string) bool {
	_, ok := s.config.Users[login]
	return ok
}

func (s *Server) now() time.Time {
	if s.config.Now != nil {
		return s.config.Now()
	}
	return time.Now()
}

// identity is one password of a login and whom the session then runs as.
type identity struct{ password, user string }

// identities are what a login may prove itself with now.
func (s *Server) identities(login string) []identity {
	var out []identity
	if password, ok := s.config.Users[login]; ok {
		out = append(out, identity{password, login})
	}
	now := s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.temporary {
		if t.Login != login || !now.Before(t.Expires) {
			continue
		}
		user := t.User
		if user == "" {
			user = t.Login
		}
		out = append(out, identity{t.Password, user})
	}
	return out
}

// login answers the startup messages up to ReadyForQuery.
func (s *session) login() error {
	for tries := 0; tries < 4; tries++ {
		msg, err := s.wire.ReceiveStartupMessage()
		if err != nil {
			return errClosed
		}
		switch m := msg.(type) {
		case *pgproto3.SSLRequest:
			if err := s.negotiateTLS(); err != nil {
				return err
			}
		case *pgproto3.GSSEncRequest:
			if _, err := s.conn.Write([]byte{'N'}); err != nil {
				return errClosed
			}
		case *pgproto3.CancelRequest:
			s.srv.cancelQuery(int(m.ProcessID), binary.BigEndian.Uint32(append(make([]byte, 4), m.SecretKey...)[len(m.SecretKey):]))
			return errClosed
		case *pgproto3.StartupMessage:
			return s.startup(m.Parameters)
		}
	}
	return errClosed
}

// negotiateTLS answers an SSLRequest. Whatever the client sent in plaintext behind the request is thrown away with
// the old reader.
func (s *session) negotiateTLS() error {
	if s.srv.config.TLS == nil || s.secure {
		if _, err := s.conn.Write([]byte{'N'}); err != nil {
			return errClosed
		}
		return nil
	}
	if _, err := s.conn.Write([]byte{'S'}); err != nil {
		return errClosed
	}
	// s.conn stays the bare connection: closing it cuts a session without a goodbye, and may be done at any time.
	secured := tls.Server(s.conn, s.srv.config.TLS)
	if err := secured.HandshakeContext(s.srv.ctx); err != nil {
		return errClosed
	}
	s.wire, s.secure = pgproto3.NewBackend(secured, secured), true
	return nil
}

func (s *session) startup(params map[string]string) error {
	database := params["database"]
	if database == "" {
		database = params["user"]
	}
	if s.srv.config.RequireTLS && !s.secure {
		host, _, _ := net.SplitHostPort(s.conn.RemoteAddr().String())
		return errorf("28000", "no pg_hba.conf entry for host %q, user %q, database %q, SSL off", host, params["user"], database)
	}
	if asked, ok := params["client_protocol_version"]; ok {
		var err error
		if s.protocol, err = agree(asked); err != nil {
			return err
		}
	}
	for name, value := range params {
		switch name {
		case "user", "database":
			continue
		case "options":
			if err := s.checkOptions(value); err != nil {
				return err
			}
			continue
		}
		if driverParameters[name] {
			continue
		}
		if err := s.checkSetting(name, value); err != nil {
			return err
		}
		s.settings[name] = value
	}
	if err := s.authenticate(params["user"]); err != nil {
		return err
	}
	if database != s.srv.config.Database {
		return errorf("3D000", "database %q does not exist", database)
	}
	var err error
	if s.db, err = s.srv.engine.db.Conn(s.srv.ctx); err != nil {
		return errorf("XX000", "%s", err.Error())
	}
	for _, q := range sessionSchema {
		if _, err := s.db.ExecContext(s.srv.ctx, q); err != nil {
			return errorf("XX000", "%s", err.Error())
		}
	}
	s.wire.Send(&pgproto3.AuthenticationOk{})
	for _, p := range [][2]string{{"server_version", "8.0.2"}, {"client_encoding", "UNICODE"}, {"server_encoding", "UNICODE"},
		{"DateStyle", "ISO, MDY"}, {"TimeZone", "UTC"}, {"integer_datetimes", "on"}, {"is_superuser", "off"},
		{"session_authorization", s.user}, {"datashare_enabled", "off"}, {"session_id", fmt.Sprint(s.pid)}, {"server_protocol_version", fmt.Sprint(int(s.protocol))}} {
		s.wire.Send(&pgproto3.ParameterStatus{Name: p[0], Value: p[1]})
	}
	s.wire.Send(&pgproto3.BackendKeyData{ProcessID: uint32(s.pid), SecretKey: binary.BigEndian.AppendUint32(nil, s.secret)})
	s.ready()
	return s.flush()
}

// checkOptions reads the command line in a startup message: an unknown parameter is named, a known one not supported here.
func (s *session) checkOptions(options string) error {
	for word := range strings.FieldsSeq(strings.ReplaceAll(options, "-c ", "--")) {
		assignment, ok := strings.CutPrefix(word, "--")
		name, _, set := strings.Cut(assignment, "=")
		if !ok || !set {
			return strict("the option %q of the startup message is not supported", word)
		}
		if _, known := knownSettings[strings.ToLower(name)]; !known {
			return errorf("42704", "unrecognized configuration parameter %q", name)
		}
		return strict("setting %s by options of the startup message is not supported", name)
	}
	return nil
}

// authenticate asks for the password of a login and sets whom the session runs as.
func (s *session) authenticate(login string) error {
	var salt [4]byte
	var ask pgproto3.BackendMessage = &pgproto3.AuthenticationCleartextPassword{}
	kind := uint32(pgproto3.AuthTypeCleartextPassword)
	if s.srv.config.Authentication == MD5 {
		_, _ = rand.Read(salt[:]) // never fails
		ask, kind = &pgproto3.AuthenticationMD5Password{Salt: salt}, pgproto3.AuthTypeMD5Password
	}
	s.wire.Send(ask)
	if err := s.flush(); err != nil {
		return err
	}
	if err := s.wire.SetAuthType(kind); err != nil {
		return errClosed
	}
	msg, err := s.wire.Receive()
	if err != nil {
		return errClosed
	}
	m, ok := msg.(*pgproto3.PasswordMessage)
	if !ok {
		return errorf("08P01", "unexpected message %T", msg)
	}
	for _, id := range s.srv.identities(login) {
		want := id.password
		if kind == pgproto3.AuthTypeMD5Password {
			want = md5Password(login, id.password, salt[:])
		}
		if subtle.ConstantTimeCompare([]byte(m.Password), []byte(want)) == 1 {
			s.user = id.user
			s.mu.Lock()
			s.owner = id.user
			s.mu.Unlock()
			return nil
		}
	}
	return errorf("28000", "password authentication failed for user %q", login)
}

func md5Password(user, password string, salt []byte) string {
	inner := md5.Sum([]byte(password + user))
	outer := md5.Sum(append([]byte(hex.EncodeToString(inner[:])), salt...))
	return "md5" + hex.EncodeToString(outer[:])
}
