package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backfill/internal/report"
)

// slip is a month of pay slips that another pipeline loaded: no provenance, no
// ledger.
type slip struct {
	id       string
	at       string // UTC
	v        int
	employee int
	amount   string
	currency string
	name     string
}

func (s slip) line() string {
	return fmt.Sprintf(`{"id":%q,"at":"%sZ","v":%d,"employee":%d,"amount":%q,"currency":%q,"name":%q,"kind":"paid","body":{"id": %q, "n": 1.50}}`,
		s.id, s.at, s.v, s.employee, s.amount, s.currency, s.name, s.id)
}

func (s slip) row() string {
	return fmt.Sprintf(`('%s', '%s', %d, %d, %s, '%s', '%s')`, s.id, strings.Replace(s.at, "T", " ", 1), s.v, s.employee, s.amount, s.currency, s.name)
}

// slips are n slips over March, four hours apart.
func slips(n int) []slip {
	var list []slip
	for i := range n {
		list = append(list, slip{
			id: fmt.Sprintf("s%04d", i), at: fmt.Sprintf("2026-03-%02dT%02d:10:20.123456", 2+i/6%28, i%6*4), v: 1, employee: 100 + i%7,
			amount: fmt.Sprintf("%d.%02d", 1000+i, i%100), currency: []string{"USD", "EUR"}[i%2], name: fmt.Sprintf("Name %d", i),
		})
	}
	return list
}

// foreign is an archive beside a table that another pipeline loads.
type foreign struct {
	t    *testing.T
	h    *harness
	name string
	dir  string
	file string
}

