package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/sandbox/s3d"
	"backfill/jobs/gc"
)

// gcWorld is an archive of two partitions with rows, a duplicate and records that
// are rejected on several days.
func gcWorld(t *testing.T, l *lane) *world {
	t.Helper()
	w := newWorld("gc", 2)
	base := time.Date(2026, 3, 7, 12, 0, 0, 0, time.UTC)
	for i := range 40 {
		w.add(i%2, event{id: fmt.Sprintf("k%02d", i), version: 1, at: base.Add(time.Duration(i) * 2 * time.Hour), cents: int64(i) * 101, currency: []string{"EUR", "USD"}[i%2], note: "fine"})
		if i%10 == 3 {
			w.add(i%2, event{id: fmt.Sprintf("long%02d", i), version: 1, at: base.Add(time.Duration(i) * 2 * time.Hour), cents: 5, currency: "EUR", note: strings.Repeat("secret ", 8)})
		}
		if i%20 == 19 {
			w.flush(t, l.harness)
		}
	}
	return w
}

// age makes the objects of staging whose key is chosen older; nil chooses all.
func (l *lane) age(t *testing.T, by time.Duration, chosen func(key string) bool) {
	t.Helper()
	root := l.staging()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || chosen != nil && !chosen(strings.TrimPrefix(path, root+"/")) {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		at := info.ModTime().Add(-by)
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

const gcDay = 24 * time.Hour

// keys are the objects of staging whose key holds the text.
func (l *lane) keys(t *testing.T, text string) (list []string) {
	t.Helper()
	for key := range l.files(t) {
		if strings.Contains(key, text) && !strings.HasPrefix(key, ".sgwtmp") {
			list = append(list, key)
		}
	}
	slices.Sort(list)
	return list
}

// gone counts what goes of a kind.
func gone(r *gc.Result, kind string) (n int64) {
	for _, g := range r.Goes {
		if g.Kind == kind {
			n += g.Objects
		}
	}
	return n
}

// TestGC goes the way of a person: nothing goes while all is young; a dry run
// changes nothing; then Parquet and raw bytes go, and every command still works
// and says what is gone.
func TestGC(t *testing.T) {
	l := newLane(t)
	w := gcWorld(t, l)
	file := w.datasetFile(t, "replace_window", "staging: {uri", "retain: {kept_rows: 90d}\nstaging: {uri")
	window := []string{"--from", "2026-03-01", "--to", "2026-04-01", "--dataset", file}
	with := func(args ...string) []string { return append(args, "--dataset", file) }
	first := l.run(t, 0, append([]string{"run", "--keep-replaced"}, window...)...)
	table, err := l.committed()
	if err != nil {
		t.Fatal(err)
	}
	if o := l.run(t, 0, with("gc", "--apply")...); len(o.result.GC.Goes) > 0 {
		t.Fatalf("young things go: %+v", o.result.GC.Goes)
	}
	l.age(t, 91*gcDay, nil)
	before := l.files(t)
	dry := l.run(t, 0, with("gc")...).result.GC
	if after := l.files(t); len(after) != len(before) {
		t.Fatalf("a dry run changed staging: %d objects, %d before", len(after), len(before))
	}
	if gone(dry, "Parquet") != int64(len(l.keys(t, ".parquet"))) || gone(dry, "quarantine") == 0 || gone(dry, "plan")+gone(dry, "chunk receipt")+gone(dry, "report") > 0 {
		t.Fatalf("the dry run: %+v", dry.Goes)
	}
	reports := l.keys(t, "/reports/")
	applied := l.run(t, 0, with("gc", "--apply")...).result.GC
	if fmt.Sprint(applied.Goes) != fmt.Sprint(dry.Goes) {
		t.Errorf("removed %+v, the dry run said %+v", applied.Goes, dry.Goes)
	}
	if left := l.keys(t, ".parquet"); len(left) > 0 || len(l.keys(t, "/quarantine.jsonl.zst")) > 0 || len(l.keys(t, "/quarantine.places.jsonl.zst")) == 0 || len(l.keys(t, "sweeping/")) > 0 {
		t.Errorf("left: %q", l.keys(t, "chunks/"))
	}
	if after := l.keys(t, "/reports/"); !slices.Equal(after, reports) {
		t.Errorf("reports %q, before %q", after, reports)
	}
	if o := l.run(t, 0, with("gc", "--apply")...); len(o.result.GC.Goes) > 0 {
		t.Errorf("a second gc finds %+v", o.result.GC.Goes)
	}

	ls := l.run(t, 0, with("quarantine", "ls", "1")...).result.Reasons
	if len(ls) != 1 || ls[0].Reason != "too_long_value" || ls[0].Records != 4 || ls[0].Removed != 4 || !strings.Contains(ls[0].Since, "retain.quarantine is 90d") || ls[0].Column != "note" {
		t.Errorf("quarantine ls: %+v", ls)
	}
	show := l.run(t, 0, with("quarantine", "show", "1", "--raw")...)
	if len(show.result.Quarantined) != 4 || strings.Contains(show.stdout, "secret") || !strings.Contains(show.stdout, "its bytes were removed on "+time.Now().UTC().Format("2006-01")) || !strings.Contains(show.stdout, "retain.quarantine is 90d") {
		t.Errorf("quarantine show: %s", show.stdout)
	}
	if r := l.run(t, 0, with("quarantine", "replay", "1")...).result.Replay; r.Records != 4 || r.Removed != 4 || r.Still["note too_long_value"] != 4 || !strings.Contains(r.Since, "retain.quarantine is 90d") {
		t.Errorf("replay: %+v", r)
	}
	if o := l.run(t, 0, append([]string{"reconcile"}, window...)...); o.result.Sentence != first.result.Sentence || o.result.Verdict != first.result.Verdict {
		t.Errorf("reconcile: %s, before %s", o.result.Sentence, first.result.Sentence)
	}
	if o := l.run(t, 0, with("reconcile", "--verify", first.result.Report)...); len(o.result.Verification.Findings) > 0 {
		t.Errorf("verify: %+v", o.result.Verification.Findings)
	}
	if s := l.run(t, 0, with("status")...).result.Status; len(s.Plans) != 1 || s.Plans[0].State != "loaded" || s.Plans[0].Next != "" || !strings.Contains(s.Plans[0].Removed, "gc removed its Parquet on ") {
		t.Errorf("status: %+v", s.Plans)
	}
	if o := l.run(t, 0, append([]string{"run"}, window...)...); !o.result.Done || o.result.Seq != 1 {
		t.Errorf("the same command again: %s", o.stdout)
	}
	if o := l.run(t, 0, "load", "--plan", first.result.Plan); o.result.Inserted == 0 {
		t.Errorf("load of what is loaded: %s", o.stdout)
	}
	l.run(t, 0, with("load", "--undo", "1")...)
	again := l.run(t, 0, append([]string{"run", "--replan"}, window...)...)
	if again.result.Seq != 2 || again.result.Reused != 0 || again.result.Converted == 0 || !strings.Contains(fmt.Sprint(again.result.Notes), "gc removed earlier Parquet of the window on ") {
		t.Errorf("a run after gc: %s", again.stdout)
	}
	if now, err := l.committed(); err != nil || !slices.Equal(now, table) {
		t.Errorf("%v: %s", err, firstDifference(now, table))
	}
}

// TestGCAbandonedPlans: a plan that nobody uses goes with all that is its own,
// and whoever asks for it is told why; a plan that is newer, loaded or used stays.
func TestGCAbandonedPlans(t *testing.T) {
	l := newLane(t)
	w := gcWorld(t, l)
	file := w.datasetFile(t, "replace_window")
	with := func(args ...string) []string { return append(args, "--dataset", file) }
	span := func(from, to string, args ...string) []string {
		return append(with(args...), "--from", from, "--to", to)
	}
	old := l.run(t, 0, span("2026-03-07", "2026-03-09", "plan")...).result
	l.run(t, 0, "convert", "--plan", old.Plan)
	loaded := l.run(t, 0, span("2026-03-07", "2026-03-10", "run")...).result
	young := l.run(t, 0, span("2026-03-07", "2026-03-11", "plan")...).result
	newest := l.run(t, 0, span("2026-03-07", "2026-03-12", "plan")...).result
	l.age(t, 31*gcDay, func(key string) bool {
		return !strings.Contains(key, young.Run) && !strings.Contains(key, "/plans/000000000003.json")
	})
	dry := l.run(t, 0, with("gc")...).result.GC
	if gone(dry, "plan") != 1 || gone(dry, "mark of a plan") != 1 || gone(dry, "chunk list") != 1 || gone(dry, "chunk receipt") == 0 {
		t.Fatalf("the dry run: %+v", dry.Goes)
	}
	l.run(t, 0, with("gc", "--apply")...)
	if plans := l.keys(t, "/plans/"); len(plans) != 3 || strings.Contains(plans[0], "000000000001.json") {
		t.Errorf("plans left: %q", plans)
	}
	for _, ask := range [][]string{with("status", "1"), with("quarantine", "ls", "1"), {"convert", "--plan", old.Plan}, {"load", "--plan", old.Plan}} {
		o := l.run(t, 2, ask...)
		if !strings.Contains(o.result.Error, "plan 1 was removed from staging by backfill gc at ") || !strings.Contains(o.result.Error, "retain.plans is 30d") || !strings.Contains(o.result.Hint, "backfill run") {
			t.Errorf("%s: %s (%s)", ask[0], o.result.Error, o.result.Hint)
		}
	}
	if s := l.run(t, 0, with("status")...).result.Status; len(s.Plans) != 3 {
		t.Errorf("status: %+v", s.Plans)
	}
	for _, plan := range []string{young.Plan, newest.Plan} {
		l.run(t, 0, "convert", "--plan", plan)
	}
	l.run(t, 0, with("reconcile", "--verify", loaded.Report)...)
	if o := l.run(t, 0, span("2026-03-07", "2026-03-09", "run")...).result; o.Seq != 5 {
		t.Errorf("a run of the window is plan %d, want 5", o.Seq)
	}
}

// TestGCRefused: a refused delete says which right is missing, and the next gc goes on.
func TestGCRefused(t *testing.T) {
	l := newLane(t)
	w := gcWorld(t, l)
	file := w.datasetFile(t, "replace_window")
	l.run(t, 0, "run", "--from", "2026-03-01", "--to", "2026-04-01", "--dataset", file)
	if err := l.put(context.Background(), "staging", "w/probes/OLD/created-once", []byte("try 1")); err != nil {
		t.Fatal(err)
	}
	l.age(t, 100*gcDay, nil)
	gcRefused(t, l, file)
	o := l.run(t, 0, "gc", "--apply", "--dataset", file)
	if gone(o.result.GC, "probe") != 1 || len(l.keys(t, "/probes/")) > 0 || len(l.keys(t, "sweeping/")) > 0 {
		t.Errorf("after the right was given: %+v", o.result.GC.Goes)
	}
}

func gcRefused(t *testing.T, l *lane, file string) {
	t.Helper()
	l.watch(t, func(op s3d.Op) s3d.Action {
		if op.Kind == "DeleteObjects" && op.Phase == s3d.Before {
			return s3d.Denied403
		}
		return s3d.Continue
	}, nil)
	defer l.unwatch()
	o := l.run(t, 3, "gc", "--apply", "--dataset", file)
	if o.result.Code != "permission" || !strings.Contains(o.result.Error, "s3:DeleteObject on arn:aws:s3:::staging/w/") || o.result.Hint == "" {
		t.Errorf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
}
