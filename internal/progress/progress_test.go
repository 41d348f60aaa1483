package progress_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"backfill/internal/progress"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{at: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)} }

func TestLines(t *testing.T) {
	c := newClock()
	m := progress.Sized("converting", "chunks", 400e6, 4, c.now)
	steps := []struct {
		do   func()
		want string
	}{
		{func() {}, "converting 0%, 0 of 4 chunks, 0 rows"},
		{func() { c.pass(20 * time.Second) }, "converting 0%, 0 of 4 chunks, 0 rows"}, // nothing to go by: no rate, no estimate
		{func() { c.pass(20 * time.Second); m.Read(100e6) }, "converting 25%, 0 of 4 chunks, 0 rows, 2.5 MB/s, about 2 min left"},
		{func() { m.Read(-100e6); m.Done(100e6, 1000) }, "converting 25%, 1 of 4 chunks, 1000 rows, 2.5 MB/s, about 2 min left"},
		{func() { c.pass(time.Minute); m.Done(100e6, 500); m.Done(100e6, 500) }, "converting 75%, 3 of 4 chunks, 2000 rows, 3.0 MB/s, about 33 s left"},
		{func() { c.pass(time.Hour); m.Read(100e6) }, "converting 99%, 3 of 4 chunks, 2000 rows, 0.1 MB/s"}, // all is read, not all is written
		{func() { m.Read(-100e6); m.Done(100e6, 1) }, "converting 100%, 4 of 4 chunks, 2001 rows, 0.1 MB/s"},
	}
	for i, s := range steps {
		s.do()
		if got := m.Standing().Line(); got != s.want {
			t.Errorf("step %d: %q\nwant %q", i, got, s.want)
		}
	}
}

// TestFoundItemsAreNoSpeed: a resumed run starts at 90 percent; its estimate
// rests on the work that it does itself.
func TestFoundItemsAreNoSpeed(t *testing.T) {
	c := newClock()
	m := progress.Sized("converting", "chunks", 1000e6, 4, c.now)
	m.Found(900e6, 9000)
	c.pass(10 * time.Second)
	lines := []string{m.Standing().Line()}
	c.pass(10 * time.Second)
	m.Done(20e6, 200)
	lines = append(lines, m.Standing().Line())
	want := []string{
		"converting 90%, 1 of 4 chunks, 9000 rows",
		"converting 92%, 2 of 4 chunks, 9200 rows, 1.0 MB/s, about 80 s left",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q\nwant %q", lines, want)
	}
}

// TestCounted: slices have no bytes, and what comes before the first one tells
// nothing of their speed.
func TestCounted(t *testing.T) {
	c := newClock()
	m := progress.Counted("loading", "slices", 5, c.now)
	m.Step("copying %d rows to the stage", 7)
	c.pass(10 * time.Minute)
	lines := []string{m.Standing().Line()}
	m.Begin()
	m.Step("changing the table")
	m.Found(1, 0)
	lines = append(lines, m.Standing().Line())
	c.pass(time.Minute)
	m.Done(1, 0)
	lines = append(lines, m.Standing().Line())
	want := []string{
		"loading 0%, 0 of 5 slices: copying 7 rows to the stage, for 10 min",
		"loading 20%, 1 of 5 slices: changing the table, for 0 s",
		"loading 40%, 2 of 5 slices, about 3 min left: changing the table, for 60 s",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("%q\nwant %q", lines, want)
	}
}

func TestOddFigures(t *testing.T) {
	cases := []struct {
		name        string
		total, done int64
		all         int
		after       time.Duration
		want        string
	}{
		{"nothing to do", 0, 0, 0, time.Minute, "converting 100%, 1 of 0 chunks, 5 rows"},
		{"no bytes", 0, 0, 4, time.Minute, "converting 0%, 1 of 4 chunks, 5 rows"},
		{"more than planned", 100, 1_000_000, 4, time.Second, "converting 99%, 1 of 4 chunks, 5 rows, 1.0 MB/s"},
		{"no time passed", 100, 50, 4, 0, "converting 50%, 1 of 4 chunks, 5 rows"},
		{"the clock went back", 100, 50, 4, -time.Hour, "converting 50%, 1 of 4 chunks, 5 rows"},
		{"too slow to say when", 1 << 50, 1, 4, time.Hour, "converting 0%, 1 of 4 chunks, 5 rows, 0.0 MB/s"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			clock := newClock()
			m := progress.Sized("converting", "chunks", c.total, c.all, clock.now)
			clock.pass(c.after)
			m.Done(c.done, 5)
			if got := m.Standing().Line(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	c := newClock()
	m := progress.Sized("converting", "chunks", 800, 800, c.now)
	p := progress.NewPulse(c.now, func(string) {})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				p.Follow(m)
				m.Read(1)
				m.Read(-1)
				m.Done(1, 1)
				m.Found(1, 1)
				p.Beat()
			}
		})
	}
	all.Wait()
	c.pass(time.Second)
	if got, want := m.Standing().Line(), "converting 100%, 800 of 800 chunks, 800 rows, 0.0 MB/s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestPulse: it says something once per interval, however long a step takes,
// nothing before there is work, and ends with its context.
func TestPulse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines []string
		p := progress.NewPulse(time.Now, func(line string) { lines = append(lines, line) })
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { p.Run(ctx, time.Minute); close(ended) }()
		time.Sleep(90 * time.Second)
		p.Step("reading %s", "the ledger")
		time.Sleep(2 * time.Minute)
		p.Follow(progress.Counted("loading", "slices", 2, time.Now))
		time.Sleep(time.Minute)
		stop()
		<-ended
		want := []string{"reading the ledger, for 30 s", "reading the ledger, for 2 min", "loading 0%, 0 of 2 slices"}
		if !slices.Equal(lines, want) {
			t.Errorf("%q\nwant %q", lines, want)
		}
	})
	var none *progress.Pulse
	none.Step("nobody is told")
	none.Follow(progress.Counted("loading", "slices", 2, time.Now))
}

func TestRoughly(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0 s", 400 * time.Millisecond: "0 s", 500 * time.Millisecond: "1 s", 89 * time.Second: "89 s", 90 * time.Second: "2 min",
		149 * time.Second: "2 min", 89 * time.Minute: "89 min", 90 * time.Minute: "1.5 h", 30 * time.Hour: "30.0 h",
	} {
		if got := progress.Roughly(d); got != want {
			t.Errorf("%s is said as %q, want %q", d, got, want)
		}
	}
}
