package main

import (
	"strings"
	"sync/atomic"
	"testing"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/redshiftd"
)

// A COPY that S3 throttled is tried again in the same session and loads once;
// what the warehouse refuses is not, and the sentence names no value.
func TestCopyIsTriedAgain(t *testing.T) {
	h := shared
	a := h.generate(t, archivegen.Options{Seed: 61, Events: 60, Partitions: 1})
	flags := append(a.window(), h.table(t, "copied")...)
	var copies atomic.Int32
	var first redshiftd.Action
	h.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "COPY" && op.Phase == redshiftd.During && copies.Add(1) == 1 {
			return first
		}
		return redshiftd.Continue
	})
	first = redshiftd.BadValue
	o := h.run(t, 4, append([]string{"run"}, flags...)...)
	if copies.Load() != 1 || o.result.Code != "load_refused" || !strings.Contains(o.result.Error, "Invalid digit (value left out)") || strings.Contains(o.stderr+o.stdout, redshiftd.RefusedValue) {
		t.Errorf("%d COPYs, %s: %s", copies.Load(), o.result.Code, o.result.Error)
	}
	copies.Store(0)
	first = redshiftd.Throttled
	o = h.run(t, 0, append([]string{"run"}, flags...)...)
	if copies.Load() != 2 || !strings.Contains(o.stderr, "WARNING COPY failed, try 1 of 6, again in ") || !strings.Contains(o.stderr, "Access throttled by S3") {
		t.Errorf("%d COPYs\n%s", copies.Load(), o.stderr)
	}
	if rows := h.rows(t, "SELECT COUNT(*) - COUNT(DISTINCT event_id) FROM payroll.copied"); rows[0] != "0|" {
		t.Errorf("%s rows stand twice", rows[0])
	}
}
