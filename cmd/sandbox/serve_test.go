package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// server is a running sandbox serve.
type server struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	rest   io.Reader // of stdout, after the line that says it is up
	stderr *bytes.Buffer
}

func serveIn(t *testing.T, dir string, flags ...string) *server {
	t.Helper()
	cmd := program(t.Context(), dir, append([]string{"serve", "--dir", "data", "--env-file", "env", "--until-stdin-closes"}, flags...)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{cmd: cmd, stdin: stdin, stderr: new(bytes.Buffer)}
	cmd.Stderr = s.stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = stdin.Close()
			_ = cmd.Wait()
		}
	})
	lines := bufio.NewReader(stdout)
	s.rest = lines
	if line, err := lines.ReadString('\n'); !strings.HasPrefix(line, "The sandbox is up") {
		_ = cmd.Wait()
		t.Fatalf("serve says %q, %v, %s", line, err, s.stderr)
	}
	return s
}

// ended waits for the end that the caller has brought about, and wants it in good order.
func (s *server) ended(t *testing.T) {
	t.Helper()
	rest, err := io.ReadAll(s.rest)
	if err != nil {
		t.Error(err)
	}
	if err := s.cmd.Wait(); err != nil || !strings.HasSuffix(string(rest), "The sandbox stops.\n") || s.stderr.Len() > 0 {
		t.Errorf("serve ended with %v, %q, %q", err, rest, s.stderr)
	}
}

func TestServeKeepsDataOverRestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveIn(t, dir)
	sql := func(args ...string) string {
		return mustExecute(t, dir, append([]string{"sql", "--env-file", "env"}, args...)...)
	}
	text, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := parseEnv(string(text))
	if err != nil {
		t.Fatal(err)
	}
	wantEnvironment(t, dir, first, s.cmd.Process.Pid)

	sql("CREATE SCHEMA payroll", "CREATE TABLE payroll.events (event_id VARCHAR(36) NOT NULL, gross_amount DECIMAL(18,2))")
	sql("INSERT INTO payroll.events VALUES ('a', 1.50), ('b', NULL)")
	month := []string{"generate", "--seed", "7", "--events", "2000", "--from", "2026-10-01", "--to", "2026-11-01",
		"--env-file", "env", "--truth", "truth.json", "--dataset", "payroll.yaml"}
	if out := mustExecute(t, dir, month...); !strings.HasPrefix(out, "s3://archive/topics/payroll.events/\n") {
		t.Errorf("generate says %q", out)
	}
	dataset, err := os.ReadFile(filepath.Join(dir, "payroll.yaml"))
	if err != nil || !bytes.Contains(dataset, []byte("s3://archive/topics/payroll.events")) || bytes.Contains(dataset, []byte("{{")) {
		t.Errorf("dataset file: %s, %v", dataset, err)
	}
	if o := execute(t, dir, "", "serve", "--dir", "data", "--env-file", "other"); o.code != exitFault ||
		o.stderr != "sandbox: another sandbox serves data already: stop it, or choose another --dir\n" {
		t.Errorf("a second sandbox in the folder: %+v", o)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.ended(t)
	if _, err := os.Stat(filepath.Join(dir, "env")); !os.IsNotExist(err) {
		t.Errorf("the environment file stays: %v", err)
	}

	s = serveIn(t, dir)
	want := "event_id  gross_amount\n--------  ------------\na                 1.50\nb                 NULL\n(2 rows)\n"
	if got := sql("SELECT event_id, gross_amount FROM payroll.events ORDER BY event_id"); got != want {
		t.Errorf("after a restart:\n%swant\n%s", got, want)
	}
	if o := execute(t, dir, "", month...); o.code != exitFault || !strings.Contains(o.stderr, "s3://archive/topics/payroll.events/ already holds objects") {
		t.Errorf("generating over an archive: %+v", o)
	}
	if err := s.stdin.Close(); err != nil {
		t.Fatal(err)
	}
	s.ended(t)
}

