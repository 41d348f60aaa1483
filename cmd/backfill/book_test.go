package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// book is a small archive that a test writes by hand, and its table.
type book struct {
	t         *testing.T
	h         *harness
	name      string
	dir, file string
	flags     []string
}

// entry is one event. A day is of March 2026, UTC, from 1.
type entry struct {
	id     string
	day    float64
	v      int
	amount string
	gone   bool
}

func (e entry) line() string {
	seconds := int((e.day - float64(int(e.day))) * 86400)
	return fmt.Sprintf(`{"id":%q,"at":"2026-03-%02dT%02d:%02d:%02dZ","v":%d,"amount":%q,"gone":%t,"body":{"id": %q, "v": %d}}`,
		e.id, int(e.day), seconds/3600, seconds/60%60, seconds%60, e.v, e.amount, e.gone, e.id, e.v)
}

// newBook makes the table and a dataset in the mode. Its partitions may be
// silent for ever, unless idle says less.
func newBook(t *testing.T, name, mode, idle string) *book {
	t.Helper()
	b := &book{t: t, h: shared, name: name, dir: t.TempDir(), file: filepath.Join(t.TempDir(), "book.yaml")}
	event, window := "value.at", "window_column: at, "
	if mode == "append" {
		event, window = "none", ""
	}
	yaml := fmt.Sprintf(`version: 1
name: %s
archive: {uri: "file://%s", layout: confluent, idle: %s}
records: {event_time: %s}
columns:
  - {name: id, type: varchar(20), from: value.id, required: true}
  - {name: at, type: timestamp, from: value.at, required: true}
  - {name: v, type: integer, from: value.v}
  - {name: amount, type: "decimal(18,2)", from: value.amount}
  - {name: currency, type: char(3), const: USD}
  - {name: gone, type: boolean, from: value.gone}
  - {name: body, type: super, from: value.body}
table: {name: payroll.%s, mode: %s, scope: "currency = 'USD'", %skey: [id], latest_by: [v], provenance: true}
staging: {uri: s3://staging/%s}
quarantine: {max_records: 0}
reconcile: {totals: [amount], by: [currency], show: [id], buckets: 4}
`, name, b.dir, idle, event, name, mode, window, name)
	if err := os.WriteFile(b.file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	b.h.sql(t, "CREATE TABLE payroll."+name+` (id varchar(20) NOT NULL, at timestamp NOT NULL, v integer, amount decimal(18,2), currency char(3) NOT NULL,
 gone boolean, body super, _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64))`)
	return b
}

// put writes one object of the partition.
func (b *book) put(partition int, first int, entries ...entry) {
	b.t.Helper()
	var lines strings.Builder
	for _, e := range entries {
		lines.WriteString(e.line() + "\n")
	}
	b.write(fmt.Sprintf("book/partition=%d/book+%d+%010d.json", partition, partition, first), lines.String())
}

func (b *book) write(key, body string) {
	b.t.Helper()
	path := filepath.Join(b.dir, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// run loads days [from, to) of March; 0, 0 is a run without a window.
func (b *book) run(exit int, from, to int, extra ...string) outcome {
	b.t.Helper()
	return b.do("run", exit, from, to, append([]string{"--slice-days", "1"}, extra...)...)
}

func (b *book) do(command string, exit int, from, to int, extra ...string) outcome {
	b.t.Helper()
	args := append([]string{command, "--dataset", b.file}, append(b.flags, extra...)...)
	if from > 0 {
		args = append(args, "--from", fmt.Sprintf("2026-03-%02d", from), "--to", fmt.Sprintf("2026-03-%02d", to))
	}
	return b.h.run(b.t, exit, args...)
}

// insert adds a row as a stream would, without provenance.
func (b *book) insert(e entry) {
	b.t.Helper()
	at := strings.TrimSuffix(strings.Split(strings.Split(e.line(), `"at":"`)[1], `"`)[0], "Z")
	b.h.sql(b.t, fmt.Sprintf(`INSERT INTO payroll.%s (id, at, v, amount, currency, gone, body) SELECT '%s', '%s', %d, %s, 'USD', %t, JSON_PARSE('{"id": "%s", "v": %d}')`,
		b.name, e.id, strings.Replace(at, "T", " ", 1), e.v, e.amount, e.gone, e.id, e.v))
}

// rows are the table's, as "id day vN amount" with gone or the offset's absence.
func (b *book) rows() []string {
	b.t.Helper()
	return b.h.rows(b.t, `SELECT id, TO_CHAR(at, 'DD HH24'), v, amount, gone, _kafka_offset FROM payroll.`+b.name+` ORDER BY id, at, v, _kafka_offset`)
}

func (b *book) want(rows ...string) {
	b.t.Helper()
	if got := b.rows(); !slices.Equal(got, rows) {
		b.t.Errorf("the table holds\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(rows, "\n  "))
	}
}

// same demands that the same command again does nothing and finds nothing new.
func (b *book) same(exit int, from, to int, extra ...string) {
	b.t.Helper()
	before := b.rows()
	if o := b.run(exit, from, to, extra...); !o.result.Done {
		b.t.Errorf("again: not done: %+v", o.result)
	}
	if after := b.rows(); !slices.Equal(after, before) {
		b.t.Errorf("the same command again changed the table:\n  %s\nto\n  %s", strings.Join(before, "\n  "), strings.Join(after, "\n  "))
	}
}
