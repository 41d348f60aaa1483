package main

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"backfill/internal/sandbox/redshiftd"
)

// TestAbort stops a plan between its first and second slice, while a worker is
// on it: the worker ends, nobody goes on, and what was loaded can be undone.
func TestAbort(t *testing.T) {
	h := shared
	a, args := small(t, h, "aborted", "--slice-days", "12", "--keep-replaced")
	table := args[len(args)-4:]
	h.sql(t, "INSERT INTO payroll.aborted (event_id, type, employee_id, occurred_at, version, source) VALUES ('by-hand', 'x', 1, '2026-03-02 12:00:00', 1, 'payroll')")
	before := h.contents(t, "aborted")
	var plan atomic.Pointer[string]
	var abort outcome
	var commits atomic.Int64
	h.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "INSERT" && op.Phase == redshiftd.After && strings.Contains(op.SQL, "__backfill_ledger") {
			commits.Add(1)
		}
		if op.Kind == "LOCK TABLE" && op.Phase == redshiftd.Before && commits.CompareAndSwap(1, 100) {
			abort = h.run(t, 0, append([]string{"abort", "1", "--dataset", a.dataset, "--reason", "wrong month"}, table...)...)
		}
		return redshiftd.Continue
	})
	o := h.run(t, 4, append([]string{"run", "--allow-vanish", "1"}, args...)...)
	h.unwatch()
	plan.Store(&o.result.Plan)
	if abort.result.Loaded != 1 || o.result.Code != "plan_stopped" || !strings.Contains(o.result.Error, "plan 1 was aborted by ") || !strings.Contains(o.result.Error, "wrong month") {
		t.Errorf("abort saw %d slices; the worker says %s: %s", abort.result.Loaded, o.result.Code, o.result.Error)
	}
	for _, again := range [][]string{append([]string{"run", "--allow-vanish", "1"}, args...), {"load", "--plan", *plan.Load()}, {"convert", "--plan", *plan.Load()}} {
		if o := h.run(t, 4, again...); o.result.Code != "plan_stopped" {
			t.Errorf("%s: %s: %s", again[0], o.result.Code, o.result.Error)
		}
	}
	rows := h.rows(t, "SELECT kind, slice_index, reason FROM payroll.aborted__backfill_ledger ORDER BY change_number")
	if want := []string{"load|0||", "abort|-1|wrong month|"}; !slices.Equal(rows, want) {
		t.Errorf("ledger %q", rows)
	}
	if o := h.run(t, 0, append([]string{"abort", "1", "--dataset", a.dataset}, table...)...); o.result.Loaded != 1 {
		t.Errorf("the second abort: %s", o.stdout)
	}
	h.run(t, 0, append([]string{"load", "--undo", "1", "--dataset", a.dataset}, table...)...)
	if got := h.contents(t, "aborted"); !slices.Equal(got, before) {
		t.Errorf("after the undo: %q, before %q", got, before)
	}
	h.run(t, 0, append([]string{"run", "--allow-vanish", "1", "--replan"}, args...)...)
	if o := h.run(t, 4, append([]string{"abort", "2", "--dataset", a.dataset}, table...)...); !strings.Contains(o.result.Error, "plan 2 is finished: all 3 slices are loaded") || !strings.Contains(o.result.Hint, "load --undo 2") {
		t.Errorf("%s (%s)", o.result.Error, o.result.Hint)
	}
	h.run(t, 2, "abort", "--dataset", a.dataset)
	// A mark that came after the last slice stops nothing.
	mark := `{"format": 1, "seq": 2, "by": "ana", "reason": "late", "at": "2026-04-03T03:00:00Z"}`
	if err := h.put(context.Background(), "staging", "aborted/targets/payroll.aborted/loads/000000000002/aborted.json", []byte(mark)); err != nil {
		t.Fatal(err)
	}
	if o := h.run(t, 0, append([]string{"run", "--allow-vanish", "1"}, args...)...); !o.result.Done || o.result.Seq != 2 {
		t.Errorf("after a late mark: plan %d, done %v", o.result.Seq, o.result.Done)
	}
}
