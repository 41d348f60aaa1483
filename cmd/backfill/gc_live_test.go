package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/internal/sandbox/s3d"
)

// TestGCBesideRuns: whatever a run begins while a gc is about to delete, the run
// ends well. It takes no plan that goes and no Parquet that goes.
func TestGCBesideRuns(t *testing.T) {
	l := newLane(t)
	w := gcWorld(t, l)
	file := w.datasetFile(t, "replace_window")
	span := func(cmd, to string, more ...string) []string {
		return append([]string{cmd, "--from", "2026-03-07", "--to", to, "--dataset", file}, more...)
	}
	idle := l.run(t, 0, span("plan", "2026-03-09")...).result // goes
	l.run(t, 0, "convert", "--plan", idle.Plan)
	l.run(t, 0, span("run", "2026-03-10")...)                 // its Parquet goes
	live := l.run(t, 0, span("plan", "2026-03-11")...).result // stays: the newest
	l.run(t, 0, "convert", "--plan", live.Plan)
	l.age(t, 100*gcDay, nil)
	var once sync.Once
	var runs []outcome
	var refused []outcome
	l.watch(t, func(op s3d.Op) s3d.Action {
		if op.Kind == "DeleteObjects" && op.Phase == s3d.Before {
			once.Do(func() {
				for _, args := range [][]string{span("run", "2026-03-09"), span("run", "2026-03-10", "--replan"), span("plan", "2026-03-12")} {
					_, wait := l.start(t, l.env(), args...)
					runs = append(runs, wait())
				}
				for _, cmd := range []string{"convert", "load"} {
					for _, plan := range []string{idle.Plan, live.Plan} {
						_, wait := l.start(t, l.env(), cmd, "--plan", plan)
						refused = append(refused, wait())
					}
				}
			})
		}
		return s3d.Continue
	}, nil)
	l.run(t, 0, "gc", "--apply", "--dataset", file)
	l.unwatch()
	if len(runs) != 3 || len(refused) != 4 {
		t.Fatalf("%d runs and %d pods were beside the gc", len(runs), len(refused))
	}
	for i, o := range runs {
		if o.exit != 0 || i < 2 && (o.result.Verdict != "RECONCILED WITH EXCEPTIONS" || o.result.Reused > 0) || !strings.Contains(strings.Join(o.result.Notes, " "), "gc is at work: all chunks are converted anew") && i == 2 {
			t.Errorf("run %d: exit %d, %s, %d chunks reused, %q\n%s", i+1, o.exit, o.result.Verdict, o.result.Reused, o.result.Notes, o.stderr)
		}
	}
	for i, o := range refused {
		want := []struct {
			exit int
			says string
		}{{4, "plan 1 was removed from staging by backfill gc"}, {3, "gc is at work, and plan 3 is so old that it may be among what it removes"}}[i%2]
		if o.exit != want.exit || !strings.Contains(o.result.Error, want.says) || o.result.Hint == "" {
			t.Errorf("pod %d: exit %d: %s (%s), want %d and %q", i+1, o.exit, o.result.Error, o.result.Hint, want.exit, want.says)
		}
	}
	undangling(t, l)
	l.run(t, 0, "convert", "--plan", live.Plan) // gc has ended, and left the plan alone
	for _, o := range runs[:2] {
		l.run(t, 0, "reconcile", "--verify", o.result.Report, "--dataset", file)
	}
	l.run(t, 0, span("run", "2026-03-12")...)
}

