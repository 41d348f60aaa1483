package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// TestErrorsPage holds the page to what the program says.
func TestErrorsPage(t *testing.T) {
	const file = "ERRORS.md"
	var want bytes.Buffer
	errorsPage(&want)
	got, err := os.ReadFile(file)
	if err == nil && bytes.Equal(got, want.Bytes()) {
		return
	}
	if os.Getenv(updateEnv) == "" {
		t.Fatalf("%s is not what the program says: run `make errors` (%v)", file, err)
	}
	if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestExplain asks the command for each code, each exit code and each reason.
func TestExplain(t *testing.T) {
	say := func(args ...string) (int, string, string) {
		var out, errs bytes.Buffer
		p := &program{env: func(string) string { return "" }, stdout: &out, stderr: &errs, started: now()}
		return int(p.main(t.Context(), append([]string{"explain", "--xcom-file", t.TempDir() + "/no/x", "--termination-log", t.TempDir() + "/no/t"}, args...))), out.String(), errs.String()
	}
	_, all, _ := say()
	for _, c := range fail.Codes() {
		exit, out, _ := say(string(c))
		if exit != 0 || !strings.HasPrefix(out, string(c)+" (exit code ") || !strings.Contains(out, "What to do: ") || !strings.Contains(all, string(c)) {
			t.Errorf("explain %s: exit %d\n%s", c, exit, out)
		}
	}
	for _, r := range decode.Reasons() {
		if exit, out, _ := say(strings.ToUpper(string(r))); exit != 0 || !strings.Contains(out, r.Remedy()) || !strings.Contains(all, string(r)) {
			t.Errorf("explain %s: exit %d\n%s", r, exit, out)
		}
	}
	if exit, out, _ := say("3"); exit != 0 || !strings.Contains(out, "exit code 3 (Airflow tries again): the environment failed") || !strings.Contains(out, "outcome_lost") {
		t.Errorf("explain 3: exit %d\n%s", exit, out)
	}
	exit, out, errs := say("7")
	if exit != 2 || out != "" || !strings.Contains(errs, `usage: there is no code "7"`) || !strings.Contains(errs, "`backfill explain` lists all") {
		t.Errorf("explain 7: exit %d\n%s%s", exit, out, errs)
	}
}
