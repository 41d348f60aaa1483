package publish

import (
	"context"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// verifiedHours is the slow oracle: it remembers hour by hour.
type verifiedHours [100]bool

func (v *verifiedHours) set(w kafka.Window, to bool) {
	for h := w.From; h < w.To; h++ {
		v[h] = to
	}
}

// through returns the end of the unbroken verified stretch from from on.
func (v *verifiedHours) through(from kafka.Instant) kafka.Instant {
	for from < 100 && v[from] {
		from++
	}
	return from
}

// TestWatermarkAgainstHours adds and removes windows at random and compares
// with the oracle: what is claimed is verified, and nothing is forgotten.
func TestWatermarkAgainstHours(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func() kafka.Window {
			from := rapid.Int64Range(1, 90).Draw(t, "from")
			return kafka.Window{From: kafka.Instant(from), To: kafka.Instant(rapid.Int64Range(from+1, 99).Draw(t, "to"))}
		}
		first := draw()
		m := Watermark{From: first.From, Through: first.To}
		var hours verifiedHours
		hours.set(first, true)
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			w := draw()
			if rapid.Bool().Draw(t, "verify") {
				m.add(w)
				hours.set(w, true)
			} else {
				before := hours
				hours.set(w, false)
				if m.remove(w) != (before != hours) {
					t.Fatalf("removing %v: the change is not reported right", w)
				}
			}
			var claimed verifiedHours
			for _, w := range append([]kafka.Window{{From: m.From, To: m.Through}}, m.Also...) {
				claimed.set(w, true)
			}
			if claimed != hours {
				t.Fatalf("%+v claims other hours", m)
			}
			if want := hours.through(m.From); m.Through != want {
				t.Fatalf("%+v: verified through %d", m, want)
			}
		}
		if m.remove(kafka.Window{}); m.Through != m.From || len(m.Also) > 0 {
			t.Fatalf("after a change of all rows: %+v", m)
		}
	})
}

func TestWatermarkForgetsTheLatest(t *testing.T) {
	m := Watermark{From: 0, Through: 1}
	for i := range kafka.Instant(2 * maxAlso) {
		m.add(kafka.Window{From: 10 + 2*i, To: 11 + 2*i})
	}
	if len(m.Also) != maxAlso || m.Also[0].From != 10 {
		t.Errorf("%d windows, from %v", len(m.Also), m.Also[0])
	}
}

// marksDB is a session that holds a ledger and the watermarks of two datasets.
type marksDB struct {
	Session
	ledger []LedgerRow
	marks  [][]any
	log    []string
	commit error
	args   []any
}

func (d *marksDB) Begin(context.Context) error    { d.log = append(d.log, "begin"); return nil }
func (d *marksDB) Rollback(context.Context) error { d.log = append(d.log, "rollback"); return nil }
func (d *marksDB) Commit(context.Context) error   { d.log = append(d.log, "commit"); return d.commit }
func (d *marksDB) Columns(_ context.Context, _, table string) ([]redshift.LiveColumn, error) {
	w := &warehouse{tables: map[string]bool{table: true}}
	return w.Columns(context.Background(), "", table)
}

func (d *marksDB) Exec(_ context.Context, sql string, args ...any) (int64, error) {
	word, _, _ := strings.Cut(sql, " ")
	d.log = append(d.log, strings.ToLower(word))
	if args != nil {
		d.args = args
	}
	return 1, nil
}

func (d *marksDB) Query(_ context.Context, sql string, scan func(redshift.Scanner) error, _ ...any) error {
	rows := d.marks
	if strings.Contains(sql, LedgerSuffix) {
		rows = (&warehouse{ledger: d.ledger}).ledgerRows()
	}
	for _, row := range rows {
		if err := scan(scanRow(row)); err != nil {
			return err
		}
	}
	return nil
}

