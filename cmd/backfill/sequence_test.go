package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const sequencesEnv = "BACKFILL_SEQUENCES" // how many (default 8)

// TestSequencesOfRunsEqualAPlainOracle runs random sequences of loads, archived objects and changes
// by hand, and compares the table with the oracle's after every step. The seed
// of a sequence that fails is printed; BACKFILL_TEST_SEED with
// BACKFILL_SEQUENCES=1 runs it again.
func TestSequencesOfRunsEqualAPlainOracle(t *testing.T) {
	seed := number(t, seedEnv, int64(rand.Uint32()))
	count := number(t, sequencesEnv, 8)
	fmt.Printf("sequences: %d, the first with %s=%d\n", count, seedEnv, seed)
	started := time.Now()
	var done, steps, refused, failed atomic.Int64
	queue := make(chan int64)
	var workers sync.WaitGroup
	for range number(t, lanesEnv, 3) {
		l := newLane(t)
		l.save(t, "no rows")
		workers.Go(func() {
			for s := range queue {
				if !t.Run(fmt.Sprintf("seed_%d", s), func(t *testing.T) {
					if s%4 == 3 {
						a := newAppending(t, l, s)
						a.run()
						steps.Add(int64(len(a.log)))
						return
					}
					q := newSequence(t, l, s)
					q.run()
					steps.Add(int64(len(q.log)))
					refused.Add(int64(q.refused))
				}) {
					failed.Add(1)
				}
				if n := done.Add(1); n%100 == 0 {
					fmt.Printf("%d of %d sequences, %d failed, %s\n", n, count, failed.Load(), time.Since(started).Round(time.Second))
				}
			}
		})
	}
	for i := range count {
		if failed.Load() >= maxFaultFailures {
			t.Errorf("%d sequences failed, the rest was not run", failed.Load())
			break
		}
		queue <- seed + i
	}
	close(queue)
	workers.Wait()
	fmt.Printf("sequences: %d run with %d steps, of which %d were refused as they must be; %d failed, in %s\n", done.Load(), steps.Load(), refused.Load(), failed.Load(), time.Since(started).Round(time.Second))
}

// sequenceModes are the modes with windows.
func sequenceModes() []string { return []string{"replace_window", "upsert", "insert_missing"} }

// sequence is one random sequence.
type sequence struct {
	*oracle
	t       *testing.T
	l       *lane
	r       *rand.Rand
	file    string
	log     []string
	keys    int
	last    map[string]event // newest version of each key
	erased  map[string]bool  // keys whose rows were deleted by hand
	refused int
}

func newSequence(t *testing.T, l *lane, seed int64) *sequence {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	mode := sequenceModes()[r.IntN(len(sequenceModes()))]
	w := newWorld(fmt.Sprintf("s%d", seed), 2)
	q := &sequence{oracle: &oracle{mode: mode, days: 1 + r.IntN(2), world: w}, t: t, l: l, r: r, last: map[string]event{}, erased: map[string]bool{}}
	l.restore(t, "no rows")
	var deletes []string
	if mode == "upsert" {
		deletes = []string{"  not_loaded:", "  deleted: gone\n  not_loaded:"}
	}
	q.file = w.datasetFile(t, mode, deletes...)
	other := tableRow{event: event{id: "key-1", version: 7, at: dayStarts()[1].Add(time.Hour), cents: 1, currency: "USD", note: "other scope"}, source: "manual", by: "finance", partition: -1}
	q.table = append(q.table, other)
	l.sql(t, other.insert(other.source, other.by))
	return q
}

