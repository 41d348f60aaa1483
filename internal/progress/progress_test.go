package progress_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"backfill/internal/progress"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

// meter follows total bytes in 4 items and keeps the lines.
func meter(total int64, interval time.Duration) (*progress.Meter, *clock, *[]string) {
	c, lines := &clock{at: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)}, &[]string{}
	return progress.New("converting", total, 4, interval, c.now, func(line string) { *lines = append(*lines, line) }), c, lines
}

func TestLines(t *testing.T) {
	m, c, lines := meter(400e6, 20*time.Second)
	m.Tick() // too early
	c.pass(20 * time.Second)
	m.Tick() // nothing to go by: no rate, no estimate
	c.pass(19 * time.Second)
	m.Done(100e6, 1000) // too early again
	c.pass(1 * time.Second)
	m.Tick()
	c.pass(60 * time.Second)
	m.Done(100e6, 500)
	m.Done(100e6, 500)
	c.pass(time.Hour)
	m.Done(99e6, 1)
	c.pass(time.Minute)
	m.Done(1e6, 1)
	want := []string{
		"converting 0%, 0 of 4 chunks, 0 rows",
		"converting 25%, 1 of 4 chunks, 1000 rows, 2.5 MB/s, about 2 min left",
		"converting 50%, 2 of 4 chunks, 1500 rows, 2.0 MB/s, about 2 min left",
		"converting 99%, 4 of 4 chunks, 2001 rows, 0.1 MB/s, about 9 s left",
		"converting 100%, 5 of 4 chunks, 2002 rows, 0.1 MB/s",
	}
	if !slices.Equal(*lines, want) {
		t.Errorf("%q\nwant %q", *lines, want)
	}
}

// TestFoundItemsAreNoSpeed: a resumed run starts at 90 percent; its estimate
// rests on the work that it does itself.
func TestFoundItemsAreNoSpeed(t *testing.T) {
	m, c, lines := meter(1000e6, 10*time.Second)
	m.Found(900e6, 9000)
	c.pass(10 * time.Second)
	m.Tick()
	c.pass(10 * time.Second)
	m.Done(20e6, 200)
	want := []string{
		"converting 90%, 1 of 4 chunks, 9000 rows",
		"converting 92%, 2 of 4 chunks, 9200 rows, 1.0 MB/s, about 80 s left",
	}
	if !slices.Equal(*lines, want) {
		t.Errorf("%q\nwant %q", *lines, want)
	}
}

func TestOddFigures(t *testing.T) {
	cases := []struct {
		name        string
		total, done int64
		after       time.Duration
		want        string
	}{
		{"nothing to do", 0, 0, time.Minute, "converting 100%, 1 of 4 chunks, 5 rows"},
		{"more than planned", 100, 1_000_000, time.Second, "converting 100%, 1 of 4 chunks, 5 rows, 1.0 MB/s"},
		{"no time passed", 100, 50, 0, "converting 50%, 1 of 4 chunks, 5 rows"},
		{"the clock went back", 100, 50, -time.Hour, ""},
		{"too slow to say when", 1 << 60, 1, time.Hour, "converting 0%, 1 of 4 chunks, 5 rows, 0.0 MB/s"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, clock, lines := meter(c.total, 0)
			clock.pass(c.after)
			m.Done(c.done, 5)
			got := ""
			if len(*lines) > 0 {
				got = (*lines)[0]
			}
			if got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestConcurrentUse(t *testing.T) {
	m, c, lines := meter(800, time.Nanosecond)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 50 {
				m.Done(1, 1)
				m.Found(1, 1)
				m.Tick()
			}
		})
	}
	all.Wait()
	c.pass(time.Second)
	m.Tick()
	if want := "converting 100%, 800 of 4 chunks, 800 rows, 0.0 MB/s"; len(*lines) != 1 || (*lines)[0] != want {
		t.Errorf("%q, want %q", *lines, want)
	}
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
