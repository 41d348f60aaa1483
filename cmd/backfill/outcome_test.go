package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"backfill/internal/canon"
	"backfill/internal/report"
	"backfill/internal/runplan"
	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// month is a loaded month that a test goes on from.
type month struct {
	archive
	h     *harness
	name  string
	flags []string
}

// loaded generates a month and runs the main job on it.
func loaded(t *testing.T, h *harness, name string) month {
	t.Helper()
	a := h.generate(t, archivegen.Options{Seed: 21, Events: 2000, Partitions: 2, Codec: "gzip", EventsPerObject: 400, Faults: archivegen.DefaultFaults()})
	m := month{archive: a, h: h, name: name, flags: append(h.table(t, name), "--chunk-bytes", "64KiB")}
	o := m.run(t, 0)
	if o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || o.result.Inserted != a.truth.TableRows {
		t.Fatalf("verdict %q, %d rows inserted, the truth says %d", o.result.Verdict, o.result.Inserted, a.truth.TableRows)
	}
	return m
}

func (m month) run(t *testing.T, exit int, extra ...string) outcome {
	t.Helper()
	return m.h.run(t, exit, append([]string{"run"}, m.window(append(m.flags, extra...)...)...)...)
}

func (m month) rows(t *testing.T) []string { return m.h.contents(t, m.name) }

func notes(o outcome) string { return strings.Join(o.result.Notes, "\n") }

func TestSameCommandAgain(t *testing.T) {
	m := loaded(t, shared, "again")
	before := m.rows(t)
	o := m.run(t, 0)
	if !o.result.Done || o.result.Seq != 1 || o.result.Report != "" {
		t.Errorf("again: done %v, plan %d, report %q; want nothing done under plan 1", o.result.Done, o.result.Seq, o.result.Report)
	}
	if !slices.Equal(m.rows(t), before) {
		t.Error("the table changed")
	}
}

// TestPodContract reads what a scheduler reads: the XCom file and the
// termination message, on success and on failure.
func TestPodContract(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 26, Events: 300, Partitions: 1, Codec: "gzip"})
	dir := t.TempDir()
	xcom, termination := filepath.Join(dir, "return.json"), filepath.Join(dir, "termination-log")
	if err := os.WriteFile(termination, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	flags := append(h.table(t, "pod_contract"), "--xcom-file", xcom, "--termination-log", termination)
	read := func() (result, string) {
		var r result
		body, err := os.ReadFile(xcom)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(body, &r); err != nil {
			t.Fatal(err)
		}
		message, err := os.ReadFile(termination)
		if err != nil {
			t.Fatal(err)
		}
		return r, string(message)
	}
	h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
	if r, message := read(); r.Verdict != "RECONCILED" || r.Inserted != a.truth.TableRows || message != "" {
		t.Errorf("after success: %+v, termination message %q", r, message)
	}
	h.run(t, 2, append([]string{"run", "--dataset", a.dataset, "--from", "2026-04-01", "--to", "2026-03-01"}, flags...)...)
	if r, message := read(); r.Exit != 2 || r.Code != "bad_window" || !strings.Contains(message, "empty or reversed") {
		t.Errorf("after failure: %+v, termination message %q", r, message)
	}
	flags[len(flags)-3] = filepath.Join(dir, "no-such-directory", "return.json")
	h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
}

func TestTruncatedTableIsLoadedAgain(t *testing.T) {
	m := loaded(t, shared, "truncated")
	before := m.rows(t)
	m.h.sql(t, "TRUNCATE payroll.truncated")
	o := m.run(t, 0)
	if o.result.Seq != 2 || o.result.Converted != 0 || !strings.Contains(notes(o), "the table changed") {
		t.Errorf("plan %d, %d chunks converted, notes %q; want plan 2 from the receipts because the table changed", o.result.Seq, o.result.Converted, notes(o))
	}
	if !slices.Equal(m.rows(t), before) {
		t.Error("the table is not as before")
	}
}

