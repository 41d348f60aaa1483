package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The oracle of the sequences: plain and slow, written from the design's rules
// and sharing nothing with the worker. It says of every step which exit code it
// must have, what the table must hold and what must be counted, and leaves no
// choice but where two workers race.

// tableRow is a row of the table. A row that the worker did not load has no
// place in the archive: its partition is -1.
type tableRow struct {
	event
	source, by string
	partition  int
	offset     int64
}

func (r tableRow) String() string {
	place := "NULL|NULL"
	if r.partition >= 0 {
		place = fmt.Sprintf("%d|%d", r.partition, r.offset)
	}
	return fmt.Sprintf("%s|%d|%s|%s|%s|%s|%s|%s|%s|%s|", r.id, r.version, r.at.UTC().Format("2006-01-02 15:04:05.000000"), amount(r.cents), r.currency, r.note,
		map[bool]string{false: "f", true: "t"}[r.gone], r.source, r.by, place)
}

// oracleRows reads the table in the form of tableRow.String.
const oracleRows = `SELECT id, v, TO_CHAR(happened_at, 'YYYY-MM-DD HH24:MI:SS.US'), amount, currency, note, gone, source, loaded_by, _kafka_partition, _kafka_offset FROM payroll.events`

// contents is a row without its place and who loaded it.
func (r tableRow) contents() string {
	r.partition, r.offset, r.by = -1, 0, ""
	return r.String()
}

// span is a window of whole days of the world's calendar, as indexes into dayStarts.
type span struct{ from, to int }

func (s span) holds(at time.Time) bool {
	starts := dayStarts()
	return !at.Before(starts[s.from]) && at.Before(starts[s.to])
}

func (s span) overlaps(o span) bool { return s.from < o.to && o.from < s.to }

// dayStarts are the midnights of the world's calendar that windows begin and
// end at; the second day has 23 hours.
func dayStarts() []time.Time {
	zone, err := time.LoadLocation(worldZone)
	if err != nil {
		panic(err) // the zone is in the binary
	}
	var starts []time.Time
	for day := 7; day <= 11; day++ {
		starts = append(starts, time.Date(2026, 3, day, 0, 0, 0, 0, zone).UTC())
	}
	return starts
}

// sealedPlan is a plan as the oracle knows it: which records it saw, and which
// of its slices were loaded.
type sealedPlan struct {
	seq     int64
	uri     string
	window  span
	slices  []span
	done    []bool     // by slice
	held    [][]string // by slice that is done: what loads have left in it
	seen    []int      // records of each partition
	stopped bool       // aborted
	left    bool       // it leaves an object out as damaged
	unclear bool       // a slice met versions of which nothing says which is newer
}

func (p *sealedPlan) loaded() bool { return !slices.Contains(p.done, false) }
func (p *sealedPlan) begun() bool  { return slices.Contains(p.done, true) }

// oracle is the archive, the table, and the plans.
type oracle struct {
	mode  string
	days  int // of a slice
	world *world
	table []tableRow
	plans []*sealedPlan
}

// inScope are the rows that the dataset owns.
func inScope(r tableRow) bool { return r.source == "payroll" }

// newer tells whether a is a newer version of a key than b. Within a partition
// the later record wins where versions are equal; else nothing does.
func newer(a, b tableRow) bool {
	if a.version != b.version {
		return a.version > b.version
	}
	return a.partition >= 0 && a.partition == b.partition && a.offset > b.offset
}

// staged are the records that a plan saw in its window.
func (o *oracle) staged(p *sealedPlan) []tableRow {
	var rows []tableRow
	for part, records := range o.world.records {
		for _, r := range records[:p.seen[part]] {
			if p.window.holds(r.at) {
				rows = append(rows, tableRow{event: r.event, source: "payroll", by: "nobody", partition: r.partition, offset: r.offset})
			}
		}
	}
	return rows
}

// winners are the newest version of each key. Of equal ones in several
// partitions the lowest partition's stands for all: that is a finding.
func winners(rows []tableRow) map[string]tableRow {
	best := map[string]tableRow{}
	for _, r := range rows { // in the order of partitions
		if old, there := best[r.id]; !there || newer(r, old) {
			best[r.id] = r
		}
	}
	return best
}

// tied tells whether nothing orders the newest versions of some key: to an
// upsert equal versions of several partitions are a finding in any case, else
// where they differ.
func (o *oracle) tied(p *sealedPlan) bool {
	rows := o.staged(p)
	best := winners(rows)
	return slices.ContainsFunc(rows, func(r tableRow) bool {
		top := best[r.id]
		return r.version == top.version && r.partition != top.partition && (o.mode == "upsert" || r.contents() != top.contents())
	})
}

// counts are what a load says it did.
type counts struct {
	superseded, outdated, already, differing, inserted, deleted, stale, twins int64
}

// effect is what a load makes of the table, and how it must end.
type effect struct {
	table []tableRow
	exit  int
	counts
}

