package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"backfill/internal/sandbox/s3d"
)

// gcScene is a staging store in which something of every kind goes, and the
// command that removes it.
func gcScene(t *testing.T, l *lane) (file string, report string) {
	t.Helper()
	w := gcWorld(t, l)
	file = w.datasetFile(t, "replace_window")
	span := func(cmd, to string) []string {
		return []string{cmd, "--from", "2026-03-07", "--to", to, "--dataset", file}
	}
	old := l.run(t, 0, span("plan", "2026-03-09")...).result
	l.run(t, 0, "convert", "--plan", old.Plan)
	report = l.run(t, 0, span("run", "2026-03-10")...).result.Report
	l.run(t, 0, span("plan", "2026-03-11")...)
	for key, body := range map[string]string{
		"probes/OLD/created-once": "try 1", "targets/payroll.events/reports/r/20260101T000000Z-X/report.json": "{}", "sweeping/KILLED.json": "{}",
		"targets/payroll.events/segments/LOST/00000.jsonl.zst": "x", "chunks/lost/LATE/part-00000.parquet": "x", "elsewhere/README": "not ours",
	} {
		if err := l.put(context.Background(), "staging", "w/"+key, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	loser := l.keys(t, ".parquet")[0] // another attempt at the same chunk
	if err := l.put(context.Background(), "staging", filepath.Dir(filepath.Dir(loser))+"/LOSER/part-00000.parquet", []byte("x")); err != nil {
		t.Fatal(err)
	}
	l.age(t, 100*gcDay, nil)
	return file, report
}

// TestGCMeetsEveryFault hits operations of a gc with every kind of fault. Whatever was
// removed by then, commands work and nothing names what is gone; the next gc ends
// with what a gc without a fault leaves.
func TestGCMeetsEveryFault(t *testing.T) {
	l := newLane(t)
	file, report := gcScene(t, l)
	saved := filepath.Join(shared.dir, "gc scene")
	l.copy(t, l.staging(), saved)
	args := []string{"gc", "--apply", "--dataset", file}
	var ops atomic.Int64
	l.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before {
			ops.Add(1)
		}
		return s3d.Continue
	}, nil)
	whole := l.run(t, 0, args...).result.GC
	l.unwatch()
	for _, kind := range []string{"plan", "mark of a plan", "chunk list", "COPY manifest", "report", "work record or profile", "chunk receipt", "Parquet", "quarantine", "probe", "word of a gc at work"} {
		if gone(whole, kind) == 0 {
			t.Errorf("no %s goes: %+v", kind, whole.Goes)
		}
	}
	want := l.keys(t, "w/")
	n := ops.Load()
	cases := []fault{}
	for i := int64(1); i <= n; i++ {
		for _, k := range kinds() {
			cases = append(cases, fault{"s3", i, k})
		}
	}
	if os.Getenv(faultsEnv) != "all" {
		seed := number(t, seedEnv, int64(rand.Uint32()))
		t.Logf("%d of %d cases, %s=%d", min(12, len(cases)), len(cases), seedEnv, seed)
		r := rand.New(rand.NewPCG(uint64(seed), 7))
		r.Shuffle(len(cases), func(i, j int) { cases[i], cases[j] = cases[j], cases[i] })
		cases = cases[:min(12, len(cases))]
	}
	met := 0
	for _, f := range cases {
		t.Run(f.String(), func(t *testing.T) {
			l.copy(t, saved, l.staging())
			tr := &trap{fault: f, lane: l}
			tr.set(t)
			ready := make(chan struct{})
			cmd, wait := l.startHeld(t, ready, args...)
			tr.k.cmd.Store(cmd)
			close(ready)
			first := wait()
			l.unwatch()
			if tr.hit == 0 { // reading is concurrent, so that the count differs a little
				t.Skipf("the gc has no operation %d any more", f.n)
			}
			met++
			if first.exit > 0 && (first.exit != 3 || first.result.Hint == "") {
				t.Errorf("exit code %d after %s: %s", first.exit, tr.what, first.stderr)
			}
			undangling(t, l)
			for _, look := range [][]string{{"status"}, {"quarantine", "ls", "2"}, {"reconcile", "--verify", report}} {
				l.run(t, 0, append(look, "--dataset", file)...)
			}
			l.age(t, 3*gcDay, func(key string) bool { return strings.Contains(key, "sweeping/") })
			l.run(t, 0, args...)
			if now := l.keys(t, "w/"); !slices.Equal(now, want) {
				t.Errorf("after %s, then a second gc: %s", tr.what, keysDiffer(now, want))
			}
		})
	}
	if met == 0 {
		t.Error("no fault was met")
	}
}

func keysDiffer(now, want []string) string {
	var b strings.Builder
	for _, k := range now {
		if !slices.Contains(want, k) {
			fmt.Fprintf(&b, "\n  more: %s", k)
		}
	}
	for _, k := range want {
		if !slices.Contains(now, k) {
			fmt.Fprintf(&b, "\n  less: %s", k)
		}
	}
	return b.String()
}

// TestGCPolicy compares docker/iam/gc.json with every S3 request of a gc.
func TestGCPolicy(t *testing.T) {
	l := newLane(t)
	file, _ := gcScene(t, l)
	policy, actions := iamPolicy(t, "gc.json", "none", "w")
	used := map[string]bool{}
	l.watch(t, func(op s3d.Op) s3d.Action {
		if op.Phase != s3d.Before {
			return s3d.Continue
		}
		resource := "arn:aws:s3:::" + op.Bucket
		if op.Key != "" {
			resource += "/" + op.Key
		}
		action := actionsOf[op.Kind]
		used[action] = true
		if op.Kind != "DeleteObjects" && (action == "" || !policy.Allows(action, resource)) {
			t.Errorf("%s of %s is not allowed", op.Kind, resource)
		}
		return s3d.Continue
	}, nil)
	l.run(t, 0, "gc", "--dataset", file)
	l.run(t, 0, "gc", "--apply", "--dataset", file)
	l.unwatch()
	for _, action := range actions {
		if unseen[action] == "" && !used[action] {
			t.Errorf("%s is allowed and never used", action)
		}
	}
}
