package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"backfill/internal/sandbox/archivegen"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// point is a moment at which the worker is killed.
type point struct {
	name string
	s3   func(s3d.Op) bool
	sql  func(redshiftd.Op) bool
}

// namedPoints are the moments at which state has just changed hands.
func namedPoints() []point {
	put := func(part string, phase s3d.Phase) func(s3d.Op) bool {
		return func(op s3d.Op) bool {
			return op.Phase == phase && (op.Kind == "PutObject" || op.Kind == "CompleteMultipartUpload") && strings.Contains(op.Key, part)
		}
	}
	sql := func(kind string, phase redshiftd.Phase, part string) func(redshiftd.Op) bool {
		return func(op redshiftd.Op) bool {
			return op.Kind == kind && op.Phase == phase && strings.Contains(op.SQL, part)
		}
	}
	return []point{
		{name: "plan sealed", s3: put("/plans/", s3d.After)},
		{name: "before the plan is sealed", s3: put("/plans/", s3d.Before)},
		{name: "Parquet uploaded", s3: put(".parquet", s3d.After)},
		{name: "receipt written", s3: put("/receipt.json", s3d.After)},
		{name: "before the receipt", s3: put("/receipt.json", s3d.Before)},
		{name: "manifest written", s3: put("/manifest.json", s3d.After)},
		{name: "in COPY", sql: sql("COPY", redshiftd.During, "")},
		{name: "after the delete", sql: sql("DELETE", redshiftd.After, "")},
		{name: "after the change", sql: sql("INSERT", redshiftd.After, "__backfill_ledger")},
		{name: "slice receipt written", s3: put("/slice-", s3d.After)},
		{name: "before COMMIT", sql: sql("COMMIT", redshiftd.Before, "")},
		{name: "after COMMIT before its answer", sql: sql("COMMIT", redshiftd.After, "")},
		{name: "before the report", s3: put("/reports/", s3d.Before)},
		{name: "report written", s3: put("/reports/", s3d.After)},
	}
}

// victim is a small month with many chunks and slices, so that every step
// happens more than once.
func victim(t *testing.T, h *harness) (archive, []string) {
	a := h.generate(t, archivegen.Options{Seed: 11, Events: 3000, Partitions: 2, Codec: "mixed", EventsPerObject: 500, Faults: archivegen.DefaultFaults()})
	return a, []string{"--chunk-bytes", "64KiB", "--slice-days", "11"}
}

// killed runs the worker into the point, then again to its end, and compares
// the table with the run that was never killed.
func killed(t *testing.T, h *harness, a archive, flags []string, table string, want []string, p point) {
	t.Helper()
	args := append(a.window(flags...), h.table(t, table)...)
	var k killer
	ready := make(chan struct{})
	h.watch(t, func(op s3d.Op) s3d.Action {
		<-ready
		if p.s3 != nil && p.s3(op) && k.kill() {
			return s3d.Cut
		}
		return s3d.Continue
	}, func(op redshiftd.Op) redshiftd.Action {
		<-ready
		if p.sql != nil && p.sql(op) && k.kill() {
			return redshiftd.Cut
		}
		return redshiftd.Continue
	})
	cmd, wait := h.start(t, h.env(), append([]string{"run"}, args...)...)
	k.cmd.Store(cmd)
	close(ready)
	first := wait()
	h.unwatch()
	if first.exit != -1 {
		t.Fatalf("the worker ended with exit code %d before it was killed\n%s", first.exit, first.stderr)
	}
	last := h.run(t, 0, append([]string{"run"}, args...)...)
	if got := h.contents(t, table); !slices.Equal(got, want) {
		t.Fatalf("%d rows after the kill, %d without; first difference: %s", len(got), len(want), firstDifference(got, want))
	}
	if last.result.Verdict != "RECONCILED WITH EXCEPTIONS" {
		t.Fatalf("verdict %q: %s", last.result.Verdict, last.result.Sentence)
	}
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("row %d is %s, want %s", i, got[i], want[i])
		}
	}
	return "the shorter one ends"
}

func TestKilledAtNamedPoints(t *testing.T) {
	h := shared
	a, flags := victim(t, h)
	h.run(t, 0, append([]string{"run"}, append(a.window(flags...), h.table(t, "never_killed")...)...)...)
	want := h.contents(t, "never_killed")
	if len(want) != int(a.truth.TableRows) {
		t.Fatalf("%d rows, the truth says %d", len(want), a.truth.TableRows)
	}
	for i, p := range namedPoints() {
		t.Run(p.name, func(t *testing.T) { killed(t, h, a, flags, fmt.Sprintf("named_%d", i), want, p) })
	}
}

// TestKilledAtRandom kills before or after a random operation of either
// stand-in. BACKFILL_TEST_KILLS sets how often (default 10), BACKFILL_TEST_SEED the seed.
func TestKilledAtRandom(t *testing.T) {
	h := shared
	a, flags := victim(t, h)
	var total atomic.Int64
	h.watch(t, func(s3d.Op) s3d.Action { total.Add(1); return s3d.Continue }, func(redshiftd.Op) redshiftd.Action { total.Add(1); return redshiftd.Continue })
	h.run(t, 0, append([]string{"run"}, append(a.window(flags...), h.table(t, "random_base")...)...)...)
	h.unwatch()
	want := h.contents(t, "random_base")

	seed := number(t, "BACKFILL_TEST_SEED", int64(rand.Uint32()))
	kills := number(t, "BACKFILL_TEST_KILLS", 10)
	t.Logf("seed %d, %d kills among %d moments", seed, kills, total.Load())
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	for i := range kills {
		at := r.Int64N(total.Load()*9/10) + 1 // conversion is concurrent, so the count differs a little
		var n atomic.Int64
		reached := func() bool { return n.Add(1) == at }
		t.Run(fmt.Sprintf("%d at moment %d", i, at), func(t *testing.T) {
			killed(t, h, a, flags, fmt.Sprintf("random_%d", i), want, point{
				s3: func(s3d.Op) bool { return reached() }, sql: func(redshiftd.Op) bool { return reached() },
			})
		})
	}
}

func number(t *testing.T, name string, otherwise int64) int64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
