package main

import (
	"context"
	"encoding/json"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/jackc/pgx/v5"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/redshiftd"
)

const (
	accountID = "000000000000"
	worker    = "arn:aws:iam::000000000000:role/worker"
)

// cloud mints logins for a warehouse. Its clock can be put ahead.
type cloud struct {
	aws   *awsd.Server
	ahead atomic.Int64
}

func policy(t *testing.T, text string) awsd.Policy {
	t.Helper()
	p, err := awsd.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func startCloud(t *testing.T, warehouse *redshiftd.Server, lifetime time.Duration, secrets map[string]string) *cloud {
	t.Helper()
	c := &cloud{}
	var err error
	c.aws, err = awsd.Start(context.Background(), awsd.Config{
		Region: "eu-west-1", Account: accountID, Login: warehouse, Objects: shared.s3, Lifetime: lifetime, Secrets: secrets,
		Now: func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) },
		Keys: []awsd.Key{{ID: "TESTACCESSKEY", User: "worker", Policy: awsd.Everything()},
			{ID: "AKIAGUEST", User: "guest", Policy: policy(t, `{"Version":"2012-10-17","Statement":[]}`)}},
		Roles:     []awsd.Role{{ARN: worker, Policy: awsd.Everything()}},
		Warehouse: awsd.Warehouse{Cluster: "main", Workgroup: "payroll", Namespace: "ns", Address: warehouse.Addr(), Database: "analytics"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.aws.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// env is an environment that knows the warehouse by the dataset alone.
func (c *cloud) env(extra ...string) []string {
	var out []string
	for _, v := range shared.env() {
		if !strings.HasPrefix(v, "BACKFILL_WAREHOUSE_PASSWORD") && !strings.HasPrefix(v, "BACKFILL_WAREHOUSE_URL") {
			out = append(out, v)
		}
	}
	for _, service := range []string{"REDSHIFT", "REDSHIFT_SERVERLESS", "SECRETS_MANAGER", "STS"} {
		out = append(out, "AWS_ENDPOINT_URL_"+service+"="+c.aws.Endpoint())
	}
	return append(out, extra...)
}

// secretText is a secret as Secrets Manager keeps it for a database.
func secretText(t *testing.T, user, password, address string) string {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{"username": user, "password": password, "host": host, "port": port, "dbname": "analytics", "engine": "redshift"})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every way to sign in, with the real binary: what it says and how it ends.
func TestSignIn(t *testing.T) {
	h := shared
	c := startCloud(t, h.warehouse, 0, map[string]string{
		"good": secretText(t, "backfill", password, h.warehouse.Addr()), "stale": secretText(t, "backfill", "rotated-away", h.warehouse.Addr()),
	})
	minute := startCloud(t, h.warehouse, time.Nanosecond, nil)
	a := h.generate(t, archivegen.Options{Seed: 41, Events: 20, Partitions: 1})
	dir := t.TempDir()
	for name, text := range map[string]string{"good": password + "\n", "wrong": "not-it\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	at := h.warehouse.Addr()
	tests := []struct {
		name  string
		cloud *cloud
		env   []string
		set   []string
		exit  int
		code  string
		want  string // part of the sentence
	}{
		{name: "password in the environment", env: []string{"BACKFILL_WAREHOUSE_PASSWORD=" + password}, set: []string{"url=redshift://backfill@" + at + "/analytics"}},
		{name: "password file in the environment", env: []string{"BACKFILL_WAREHOUSE_PASSWORD_FILE=" + dir + "/good"}, set: []string{"url=redshift://backfill@" + at + "/analytics"}},
		{name: "password file", set: []string{"url=redshift://backfill@" + at + "/analytics", "password={file: " + dir + "/good}"}},
		{name: "wrong password", set: []string{"url=redshift://backfill@" + at + "/analytics", "password={file: " + dir + "/wrong}"},
			exit: 3, code: "credentials", want: `password authentication failed for user "backfill"`},
		{name: "no password", set: []string{"url=redshift://backfill@" + at + "/analytics"}, exit: 3, code: "credentials", want: "the warehouse's password is not set"},
		{name: "two ways", env: []string{"BACKFILL_WAREHOUSE_PASSWORD=" + password, "BACKFILL_WAREHOUSE_PASSWORD_FILE=" + dir + "/good"},
			set: []string{"url=redshift://backfill@" + at + "/analytics"}, exit: 2, code: "bad_dataset", want: "there are two ways to sign in to the warehouse"},

		{name: "cluster", set: []string{"url=redshift://backfill@" + at + "/analytics", "sign_in={iam: {cluster: main}}"}},
		{name: "cluster's endpoint", set: []string{"url=redshift://backfill@main.eu-west-1/analytics", "sign_in={iam: {cluster: main}}"}},
		{name: "cluster, the identity's own user", set: []string{"url=redshift://" + at + "/analytics", "sign_in={iam: {cluster: main}}"}},
		{name: "by the environment", env: []string{"BACKFILL_WAREHOUSE_SIGN_IN={iam: {workgroup: payroll}}"}, set: []string{"url=redshift:///analytics"}},
		{name: "workgroup's endpoint", set: []string{"url=redshift://payroll/analytics", "sign_in={iam: {workgroup: payroll}}"}},
		{name: "no such cluster", set: []string{"url=redshift://backfill@" + at + "/analytics", "sign_in={iam: {cluster: other}}"},
			exit: 2, code: "input_missing", want: "cluster other: there is no such cluster: Cluster other not found. (ClusterNotFound)"},
		{name: "no such workgroup", set: []string{"url=redshift:///analytics", "sign_in={iam: {workgroup: other}}"},
			exit: 2, code: "input_missing", want: "workgroup other: there is no such workgroup: Workgroup other not found."},
		{name: "no such user", set: []string{"url=redshift://nobody@" + at + "/analytics", "sign_in={iam: {cluster: main}}"},
			exit: 3, code: "credentials", want: `password authentication failed for user "IAM:nobody"`},
		{name: "minted and over", cloud: minute, set: []string{"url=redshift://backfill@" + at + "/analytics", "sign_in={iam: {cluster: main}}"},
			exit: 3, code: "credentials", want: `password authentication failed for user "IAM:backfill"`},
		{name: "denied", env: []string{"AWS_ACCESS_KEY_ID=AKIAGUEST"}, set: []string{"url=redshift://backfill@" + at + "/analytics", "sign_in={iam: {cluster: main}}"},
			exit: 3, code: "permission", want: "redshift:GetClusterCredentials is not allowed: User: arn:aws:iam::000000000000:user/guest is not authorized"},
		{name: "workgroup denied", env: []string{"AWS_ACCESS_KEY_ID=AKIAGUEST"}, set: []string{"url=redshift://" + at + "/analytics", "sign_in={iam: {workgroup: payroll}}"},
			exit: 3, code: "permission", want: "redshift-serverless:GetCredentials is not allowed"},
		{name: "unknown AWS key", env: []string{"AWS_ACCESS_KEY_ID=AKIAUNKNOWN"}, set: []string{"url=redshift://backfill@" + at + "/analytics", "sign_in={iam: {cluster: main}}"},
			exit: 3, code: "credentials", want: "AWS refused the credentials"},

		{name: "secret", set: []string{"sign_in={secret: good}"}},
		{name: "secret by ARN", set: []string{"sign_in={secret: 'arn:aws:secretsmanager:eu-west-1:000000000000:secret:good'}"}},
		{name: "secret of a rotated password", set: []string{"sign_in={secret: stale}"}, exit: 3, code: "credentials", want: `password authentication failed for user "backfill"`},
		{name: "no such secret", set: []string{"sign_in={secret: gone}"}, exit: 2, code: "input_missing", want: "there is no such secret"},
		{name: "secret denied", env: []string{"AWS_ACCESS_KEY_ID=AKIAGUEST"}, set: []string{"sign_in={secret: good}"},
			exit: 3, code: "permission", want: "secretsmanager:GetSecretValue is not allowed"},
		{name: "secret of another user", set: []string{"url=redshift://loader@" + at + "/analytics", "sign_in={secret: good}"},
			exit: 3, code: "credentials", want: "the secret is of another user than the warehouse URL names"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.cloud == nil {
				test.cloud = c
			}
			args := []string{"status", "--dataset", a.dataset, "--log-level", "debug"}
			for _, s := range test.set {
				args = append(args, "--set", "warehouse."+s)
			}
			// S3 needs keys that it knows, whoever asks for the login; they come first in no way but a file's.
			_, wait := h.start(t, test.cloud.env(test.env...), args...)
			checkSignIn(t, wait(), test.exit, test.code, test.want)
		})
	}
}

func checkSignIn(t *testing.T, o outcome, exit int, code, want string) {
	t.Helper()
	if o.exit != exit || o.result.Code != code || !strings.Contains(o.result.Error, want) || exit != 0 && o.result.Hint == "" {
		t.Errorf("exit %d, code %q: %s (%s)\nwant exit %d, code %q: …%s…\n%s", o.exit, o.result.Code, o.result.Error, o.result.Hint, exit, code, want, o.stderr)
	}
	for _, secret := range []string{password, "not-it", "rotated-away", "test-secret-key"} {
		if strings.Contains(o.stdout+o.stderr, secret) {
			t.Errorf("the output shows %q:\n%s%s", secret, o.stdout, o.stderr)
		}
	}
}

// Credentials of a role that have run out are told apart from wrong ones.
func TestExpiredRole(t *testing.T) {
	h := shared
	c := startCloud(t, h.warehouse, time.Minute, nil)
	client := sts.New(sts.Options{Region: "eu-west-1", BaseEndpoint: aws.String(c.aws.Endpoint()),
		Credentials: credentials.NewStaticCredentialsProvider("TESTACCESSKEY", "test-secret-key", "")})
	role, err := client.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(worker), RoleSessionName: aws.String("test")})
	if err != nil {
		t.Fatal(err)
	}
	a := h.generate(t, archivegen.Options{Seed: 41, Events: 20, Partitions: 1})
	env := c.env("AWS_ACCESS_KEY_ID="+*role.Credentials.AccessKeyId, "AWS_SECRET_ACCESS_KEY="+*role.Credentials.SecretAccessKey, "AWS_SESSION_TOKEN="+*role.Credentials.SessionToken)
	args := []string{"status", "--dataset", a.dataset, "--set", "warehouse.url=redshift://" + h.warehouse.Addr() + "/analytics", "--set", "warehouse.sign_in={iam: {cluster: main}}",
		"--set", "archive.uri=file:///nonexistent", "--set", "staging.uri=file://" + t.TempDir()}
	_, wait := h.start(t, env, args...)
	checkSignIn(t, wait(), 0, "", "")
	c.ahead.Store(int64(2 * time.Minute))
	_, wait = h.start(t, env, args...)
	checkSignIn(t, wait(), 3, "credentials", "the AWS credentials have expired: The security token included in the request is expired")
}

// The pods of a plan sign in as the dataset said, although they see only the plan.
func TestPlanCarriesTheSignIn(t *testing.T) {
	h := shared
	c := startCloud(t, h.warehouse, 0, map[string]string{"good": secretText(t, "backfill", password, h.warehouse.Addr())})
	a := h.generate(t, archivegen.Options{Seed: 42, Events: 50, Partitions: 1})
	flags := append(h.table(t, "signed"), "--set", "warehouse.sign_in={secret: good}")
	_, wait := h.start(t, c.env(), append(append([]string{"plan"}, a.window("--replan")...), flags...)...)
	o := wait()
	checkSignIn(t, o, 0, "", "")
	for _, command := range []string{"convert", "load"} {
		// A password that lies about does not choose another way.
		_, wait := h.start(t, c.env("BACKFILL_WAREHOUSE_PASSWORD=not-it"), command, "--plan", o.result.Plan)
		checkSignIn(t, wait(), 0, "", "")
	}
	if rows := h.rows(t, "SELECT COUNT(*) FROM payroll.signed"); rows[0] == "0|" {
		t.Error("nothing was loaded")
	}
	// The plan names the secret; what the secret holds is nowhere.
	dir, named := t.TempDir(), false
	h.download(t, "staging", "signed", dir)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		named = named || strings.Contains(string(text), `{\"secret\":\"good\"}`)
		if strings.Contains(string(text), password) {
			t.Errorf("%s holds the password", path)
		}
		return err
	})
	if err != nil || !named {
		t.Errorf("the plan names no secret: %v", err)
	}
}

