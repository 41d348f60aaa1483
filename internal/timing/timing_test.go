package timing_test

import (
	"math"
	"sync"
	"testing"
	"time"

	"backfill/internal/timing"
)

// clock is a time, and a heap, that tests move.
type clock struct {
	at   time.Time
	heap timing.Allocs
}

func (c *clock) now() time.Time        { return c.at }
func (c *clock) allocs() timing.Allocs { return c.heap }
func (c *clock) pass(d time.Duration)  { c.at = c.at.Add(d) }
func (c *clock) allocate(bytes, objects uint64) {
	c.heap.Bytes, c.heap.Objects = c.heap.Bytes+bytes, c.heap.Objects+objects
}

func newClock() *clock { return &clock{at: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)} }

func find(t *testing.T, s timing.Snapshot, stage timing.Stage) timing.Spent {
	t.Helper()
	for _, e := range s.Stages {
		if e.Stage == stage.String() {
			return e
		}
	}
	t.Fatalf("no stage %s in %+v", stage, s)
	return timing.Spent{}
}

// TestLane: a lane's time is in one place at a time, and nested blocks give back
// to the one around them.
func TestLane(t *testing.T) {
	c := newClock()
	times := timing.New(c.now, c.allocs)
	end := times.Work()
	lane := times.Lane()
	lane.Enter(timing.Decode)
	c.pass(3 * time.Second)
	at := lane.Enter(timing.Decompress)
	c.pass(4 * time.Second)
	inner := lane.Wait(timing.Fetch)
	c.pass(2 * time.Second)
	lane.Back(inner)
	c.pass(time.Second)
	lane.Back(at)
	c.pass(time.Second)
	lane.Leave()
	c.pass(time.Hour) // in no stage
	lane.Passed(timing.Decode, 10, 20)
	lane.Unpacked("gzip", 100)
	end()
	end() // once
	s := times.Snapshot()
	decode, gzip := find(t, s, timing.Decode), find(t, s, timing.Decompress)
	if decode.Busy != 4 || decode.Waiting != nil || decode.Bytes != 10 || decode.Rows != 20 {
		t.Errorf("decode: %+v", decode)
	}
	if gzip.Busy != 5 || len(gzip.Waiting) != 1 || gzip.Waiting[0] != (timing.Waited{For: "fetch", Seconds: 2}) || gzip.Calls != 1 {
		t.Errorf("decompress: %+v", gzip)
	}
	if s.Working != 3611 || s.Wall != 3611 {
		t.Errorf("wall %v, working %v", s.Wall, s.Working)
	}
	if total := decode.Share + gzip.Share; math.Abs(total-1) > 1e-9 {
		t.Errorf("the shares of all lanes are %v of the time in which workers ran", total)
	}
}

// TestBottleneck gives the sentence of runs that are slow for one reason each.
func TestBottleneck(t *testing.T) {
	cases := []struct {
		want string
		run  func(c *clock, times *timing.Times)
	}{
		{"nothing took measurable time", func(*clock, *timing.Times) {}},
		{"COPY is the limit: 63 % of the wall time", func(c *clock, times *timing.Times) {
			end := times.Begin(timing.List)
			c.pass(37 * time.Second)
			end()
			end = times.Begin(timing.Copy)
			c.pass(63 * time.Second)
			end()
		}},
		{"gzip is the limit: decompressing took 50 % of the wall time", func(c *clock, times *timing.Times) {
			times.Unpacked("zstd", 1)
			times.Unpacked("gzip", 2)
			defer times.Work()()
			a, b := times.Lane(), times.Lane() // two workers at a time
			a.Enter(timing.Decompress)
			b.Enter(timing.Decompress)
			c.pass(5 * time.Second)
			a.Enter(timing.Decode)
			b.Enter(timing.Encode)
			c.pass(5 * time.Second)
			a.Leave()
			b.Leave()
		}},
		{"fetching from S3 is the limit: workers waited for it 80 % of the wall time", func(c *clock, times *timing.Times) {
			defer times.Work()()
			l := times.Lane()
			l.Enter(timing.Decompress)
			c.pass(2 * time.Second)
			l.Wait(timing.Fetch)
			c.pass(8 * time.Second)
			l.Leave()
		}},
		{"another session is the limit: waiting for the ledger's lock took 100 % of the wall time", func(c *clock, times *timing.Times) {
			defer times.Begin(timing.Lock)()
			c.pass(time.Second)
		}},
		{"decoding records waits for writing Parquet: 60 % of the wall time", func(c *clock, times *timing.Times) {
			defer times.Work()()
			l := times.Lane()
			l.Enter(timing.Decode)
			c.pass(4 * time.Second)
			l.Wait(timing.Encode)
			c.pass(6 * time.Second)
			l.Leave()
		}},
	}
	for _, test := range cases {
		c := newClock()
		times := timing.New(c.now, c.allocs)
		test.run(c, times)
		if got := times.Snapshot().Bottleneck; got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestNobodyCounts: nil times and lanes are for callers that have no use for them.
func TestNobodyCounts(t *testing.T) {
	var times *timing.Times
	times.Begin(timing.Copy)()
	times.Work()()
	times.Passed(timing.Copy, 1, 1)
	times.Unpacked("gzip", 1)
	lane := times.Lane()
	lane.Back(lane.Enter(timing.Decode))
	lane.Back(lane.Wait(timing.Fetch))
	lane.Passed(timing.Decode, 1, 1)
	lane.Unpacked("gzip", 1)
	lane.Beside().Leave()
	if s := times.Snapshot(); len(s.Stages) != 0 {
		t.Errorf("%+v", s)
	}
}

// TestConcurrentUse: lanes of many goroutines, read at any time.
func TestConcurrentUse(t *testing.T) {
	times := timing.New(time.Now, timing.ReadAllocs)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			defer times.Work()()
			lane := times.Lane()
			for range 1000 {
				lane.Enter(timing.Decode)
				lane.Passed(timing.Decode, 0, 1)
				lane.Back(lane.Wait(timing.Fetch))
				lane.Leave()
			}
			_ = times.Snapshot()
		})
	}
	all.Wait()
	if got := find(t, times.Snapshot(), timing.Decode); got.Rows != 8000 || got.Calls != 8000 {
		t.Errorf("%+v", got)
	}
}

// TestMoveAllocatesNothing: lanes move on the data plane.
func TestMoveAllocatesNothing(t *testing.T) {
	lane := timing.New(time.Now, timing.ReadAllocs).Lane()
	if n := testing.AllocsPerRun(100, func() {
		at := lane.Enter(timing.Decode)
		lane.Back(lane.Wait(timing.Fetch))
		lane.Passed(timing.Decode, 1, 1)
		lane.Back(at)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestProcess(t *testing.T) {
	p := timing.ReadProcess()
	if p.CPU <= 0 || p.MaxRSS < 1<<20 || p.Allocated == 0 || p.Objects == 0 || p.Goroutines < 1 {
		t.Errorf("%+v", p)
	}
}

func BenchmarkMove(b *testing.B) {
	lane := timing.New(time.Now, timing.ReadAllocs).Lane()
	for b.Loop() {
		lane.Back(lane.Enter(timing.Decode))
	}
}