func wantEnvironment(t *testing.T, dir string, env map[string]string, pid int) {
	t.Helper()
	info, err := os.Stat(filepath.Join(dir, "env"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("environment file: %v, %v", info.Mode(), err)
	}
	for name, want := range map[string]string{
		"AWS_REGION":                  "eu-west-1",
		"AWS_DEFAULT_REGION":          "eu-west-1",
		"AWS_EC2_METADATA_DISABLED":   "true",
		"BACKFILL_WAREHOUSE_URL":      "redshift://backfill@127.0.0.1:" + env["PGPORT"] + "/analytics",
		"BACKFILL_WAREHOUSE_PASSWORD": env["PGPASSWORD"],
		"BACKFILL_WAREHOUSE_IAM_ROLE": "arn:aws:iam::000000000000:role/sandbox-copy",
		"BACKFILL_WAREHOUSE_TLS":      "off",
		"BACKFILL_STAGING_URI":        "s3://staging/backfill",
		"PGHOST":                      "127.0.0.1",
		"PGUSER":                      "backfill",
		"PGDATABASE":                  "analytics",
		"SANDBOX_PID":                 strconv.Itoa(pid),
		"SANDBOX_DIR":                 filepath.Join(dir, "data"),
	} {
		if env[name] != want {
			t.Errorf("%s=%s, want %s", name, env[name], want)
		}
	}
	for _, name := range []string{"AWS_ENDPOINT_URL_S3", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PGPASSWORD"} {
		if env[name] == "" {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestSQL(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveIn(t, dir)
	defer func() {
		_ = s.stdin.Close()
		s.ended(t)
	}()
	for _, test := range []struct {
		name, stdin string
		args        []string
		want        outcome
	}{
		{"json", "", []string{"--output", "json", "SELECT 1::BIGINT AS n, TRUE AS b, 1.50::DECIMAL(18,2) AS d, 'ü'::VARCHAR(4) AS s, NULL::INTEGER AS z"},
			outcome{0, `{"rows":[{"n":1,"b":true,"d":"1.50","s":"ü","z":null}],"tag":"SELECT"}` + "\n", ""}},
		{"csv from stdin", "SELECT 'a,b'::VARCHAR(3) AS x, NULL::INTEGER AS y", []string{"--output", "csv", "-"},
			outcome{0, "x,y\n\"a,b\",\n", ""}},
		{"several statements", "", []string{"CREATE TEMP TABLE t (a INTEGER); INSERT INTO t VALUES (1), (2)", "SELECT SUM(a) AS s FROM t"},
			outcome{0, "CREATE TABLE\nINSERT 0 2\ns\n-\n3\n(1 row)\n", ""}},
		{"unknown table", "", []string{"SELECT * FROM nowhere"},
			outcome{1, "", "(SQLSTATE 42P01)\n"}},
		{"error in a later statement", "", []string{"SELECT 1 AS a; SELECT 1/0 AS b"},
			outcome{1, "a\n-\n1\n(1 row)\n", "(SQLSTATE 22012)\n"}},
	} {
		got := execute(t, dir, test.stdin, append([]string{"sql", "--env-file", "env"}, test.args...)...)
		if got.code != test.want.code || got.stdout != test.want.stdout || !strings.Contains(got.stderr, test.want.stderr) {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	if err := os.WriteFile(precious, []byte("not ours\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(dir, "damaged")
	if err := os.Mkdir(damaged, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "secrets.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--dir", filepath.Join(dir, "a"), "--env-file", precious}, precious + " exists and was not written by sandbox serve: remove it, or choose another --env-file\n"},
		{[]string{"--dir", damaged}, "secrets.json is damaged: remove it, and new secrets are made (the data stays)\n"},
		{[]string{"--dir", precious}, "creating the sandbox folder: "},
		{[]string{"--dir", filepath.Join(dir, "b"), "--s3-listen", "127.0.0.1:99999"}, "starting S3: listening for S3 requests: "},
	} {
		got := inProcess(t, nil, append([]string{"serve"}, test.args...)...)
		if got.code != exitFault || got.stdout != "" || !strings.Contains(got.stderr, test.want) {
			t.Errorf("serve %q: %+v, want %q", test.args, got, test.want)
		}
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "not ours\n" {
		t.Errorf("the file of another is now %q, %v", text, err)
	}
}

// A sandbox that was killed leaves its environment file; the next one replaces it.
func TestStaleEnvironmentFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	stale := renderEnv([]variable{{envPGPort, "1"}})
	if err := os.WriteFile(filepath.Join(dir, "env"), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, dir)
	now, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil || bytes.Equal(now, stale) {
		t.Errorf("environment file %q, %v", now, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "env"), stale, 0o600); err != nil {
		t.Fatal(err)
	}
	_ = s.stdin.Close()
	s.ended(t)
	if now, err := os.ReadFile(filepath.Join(dir, "env")); err != nil || !bytes.Equal(now, stale) {
		t.Errorf("another sandbox's environment file became %q, %v", now, err)
	}
}

// The profile says which system tables show; an unknown one is refused before anything starts.
func TestServeProfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if got := execute(t, dir, "", "serve", "--dir", "data", "--profile", "dense"); got.code != exitUsage || !strings.Contains(got.stderr, `--profile is serverless or provisioned, got "dense"`) {
		t.Errorf("%+v", got)
	}
	s := serveIn(t, dir, "--profile", "provisioned", "--load-lag", "1h")
	defer func() {
		_ = s.stdin.Close()
		s.ended(t)
	}()
	if out := mustExecute(t, dir, "sql", "--env-file", "env", "--output", "csv", "SELECT COUNT(*) FROM stv_locks"); !strings.Contains(out, "0") {
		t.Errorf("%q", out)
	}
}
