package main

import (
	"strings"
	"testing"

	"backfill/internal/sandbox/archivegen"
)

// A missing table is created on demand and never changed afterwards.
func TestCreateTable(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 51, Events: 60, Partitions: 1})
	flags := append(a.window("--create-table"), "--set", "table.name=payroll.created", "--set", "staging.uri=s3://staging/created")
	o := h.run(t, 4, append(append([]string{"plan"}, a.window()...), flags[7:]...)...)
	if o.result.Code != "table_missing" || !strings.Contains(o.result.Hint, "say --create-table, which makes it so") || !strings.Contains(o.result.Hint, `CREATE TABLE "payroll"."created"`) {
		t.Errorf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
	o = h.run(t, 0, append([]string{"run"}, flags...)...)
	want := "DISTKEY (\"event_id\")\nSORTKEY (\"occurred_at\");"
	if !strings.HasPrefix(o.result.Created, `CREATE TABLE "payroll"."created" (`) || !strings.HasSuffix(o.result.Created, want) {
		t.Errorf("created by %q", o.result.Created)
	}
	if !strings.Contains(o.stderr, `INFO created the table: CREATE TABLE "payroll"."created" ( "event_id" VARCHAR(36) NOT NULL`) {
		t.Errorf("the log does not show the statement:\n%s", o.stderr)
	}
	if rows := h.rows(t, "SELECT COUNT(*) FROM payroll.created"); rows[0] == "0|" {
		t.Error("nothing was loaded")
	}
	if o = h.run(t, 0, append([]string{"run"}, flags...)...); o.result.Created != "" || !o.result.Done {
		t.Errorf("a second run: %+v", o.result)
	}
	o = h.run(t, 4, append(append([]string{"run"}, flags...), "--set", "table.name=nowhere.created")...)
	if o.result.Code != "table_missing" || o.result.Hint != `create the schema first: CREATE SCHEMA "nowhere";` {
		t.Errorf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
}

// A table that does not fit is refused in one message before anything is
// converted, with what mends each difference; the ALTERs do mend it.
func TestTableDiffers(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 52, Events: 60, Partitions: 1})
	columns := strings.NewReplacer("company_id bigint", "company_id integer", " bank_account varchar(64),", "").Replace(eventColumns)
	h.sql(t, "CREATE TABLE payroll.differs ("+columns+", note varchar(10))")
	flags := append(a.window(), "--set", "table.name=payroll.differs", "--set", "staging.uri=s3://staging/differs")
	o := h.run(t, 4, append([]string{"run"}, flags...)...)
	want := "payroll.differs: the table differs from the dataset: column company_id is integer in the table, bigint in the dataset; " +
		"column bank_account (varchar(64)) is missing; " +
		"column note (varchar(10)) is in the table and neither loaded nor in not_loaded"
	if o.result.Code != "table_differs" || o.result.Error != want {
		t.Errorf("%s: %s\nwant %s", o.result.Code, o.result.Error, want)
	}
	for line := range strings.Lines(o.result.Hint) {
		if strings.HasPrefix(line, "ALTER") || strings.HasPrefix(line, "UPDATE") {
			h.sql(t, strings.TrimSuffix(strings.TrimSpace(line), ";"))
		}
	}
	h.run(t, 0, append(append([]string{"run"}, flags...), "--set", "table.not_loaded=[note]")...)
	if rows := h.rows(t, "SELECT COUNT(*), COUNT(company_id), COUNT(note) FROM payroll.differs"); strings.HasPrefix(rows[0], "0|") || !strings.HasSuffix(rows[0], "|0|") {
		t.Errorf("loaded %s", rows[0])
	}
}