// startOther starts a further warehouse and returns its URL.
func startOther(t *testing.T, c redshiftd.Config) string {
	t.Helper()
	c.Dir, c.Listen, c.Database, c.Users, c.Roles = t.TempDir(), "127.0.0.1:0", "analytics", map[string]string{"backfill": password}, []string{role}
	c.MemoryLimit, c.Threads = "256MB", 1
	c.S3 = redshiftd.S3{Endpoint: shared.s3.Endpoint(), Region: "eu-west-1", AccessKey: "TESTACCESSKEY", SecretKey: "test-secret-key", PathStyle: true}
	server, err := redshiftd.Start(context.Background(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	return "redshift://backfill@" + server.Addr() + "/analytics"
}

// COPY reads with the last role of a chain, and each may assume the next.
func TestChainedRoles(t *testing.T) {
	const reader = "arn:aws:iam::111111111111:role/lake-reader"
	at := startOther(t, redshiftd.Config{IAM: redshiftd.IAM{Allows: func(who, action, resource string) bool {
		return who == role && action == "sts:AssumeRole" && resource == reader || who == reader && strings.HasPrefix(action, "s3:")
	}}})
	conn, err := pgx.Connect(context.Background(), strings.Replace(at, "redshift://backfill", "postgres://backfill:"+password, 1)+"?sslmode=disable&default_query_exec_mode=exec")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(context.Background(), "CREATE SCHEMA payroll"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	a := shared.generate(t, archivegen.Options{Seed: 43, Events: 50, Partitions: 1})
	for _, test := range []struct {
		roles      string
		exit       int
		code, want string
	}{
		{role, 3, "permission", "Access Denied"},
		{"default", 3, "permission", "Access Denied"},
		{role + ",arn:aws:iam::111111111111:role/other", 3, "permission", "not authorized to assume IAM Role"},
		{role + ", " + reader, 2, "bad_dataset", "warehouse.iam_role is not a role"},
		{role + "," + reader, 0, "", ""},
	} {
		args := append([]string{"run"}, a.window("--create-table", "--set", "warehouse.url="+at, "--set", "warehouse.iam_role="+test.roles, "--set", "staging.uri=s3://staging/chained")...)
		_, wait := shared.start(t, shared.env(), args...)
		checkSignIn(t, wait(), test.exit, test.code, test.want)
	}
}

// TLS is verified by name and authority, and never quietly left out.
func TestTLSToTheWarehouse(t *testing.T) {
	h := shared
	dir := t.TempDir()
	config, ca, err := redshiftd.IssueCertificate(filepath.Join(dir, "tls"), "127.0.0.1", "warehouse.example.com")
	if err != nil {
		t.Fatal(err)
	}
	named, _, err := redshiftd.IssueCertificate(filepath.Join(dir, "tls"), "warehouse.example.com")
	if err != nil {
		t.Fatal(err)
	}
	_, foreign, err := redshiftd.IssueCertificate(filepath.Join(dir, "foreign"), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	secured, byName := startOther(t, redshiftd.Config{TLS: config, RequireTLS: true}), startOther(t, redshiftd.Config{TLS: named, RequireTLS: true})
	plain := "redshift://backfill@" + h.warehouse.Addr() + "/analytics"
	a := h.generate(t, archivegen.Options{Seed: 41, Events: 20, Partitions: 1})
	for _, test := range []struct {
		name, url, tls string
		env            string
		exit           int
		code, want     string
	}{
		{"private authority", secured, "{ca_file: " + ca + "}", "", 0, "", ""},
		{"authority of the system", secured, "on", "SSL_CERT_FILE=" + ca, 0, "", ""},
		{"the certificate's name", byName, "{ca_file: " + ca + ", server_name: warehouse.example.com}", "", 0, "", ""},
		{"wrong name", byName, "{ca_file: " + ca + "}", "", 2, "usage", "the warehouse's certificate is for another name"},
		{"unknown authority", secured, "on", "", 2, "usage", "the warehouse's certificate is signed by an authority that is not trusted"},
		{"another authority", secured, "{ca_file: " + foreign + "}", "", 2, "usage", "the warehouse's certificate is signed by an authority that is not trusted"},
		{"server without TLS", plain, "{ca_file: " + ca + "}", "", 2, "usage", "the warehouse speaks no TLS"},
		{"client without TLS", secured, "off", "", 3, "credentials", "SSL off"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, wait := h.start(t, h.env(test.env), "status", "--dataset", a.dataset, "--set", "warehouse.url="+test.url, "--set", "warehouse.tls="+test.tls)
			checkSignIn(t, wait(), test.exit, test.code, test.want)
		})
	}
}
