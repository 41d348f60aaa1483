package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
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
	erased string // employees, with commas between them
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
	place
}

// place is a day and a group whose totals are compared.
type place struct {
	Day   string    `json:"day"`
	Group []*string `json:"group"`
}

// text spells a place.
func (p place) text() string {
	text := p.Day
	for _, g := range p.Group {
		if g == nil {
			text += " NULL"
			continue
		}
		text += fmt.Sprintf(" %q", *g)
	}
	return text
}

// join asks the exact join what rows must be found.
func (p *paid) join(t *testing.T) []difference {
	t.Helper()
	found, _ := p.findings(t)
	return found
}

// findings asks the exact join what must be found: rows, and the places that they make differ.
func (p *paid) findings(t *testing.T) (found []difference, places map[string]bool) {
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
	places = map[string]bool{}
	scanner := bufio.NewScanner(strings.NewReader(python(t, mutations+"join.py", p.dir, "--table", dump, "--suppress", p.erased)))
	for scanner.Scan() {
		var d difference
		if err := json.Unmarshal(scanner.Bytes(), &d); err != nil {
			t.Fatal(err)
		}
		if d.Day != "" {
			places[d.text()] = true
			continue
		}
		found = append(found, d)
	}
	return found, places
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

// reconcile ties by key, whoever loaded the table.
func (p *paid) reconcile(t *testing.T) {
	t.Helper()
	p.tie(t, "archive")
}

// tie compares a report with the exact join: each row that differs, each place whose totals do, and nothing else.
func (p *paid) tie(t *testing.T, way string) {
	t.Helper()
	want, places := p.findings(t)
	exit := 0
	if len(want) > 0 {
		exit = 5
	}
	r := p.document(t, p.h.run(t, exit, p.march("--way", way)...))
	left := r.Rows.List
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
	got := map[string]bool{}
	for _, b := range r.Breaks {
		if b.Leg == "suppressed→table" && p.erased != "" {
			continue // the same rows once more, by the person alone
		}
		got[b.text()] = true
	}
	if !maps.Equal(got, places) {
		t.Errorf("breaks at %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(places)))
	}
}

// march are the arguments that reconcile the month.
func (p *paid) march(more ...string) []string {
	return append([]string{"reconcile", "--dataset", p.file, "--from", "2026-03-01", "--to", "2026-04-01"}, more...)
}

// paidReport is what the tests read of a report.
type paidReport struct {
	Way  string `json:"way"`
	Rows struct {
		List     []bad `json:"list"`
		Complete bool  `json:"complete"`
	} `json:"rows"`
	Breaks []struct {
		Leg string `json:"leg"`
		place
	} `json:"breaks"`
}

// report reads the rows that a run's report names.
func (p *paid) report(t *testing.T, o outcome) []bad {
	t.Helper()
	return p.document(t, o).Rows.List
}

// document reads a run's report.
func (p *paid) document(t *testing.T, o outcome) (r paidReport) {
	t.Helper()
	p.h.report(t, o.result.Report, &r)
	if o.exit != 0 && !r.Rows.Complete {
		t.Error("the list of rows is not complete")
	}
	return r
}

// is reports whether a row of the report is this difference: key, class, columns, and a kind that is true of each.
func (d difference) is(b bad) bool {
	if b.Class == "suppressed" && slices.Contains(d.Classes, b.Class) {
		return slices.Equal(b.Key, []string{""}) // keys of erased people are never shown
	}
	if len(b.Key) != 1 || b.Key[0] != d.Key || !slices.Contains(d.Classes, b.Class) {
		return false
	}
	if b.Class != "changed" && b.Class != "superseded" {
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

// TestMutations plants each SQL file's mutation in a table that this program loaded and in one that another pipeline did,
// and reconciles it in each way that there is.
func TestMutations(t *testing.T) {
	files, err := filepath.Glob(mutations + "sql/*.sql")
	if err != nil || len(files) < 30 {
		t.Fatalf("%d mutations: %v", len(files), err)
	}
	for _, c := range []struct {
		name string
		own  bool
		ways []string
	}{{"own", true, []string{"archive", "receipts"}}, {"foreign", false, []string{"archive"}}} {
		t.Run(c.name, func(t *testing.T) {
			p := newPaid(t, shared, "mutations_"+c.name, c.own)
			all := func(t *testing.T) {
				for _, way := range c.ways {
					p.tie(t, way)
				}
			}
			t.Run("none", all)
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".sql"), func(t *testing.T) {
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					p.restore(t)
					p.exec(t, string(text))
					all(t)
				})
			}
			t.Run("auto", func(t *testing.T) {
				p.tie(t, "auto")
				want := c.ways[len(c.ways)-1] // receipts where there are some
				if r := p.document(t, p.h.run(t, 5, p.march()...)); r.Way != want {
					t.Errorf("by itself it goes the way of %s, want %s", r.Way, want)
				}
			})
		})
	}
}
