package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"backfill/jobs/status"
)

// TestStatus follows a plan from sealing to undo, and runs the commands that it shows.
func TestStatus(t *testing.T) {
	h := shared
	a, args := small(t, h, "stated", "--slice-days", "12", "--chunk-bytes", "16KiB")
	table := args[len(args)-4:]
	look := func(n int, arg ...string) status.Plan {
		t.Helper()
		command := append([]string{"status"}, arg...)
		o := h.run(t, 0, append(command, append(table, "--dataset", a.dataset)...)...)
		if r := o.result.Status; r == nil || len(r.Plans) <= n {
			t.Fatalf("no plan %d: %s", n, o.stdout)
		}
		return o.result.Status.Plans[n]
	}
	want := func(p status.Plan, state, next string) {
		t.Helper()
		if p.State != state || !strings.HasPrefix(p.Next, next) || next == "" && p.Next != "" {
			t.Fatalf("state %q, next %q\nwant  %q, next %q …", p.State, p.Next, state, next)
		}
	}
	follow := func(p status.Plan, exit int, extra ...string) outcome {
		t.Helper()
		return h.run(t, exit, append(strings.Fields(p.Next)[1:], extra...)...)
	}
	plan := h.run(t, 0, append([]string{"plan"}, args...)...).result
	p := look(0)
	want(p, fmt.Sprintf("0 of %d chunks converted", plan.Chunks), "backfill convert --plan ")
	follow(p, 0)
	p = look(0)
	want(p, "converted, not loaded", "backfill load --plan ")
	follow(p, 0, "--only", "2026-03-14", "--keep-replaced")
	p = look(0, "1")
	want(p, "half replaced: 1 of 3 slices loaded", "backfill load --plan ")
	if len(p.Parts) != 3 || p.Parts[1].State != "loaded" || p.Parts[1].Rows == 0 || p.Parts[0].State != "open" || p.Parts[2].State != "open" || p.Parts[1].Days != "2026-03-13 to 2026-03-24" {
		t.Errorf("parts %+v", p.Parts)
	}
	follow(p, 0, "--keep-replaced")
	p = look(0)
	want(p, "loaded", "")
	if p.Kept == nil || p.Kept.Table != "payroll.stated__backfill_replaced_1" || p.Report != nil || p.Behind != nil {
		t.Errorf("%+v", p)
	}
	h.run(t, 0, append([]string{"reconcile"}, append(a.window(), table...)...)...)
	if p = look(0, plan.Run); p.Report == nil || p.Report.Verdict != "RECONCILED" || !p.Report.Current {
		t.Errorf("report %+v", p.Report)
	}
	// A late object makes the plan stale; a plan of other days tells which days.
	last := a.truth.Objects[len(a.truth.Objects)-1]
	for _, o := range a.truth.Objects {
		if o.Partition == last.Partition && o.FirstOffset > last.FirstOffset {
			last = o
		}
	}
	next := last.FirstOffset + last.Records
	line := `{"event_id":"late-one","type":"payment.settled","occurred_at":"2026-03-09T10:00:00.000001Z","employee":{"id":7},"gross_amount":"12.34","tax_amount":"0","net_amount":"12.34","currency":"USD","version":1}` + "\n"
	key := fmt.Sprintf("%s/payroll.events/partition=%d/payroll.events+%d+%010d.json", a.options.Prefix, last.Partition, last.Partition, next)
	if err := h.put(context.Background(), "archive", key, []byte(line)); err != nil {
		t.Fatal(err)
	}
	p = look(0)
	want(p, "loaded", "backfill run --dataset "+a.dataset+" --from 2026-03-01T00:00:00-08:00 --to 2026-04-01T00:00:00-07:00")
	if p.Behind == nil || p.Behind.Added != 1 || p.Behind.Changed != 0 || len(p.Behind.Days) != 0 {
		t.Errorf("behind %+v", p.Behind)
	}
	other := append([]string{"--dataset", a.dataset, "--from", "2026-02-01", "--to", "2026-02-02", "--chunk-bytes", "16KiB"}, table...)
	h.run(t, 0, "convert", "--plan", h.run(t, 0, append([]string{"plan"}, other...)...).result.Plan)
	p = look(1)
	if len(p.Behind.Days) == 0 {
		t.Errorf("behind %+v", p.Behind)
	}
	h.run(t, 0, append([]string{"abort", "2", "--dataset", a.dataset, "--reason", "only a look"}, table...)...)
	if p = look(0); !strings.HasPrefix(p.State, "aborted with 0 of 1 slices loaded, by ") || !strings.HasSuffix(p.State, "only a look") || !strings.HasSuffix(p.Next, "--replan") {
		t.Errorf("state %q, next %q", p.State, p.Next)
	}
	follow(look(1), 0, append(table, "--slice-days", "12", "--chunk-bytes", "16KiB")...)
	p = look(2)
	want(p, "loaded; plan 3 changed rows of it later", "")
	h.run(t, 4, append([]string{"load", "--undo", "1", "--dataset", a.dataset}, table...)...)
	want(look(0), "loaded", "")
}
