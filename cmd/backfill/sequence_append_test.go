package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// appending is a random sequence in mode append, which has no windows. Its
// oracle knows the objects that were archived and which plans have loaded them.
type appending struct {
	*sequence
	proven  bool // records carry their offsets; else they follow from the objects' names
	objects []appended
	loads   []*appendPlan
	rows    map[[2]int64]tableRow // that stand in the table, by partition and offset
	loaded  map[[2]int64]bool     // that were ever loaded: none is loaded again
	lost    int                   // rows that were deleted by hand
	fresh   bool                  // some of them since the last load
}

// appended is an archived object: records [from, to) of a partition.
type appended struct {
	partition, from, to int
	loaded              bool
}

// appendPlan is a plan: the objects that were new when it was sealed.
type appendPlan struct {
	seq     int64
	uri     string
	objects []int // indexes into appending.objects
	done    bool
}

func newAppending(t *testing.T, l *lane, seed int64) *appending {
	t.Helper()
	q := &sequence{oracle: &oracle{mode: "append", world: newWorld(fmt.Sprintf("a%d", seed), 2)}, t: t, l: l, r: rand.New(rand.NewPCG(uint64(seed), 9)), last: map[string]event{}}
	l.restore(t, "no rows")
	a := &appending{sequence: q, rows: map[[2]int64]tableRow{}, loaded: map[[2]int64]bool{}, proven: q.r.IntN(2) == 0}
	pairs := timeless()
	if a.proven {
		pairs[1] = "event_time: none, partition: value.p, offset: value.o"
	}
	q.file = q.world.datasetFile(t, "append", pairs...)
	return a
}

func (a *appending) run() {
	a.archive(3 + a.r.IntN(6))
	for range 3 + a.r.IntN(4) {
		switch a.r.IntN(9) {
		case 0, 1:
			a.archive(1 + a.r.IntN(4))
			a.load()
		case 2:
			a.load()
		case 3:
			a.repeat()
		case 4:
			a.deleteByHand()
		case 5:
			a.racePlans()
		case 6:
			a.twoPods()
		case 7:
			a.archive(1 + a.r.IntN(4))
		case 8:
			a.planned()
		}
		if a.t.Failed() {
			return
		}
	}
	a.load()
	a.load() // a plan that was left unfinished is finished first
	for _, r := range a.world.visible() {
		if !a.loaded[[2]int64{int64(r.partition), r.offset}] {
			a.fatalf("record %d of partition %d was never loaded", r.offset, r.partition)
		}
	}
}

// archive adds records as new objects.
func (a *appending) archive(n int) {
	before := slices.Clone(a.world.flushed)
	a.grow(n)
	for p, from := range before {
		if to := a.world.flushed[p]; to > from {
			a.objects = append(a.objects, appended{partition: p, from: from, to: to})
		}
	}
}

// left are the objects that no plan has loaded.
func (a *appending) left() []int {
	var list []int
	for i, o := range a.objects {
		if !o.loaded {
			list = append(list, i)
		}
	}
	return list
}

// bring is what loading objects makes of the table: each offset comes once.
func (a *appending) bring(objects []int) (inserted int64) {
	for _, i := range objects {
		o := &a.objects[i]
		o.loaded = true
		for _, r := range a.world.records[o.partition][o.from:o.to] {
			at := [2]int64{int64(r.partition), r.offset}
			if !a.loaded[at] {
				a.loaded[at], a.rows[at] = true, tableRow{event: r.event, source: "payroll", by: "nobody", partition: r.partition, offset: r.offset}
				inserted++
			}
		}
	}
	a.fresh = false
	return inserted
}

// look demands that the table is the oracle's.
func (a *appending) look(what string) {
	a.t.Helper()
	var rows []tableRow
	for _, r := range a.rows {
		rows = append(rows, r)
	}
	a.agree(what, rows)
}

func (a *appending) args(command string, more ...string) []string {
	return append([]string{command, "--dataset", a.file, "--chunk-bytes", "600"}, more...)
}

// standing is the plan that a run goes on with: the newest, if it is unfinished
// and no other plan has loaded one of its objects.
func (a *appending) standing() *appendPlan {
	if len(a.loads) == 0 {
		return nil
	}
	p := a.loads[len(a.loads)-1]
	if p.done || slices.ContainsFunc(p.objects, func(i int) bool { return a.objects[i].loaded }) {
		return nil
	}
	return p
}

// entered remembers the plan that a command used, and demands that it is the
// one that was to be gone on with.
func (a *appending) entered(o outcome, due *appendPlan, objects []int) *appendPlan {
	a.t.Helper()
	i := slices.IndexFunc(a.loads, func(p *appendPlan) bool { return p.seq == o.result.Seq })
	if due != nil && (i < 0 || a.loads[i] != due) || due == nil && i >= 0 || o.result.Seq == 0 {
		a.fatalf("plan %d was used, another one was due: %s", o.result.Seq, o.stderr)
	}
	if i >= 0 {
		return due
	}
	p := &appendPlan{seq: o.result.Seq, uri: o.result.Plan, objects: objects}
	a.loads = append(a.loads, p)
	return p
}

