package main

import (
	"slices"
	"testing"
)

// matrixMode is a command whose operations the faults hit.
type matrixMode struct {
	name    string
	mode    string     // table.mode
	dataset []string   // texts to replace in the dataset file
	load    []string   // the command, or what an undo takes back; the dataset is added
	before  [][]string // commands that come first, of the plan with number 2; the dataset is added
	hit     []string   // the command instead of load, likewise; nil: load, or its undo
	borders []string   // of the slices, as the table prints instants in UTC
	chunks  int        // of a run; 0: the command tells none
	exit    int        // of a load without a fault
	atomic  bool       // all slices change at once
	ledger  bool       // an earlier load has made the ledger, with plan 1
	undoes  bool       // the command takes the load back
	spoil   []string   // SQL behind before, and then a report of what it spoiled
	repairs bool       // the command mends the report with number 3
}

var days = []string{"2026-03-07 08:00:00", "2026-03-08 08:00:00", "2026-03-09 07:00:00", "2026-03-10 07:00:00"}

// ofMarch is a command on the window of the fault matrix.
func ofMarch(command string, flags ...string) []string {
	return append([]string{command, "--from", "2026-03-07", "--to", "2026-03-10", "--slice-days", "1", "--chunk-bytes", "1"}, flags...)
}

// march is the command that loads the window of the fault matrix.
func march(flags ...string) []string {
	return ofMarch("run", append([]string{"--workers", "1"}, flags...)...)
}

// secondPlan is where the plan with number 2 stands.
const secondPlan = "s3://staging/w/targets/payroll.events/plans/000000000002.json"

// matrixModes are the modes of a load, what takes them back, and what a person
// does at 3 a.m. Between them every flag that changes how the table changes is used.
func matrixModes() []matrixMode {
	unsettled := []string{"lateness: 1h", "lateness: 3000d"}
	all := []string{"run", "--chunk-bytes", "1", "--workers", "1", "--keep-replaced"}
	damaged := march("--accept-damaged", "partition=1/events+1+0000000034.json", "--allow-vanish", "100", "--keep-replaced")
	plan := [][]string{ofMarch("plan"), {"convert", "--plan", secondPlan}}
	only := []string{"load", "--plan", secondPlan, "--only", "2026-03-08", "--keep-replaced"}
	abort := []string{"abort", "2", "--reason", "wrong month"}
	repair := []string{"repair", "--report", "3", "--apply", "--delete-extra", "--approved-by", "controller"}
	return []matrixMode{
		{name: "replace_window", mode: "replace_window", load: march(), borders: days, chunks: 8},
		{name: "replace_window --atomic", mode: "replace_window", load: march("--atomic", "--keep-replaced"), borders: days, chunks: 8, atomic: true, ledger: true},
		{name: "upsert", mode: "upsert", load: march("--keep-replaced"), borders: days, chunks: 8, ledger: true},
		{name: "insert_missing", mode: "insert_missing", load: march("--keep-replaced"), borders: days, chunks: 8, ledger: true},
		{name: "append", mode: "append", dataset: timeless(), load: all, borders: []string{"0", "9"}, chunks: 8},
		{name: "replace_window --preliminary", mode: "replace_window", dataset: unsettled, load: march("--preliminary", "--keep-replaced"), borders: days, chunks: 8, exit: 6},
		{name: "replace_window --accept-damaged", mode: "replace_window", load: damaged, borders: days, chunks: 7, exit: 6},
		{name: "undo of replace_window", mode: "replace_window", load: march("--keep-replaced"), borders: days, ledger: true, undoes: true},
		{name: "undo of replace_window --atomic", mode: "replace_window", load: march("--atomic", "--keep-replaced"), borders: days, atomic: true, ledger: true, undoes: true},
		{name: "undo of replace_window --preliminary", mode: "replace_window", dataset: unsettled, load: march("--preliminary", "--keep-replaced"), borders: days, exit: 6, undoes: true},
		{name: "undo of upsert", mode: "upsert", load: march("--keep-replaced"), borders: days, ledger: true, undoes: true},
		{name: "undo of insert_missing", mode: "insert_missing", load: march("--keep-replaced"), borders: days, ledger: true, undoes: true},
		{name: "undo of append", mode: "append", dataset: timeless(), load: all, borders: []string{"0", "9"}, undoes: true},
		{name: "load --only", mode: "replace_window", before: plan, hit: only, borders: days, ledger: true},
		{name: "repair", mode: "replace_window", before: [][]string{march()}, spoil: spoiled(), hit: repair, borders: days, atomic: true, ledger: true, repairs: true},
		{name: "abort", mode: "replace_window", before: append(plan, only), hit: abort, borders: days, ledger: true},
	}
}

// spoiled are faults of every kind that a repair mends, on each of the days.
func spoiled() []string {
	return []string{
		"DELETE FROM payroll.events WHERE id = 'k060' AND source = 'payroll'",
		"UPDATE payroll.events SET amount = amount + 0.01 WHERE id = 'k110' AND source = 'payroll'",
		"UPDATE payroll.events SET note = UPPER(note) WHERE id = 'k160' AND source = 'payroll'",
		"INSERT INTO payroll.events SELECT * FROM payroll.events WHERE id = 'k070' AND source = 'payroll'",
		"INSERT INTO payroll.events (id, v, happened_at, amount, currency, note, source) SELECT 'ghost', v, happened_at, amount, currency, note, source FROM payroll.events WHERE id = 'k120' AND source = 'payroll'",
		"UPDATE payroll.events SET id = 'k061' WHERE id = 'k170' AND source = 'payroll'", // takes the key of a row of another day
	}
}

// prepare brings the lane from the planted table to where the command starts.
// For an undo it returns the table that must come back.
func (m matrixMode) prepare(t *testing.T, l *lane, file string) []string {
	t.Helper()
	if m.mode == "append" { // what it did not load would be rows too many
		l.sql(t, "UPDATE payroll.events SET source = 'legacy' WHERE source = 'payroll'")
	}
	if m.ledger {
		l.run(t, 0, "run", "--dataset", file, "--from", "2026-02-01", "--to", "2026-02-02")
	}
	for _, args := range m.before {
		l.run(t, 0, m.of(args, file)...)
	}
	if len(m.spoil) > 0 {
		l.sql(t, m.spoil...)
		l.run(t, 5, "reconcile", "--dataset", file, "--from", "2026-03-07", "--to", "2026-03-10", "--way", "archive")
	}
	if !m.undoes {
		return nil
	}
	before, err := l.committed()
	if err != nil {
		t.Fatal(err)
	}
	l.run(t, m.exit, m.of(m.load, file)...)
	return before
}

// of adds the dataset, where the command does not have the plan's.
func (m matrixMode) of(args []string, file string) []string {
	if slices.Contains(args, "--plan") {
		return slices.Clone(args)
	}
	return append(slices.Clone(args), "--dataset", file)
}

// command is what the faults hit.
func (m matrixMode) command(file string) []string {
	switch {
	case m.undoes && m.ledger:
		return m.of([]string{"load", "--undo", "2", "--reason", "wrong file"}, file)
	case m.undoes:
		return m.of([]string{"load", "--undo", "1", "--reason", "wrong file"}, file)
	case m.hit != nil:
		return m.of(m.hit, file)
	}
	return m.of(m.load, file)
}