// load loads what is left of a plan, or of the slices that only names.
func (o *oracle) load(p *sealedPlan, only ...int) effect {
	e := effect{table: o.table}
	rows := o.staged(p)
	if p.loaded() {
		return e
	}
	if p.stopped || len(rows) == 0 { // an empty window is refused
		e.exit = 4
		return e
	}
	stage := winners(rows)
	for i, s := range p.slices {
		if p.wants(i, only) && (o.fenced(p, s) || o.mode == "replace_window" && vanishes(o.table, stage, s)) {
			e.exit = 4
			return e
		}
	}
	for i := range p.slices {
		if p.wants(i, only) {
			o.apply(&e, p, stage, i)
		}
	}
	return e
}

// wants tells whether a load changes the slice.
func (p *sealedPlan) wants(slice int, only []int) bool {
	return !p.done[slice] && (len(only) == 0 || slices.Contains(only, slice))
}

// fenced tells whether a newer plan changed rows of the slice: it has the last word.
func (o *oracle) fenced(p *sealedPlan, s span) bool {
	return slices.ContainsFunc(o.plans, func(q *sealedPlan) bool {
		for i, other := range q.slices {
			if p.seq > 0 && q.seq > p.seq && q.done[i] && other.overlaps(s) {
				return true
			}
		}
		return false
	})
}

// vanishes tells whether a row of the slice would go that the stage does not
// hold, or holds in an older version only.
func vanishes(table []tableRow, stage map[string]tableRow, s span) bool {
	return slices.ContainsFunc(table, func(r tableRow) bool {
		w, explained := stage[r.id]
		return inScope(r) && s.holds(r.at) && (!explained || newer(r, w))
	})
}

// apply changes one slice.
func (o *oracle) apply(e *effect, p *sealedPlan, stage map[string]tableRow, slice int) {
	s, in := p.slices[slice], 0
	for _, r := range o.staged(p) {
		if s.holds(r.at) {
			in++
		}
	}
	var come []tableRow
	for _, id := range slices.Sorted(maps.Keys(stage)) {
		if s.holds(stage[id].at) {
			come = append(come, stage[id])
		}
	}
	e.superseded += int64(in - len(come))
	if o.mode == "replace_window" {
		o.replace(e, p, s, come)
		return
	}
	before := e.table
	for _, w := range come {
		o.merge(e, before, w)
	}
}

// replace deletes the slice and inserts what comes, but what has a newer
// version outside of the plan's window. Rows there are not touched: where they
// are older, or nothing says whether they are, they are counted.
func (o *oracle) replace(e *effect, p *sealedPlan, s span, come []tableRow) {
	kept := slices.DeleteFunc(slices.Clone(e.table), func(r tableRow) bool { return inScope(r) && s.holds(r.at) })
	e.deleted += int64(len(e.table) - len(kept))
	for _, w := range come {
		var others []tableRow
		for _, r := range kept {
			if inScope(r) && r.id == w.id && !p.window.holds(r.at) {
				others = append(others, r)
			}
		}
		switch {
		case slices.ContainsFunc(others, func(r tableRow) bool { return newer(r, w) }):
			e.outdated++
			continue
		case slices.ContainsFunc(others, func(r tableRow) bool { return !newer(w, r) }):
			e.twins += int64(len(others))
		default:
			e.stale += int64(len(others))
		}
		kept = append(kept, w)
		e.inserted++
	}
	e.table = kept
}

// merge brings one key: insert_missing where it is absent, upsert also where
// the table's versions are all older. What else stands there stays.
func (o *oracle) merge(e *effect, before []tableRow, w tableRow) {
	mine := func(r tableRow) bool { return inScope(r) && r.id == w.id }
	var there []tableRow
	for _, r := range before {
		if mine(r) {
			there = append(there, r)
		}
	}
	is := func(f func(r tableRow) bool) bool { return slices.ContainsFunc(there, f) }
	same := func(r tableRow) bool { return r.contents() == w.contents() }
	upsert := o.mode == "upsert"
	unordered := func(r tableRow) bool { return !upsert || !newer(r, w) && !newer(w, r) }
	switch {
	case upsert && is(func(r tableRow) bool { return newer(r, w) }):
		e.outdated++
	case is(func(r tableRow) bool { return unordered(r) && same(r) }):
		e.already++
	case is(unordered):
		e.differing++
	default:
		e.deleted += int64(len(there))
		e.table = append(slices.DeleteFunc(slices.Clone(e.table), mine), w)
		e.inserted++
	}
}

// newest is the newest plan of a window, nil for none.
func (o *oracle) newest(w span) *sealedPlan {
	for _, p := range slices.Backward(o.plans) {
		if p.window == w {
			return p
		}
	}
	return nil
}

// standing is the plan that the run of a window goes on with: its newest one,
// if that is neither finished, stopped nor overtaken; nil if the run seals another.
func (o *oracle) standing(w span) *sealedPlan {
	p := o.newest(w)
	if p == nil || p.stopped || p.loaded() || o.fenced(p, p.window) {
		return nil
	}
	return p
}