// TestGCDropsKeptRowsAndUploads: rows kept for undo that are too old go from the
// warehouse, uploads that nobody ended go from staging.
func TestGCDropsKeptRowsAndUploads(t *testing.T) {
	l := newLane(t)
	w := gcWorld(t, l)
	file := w.datasetFile(t, "replace_window")
	l.run(t, 0, "run", "--from", "2026-03-01", "--to", "2026-04-01", "--keep-replaced", "--dataset", file)
	bucket, key := "staging", "w/chunks/c/ATTEMPT/part-00000.parquet"
	for range 2 {
		if _, err := l.client().CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key}); err != nil {
			t.Fatal(err)
		}
	}
	aged(t, filepath.Join(l.staging(), ".sgwtmp", "multipart"), 49*time.Hour)
	if _, err := l.client().CreateMultipartUpload(context.Background(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key}); err != nil {
		t.Fatal(err)
	}
	args := []string{"gc", "--dataset", file, "--set", "retain.kept_rows=1ms"}
	dry := l.run(t, 0, args...).result.GC
	if len(dry.Kept) != 1 || dry.Kept[0].Seq != 1 || gone(dry, "unfinished upload") != 2 {
		t.Fatalf("the dry run: %+v, kept %+v", dry.Goes, dry.Kept)
	}
	out := inText(t, l.harness, args...)
	for _, says := range []string{"rows that plan 1 had replaced, kept since ", "2        0 bytes", "unfinished upload  its writer is gone\n", "2 objects of 0 bytes would go, ", "nothing was changed. To remove them, say --apply\n"} {
		if !strings.Contains(out, says) {
			t.Errorf("the dry run does not say %q:\n%s", says, out)
		}
	}
	applied := l.run(t, 0, append(args, "--apply")...).result.GC
	if len(applied.Kept) != 1 || gone(applied, "unfinished upload") != 2 {
		t.Errorf("removed %+v, kept %+v", applied.Goes, applied.Kept)
	}
	left, err := l.client().ListMultipartUploads(context.Background(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil || len(left.Uploads) != 1 {
		t.Errorf("%d uploads are left, %v", len(left.Uploads), err)
	}
	if rows := l.rows(t, "SELECT kind, seq, reason FROM payroll.events__backfill_ledger WHERE kind = 'forget'"); !slices.Equal(rows, []string{"forget|1|gc: retain.kept_rows is 1ms|"}) {
		t.Errorf("ledger %q", rows)
	}
	if o := l.run(t, 4, "load", "--undo", "1", "--dataset", file); o.result.Code != "undo_impossible" || !strings.Contains(o.result.Error, "the kept rows were dropped") {
		t.Errorf("undo: %s", o.result.Error)
	}
	if out := inText(t, l.harness, append(args, "--apply")...); !strings.Contains(out, "\nnothing goes; ") || !strings.Contains(out, "retain: quarantine 90d, parquet 30d, plans 30d, work 90d\n") {
		t.Errorf("a second gc: %s", out)
	}
	// Without the right to list uploads the rest is done, and that is said.
	l.watch(t, func(op s3d.Op) s3d.Action {
		if op.Kind == "ListMultipartUploads" && op.Phase == s3d.Before {
			return s3d.Denied403
		}
		return s3d.Continue
	}, nil)
	o := l.run(t, 0, append(args, "--apply")...)
	if notes := fmt.Sprint(o.result.GC.Notes); !strings.Contains(notes, "unfinished uploads were not looked at") || !strings.Contains(notes, "s3:ListBucketMultipartUploads on arn:aws:s3:::staging") {
		t.Errorf("notes %s", notes)
	}
}

// aged makes everything below a folder older.
func aged(t *testing.T, root string, by time.Duration) {
	t.Helper()
	at := time.Now().Add(-by)
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTwoGCs: another gc at the same time changes nothing of what is left.
func TestTwoGCs(t *testing.T) {
	l := newLane(t)
	file, report := gcScene(t, l)
	var other atomic.Bool
	l.watch(t, func(op s3d.Op) s3d.Action {
		if op.Kind == "GetObject" && op.Phase == s3d.Before && strings.Contains(op.Key, "/plans/") && other.CompareAndSwap(false, true) {
			_, wait := l.start(t, l.env(), "gc", "--apply", "--dataset", file)
			if o := wait(); o.exit != 0 || gone(o.result.GC, "plan") != 1 {
				t.Errorf("the other gc: exit %d: %s", o.exit, o.stdout)
			}
		}
		return s3d.Continue
	}, nil)
	l.run(t, 0, "gc", "--apply", "--dataset", file)
	l.unwatch()
	undangling(t, l)
	if o := l.run(t, 0, "gc", "--dataset", file); len(o.result.GC.Goes) > 0 {
		t.Errorf("a third gc finds %+v", o.result.GC.Goes)
	}
	l.run(t, 0, "reconcile", "--verify", report, "--dataset", file)
}
