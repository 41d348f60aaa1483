package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// The tests of this package run the real binary as a subprocess against the
// stand-ins, which run in the test's process so that a test can fail, cut and
// kill at any operation.

const (
	role     = "arn:aws:iam::000000000000:role/sandbox-copy"
	password = "Test-only-1"
	zone     = "America/Los_Angeles"
)

// harness is one pair of stand-ins for all tests; tests differ in topic,
// table and staging prefix.
type harness struct {
	seen      sync.Once // the worker's sources
	s3        *s3d.Server
	warehouse *redshiftd.Server
	binary    string
	dir       string
	memory    string

	onS3  atomic.Pointer[func(s3d.Op) s3d.Action]
	onSQL atomic.Pointer[func(redshiftd.Op) redshiftd.Action]
}

var shared *harness

func TestMain(m *testing.M) {
	code, err := withHarness(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// seeSources looks into the folders that the worker is built from, which go
// test notes. The test's own binary holds little of them, so that a change of
// the worker would otherwise be answered by a cached result.
func seeSources(t *testing.T) {
	t.Helper()
	for _, root := range []string{"../../internal", "../../jobs"} {
		if err := filepath.WalkDir(root, func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}

func withHarness(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "backfill-test-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary, err := buildWorker(dir)
	if err != nil {
		return 1, err
	}
	h, err := startHarness(dir, binary, "")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, h.close()) }()
	shared = h
	if err := h.exec("CREATE SCHEMA payroll"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

// buildWorker builds the program under test into a folder; flags are go build's.
func buildWorker(dir string, flags ...string) (binary string, err error) {
	binary = filepath.Join(dir, "backfill")
	flags = append(flags, "-o", binary, ".")
	build := exec.Command("go", append([]string{"build"}, flags...)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if raceDetector {
		build.Args = append([]string{"go", "build", "-race"}, flags...)
		build.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the worker: %w\n%s", err, out)
	}
	return binary, nil
}

// startHarness starts both stand-ins with their data below a folder. The
// memory limit is of the warehouse's engine; "" takes its default.
func startHarness(dir, binary, memory string) (h *harness, err error) {
	h = &harness{dir: dir, binary: binary, memory: memory}
	ctx := context.Background()
	h.s3, err = s3d.Start(ctx, s3d.Config{
		Dir: filepath.Join(dir, "s3"), Listen: "127.0.0.1:0", AccessKey: "TESTACCESSKEY", SecretKey: "test-secret-key", Region: "eu-west-1",
		Hook: func(op s3d.Op) s3d.Action {
			if f := h.onS3.Load(); f != nil {
				return (*f)(op)
			}
			return s3d.Continue
		},
	})
	if err != nil {
		return nil, err
	}
	for _, bucket := range []string{"archive", "staging"} {
		if err := h.s3.CreateBucket(ctx, bucket); err != nil {
			return nil, errors.Join(err, h.s3.Close())
		}
	}
	if err := h.startWarehouse(); err != nil {
		return nil, errors.Join(err, h.s3.Close())
	}
	return h, nil
}

// startWarehouse starts the warehouse on its folder, which may hold data, and on a free port.
func (h *harness) startWarehouse() (err error) {
	h.warehouse, err = redshiftd.Start(context.Background(), redshiftd.Config{
		Dir: h.warehouseDir(), Listen: "127.0.0.1:0", Database: "analytics", Users: map[string]string{"backfill": password}, MemoryLimit: h.memory,
		Roles: []string{role}, S3: redshiftd.S3{Endpoint: h.s3.Endpoint(), Region: "eu-west-1", AccessKey: "TESTACCESSKEY", SecretKey: "test-secret-key", PathStyle: true},
		Hook: func(op redshiftd.Op) redshiftd.Action {
			if f := h.onSQL.Load(); f != nil {
				return (*f)(op)
			}
			return redshiftd.Continue
		},
	})
	return err
}

func (h *harness) warehouseDir() string { return filepath.Join(h.dir, "warehouse") }

func (h *harness) close() error { return errors.Join(h.warehouse.Close(), h.s3.Close()) }

// env is the worker's environment; nothing of the test's own leaks in.
func (h *harness) env(extra ...string) []string {
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "AWS_EC2_METADATA_DISABLED=true",
		"AWS_ENDPOINT_URL_S3=" + h.s3.Endpoint(), "AWS_ACCESS_KEY_ID=TESTACCESSKEY", "AWS_SECRET_ACCESS_KEY=test-secret-key", "AWS_REGION=eu-west-1",
		"BACKFILL_WAREHOUSE_URL=" + h.warehouse.URL("backfill"), "BACKFILL_WAREHOUSE_PASSWORD=" + password,
		"BACKFILL_WAREHOUSE_IAM_ROLE=" + role, "BACKFILL_WAREHOUSE_TLS=off",
	}, extra...)
}

// outcome is how a run of the worker ended.
type outcome struct {
	exit           int
	stdout, stderr string
	result         result // of --output json
}

// start begins a run of the worker; wait collects it.
func (h *harness) start(t *testing.T, env []string, args ...string) (cmd *exec.Cmd, wait func() outcome) {
	t.Helper()
	h.seen.Do(func() { seeSources(t) })
	cmd = exec.Command(h.binary, append(args, "--output", "json")...)
	cmd.Env = env
	cmd.Dir = t.TempDir()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() outcome {
		var exit *exec.ExitError
		if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		o := outcome{exit: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
		if o.exit >= 0 {
			if err := json.Unmarshal(stdout.Bytes(), &o.result); err != nil {
				t.Fatalf("the result is no JSON: %v\nstdout: %s\nstderr: %s", err, o.stdout, o.stderr)
			}
		}
		return o
	}
}

// run runs the worker to its end and demands an exit code.
func (h *harness) run(t *testing.T, exit int, args ...string) outcome {
	t.Helper()
	_, wait := h.start(t, h.env(), args...)
	o := wait()
	if o.exit != exit {
		t.Fatalf("exit code %d, want %d, from %s\n%s%s", o.exit, exit, strings.Join(args, " "), o.stderr, o.stdout)
	}
	return o
}

func (h *harness) connect() (*pgx.Conn, error) {
	cfg, err := pgx.ParseConfig("postgres://" + strings.TrimPrefix(h.warehouse.URL("backfill"), "redshift://") + "?sslmode=disable")
	if err != nil {
		return nil, err
	}
	cfg.Password, cfg.DefaultQueryExecMode, cfg.StatementCacheCapacity = password, pgx.QueryExecModeExec, 0
	return pgx.ConnectConfig(context.Background(), cfg)
}

func (h *harness) exec(statements ...string) error {
	conn, err := h.connect()
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	for _, s := range statements {
		if _, err := conn.Exec(context.Background(), s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func (h *harness) sql(t *testing.T, statements ...string) {
	t.Helper()
	if err := h.exec(statements...); err != nil {
		t.Fatal(err)
	}
}

// rows returns a query's rows as lines of text.
func (h *harness) rows(t *testing.T, query string) []string {
	t.Helper()
	conn, err := h.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	found, err := conn.Query(context.Background(), query, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	var lines []string
	for found.Next() {
		var b strings.Builder
		for _, v := range found.RawValues() {
			if v == nil {
				b.WriteString("NULL|")
				continue
			}
			b.Write(v)
			b.WriteByte('|')
		}
		lines = append(lines, b.String())
	}
	if found.Err() != nil {
		t.Fatal(found.Err())
	}
	return lines
}

// archive is a generated month with its dataset file.
type archive struct {
	truth   archivegen.Truth
	dataset string // path
	options archivegen.Options
}

// putter writes generated objects into a bucket's folder of the archive store.
type putter struct{ h *harness }

func (p putter) Put(ctx context.Context, key string, body []byte) error {
	return p.h.put(ctx, "archive", key, body)
}

// generate writes a month below its own prefix.
func (h *harness) generate(t *testing.T, o archivegen.Options) archive {
	t.Helper()
	pacific, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	o.From, o.To, o.Zone = time.Date(2026, 3, 1, 0, 0, 0, 0, pacific), time.Date(2026, 4, 1, 0, 0, 0, 0, pacific), zone
	o.Prefix, o.Topic = prefixOf(t), "payroll.events"
	truth, err := archivegen.Generate(context.Background(), o, putter{h})
	if err != nil {
		t.Fatal(err)
	}
	yaml := strings.NewReplacer("{{archive}}", "s3://archive", "{{staging}}", "s3://staging/"+prefixOf(t)).Replace(archivegen.DatasetYAML(o))
	file := filepath.Join(t.TempDir(), "dataset.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return archive{truth: truth, dataset: file, options: o}
}

func prefixOf(t *testing.T) string {
	return strings.ToLower(strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()))
}

// window is the arguments that every run of a month shares.
func (a archive) window(extra ...string) []string {
	return append([]string{"--dataset", a.dataset, "--from", "2026-03-01", "--to", "2026-04-01"}, extra...)
}

const eventColumns = `event_id varchar(36) NOT NULL, type varchar(32) NOT NULL, employee_id bigint NOT NULL, company_id bigint,
 gross_amount decimal(18,2), tax_amount decimal(18,2), net_amount decimal(18,2), currency char(3), pay_run_id varchar(36),
 occurred_at timestamp NOT NULL, version integer NOT NULL, bank_account varchar(64), details super, source varchar(16),
 _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64)`

// table makes a fresh events table and returns the flags that choose it and a
// staging prefix of its own.
func (h *harness) table(t *testing.T, name string) []string {
	t.Helper()
	h.sql(t, "CREATE TABLE payroll."+name+" ("+eventColumns+", PRIMARY KEY (event_id))")
	return []string{"--set", "table.name=payroll." + name, "--set", "staging.uri=s3://staging/" + name}
}

// contents returns all rows of an events table but the run's id, in order.
func (h *harness) contents(t *testing.T, name string) []string {
	t.Helper()
	return h.rows(t, `SELECT event_id, type, employee_id, company_id, gross_amount, tax_amount, net_amount, currency, pay_run_id, occurred_at,
 version, bank_account, JSON_SERIALIZE(details), source, _kafka_topic, _kafka_partition, _kafka_offset FROM payroll.`+name+` ORDER BY event_id, version, _kafka_offset`)
}

// ops lets a test look at, and act on, every operation of both stand-ins.
func (h *harness) watch(t *testing.T, s3 func(s3d.Op) s3d.Action, sql func(redshiftd.Op) redshiftd.Action) {
	t.Helper()
	if s3 != nil {
		h.onS3.Store(&s3)
	}
	if sql != nil {
		h.onSQL.Store(&sql)
	}
	t.Cleanup(h.unwatch)
}

func (h *harness) unwatch() {
	h.onS3.Store(nil)
	h.onSQL.Store(nil)
}

// killer kills a process once.
type killer struct {
	once sync.Once
	cmd  atomic.Pointer[exec.Cmd]
}

// kill sends SIGKILL and reports whether it was this call that did.
func (k *killer) kill() bool {
	did := false
	k.once.Do(func() {
		if cmd := k.cmd.Load(); cmd != nil {
			_ = cmd.Process.Kill() // it may have ended by itself: then there is nothing to kill
			did = true
		}
	})
	return did
}

// put writes an object with the SDK, as an archiver would.
func (h *harness) put(ctx context.Context, bucket, key string, body []byte) error {
	_, err := h.client().PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(body)})
	return err
}

func (h *harness) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: aws.String(h.s3.Endpoint()), Region: "eu-west-1", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("TESTACCESSKEY", "test-secret-key", ""),
	})
}
