package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// envOf reads the environment file of a running sandbox.
func envOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "env"))
	if err != nil {
		t.Fatal(err)
	}
	env, err := parseEnv(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return env
}

// Rules are added, listed, waited for and cleared from another process; SQL meets them.
func TestFaults(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveIn(t, dir)
	faults := func(args ...string) string {
		return mustExecute(t, dir, append([]string{"fault", "--env-file", "env"}, args...)...)
	}
	sql := func(statement string) outcome { return execute(t, dir, "", "sql", "--env-file", "env", statement) }
	if got := faults("add", "sql SELECT text=forty fail=1023", "sql SELECT text=fifty lost", "s3 PutObject fail=throttled times=2"); got != "1\n2\n3\n" {
		t.Errorf("add says %q", got)
	}
	if got := sql("SELECT 'forty'::VARCHAR(9) AS x"); got.code != exitFault || !strings.Contains(got.stderr, "1023 (SQLSTATE XX000)") {
		t.Errorf("%+v", got)
	}
	if got := sql("SELECT 'forty'::VARCHAR(9) AS x"); got.code != exitOK {
		t.Errorf("the fault struck twice: %+v", got)
	}
	if got := sql("SELECT 'fifty'::VARCHAR(9) AS x"); got.code != exitFault || strings.Contains(got.stderr, "SQLSTATE") {
		t.Errorf("%+v", got)
	}
	faults("wait", "2", "--timeout", "10s")
	mustExecute(t, dir, "generate", "--env-file", "env", "--seed", "1", "--events", "100", "--from", "2026-10-01", "--to", "2026-10-02", "--truth", "t", "--parallel", "1")
	got := faults("ls")
	for _, want := range []string{"id  matches  fired  rule\n", " 1        2      1  sql SELECT text=forty fail=conflict\n", " 2        1      1  sql SELECT text=fifty after cut\n", "(3 rows)\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("ls says\n%swant\n%s", got, want)
		}
	}
	var list []struct {
		ID    int
		Fired int64
	}
	if err := json.Unmarshal([]byte(faults("ls", "--output", "json")), &list); err != nil || len(list) != 3 || list[2].Fired != 2 {
		t.Errorf("%+v, %v", list, err)
	}
	faults("clear", "2")
	if got := execute(t, dir, "", "fault", "--env-file", "env", "wait", "1", "--times", "2", "--timeout", "20ms"); got.code != exitFault || got.stderr != "sandbox: rule 1 has not fired 2 times within 20ms\n" {
		t.Errorf("%+v", got)
	}
	if got := execute(t, dir, "", "fault", "--env-file", "env", "clear", "2"); got.code != exitFault || got.stderr != "sandbox: clearing rule 2: there is no such rule\n" {
		t.Errorf("%+v", got)
	}
	faults("clear")
	_ = s.stdin.Close()
	s.ended(t)
	if _, err := os.Lstat(filepath.Join(dir, "data", "control.sock")); !os.IsNotExist(err) {
		t.Errorf("the control socket stays: %v", err)
	}
}

func TestFaultCommandLines(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args []string
		want string
	}{
		{nil, "fault needs add, ls, wait or clear; sandbox fault --help explains them"},
		{[]string{"set"}, `fault "set" is not known: it is one of add, ls, wait, clear`},
		{[]string{"add"}, "fault add needs a rule, as in: sandbox fault add 's3 PutObject lost'"},
		{[]string{"add", "s3 PutObject explode"}, `the rule "s3 PutObject explode" is wrong: explode: no rule has such a word`},
		{[]string{"ls", "1"}, `fault ls takes no arguments, got "1"`},
		{[]string{"ls", "--output", "xml"}, `--output is table or json, got "xml"`},
		{[]string{"wait"}, "fault wait takes the number of one rule, --times from 1 and a --timeout that is not negative"},
		{[]string{"wait", "1", "--times", "0"}, "fault wait takes the number of one rule, --times from 1 and a --timeout that is not negative"},
		{[]string{"clear", "x"}, `fault clear takes numbers of rules, got "x"; sandbox fault ls shows them`},
		{[]string{"ls"}, "the environment does not say where the sandbox is (SANDBOX_DIR missing)"},
	} {
		got := inProcess(t, nil, append([]string{"fault"}, test.args...)...)
		if got.code != exitUsage || !strings.Contains(got.stderr, test.want) || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%q: %+v, want %q", test.args, got, test.want)
		}
	}
	if got := inProcess(t, map[string]string{envDir: t.TempDir()}, "fault", "ls"); got.code != exitFault || !strings.Contains(got.stderr, "no sandbox serves ") {
		t.Errorf("%+v", got)
	}
}

