package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// smallWorld is an archive of three days in a lane of its own, and the command that loads it.
func smallWorld(t *testing.T, mode string) (l *lane, w *world, run []string) {
	t.Helper()
	l = newLane(t)
	w = newWorld("small", 2)
	for i := range 40 {
		w.add(i%2, event{id: fmt.Sprintf("k%02d", i), version: 1, at: dayStarts()[0].Add(time.Duration(i) * 100 * time.Minute), cents: int64(100 + i), currency: "USD", note: "archived"})
	}
	w.flush(t, l.harness)
	return l, w, append(march(), "--dataset", w.datasetFile(t, mode))
}

// TestFaultReplacementByAsManyOtherRowsIsStopped loads over rows of which no
// key is in the archive, as many as the archive has on each day: numbers agree
// and every row would be another.
func TestFaultReplacementByAsManyOtherRowsIsStopped(t *testing.T) {
	l, w, run := smallWorld(t, "replace_window")
	for _, r := range w.visible() {
		e := r.event
		e.id = "other-" + e.id
		l.sql(t, e.insert("payroll", "stream"))
	}
	before, err := l.committed()
	if err != nil {
		t.Fatal(err)
	}
	o := l.run(t, 4, run...)
	if o.result.Code != "rows_would_vanish" || !strings.Contains(o.result.Error, "40 rows") || !strings.Contains(o.stderr, "--allow-vanish") {
		t.Errorf("the refusal is %s: %s", o.result.Code, o.stderr)
	}
	after, err := l.committed()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(after, before) {
		t.Errorf("the refused load changed the table: %s", firstDifference(after, before))
	}
}

// TestFaultLostAnswerOfAPutIsNotAnotherPod loses the answer of the first write
// of each kind: the client repeats it, hears that the object exists, and finds
// that the object is its own. Nothing is done twice and no other pod is seen.
func TestFaultLostAnswerOfAPutIsNotAnotherPod(t *testing.T) {
	l, _, run := smallWorld(t, "replace_window")
	l.save(t, "put")
	l.run(t, 0, run...)
	want := l.state(t)
	for _, part := range []string{"/segments/", "/plans/", ".parquet", "/receipt.json", "/manifest.json", "/slice-", "/reports/"} {
		t.Run(strings.Trim(part, "/"), func(t *testing.T) {
			l.restore(t, "put")
			var once sync.Once
			lost := ""
			l.watch(t, func(op s3d.Op) s3d.Action {
				action := s3d.Continue
				if op.Phase == s3d.After && op.Kind == "PutObject" && op.Status == 200 && strings.Contains(op.Key, part) {
					once.Do(func() { action, lost = s3d.Cut, op.Key })
				}
				return action
			}, nil)
			o := l.run(t, 0, run...)
			l.unwatch()
			if lost == "" {
				t.Fatal("no such object was written")
			}
			if o.result.Seq != 1 || o.result.Converted != o.result.Chunks || o.result.Reused != 0 || len(o.result.Notes) != 0 {
				t.Errorf("plan %d, %d of %d chunks converted, %d reused, notes %q", o.result.Seq, o.result.Converted, o.result.Chunks, o.result.Reused, o.result.Notes)
			}
			if d := l.state(t).differs(want); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestFaultCopyThatLoadsTwiceChangesNothing lets COPY load every file twice:
// the stage is not what the receipts say, and nothing is changed.
func TestFaultCopyThatLoadsTwiceChangesNothing(t *testing.T) {
	l, _, run := smallWorld(t, "replace_window")
	before, err := l.committed()
	if err != nil {
		t.Fatal(err)
	}
	l.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
		if op.Kind == "COPY" && op.Phase == redshiftd.Before {
			return redshiftd.LoadTwice
		}
		return redshiftd.Continue
	})
	l.run(t, 5, run...)
	l.unwatch()
	after, err := l.committed()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(after, before) {
		t.Errorf("the table changed: %s", firstDifference(after, before))
	}
	l.run(t, 0, run...)
}

// TestFaultLedgerIsAskedAfterALostCommit loses the answer of each slice's
// COMMIT in turn: the next run skips what was committed and does the rest.
func TestFaultLedgerIsAskedAfterALostCommit(t *testing.T) {
	l, _, run := smallWorld(t, "replace_window")
	l.save(t, "commit")
	l.run(t, 0, run...)
	want := l.state(t)
	for slice := range 3 {
		t.Run(fmt.Sprint("slice ", slice+1), func(t *testing.T) {
			l.restore(t, "commit")
			inserted, lost := 0, false
			l.watch(t, nil, func(op redshiftd.Op) redshiftd.Action {
				if op.Phase == redshiftd.After && op.Kind == "INSERT" && strings.Contains(op.SQL, "events__backfill_ledger") {
					inserted++
				}
				if op.Phase == redshiftd.After && op.Kind == "COMMIT" && inserted == slice+1 && !lost {
					lost = true
					return redshiftd.Cut
				}
				return redshiftd.Continue
			})
			o := l.run(t, 3, run...)
			if o.result.Code != "outcome_lost" {
				t.Errorf("code %s: %s", o.result.Code, o.result.Error)
			}
			o = l.run(t, 0, run...)
			if skipped := strings.Count(o.stderr, "was committed before"); skipped != slice+1 && slice < 2 {
				t.Errorf("%d slices were skipped, want %d:\n%s", skipped, slice+1, o.stderr)
			}
			if d := l.state(t).differs(want); d != "" {
				t.Error(d)
			}
		})
	}
}