// run takes the steps. Every sequence begins with an archive and ends with a
// run of the whole window.
func (q *sequence) run() {
	q.grow(4 + q.r.IntN(8))
	for range 3 + q.r.IntN(5) {
		switch q.r.IntN(17) {
		case 0, 1, 2:
			q.grow(1 + q.r.IntN(5))
			q.backfill(q.anyWindow())
		case 3, 4:
			q.backfill(q.anyWindow())
		case 5:
			q.stream()
		case 6:
			q.byHand()
		case 7:
			q.seal(q.anyWindow())
			q.grow(1 + q.r.IntN(3))
		case 8, 9:
			q.revive()
		case 10:
			q.race(q.anyWindow())
		case 11:
			q.pods(q.anyWindow())
		case 12:
			q.grow(1 + q.r.IntN(5))
		case 13:
			q.some(span{0, 4})
		case 14:
			q.parts(q.anyWindow())
		case 15:
			q.damage(q.anyWindow())
		case 16:
			q.abort(q.anyWindow())
		}
		if q.t.Failed() {
			return
		}
	}
	before := q.refused
	q.backfill(span{0, 4})
	within := span{0, 4}.holds
	if q.mode != "replace_window" {
		within = func(time.Time) bool { return true }
	}
	if key := twice(q.table, within); key != "" && q.refused == before {
		q.fatalf("a key stands twice after a run of all days: %s", key)
	}
}

func (q *sequence) say(format string, args ...any) {
	q.log = append(q.log, fmt.Sprintf(format, args...))
}

func (q *sequence) fatalf(format string, args ...any) {
	q.t.Helper()
	q.t.Fatalf("%s\nmode %s, slices of %d days, the steps: %s", fmt.Sprintf(format, args...), q.mode, q.days, strings.Join(q.log, "; "))
}

func (q *sequence) anyWindow() span {
	from := q.r.IntN(4)
	return span{from, from + 1 + q.r.IntN(4-from)}
}

// moment is an instant in or around the days, and now and then at a border.
func (q *sequence) moment() time.Time {
	starts := dayStarts()
	switch q.r.IntN(8) {
	case 0:
		return starts[q.r.IntN(len(starts))]
	case 1:
		return starts[q.r.IntN(len(starts))].Add(-time.Microsecond)
	case 2:
		return starts[0].Add(-time.Duration(1+q.r.IntN(5)) * time.Hour)
	}
	return starts[q.r.IntN(4)].Add(time.Duration(q.r.IntN(22*3600)) * time.Second)
}

// grow archives some records as new objects: new keys, corrections, moved
// corrections, deletions, late older versions and repeats, now and then in
// another partition than the key's own.
func (q *sequence) grow(n int) {
	q.records(n)
	q.world.flush(q.t, q.l.harness)
	q.say("archive %d records", n)
}

func (q *sequence) records(n int) {
	for range n {
		key := 1 + q.r.IntN(q.keys+1)
		q.keys = max(q.keys, key)
		e, there := q.last[fmt.Sprintf("key-%d", key)]
		if !there {
			e = event{id: fmt.Sprintf("key-%d", key), version: 3, at: q.moment(), currency: "USD"}
		} else {
			switch q.r.IntN(6) {
			case 0: // the same again
			case 1:
				e.version -= 2 // an older version that arrives late
				e.gone = false
			case 2, 3:
				e.version++
				e.gone = q.r.IntN(4) == 0
			default:
				e.version++
				e.at, e.gone = q.moment(), q.r.IntN(4) == 0
			}
		}
		if !there || q.r.IntN(4) > 0 {
			e.cents, e.note = int64(q.r.IntN(2_000_000)-500_000), fmt.Sprintf("n%d", q.r.IntN(1000))
		}
		if old, there := q.last[e.id]; !there || e.version >= old.version {
			q.last[e.id] = e
		}
		part := key % 2
		if q.r.IntN(12) == 0 {
			part = 1 - part
		}
		q.world.add(part, e)
	}
}