// With --tls everybody verifies the warehouse; minted credentials log in, and COPY's role has only its policy's rights.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	policy := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:ListBucket","Resource":"*"}]}`
	if err := os.WriteFile(filepath.Join(dir, "policy.json"), []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	s := serveIn(t, dir, "--tls", "--cleartext-password", "--copy-policy", "policy.json", "--kms-bucket", "staging")
	defer func() {
		_ = s.stdin.Close()
		s.ended(t)
	}()
	env := envOf(t, dir)
	ca := filepath.Join(dir, "data", "tls", "ca.pem")
	if env["BACKFILL_WAREHOUSE_TLS"] != "on" || env["PGSSLMODE"] != "verify-full" || env["PGSSLROOTCERT"] != ca || env["SSL_CERT_FILE"] != ca {
		t.Errorf("environment %v", env)
	}
	if out := mustExecute(t, dir, "sql", "--env-file", "env", "CREATE TABLE t (a INTEGER)"); out != "CREATE TABLE\n" {
		t.Errorf("%q", out)
	}
	copying := "COPY t FROM 's3://staging/m.json' IAM_ROLE '" + env["BACKFILL_WAREHOUSE_IAM_ROLE"] + "' FORMAT AS PARQUET MANIFEST"
	if got := execute(t, dir, "", "sql", "--env-file", "env", copying); got.code != exitFault ||
		!strings.Contains(got.stderr, "Problem reading manifest file - S3ServiceException:Access Denied,Status 403,Error AccessDenied") {
		t.Errorf("%+v", got)
	}
	login := mintLogin(t, env)
	if path, err := exec.LookPath("psql"); err == nil {
		cmd := exec.CommandContext(t.Context(), path, "-X", "-A", "-t", "-c", "SELECT current_user")
		cmd.Env = append(os.Environ(), "PGHOST="+env["PGHOST"], "PGPORT="+env["PGPORT"], "PGDATABASE="+env["PGDATABASE"], "PGUSER="+login.DbUser,
			"PGPASSWORD="+login.DbPassword, "PGSSLMODE=verify-full", "PGSSLROOTCERT="+ca)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != "IAM:sandbox\n" {
			t.Errorf("psql: %s, %v", out, err)
		}
	}
}

type login struct{ DbUser, DbPassword string }

// mintLogin asks redshift-serverless for credentials at the address that the environment names.
func mintLogin(t *testing.T, env map[string]string) (l login) {
	t.Helper()
	body := `{"workgroupName":"sandbox","dbName":"analytics"}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, env["AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS"]+"/", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "RedshiftServerless.GetCredentials")
	sum := sha256.Sum256([]byte(body))
	keys := aws.Credentials{AccessKeyID: env["AWS_ACCESS_KEY_ID"], SecretAccessKey: env["AWS_SECRET_ACCESS_KEY"]}
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hex.EncodeToString(sum[:]), "redshift-serverless", env["AWS_REGION"], time.Now()); err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || json.Unmarshal(text, &l) != nil || l.DbUser != "IAM:sandbox" {
		t.Fatalf("%s, %v", text, err)
	}
	return l
}

// The sandbox tells what it holds now, to whoever looks for its leaks.
func TestProfile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	serveIn(t, dir)
	text := mustExecute(t, dir, "profile", "--env-file", "env", "goroutine")
	var n int
	if _, err := fmt.Sscanf(text, "goroutine profile: total %d\n", &n); err != nil || n < 3 {
		t.Errorf("%d, %v: %s", n, err, text)
	}
	if !strings.Contains(text, "redshiftd.(*Server)") {
		t.Errorf("no goroutine serves the warehouse:\n%s", text)
	}
	if text := mustExecute(t, dir, "profile", "--env-file", "env", "heap"); !strings.Contains(text, "# HeapAlloc = ") {
		t.Errorf("no sizes:\n%s", text)
	}
	if got := execute(t, dir, "", "profile", "--env-file", "env", "goats"); got.code != exitFault || !strings.Contains(got.stderr, `there is no profile "goats"`) {
		t.Errorf("%+v", got)
	}
	if got := execute(t, dir, "", "profile"); got.code != exitUsage || !strings.Contains(got.stderr, "profile takes the name of one profile, got 0") {
		t.Errorf("%+v", got)
	}
}
