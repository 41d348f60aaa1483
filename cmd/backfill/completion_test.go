package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBashCompletion lets a real bash complete commands and flags.
func TestBashCompletion(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash")
	}
	var script bytes.Buffer
	bashCompletion(&script, completions())
	file := filepath.Join(t.TempDir(), "backfill.bash")
	if err := os.WriteFile(file, script.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		line []string
		want []string
	}{
		{"commands", []string{"backfill", "re"}, []string{"reconcile", "repair"}},
		{"flags", []string{"backfill", "run", "--slice"}, []string{"--slice-days"}},
		{"flags of that command only", []string{"backfill", "version", "--slice"}, nil},
		{"second words", []string{"backfill", "quarantine", "re"}, []string{"replay"}},
		{"a file is not a flag", []string{"backfill", "run", "pay"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			ask := `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _backfill; printf '%s\n' "${COMPREPLY[@]}"`
			out, err := exec.Command(bash, append([]string{"-c", ask, file}, c.line...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := strings.Fields(string(out)); !slices.Equal(got, c.want) {
				t.Errorf("%v completes to %q, want %q", c.line, got, c.want)
			}
		})
	}
}

// TestCompletionScripts: each script names every command and flag, and quotes stay closed.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		var out, errs bytes.Buffer
		p := &program{env: func(string) string { return "" }, stdout: &out, stderr: &errs, started: now()}
		if exit := p.main(t.Context(), []string{"completion", shell}); exit != 0 {
			t.Fatalf("%s: exit %d\n%s", shell, exit, errs.String())
		}
		for _, c := range completions() {
			if !strings.Contains(out.String(), c.name) {
				t.Errorf("%s: no command %s", shell, c.name)
			}
			for _, f := range c.flags {
				if !strings.Contains(out.String(), f.Name) {
					t.Errorf("%s: no flag --%s of %s", shell, f.Name, c.name)
				}
			}
		}
		for i, line := range strings.Split(out.String(), "\n") {
			if strings.Count(line, "'")%2 != 0 {
				t.Errorf("%s line %d has an open quote: %s", shell, i+1, line)
			}
		}
		if path, err := exec.LookPath(shell); err == nil {
			check := exec.Command(path, "-n")
			check.Stdin = &out
			if msg, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s refuses its script: %v\n%s", shell, err, msg)
			}
		}
	}
	var out, errs bytes.Buffer
	p := &program{env: func(string) string { return "" }, stdout: &out, stderr: &errs, started: now()}
	if exit := p.main(t.Context(), []string{"completion", "tcsh"}); exit != 2 || !strings.Contains(errs.String(), "give bash, zsh or fish") {
		t.Errorf("tcsh: exit %d\n%s", exit, errs.String())
	}
}
