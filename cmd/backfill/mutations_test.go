package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const mutations = "../../internal/sandbox/mutations/"

const paidDataset = `version: 1
name: paid
archive:
  uri: "s3://archive/%PREFIX%/events"
  layout: confluent
  lateness: 1h
  idle: 80000h
records:
  event_time: value.at
  where: 'value.type in ["payment.settled", "payment.reversed"]'
calendar: America/Los_Angeles
columns:
  - {name: id,           type: varchar(36),     from: value.id, required: true}
  - {name: v,            type: integer,         from: value.v, required: true}
  - {name: happened_at,  type: timestamp,       from: value.at, required: true, fraction: reject}
  - {name: employee_id,  type: bigint,          from: value.employee.id, required: true}
  - {name: legal_entity, type: varchar(16),     from: value.entity}
  - {name: gross_amount, type: "decimal(18,2)", from: value.gross}
  - {name: net_amount,   type: "decimal(18,2)", from: value.net}
  - {name: currency,     type: char(3),         from: value.currency}
  - {name: pay_run,      type: varchar(36),     from: value.pay_run}
  - {name: note,         type: varchar(40),     from: value.note}
  - {name: source,       type: varchar(16),     const: payroll}
table:
  name: payroll.%TABLE%
  mode: replace_window
  scope: "source = 'payroll'"
  window_column: happened_at
  key: [id]
  latest_by: [v]
  provenance: %PROVENANCE%
staging: {uri: "s3://staging/%PREFIX%"}
quarantine: {max_records: 10, max_rate: 1}
reconcile: {totals: [gross_amount, net_amount], by: [currency, legal_entity], show: [id]}
`

const paidColumns = `id varchar(36) NOT NULL, v integer NOT NULL, happened_at timestamp NOT NULL, employee_id bigint NOT NULL, legal_entity varchar(16),
 gross_amount decimal(18,2), net_amount decimal(18,2), currency char(3), pay_run varchar(36), note varchar(40), source varchar(16) NOT NULL`

const paidNames = "id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source"

// paid is a month of pay and a table that holds it.
type paid struct {
	h      *harness
	dir    string // of the archive
	prefix string // of its keys
	table  string
	file   string // of the dataset
}

