// Package progress counts work that is done and says, at most once per
// interval, how far it is, how fast it goes and when it will be done. The
// estimate is honest: it is left out until there is something to go by.
//
// Jobs report to it; it writes lines through a function and starts no
// goroutine.
package progress

import (
	"fmt"
	"sync"
	"time"
)

// longest is the longest time left that is said: beyond it there is hardly
// anything to go by yet.
const longest = 30 * 24 * time.Hour

// Meter follows one piece of work, measured in bytes. It is safe for
// concurrent use.
type Meter struct {
	mu       sync.Mutex
	name     string
	total    int64
	done     int64
	found    int64 // part of done that took no work
	rows     int64
	items    int
	all      int
	started  time.Time
	last     time.Time
	interval time.Duration
	now      func() time.Time
	say      func(string)
}

// New returns a meter of total bytes in all items that says a line at most
// once per interval.
func New(name string, total int64, all int, interval time.Duration, now func() time.Time, say func(string)) *Meter {
	t := now()
	return &Meter{name: name, total: total, all: all, started: t, last: t, interval: interval, now: now, say: say}
}

// Done counts one finished item of so many bytes and rows.
func (m *Meter) Done(bytes, rows int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += bytes
	m.rows += rows
	m.items++
	m.tick()
}

// Found counts one item that an earlier try had finished. It counts as done,
// but tells nothing of the speed.
func (m *Meter) Found(bytes, rows int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.found += bytes
	m.done += bytes
	m.rows += rows
	m.items++
	m.tick()
}

// Tick says a line if the interval has passed.
func (m *Meter) Tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tick()
}

func (m *Meter) tick() {
	now := m.now()
	if now.Sub(m.last) < m.interval {
		return
	}
	m.last = now
	m.say(m.line(now))
}

func (m *Meter) line(now time.Time) string {
	line := fmt.Sprintf("%s %d%%, %d of %d chunks, %d rows", m.name, percent(m.done, m.total), m.items, m.all, m.rows)
	elapsed, worked := now.Sub(m.started), m.done-m.found
	if elapsed <= 0 || worked <= 0 {
		return line
	}
	rate := float64(worked) / elapsed.Seconds()
	line += fmt.Sprintf(", %.1f MB/s", rate/1e6)
	if left := float64(m.total-m.done) / rate; left > 0 && left < longest.Seconds() {
		line += ", about " + Roughly(time.Duration(left*float64(time.Second))) + " left"
	}
	return line
}

func percent(done, total int64) int64 {
	if total <= 0 {
		return 100
	}
	return min(100, done*100/total)
}

// Roughly gives a duration as people say it.
func Roughly(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return fmt.Sprintf("%d s", int(d.Seconds()+0.5))
	case d < 90*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()+0.5))
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
