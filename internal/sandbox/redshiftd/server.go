// Package redshiftd is a stand-in for Amazon Redshift on loopback: the wire protocol in front of an embedded engine,
// with an own parser, catalog, types and lock manager. It is for tests and for trying the program without an account.
//
// It is strict: what is not known to work on Redshift, or is not modelled, is refused with SQLSTATE 0A000 and a text
// that ends in "(stand-in strictness)". It imports nothing of the product, so that both sides can't share one
// misunderstanding. Only the sandbox command and tests call it.
//
// Differences that are known and kept: UNION, INTERSECT and EXCEPT tell texts apart that differ only in trailing blanks
// (comparison, IN, joins, DISTINCT, GROUP BY and PARTITION BY don't), and the length of a VARCHAR expression is an upper
// bound that may differ from Redshift's.
package redshiftd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Config says where a server listens, what it holds and who may come in. Dir, Listen, Database, Users, Roles and S3 are
// required.
type Config struct {
	Dir         string            // folder for the database file, created if missing; data survives restarts
	Listen      string            // "127.0.0.1:0" picks a port
	Database    string            // the one database name accepted at login
	Users       map[string]string // login → password
	Roles       []string          // IAM role ARNs that COPY may use
	S3          S3                // where COPY reads
	IAM         IAM               // what COPY's roles may do there
	LogLimit    string            // of changes that are kept in memory and in a log until the engine writes them into its file, default "256MB"
	MemoryLimit string            // of the engine, default "1300MB"; the process needs about half as much again
	Threads     int               // of the engine, default 2
	Profile     Profile           // default Serverless
	LoadLag     time.Duration     // after which a load shows in the sys_load_* and stl_load_* views
	Hook        func(Op) Action   // nil: none. Called on the session's goroutine, around every statement

	TLS            *tls.Config      // nil: an SSLRequest is answered 'N'; IssueCertificate makes one for tests
	RequireTLS     bool             // refuse plaintext, as require_ssl and serverless do
	Authentication Authentication   // how passwords are asked for, default MD5
	Now            func() time.Time // the clock that temporary logins expire by, default time.Now
}

// S3 is the object store that COPY reads.
type S3 struct {
	Endpoint, Region     string
	AccessKey, SecretKey string
	PathStyle            bool
}

const (
	maxSessions  = 200
	loginTimeout = 30 * time.Second
)

// Server is a running stand-in.
type Server struct {
	config   Config
	listener net.Listener
	engine   *engine
	store    *objectStore
	locks    *lockManager
	ctx      context.Context
	cancel   context.CancelFunc
	wg       sync.WaitGroup

	operations atomic.Int64
	queries    atomic.Int64
	xids       atomic.Int64

	mu        sync.Mutex
	sessions  map[int]*session
	nextPID   int
	temporary []Temporary
	closed    bool

	commits *commitLog
}

// Start opens the data, listens and serves until Close, or until ctx ends; Close must be called either way.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.LogLimit == "" {
		c.LogLimit = "256MB"
	}
	if c.MemoryLimit == "" {
		c.MemoryLimit = "1300MB"
	}
	if c.Threads == 0 {
		c.Threads = 2
	}
	if c.Profile == "" {
		c.Profile = Serverless
	}
	if c.Profile != Serverless && c.Profile != Provisioned {
		return nil, fmt.Errorf("starting redshift stand-in: unknown profile %q", c.Profile)
	}
	if c.Dir == "" || c.Database == "" || len(c.Users) == 0 {
		return nil, errors.New("starting redshift stand-in: Dir, Database and Users are required")
	}
	if c.RequireTLS && c.TLS == nil {
		return nil, errors.New("starting redshift stand-in: RequireTLS needs TLS")
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("starting redshift stand-in: %w", err)
	}
	e, err := openEngine(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("starting redshift stand-in: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("starting redshift stand-in: %w", errors.Join(err, e.close()))
	}
	s := &Server{config: c, listener: l, engine: e, store: newObjectStore(c.S3, c.IAM), locks: newLockManager(), sessions: map[int]*session{},
		nextPID: 1000, commits: newCommitLog()}
	s.queries.Store(time.Now().Unix() % 1_000_000 * 100) // ids go on rising over restarts
	s.ctx, s.cancel = context.WithCancel(ctx)
	s.wg.Add(2)
	go func() {
		defer s.wg.Done()
		<-s.ctx.Done()
		s.stop()
	}()
	go func() {
		defer s.wg.Done()
		s.accept()
	}()
	return s, nil
}

// Addr is the listening address, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is a connection URL for a user, without the password: redshift://user@host:port/database.
func (s *Server) URL(user string) string {
	u := url.URL{Scheme: "redshift", User: url.User(user), Host: s.Addr(), Path: "/" + s.config.Database}
	return u.String()
}

// Operations is the number of statements begun so far.
func (s *Server) Operations() int64 { return s.operations.Load() }

// Close ends all sessions, which rolls back what they have open, writes the data out and stops. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
	if again {
		return nil
	}
	if err := s.engine.close(); err != nil {
		return fmt.Errorf("closing redshift stand-in: %w", err)
	}
	return nil
}

// stop closes the listener and every connection; the sessions end by themselves.
func (s *Server) stop() {
	s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sess := range s.sessions {
		sess.conn.Close()
	}
}

func (s *Server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			time.Sleep(10 * time.Millisecond) // out of file descriptors: the next try may do
			continue
		}
		sess := s.admit(conn)
		if sess == nil {
			conn.Close()
			continue
		}
		s.wg.Add(1)
		go func() {
			defer s.wg.Done()
			defer s.dismiss(sess)
			sess.serve()
		}()
	}
}

func (s *Server) admit(conn net.Conn) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.sessions) >= maxSessions {
		return nil
	}
	s.nextPID++
	sess := newSession(s, conn, s.nextPID)
	s.sessions[sess.pid] = sess
	return sess
}

func (s *Server) dismiss(sess *session) {
	sess.conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.sessions, sess.pid)
}

// cancelQuery serves a CancelRequest.
func (s *Server) cancelQuery(pid int, secret uint32) {
	s.mu.Lock()
	sess := s.sessions[pid]
	s.mu.Unlock()
	if sess != nil && sess.secret == secret {
		sess.interrupt()
	}
}
