package main

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// historyRun makes a random history of staging by the commands that people use.
type historyRun struct {
	t    *testing.T
	l    *lane
	w    *world
	r    *rand.Rand
	file string
	next int // event
	log  []string
}

// gcWindows overlap, so that newer plans overtake older ones.
var gcWindows = [][2]string{{"2026-03-07", "2026-03-09"}, {"2026-03-07", "2026-03-11"}, {"2026-03-09", "2026-03-11"}}

// TestGCOfRandomHistories runs plans, loads, undos, aborts, reports and time in a
// random order, with a gc now and then, and asks an oracle that shares no code
// with gc what was referred to. BACKFILL_TEST_HISTORIES sets how many (default 2).
func TestGCOfRandomHistories(t *testing.T) {
	l := newLane(t)
	w := gcWorld(t, l)
	l.save(t, "gc history")
	seed := number(t, seedEnv, int64(rand.Uint32()))
	for i := range number(t, "BACKFILL_TEST_HISTORIES", 2) {
		t.Run(fmt.Sprintf("%s=%d", seedEnv, seed+i), func(t *testing.T) {
			l.restore(t, "gc history")
			h := &historyRun{t: t, l: l, w: w, r: rand.New(rand.NewPCG(uint64(seed+i), 3)), next: 1000 * int(i+1)}
			h.file = w.datasetFile(t, []string{"replace_window", "upsert"}[h.r.IntN(2)], "staging: {uri", "retain: {plans: 20d, parquet: 15d, quarantine: 25d, work: 10d}\nstaging: {uri")
			t.Cleanup(func() {
				if t.Failed() {
					t.Logf("history:\n%s", strings.Join(h.log, "\n"))
				}
			})
			for range 3 {
				for range 4 {
					h.step()
				}
				h.collect()
			}
			h.end()
		})
	}
}

// do runs a command that may end as one of the exit codes.
func (h *historyRun) do(exits []int, args ...string) outcome {
	h.t.Helper()
	args = append(args, "--dataset", h.file)
	if strings.HasPrefix(args[1], "--plan") {
		args = args[:len(args)-2]
	}
	_, wait := h.l.start(h.t, h.l.env(), args...)
	o := wait()
	h.log = append(h.log, fmt.Sprintf("%s: exit %d %s", strings.Join(args, " "), o.exit, o.result.Error))
	if !slices.Contains(exits, o.exit) {
		h.t.Fatalf("exit code %d, want one of %v, from %s\n%s", o.exit, exits, strings.Join(args, " "), o.stderr)
	}
	return o
}

// step does one thing, then lets days pass.
func (h *historyRun) step() {
	span := gcWindows[h.r.IntN(len(gcWindows))]
	window := []string{"--from", span[0], "--to", span[1]}
	with := func(args ...string) []string { return append(args, window...) }
	switch seq := fmt.Sprint(1 + h.r.IntN(6)); h.r.IntN(9) {
	case 0, 1, 2:
		h.do([]int{0, 4}, with("run", "--keep-replaced")...)
	case 3:
		h.do([]int{0, 4}, with("run", "--replan")...)
	case 4:
		if o := h.do([]int{0, 4}, with("plan", "--replan")...); o.exit == 0 && h.r.IntN(2) == 0 {
			h.do([]int{0}, "convert", "--plan="+o.result.Plan)
		}
	case 5:
		h.do([]int{0, 2, 4}, "load", "--undo", seq)
	case 6:
		h.do([]int{0, 2, 4}, "abort", seq)
	case 7:
		h.do([]int{0, 5, 6}, with("reconcile")...)
	case 8:
		at := time.Date(2026, 3, 7+h.r.IntN(4), 12, 0, 0, 0, time.UTC)
		h.w.add(h.r.IntN(2), event{id: fmt.Sprintf("h%04d", h.next), version: 1, at: at, cents: int64(h.next), currency: "EUR", note: "late"})
		h.next++
		h.w.flush(h.t, h.l.harness)
	}
	passed := time.Duration(h.r.IntN(12)) * gcDay
	h.log = append(h.log, fmt.Sprintf("%d days pass", passed/gcDay))
	h.l.age(h.t, passed, nil)
}

