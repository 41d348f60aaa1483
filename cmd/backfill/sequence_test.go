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
	refused int
	slice   int

	refusedLast bool
}

func newSequence(t *testing.T, l *lane, seed int64) *sequence {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 7))
	mode := sequenceModes()[r.IntN(len(sequenceModes()))]
	w := newWorld(fmt.Sprintf("s%d", seed), 2)
	q := &sequence{oracle: &oracle{mode: mode, world: w}, t: t, l: l, r: r, last: map[string]event{}, slice: 1 + r.IntN(2)}
	l.restore(t, "no rows")
	q.file = w.datasetFile(t, mode)
	other := tableRow{event: event{id: "key-1", version: 7, at: dayStarts()[1].Add(time.Hour), cents: 1, currency: "USD", note: "other scope"}, source: "manual", by: "finance", partition: -1}
	q.table = append(q.table, other)
	l.sql(t, other.insert(other.source, other.by))
	return q
}

// run takes the steps. Every sequence begins with an archive and ends with a
// run of the whole window.
func (q *sequence) run() {
	q.grow(4 + q.r.IntN(8))
	for range 3 + q.r.IntN(4) {
		switch q.r.IntN(12) {
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
		case 8:
			q.revive()
		case 9:
			q.race(q.anyWindow())
		case 10:
			q.pods(q.anyWindow())
		case 11:
			q.grow(1 + q.r.IntN(5))
		}
		if q.t.Failed() {
			return
		}
	}
	q.refusedLast = false
	q.backfill(span{0, 4})
	if key := twice(q.table); key != "" && !q.refusedLast {
		q.t.Fatalf("a key stands twice after a run of all days: %s\nthe steps: %s", key, strings.Join(q.log, "; "))
	}
}

func (q *sequence) say(format string, args ...any) {
	q.log = append(q.log, fmt.Sprintf(format, args...))
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
// corrections, late older versions and repeats.
func (q *sequence) grow(n int) {
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
			case 2, 3:
				e.version++
			default:
				e.version++
				e.at = q.moment()
			}
		}
		if !there || q.r.IntN(4) > 0 {
			e.cents, e.note = int64(q.r.IntN(2_000_000)-500_000), fmt.Sprintf("n%d", q.r.IntN(1000))
		}
		if old, there := q.last[e.id]; !there || e.version >= old.version {
			q.last[e.id] = e
		}
		q.world.add(key%2, e)
	}
	q.world.flush(q.t, q.l.harness)
	q.say("archive %d records", n)
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
		q.l.sql(q.t, "TRUNCATE payroll.events")
		q.table = nil
		return
	}
	r := q.table[q.r.IntN(len(q.table))]
	if q.r.IntN(2) == 0 {
		q.say("DELETE %s", r.id)
		q.l.sql(q.t, fmt.Sprintf("DELETE FROM payroll.events WHERE id = '%s'", r.id))
		q.table = slices.DeleteFunc(q.table, func(o tableRow) bool { return o.id == r.id })
		return
	}
	q.say("UPDATE %s", r.id)
	q.l.sql(q.t, fmt.Sprintf("UPDATE payroll.events SET amount = 0.01 WHERE id = '%s'", r.id))
	for i := range q.table {
		if q.table[i].id == r.id {
			q.table[i].cents = 1
		}
	}
}

func (q *sequence) window(w span) []string {
	return []string{"--dataset", q.file, "--from", fmt.Sprintf("2026-03-%02d", 7+w.from), "--to", fmt.Sprintf("2026-03-%02d", 7+w.to),
		"--slice-days", fmt.Sprint(q.slice), "--chunk-bytes", "600"}
}

// must demands an exit code of a step.
func (q *sequence) must(o outcome, what string, allowed ...int) {
	q.t.Helper()
	if !slices.Contains(allowed, o.exit) {
		q.t.Fatalf("%s: exit code %d, want %v\n%s\nthe steps: %s", what, o.exit, allowed, o.stderr, strings.Join(q.log, "; "))
	}
}

// agree compares the table with the oracle's; one of several states may be right.
func (q *sequence) agree(what string, allowed ...[]tableRow) {
	q.t.Helper()
	got, err := q.l.read(oracleRows)
	if err != nil {
		q.t.Fatal(err)
	}
	slices.Sort(got)
	for _, table := range allowed {
		if slices.Equal(got, lines(table)) {
			q.table = table
			return
		}
	}
	want := lines(allowed[0])
	q.t.Fatalf("%s (mode %s): %d rows, want %d: %s\nthe steps: %s\nthe table:\n%s\nwant:\n%s", what, q.mode, len(got), len(want), firstDifference(got, want),
		strings.Join(q.log, "; "), strings.Join(got, "\n"), strings.Join(want, "\n"))
}

// plan asks for the plan of a window and returns what the oracle knows of it.
func (q *sequence) plan(w span, flags ...string) *sealedPlan {
	q.t.Helper()
	p := q.standing(w)
	if p == nil || len(flags) > 0 {
		p = q.fresh(w)
	}
	o := q.l.again(q.t, append(append([]string{"plan"}, q.window(w)...), flags...))
	q.must(o, "plan", 0)
	if known := slices.IndexFunc(q.plans, func(k *sealedPlan) bool { return k.seq == o.result.Seq }); known >= 0 {
		return q.plans[known]
	}
	p.seq, p.uri = o.result.Seq, o.result.Plan
	q.plans = append(q.plans, p)
	return p
}

