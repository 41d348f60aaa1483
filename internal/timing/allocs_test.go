package timing_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"backfill/internal/timing"
)

// TestAllocs: a step has what the process allocated in it, lanes have one figure
// together, and what was allocated outside of both is in neither.
func TestAllocs(t *testing.T) {
	c := newClock()
	c.allocate(7, 7) // before anything began
	times := timing.New(c.now, c.allocs)
	if s := times.Snapshot(); s.Lanes != nil {
		t.Errorf("no lane worked, and they have %+v", *s.Lanes)
	}
	for range 2 {
		end := times.Begin(timing.Copy)
		c.pass(time.Second)
		c.allocate(100, 10)
		end()
		c.allocate(1<<20, 1<<10) // between steps
	}
	end := times.Begin(timing.Commit)
	c.pass(time.Second)
	end()
	first := times.Work()
	lane := times.Lane()
	lane.Enter(timing.Decode)
	c.allocate(1000, 5)
	second := times.Work() // beside the first: counts once
	c.pass(time.Second)
	c.allocate(500, 3)
	if s := times.Snapshot(); s.Lanes == nil || *s.Lanes != (timing.Allocs{Bytes: 1500, Objects: 8}) {
		t.Errorf("under way, lanes have %+v", s.Lanes)
	}
	first()
	c.allocate(50, 1)
	lane.Leave()
	second()
	second() // once
	c.allocate(1<<30, 1)
	third := times.Work()
	c.allocate(6, 1)
	third()

	s := times.Snapshot()
	if s.Lanes == nil || *s.Lanes != (timing.Allocs{Bytes: 1556, Objects: 10}) {
		t.Errorf("lanes have %+v", s.Lanes)
	}
	if got := find(t, s, timing.Copy).Allocs; got == nil || *got != (timing.Allocs{Bytes: 200, Objects: 20}) {
		t.Errorf("copy has %+v", got)
	}
	if got := find(t, s, timing.Commit).Allocs; got == nil || *got != (timing.Allocs{}) {
		t.Errorf("commit allocated nothing, and has %+v", got)
	}
	if got := find(t, s, timing.Decode).Allocs; got != nil {
		t.Errorf("a lane's stage has %+v of its own", *got)
	}
}

// TestAllocsAreKept: work.json has them, a stage of lanes has none, and people
// see the figure of the lanes beside the process's.
func TestAllocsAreKept(t *testing.T) {
	c := newClock()
	times := timing.New(c.now, c.allocs)
	end := times.Begin(timing.List)
	c.pass(time.Second)
	c.allocate(3<<20, 4)
	end()
	work, lane := times.Work(), times.Lane()
	lane.Enter(timing.Decode)
	c.pass(time.Second)
	c.allocate(5<<20, 6)
	lane.Leave()
	work()
	s := times.Snapshot()
	s.Process = &timing.Process{CPU: 2, MaxRSS: 90 << 20, Allocated: 9 << 20}
	body, err := json.Marshal(timing.Work{Command: "run", Timing: s})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"stage":"list","busy_seconds":1,"share":0.5,"calls":1,"allocs":{"allocated_bytes":3145728,"allocated_objects":4}}`,
		`"stage":"decode","busy_seconds":1,"share":0.5,"calls":1}`,
		`"while_lanes_worked":{"allocated_bytes":5242880,"allocated_objects":6}`,
	} {
		if !strings.Contains(string(body), want) {
			t.Errorf("no %s in %s", want, body)
		}
	}
	back, err := timing.ReadWork(body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := back.Timing.String(), "listing the archive is the limit: 50 % of the wall time of 2.0 s; 2.0 CPU seconds, 9 MiB allocated (5 MiB while lanes worked), 90 MiB at most in memory"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// kept holds what TestReadAllocs allocates, so that it lies on the heap.
type kept struct{ list [][]byte }

// TestReadAllocs: the runtime's counters see large objects at once.
func TestReadAllocs(t *testing.T) {
	from := timing.ReadAllocs()
	k := &kept{}
	for range 4 {
		k.list = append(k.list, make([]byte, 1<<20))
	}
	to := timing.ReadAllocs()
	if bytes, objects := to.Bytes-from.Bytes, to.Objects-from.Objects; bytes < 4<<20 || objects < 4 || from.Bytes == 0 {
		t.Errorf("%d bytes in %d objects of %d blocks", bytes, objects, len(k.list))
	}
}
