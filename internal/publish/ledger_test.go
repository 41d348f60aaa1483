package publish

import (
	"context"
	"slices"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// A ledger of the first form is read with the defaults of what it lacks, and
// the next load adds the columns, one per statement.
func TestLedgerOfTheFirstForm(t *testing.T) {
	s := newScene(t)
	s.w.tables["events"+LedgerSuffix], s.w.first = true, true
	s.w.ledger = []LedgerRow{{Seq: 3, Scope: "all", Window: window(t, "2024-01-30", "2024-01-31")}}
	rows, err := Ledger(context.Background(), s.w, s.t, kafka.Window{})
	if err != nil || len(rows) != 1 || len(s.w.added) != 0 {
		t.Fatalf("%v, %d rows, columns %v added by reading", err, len(rows), s.w.added)
	}
	if sql := s.w.queries[len(s.w.queries)-1]; !strings.Contains(sql, "'load' AS kind, 0 AS change_number, '' AS target, attempt") || !strings.Contains(sql, "-1 AS map_index") {
		t.Errorf("the older form is read by\n%s", sql)
	}
	if _, err := s.publish(); err != nil {
		t.Fatal(err)
	}
	if len(s.w.added) != added() || s.w.added[0] != "kind" || len(s.w.ledger) != 4 {
		t.Errorf("columns %v added, %d ledger rows", s.w.added, len(s.w.ledger))
	}
}

func TestLedgerThatCanNotBeAltered(t *testing.T) {
	s := newScene(t)
	s.w.tables["events"+LedgerSuffix], s.w.first = true, true
	s.w.onKind = func(kind string) error {
		if kind == "add column" {
			return fail.New(fail.Permission, "must be owner")
		}
		return nil
	}
	_, err := s.publish()
	if !fail.Is(err, fail.Permission) || err.Error() != "payroll.events: adding columns to the ledger of an earlier version: must be owner" {
		t.Errorf("%v", err)
	}
	ddl := strings.Split(fail.HintOf(err), "\n")
	if len(ddl) != added()+1 || ddl[1] != `ALTER TABLE "payroll"."events__backfill_ledger" ADD COLUMN kind VARCHAR(16) DEFAULT 'load';` {
		t.Errorf("hint %q", ddl)
	}
}

// Comments stand in one string with the table: none may end its quotes.
func TestCommentsAreQuoted(t *testing.T) {
	for _, c := range ledgerColumns() {
		if c.about == "" || strings.ContainsAny(c.about, `'\$`) {
			t.Errorf("%s: %q", c.name, c.about)
		}
	}
}

func TestUndoneLoadsDoNotHold(t *testing.T) {
	rows := []LedgerRow{
		{Kind: KindUndo, Seq: 4, SliceIndex: 1}, {Kind: KindLoad, Seq: 4, SliceIndex: 1}, {Kind: KindLoad, Seq: 4, SliceIndex: 0},
		{Kind: KindAbort, Seq: 3, SliceIndex: -1}, {Kind: KindLoad, Seq: 2, SliceIndex: 1}, {Kind: KindForget, Seq: 2, SliceIndex: -1},
	}
	got := Holding(rows)
	if want := []LedgerRow{rows[2], rows[4]}; !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

// A plan that a person stopped stays stopped, whoever tries again.
func TestStoppedPlans(t *testing.T) {
	for kind, want := range map[string]string{
		KindAbort: "payroll.events: plan 7 was aborted by ana: wrong month",
		KindUndo:  "payroll.events: plan 7 was undone by ana: wrong month",
	} {
		for _, late := range []bool{false, true} {
			s := newScene(t)
			s.w.tables["events"+LedgerSuffix] = true
			row := LedgerRow{Kind: kind, Seq: 7, SliceIndex: -1, Run: "run1", Attempt: "attempt1", Scope: "source = 'payroll'",
				Window: s.load.Head.Window, RequestedBy: "ana", Reason: "wrong month"}
			if kind == KindUndo {
				row.SliceIndex = 0
			}
			if !late {
				s.w.ledger = []LedgerRow{row}
			}
			s.w.onKind = func(kind string) error {
				if kind == "copy" {
					s.w.ledger = []LedgerRow{row}
				}
				return nil
			}
			_, err := s.publish()
			full := want
			if late {
				full = "changing slice 1 of 3 (2024-01-30): " + want
			}
			if !fail.Is(err, fail.Stopped) || err.Error() != full || !strings.Contains(fail.HintOf(err), "--replan") {
				t.Errorf("%s, late %v: got %v\nwant %s", kind, late, err, full)
			}
			if slices.Contains(s.w.log, "delete") {
				t.Errorf("%s: something was changed", kind)
			}
		}
	}
}