// backfill runs the main job.
func (q *sequence) backfill(w span) {
	q.t.Helper()
	p := q.standing(w)
	if p == nil {
		p = q.fresh(w)
	}
	table, no := q.load(p)
	unknown := q.unclear(p) || !slices.Equal(p.seen, q.world.flushed) // or there are newer objects
	q.say("run days %d to %d", w.from, w.to)
	o := q.l.again(q.t, append([]string{"run"}, q.window(w)...))
	if no != 0 {
		q.refused++
		q.refusedLast = true
		q.must(o, "run", int(no))
	} else if unknown {
		q.must(o, "run", 6)
	} else {
		q.must(o, "run", 0)
	}
	q.agree("run", table)
	q.remember(p, o, no == 0)
}

// remember enters the plan that a run used.
func (q *sequence) remember(p *sealedPlan, o outcome, loaded bool) {
	if o.result.Seq == 0 {
		return
	}
	if known := slices.IndexFunc(q.plans, func(k *sealedPlan) bool { return k.seq == o.result.Seq }); known >= 0 {
		q.plans[known].loaded = q.plans[known].loaded || loaded
		return
	}
	p.seq, p.uri, p.loaded = o.result.Seq, o.result.Plan, loaded
	q.plans = append(q.plans, p)
}

// seal plans a window and leaves it at that.
func (q *sequence) seal(w span) {
	q.say("plan days %d to %d", w.from, w.to)
	q.plan(w)
	q.agree("plan", q.table)
}

// revive loads an old plan, which may be finished, overtaken or neither.
func (q *sequence) revive() {
	if len(q.plans) == 0 {
		return
	}
	p := q.plans[q.r.IntN(len(q.plans))]
	q.say("load old plan %d", p.seq)
	q.must(q.l.again(q.t, []string{"convert", "--plan", p.uri}), "convert", 0)
	o := q.l.again(q.t, []string{"load", "--plan", p.uri})
	table, no := q.load(p)
	switch {
	case q.overtaken(p) && !p.loaded:
		q.must(o, "load of an overtaken plan", 4)
		q.refused++
		q.agree("load of an overtaken plan", q.table)
	case p.loaded:
		q.must(o, "load of a finished plan", 0, 4) // 4: by now the stage would make rows vanish
		q.agree("load of a finished plan", q.table)
	default:
		q.must(o, "load of an older plan", int(no))
		q.agree("load of an older plan", table)
		p.loaded = no == 0
	}
}

// race loads two plans of one window at a time: the archive grew between them.
func (q *sequence) race(w span) {
	older := q.plan(w)
	q.grow(1 + q.r.IntN(4))
	newer := q.plan(w, "--replan")
	q.say("race plans %d and %d of days %d to %d", older.seq, newer.seq, w.from, w.to)
	for _, p := range []*sealedPlan{older, newer} {
		q.must(q.l.again(q.t, []string{"convert", "--plan", p.uri}), "convert", 0)
	}
	was := q.oracle.table
	first, _ := q.load(older)
	alone, no := q.load(newer)
	q.table = first
	both, _ := q.load(newer)
	q.table = was
	ends := q.together([]string{"load", "--plan", older.uri}, []string{"load", "--plan", newer.uri})
	q.must(ends[0], "load of the older plan", 0, 4)
	q.must(ends[1], "load of the newer plan", int(no))
	if no != 0 {
		q.refused++
		q.agree("race", was, first)
		older.loaded = older.loaded || ends[0].exit == 0
		return
	}
	q.agree("race", alone, both)
	older.loaded, newer.loaded = older.loaded || ends[0].exit == 0, true
}

// pods loads one plan twice at a time.
func (q *sequence) pods(w span) {
	p := q.plan(w)
	q.say("two pods load plan %d of days %d to %d", p.seq, w.from, w.to)
	q.must(q.l.again(q.t, []string{"convert", "--plan", p.uri}), "convert", 0)
	table, no := q.load(p)
	if p.loaded {
		table, no = q.table, 0
	}
	load := []string{"load", "--plan", p.uri}
	for _, o := range q.together(load, load) {
		q.must(o, "load by one of two pods", int(no))
	}
	q.agree("two pods", table)
	p.loaded = p.loaded || no == 0
}

// together runs commands at a time, and again those that ask for it.
func (q *sequence) together(commands ...[]string) []outcome {
	waits := make([]func() outcome, len(commands))
	for i, c := range commands {
		_, waits[i] = q.l.start(q.t, q.l.env(), c...)
	}
	ends := make([]outcome, len(commands))
	for i := range commands {
		ends[i] = waits[i]()
	}
	for i, c := range commands {
		for try := 0; ends[i].exit == 3 && try < 3; try++ {
			ends[i] = q.l.again(q.t, c)
		}
	}
	return ends
}
