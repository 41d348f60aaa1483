package publish

import (
	"context"
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

func keeperOf(t *testing.T, target Target) *keeper {
	t.Helper()
	c := mustCompile(t, target)
	k := &keeper{t: c, name: keptName(c.Table, 7), table: `"payroll"."events__backfill_replaced_7"`}
	for _, name := range []string{"event_id", "score", "loaded_at"} {
		k.live, k.names = append(k.live, redshift.LiveColumn{Name: name}), append(k.names, quoteOwn(name))
	}
	return k
}

func TestKeepSQL(t *testing.T) {
	k := keeperOf(t, payroll())
	w := window(t, "2024-01-30", "2024-02-01")
	golden(t, "keep_create", strings.Join(k.createSQL(), ";\n"))
	golden(t, "keep_replaced", k.copySQL(2, sideReplaced, k.t.table+k.t.ownedSQL(w)))
	golden(t, "keep_restore", k.restoreSQL(2))
	golden(t, "keep_written", "DELETE FROM "+k.writtenSQL(2))
	appended := keeperOf(t, adjustments())
	golden(t, "keep_appended", appended.copySQL(0, sideWritten, appended.insertedSQL(quoteOwn(stageName(7)), "run1")))
}

// Columns that are not loaded are proven, too, where a type has an exact text.
func TestWholeTarget(t *testing.T) {
	whole := wholeTarget(payroll(), []redshift.LiveColumn{
		{Name: "event_id", Type: schema.Type{Kind: schema.Varchar, Length: 99}}, {Name: "loaded_at", Type: schema.Type{Kind: schema.Timestamp}}, {Name: "score"},
	})
	if n := len(payroll().Columns); len(whole.Columns) != n+1 || whole.Columns[n].Name != "loaded_at" || whole.Columns[0].Type.Length != 36 {
		t.Errorf("%+v", whole.Columns)
	}
}

func TestLaterChanges(t *testing.T) {
	u := &undoing{t: mustCompile(t, payroll()), o: UndoOptions{Head: &runplan.Head{Seq: 7}}}
	mine := LedgerRow{Kind: KindLoad, Seq: 7, Change: 5, Window: window(t, "2024-01-30", "2024-02-02")}
	tests := []struct {
		name  string
		later LedgerRow
		want  bool
	}{
		{"another plan over it", LedgerRow{Kind: KindLoad, Seq: 8, Change: 6, Window: window(t, "2024-02-01", "2024-02-09")}, true},
		{"a plan before it", LedgerRow{Kind: KindLoad, Seq: 6, Change: 4, Window: mine.Window}, false},
		{"other days", LedgerRow{Kind: KindLoad, Seq: 8, Change: 6, Window: window(t, "2024-02-02", "2024-02-09")}, false},
		{"rows taken out of it", LedgerRow{Kind: KindLoad, Seq: 8, Change: 6, Window: window(t, "2024-03-02", "2024-03-09"), Taken: window(t, "2024-01-31", "2024-02-01")}, true},
		{"its own other slice", LedgerRow{Kind: KindLoad, Seq: 7, Change: 6, Window: mine.Window}, false},
	}
	for _, test := range tests {
		if err := u.checkLater([]LedgerRow{test.later, mine}, mine); (err != nil) != test.want {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	undone := []LedgerRow{{Kind: KindUndo, Seq: 8, Change: 7}, {Kind: KindLoad, Seq: 8, Change: 6, Window: mine.Window}, mine}
	if err := u.checkLater(undone, mine); err != nil {
		t.Errorf("a later load that was undone: %v", err)
	}
}

// clumsy is a session whose statement number failAt is done and answered with
// an error. It refuses a BEGIN within a transaction.
type clumsy struct {
	Session
	failAt, n int
	open      bool
	log       []string
}

func (c *clumsy) step(what string) error {
	c.log = append(c.log, what)
	if c.n++; c.n == c.failAt {
		return fail.New(fail.Conflict, "injected")
	}
	return nil
}

func (c *clumsy) Exec(_ context.Context, sql string, _ ...any) (int64, error) {
	return 0, c.step(strings.Fields(sql)[0])
}

func (c *clumsy) Begin(context.Context) error {
	if c.open {
		return fail.New(fail.Internal, "a transaction is open")
	}
	c.open = true
	return c.step("BEGIN")
}

func (c *clumsy) Commit(context.Context) error {
	err := c.step("COMMIT")
	c.open = err != nil
	return err
}

func (c *clumsy) Rollback(context.Context) error {
	c.open = false
	c.log = append(c.log, "ROLLBACK")
	return nil
}

func (c *clumsy) Columns(context.Context, string, string) ([]redshift.LiveColumn, error) {
	return nil, fail.New(fail.TableMissing, "no table")
}

// TestKeepCreateRollsBack: whichever statement fails, no transaction stays open.
func TestKeepCreateRollsBack(t *testing.T) {
	for at := 1; at <= 5; at++ {
		s := &clumsy{failAt: at}
		err := keeperOf(t, payroll()).create(t.Context(), s)
		if !fail.Is(err, fail.Conflict) || s.open || s.log[len(s.log)-1] != "ROLLBACK" {
			t.Errorf("statement %d failed: %v, open %v after %v", at, err, s.open, s.log)
		}
	}
	s := &clumsy{}
	if err := keeperOf(t, payroll()).create(t.Context(), s); err != nil || s.open || len(s.log) != 5 {
		t.Errorf("%v, open %v after %v", err, s.open, s.log)
	}
}