func TestLateObjectMakesANewPlan(t *testing.T) {
	m := loaded(t, shared, "late_object")
	last := m.truth.Objects[len(m.truth.Objects)-1]
	for _, o := range m.truth.Objects {
		if o.Partition == last.Partition && o.FirstOffset > last.FirstOffset {
			last = o
		}
	}
	next := last.FirstOffset + last.Records
	line := `{"event_id":"late-one","type":"payment.settled","occurred_at":"2026-03-09T10:00:00.000001Z","employee":{"id":7},"gross_amount":"12.34","tax_amount":"0","net_amount":"12.34","currency":"USD","version":1}` + "\n"
	key := fmt.Sprintf("%s/payroll.events/partition=%d/payroll.events+%d+%010d.json", m.options.Prefix, last.Partition, last.Partition, next)
	if err := m.h.put(context.Background(), "archive", key, []byte(line)); err != nil {
		t.Fatal(err)
	}
	rows := len(m.rows(t))
	if o := m.h.run(t, 6, append([]string{"reconcile"}, m.window(m.flags[:4]...)...)...); !strings.Contains(o.result.Error, "new") {
		t.Errorf("before the next run the window must be INCOMPLETE: %s", o.result.Error)
	}
	o := m.run(t, 0)
	if o.result.Seq != 2 || !strings.Contains(notes(o), "the archive changed") || o.result.Converted >= o.result.Chunks {
		t.Errorf("plan %d, %d of %d chunks converted, notes %q", o.result.Seq, o.result.Converted, o.result.Chunks, notes(o))
	}
	if got := len(m.rows(t)); got != rows+1 {
		t.Errorf("%d rows, want %d", got, rows+1)
	}
}

func TestChangedDataset(t *testing.T) {
	m := loaded(t, shared, "changed_dataset")
	before := m.rows(t)
	o := m.run(t, 0, "--set", "quarantine.max_records=5000")
	if o.result.Seq != 2 || o.result.Converted != 0 || !strings.Contains(notes(o), "supersedes plan 1: the dataset file changed") {
		t.Errorf("plan %d, %d chunks converted, notes %q", o.result.Seq, o.result.Converted, notes(o))
	}
	if !slices.Equal(m.rows(t), before) {
		t.Error("the table is not as before")
	}
}

// TestNewConverter runs a worker that was built with the next versions of
// converter and canonical text: what an earlier one counted is compared with
// nothing, and the next run does all of it again.
func TestNewConverter(t *testing.T) {
	m := loaded(t, shared, "new_converter")
	before := m.rows(t)
	old := m.run(t, 0).result.Plan
	m.h = &harness{s3: m.h.s3, warehouse: m.h.warehouse, dir: m.h.dir, binary: buildNext(t)}
	if o := m.h.run(t, 6, append([]string{"reconcile"}, m.window(m.flags[:4]...)...)...); !strings.Contains(o.result.Error, "plan 1 was loaded by another version of this program") {
		t.Errorf("reconcile says %q", o.result.Error)
	}
	for _, command := range []string{"convert", "load"} {
		if o := m.h.run(t, 2, command, "--plan", old); !strings.Contains(o.result.Error, fmt.Sprintf("converter has version %d; this program's has %d", runplan.Converter, runplan.Converter+1)) {
			t.Errorf("%s says %q", command, o.result.Error)
		}
	}
	o := m.run(t, 0)
	if o.result.Seq != 2 || o.result.Converted != o.result.Chunks || !strings.Contains(notes(o), "a new converter version") {
		t.Errorf("plan %d, %d of %d chunks converted, notes %q", o.result.Seq, o.result.Converted, o.result.Chunks, notes(o))
	}
	if !slices.Equal(m.rows(t), before) {
		t.Error("the table is not as before")
	}
}

