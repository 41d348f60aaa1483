package main

import (
	"bytes"
	"fmt"
	"os"
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
	say := newcomer(t, "inferred")
	all := say(0, "infer", "s3://archive/"+prefixOf(t)+"/payroll.events", "--table", "payroll.inferred", "--calendar", zone, "--out", file)
	all += say(0, "doctor", "--dataset", file, "--create-table")
	all += say(0, "run", "--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01")
	if !strings.Contains(all, "RECONCILED") {
		t.Errorf("no verdict:\n%s", all)
	}
	if words := len(strings.Fields(all)); words > 400 {
		t.Errorf("%d words to read, more than 400:\n%s", words, all)
	}
	checkInferred(t, a, "payroll.inferred")
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

// newcomer runs commands with what infer asks for in the environment, and
// returns all that they say.
func newcomer(t *testing.T, staging string) func(exit int, args ...string) string {
	h := shared
	return func(exit int, args ...string) string {
		t.Helper()
		cmd := exec.Command(h.binary, args...)
		cmd.Dir = t.TempDir()
		cmd.Env = h.env("BACKFILL_MASK_KEY="+strings.Repeat("k", 40), "BACKFILL_STAGING_URI=s3://staging/"+staging)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil && cmd.ProcessState.ExitCode() < 0 {
			t.Fatal(err)
		}
		if got := cmd.ProcessState.ExitCode(); got != exit {
			t.Fatalf("exit code %d, want %d, from %s\n%s", got, exit, strings.Join(args, " "), out.String())
		}
		return out.String()
	}
}

// checkInferred compares rows and sums of an inferred table with the truth.
func checkInferred(t *testing.T, a archive, table string) {
	t.Helper()
	h := shared
	// The generator's truth is of two types of events; the inferred dataset loads all.
	settled := " FROM " + table + " WHERE type IN ('payment.settled', 'payment.reversed')"
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
}

// TestInferReadsSideFilesOfConfluent has keys, headers and tombstones beside
// values: the proposal says which it reads and which it leaves out, and runs as
// it is, whether the layout is named or not.
func TestInferReadsSideFilesOfConfluent(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 22, Events: 2000, Partitions: 3, EventsPerObject: 200, Layout: "confluent-sides", Faults: archivegen.Faults{Tombstones: 6}})
	say := newcomer(t, "inferred_sides")
	file := filepath.Join(t.TempDir(), "inferred.yaml")
	infer := []string{"infer", "s3://archive/" + prefixOf(t) + "/payroll.events", "--table", "payroll.inferred_sides", "--calendar", zone}
	say(0, append(infer, "--out", file)...)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"layout: confluent  # it alone reads all names", "tombstone files 6\n", "\n  join: [tombstones]  # tombstone files", "\n  ignore: [keys, headers]  # columns here take the value alone"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the file lacks %q:\n%s", want, text)
		}
	}
	if named := say(0, append(infer, "--layout", "confluent")...); !strings.Contains(named, string(text)) {
		t.Errorf("with the layout named:\n%s\nwithout:\n%s", named, text)
	}
	say(0, "doctor", "--dataset", file, "--create-table")
	if said := say(0, "run", "--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01"); !strings.Contains(said, "RECONCILED") {
		t.Errorf("no verdict:\n%s", said)
	}
	checkInferred(t, a, "payroll.inferred_sides")
}
