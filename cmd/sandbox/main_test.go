package main

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asSandbox makes the test binary be the program, so that the engines are linked once only.
const asSandbox = "SANDBOX_TEST_RUNS_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(asSandbox) != "" {
		main()
	}
	os.Exit(m.Run())
}

// program is one command line as a subprocess that knows nothing of the tester's environment.
func program(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], args...)
	cmd.Dir = dir
	cmd.Env = []string{asSandbox + "=1", "HOME=" + dir, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + os.TempDir()}
	return cmd
}

// outcome is what a command line came to.
type outcome struct {
	code           int
	stdout, stderr string
}

func execute(t *testing.T, dir, stdin string, args ...string) outcome {
	t.Helper()
	cmd := program(t.Context(), dir, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// mustExecute is execute for a command line that has to succeed; it returns stdout.
func mustExecute(t *testing.T, dir string, args ...string) string {
	t.Helper()
	o := execute(t, dir, "", args...)
	if o.code != exitOK {
		t.Fatalf("sandbox %q: exit code %d, %s", args, o.code, o.stderr)
	}
	return o.stdout
}

// inProcess runs a command line that starts no server.
func inProcess(t *testing.T, env map[string]string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	p := process{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, pid: 1,
		getenv: func(name string) string { return env[name] }}
	code := run(t.Context(), p, args)
	return outcome{code, stdout.String(), stderr.String()}
}
