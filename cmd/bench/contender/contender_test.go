package contender

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/cmd/bench/data"
)

func TestPythonPeersSayWhyTheyAreMissing(t *testing.T) {
	source, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir()) // no python3 anywhere
	f := Folders{Cache: t.TempDir(), Source: source}
	for _, c := range pythonPeers(context.Background(), f, true) {
		if !strings.Contains(c.Missing, "no Python environment") || !strings.Contains(c.Missing, "python3") {
			t.Errorf("%s: %q", c.Name, c.Missing)
		}
	}
	for _, c := range pythonPeers(context.Background(), f, false) {
		if c.Missing != "not asked for" {
			t.Errorf("%s: %q", c.Name, c.Missing)
		}
	}
}

func TestPolarsSkipsBrokenLines(t *testing.T) {
	for _, c := range pythonPeers(context.Background(), Folders{}, false) {
		if c.Name == "polars" && (c.Skip(&data.Spec{Broken: true}) == "" || c.Skip(&data.Spec{}) != "") {
			t.Error("polars stops at a broken line, and takes all others")
		}
	}
}

func TestPlanURI(t *testing.T) {
	uri, err := planURI("INFO plan 1: 3 objects\n{\n \"command\": \"plan\",\n \"plan\": \"file:///a/plans/1.json\"\n}\n")
	if err != nil || uri != "file:///a/plans/1.json" {
		t.Errorf("%q, %v", uri, err)
	}
	for _, output := range []string{"", "ERROR no", `{"command": "plan"}`} {
		if _, err := planURI(output); err == nil || !strings.Contains(err.Error(), "no result") {
			t.Errorf("%q: %v", output, err)
		}
	}
}

func TestSandboxThatDoesNotStart(t *testing.T) {
	_, err := StartSandbox(context.Background(), "/bin/false", filepath.Join(t.TempDir(), "box"))
	if err == nil || !strings.Contains(err.Error(), "the sandbox ended") {
		t.Errorf("got %v", err)
	}
}

func TestShellEnv(t *testing.T) {
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("export BENCH_A='it'\\''s'\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	env, err := shellEnv(context.Background(), file)
	if err != nil || !strings.Contains(strings.Join(env, "\n")+"\n", "\nBENCH_A=it's\n") {
		t.Errorf("%q, %v", env, err)
	}
}
