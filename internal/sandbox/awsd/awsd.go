package awsd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

const closeTimeout = 5 * time.Second

// Key is a permanent access key and the IAM user it belongs to.
type Key struct {
	ID     string
	User   string // a name, not an ARN
	Policy Policy
}

// Role is an IAM role.
type Role struct {
	ARN    string
	Policy Policy
}

// Warehouse is the cluster and workgroup that credentials are for: one warehouse under two names.
type Warehouse struct {
	Cluster    string // identifier of the provisioned cluster: at most 63 lower-case letters, digits and hyphens
	Workgroup  string // name of the serverless workgroup: the same, from 3 to 64
	Namespace  string
	Address    string // host:port
	Database   string
	RequireTLS bool
}

// Login is where minted logins are made known; redshiftd.Server is one.
type Login interface {
	Admit(redshiftd.Temporary) error
	Knows(login string) bool
}

// Objects is where minted access keys are made known; s3d.Server is one.
type Objects interface {
	Admit(s3d.Temporary) error
}

// Config says whom the endpoint knows. Listen, Region, Account, Keys, Warehouse and Login are required.
type Config struct {
	Listen    string // "127.0.0.1:0" picks a port
	Region    string
	Account   string // 12 digits
	Keys      []Key
	Roles     []Role // that sts:AssumeRole knows
	Warehouse Warehouse
	Secrets   map[string]string // SecretString by the secret's name
	Login     Login
	Objects   Objects // nil: keys that AssumeRole mints are good for this endpoint's calls alone
	// Lifetime caps how long minted credentials of either kind are good for, so that tests can see them expire: what
	// answers tell as the expiry is then sooner than asked for. 0: as asked for.
	Lifetime time.Duration
	Now      func() time.Time // default time.Now
}

// Server is a running endpoint.
type Server struct {
	config   Config
	listener net.Listener
	http     *http.Server
	served   chan struct{}
	sessions sessions
	requests atomic.Int64
	once     sync.Once
	err      error
}

// AWS's own SDKs refuse other names before they are sent.
var (
	clusterName   = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	workgroupName = regexp.MustCompile(`^[a-z0-9-]{3,64}$`)
)

// Start listens and serves until Close. The context bounds the start alone.
func Start(ctx context.Context, c Config) (*Server, error) {
	if c.Region == "" || c.Account == "" || len(c.Keys) == 0 || c.Login == nil || c.Warehouse.Address == "" {
		return nil, errors.New("starting the AWS endpoint: Region, Account, Keys, Warehouse and Login are required")
	}
	if w := c.Warehouse; w.Cluster != "" && !clusterName.MatchString(w.Cluster) || w.Workgroup != "" && !workgroupName.MatchString(w.Workgroup) {
		return nil, fmt.Errorf("starting the AWS endpoint: no cluster is called %q, or no workgroup %q", w.Cluster, w.Workgroup)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("starting the AWS endpoint: %w", err)
	}
	s := &Server{config: c, listener: listener, served: make(chan struct{})}
	s.http = &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener) // always http.ErrServerClosed, or the listener was closed under it
	}()
	return s, nil
}

// Endpoint is the URL of all services, without a slash at the end.
func (s *Server) Endpoint() string { return "http://" + s.listener.Addr().String() }

// Requests is the number of calls so far.
func (s *Server) Requests() int64 { return s.requests.Load() }

// Close stops serving. Minted credentials stay good until they expire. It may be called twice.
func (s *Server) Close() error {
	s.once.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		s.err = s.http.Shutdown(ctx)
		if s.err != nil {
			s.err = errors.Join(fmt.Errorf("stopping the AWS endpoint: %w", s.err), s.http.Close())
		}
		<-s.served
	})
	return s.err
}

// Allows tells what a role may do, for redshiftd.IAM. A role that is not known may do nothing.
func (c Config) Allows(role, action, resource string) bool {
	for _, r := range c.Roles {
		if r.ARN == role {
			return r.Policy.Allows(action, resource)
		}
	}
	return false
}

// expiry is when credentials that are minted now for so many seconds end.
func (s *Server) expiry(seconds int64) time.Time {
	d := time.Duration(seconds) * time.Second
	if s.config.Lifetime > 0 {
		d = min(d, s.config.Lifetime)
	}
	return s.config.Now().Add(d).UTC()
}