func newForeign(t *testing.T, name string) *foreign {
	t.Helper()
	f := &foreign{t: t, h: shared, name: name, dir: t.TempDir(), file: filepath.Join(t.TempDir(), "slips.yaml")}
	yaml := fmt.Sprintf(`version: 1
name: %s
archive: {uri: "file://%s", layout: confluent, idle: 9000h}
records: {event_time: value.at, where: value.kind != "draft"}
calendar: America/Los_Angeles
columns:
  - {name: id, type: varchar(20), from: value.id, required: true}
  - {name: at, type: timestamp, from: value.at, required: true}
  - {name: v, type: integer, from: value.v}
  - {name: employee, type: bigint, from: value.employee}
  - {name: amount, type: "decimal(18,2)", from: value.amount}
  - {name: currency, type: char(3), from: value.currency}
  - {name: name, type: varchar(60), from: value.name}
table: {name: payroll.%s, mode: replace_window, scope: all, window_column: at, key: [id], latest_by: [v]}
staging: {uri: s3://staging/%s}
quarantine: {max_records: 10}
reconcile: {totals: [amount], by: [currency], show: [id]}
`, name, f.dir, name, name)
	if err := os.WriteFile(f.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	f.h.sql(t, "CREATE TABLE payroll."+name+" (id varchar(20) NOT NULL, at timestamp NOT NULL, v integer, employee bigint, amount decimal(18,2), currency char(3), name varchar(60))")
	return f
}

func (f *foreign) archive(partition, first int, lines ...string) {
	f.t.Helper()
	path := filepath.Join(f.dir, "slips", fmt.Sprintf("partition=%d", partition), fmt.Sprintf("slips+%d+%010d.json", partition, first))
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func (f *foreign) load(list []slip) {
	f.t.Helper()
	for part := range slices.Chunk(list, 200) {
		var rows []string
		for _, s := range part {
			rows = append(rows, s.row())
		}
		f.sql("INSERT INTO payroll." + f.name + " (id, at, v, employee, amount, currency, name) VALUES " + strings.Join(rows, ", "))
	}
}

func (f *foreign) sql(text string) { f.t.Helper(); f.h.sql(f.t, text) }

func (f *foreign) do(command string, exit int, extra ...string) outcome {
	f.t.Helper()
	return f.h.run(f.t, exit, append([]string{command, "--dataset", f.file, "--from", "2026-03-01", "--to", "2026-04-01"}, extra...)...)
}

// found are the bad rows of a report, as "class key columns(kinds)".
func (f *foreign) found(o outcome) []string {
	f.t.Helper()
	rep := f.report(o.result.Report)
	out := []string{}
	if rep.Rows == nil {
		f.t.Fatal("the report has no rows")
	}
	for _, b := range rep.Rows.List {
		text := string(b.Class)
		for _, k := range b.Key {
			if k != nil {
				text += " " + *k
			}
		}
		for _, d := range b.Diffs {
			text += fmt.Sprintf(" %s(%s)", d.Column, d.Kind)
		}
		out = append(out, text)
	}
	slices.Sort(out)
	return out
}

func (f *foreign) report(uri string) report.Report {
	f.t.Helper()
	_, key, _ := strings.Cut(uri, "s3://staging/")
	var rep report.Report
	if err := json.Unmarshal([]byte(f.h.object(f.t, key)), &rep); err != nil {
		f.t.Fatal(err)
	}
	return rep
}

// newMonth archives the slips in two partitions, with an older version of one,
// a draft, and a slip of April.
func newMonth(t *testing.T, name string, list []slip) *foreign {
	f := newForeign(t, name)
	var even, odd []string
	for i, s := range list {
		if i%2 == 0 {
			even = append(even, s.line())
		} else {
			odd = append(odd, s.line())
		}
	}
	older, draft, april := list[0], list[1], list[2]
	older.v, older.amount = 0, "1.00"
	draft.id, april.id, april.at = "draft", "april", "2026-04-20T00:00:00.000001"
	half := len(even) / 2
	f.archive(0, 0, append([]string{older.line()}, even[:half]...)...)
	f.archive(0, half+1, append(even[half:], april.line())...)
	f.archive(1, 0, append(odd, strings.Replace(draft.line(), `"paid"`, `"draft"`, 1))...)
	return f
}

// TestArchiveAgainstForeignTable plants every class of difference into a table
// that another pipeline loaded.
func TestArchiveAgainstForeignTable(t *testing.T) {
	list := slips(160)
	f := newMonth(t, "paid", list)
	f.load(list)
	o := f.do("reconcile", 0)
	if rows := f.found(o); o.result.Verdict != "RECONCILED" || len(rows) != 0 {
		t.Fatalf("untouched: %s, %v: %s", o.result.Verdict, rows, o.stdout)
	}
	if l := f.report(o.result.Report).Rows.Levels; l.Queries > 3 || l.Scans != 1 || l.Fetched != 0 || l.ArchiveRows != 160 || l.TableRows != 160 {
		t.Errorf("untouched: %+v", l)
	}
	set := func(id, what string) { f.sql("UPDATE payroll.paid SET " + what + " WHERE id = '" + id + "'") }
	set("s0010", "amount = 1012.10") // the next but one's
	set("s0012", "amount = 1010.10") // and back: the total stays
	set("s0014", "at = DATEADD(hour, 1, at)")
	set("s0016", "currency = 'EUR'")
	set("s0018", "name = name || ' '")
	set("s0020", "name = ''")
	set("s0022", "name = UPPER(name)")
	set("s0024", "amount = 1024.20")
	set("s0026", "name = 'Nam'")
	set("s0000", "v = 0, amount = 1.00")
	set("s0028", "at = '2026-04-02 00:00:00'")
	f.sql("DELETE FROM payroll.paid WHERE id = 's0030'")
	extra, draft, copied := list[40], list[1], list[50]
	extra.id, draft.id = "nobody", "draft"
	f.load([]slip{extra, draft, copied, copied})
	o = f.do("reconcile", 5)
	want := []string{
		"changed s0010 amount(other)", "changed s0012 amount(other)", "changed s0014 at(zone_shift)",
		"changed s0016 currency(other)", "changed s0018 name(padding)", "changed s0020 name(other)", "changed s0022 name(case)",
		"changed s0024 amount(rounding)", "changed s0026 name(truncation)", "changed s0028 at(other)",
		"duplicate s0050", "duplicate s0050", "extra nobody", "filtered draft", "missing s0030",
		"superseded s0000 v(other) amount(other)",
	}
	if got := f.found(o); !slices.Equal(got, want) {
		t.Errorf("found\n%s\nwant\n%s\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), o.stdout)
	}
	rep := f.report(o.result.Report)
	for _, b := range rep.Rows.List {
		if b.Text == "" || b.ID == "" || b.Class != "extra" && b.Place == nil {
			t.Errorf("%+v", b)
		}
	}
	if l := rep.Rows.Levels; l.Queries > 15 || l.Fetched > 120_000 {
		t.Errorf("%+v", l)
	}
}

// TestArchiveFindings: what is wrong with the archive itself is unknown, not a break.
func TestArchiveFindings(t *testing.T) {
	list := slips(40)
	f := newMonth(t, "paid_findings", list)
	f.load(list)
	f.archive(2, 0, `{"id":"bad","at":"2026-03-05T00:00:00Z","v":1,"employee":1,"amount":"1.005","currency":"USD","name":"x","kind":"paid"}`)
	f.sql("INSERT INTO payroll.paid_findings (id, at, v, employee, amount, currency, name) SELECT 'bad', '2026-03-05 00:00:00', 1, 1, 1.01, 'USD', 'x'")
	if o := f.do("reconcile", 6); !slices.Equal(f.found(o), []string{"quarantined bad"}) {
		t.Errorf("%v: %s", f.found(o), o.stdout)
	}
}

// plantAll spoils a table in one row of each kind that a repair mends, and by
// two extra rows.
func (f *foreign) plantAll(list []slip) {
	f.t.Helper()
	set := func(id, what string) { f.sql("UPDATE payroll." + f.name + " SET " + what + " WHERE id = '" + id + "'") }
	set("s0010", "amount = 1.10")
	set("s0012", "at = DATEADD(hour, -1, at)")
	set("s0028", "at = '2026-04-02 00:00:00'")
	f.sql("DELETE FROM payroll." + f.name + " WHERE id IN ('s0030', 's0031')")
	extra, draft := list[40], list[1]
	extra.id, draft.id = "nobody", "draft"
	f.load([]slip{extra, draft, list[50], list[50]})
}

func (f *foreign) rows() []string {
	f.t.Helper()
	return f.h.rows(f.t, "SELECT id, at, v, employee, amount, currency, name FROM payroll."+f.name+" ORDER BY id, at, amount")
}

func (f *foreign) repair(exit int, env []string, uri string, extra ...string) outcome {
	f.t.Helper()
	return f.h.runWith(f.t, exit, env, append([]string{"repair", "--dataset", f.file, "--report", uri}, extra...)...)
}

// TestRepair mends a foreign table from the report alone.
func TestRepair(t *testing.T) {
	list := slips(80)
	f := newMonth(t, "paid_repair", list)
	f.load(list)
	right := f.rows()
	f.plantAll(list)
	spoiled := f.rows()
	first := f.do("reconcile", 5).result.Report
	asks := []string{"BACKFILL_REQUESTED_BY=clerk"}
	dry := f.repair(0, asks, first)
	if !slices.Equal(f.rows(), spoiled) || len(dry.result.Repair) != 3 {
		t.Errorf("a dry run: %+v", dry.result.Repair)
	}
	for _, a := range dry.result.Repair {
		if a.Class == "missing" && (a.Insert != 2 || a.Keys != 2 || strings.Join(a.Money, ", ") != "EUR amount 1031.31, USD amount 1030.30") {
			t.Errorf("%+v", a)
		}
	}
	if o := f.repair(2, asks, first, "--apply"); !strings.Contains(o.result.Error, "--approved-by") {
		t.Error(o.result.Error)
	}
	if o := f.repair(2, asks, first, "--apply", "--approved-by", "Clerk"); !strings.Contains(o.result.Error, "can't approve it") {
		t.Error(o.result.Error)
	}
	o := f.repair(5, asks, first, "--apply", "--approved-by", "controller", "--reason", "month end")
	if got := f.found(o); !slices.Equal(got, []string{"extra nobody", "filtered draft"}) {
		t.Errorf("without --delete-extra: %v", got)
	}
	if f.report(o.result.Report).Repairs != first {
		t.Error("the new report does not name the repaired one")
	}
	second := o.result.Report
	o = f.repair(0, asks, second, "--apply", "--delete-extra", "--approved-by", "controller")
	if o.result.Verdict != "RECONCILED" || !slices.Equal(f.rows(), right) {
		t.Errorf("%s\n%s", o.result.Verdict, strings.Join(f.rows(), "\n"))
	}
	if o = f.repair(0, asks, second, "--apply", "--delete-extra", "--approved-by", "controller"); !slices.Equal(f.rows(), right) || o.result.Deleted != 2 {
		t.Errorf("again: %+v", o.result)
	}
	who := f.h.rows(t, "SELECT kind, rows_deleted, rows_inserted, requested_by, approved_by, flags, reason FROM payroll.paid_repair__backfill_ledger ORDER BY change_number")
	want := []string{"repair|6|6|clerk|controller|repair|month end|", "repair|2|0|clerk|controller|repair delete_extra||"}
	if !slices.Equal(who, want) {
		t.Errorf("%q, want %q", who, want)
	}
	f.sql("UPDATE payroll.paid_repair SET amount = 7 WHERE id = 's0010'")
	if o := f.repair(4, asks, first, "--apply", "--delete-extra", "--approved-by", "controller"); !strings.Contains(o.result.Error, "changed since") {
		t.Error(o.result.Error)
	}
}

// TestReceiptsOfNoLoad asks for receipts where no load left any.
func TestReceiptsOfNoLoad(t *testing.T) {
	f, list := newForeign(t, "no_receipts"), slips(6)
	f.archive(0, 0, archivedLines(list)...)
	f.load(list)
	o := f.do("reconcile", 6, "--way", "receipts")
	for _, say := range []string{"no load of [2026-03-01T08:00:00Z, 2026-04-01T07:00:00Z) by this dataset stands in the ledger", "--way archive"} {
		if !strings.Contains(o.stderr, say) {
			t.Errorf("it does not say %q:\n%s", say, o.stderr)
		}
	}
	if o.result.Report != "" {
		t.Errorf("a report was made: %s", o.result.Report)
	}
	f.do("reconcile", 0, "--way", "archive")
}
