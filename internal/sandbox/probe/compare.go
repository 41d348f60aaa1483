package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"golang.org/x/sync/errgroup"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// Finding is a case and both answers to it.
type Finding struct {
	Name     string  `json:"name"`
	Section  string  `json:"section"`
	StandIn  Outcome `json:"stand_in"`
	Endpoint Outcome `json:"endpoint"`
	Same     bool    `json:"same"`
	Known    bool    `json:"known"` // the endpoint answers what the reference says, or the reference leaves it open
}

// Compare asks all cases of the target and of a fresh stand-in that keeps its data below dir. done is called after each
// case at the target, and may be nil. With an error, the findings so far are given.
func Compare(ctx context.Context, t Target, dir string, cases []Case, done func(int)) (findings []Finding, err error) {
	local, closeLocal, err := StandIn(ctx, dir, t.Bucket, t.Role)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeLocal()) }()
	var ours, theirs []Outcome
	var both errgroup.Group // without its context: neither run shall lose its own cleaning up to the other's error
	both.Go(func() (err error) {
		if ours, err = Run(ctx, local, cases, nil); err != nil {
			return fmt.Errorf("asking the stand-in: %w", err)
		}
		return nil
	})
	both.Go(func() (err error) {
		theirs, err = Run(ctx, t, cases, done)
		return err
	})
	err = both.Wait()
	for i, o := range theirs[:min(len(theirs), len(ours))] {
		findings = append(findings, Finding{Name: cases[i].Name, Section: cases[i].Section, StandIn: ours[i], Endpoint: o,
			Same: reflect.DeepEqual(ours[i], o), Known: cases[i].Want.Meets(o)})
	}
	return findings, err
}

const (
	standInUser   = "standin_probe"
	standInRegion = "us-east-1"
)

// StandIn starts S3 and the Redshift stand-in with the bucket and the role. Close them with the function.
func StandIn(ctx context.Context, dir, bucket, role string) (t Target, closeAll func() error, err error) {
	password := rand.Text()
	objects, err := s3d.Start(ctx, s3d.Config{Dir: filepath.Join(dir, "s3"), AccessKey: standInUser, SecretKey: password, Region: standInRegion})
	if err != nil {
		return t, nil, fmt.Errorf("starting the stand-in: %w", err)
	}
	if err := objects.CreateBucket(ctx, bucket); err != nil {
		return t, nil, errors.Join(fmt.Errorf("starting the stand-in: %w", err), objects.Close())
	}
	// The warehouse must not end with the context: cleaning up needs it.
	warehouse, err := redshiftd.Start(context.WithoutCancel(ctx), redshiftd.Config{
		Dir: filepath.Join(dir, "warehouse"), Listen: "127.0.0.1:0", Database: standInUser, Users: map[string]string{standInUser: password},
		Roles: []string{role}, MemoryLimit: "512MB",
		S3: redshiftd.S3{Endpoint: objects.Endpoint(), Region: standInRegion, AccessKey: standInUser, SecretKey: password, PathStyle: true},
	})
	if err != nil {
		return t, nil, errors.Join(fmt.Errorf("starting the stand-in: %w", err), objects.Close())
	}
	transport := &http.Transport{}
	closeAll = func() error {
		transport.CloseIdleConnections()
		return errors.Join(warehouse.Close(), objects.Close())
	}
	login, err := pgconn.ParseConfig("postgres://" + warehouse.Addr() + "/" + standInUser + "?sslmode=disable")
	if err != nil {
		return t, nil, errors.Join(fmt.Errorf("starting the stand-in: %w", err), closeAll())
	}
	login.User, login.Password = standInUser, password
	client := s3.New(s3.Options{Region: standInRegion, BaseEndpoint: aws.String(objects.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(standInUser, password, ""), HTTPClient: &http.Client{Transport: transport}})
	return Target{Login: login, S3: client, Bucket: bucket, Role: role}, closeAll, nil
}
