package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"backfill/internal/sandbox/archivegen"
)

// TestWrongInput gives the worker what people give it at night. Each must end
// with a clear sentence, the right exit code, and nothing lost.
func TestWrongInput(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 3, Events: 400, Partitions: 1, Codec: "gzip", EventsPerObject: 200})
	table := h.table(t, "wrong_input")
	h.sql(t, "INSERT INTO payroll.wrong_input (event_id, type, employee_id, occurred_at, version, source) VALUES ('keep', 'x', 1, '2026-01-01 00:00:00', 1, 'payroll')")
	before := h.contents(t, "wrong_input")
	run := func(args ...string) []string { return append([]string{"run"}, a.window(append(table, args...)...)...) }
	withLine := func(old, line string) []string {
		text, err := os.ReadFile(a.dataset)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "dataset.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(string(text), old, line, 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		return append([]string{"run", "--dataset", file, "--from", "2026-03-01", "--to", "2026-04-01"}, table...)
	}
	cases := []struct {
		name string
		args []string
		env  []string
		exit int
		says []string
	}{
		{name: "unknown key", args: withLine("  lateness: 72h", "  latenes: 72h"), exit: 2, says: []string{":3: unknown key", "latenes", "lateness"}},
		{name: "wrong type", args: withLine("decimal(18,2)", "decimal"), exit: 2, says: []string{"dataset.yaml:", "decimal"}},
		{name: "reversed window", args: append([]string{"run", "--dataset", a.dataset, "--from", "2026-04-01", "--to", "2026-03-01"}, table...), exit: 2, says: []string{"empty or reversed"}},
		{name: "empty window", args: append([]string{"run", "--dataset", a.dataset, "--from", "2026-03-01", "--to", "2026-03-01"}, table...), exit: 2, says: []string{"empty or reversed"}},
		{name: "window missing", args: append([]string{"run", "--dataset", a.dataset, "--from", "None", "--to", "2026-03-01"}, table...), exit: 2, says: []string{"--from is missing"}},
		{name: "no time", args: append([]string{"run", "--dataset", a.dataset, "--from", "yesterday", "--to", "2026-03-01"}, table...), exit: 2, says: []string{`"yesterday"`, "RFC 3339"}},
		{name: "unknown flag", args: []string{"run", "--datset", "x"}, exit: 2, says: []string{"datset"}},
		{name: "unknown command", args: []string{"runn"}, exit: 2, says: []string{"runn", "backfill help"}},
		{name: "missing dataset", args: []string{"run", "--dataset", "/nowhere.yaml", "--from", "2026-03-01", "--to", "2026-04-01"}, exit: 2, says: []string{"/nowhere.yaml"}},
		{name: "missing bucket", args: run("--set", "archive.uri=s3://no-such-bucket/topics"), exit: 2, says: []string{"no-such-bucket"}},
		{name: "missing staging bucket", args: run("--set", "staging.uri=s3://no-such-bucket/x"), exit: 2, says: []string{"no-such-bucket"}},
		{name: "empty archive", args: run("--set", "archive.uri=s3://archive/nothing-here"), exit: 4, says: []string{"holds no object", "--allow-empty"}},
		{name: "wrong password", args: run(), env: []string{"BACKFILL_WAREHOUSE_PASSWORD=wrong"}, exit: 3, says: []string{"password"}},
		{name: "no password", args: run(), env: []string{"BACKFILL_WAREHOUSE_PASSWORD="}, exit: 3, says: []string{"BACKFILL_WAREHOUSE_PASSWORD"}},
		{name: "wrong S3 key", args: run(), env: []string{"AWS_SECRET_ACCESS_KEY=wrong"}, exit: 3, says: []string{"s3://"}},
		{name: "warehouse down", args: run(), env: []string{"BACKFILL_WAREHOUSE_URL=redshift://backfill@127.0.0.1:9/analytics"}, exit: 3, says: []string{"127.0.0.1:9"}},
		{name: "table missing", args: run("--set", "table.name=payroll.not_there"), exit: 4, says: []string{"payroll.not_there", "CREATE TABLE"}},
		{name: "too little memory", args: run("--memory", "64MiB"), exit: 2, says: []string{"--memory", "at least"}},
		{name: "not settled", args: run("--set", "archive.lateness=3000d"), exit: 6, says: []string{"lateness"}},
		{name: "bad set", args: run("--set", "table.nosuch=1"), exit: 2, says: []string{"--set", "nosuch"}},
		{name: "dataset text", args: []string{"run", "--dataset", "datasets/pay.yaml", "--from", "2026-03-01", "--to", "2026-04-01"}, env: []string{"BACKFILL_DATASET_TEXT=version: 1\nnme: x\n"}, exit: 2, says: []string{"datasets/pay.yaml:2", "unknown key", "nme"}},
		{name: "plan and window", args: []string{"reconcile", "--plan", "s3://staging/x/targets/y/plans/000000000001.json", "--from", "2026-03-01"}, exit: 2, says: []string{"--plan has its dataset and window"}},
		{name: "bad shard", args: []string{"convert", "--plan", "s3://staging/x/targets/y/plans/000000000001.json", "--shard", "5/4"}, exit: 2, says: []string{"5/4"}},
		{name: "not a plan", args: []string{"load", "--plan", "s3://staging/x"}, exit: 2, says: []string{"--plan"}},
		{name: "plan that is not there", args: []string{"load", "--plan", "s3://staging/x/targets/y/plans/000000000001.json"}, exit: 2, says: []string{"000000000001.json"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, wait := h.start(t, h.env(c.env...), c.args...)
			o := wait()
			if o.exit != c.exit {
				t.Errorf("exit code %d, want %d", o.exit, c.exit)
			}
			for _, s := range c.says {
				if !strings.Contains(o.stderr, s) {
					t.Errorf("the message does not say %q", s)
				}
			}
			for line := range strings.Lines(o.stderr) {
				if level, _, _ := strings.Cut(line, " "); level != "ERROR" && level != "INFO" && level != "WARNING" {
					t.Errorf("the line does not begin with a level: %q", line)
				}
			}
			if t.Failed() {
				t.Logf("stderr: %s", o.stderr)
			}
		})
	}
	if after := h.contents(t, "wrong_input"); strings.Join(after, "\n") != strings.Join(before, "\n") {
		t.Errorf("the table changed: %s", firstDifference(after, before))
	}
}

