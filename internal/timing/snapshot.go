package timing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Snapshot is where time went up to a moment. Seconds are of the clock; those of
// several workers add up.
type Snapshot struct {
	Wall       float64  `json:"wall_seconds"`
	Working    float64  `json:"workers_wall_seconds,omitempty"` // the part of it in which workers ran
	Bottleneck string   `json:"bottleneck"`                     // one sentence
	Stages     []Spent  `json:"stages"`                         // those that were met, in the order of a run
	Lanes      *Allocs  `json:"while_lanes_worked,omitempty"`   // nil: none worked
	Process    *Process `json:"process,omitempty"`
}

// Spent is what one stage took.
type Spent struct {
	Stage   string   `json:"stage"`
	Busy    float64  `json:"busy_seconds"`
	Waiting []Waited `json:"waiting,omitempty"` // in this stage, for others
	Share   float64  `json:"share"`             // of the run's wall time, 0 to 1; waiting included
	Bytes   int64    `json:"bytes,omitempty"`
	Rows    int64    `json:"rows,omitempty"`
	Calls   int64    `json:"calls"`            // statements, blocks or batches
	Allocs  *Allocs  `json:"allocs,omitempty"` // of a step; nil on lanes, see Snapshot.Lanes
}

// Waited is how long a stage waited for another one.
type Waited struct {
	For     string  `json:"for"`
	Seconds float64 `json:"seconds"`
}

// Snapshot reads the counters. Times of stages that are under way count up to
// the last block or batch.
func (t *Times) Snapshot() Snapshot {
	if t == nil {
		return Snapshot{Stages: []Spent{}}
	}
	now := t.now()
	t.mu.Lock()
	worked, lanes := t.worked, t.lanes
	if t.working > 0 {
		worked += now.Sub(t.since)
		lanes = lanes.plus(t.allocs().since(t.before))
	}
	codecs := maps.Clone(t.codecs)
	t.mu.Unlock()
	r := t.weigh(now.Sub(t.started), worked, codecs)
	if worked > 0 || lanes != (Allocs{}) {
		r.Lanes = &lanes
	}
	return r
}

// weigh spreads the wall time over the stages: steps have their own, and the
// time in which workers ran is shared out as their lanes spent it.
func (t *Times) weigh(wall, worked time.Duration, codecs map[string]int64) Snapshot {
	r := Snapshot{Wall: wall.Seconds(), Working: worked.Seconds(), Stages: []Spent{}}
	var lanes, steps int64
	for s := range Stages {
		if s.ofWorkers() {
			lanes += t.spent(s)
		} else {
			steps += t.spent(s)
		}
	}
	whole := max(wall.Seconds(), worked.Seconds()+seconds(steps), 1e-9)
	share := func(s Stage, ns int64) float64 {
		if !s.ofWorkers() {
			return seconds(ns) / whole
		}
		return worked.Seconds() / whole * float64(ns) / float64(max(lanes, 1))
	}
	best := limit{share: -1}
	for s := range Stages {
		c := &t.stages[s]
		e := Spent{Stage: s.String(), Busy: seconds(c.busy.Load()), Share: share(s, t.spent(s)), Bytes: c.bytes.Load(), Rows: c.rows.Load(), Calls: c.calls.Load()}
		if !s.ofWorkers() {
			e.Allocs = &Allocs{Bytes: c.allocated.Load(), Objects: c.objects.Load()}
		}
		best.take(s, Stages, share(s, c.busy.Load()))
		for on := range Stages {
			if ns := t.waits[s][on].Load(); ns > 0 {
				e.Waiting = append(e.Waiting, Waited{For: on.String(), Seconds: seconds(ns)})
				best.take(s, on, share(s, ns))
			}
		}
		if e.Busy > 0 || e.Waiting != nil || e.Bytes > 0 || e.Rows > 0 {
			r.Stages = append(r.Stages, e)
		}
	}
	r.Bottleneck = best.sentence(codecs)
	return r
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }

// spent is the time of a stage, busy and waiting, in nanoseconds.
func (t *Times) spent(s Stage) int64 {
	n := t.stages[s].busy.Load()
	for on := range Stages {
		n += t.waits[s][on].Load()
	}
	return n
}

// limit is the state with the largest share of the wall time.
type limit struct {
	stage, on Stage
	share     float64
}

func (l *limit) take(stage, on Stage, share float64) {
	if share > l.share {
		*l = limit{stage, on, share}
	}
}

// sentence names the limit, and what kind of number its share is.
func (l *limit) sentence(codecs map[string]int64) string {
	if l.share <= 0 {
		return "nothing took measurable time"
	}
	percent := fmt.Sprintf("%.0f %% of the wall time", l.share*100)
	switch {
	case l.on < Stages && l.on.remote():
		return fmt.Sprintf("%s is the limit: workers waited for it %s", said[l.on], percent)
	case l.on < Stages:
		return fmt.Sprintf("%s waits for %s: %s", said[l.stage], said[l.on], percent)
	case l.stage == Lock:
		return fmt.Sprintf("another session is the limit: waiting for the ledger's lock took %s", percent)
	case l.stage == Decompress && len(codecs) > 0:
		names := slices.SortedFunc(maps.Keys(codecs), func(a, b string) int { return cmp.Or(cmp.Compare(codecs[b], codecs[a]), strings.Compare(a, b)) })
		return fmt.Sprintf("%s is the limit: decompressing took %s", names[0], percent)
	}
	return fmt.Sprintf("%s is the limit: %s", said[l.stage], percent)
}