// stream puts a row into the table as the stream would: what the archive
// knows, or what it never hears of.
func (q *sequence) stream() {
	var known []event
	for _, r := range q.world.visible() {
		if !slices.ContainsFunc(q.table, func(row tableRow) bool { return inScope(row) && row.id == r.id }) {
			known = append(known, r.event)
		}
	}
	e := event{id: fmt.Sprintf("stream-%d", q.r.IntN(1000)), version: 1, at: q.moment(), cents: 12345, currency: "EUR", note: "stream"}
	if len(known) > 0 && q.r.IntN(3) > 0 {
		e = known[q.r.IntN(len(known))]
	}
	q.say("stream inserts %s version %d at %s", e.id, e.version, e.at)
	q.l.sql(q.t, e.insert("payroll", "stream"))
	q.table = append(q.table, tableRow{event: e, source: "payroll", by: "stream", partition: -1})
}

// byHand truncates the table, or deletes or changes a row of it.
func (q *sequence) byHand() {
	if len(q.table) == 0 || q.r.IntN(3) == 0 {
		q.say("TRUNCATE")
		for _, r := range q.table {
			q.erased[r.id] = true
		}
		q.l.sql(q.t, "TRUNCATE payroll.events")
		q.table = nil
		return
	}
	r := q.table[q.r.IntN(len(q.table))]
	if q.r.IntN(2) == 0 {
		q.say("DELETE %s", r.id)
		q.erased[r.id] = true
		q.l.sql(q.t, fmt.Sprintf("DELETE FROM payroll.events WHERE id = '%s'", r.id))
		q.table = slices.DeleteFunc(slices.Clone(q.table), func(o tableRow) bool { return o.id == r.id })
		return
	}
	q.say("UPDATE %s", r.id)
	q.l.sql(q.t, fmt.Sprintf("UPDATE payroll.events SET amount = 0.01 WHERE id = '%s'", r.id))
	q.table = slices.Clone(q.table)
	for i := range q.table {
		if q.table[i].id == r.id {
			q.table[i].cents = 1
		}
	}
}

func (q *sequence) window(w span) []string {
	return []string{"--dataset", q.file, "--from", fmt.Sprintf("2026-03-%02d", 7+w.from), "--to", fmt.Sprintf("2026-03-%02d", 7+w.to),
		"--slice-days", fmt.Sprint(q.days), "--chunk-bytes", "600"}
}

// do runs the worker and demands an exit code.
func (q *sequence) do(exit int, what string, args ...string) outcome {
	q.t.Helper()
	o := q.l.again(q.t, args)
	q.must(o, exit, what)
	return o
}

func (q *sequence) must(o outcome, exit int, what string) {
	q.t.Helper()
	if exit == 4 && o.exit == 4 {
		q.refused++
	}
	if o.exit != exit {
		q.fatalf("%s: exit code %d, want %d\n%s", what, o.exit, exit, o.stderr)
	}
}

// agree demands that the table is the oracle's.
func (q *sequence) agree(what string, want []tableRow) {
	q.t.Helper()
	if got := q.read(); !slices.Equal(got, lines(want)) {
		q.differs(what, got, want)
	}
	q.table = want
}

func (q *sequence) read() []string {
	q.t.Helper()
	got, err := q.l.read(oracleRows)
	if err != nil {
		q.t.Fatal(err)
	}
	slices.Sort(got)
	return got
}

