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
// oracle is the set of records that are loaded: each may be loaded once.
type appending struct {
	*sequence
	loaded  map[[2]int64]bool // by partition and offset
	proven  bool              // records carry their offsets; else they follow from the objects' names
	touched bool              // rows were deleted by hand: they do not come back
}

func newAppending(t *testing.T, l *lane, seed int64) *appending {
	t.Helper()
	q := &sequence{oracle: &oracle{mode: "append", world: newWorld(fmt.Sprintf("a%d", seed), 2)}, t: t, l: l, r: rand.New(rand.NewPCG(uint64(seed), 9)), last: map[string]event{}}
	l.restore(t, "no rows")
	a := &appending{sequence: q, loaded: map[[2]int64]bool{}, proven: q.r.IntN(2) == 0}
	pairs := timeless()
	if a.proven {
		pairs[1] = "event_time: none, partition: value.p, offset: value.o"
	}
	q.file = q.world.datasetFile(t, "append", pairs...)
	return a
}

func (a *appending) run() {
	a.grow(3 + a.r.IntN(6))
	for range 3 + a.r.IntN(3) {
		switch a.r.IntN(8) {
		case 0, 1:
			a.grow(1 + a.r.IntN(4))
			a.load("run")
		case 2:
			a.load("run")
		case 3:
			if a.proven { // without, a repeated record is known by its key only, and kept
				a.repeat()
			}
		case 4:
			a.deleteByHand()
		case 5:
			a.racePlans()
		case 6:
			a.twoPods()
		case 7:
			a.grow(1 + a.r.IntN(4))
		}
		if a.t.Failed() {
			return
		}
	}
	a.load("run")
	a.load("run") // a plan that was left unfinished is finished first
	for _, r := range a.world.visible() {
		if !a.loaded[[2]int64{int64(r.partition), r.offset}] {
			a.t.Fatalf("record %d of partition %d was never loaded\nthe steps: %s", r.offset, r.partition, strings.Join(a.log, "; "))
		}
	}
}

// look reads what is in the table now and demands that every record that is
// loaded stands there once, with its own values, and that none went.
func (a *appending) look(what string) {
	a.t.Helper()
	got, err := a.l.read(oracleRows)
	if err != nil {
		a.t.Fatal(err)
	}
	slices.Sort(got)
	known := map[string][2]int64{}
	for _, r := range a.world.visible() {
		row := tableRow{event: r.event, source: "payroll", by: "nobody", partition: r.partition, offset: r.offset}
		known[row.String()] = [2]int64{int64(r.partition), r.offset}
	}
	now := map[[2]int64]bool{}
	for _, line := range got {
		place, there := known[line]
		if !there || now[place] {
			a.t.Fatalf("%s: the row %s is not archived, or stands twice\nthe steps: %s\nthe table:\n%s", what, line, strings.Join(a.log, "; "), strings.Join(got, "\n"))
		}
		now[place] = true
	}
	for place := range a.loaded {
		if !now[place] && !a.touched {
			a.t.Fatalf("%s: record %d of partition %d has gone\nthe steps: %s", what, place[1], place[0], strings.Join(a.log, "; "))
		}
	}
	for place := range now {
		a.loaded[place] = true
	}
}

func (a *appending) args(command string, more ...string) []string {
	return append([]string{command, "--dataset", a.file, "--chunk-bytes", "600"}, more...)
}

// load runs the main job.
func (a *appending) load(command string) {
	a.t.Helper()
	a.say("%s", command)
	allowed := []int{0, 6} // 6: it finished an older plan, and there are newer objects
	if a.touched {
		allowed = append(allowed, 5) // what was deleted by hand is a break
	}
	a.must(a.l.again(a.t, a.args(command)), command, allowed...)
	a.look(command)
}

// repeat archives records of a partition again, as an archiver that was
// started anew does: an object whose records other objects hold.
func (a *appending) repeat() {
	p := a.r.IntN(2)
	n := a.world.flushed[p]
	if n < 2 {
		return
	}
	from := 1 + a.r.IntN(n-1)
	key := fmt.Sprintf("%s/events/partition=%d/events+%d+%010d.json", a.world.prefix, p, p, from)
	var b strings.Builder
	for _, r := range a.world.records[p][from:n] {
		b.WriteString(r.line())
	}
	if slices.Contains(a.world.firsts[p], from) {
		return // an object of that name is there
	}
	a.world.firsts[p] = append(a.world.firsts[p], from)
	a.say("archive records %d to %d of partition %d again", from, n-1, p)
	if err := a.l.put(context.Background(), "archive", key, []byte(b.String())); err != nil {
		a.t.Fatal(err)
	}
}

func (a *appending) deleteByHand() {
	a.say("DELETE half")
	a.l.sql(a.t, "DELETE FROM payroll.events WHERE MOD(_kafka_offset, 2) = 0")
	a.touched = true
	a.look("delete")
}

// planned seals and converts a plan, "" if nothing is left to load.
func (a *appending) planned(more ...string) string {
	o := a.l.again(a.t, a.args("plan", more...))
	a.must(o, "plan", 0, 4) // 4: nothing is left
	if o.exit != 0 || o.result.Done {
		return ""
	}
	a.must(a.l.again(a.t, []string{"convert", "--plan", o.result.Plan}), "convert", 0)
	return o.result.Plan
}

// racePlans loads two plans at a time of which the newer holds the older's objects.
func (a *appending) racePlans() {
	older := a.planned()
	a.grow(1 + a.r.IntN(4))
	newer := a.planned("--replan")
	if older == "" || newer == "" {
		return
	}
	a.say("race %s and %s", older, newer)
	for _, o := range a.together([]string{"load", "--plan", older}, []string{"load", "--plan", newer}) {
		a.must(o, "load", 0, 4) // 4: the other plan was there first
	}
	a.look("race")
}

// twoPods loads one plan twice at a time.
func (a *appending) twoPods() {
	plan := a.planned()
	if plan == "" {
		return
	}
	a.say("two pods load %s", plan)
	for _, o := range a.together([]string{"load", "--plan", plan}, []string{"load", "--plan", plan}) {
		a.must(o, "load", 0)
	}
	a.look("two pods")
}