// collect runs a gc and demands that what it removed was old and that nobody
// referred to it, that it left nothing to do, and that its dry run had said so.
func (h *historyRun) collect() {
	h.t.Helper()
	before, ages := h.l.files(h.t), h.ages()
	wanted := undangling(h.t, h.l)
	dry := h.do([]int{0}, "gc").result.GC
	if unchanged := h.l.files(h.t); len(unchanged) != len(before) {
		h.t.Fatalf("the dry run left %d of %d objects", len(unchanged), len(before))
	}
	done := h.do([]int{0}, "gc", "--apply").result.GC
	if fmt.Sprint(dry.Goes) != fmt.Sprint(done.Goes) {
		h.t.Errorf("the dry run said %+v, removed was %+v", dry.Goes, done.Goes)
	}
	after := h.l.files(h.t)
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, stays := after[key]; stays {
			if !bytes.Equal(after[key], before[key]) {
				h.t.Errorf("%s was changed", key)
			}
			continue
		}
		h.removed(strings.TrimPrefix(key, "w/"), ages[key], wanted, after)
	}
	undangling(h.t, h.l)
	if more := h.do([]int{0}, "gc").result.GC; len(more.Goes) > 0 {
		h.t.Errorf("a second gc finds %+v", more.Goes)
	}
	h.complete(after)
}

// removed judges one object that went.
func (h *historyRun) removed(key string, age time.Duration, wanted *referred, after map[string][]byte) {
	least := map[string]time.Duration{".parquet": 2, "/work/": 10, "quarantine.jsonl.zst": 2, "/plans/": 20}
	for part, days := range least {
		if strings.Contains(key, part) && age < days*gcDay {
			h.t.Errorf("%s was %s old", key, age)
		}
	}
	if age < 2*gcDay {
		h.t.Errorf("%s was %s old", key, age)
	}
	for _, by := range wanted.wanted[key] {
		if !h.abandoned(by, wanted, after) {
			h.t.Errorf("%s went, which %s may load", key, by)
		}
	}
	for _, by := range wanted.all[key] {
		if !h.abandoned(by, wanted, after) {
			h.t.Errorf("%s went, which %s names", key, by)
		}
	}
}

// abandoned reports whether a plan that named something went itself, and rightly.
func (h *historyRun) abandoned(plan string, wanted *referred, after map[string][]byte) bool {
	_, is := wanted.plans[plan]
	_, stays := after["w/"+plan]
	return is && !stays && len(wanted.all[plan]) == 0
}

// complete demands that of raw bytes nothing is left beyond its age, nor Parquet
// of plans that are over.
func (h *historyRun) complete(after map[string][]byte) {
	h.t.Helper()
	now, ages := undangling(h.t, h.l), h.ages()
	for key := range after {
		short := strings.TrimPrefix(key, "w/")
		switch {
		case strings.HasSuffix(key, "/quarantine.jsonl.zst") && ages[key] > 25*gcDay:
			h.t.Errorf("%s is %s old", key, ages[key])
		case strings.HasSuffix(key, ".parquet") && ages[key] > 60*gcDay && len(now.wanted[short]) == 0:
			// The plan may have been used since; that can't be for so long here.
			h.t.Errorf("%s is %s old, and no plan may load it", key, ages[key])
		case strings.Contains(key, "/work/") && ages[key] > 11*gcDay:
			h.t.Errorf("%s is %s old", key, ages[key])
		}
	}
}

func (h *historyRun) ages() map[string]time.Duration {
	h.t.Helper()
	ages := map[string]time.Duration{}
	for key := range h.l.files(h.t) {
		info, err := os.Stat(filepath.Join(h.l.staging(), key))
		if err != nil {
			h.t.Fatal(err)
		}
		ages[key] = time.Since(info.ModTime())
	}
	return ages
}

// end demands that every command still works on what is left, and that every
// window can be loaded.
func (h *historyRun) end() {
	status := h.do([]int{0}, "status").result.Status
	for _, p := range status.Plans {
		if p.Converted == p.Chunks || p.Loaded > 0 {
			h.do([]int{0}, "quarantine", "ls", fmt.Sprint(p.Seq))
		}
		if p.Loaded > 0 && p.Undone == 0 && p.State == "loaded" {
			h.do([]int{0, 4}, "load", "--undo", fmt.Sprint(p.Seq))
		}
	}
	for key := range h.l.files(h.t) {
		if folder, sealed := strings.CutSuffix(key, "/seal.json"); sealed {
			h.do([]int{0}, "reconcile", "--verify", "s3://staging/"+folder+"/report.json")
		}
	}
	for _, span := range gcWindows {
		o := h.do([]int{0, 5, 6}, "run", "--replan", "--from", span[0], "--to", span[1])
		if o.exit != 0 {
			h.t.Errorf("the run of %v: %s", span, o.result.Error)
		}
	}
}
