package main

import (
	"encoding/json"
	"strings"
	"testing"

	"backfill/internal/sandbox/probe"
)

func TestProbeCommandLines(t *testing.T) {
	t.Parallel()
	env := map[string]string{"BACKFILL_WAREHOUSE_URL": "redshift://me@127.0.0.1/dev", "BACKFILL_WAREHOUSE_IAM_ROLE": "arn:aws:iam::000000000000:role/copy",
		"BACKFILL_STAGING_URI": "s3://lake/tmp/", "BACKFILL_WAREHOUSE_PASSWORD": "hunter2", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
		"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "hunter3", "AWS_REGION": "eu-west-1"}
	for _, test := range []struct {
		args []string
		env  map[string]string
		want string
	}{
		{nil, nil, "probe needs --url, or $BACKFILL_WAREHOUSE_URL"},
		{[]string{"--url", "redshift://me@h/d"}, nil, "probe needs --iam-role, or $BACKFILL_WAREHOUSE_IAM_ROLE"},
		{[]string{"x"}, env, `probe takes no arguments, got "x"`},
		{[]string{"--output", "xml"}, env, `--output is text or json, got "xml"`},
		{[]string{"--only", "("}, env, `--only "(" is not a regular expression: `},
		{[]string{"--only", "nothing like it"}, env, `--only "nothing like it" matches no question; --list shows them`},
		{[]string{"--staging", "file:///tmp"}, env, `--staging "file:///tmp" is not of the form s3://BUCKET/PREFIX`},
		{[]string{"--url", "postgres://me@h/d"}, env, "--url is not of the form redshift://USER@HOST:PORT/DATABASE"},
		{[]string{"--url", "redshift://me:hunter2@h/d"}, env, "--url must hold neither a password nor parameters: "},
		{[]string{"--url", "redshift://me@h/d", "--tls", "off"}, env, "--tls off is for a warehouse on this host, not for h"},
		{[]string{"--tls", "require"}, env, `--tls is on or off, got "require"`},
		{nil, env, "the probe creates a schema in dev at 127.0.0.1 and objects below s3://lake/tmp, and removes them afterwards: add --yes to agree"},
	} {
		got := inProcess(t, test.env, append([]string{"probe"}, test.args...)...)
		if got.code != exitUsage || got.stdout != "" || !strings.Contains(got.stderr, test.want) || strings.Contains(got.stderr, "hunter") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%q: %+v, want %q", test.args, got, test.want)
		}
	}
	got := inProcess(t, nil, "probe", "--list", "--only", "^9.5")
	if got.code != exitOK || !strings.Contains(got.stdout, "9.5     data page v2\n") || strings.Contains(got.stdout, "9.3") {
		t.Errorf("%+v", got)
	}
	// The probe of an endpoint that nobody serves says so, without the password.
	got = inProcess(t, env, "probe", "--tls", "off", "--url", "redshift://me@127.0.0.1:1/dev", "--only", "on conflict", "--yes")
	if got.code != exitFault || !strings.Contains(got.stderr, "creating the probe's schema: ") || strings.Contains(got.stderr, "hunter") {
		t.Errorf("%+v", got)
	}
}

// A running sandbox answers as a fresh stand-in does.
func TestProbeOfSandbox(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveIn(t, dir, "--tls")
	defer func() {
		_ = s.stdin.Close()
		s.ended(t)
	}()
	only := []string{"probe", "--env-file", "env", "--yes", "--only", `^9\.3\.(1|3|8|12|16|24)$|^int32 into integer$`}
	if got := mustExecute(t, dir, only...); !strings.HasSuffix(got, " questions, 0 answered differently\n") {
		t.Errorf("%s", got)
	}
	lines := strings.Split(strings.TrimSpace(mustExecute(t, dir, append(only, "--output", "json")...)), "\n")
	for _, line := range lines {
		var f probe.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil || !f.Same || !f.Known {
			t.Errorf("%s %v", line, err)
		}
	}
	if len(lines) < 15 {
		t.Errorf("%d lines", len(lines))
	}
	// Where COPY may read nothing, answers differ.
	if got := execute(t, dir, "", "probe", "--env-file", "env", "--yes", "--only", "^int32 into integer$", "--iam-role", "arn:aws:iam::000000000000:role/other"); got.code != exitFault ||
		!strings.Contains(got.stdout, "9.2.5 int32 into integer   (nor is it what the reference says)\n  stand-in  ok COPY") ||
		!strings.HasSuffix(got.stderr, "sandbox: 1 of 1 answers differ from the stand-in's\n") {
		t.Errorf("%+v", got)
	}
}
