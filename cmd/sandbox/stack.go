package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/fault"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// What every sandbox has.
const (
	region        = "eu-west-1"
	account       = "000000000000"
	archiveBucket = "archive"
	stagingBucket = "staging"
	roleARN       = "arn:aws:iam::" + account + ":role/sandbox-copy"
	callerARN     = "arn:aws:iam::" + account + ":role/sandbox-worker"
	keyARN        = "arn:aws:kms:" + region + ":" + account + ":key/sandbox"
	user          = "backfill"
	database      = "analytics"
	clusterID     = "sandbox"
	secretName    = "sandbox/warehouse"
)

const startTimeout = 30 * time.Second

// stack is the running servers.
type stack struct {
	s3        *s3d.Server
	warehouse *redshiftd.Server
	aws       *awsd.Server
	control   *fault.Control
	dir       string // absolute
	caFile    string // of the warehouse's certificate; empty without TLS
}

// startStack starts all servers and returns when they have answered.
func startStack(ctx context.Context, o serveOptions, secret secrets) (_ *stack, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	s := &stack{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = filepath.Abs(o.dir); err != nil {
		return nil, fmt.Errorf("resolving the sandbox folder: %w", err)
	}
	copyPolicy, err := readPolicy(o.copyPolicy)
	if err != nil {
		return nil, err
	}
	roles := []awsd.Role{{ARN: roleARN, Policy: copyPolicy}, {ARN: callerARN, Policy: awsd.Everything()}}
	var faults fault.Set
	if err := s.startS3(ctx, o, secret, &faults); err != nil {
		return nil, err
	}
	if err := s.startWarehouse(ctx, o, secret, &faults, roles); err != nil {
		return nil, err
	}
	if err := s.startAWS(ctx, o, secret, roles); err != nil {
		return nil, err
	}
	if s.control, err = fault.Serve(s.dir, &faults, s.s3); err != nil {
		return nil, err
	}
	return s, s.answer(ctx, secret)
}

// readPolicy reads the policy of COPY's role; without a file it may do everything.
func readPolicy(path string) (awsd.Policy, error) {
	if path == "" {
		return awsd.Everything(), nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return awsd.Policy{}, fmt.Errorf("reading the policy of COPY's role: %w", err)
	}
	p, err := awsd.ParsePolicy(text)
	if err != nil {
		return awsd.Policy{}, fmt.Errorf("reading the policy of COPY's role in %s: %w", path, err)
	}
	return p, nil
}

func (s *stack) startS3(ctx context.Context, o serveOptions, secret secrets, faults *fault.Set) (err error) {
	s.s3, err = s3d.Start(ctx, s3d.Config{
		Dir: filepath.Join(s.dir, "s3"), Listen: o.s3Listen, Region: region,
		AccessKey: secret.AccessKey, SecretKey: secret.SecretKey, Hook: faults.S3,
	})
	if err != nil {
		return fmt.Errorf("starting S3: %w", err)
	}
	for _, bucket := range []string{archiveBucket, stagingBucket} {
		if err := s.s3.CreateBucket(ctx, bucket); err != nil {
			return fmt.Errorf("starting S3: %w", err)
		}
	}
	return nil
}

func (s *stack) startWarehouse(ctx context.Context, o serveOptions, secret secrets, faults *fault.Set, roles []awsd.Role) error {
	config := redshiftd.Config{
		Dir: filepath.Join(s.dir, "warehouse"), Listen: o.warehouseListen, Database: database,
		Users: map[string]string{user: secret.Password}, Roles: []string{roleARN},
		S3: redshiftd.S3{
			Endpoint: s.s3.Endpoint(), Region: region, PathStyle: true,
			AccessKey: secret.AccessKey, SecretKey: secret.SecretKey,
		},
		IAM:         redshiftd.IAM{Allows: awsd.Config{Roles: roles}.Allows, Keys: map[string]string{}},
		MemoryLimit: o.memoryLimit, LogLimit: o.logLimit, Hook: faults.SQL, Profile: redshiftd.Profile(o.profile), LoadLag: o.loadLag,
	}
	for _, bucket := range o.kmsBuckets {
		config.IAM.Keys[bucket] = keyARN
	}
	if o.cleartext {
		config.Authentication = redshiftd.Cleartext
	}
	if o.tls {
		var err error
		if config.TLS, s.caFile, err = issueCertificate(s.dir, o.warehouseListen); err != nil {
			return err
		}
		config.RequireTLS = true
	}
	// The warehouse ends with its context, and the start's context ends here; close ends the warehouse.
	var err error
	if s.warehouse, err = redshiftd.Start(context.WithoutCancel(ctx), config); err != nil {
		return fmt.Errorf("starting the warehouse: %w", err)
	}
	return nil
}

// issueCertificate makes a certificate for every name that this machine is reached by.
func issueCertificate(dir, listen string) (*tls.Config, string, error) {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if host, _, err := net.SplitHostPort(listen); err == nil && host != "" {
		hosts = append(hosts, host)
	}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	config, caFile, err := redshiftd.IssueCertificate(filepath.Join(dir, "tls"), hosts...)
	if err != nil {
		return nil, "", fmt.Errorf("making the warehouse's certificate: %w", err)
	}
	return config, caFile, nil
}

func (s *stack) startAWS(ctx context.Context, o serveOptions, secret secrets, roles []awsd.Role) error {
	host, port := s.address()
	text, err := json.Marshal(map[string]any{"engine": "redshift", "username": user, "password": secret.Password, "host": host,
		"port": port, "dbname": database, "dbClusterIdentifier": clusterID})
	if err != nil {
		return fmt.Errorf("encoding the warehouse's secret: %w", err)
	}
	s.aws, err = awsd.Start(ctx, awsd.Config{
		Listen: o.awsListen, Region: region, Account: account, Roles: roles, Login: s.warehouse, Objects: s.s3, Lifetime: o.lifetime,
		Keys: []awsd.Key{{ID: secret.AccessKey, User: "sandbox", Policy: awsd.Everything()}},
		Warehouse: awsd.Warehouse{Cluster: clusterID, Workgroup: clusterID, Namespace: clusterID, Address: net.JoinHostPort(host, strconv.Itoa(port)),
			Database: database, RequireTLS: o.tls},
		Secrets: map[string]string{secretName: string(text)},
	})
	return err
}

// address is where clients on this machine find the warehouse.
func (s *stack) address() (host string, port int) {
	host, text, _ := net.SplitHostPort(s.warehouse.Addr())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	port, _ = strconv.Atoi(text) // a listener's port is a number
	return host, port
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

// close ends what has been started, the warehouse before S3: a COPY under way still reads.
func (s *stack) close() error {
	var errs []error
	stop := func(what string, closing func() error) {
		if err := closing(); err != nil {
			errs = append(errs, fmt.Errorf("stopping %s: %w", what, err))
		}
	}
	if s.control != nil {
		stop("the control socket", s.control.Close)
	}
	if s.aws != nil {
		stop("the AWS endpoint", s.aws.Close)
	}
	if s.warehouse != nil {
		stop("the warehouse", s.warehouse.Close)
	}
	if s.s3 != nil {
		stop("S3", s.s3.Close)
	}
	return errors.Join(errs...)
}

// environment lists what the worker, the AWS tools and psql need to know.
func (s *stack) environment(secret secrets, pid int) []variable {
	host, port := s.address()
	list := []variable{
		{envEndpoint, s.s3.Endpoint()},
		{"AWS_ENDPOINT_URL_REDSHIFT", s.aws.Endpoint()},
		{"AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS", s.aws.Endpoint()},
		{"AWS_ENDPOINT_URL_SECRETS_MANAGER", s.aws.Endpoint()},
		{"AWS_ENDPOINT_URL_STS", s.aws.Endpoint()},
		{envAccessKey, secret.AccessKey},
		{envSecretKey, secret.SecretKey},
		{envRegion, region},
		{"AWS_DEFAULT_REGION", region}, // version 1 of the AWS CLI knows this name only
		{"AWS_EC2_METADATA_DISABLED", "true"},
		{"BACKFILL_WAREHOUSE_URL", s.warehouse.URL(user)},
		{"BACKFILL_WAREHOUSE_PASSWORD", secret.Password},
		{"BACKFILL_WAREHOUSE_IAM_ROLE", roleARN},
	}
	if s.caFile == "" {
		list = append(list, variable{"BACKFILL_WAREHOUSE_TLS", "off"})
	} else {
		list = append(list, variable{"BACKFILL_WAREHOUSE_TLS", "on"},
			variable{"SSL_CERT_FILE", s.caFile}, // what Go programs trust, beside the system's folder of certificates
			variable{envPGSSLMode, "verify-full"}, variable{envPGSSLRoot, s.caFile})
	}
	return append(list, []variable{
		{"BACKFILL_STAGING_URI", "s3://" + stagingBucket + "/backfill"},
		{envPGHost, host},
		{envPGPort, strconv.Itoa(port)},
		{envPGUser, user},
		{envPGDatabase, database},
		{envPGPassword, secret.Password},
		{envDir, s.dir},
		{envPID, strconv.Itoa(pid)},
	}...)
}
