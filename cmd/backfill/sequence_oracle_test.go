package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// The oracle of the sequences: plain and slow, written from the design's rules
// and sharing nothing with the worker.

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
	return fmt.Sprintf("%s|%d|%s|%s|%s|%s|%s|%s|%s|", r.id, r.version, r.at.UTC().Format("2006-01-02 15:04:05.000000"), amount(r.cents), r.currency, r.note, r.source, r.by, place)
}

// oracleRows reads the table in the form of tableRow.String.
const oracleRows = `SELECT id, v, TO_CHAR(happened_at, 'YYYY-MM-DD HH24:MI:SS.US'), amount, currency, note, source, loaded_by, _kafka_partition, _kafka_offset FROM payroll.events`

// span is a window of whole days of the world's calendar, as indexes into dayStarts.
type span struct{ from, to int }

// sealedPlan is a plan as the oracle knows it: which records it saw, and which
// of its slices were loaded.
type sealedPlan struct {
	seq    int64
	window span
	seen   []int // records of each partition
	loaded bool
	uri    string
}

// oracle is the archive, the table, and the plans.
type oracle struct {
	mode  string
	world *world
	table []tableRow
	plans []*sealedPlan
}

// inScope are the rows that the dataset owns.
func inScope(r tableRow) bool { return r.source == "payroll" }

func (s span) holds(at time.Time) bool {
	starts := dayStarts()
	return !at.Before(starts[s.from]) && at.Before(starts[s.to])
}

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

// newer tells whether a is a newer version of a key than b. Within a partition
// the later record wins where versions are equal.
func newer(a, b tableRow) bool {
	if a.version != b.version {
		return a.version > b.version
	}
	return a.partition >= 0 && a.partition == b.partition && a.offset > b.offset
}

// stage is what a plan brings: the newest version of each key among the
// records that it saw in its window.
func (o *oracle) stage(p *sealedPlan) map[string]tableRow {
	rows := map[string]tableRow{}
	for part, records := range o.world.records {
		for _, r := range records[:p.seen[part]] {
			if !p.window.holds(r.at) {
				continue
			}
			row := tableRow{event: r.event, source: "payroll", by: "nobody", partition: r.partition, offset: r.offset}
			if old, there := rows[r.id]; !there || newer(row, old) {
				rows[r.id] = row
			}
		}
	}
	return rows
}

// refusal is why nothing may change: the exit code that must be given, 0 for none.
type refusal int

// load is what loading a plan makes of the table.
func (o *oracle) load(p *sealedPlan) (table []tableRow, no refusal) {
	stage := o.stage(p)
	if len(stage) == 0 {
		return o.table, 4 // nothing to load: an empty window is refused
	}
	switch o.mode {
	case "replace_window":
		return o.replace(p, stage)
	case "upsert":
		return o.upsert(stage), 0
	case "insert_missing":
		return o.insertMissing(stage), 0
	}
	panic("no such mode: " + o.mode)
}

// replace deletes the window and inserts the stage, but what has a newer
// version outside of the window. A row whose key the stage does not hold, or
// holds in an older version, would vanish: then nothing may change.
func (o *oracle) replace(p *sealedPlan, stage map[string]tableRow) ([]tableRow, refusal) {
	var table []tableRow
	newest := maps.Clone(stage)
	for _, r := range o.table {
		s, explained := stage[r.id]
		if !inScope(r) || !p.window.holds(r.at) {
			table = append(table, r)
			if inScope(r) && explained && newer(r, s) {
				delete(newest, r.id)
			}
			continue
		}
		if !explained || newer(r, s) {
			return o.table, 4
		}
	}
	for _, r := range newest {
		table = append(table, r)
	}
	return table, 0
}

// upsert changes the rows of which the stage has a newer version, wherever
// they stand, and adds those whose key is absent.
func (o *oracle) upsert(stage map[string]tableRow) []tableRow {
	table := slices.Clone(o.table)
	for _, s := range stage {
		older := func(r tableRow) bool { return inScope(r) && r.id == s.id && newer(s, r) }
		keeps := func(r tableRow) bool { return inScope(r) && r.id == s.id && !newer(s, r) }
		if slices.ContainsFunc(table, keeps) {
			continue
		}
		table = slices.DeleteFunc(table, older)
		table = append(table, s)
	}
	return table
}

// unclear tells whether an upsert meets versions that are equal, not ordered
// by a partition, and differ: which one is true is not known.
func (o *oracle) unclear(p *sealedPlan) bool {
	for _, s := range o.stage(p) {
		for _, r := range o.table {
			if o.mode == "upsert" && inScope(r) && r.id == s.id && !newer(s, r) && !newer(r, s) && r.contents() != s.contents() {
				return true
			}
		}
	}
	return false
}

// contents is a row without its place and who loaded it.
func (r tableRow) contents() string {
	r.partition, r.offset, r.by = -1, 0, ""
	return r.String()
}

// insertMissing adds the rows whose key is absent.
func (o *oracle) insertMissing(stage map[string]tableRow) []tableRow {
	table := slices.Clone(o.table)
	for _, s := range stage {
		if !slices.ContainsFunc(o.table, func(r tableRow) bool { return inScope(r) && r.id == s.id }) {
			table = append(table, s)
		}
	}
	return table
}

// overtaken tells whether a newer plan has changed days of this one.
func (o *oracle) overtaken(p *sealedPlan) bool {
	return slices.ContainsFunc(o.plans, func(q *sealedPlan) bool {
		return q.loaded && q.seq > p.seq && q.window.from < p.window.to && p.window.from < q.window.to
	})
}

// standing is the plan that the run of a window goes on with: its newest one,
// if that is neither finished nor overtaken; nil if the run seals another.
func (o *oracle) standing(w span) *sealedPlan {
	for _, p := range slices.Backward(o.plans) {
		if p.window != w {
			continue
		}
		if p.loaded || o.overtaken(p) {
			return nil
		}
		return p
	}
	return nil
}

// fresh is a plan over what the archive holds now.
func (o *oracle) fresh(w span) *sealedPlan {
	return &sealedPlan{window: w, seen: slices.Clone(o.world.flushed)}
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

// twice names a key that stands twice among the dataset's rows, "" for none.
func twice(rows []tableRow) string {
	seen := map[string]tableRow{}
	for _, r := range rows {
		if !inScope(r) {
			continue
		}
		if other, there := seen[r.id]; there {
			return strconv.Quote(r.id) + ": " + other.String() + " and " + r.String()
		}
		seen[r.id] = r
	}
	return ""
}
