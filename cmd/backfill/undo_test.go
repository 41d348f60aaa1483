package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// stood is a table with an earlier life: rows of an older pipeline, some of
// which the archive explains and some not, with a column that is not loaded.
type stood struct {
	h      *harness
	name   string
	a      archive
	flags  []string
	before []string
}

// everything returns all columns of all rows.
func (s *stood) everything(t *testing.T) []string {
	t.Helper()
	return s.h.rows(t, `SELECT event_id, type, employee_id, company_id, gross_amount, tax_amount, net_amount, currency, pay_run_id, occurred_at, version, bank_account,
 JSON_SERIALIZE(details), source, _kafka_topic, _kafka_partition, _kafka_offset, _backfill_run, loaded_by, score FROM payroll.`+s.name+` ORDER BY event_id, version, _kafka_offset, loaded_by`)
}

func standing(t *testing.T, h *harness, name string) *stood {
	t.Helper()
	a, flags := small(t, h, name)
	s := &stood{h: h, name: name, a: a, flags: flags[len(a.window()):]}
	h.sql(t, "ALTER TABLE payroll."+name+" ADD COLUMN loaded_by VARCHAR(32) DEFAULT 'nobody'", "ALTER TABLE payroll."+name+" ADD COLUMN score DOUBLE PRECISION")
	s.flags = append(s.flags, "--slice-days", "12", "--set", "table.not_loaded=[loaded_by, score]")
	h.run(t, 0, append([]string{"run"}, a.window(s.flags...)...)...)
	h.sql(t, "UPDATE payroll."+name+" SET loaded_by = 'stream-' || _kafka_partition::VARCHAR, score = 0.1, gross_amount = gross_amount + 1, _backfill_run = NULL WHERE _kafka_offset < 60",
		"INSERT INTO payroll."+name+` (event_id, type, employee_id, gross_amount, currency, occurred_at, version, source, details, loaded_by, score)
 VALUES ('by-hand', 'payment.settled', 7, 12.34, 'USD', '2026-03-05 12:00:00', 3, 'payroll', JSON_PARSE('{"a":[1,2]}'), 'ana', 2.5),
 ('neighbour', 'payment.settled', 7, 12.34, 'USD', '2026-03-05 12:00:00', 3, 'other', JSON_PARSE('null'), 'ana', NULL)`)
	s.before = s.everything(t)
	return s
}

func (s *stood) load(t *testing.T, exit int, extra ...string) outcome {
	t.Helper()
	return s.h.run(t, exit, append([]string{"run"}, s.a.window(append(s.flags, extra...)...)...)...)
}

func (s *stood) undo(t *testing.T, exit int, what string, extra ...string) outcome {
	t.Helper()
	return s.h.run(t, exit, append([]string{"load", "--undo", what, "--dataset", s.a.dataset, "--reason", "wrong file"}, append(s.flags[:4:4], extra...)...)...)
}

func (s *stood) same(t *testing.T, when string) {
	t.Helper()
	if got := s.everything(t); !slices.Equal(got, s.before) {
		t.Fatalf("%s: %d rows, %d before; %s", when, len(got), len(s.before), firstDifference(got, s.before))
	}
}