// load runs the main job. Rows that were deleted by hand are a break until the
// next load, and unknown ever after: an append brings none back.
func (a *appending) load() {
	a.t.Helper()
	a.say("run")
	p, objects := a.standing(), a.left()
	if p != nil {
		objects = p.objects
	}
	inserted := int64(0)
	nothing := p == nil && len(objects) == 0
	if !nothing {
		inserted = a.bring(objects)
	}
	exit := 0
	switch {
	case a.fresh:
		exit = 5
	case a.lost > 0, len(a.left()) > 0:
		exit = 6
	}
	o := a.do(exit, "run", a.args("run")...)
	if o.result.Done != nothing || o.result.Inserted != inserted {
		a.fatalf("run: done %v with %d rows inserted, want %v and %d\n%s", o.result.Done, o.result.Inserted, nothing, inserted, o.stderr)
	}
	if !nothing {
		a.entered(o, p, objects).done = true
	}
	a.look("run")
}

// repeat archives records of a partition again, as an archiver that was
// started anew does: an object whose records other objects hold. Without
// offsets in the records it is known by its name and ETag only, and would be
// loaded again, so that only the other kind can be exact.
func (a *appending) repeat() {
	p := a.r.IntN(2)
	n := a.world.flushed[p]
	if n < 2 || !a.proven {
		return
	}
	from := 1 + a.r.IntN(n-1)
	if slices.Contains(a.world.firsts[p], from) {
		return // an object of that name is there
	}
	var b strings.Builder
	for _, r := range a.world.records[p][from:n] {
		b.WriteString(r.line())
	}
	a.world.firsts[p] = append(a.world.firsts[p], from)
	a.objects = append(a.objects, appended{partition: p, from: from, to: n})
	a.say("archive records %d to %d of partition %d again", from, n-1, p)
	key := fmt.Sprintf("%s/events/partition=%d/events+%d+%010d.json", a.world.prefix, p, p, from)
	if err := a.l.put(context.Background(), "archive", key, []byte(b.String())); err != nil {
		a.t.Fatal(err)
	}
}

func (a *appending) deleteByHand() {
	a.say("DELETE half")
	a.l.sql(a.t, "DELETE FROM payroll.events WHERE MOD(_kafka_offset, 2) = 0")
	for at := range a.rows {
		if at[1]%2 == 0 {
			delete(a.rows, at)
			a.lost++
			a.fresh = true
		}
	}
	a.look("delete")
}

// planned seals and converts a plan, nil if nothing is left to load.
func (a *appending) planned(flags ...string) *appendPlan {
	a.t.Helper()
	p, objects := a.standing(), a.left()
	if len(flags) > 0 {
		p = nil
	}
	if p == nil && len(objects) == 0 {
		if o := a.do(0, "plan of nothing", a.args("plan")...); !o.result.Done {
			a.fatalf("a plan of nothing was made: %s", o.stdout)
		}
		return nil
	}
	o := a.do(0, "plan", a.args("plan", flags...)...)
	p = a.entered(o, p, objects)
	a.say("plan %d of %d objects", p.seq, len(p.objects))
	a.do(0, "convert", "convert", "--plan", p.uri)
	return p
}

// racePlans loads two plans at a time of which the newer holds the older's
// objects: whoever commits first has them, and the other one is refused.
func (a *appending) racePlans() {
	older := a.planned()
	a.archive(1 + a.r.IntN(4))
	newest := a.planned("--replan")
	if older == nil {
		return
	}
	a.say("race plans %d and %d", older.seq, newest.seq)
	ends := a.together([]string{"load", "--plan", older.uri}, []string{"load", "--plan", newest.uri})
	winner, other := older, ends[1]
	if ends[1].exit == 0 {
		winner, other = newest, ends[0]
	}
	if other.exit != 4 || other.exit == ends[0].exit && ends[0].exit == ends[1].exit {
		a.fatalf("race: exit codes %d and %d, want 0 and 4\n%s\n%s", ends[0].exit, ends[1].exit, ends[0].stderr, ends[1].stderr)
	}
	a.refused++
	winner.done = true
	a.bring(winner.objects)
	a.look("race")
}

// twoPods loads one plan twice at a time.
func (a *appending) twoPods() {
	p := a.planned()
	if p == nil {
		return
	}
	a.say("two pods load plan %d", p.seq)
	for _, o := range a.together([]string{"load", "--plan", p.uri}, []string{"load", "--plan", p.uri}) {
		a.must(o, 0, "load by one of two pods")
	}
	p.done = true
	a.bring(p.objects)
	a.look("two pods")
}
