package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// What every sandbox has.
const (
	region        = "eu-west-1"
	archiveBucket = "archive"
	stagingBucket = "staging"
	roleARN       = "arn:aws:iam::000000000000:role/sandbox-copy"
	user          = "backfill"
	database      = "analytics"
)

const startTimeout = 30 * time.Second

// stack is the two running servers.
type stack struct {
	s3        *s3d.Server
	warehouse *redshiftd.Server
}

// startStack starts both and returns when both have answered.
func startStack(ctx context.Context, o serveOptions, secret secrets) (*stack, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, fmt.Errorf("resolving the sandbox folder: %w", err)
	}
	objects, err := s3d.Start(ctx, s3d.Config{
		Dir: filepath.Join(dir, "s3"), Listen: o.s3Listen, Region: region,
		AccessKey: secret.AccessKey, SecretKey: secret.SecretKey,
	})
	if err != nil {
		return nil, fmt.Errorf("starting S3: %w", err)
	}
	s := &stack{s3: objects}
	for _, bucket := range []string{archiveBucket, stagingBucket} {
		if err := objects.CreateBucket(ctx, bucket); err != nil {
			return nil, errors.Join(fmt.Errorf("starting S3: %w", err), s.close())
		}
	}
	// The warehouse ends with its context, and the start's context ends here; close ends the warehouse.
	s.warehouse, err = redshiftd.Start(context.WithoutCancel(ctx), redshiftd.Config{
		Dir: filepath.Join(dir, "warehouse"), Listen: o.warehouseListen, Database: database,
		Users: map[string]string{user: secret.Password}, Roles: []string{roleARN},
		S3: redshiftd.S3{
			Endpoint: objects.Endpoint(), Region: region, PathStyle: true,
			AccessKey: secret.AccessKey, SecretKey: secret.SecretKey,
		},
		MemoryLimit: o.memoryLimit,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the warehouse: %w", err), s.close())
	}
	if err := s.answer(ctx, secret); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// answer shows that clients get through to both servers.
func (s *stack) answer(ctx context.Context, secret secrets) error {
	values := make(map[string]string)
	for _, v := range s.environment(secret, 0) {
		values[v.name] = v.value
	}
	env := environment{get: func(name string) string { return values[name] }, source: "the sandbox"}
	objects, err := newS3Sink(env, archiveBucket)
	if err != nil {
		return err
	}
	if _, err := objects.Empty(ctx, "probe"); err != nil {
		return fmt.Errorf("asking S3 for a first answer: %w", err)
	}
	conn, err := connect(ctx, env, nil)
	if err != nil {
		return fmt.Errorf("asking the warehouse for a first answer: %w", err)
	}
	_, err = conn.Exec(ctx, "SELECT 1").ReadAll()
	if err = errors.Join(err, conn.Close(ctx)); err != nil {
		return fmt.Errorf("asking the warehouse for a first answer: %w", err)
	}
	return nil
}

// close ends the warehouse first: a COPY under way still reads S3.
func (s *stack) close() error {
	var err error
	if s.warehouse != nil {
		if err = s.warehouse.Close(); err != nil {
			err = fmt.Errorf("stopping the warehouse: %w", err)
		}
	}
	if closeErr := s.s3.Close(); closeErr != nil {
		err = errors.Join(err, fmt.Errorf("stopping S3: %w", closeErr))
	}
	return err
}

// environment lists what the worker, the AWS tools and psql need to know.
func (s *stack) environment(secret secrets, pid int) []variable {
	host, port, _ := net.SplitHostPort(s.warehouse.Addr())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return []variable{
		{envEndpoint, s.s3.Endpoint()},
		{envAccessKey, secret.AccessKey},
		{envSecretKey, secret.SecretKey},
		{envRegion, region},
		{"AWS_DEFAULT_REGION", region}, // version 1 of the AWS CLI knows this name only
		{"AWS_EC2_METADATA_DISABLED", "true"},
		{"BACKFILL_WAREHOUSE_URL", s.warehouse.URL(user)},
		{"BACKFILL_WAREHOUSE_PASSWORD", secret.Password},
		{"BACKFILL_WAREHOUSE_IAM_ROLE", roleARN},
		{"BACKFILL_WAREHOUSE_TLS", "off"},
		{"BACKFILL_STAGING_URI", "s3://" + stagingBucket + "/backfill"},
		{envPGHost, host},
		{envPGPort, port},
		{envPGUser, user},
		{envPGDatabase, database},
		{envPGPassword, secret.Password},
		{envPID, strconv.Itoa(pid)},
	}
}