// fresh is a plan over what the archive holds now.
func (o *oracle) fresh(w span) *sealedPlan {
	p := &sealedPlan{window: w, seen: slices.Clone(o.world.flushed)}
	for from := w.from; from < w.to; from += o.days {
		p.slices = append(p.slices, span{from, min(w.to, from+o.days)})
	}
	p.done, p.held = make([]bool, len(p.slices)), make([][]string, len(p.slices))
	return p
}

// owned are the contents of the dataset's rows in a span, in order.
func owned(table []tableRow, s span) []string {
	var rows []string
	for _, r := range table {
		if inScope(r) && s.holds(r.at) {
			rows = append(rows, r.contents())
		}
	}
	slices.Sort(rows)
	return rows
}

// note keeps what loads have left in slices that are done, after one changed
// the table. What was changed by hand is not in it: that is a break.
func (o *oracle) note(before, after []tableRow) {
	for _, p := range o.plans {
		for i, s := range p.slices {
			switch {
			case !p.done[i]:
			case p.held[i] == nil:
				p.held[i] = append([]string{}, owned(after, s)...)
			default:
				p.held[i] = subtract(append(p.held[i], subtract(owned(after, s), owned(before, s))...), subtract(owned(before, s), owned(after, s)))
				slices.Sort(p.held[i])
			}
		}
	}
}

// subtract takes each of b out of a, once.
func subtract(a, b []string) []string {
	a = slices.Clone(a)
	for _, line := range b {
		if i := slices.Index(a, line); i >= 0 {
			a = slices.Delete(a, i, i+1)
		}
	}
	return a
}

// broken tells whether a slice that the plan has loaded was changed by hand.
func (o *oracle) broken(p *sealedPlan) bool {
	for i, s := range p.slices {
		if p.done[i] && !slices.Equal(p.held[i], owned(o.table, s)) {
			return true
		}
	}
	return false
}

// raced is one way in which a race may end.
type raced struct {
	table []tableRow
	older []bool // slices of the older plan that are loaded
	exit  int    // of the older plan's load
}

// race gives all ways in which the loads of an older and a newer plan of the
// same slices may end, slice by slice, where the older one may not change a
// slice that the newer one has.
func (o *oracle) race(older, newest *sealedPlan) []raced {
	own, other := o.load(older), o.load(newest)
	if own.exit != 0 {
		return []raced{{other.table, older.done, own.exit}}
	}
	if other.exit != 0 { // then nothing is in the older one's way
		return []raced{{own.table, slices.Repeat([]bool{true}, len(older.done)), 0}}
	}
	var ends []raced
	var step func(table []tableRow, done []bool, changed int)
	step = func(table []tableRow, done []bool, changed int) {
		if changed == len(newest.slices) {
			exit := 0
			if slices.Contains(done, false) {
				exit = 4
			}
			ends = append(ends, raced{table, done, exit})
			return
		}
		if next := slices.Index(done, false); next >= changed {
			e := effect{table: table}
			o.apply(&e, older, winners(o.staged(older)), next)
			more := slices.Clone(done)
			more[next] = true
			step(e.table, more, changed)
		}
		e := effect{table: table}
		o.apply(&e, newest, winners(o.staged(newest)), changed)
		step(e.table, done, changed+1)
	}
	step(o.table, older.done, 0)
	return ends
}

// lines are the table's rows in order, as text.
func lines(table []tableRow) []string {
	var out []string
	for _, r := range table {
		out = append(out, r.String())
	}
	slices.Sort(out)
	return out
}

// twice names a key that stands twice among the dataset's rows in the span, "" for none.
func twice(rows []tableRow, in func(time.Time) bool) string {
	seen := map[string]tableRow{}
	for _, r := range rows {
		if !inScope(r) || !in(r.at) {
			continue
		}
		if other, there := seen[r.id]; there {
			return strconv.Quote(r.id) + ": " + other.String() + " and " + r.String()
		}
		seen[r.id] = r
	}
	return ""
}

// setBack names a key of which a whole load lost the newest version, "" for
// none: none may go, be followed by an older version, or come back from a
// deletion without a newer one.
func setBack(before, after []tableRow) string {
	newest := func(rows []tableRow) map[string]tableRow {
		best := map[string]tableRow{}
		for _, r := range rows {
			if old, there := best[r.id]; inScope(r) && (!there || r.version > old.version) {
				best[r.id] = r
			}
		}
		return best
	}
	now := newest(after)
	for id, was := range newest(before) {
		is, there := now[id]
		switch {
		case !there:
			return fmt.Sprintf("the key %s is gone: %s", id, was)
		case is.version < was.version:
			return fmt.Sprintf("an older version stands in the place of a newer one: %s of %s", is, was)
		case is.version == was.version && is.gone != was.gone:
			return fmt.Sprintf("a deleted key came back, or the other way round: %s of %s", is, was)
		}
	}
	return ""
}