func (q *sequence) differs(what string, got []string, table []tableRow) {
	q.t.Helper()
	want := lines(table)
	q.fatalf("%s: %d rows, want %d: %s\nthe table:\n%s\nwant:\n%s", what, len(got), len(want), firstDifference(got, want), strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// took demands that the table is as the oracle says, that the load counted
// what the oracle counts, and enters what is loaded now.
func (q *sequence) took(what string, p *sealedPlan, o outcome, e effect, only ...int) {
	q.t.Helper()
	before, fresh := q.table, !p.begun()
	q.agree(what, e.table)
	if e.exit != 0 {
		return
	}
	for i := range p.done {
		p.done[i] = p.done[i] || p.wants(i, only)
	}
	p.unclear = p.unclear || q.mode == "upsert" && e.differing > 0
	q.note(before, e.table)
	if p.loaded() {
		if lost := setBack(before, e.table); lost != "" {
			q.fatalf("%s: %s", what, lost)
		}
	}
	r := o.result
	if got := (counts{r.Superseded, r.Outdated, r.Already, r.Differing, r.Inserted, r.Deleted, r.Stale, r.Twins}); fresh && !r.Done && got != e.counts {
		q.fatalf("%s counted %+v, want %+v", what, got, e.counts)
	}
}

// plan asks for the plan of a window and returns what the oracle knows of it.
func (q *sequence) plan(w span, flags ...string) *sealedPlan {
	q.t.Helper()
	p := q.standing(w)
	if p == nil || len(flags) > 0 {
		p = q.fresh(w)
	}
	o := q.do(0, "plan", append(append([]string{"plan"}, q.window(w)...), flags...)...)
	return q.entered(p, o)
}

// entered remembers the plan that a command used.
func (q *sequence) entered(p *sealedPlan, o outcome) *sealedPlan {
	q.t.Helper()
	if o.result.Seq == 0 {
		q.fatalf("the command names no plan\n%s", o.stdout)
	}
	if known := slices.IndexFunc(q.plans, func(k *sealedPlan) bool { return k.seq == o.result.Seq }); known >= 0 {
		if k := q.plans[known]; p.seq != 0 && k != p || !k.loaded() && k != p {
			q.fatalf("plan %d was used, which is unfinished, and another one was due", o.result.Seq)
		}
		return q.plans[known]
	}
	if p.seq != 0 {
		q.fatalf("plan %d was sealed, and plan %d could be finished", o.result.Seq, p.seq)
	}
	p.seq, p.uri = o.result.Seq, o.result.Plan
	q.plans = append(q.plans, p)
	return p
}

// backfill runs the main job.
func (q *sequence) backfill(w span, flags ...string) {
	q.t.Helper()
	replan := len(flags) > 0
	if q.r.IntN(6) == 0 {
		flags = append(flags, "--atomic")
	}
	q.say("run days %d to %d %s", w.from, w.to, strings.Join(flags, " "))
	args := append(append([]string{"run"}, q.window(w)...), flags...)
	if p := q.newest(w); p != nil && p.stopped && !replan {
		q.do(4, "run of a stopped plan", args...)
		q.agree("run of a stopped plan", q.table)
		return
	}
	p := q.standing(w)
	if p == nil || replan {
		p = q.fresh(w)
	}
	p.left = slices.Contains(flags, "--accept-damaged")
	e := q.load(p)
	exit := e.exit
	unclear := p.unclear || q.mode == "upsert" && e.differing > 0
	if exit == 0 && (unclear || q.tied(p) || p.left || !slices.Equal(p.seen, q.world.flushed)) {
		exit = 6
	}
	if exit != 4 && q.broken(p) {
		exit = 5
	}
	if k := q.newest(w); !replan && k != nil && q.settled(k) && q.onlyErased(e.table) {
		p, e, exit = k, effect{table: q.table}, 0
		if k.unclear || q.tied(k) {
			exit = 6
		}
	}
	o := q.do(exit, "run", args...)
	q.took("run", q.entered(p, o), o, e)
}

// settled tells whether a plan is loaded and archive, ledger and its window of
// the table are as it left them: then nothing is done.
func (q *sequence) settled(p *sealedPlan) bool {
	return p.loaded() && !p.left && slices.Equal(p.seen, q.world.flushed) && !q.broken(p) && (q.mode != "replace_window" || !q.fenced(p, p.window))
}

// onlyErased tells whether a load would only bring back keys that were deleted
// by hand. Where such a row stood outside of the window, and was why the
// window's own version was not loaded, the same command does not see that it is
// gone: it compares the window.
func (q *sequence) onlyErased(after []tableRow) bool {
	now, then := lines(q.table), lines(after)
	come, gone := subtract(then, now), subtract(now, then)
	return len(come) > 0 && len(gone) == 0 && !slices.ContainsFunc(come, func(line string) bool {
		id, _, _ := strings.Cut(line, "|")
		return !q.erased[id]
	})
}
