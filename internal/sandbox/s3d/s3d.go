package s3d

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"
)

// closeTimeout bounds how long Close waits for requests that are under way.
const closeTimeout = 5 * time.Second

// Config says where a server keeps its objects, where it listens and whom it knows.
type Config struct {
	Dir       string // folder of the buckets; created if missing; must support extended attributes
	Listen    string // host:port; empty means 127.0.0.1:0, which picks a port
	AccessKey string // the only access key ID that is accepted
	SecretKey string
	Region    string           // empty means us-east-1; signatures for another region are refused
	Hook      func(Op) Action  // nil: no faults; called synchronously, from many goroutines at once
	Now       func() time.Time // the clock that temporary keys and restored copies expire by; default time.Now
}

// Server is a running stand-in. Its methods may be called from any goroutine.
type Server struct {
	config     Config
	gateway    *gateway
	front      *http.Server
	listener   net.Listener
	operations atomic.Int64
	served     chan struct{}      // closed when the front has stopped accepting
	giveUp     context.CancelFunc // ends hooks that wait
	closed     atomic.Bool
}

// Start serves c.Dir until Close. The context bounds the start alone. When Start returns without an error, the server
// answers. Errors: a folder that can't be created or has no extended attributes, an address in use, missing keys.
func Start(ctx context.Context, c Config) (*Server, error) {
	c, err := prepare(c)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for S3 requests: %w", err)
	}
	gw, err := startGateway(ctx, c)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the S3 gateway: %w", err), listener.Close())
	}
	base, giveUp := context.WithCancel(context.Background())
	s := &Server{config: c, gateway: gw, listener: listener, served: make(chan struct{}), giveUp: giveUp}
	s.front = &http.Server{
		Handler:           &front{gateway: gw, hook: c.Hook, number: &s.operations, now: c.Now},
		ReadHeaderTimeout: 30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          discardLog(),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
	go func() {
		defer close(s.served)
		_ = s.front.Serve(listener) // always http.ErrServerClosed, or the listener was closed under it
	}()
	return s, nil
}

// prepare fills in defaults and makes the folder.
func prepare(c Config) (Config, error) {
	if c.Dir == "" {
		return c, errors.New("s3d needs a folder (Config.Dir)")
	}
	if c.AccessKey == "" || c.SecretKey == "" {
		return c, errors.New("s3d needs an access key and a secret key (Config.AccessKey, Config.SecretKey)")
	}
	if c.Listen == "" {
		c.Listen = "127.0.0.1:0"
	}
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return c, fmt.Errorf("resolving the folder of the buckets: %w", err)
	}
	c.Dir = dir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return c, fmt.Errorf("creating the folder of the buckets: %w", err)
	}
	return c, nil
}

// Endpoint returns the URL clients use, without a slash at the end: http://127.0.0.1:port.
func (s *Server) Endpoint() string {
	host, port, err := net.SplitHostPort(s.listener.Addr().String())
	if err != nil {
		return "http://" + s.listener.Addr().String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// CreateBucket makes a bucket unless it is there. It goes past the front: it is neither counted nor failed.
func (s *Server) CreateBucket(ctx context.Context, name string) error {
	if err := s.gateway.createBucket(ctx, name); err != nil {
		return fmt.Errorf("creating bucket %s: %w", name, err)
	}
	return nil
}

// Operations returns how many requests have arrived so far; the newest one's Op.Number is this.
func (s *Server) Operations() int64 { return s.operations.Load() }

// Close stops accepting, lets requests under way finish for some seconds, and ends everything the server started.
// A second Close does nothing. The objects stay in the folder.
func (s *Server) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	s.giveUp()
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	err := s.front.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("finishing requests under way: %w", err), s.front.Close())
	}
	<-s.served
	return errors.Join(err, s.gateway.close())
}
