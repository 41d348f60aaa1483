package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"slices"
	"strings"
)

// The steps of the sequences in which a plan is not simply run.

// seal plans a window and leaves it at that.
func (q *sequence) seal(w span) {
	q.say("plan days %d to %d", w.from, w.to)
	if p := q.newest(w); p != nil && p.stopped {
		q.do(4, "plan of a window whose plan was stopped", append([]string{"plan"}, q.window(w)...)...)
		return
	}
	q.plan(w)
	q.agree("plan", q.table)
}

// planned is the plan of a window, converted; one that was stopped is replaced.
func (q *sequence) planned(w span, flags ...string) *sealedPlan {
	q.t.Helper()
	if p := q.newest(w); p != nil && p.stopped {
		flags = append(flags, "--replan")
	}
	p := q.plan(w, flags...)
	q.do(0, "convert", "convert", "--plan", p.uri)
	return p
}

// revive loads an old plan, which may be finished, overtaken, stopped or
// neither: a newer version or a deletion that came since stays.
func (q *sequence) revive() {
	if len(q.plans) == 0 {
		return
	}
	p := q.plans[q.r.IntN(len(q.plans))]
	q.say("load old plan %d", p.seq)
	if !p.stopped {
		q.do(0, "convert", "convert", "--plan", p.uri)
	}
	e := q.load(p)
	o := q.do(e.exit, "load of an old plan", "load", "--plan", p.uri)
	q.took("load of an old plan", p, o, e)
}

// some loads one slice of a plan, and leaves the others for later.
func (q *sequence) some(w span) {
	p := q.planned(w)
	slice := q.r.IntN(len(p.slices))
	day := fmt.Sprintf("2026-03-%02d", 7+p.slices[slice].from)
	q.say("load plan %d of days %d to %d --only %s", p.seq, w.from, w.to, day)
	e := q.load(p, slice)
	o := q.do(e.exit, "load --only", "load", "--plan", p.uri, "--only", day)
	q.took("load --only", p, o, e, slice)
}

// parts converts a plan partition by partition; then it is whole.
func (q *sequence) parts(w span) {
	if p := q.newest(w); p != nil && p.stopped {
		return
	}
	p := q.plan(w)
	q.say("convert plan %d of days %d to %d --only each partition", p.seq, w.from, w.to)
	for partition, seen := range p.seen {
		if seen > 0 {
			q.do(0, "convert --only", "convert", "--plan", p.uri, "--only", fmt.Sprint(partition))
		}
	}
	e := q.load(p)
	o := q.do(e.exit, "load of a plan converted in parts", "load", "--plan", p.uri)
	q.took("load of a plan converted in parts", p, o, e)
}

// damage archives an object that can't be read: nothing is loaded until a
// person leaves it out, and when it is mended it is read.
func (q *sequence) damage(w span) {
	q.records(2)
	partition := slices.IndexFunc([]int{0, 1}, func(p int) bool { return q.world.flushed[p] < len(q.world.records[p]) })
	key, body := q.world.peek(partition)
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(body); err != nil {
		q.t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		q.t.Fatal(err)
	}
	q.say("archive %s damaged, run days %d to %d", key, w.from, w.to)
	if err := q.l.put(context.Background(), "archive", key, b.Bytes()[:b.Len()/2]); err != nil {
		q.t.Fatal(err)
	}
	o := q.do(4, "run over a damaged object", append(append([]string{"run"}, q.window(w)...), "--replan")...)
	_, name, ok := strings.Cut(o.result.Hint, "--accept-damaged ")
	if !ok || o.result.Code != "archive_damaged" {
		q.fatalf("%s: %s (%s)", o.result.Code, o.result.Error, o.result.Hint)
	}
	q.agree("run over a damaged object", q.table)
	q.backfill(w, "--accept-damaged", strings.TrimSpace(name))
	accepted := q.plans[len(q.plans)-1]
	q.world.flush(q.t, q.l.harness) // the object of that name, too
	q.say("mend it")
	if accepted.loaded() {
		q.backfill(w)
	} else {
		q.backfill(w, "--replan")
	}
}

// abort stops a plan, which then nobody loads; a finished one can't be stopped.
func (q *sequence) abort(w span) {
	p := q.newest(w)
	if p == nil || q.r.IntN(2) == 0 {
		p = q.planned(w)
	} else if !p.stopped {
		q.do(0, "convert", "convert", "--plan", p.uri)
	}
	loaded := 0
	for _, done := range p.done {
		if done {
			loaded++
		}
	}
	q.say("abort plan %d of days %d to %d", p.seq, w.from, w.to)
	args := []string{"abort", fmt.Sprint(p.seq), "--dataset", q.file, "--reason", "a test"}
	if p.loaded() {
		q.do(4, "abort of a finished plan", args...)
		q.agree("abort", q.table)
		return
	}
	if o := q.do(0, "abort", args...); o.result.Loaded != loaded {
		q.fatalf("abort saw %d slices, want %d", o.result.Loaded, loaded)
	}
	p.stopped = true
	if o := q.do(4, "load of an aborted plan", "load", "--plan", p.uri); o.result.Code != "plan_stopped" && len(q.staged(p)) > 0 {
		q.fatalf("%s: %s", o.result.Code, o.result.Error)
	}
	q.agree("abort", q.table)
	q.backfill(w)
	q.backfill(w, "--replan")
}

// race loads two plans of one window at a time: the archive grew between them.
func (q *sequence) race(w span) {
	older := q.planned(w)
	q.grow(1 + q.r.IntN(4))
	newest := q.planned(w, "--replan")
	q.say("race plans %d and %d of days %d to %d", older.seq, newest.seq, w.from, w.to)
	ends, exit := q.oracle.race(older, newest), q.load(newest).exit
	outcomes := q.together([]string{"load", "--plan", older.uri}, []string{"load", "--plan", newest.uri})
	q.must(outcomes[1], exit, "load of the newer plan")
	got := q.read()
	for _, end := range ends {
		if outcomes[0].exit == end.exit && slices.Equal(got, lines(end.table)) {
			before := q.table
			q.table, older.done = end.table, end.older
			for i := range newest.done {
				newest.done[i] = exit == 0
			}
			q.note(before, q.table)
			if lost := setBack(before, q.table); exit == 0 && lost != "" {
				q.fatalf("race: %s", lost)
			}
			return
		}
	}
	q.say("the older one ended with exit code %d, the first of %d possible ends has %d: %s", outcomes[0].exit, len(ends), ends[0].exit, outcomes[0].stderr)
	q.differs("race", got, ends[0].table)
}

// pods loads one plan twice at a time.
func (q *sequence) pods(w span) {
	p := q.planned(w)
	q.say("two pods load plan %d of days %d to %d", p.seq, w.from, w.to)
	e := q.load(p)
	load := []string{"load", "--plan", p.uri}
	for _, o := range q.together(load, load) {
		q.must(o, e.exit, "load by one of two pods")
	}
	q.took("two pods", p, outcome{result: result{Done: true}}, e) // who counted what is chance
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