// buildNext builds the worker with the versions raised.
func buildNext(t *testing.T) string {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	for _, c := range []struct {
		file, name string
		version    int
	}{{"../../internal/runplan/runplan.go", "Converter", runplan.Converter}, {"../../internal/canon/canon.go", "Format", canon.Format}} {
		source, err := filepath.Abs(c.file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), fmt.Sprintf("const %s = %d\n", c.name, c.version), fmt.Sprintf("const %s = %d\n", c.name, c.version+1), 1)
		if changed == string(text) {
			t.Fatalf("the constant %s was not found", c.name)
		}
		replace[source] = filepath.Join(dir, filepath.Base(source))
		if err := os.WriteFile(replace[source], []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-overlay", filepath.Join(dir, "overlay.json"), "-o", filepath.Join(dir, "backfill"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(dir, "backfill")
}

func TestNeighboursStayAsTheyAre(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 22, Events: 500, Partitions: 1, Codec: "zstd", EventsPerObject: 300})
	h.sql(t, "CREATE TABLE payroll.neighbours ("+eventColumns+", loaded_by varchar(32) DEFAULT 'unknown')",
		`INSERT INTO payroll.neighbours (event_id, type, employee_id, gross_amount, occurred_at, version, source, loaded_by, details) VALUES
 ('other-scope', 'x', 1, 1.10, '2026-03-10 00:00:00', 1, 'manual', 'finance', JSON_PARSE('{"a": [1, 2.50]}')),
 ('before', 'x', 1, 2.20, '2026-03-01 07:59:59.999999', 1, 'payroll', 'stream', NULL),
 ('after', 'x', 1, 3.30, '2026-04-01 07:00:00', 1, 'payroll', 'stream', NULL)`)
	query := `SELECT event_id, type, employee_id, company_id, gross_amount, occurred_at, version, source, loaded_by, JSON_SERIALIZE(details), _kafka_offset, _backfill_run
 FROM payroll.neighbours WHERE loaded_by IN ('finance', 'stream') ORDER BY event_id`
	before := h.rows(t, query)
	args := append(a.window(), "--set", "table.name=payroll.neighbours", "--set", "table.not_loaded=[loaded_by]", "--set", "staging.uri=s3://staging/neighbours")
	o := h.run(t, 0, append([]string{"run"}, args...)...)
	if o.result.Inserted != a.truth.TableRows {
		t.Errorf("%d rows inserted, want %d", o.result.Inserted, a.truth.TableRows)
	}
	if after := h.rows(t, query); !slices.Equal(after, before) {
		t.Errorf("neighbours changed: %s", firstDifference(after, before))
	}
	if n := h.rows(t, "SELECT COUNT(*) FROM payroll.neighbours WHERE loaded_by = 'unknown'"); n[0] != fmt.Sprintf("%d|", a.truth.TableRows) {
		t.Errorf("rows with the default: %s, want %d", n[0], a.truth.TableRows)
	}
}

func TestVanishGuard(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 23, Events: 500, Partitions: 1, Codec: "none", EventsPerObject: 300})
	flags := h.table(t, "vanish")
	h.sql(t, `INSERT INTO payroll.vanish (event_id, type, employee_id, gross_amount, currency, occurred_at, version, source) VALUES
 ('stream-1', 'x', 1, 100.25, 'USD', '2026-03-10 12:00:00', 1, 'payroll'), ('stream-2', 'x', 1, 50.00, 'USD', '2026-03-20 12:00:00', 1, 'payroll')`)
	before := h.contents(t, "vanish")
	o := h.run(t, 4, append([]string{"run"}, a.window(flags...)...)...)
	for _, say := range []string{"2 rows", "2026-03-10", "2026-03-20", "150.25", "--allow-vanish"} {
		if !strings.Contains(o.stderr, say) {
			t.Errorf("the refusal does not say %q:\n%s", say, o.stderr)
		}
	}
	if after := h.contents(t, "vanish"); !slices.Equal(after, before) {
		t.Errorf("the refused load changed the table: %s", firstDifference(after, before))
	}
	h.run(t, 4, append([]string{"run"}, a.window(append(flags, "--allow-vanish", "1")...)...)...)
	h.run(t, 0, append([]string{"run"}, a.window(append(flags, "--allow-vanish", "2", "--reason", "the stream's test rows")...)...)...)
	if got := len(h.contents(t, "vanish")); got != int(a.truth.TableRows) {
		t.Errorf("%d rows, want %d", got, a.truth.TableRows)
	}
	ledger := h.rows(t, "SELECT SUM(rows_vanished), MAX(reason) FROM payroll.vanish__backfill_ledger")
	if ledger[0] != "2|the stream's test rows|" {
		t.Errorf("ledger: %s", ledger[0])
	}
}

