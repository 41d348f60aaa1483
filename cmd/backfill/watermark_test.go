package main

import (
	"slices"
	"strings"
	"testing"

	"backfill/internal/sandbox/redshiftd"
)

// TestWatermark follows the watermark as dbt would read it: up with each
// reconciled window, down in the very transaction that changes a verified
// slice, and up again when the gap is closed.
func TestWatermark(t *testing.T) {
	h := shared
	a, args := small(t, h, "watermarked")
	table := args[len(a.window()):]
	command := func(name, from, to string, extra ...string) []string {
		return append([]string{name, "--dataset", a.dataset, "--from", from, "--to", to}, append(table, extra...)...)
	}
	through := func(want string) {
		t.Helper()
		got := h.rows(t, "SELECT verified_from, verified_through FROM payroll.watermarked__backfill_verified WHERE dataset = 'payroll_events'")
		if !slices.Equal(got, []string{want}) {
			t.Fatalf("the watermark is %v, want %s", got, want)
		}
	}
	o := h.run(t, 0, command("run", "2026-03-01", "2026-03-11")...)
	through("2026-03-01 08:00:00|2026-03-11 07:00:00|")
	if o.result.Verified != "2026-03-11T07:00:00Z" {
		t.Errorf("the result says %q", o.result.Verified)
	}
	h.run(t, 0, command("run", "2026-03-11", "2026-03-21")...)
	through("2026-03-01 08:00:00|2026-03-21 07:00:00|")
	h.run(t, 0, command("run", "2026-03-25", "2026-04-01")...)
	through("2026-03-01 08:00:00|2026-03-21 07:00:00|") // a gap
	h.run(t, 0, command("run", "2026-03-21", "2026-03-25")...)
	through("2026-03-01 08:00:00|2026-04-01 07:00:00|")

	// While a slice is changed again nothing of it is verified, from its commit on.
	commits, seen := 0, ""
	h.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "COPY" && op.Phase == redshiftd.After {
			seen = "copied"
		}
		if op.Kind == "COMMIT" && op.Phase == redshiftd.After && seen == "copied" {
			commits++
			if commits == 1 {
				return redshiftd.Cut
			}
		}
		return redshiftd.Continue
	})
	h.run(t, 3, command("run", "2026-03-11", "2026-03-14", "--replan")...)
	h.unwatch()
	through("2026-03-01 08:00:00|2026-03-11 07:00:00|")
	h.run(t, 0, command("run", "2026-03-11", "2026-03-14")...)
	through("2026-03-01 08:00:00|2026-04-01 07:00:00|")

	// A break that reconcile finds lowers it, too.
	h.sql(t, "DELETE FROM payroll.watermarked WHERE occurred_at >= '2026-03-12' AND occurred_at < '2026-03-13'")
	h.run(t, 5, command("reconcile", "2026-03-11", "2026-03-14")...)
	through("2026-03-01 08:00:00|2026-03-11 07:00:00|")
	if by := h.rows(t, "SELECT lowered_by FROM payroll.watermarked__backfill_verified"); !strings.Contains(by[0], "breaks") {
		t.Errorf("lowered by %v", by)
	}
}