// newPaid writes the month and loads a table: by this program, or as another pipeline would.
func newPaid(t *testing.T, h *harness, table string, own bool) *paid {
	t.Helper()
	p := &paid{h: h, dir: t.TempDir(), prefix: table, table: "payroll." + table, file: filepath.Join(t.TempDir(), "paid.yaml")}
	python(t, mutations+"month.py", p.dir)
	p.upload(t)
	provenance, more := "false", ""
	if own {
		provenance, more = "true", ", _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64)"
	}
	text := strings.NewReplacer("%PREFIX%", p.prefix, "%TABLE%", table, "%PROVENANCE%", provenance).Replace(paidDataset)
	if err := os.WriteFile(p.file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	h.sql(t, "CREATE TABLE "+p.table+" ("+paidColumns+more+")",
		"INSERT INTO "+p.table+" ("+paidNames+") VALUES ('old-1', 1, '2026-02-20 00:00:00', 1, 'US1', 1.00, 1.00, 'USD', 'x', NULL, 'payroll'), ('new-1', 1, '2026-04-20 00:00:00', 1, 'US1', 1.00, 1.00, 'USD', 'x', NULL, 'payroll'), ('pay-0001', 1, '2026-03-10 00:00:00', 1, 'US1', 1.00, 1.00, 'USD', 'x', NULL, 'other')")
	if own {
		h.run(t, 0, "run", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01")
	} else {
		p.exec(t, python(t, mutations+"join.py", p.dir, "--insert", p.table))
	}
	h.sql(t, "CREATE TABLE "+p.table+"_sound AS SELECT * FROM "+p.table)
	return p
}

// python runs one of the plain programs.
func python(t *testing.T, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.Command("python3", args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("python3 %s: %v\n%s", strings.Join(args, " "), err, &stderr)
	}
	return string(out)
}

// upload puts the archive's files into the bucket.
func (p *paid) upload(t *testing.T) {
	t.Helper()
	err := filepath.WalkDir(p.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		key, err := filepath.Rel(p.dir, path)
		if err != nil {
			return err
		}
		return p.h.put(context.Background(), "archive", p.prefix+"/"+key, body)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// exec runs a SQL script; no text in it holds a semicolon.
func (p *paid) exec(t *testing.T, script string) {
	t.Helper()
	for s := range strings.SplitSeq(strings.ReplaceAll(script, ":table", p.table), ";") {
		if strings.TrimSpace(s) != "" {
			p.h.sql(t, s)
		}
	}
}

func (p *paid) restore(t *testing.T) {
	t.Helper()
	p.h.sql(t, "DELETE FROM "+p.table, "INSERT INTO "+p.table+" SELECT * FROM "+p.table+"_sound")
}

// difference is one that the exact join found.
type difference struct {
	Key     string              `json:"key"`
	Classes []string            `json:"classes"`
	Columns []string            `json:"columns"`
	Kinds   map[string][]string `json:"kinds"`
}

// join asks the exact join what must be found.
func (p *paid) join(t *testing.T) []difference {
	t.Helper()
	dump := filepath.Join(t.TempDir(), "dump.jsonl")
	var lines bytes.Buffer
	for _, cells := range p.cells(t) {
		line, err := json.Marshal(cells)
		if err != nil {
			t.Fatal(err)
		}
		lines.Write(append(line, '\n'))
	}
	if err := os.WriteFile(dump, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	var found []difference
	scanner := bufio.NewScanner(strings.NewReader(python(t, mutations+"join.py", p.dir, "--table", dump)))
	for scanner.Scan() {
		var d difference
		if err := json.Unmarshal(scanner.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		found = append(found, d)
	}
	return found
}

// cells reads the table's rows as texts; nil is NULL.
func (p *paid) cells(t *testing.T) [][]*string {
	t.Helper()
	conn, err := p.h.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	result := conn.PgConn().Exec(context.Background(), "SELECT "+paidNames+" FROM "+p.table)
	all, err := result.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]*string
	for _, r := range all[0].Rows {
		row := make([]*string, len(r))
		for i, v := range r {
			if v != nil {
				text := string(v)
				row[i] = &text
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// bad is a row that the report names, with columns and their kinds.
type bad struct {
	Key     []string `json:"key"`
	Class   string   `json:"class"`
	Columns []struct {
		Column string `json:"column"`
		Kind   string `json:"kind"`
	} `json:"columns"`
}

// reconcile compares the report with the exact join: all of it, and nothing else.
func (p *paid) reconcile(t *testing.T) {
	t.Helper()
	want := p.join(t)
	exit := 0
	if len(want) > 0 {
		exit = 5
	}
	o := p.h.run(t, exit, "reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01", "--way", "archive")
	left := p.report(t, o)
	for _, d := range want {
		at := slices.IndexFunc(left, d.is)
		if at < 0 {
			t.Errorf("not found: %+v", d)
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, b := range left {
		t.Errorf("reported, and not there: %+v", b)
	}
}

// report reads the rows that a run's report names.
func (p *paid) report(t *testing.T, o outcome) []bad {
	t.Helper()
	bucket, key, _ := strings.Cut(strings.TrimPrefix(o.result.Report, "s3://"), "/")
	dir := t.TempDir()
	p.h.download(t, bucket, key, dir)
	body, err := os.ReadFile(filepath.Join(dir, key))
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Rows struct {
			List     []bad `json:"list"`
			Complete bool  `json:"complete"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(body, &report); err != nil {
		t.Fatal(err)
	}
	if o.exit != 0 && !report.Rows.Complete {
		t.Error("the list of rows is not complete")
	}
	return report.Rows.List
}

// is reports whether a row of the report is this difference: key, class, columns, and a kind that is true of each.
func (d difference) is(b bad) bool {
	if len(b.Key) != 1 || b.Key[0] != d.Key || !slices.Contains(d.Classes, b.Class) {
		return false
	}
	if b.Class != "changed" {
		return true
	}
	var columns []string
	for _, c := range b.Columns {
		columns = append(columns, c.Column)
		kinds := d.Kinds[c.Column]
		if len(kinds) == 0 {
			kinds = []string{"other"}
		}
		if !slices.Contains(kinds, c.Kind) {
			return false
		}
	}
	slices.Sort(columns)
	return slices.Equal(columns, d.Columns)
}

// TestMutations plants each SQL file's mutation in a table that this program loaded and in one that another pipeline did.
func TestMutations(t *testing.T) {
	files, err := filepath.Glob(mutations + "sql/*.sql")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d mutations: %v", len(files), err)
	}
	for _, own := range []bool{true, false} {
		name := map[bool]string{true: "own", false: "foreign"}[own]
		t.Run(name, func(t *testing.T) {
			p := newPaid(t, shared, "mutations_"+name, own)
			t.Run("none", p.reconcile)
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					p.restore(t)
					p.exec(t, string(text))
					p.reconcile(t)
				})
			}
		})
	}
}

// TestMutationsAtRandom plants up to six mutations in rows drawn by a seed.
func TestMutationsAtRandom(t *testing.T) {
	count, first := 15, uint64(1)
	if text := os.Getenv("BACKFILL_MUTATIONS"); text != "" {
		if _, err := fmt.Sscanf(text, "%d", &count); err != nil {
			t.Fatal(err)
		}
	}
	own, foreign := newPaid(t, shared, "random_own", true), newPaid(t, shared, "random_foreign", false)
	for seed := first; seed < first+uint64(count); seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			p := own
			if seed%2 == 0 {
				p = foreign
			}
			p.restore(t)
			script := scatter(rand.New(rand.NewPCG(seed, 7)))
			p.exec(t, script)
			p.reconcile(t)
			if t.Failed() {
				t.Log(script)
			}
		})
	}
}

// scatter draws one to six mutations.
func scatter(r *rand.Rand) string {
	set := func(what string) func(string) string {
		return func(key string) string {
			return "UPDATE :table SET " + what + " WHERE id = '" + key + "' AND source = 'payroll';\n"
		}
	}
	all := []func(string) string{
		func(key string) string {
			return "DELETE FROM :table WHERE id = '" + key + "' AND source = 'payroll';\n"
		},
		func(key string) string {
			return "INSERT INTO :table SELECT * FROM :table WHERE id = '" + key + "' AND source = 'payroll';\n"
		},
		func(key string) string {
			return "INSERT INTO :table (" + paidNames + ") SELECT 'ghost-' || id, v, happened_at, employee_id, legal_entity, gross_amount, net_amount, currency, pay_run, note, source FROM :table WHERE id = '" + key + "' AND source = 'payroll';\n"
		},
		set("gross_amount = gross_amount + 0.01"), set("gross_amount = ROUND(gross_amount, 0)"), set("net_amount = FLOOR(net_amount)"), set("net_amount = -net_amount"),
		set("gross_amount = NULL"), set("currency = 'JPY'"), set("note = note || ' '"), set("note = UPPER(note)"), set("note = ''"), set("note = NULL"), set("note = LEFT(note, 4)"),
		set("employee_id = employee_id + 1"), set("legal_entity = LOWER(legal_entity)"), set("pay_run = '  ' || pay_run"), set("happened_at = DATEADD(hour, 1, happened_at)"),
		set("happened_at = DATE_TRUNC('second', happened_at)"), set("v = v + 1"), set("gross_amount = net_amount, net_amount = gross_amount"),
	}
	var b strings.Builder
	for range 1 + r.IntN(6) {
		b.WriteString(all[r.IntN(len(all))](fmt.Sprintf("pay-%04d", r.IntN(350))))
	}
	return b.String()
}