func TestStepsAndShards(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 24, Events: 2000, Partitions: 3, Codec: "mixed", EventsPerObject: 300, BodyOffsets: true, Faults: archivegen.DefaultFaults()})
	flags := append(h.table(t, "steps"), "--chunk-bytes", "32KiB")
	plan := h.run(t, 0, append([]string{"plan"}, a.window(flags...)...)...).result
	text, err := os.ReadFile(a.dataset)
	if err != nil {
		t.Fatal(err)
	}
	from := a.window(flags...)[2:] // without --dataset F
	if again := h.run(t, 0, append([]string{"plan", "--dataset-text", string(text)}, from...)...).result; again.Plan != plan.Plan || again.Sealed {
		t.Errorf("planning again gave %s (sealed %v), want %s", again.Plan, again.Sealed, plan.Plan)
	}
	if o := h.run(t, 6, "load", "--plan", plan.Plan); !strings.Contains(o.result.Hint, "backfill convert --plan "+plan.Plan) {
		t.Errorf("loading too early must say how to go on: %s", o.result.Hint)
	}
	converted := 0
	for i := 1; i <= 4; i++ {
		converted += h.run(t, 0, "convert", "--plan", plan.Plan, "--shard", fmt.Sprintf("%d/4", i)).result.Converted
	}
	if converted != plan.Chunks {
		t.Errorf("the shards converted %d chunks of %d", converted, plan.Chunks)
	}
	if o := h.run(t, 0, "convert", "--plan", plan.Plan); o.result.Converted != 0 {
		t.Errorf("converting again converted %d chunks", o.result.Converted)
	}
	if o := h.run(t, 6, "reconcile", "--plan", plan.Plan); !strings.Contains(o.result.Error, "plan 1 is not loaded") {
		t.Errorf("reconciling before the load: %s", o.result.Error)
	}
	h.run(t, 0, "load", "--plan", plan.Plan)
	h.run(t, 0, "load", "--plan", plan.Plan) // a scheduler may ask twice
	if o := h.run(t, 0, "reconcile", "--plan", plan.Plan); o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || o.result.Seq != 1 {
		t.Errorf("reconciling the plan: %+v", o.result)
	}
	o := h.run(t, 0, append([]string{"reconcile"}, a.window(flags[:4]...)...)...)
	if o.result.Verdict != "RECONCILED WITH EXCEPTIONS" {
		t.Errorf("verdict %q: %s", o.result.Verdict, o.result.Sentence)
	}
	if s := h.run(t, 0, append([]string{"status", "--dataset", a.dataset}, flags[:4]...)...); s.result.Status.Plans[0].State != "loaded" {
		t.Errorf("status: %+v", s.result.Status.Plans[0])
	}
}

// TestMonthOfSeveralRuns reconciles a month that two runs loaded, of which the
// second replaced days of the first: each object and each day counts once.
func TestMonthOfSeveralRuns(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 27, Events: 3000, Partitions: 2, Codec: "gzip", EventsPerObject: 500, Faults: archivegen.DefaultFaults()})
	flags := h.table(t, "several_runs")
	part := func(from, to string) []string {
		return append([]string{"run", "--dataset", a.dataset, "--from", from, "--to", to}, flags...)
	}
	h.run(t, 0, part("2026-03-01", "2026-03-20")...)
	reconcile := append([]string{"reconcile"}, a.window(flags...)...)
	if o := h.run(t, 6, reconcile...); !strings.Contains(o.result.Error, "12 days of the window, from 2026-03-20, were never loaded") {
		t.Errorf("half a month: %s", o.result.Error)
	}
	h.run(t, 0, part("2026-03-11", "2026-04-01")...)
	o := h.run(t, 0, reconcile...)
	dir := t.TempDir()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(o.result.Report, "s3://"), "/")
	h.download(t, bucket, key, dir)
	body, err := os.ReadFile(filepath.Join(dir, key))
	if err != nil {
		t.Fatal(err)
	}
	var rep report.Report
	if err := json.Unmarshal(body, &rep); err != nil {
		t.Fatal(err)
	}
	first, last := rep.Ladder[0], rep.Ladder[len(rep.Ladder)-1]
	if first.Rows != a.truth.Dispositions.RecordsRead || last.Rows != a.truth.TableRows || len(rep.Plans) != 2 {
		t.Errorf("%d records read and %d rows from %d plans, the truth says %d and %d", first.Rows, last.Rows, len(rep.Plans), a.truth.Dispositions.RecordsRead, a.truth.TableRows)
	}
}

func TestSignals(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 25, Events: 2000, Partitions: 1, Codec: "gzip", EventsPerObject: 200})
	for _, c := range []struct {
		signal syscall.Signal
		exit   int
	}{{syscall.SIGTERM, 143}, {syscall.SIGINT, 130}} {
		t.Run(c.signal.String(), func(t *testing.T) {
			flags := append(h.table(t, "signal_"+fmt.Sprint(c.exit)), "--chunk-bytes", "16KiB")
			ready := make(chan struct{})
			var cmd *exec.Cmd
			var once sync.Once // a second signal would end the worker at once
			h.watch(t, func(op s3d.Op) s3d.Action {
				if op.Phase == s3d.After && strings.HasSuffix(op.Key, "/receipt.json") && op.Kind == "PutObject" {
					<-ready
					once.Do(func() { _ = cmd.Process.Signal(c.signal) })
				}
				return s3d.Continue
			}, nil)
			started, wait := h.start(t, h.env(), append([]string{"run"}, a.window(flags...)...)...)
			cmd = started
			close(ready)
			o := wait()
			h.unwatch()
			if o.exit != c.exit || o.result.Exit != c.exit || !strings.Contains(o.result.Hint, "same command again") {
				t.Errorf("exit code %d, result %+v\n%s", o.exit, o.result, o.stderr)
			}
			last := h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
			if last.result.Reused == 0 {
				t.Error("no chunk of the stopped run was kept")
			}
		})
	}
}