func TestUndo(t *testing.T) {
	h := shared
	s := standing(t, h, "undone")
	loaded := s.load(t, 0, "--keep-replaced", "--allow-vanish", "1")
	if slices.Equal(s.everything(t), s.before) || loaded.result.Seq != 2 {
		t.Fatal("the load changed nothing")
	}
	o := s.undo(t, 0, "2")
	s.same(t, "after the undo")
	if o.result.Inserted != loaded.result.Deleted || o.result.Deleted != loaded.result.Inserted || o.result.Done {
		t.Errorf("%d rows went and %d came back of %d and %d", o.result.Deleted, o.result.Inserted, loaded.result.Inserted, loaded.result.Deleted)
	}
	rows := h.rows(t, "SELECT kind, slice_index, reason, rows_deleted + rows_inserted > 0 FROM payroll.undone__backfill_ledger WHERE seq = 2 ORDER BY change_number")
	want := []string{"load|0||t|", "load|1||t|", "load|2||t|", "undo|2|wrong file|t|", "undo|1|wrong file|t|", "undo|0|wrong file|t|"}
	if !slices.Equal(rows, want) {
		t.Errorf("ledger %q", rows)
	}
	if o := s.undo(t, 0, loaded.result.Run); !o.result.Done {
		t.Errorf("the second undo does something: %s", o.stdout)
	}
	s.same(t, "after the second undo")
	// An automatic retry does not bring back what a person took back.
	if o := s.load(t, 4, "--keep-replaced", "--allow-vanish", "1"); o.result.Code != "plan_stopped" || !strings.Contains(o.result.Error, "plan 2 was undone by") ||
		!strings.Contains(o.result.Error, "wrong file") || !strings.Contains(o.result.Hint, "--replan") {
		t.Errorf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
	if o := h.run(t, 4, "load", "--plan", loaded.result.Plan); o.result.Code != "plan_stopped" {
		t.Errorf("%s: %s", o.result.Code, o.result.Error)
	}
	s.same(t, "after the retries")
	if o := s.load(t, 0, "--replan", "--allow-vanish", "1"); o.result.Seq != 3 || !strings.Contains(notes(o), "was undone") {
		t.Errorf("plan %d, %s", o.result.Seq, notes(o))
	}
}

func TestUndoRefuses(t *testing.T) {
	h := shared
	s := standing(t, h, "undo_refused")
	refused := func(o outcome, code, text string) {
		t.Helper()
		if o.result.Code != code || !strings.Contains(o.result.Error, text) {
			t.Errorf("%s: %s\nwant %s: … %s …", o.result.Code, o.result.Error, code, text)
		}
	}
	refused(s.undo(t, 4, "1"), "undo_impossible", "plan 1 can't be undone: slice 3 was loaded without --keep-replaced, its old rows are gone; nothing was changed")
	refused(s.undo(t, 2, "77"), "input_missing", `there is no plan or run "77"`)
	s.load(t, 0, "--keep-replaced", "--allow-vanish", "1", "--set", "quarantine.max_records=5000")
	after := s.everything(t)
	// A column that is not loaded is somebody's work, too.
	h.sql(t, "UPDATE payroll.undo_refused SET loaded_by = 'ben' WHERE event_id = (SELECT MIN(event_id) FROM payroll.undo_refused WHERE source = 'payroll' AND occurred_at < '2026-03-10')")
	refused(s.undo(t, 5, "2"), "break", "the table no longer holds what plan 2 left, nothing was changed")
	h.sql(t, "UPDATE payroll.undo_refused SET loaded_by = 'nobody' WHERE loaded_by = 'ben'")
	// The slices that came first in the undo are undone, and stay so.
	if o := s.undo(t, 0, "2"); o.result.Done {
		t.Error("nothing was left to undo")
	}
	s.same(t, "after the change was taken back")

	s.load(t, 0, "--keep-replaced", "--allow-vanish", "1", "--replan")
	h.sql(t, "INSERT INTO payroll.undo_refused (event_id, type, employee_id, gross_amount, currency, occurred_at, version, source) VALUES ('late', 'x', 1, 0.02, 'USD', '2026-03-30 12:00:00', 1, 'payroll')")
	refused(s.undo(t, 5, "3"), "break", "in the load's receipt")
	h.sql(t, "DELETE FROM payroll.undo_refused WHERE event_id = 'late'")
	if got := s.everything(t); len(got) != len(after) {
		t.Fatalf("%d rows, %d after the load", len(got), len(after))
	}
	s.load(t, 0, "--replan")
	refused(s.undo(t, 4, "3"), "undo_impossible", "plan 4 of run")
	h.run(t, 0, append([]string{"load", "--forget", "3", "--dataset", s.a.dataset}, s.flags[:4]...)...)
	refused(s.undo(t, 4, "3"), "undo_impossible", "the kept rows were dropped by")
	if left := h.rows(t, "SELECT table_name FROM svv_tables WHERE table_name LIKE 'undo_refused__backfill_replaced%'"); !slices.Equal(left, []string{"undo_refused__backfill_replaced_2|"}) {
		t.Errorf("tables of kept rows: %v", left)
	}
	if o := h.run(t, 0, append([]string{"load", "--forget-older", "0s", "--dataset", s.a.dataset}, s.flags[:4]...)...); len(o.result.Forgotten) != 1 || o.result.Forgotten[0].Seq != 2 {
		t.Errorf("forgotten: %+v", o.result.Forgotten)
	}
}

// TestUndoKilled kills and cuts an undo at each kind of statement. The same
// command then ends with the table of before.
func TestUndoKilled(t *testing.T) {
	h := shared
	s := standing(t, h, "undo_killed")
	points := []struct {
		kind  string
		phase redshiftd.Phase
		part  string
		kill  bool
	}{
		{"DELETE", redshiftd.After, "", true}, {"INSERT", redshiftd.Before, `INTO "payroll"."undo_killed" `, false}, {"INSERT", redshiftd.After, "__backfill_ledger", true},
		{"COMMIT", redshiftd.Before, "", false}, {"COMMIT", redshiftd.After, "", false}, {"COMMIT", redshiftd.After, "", true},
	}
	for i, p := range points {
		t.Run(fmt.Sprintf("%d %s %v", i, p.kind, p.kill), func(t *testing.T) {
			o := s.load(t, 0, "--keep-replaced", "--allow-vanish", "1", "--replan")
			var k killer
			ready := make(chan struct{})
			cut := false
			h.watch(t, func(s3d.Op) s3d.Action { return s3d.Continue }, func(op redshiftd.Op) redshiftd.Action {
				<-ready
				if op.Kind != p.kind || op.Phase != p.phase || !strings.Contains(op.SQL, p.part) || cut {
					return redshiftd.Continue
				}
				cut = true
				if p.kill {
					k.kill()
				}
				return redshiftd.Cut
			})
			cmd, wait := h.start(t, h.env(), append([]string{"load", "--undo", fmt.Sprint(o.result.Seq), "--dataset", s.a.dataset}, s.flags[:4]...)...)
			k.cmd.Store(cmd)
			close(ready)
			if first := wait(); p.kill && first.exit != -1 || !p.kill && first.exit != 3 {
				t.Fatalf("exit code %d\n%s", first.exit, first.stderr)
			}
			h.unwatch()
			s.undo(t, 0, fmt.Sprint(o.result.Seq))
			s.same(t, "after the second try")
			if n := h.rows(t, fmt.Sprintf("SELECT COUNT(*) FROM payroll.undo_killed__backfill_ledger WHERE seq = %d AND kind = 'undo'", o.result.Seq)); n[0] != "3|" {
				t.Errorf("%s undo rows in the ledger", n[0])
			}
		})
	}
}

// TestKeepRefusesIdentity: numbers that a table gives itself can't be put back.
func TestKeepRefusesIdentity(t *testing.T) {
	h := shared
	a, _ := small(t, h, "unused_for_identity")
	h.sql(t, "CREATE TABLE payroll.numbered ("+eventColumns+", id BIGINT IDENTITY(1,1))")
	flags := []string{"--set", "table.name=payroll.numbered", "--set", "staging.uri=s3://staging/numbered", "--set", "table.not_loaded=[id]"}
	o := h.run(t, 4, append([]string{"run", "--keep-replaced"}, a.window(flags...)...)...)
	if o.result.Code != "table_differs" || !strings.Contains(o.result.Error, "column id numbers its rows itself") {
		t.Errorf("%s: %s", o.result.Code, o.result.Error)
	}
	h.run(t, 0, append([]string{"run"}, a.window(flags...)...)...)
}

// TestUndoOfAnAppend takes one of two appends back; its objects can be loaded again.
func TestUndoOfAnAppend(t *testing.T) {
	h := shared
	ctx := context.Background()
	put := func(name, body string) {
		t.Helper()
		if err := h.put(ctx, "archive", "undo-append/people/partition=0/"+name, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	put("people+0+0000000000.json", `{"id":"a","n":1}`+"\n"+`{"id":"b","n":2}`+"\n")
	dataset := filepath.Join(t.TempDir(), "people.yaml")
	yaml := `version: 1
name: people
archive: {uri: s3://archive/undo-append, layout: confluent}
records: {event_time: none}
columns:
  - {name: id, type: varchar(8), from: value.id, required: true}
  - {name: n, type: integer, from: value.n}
table: {name: payroll.appended, mode: append, scope: "note <> 'old'", provenance: true, not_loaded: [note]}
staging: {uri: s3://staging/undo-append}
quarantine: {max_records: 0}
reconcile: {totals: [n], by: [id]}
`
	if err := os.WriteFile(dataset, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	h.sql(t, `CREATE TABLE payroll.appended (id VARCHAR(8), n INTEGER, note VARCHAR(9) DEFAULT 'new', _kafka_topic VARCHAR(249), _kafka_partition INTEGER, _kafka_offset BIGINT, _backfill_run VARCHAR(64))`,
		`INSERT INTO payroll.appended (id, n, note) VALUES ('b', 2, 'old')`)
	run := func(exit int, args ...string) outcome {
		t.Helper()
		return h.run(t, exit, append(args, "--dataset", dataset)...)
	}
	contents := func() []string {
		return h.rows(t, "SELECT id, n, note, _kafka_offset FROM payroll.appended ORDER BY id, note, _kafka_offset")
	}
	run(0, "run", "--keep-replaced")
	first := contents()
	put("people+0+0000000002.json", `{"id":"c","n":3}`+"\n")
	run(0, "run", "--keep-replaced")
	both := contents()
	run(0, "load", "--undo", "1")
	if got, want := contents(), []string{"b|2|old|NULL|", "c|3|new|2|"}; !slices.Equal(got, want) {
		t.Errorf("the first append undone: %q, want %q", got, want)
	}
	run(0, "load", "--undo", "2")
	if got, want := contents(), []string{"b|2|old|NULL|"}; !slices.Equal(got, want) {
		t.Errorf("both undone: %q, want %q", got, want)
	}
	run(0, "run", "--replan")
	if got := contents(); !slices.Equal(got, both) || len(first) != 3 {
		t.Errorf("loaded again: %q, want %q", got, both)
	}
}
