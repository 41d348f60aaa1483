// Package timing says where a run's time goes: per stage how long somebody was
// busy in it, how long somebody waited and for whom, and the bytes and rows
// that went through.
//
//	steps of one goroutine   list ─ copy ─ check ─ … ─ commit      Begin
//	lanes of workers         fetch│decompress│decode│… in turn     Lane
//
// Times are of the clock, taken once per block or batch and never per record:
// the operating system gives no CPU time of a goroutine. On lanes they are near
// to CPU time while there are no more workers than processors; what the
// process used in all, by getrusage, stands beside them.
//
// Allocations are those of the whole process between the beginning and the end
// of a step, see [Allocs]: what ran beside the step counts too. Lanes run side
// by side, and the runtime counts for no goroutine by itself, so lanes have one
// figure together: what the process allocated while they worked. How it splits
// between decoding, encoding and the others is in the heap profile that
// --profile keeps. Counters are read when a step or a work begins and ends,
// never by a lane.
//
// Anybody may read a [Snapshot] at any time. Jobs and scan write; the package
// knows neither.
package timing

import (
	"sync"
	"sync/atomic"
	"time"
)

// Times are the counters of one process. A nil one counts nothing. It is safe
// for concurrent use.
type Times struct {
	now     func() time.Time
	allocs  func() Allocs // since the process began
	started time.Time
	stages  [Stages]counter
	waits   [Stages][Stages]atomic.Int64 // nanoseconds that the first waited for the second

	mu      sync.Mutex
	working int           // Works under way
	since   time.Time     // when the first of them began
	worked  time.Duration // of those that ended
	before  Allocs        // the process's when the first of them began
	lanes   Allocs        // while they worked, of those that ended
	codecs  map[string]int64
}

// counter is one stage.
type counter struct {
	busy, bytes, rows, calls atomic.Int64
	allocated, objects       atomic.Uint64 // of steps
}

// New returns counters at zero. Its arguments are the clock and what the process
// allocated up to now, as ReadAllocs tells.
func New(now func() time.Time, allocs func() Allocs) *Times {
	return &Times{now: now, allocs: allocs, started: now(), codecs: map[string]int64{}}
}

// Begin starts a step of one goroutine; the returned function ends it.
func (t *Times) Begin(s Stage) (end func()) {
	if t == nil {
		return func() {}
	}
	from, before := t.now(), t.allocs()
	return func() {
		c, took, made := &t.stages[s], t.now().Sub(from), t.allocs().since(before)
		c.busy.Add(int64(took))
		c.calls.Add(1)
		c.allocated.Add(made.Bytes)
		c.objects.Add(made.Objects)
	}
}

// Passed counts bytes and rows that went through a stage.
func (t *Times) Passed(s Stage, bytes, rows int64) {
	if t == nil {
		return
	}
	t.stages[s].bytes.Add(bytes)
	t.stages[s].rows.Add(rows)
}

// Unpacked counts the compressed bytes of an object of this codec.
func (t *Times) Unpacked(codec string, bytes int64) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.codecs[codec] += bytes
}

// Work begins the time in which lanes work; the returned function ends it.
// Works may overlap: their time and allocations count once.
func (t *Times) Work() (end func()) {
	if t == nil {
		return func() {}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.working == 0 {
		t.since, t.before = t.now(), t.allocs()
	}
	t.working++
	return sync.OnceFunc(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.working--; t.working == 0 {
			t.worked += t.now().Sub(t.since)
			t.lanes = t.lanes.plus(t.allocs().since(t.before))
		}
	})
}

// Lane is the time of one goroutine, which is in one stage at a time. Its owner
// alone may use it; a nil one counts nothing.
type Lane struct {
	t     *Times
	stage Stage // Stages: in none
	on    Stage // that it waits for; Stages: it is busy
	since time.Time
}

// Lane returns a lane that is in no stage.
func (t *Times) Lane() *Lane {
	if t == nil {
		return nil
	}
	return &Lane{t: t, stage: Stages, on: Stages}
}

// Place is where a lane is. The zero Place belongs to a nil lane.
type Place struct{ stage, on Stage }

// Enter makes the lane busy in s and returns where it was, for Back.
func (l *Lane) Enter(s Stage) Place {
	if l != nil {
		l.t.stages[s].calls.Add(1)
	}
	return l.move(Place{s, Stages})
}

// Wait makes the lane wait, where it is, for another stage.
func (l *Lane) Wait(on Stage) Place {
	if l == nil {
		return Place{}
	}
	return l.move(Place{l.stage, on})
}

// Back returns to a place that Enter or Wait left.
func (l *Lane) Back(to Place) { l.move(to) }

// Leave ends the lane's time until it enters a stage again.
func (l *Lane) Leave() { l.move(Place{Stages, Stages}) }

// Passed counts bytes and rows that went through a stage.
func (l *Lane) Passed(s Stage, bytes, rows int64) {
	if l != nil {
		l.t.Passed(s, bytes, rows)
	}
}

// Unpacked counts the compressed bytes of an object of this codec.
func (l *Lane) Unpacked(codec string, bytes int64) {
	if l != nil {
		l.t.Unpacked(codec, bytes)
	}
}

// Beside returns another lane of the same Times, for a goroutine of its own.
func (l *Lane) Beside() *Lane {
	if l == nil {
		return nil
	}
	return l.t.Lane()
}

func (l *Lane) move(to Place) Place {
	if l == nil {
		return Place{}
	}
	now, from := l.t.now(), Place{l.stage, l.on}
	took := int64(now.Sub(l.since))
	switch {
	case l.stage == Stages:
	case l.on == Stages:
		l.t.stages[l.stage].busy.Add(took)
	default:
		l.t.waits[l.stage][l.on].Add(took)
	}
	l.stage, l.on, l.since = to.stage, to.on, now
	return from
}
