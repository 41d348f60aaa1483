package main

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"backfill/internal/sandbox/redshiftd"
)

// TestUndoOfEachMode loads over a table with an earlier life in every mode and
// takes it back: all columns of all rows are as before, those that are not
// loaded included.
func TestUndoOfEachMode(t *testing.T) {
	modes := []struct {
		name, mode, idle string
		exit             int
		flags            []string
		one              bool // all slices are one transaction
	}{
		{"upsert", "upsert", "87600h", 0, nil, false},
		{"missing", "insert_missing", "87600h", 0, nil, false},
		{"preliminary", "replace_window", "0h", 6, []string{"--preliminary"}, false},
		{"atomic", "replace_window", "87600h", 0, []string{"--atomic", "--allow-vanish", "2"}, true},
		{"atomic_upsert", "upsert", "87600h", 0, []string{"--atomic"}, true},
	}
	for _, m := range modes {
		t.Run(m.name, func(t *testing.T) {
			b := newBook(t, "undo_"+m.name, m.mode, m.idle)
			b.h.sql(t, "ALTER TABLE payroll.undo_"+m.name+" ADD COLUMN note VARCHAR(9) DEFAULT 'new'")
			b.put(0, 0, entry{"a", 5, 2, "1.00", false}, entry{"b", 5, 1, "2.00", false}, entry{"c", 6, 3, "3.00", false},
				entry{"d", 6.5, 1, "4.00", false}, entry{"d", 6.5, 2, "4.50", false}, entry{"e", 7, 2, "5.00", false})
			b.insert(entry{"a", 5, 1, "0.99", false})
			b.insert(entry{"c", 6, 9, "3.33", false}) // newer than the archive's
			b.insert(entry{"x", 6, 1, "9.00", false}) // not archived
			if m.mode != "replace_window" {
				b.insert(entry{"e", 20, 1, "5.00", false}) // comes to another day
			}
			b.h.sql(t, "UPDATE payroll.undo_"+m.name+" SET note = 'old-' || id")
			everything := func() []string {
				return b.h.rows(t, "SELECT id, at, v, amount, currency, gone, JSON_SERIALIZE(body), note, _kafka_topic, _kafka_partition, _kafka_offset, _backfill_run FROM payroll.undo_"+m.name+" ORDER BY id, at, v")
			}
			before := everything()
			flags := append([]string{"--keep-replaced", "--set", "table.not_loaded=[note]"}, m.flags...)
			o := b.run(m.exit, 5, 8, flags...)
			after := everything()
			if slices.Equal(after, before) || o.result.Inserted == 0 {
				t.Fatalf("the load changed nothing: %s", o.stdout)
			}
			undo := []string{"load", "--undo", "1", "--dataset", b.file}
			b.h.sql(t, "UPDATE payroll.undo_"+m.name+" SET note = 'mine' WHERE id = 'b'")
			commits := commitsThatChange(t, b.h, `"payroll"."undo_`+m.name+`"`)
			b.h.run(t, 5, undo...)
			b.h.sql(t, "UPDATE payroll.undo_"+m.name+" SET note = 'new' WHERE id = 'b'")
			b.h.run(t, 0, undo...)
			b.h.unwatch()
			if got := everything(); !slices.Equal(got, before) {
				t.Errorf("after the undo\n%q\nbefore\n%q", got, before)
			}
			want := int64(o.result.Slices)
			if m.one {
				want = 1
			}
			if got := commits.Load(); got != want {
				t.Errorf("%d slices were undone in %d transactions, want %d", o.result.Slices, got, want)
			}
			if b.h.run(t, 0, undo...); !slices.Equal(everything(), before) {
				t.Error("the second undo changed something")
			}
		})
	}
}

// commitsThatChange counts, from now on, the transactions that change rows of
// the table.
func commitsThatChange(t *testing.T, h *harness, table string) *atomic.Int64 {
	t.Helper()
	var commits, changes atomic.Int64
	h.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		switch {
		case op.Phase != redshiftd.After:
		case op.Kind == "COMMIT":
			if changes.Swap(0) > 0 {
				commits.Add(1)
			}
		case op.Kind == "INSERT" && strings.Contains(op.SQL, "INTO "+table+" "), op.Kind == "DELETE" && strings.Contains(op.SQL, "FROM "+table+" "):
			changes.Add(1)
		}
		return redshiftd.Continue
	})
	return &commits
}