// TestThirdPartyFile loads Lenses' own JSON lines from a folder, without
// event time or offsets. Count and sum were added up with bc from the file.
func TestThirdPartyFile(t *testing.T) {
	h := shared
	source, err := filepath.Abs("testdata/lenses")
	if err != nil {
		t.Fatal(err)
	}
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "people.yaml")
	body, err := os.ReadFile(filepath.Join(source, "1.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "people/0"), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "people/0/1.json"), body, 0o600); err != nil {
		t.Fatal(err)
	}
	yaml := fmt.Sprintf(`version: 1
name: people
archive: {uri: "file://%s", layout: {key_pattern: '(?P<topic>[a-z]+)/(?P<partition>\d+)/\d+\.json'}}
records: {event_time: none}
columns:
  - {name: name, type: varchar(100), from: value.name, required: true}
  - {name: title, type: varchar(100), from: value.title}
  - {name: salary, type: "decimal(24,16)", from: value.salary}
  - {name: currency, type: char(3), const: USD}
table: {name: payroll.people, mode: append, scope: all, provenance: true}
staging: {uri: s3://staging/people}
quarantine: {max_records: 0}
reconcile: {totals: [salary], by: [currency]}
`, dir)
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	h.sql(t, `CREATE TABLE payroll.people (currency char(3), salary decimal(24,16), name varchar(100) NOT NULL, title varchar(100),
 _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64))`)
	o := h.run(t, 0, "run", "--dataset", file)
	if o.result.Inserted != 200 {
		t.Errorf("%d rows inserted, want 200", o.result.Inserted)
	}
	want := "200|97135.3303827315740609|"
	query := "SELECT COUNT(*), SUM(salary) FROM payroll.people"
	if got := h.rows(t, query); got[0] != want {
		t.Errorf("the table holds %s, want %s", got[0], want)
	}
	if again := h.run(t, 0, "run", "--dataset", file); !again.result.Done {
		t.Errorf("again: %+v", again.result)
	}
	if err := os.WriteFile(filepath.Join(dir, "people/0/2.json"), []byte(`{"name":"one more","title":null,"salary":0.0000000000000001}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if more := h.run(t, 0, "run", "--dataset", file); more.result.Inserted != 1 {
		t.Errorf("the second object gave %d rows, want 1", more.result.Inserted)
	}
	if got := h.rows(t, query); got[0] != "201|97135.3303827315740610|" {
		t.Errorf("the table holds %s", got[0])
	}
}

// TestLostAnswer cuts the connection after the server has committed a slice,
// and after it has done other statements: the outcome is never guessed.
func TestLostAnswer(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 28, Events: 1500, Partitions: 1, Codec: "gzip", Faults: archivegen.DefaultFaults()})
	base := h.table(t, "lost_base")
	h.run(t, 0, append([]string{"run"}, a.window(base...)...)...)
	want := h.contents(t, "lost_base")
	for _, c := range []struct {
		kind, code string
	}{{"COMMIT", "outcome_lost"}, {"COPY", "network"}, {"INSERT", "network"}, {"DELETE", "network"}} {
		t.Run(c.kind, func(t *testing.T) {
			table := "lost_" + strings.ToLower(c.kind)
			flags := h.table(t, table)
			var once sync.Once
			h.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
				action := redshiftd.Continue
				if op.Kind == c.kind && op.Phase == redshiftd.After {
					once.Do(func() { action = redshiftd.Cut })
				}
				return action
			})
			o := h.run(t, 3, append([]string{"run"}, a.window(flags...)...)...)
			h.unwatch()
			if o.result.Code != c.code {
				t.Errorf("code %q, want %q: %s", o.result.Code, c.code, o.result.Error)
			}
			h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
			if got := h.contents(t, table); !slices.Equal(got, want) {
				t.Errorf("the table differs: %s", firstDifference(got, want))
			}
		})
	}
}