func TestVerify(t *testing.T) {
	ctx, w := context.Background(), window(t, "2024-01-30", "2024-02-02")
	load := LedgerRow{Kind: KindLoad, Seq: 3, Scope: "source = 'payroll'", Window: w, ReceiptKey: "r3"}
	mark := func(from, through kafka.Instant) []any {
		return []any{"payroll_events", "source = 'payroll'", int64(from), int64(through), `[]`}
	}
	later := window(t, "2024-02-02", "2024-02-03")
	tests := []struct {
		name  string
		db    marksDB
		holds bool
		seen  []LedgerRow
		moved bool
		want  *Watermark
	}{
		{"the first", marksDB{ledger: []LedgerRow{load}}, true, []LedgerRow{load}, true, &Watermark{From: w.From, Through: w.To}},
		{"the next", marksDB{ledger: []LedgerRow{load}, marks: [][]any{mark(w.From-9, w.From)}}, true, []LedgerRow{load}, true, &Watermark{From: w.From - 9, Through: w.To}},
		{"a change after the reading", marksDB{ledger: []LedgerRow{{Kind: KindLoad, Seq: 4, Scope: "all", Window: w}, load}, marks: [][]any{mark(w.From-9, w.From)}},
			true, []LedgerRow{load}, false, &Watermark{From: w.From - 9, Through: w.From}},
		{"an undo after the reading", marksDB{ledger: []LedgerRow{{Kind: KindUndo, Seq: 3, Scope: "all", Window: w}, load}}, true, []LedgerRow{load}, false, nil},
		{"breaks", marksDB{ledger: []LedgerRow{load}, marks: [][]any{mark(w.From-9, later.To)}}, false, []LedgerRow{load}, true,
			&Watermark{From: w.From - 9, Through: w.From, Also: []kafka.Window{later}}},
		{"breaks of what was never verified", marksDB{ledger: []LedgerRow{load}}, false, []LedgerRow{load}, false, nil},
	}
	for _, test := range tests {
		got, moved, err := Verify(ctx, &test.db, payroll(), Verification{Dataset: "payroll_events", Window: w, Seen: test.seen, Holds: test.holds, Report: "s3://r"})
		if err != nil || moved != test.moved || (got == nil) != (test.want == nil) {
			t.Errorf("%s: %+v, %v, %v", test.name, got, moved, err)
			continue
		}
		if got != nil && (got.From != test.want.From || got.Through != test.want.Through || !slices.Equal(got.Also, test.want.Also)) {
			t.Errorf("%s: got %+v\nwant %+v", test.name, got, test.want)
		}
		if wrote := slices.Contains(test.db.log, "update") || slices.Contains(test.db.log, "insert"); wrote != moved {
			t.Errorf("%s: statements %v", test.name, test.db.log)
		}
		if at := slices.Index(test.db.log, "begin"); at < 0 || test.db.log[at+1] != "lock" {
			t.Errorf("%s: the lock is not first: %v", test.name, test.db.log)
		}
	}
	lost := marksDB{ledger: []LedgerRow{load}, commit: fail.New(fail.Lost, "gone")}
	if _, _, err := Verify(ctx, &lost, payroll(), Verification{Window: w, Seen: []LedgerRow{load}, Holds: true}); !fail.Is(err, fail.Lost) {
		t.Errorf("%v", err)
	}
	damaged := marksDB{ledger: []LedgerRow{load}, marks: [][]any{{"a", "all", int64(0), int64(1), "{"}}}
	_, _, err := Verify(ctx, &damaged, payroll(), Verification{Window: w, Seen: []LedgerRow{load}, Holds: true})
	if !fail.Is(err, fail.Corrupt) || damaged.log[len(damaged.log)-1] != "rollback" {
		t.Errorf("%v after %v", err, damaged.log)
	}
}

// A change lowers every watermark whose rows it may concern, and no other.
func TestChangeLowersMarks(t *testing.T) {
	w := window(t, "2024-01-30", "2024-02-02")
	row := func(dataset, scope string) []any {
		return []any{dataset, scope, int64(w.From - 5), int64(w.To + 5), `[]`}
	}
	d := marksDB{marks: [][]any{row("a", "source = 'payroll'"), row("b", "all"), row("c", "source = 'benefits'")}}
	if err := mustCompile(t, payroll()).lowerMarks(context.Background(), &d, "load of plan 7", w); err != nil {
		t.Fatal(err)
	}
	if want := []string{"update", "update"}; !slices.Equal(d.log, want) || d.args[4] != "b" || d.args[3] != "load of plan 7" || d.args[1] != stamp(w.From) {
		t.Errorf("%v, %v", d.log, d.args)
	}
	if err := mustCompile(t, payroll()).lowerMarks(context.Background(), &d, "", window(t, "2024-03-01", "2024-03-02")); err != nil || len(d.log) != 2 {
		t.Errorf("%v: another window: %v", err, d.log)
	}
}
