package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backfill/internal/sandbox/archivegen"
)

// TestFromAnUnknownArchiveToReconciledRows: infer, doctor and run, no file
// edited, and little to read. What lands equals the generator's truth.
func TestFromAnUnknownArchiveToReconciledRows(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 21, Events: 4000, Partitions: 3, Codec: "mixed", EventsPerObject: 700})
	file := filepath.Join(t.TempDir(), "inferred.yaml")
	words := 0
	say := func(exit int, args ...string) string {
		t.Helper()
		cmd := exec.Command(h.binary, args...)
		cmd.Dir = t.TempDir()
		cmd.Env = h.env("BACKFILL_MASK_KEY="+strings.Repeat("k", 40), "BACKFILL_STAGING_URI=s3://staging/inferred")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() < 0 {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != exit {
			t.Fatalf("exit code %d, want %d, from %s\n%s", got, exit, strings.Join(args, " "), out.String())
		}
		words += len(strings.Fields(out.String()))
		return out.String()
	}
	all := say(0, "infer", "s3://archive/"+prefixOf(t)+"/payroll.events", "--table", "payroll.inferred", "--calendar", zone, "--out", file)
	all += say(0, "doctor", "--dataset", file, "--create-table")
	all += say(0, "run", "--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01")
	if !strings.Contains(all, "RECONCILED") {
		t.Errorf("no verdict:\n%s", all)
	}
	if words > 400 {
		t.Errorf("%d words to read, more than 400:\n%s", words, all)
	}
	// The generator's truth is of two types of events; the inferred dataset loads all.
	const settled = " FROM payroll.inferred WHERE type IN ('payment.settled', 'payment.reversed')"
	if got, want := h.rows(t, "SELECT COUNT(*)"+settled), fmt.Sprintf("%d|", a.truth.TableRows); got[0] != want {
		t.Errorf("%s rows, the truth says %s", got[0], want)
	}
	sums := h.rows(t, "SELECT currency, SUM(gross_amount)::VARCHAR, SUM(net_amount)::VARCHAR"+settled+" GROUP BY currency ORDER BY currency")
	var want []string
	for _, total := range a.truth.Totals {
		want = append(want, fmt.Sprintf("%s|%s|%s|", total.Currency, total.After.Gross, total.After.Net))
	}
	slices.Sort(want)
	if strings.Join(sums, "\n") != strings.Join(want, "\n") {
		t.Errorf("sums %q, the truth says %q", sums, want)
	}
	if shown := h.rows(t, "SELECT COUNT(*) FROM payroll.inferred WHERE LENGTH(employee_name) <> 64 OR LENGTH(bank_account) <> 64"); shown[0] != "0|" {
		t.Errorf("%s rows with readable personal data", shown[0])
	}
	if got := say(2, "infer", "s3://archive/"+prefixOf(t)+"/payroll.events", "--out", file); !strings.Contains(got, "a file that is not there yet") {
		t.Errorf("an existing file: %s", got)
	}
	if got := say(4, "infer", "s3://archive/nothing-below-this"); !strings.Contains(got, "there is no object with records to look at") {
		t.Errorf("an empty archive: %s", got)
	}
	if got := say(2, "infer"); !strings.Contains(got, "the archive's URI is missing") {
		t.Errorf("no URI: %s", got)
	}
}