// TestBrokenArchive gives the worker objects that can't be read.
func TestBrokenArchive(t *testing.T) {
	h := shared
	var whole bytes.Buffer
	zip := gzip.NewWriter(&whole)
	for i := range 5000 {
		fmt.Fprintf(zip, `{"event_id":"%d","type":"payment.settled","occurred_at":"2026-03-%02dT00:00:00Z","employee":{"id":1},"version":1}`+"\n", i, i%28+1)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	long := bytes.Repeat([]byte("x"), 200<<20)
	copy(long, `{"event_id":"`)
	cases := []struct {
		name, key string
		body      []byte
		exit      int
		says      []string
	}{
		{"truncated gzip", "payroll.events/partition=0/payroll.events+0+0000000000.json.gz", whole.Bytes()[:whole.Len()/2], 4, []string{"payroll.events+0+0000000000.json.gz", "record", "restore"}},
		{"foreign key", "payroll.events/partition=0/readme.txt", []byte("hello"), 4, []string{"readme.txt"}},
		{"long line", "payroll.events/partition=0/payroll.events+0+0000000000.json", append(long, '\n'), 4, []string{"1 of 1 records", "too_long: 1", "quarantine.max_", "backfill quarantine ls "}},
	}
	a := h.generate(t, archivegen.Options{Seed: 4, Events: 10, Partitions: 1, Codec: "none"})
	table := h.table(t, "broken_archive")
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			prefix := fmt.Sprintf("broken-%d", i)
			if err := h.put(context.Background(), "archive", prefix+"/"+c.key, c.body); err != nil {
				t.Fatal(err)
			}
			args := append(a.window(table...), "--set", "archive.uri=s3://archive/"+prefix, "--set", "quarantine.max_records=0", "--memory", "256MiB")
			o := h.run(t, c.exit, append([]string{"run"}, args...)...)
			for _, s := range c.says {
				if !strings.Contains(o.stderr, s) {
					t.Errorf("the message does not say %q:\n%s", s, o.stderr)
				}
			}
		})
	}
	if rows := h.contents(t, "broken_archive"); len(rows) != 0 {
		t.Errorf("%d rows were loaded", len(rows))
	}
}
