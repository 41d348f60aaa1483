package s3d

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/s3api"
	"github.com/versity/versitygw/s3api/middlewares"
)

const (
	maxConnections = 1024 // of the front to the gateway; more wait
	maxRequests    = 1024
	maxParts       = 10_000 // of one multipart upload, as S3 has it
)

// gateway is versitygw, reached over a unix socket in a temporary folder of its own.
type gateway struct {
	server    *s3api.S3ApiServer
	folder    *folder
	socketDir string
	transport *http.Transport
	client    *s3.Client // past the front
	users     *users
	done      chan error // what serving ended with
}

// startGateway returns once the gateway answers.
func startGateway(ctx context.Context, c Config) (*gateway, error) {
	store, err := newFolder(c.Dir, c.Region, c.Now)
	if err != nil {
		return nil, err
	}
	// The socket has a folder of its own because its path must stay below some 100 bytes; c.Dir may be longer.
	socketDir, err := os.MkdirTemp("", "s3d-")
	if err != nil {
		store.Shutdown()
		return nil, fmt.Errorf("creating a folder for the socket: %w", err)
	}
	socket := filepath.Join(socketDir, "s")
	gw := &gateway{folder: store, socketDir: socketDir, done: make(chan error, 1)}
	gw.transport = newTransport(socket)
	gw.client = newClient(c, gw.transport)

	listening := make(chan struct{})
	root := auth.Account{Access: c.AccessKey, Secret: c.SecretKey, Role: auth.RoleAdmin}
	gw.users = &users{IAMService: auth.NewIAMServiceSingle(root), root: root}
	gw.server, err = s3api.New(store, middlewares.RootUserConfig{Access: c.AccessKey, Secret: c.SecretKey},
		c.Region, gw.users, nil, nil, nil, nil,
		s3api.WithQuiet(), s3api.WithKeepAlive(), s3api.WithDisableACL(), s3api.WithMpMaxParts(maxParts),
		s3api.WithMiddleware("/", readToEnd), s3api.WithMiddleware("/", passOn),
		s3api.WithConcurrencyLimiter(maxConnections, maxRequests),
		s3api.WithOnListen(func() { close(listening) }))
	if err != nil {
		return nil, errors.Join(err, gw.release())
	}
	go func() { gw.done <- gw.server.ServeMultiPort([]string{socket}) }()
	select {
	case <-listening:
		return gw, nil
	case err := <-gw.done:
		return nil, errors.Join(fmt.Errorf("serving on %s: %w", socket, err), gw.release())
	case <-ctx.Done():
		return nil, errors.Join(context.Cause(ctx), gw.close())
	}
}

// newTransport dials the socket whatever host a request names.
func newTransport(socket string) *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
		MaxConnsPerHost:     maxConnections,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     30 * time.Second,
		DisableCompression:  true, // an answer must reach the client as the gateway wrote it
		WriteBufferSize:     64 << 10,
		ReadBufferSize:      64 << 10,
	}
}

func newClient(c Config, transport http.RoundTripper) *s3.Client {
	return s3.New(s3.Options{
		Region:       c.Region,
		BaseEndpoint: aws.String("http://gateway"),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, ""),
		HTTPClient:   &http.Client{Transport: transport},
	})
}

func (g *gateway) createBucket(ctx context.Context, name string) error {
	input := &s3.CreateBucketInput{Bucket: &name}
	if region := g.client.Options().Region; region != "us-east-1" { // S3 refuses us-east-1 as a constraint
		input.CreateBucketConfiguration = &types.CreateBucketConfiguration{
			LocationConstraint: types.BucketLocationConstraint(region),
		}
	}
	_, err := g.client.CreateBucket(ctx, input)
	var owned *types.BucketAlreadyOwnedByYou
	var exists *types.BucketAlreadyExists // made under an earlier access key
	if errors.As(err, &owned) || errors.As(err, &exists) {
		return nil
	}
	return err
}

// close ends the gateway and waits for it.
func (g *gateway) close() error {
	g.transport.CloseIdleConnections()
	err := g.server.ShutDown()
	if err != nil {
		err = fmt.Errorf("stopping the S3 gateway: %w", err)
	}
	<-g.done // "listener closed": the way ServeMultiPort ends
	return errors.Join(err, g.release())
}

// release gives back what startGateway took before serving began.
func (g *gateway) release() error {
	g.folder.Shutdown()
	if err := os.RemoveAll(g.socketDir); err != nil {
		return fmt.Errorf("removing the socket's folder: %w", err)
	}
	return nil
}

// discardLog silences net/http about connections that clients drop: the stand-in's output belongs to its caller.
func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }
