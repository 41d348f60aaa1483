package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// runExplain says what a code means: of an error, of a process's exit, or of a
// record's quarantine. Without an argument it lists all.
func runExplain(_ context.Context, p *program) error {
	word := strings.ToLower(strings.TrimSpace(p.flags.run))
	if word == "" {
		return explainAll(p.stdout)
	}
	for _, explain := range []func(io.Writer, string) bool{explainCode, explainExit, explainReason} {
		if explain(p.stdout, word) {
			return nil
		}
	}
	return fail.New(fail.Usage, "there is no code %q", p.flags.run).Try("`backfill explain` lists all; the code is the first word of an ERROR line")
}

func explainCode(w io.Writer, word string) bool {
	c := fail.Code(word)
	m, ok := c.Meaning()
	if !ok {
		return false
	}
	fmt.Fprintf(w, "%s (exit code %d, %s)\n\n  %s\n  Usually: %s\n  What to do: %s\n", c, c.Exit(), retry(c.Exit()), m.Means, m.Cause, m.Do)
	return true
}

// explainExit explains an exit code with the error codes that end in it.
func explainExit(w io.Writer, word string) bool {
	n, err := strconv.Atoi(word)
	if err != nil {
		return false
	}
	for _, e := range fail.Exits() {
		if int(e) != n {
			continue
		}
		fmt.Fprintf(w, "exit code %d (%s): %s\n", e, retry(e), e.Meaning())
		for _, c := range fail.Codes() {
			if c.Exit() == e {
				m, _ := c.Meaning()
				fmt.Fprintf(w, "  %-18s %s\n", c, m.Means)
			}
		}
		return true
	}
	return false
}

func explainReason(w io.Writer, word string) bool {
	r := decode.Reason(word)
	if r.Remedy() == "" {
		return false
	}
	fmt.Fprintf(w, "%s (a reason why a record is in quarantine)\n\n  %s\n  What to do: %s\n", r, r.Sentence(), r.Remedy())
	return true
}

func explainAll(w io.Writer) error {
	fmt.Fprintln(w, "`backfill explain CODE` says more about each.")
	for _, e := range fail.Exits() {
		fmt.Fprintln(w)
		explainExit(w, strconv.Itoa(int(e)))
	}
	fmt.Fprintln(w, "\nreasons of quarantine:")
	for _, r := range decode.Reasons() {
		fmt.Fprintf(w, "  %-18s %s\n", r, r.Sentence())
	}
	return nil
}

func retry(e fail.Exit) string {
	switch {
	case e == fail.ExitDone, e == fail.ExitNothing:
		return "a success"
	case e.Retryable():
		return "Airflow tries again"
	}
	return "not retried"
}

// errorsPage is the same as a page for people who look it up without the program.
func errorsPage(w io.Writer) {
	fmt.Fprintln(w, "# Exit codes, error codes, reasons of quarantine\n\nWritten by `make errors` from the program; `backfill explain CODE` says the same.\nThe code is the first word after ERROR.")
	for _, e := range fail.Exits() {
		fmt.Fprintf(w, "\n## Exit code %d: %s\n\n%s.\n", e, e.Meaning(), strings.ToUpper(retry(e)[:1])+retry(e)[1:])
		for _, c := range fail.Codes() {
			if c.Exit() == e {
				m, _ := c.Meaning()
				fmt.Fprintf(w, "\n### `%s`\n\n%s\n\n- **Usually:** %s\n- **What to do:** %s\n", c, m.Means, m.Cause, m.Do)
			}
		}
	}
	fmt.Fprintln(w, "\n## Reasons of quarantine\n\n| reason | means | what to do |\n|---|---|---|")
	for _, r := range decode.Reasons() {
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", r, r.Sentence(), r.Remedy())
	}
}
