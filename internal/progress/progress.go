// Package progress says how far a piece of work is, how fast it goes and when
// it will be done, once per interval whatever the work does, so that nobody
// takes a long statement for a dead process. The estimate is honest: it is left
// out until there is something to go by.
//
// Jobs count on a [Meter] and put it on the process's [Pulse], which main runs.
package progress

import (
	"fmt"
	"sync"
	"time"
)

// longest is the longest time left that is said: beyond it there is hardly
// anything to go by yet.
const longest = 30 * 24 * time.Hour

// Meter follows one piece of work that consists of items. It is safe for
// concurrent use.
type Meter struct {
	mu    sync.Mutex
	name  string
	items string // what they are called
	bytes bool   // amounts are bytes, so that a rate can be said

	total       int64
	done        int64 // of finished items
	found       int64 // part of done that took no work
	open        int64 // of items under way
	rows        int64
	quarantined int64
	count       int
	all         int
	started     time.Time
	step        string
	stepped     time.Time
	now         func() time.Time
}

// Sized returns a meter of total bytes in all items.
func Sized(name, items string, total int64, all int, now func() time.Time) *Meter {
	t := now()
	return &Meter{name: name, items: items, bytes: true, total: total, all: all, started: t, stepped: t, now: now}
}

// Counted returns a meter of items that weigh one each.
func Counted(name, items string, all int, now func() time.Time) *Meter {
	m := Sized(name, items, int64(all), all, now)
	m.bytes = false
	return m
}

// Read counts bytes of an item that is not finished; negative ones take back
// what its Done will count, or what is read again.
func (m *Meter) Read(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.open += n
}

// Done counts one finished item of so many bytes and rows.
func (m *Meter) Done(bytes, rows int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += bytes
	m.rows += rows
	m.count++
}

// Quarantined counts records of finished items that went to the quarantine.
func (m *Meter) Quarantined(records int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.quarantined += records
}

// Found counts one item that an earlier try had finished. It counts as done,
// but tells nothing of the speed.
func (m *Meter) Found(bytes, rows int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.found += bytes
	m.done += bytes
	m.rows += rows
	m.count++
}

// Step says what is done now, for as long as it takes.
func (m *Meter) Step(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.step, m.stepped = fmt.Sprintf(format, args...), m.now()
}

// Begin says that items are worked on from now on: time before tells nothing of
// the speed.
func (m *Meter) Begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.started = m.now()
}

// Standing says where the work stands.
func (m *Meter) Standing() Standing {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	s := Standing{Work: m.name, Step: m.step, Measured: true, Sized: m.bytes, Items: m.items, Count: m.count, All: m.all,
		Amount: m.done + m.open, Total: m.total, Rows: m.rows, Quarantined: m.quarantined, Percent: m.percent()}
	if m.step != "" {
		s.For = now.Sub(m.stepped)
	}
	if elapsed, worked := now.Sub(m.started), m.done-m.found+m.open; elapsed > 0 && worked > 0 {
		s.Rate = float64(worked) / elapsed.Seconds()
		if left := float64(m.total-m.done-m.open) / s.Rate; left > 0 && left < longest.Seconds() {
			s.Left = time.Duration(left * float64(time.Second))
		}
	}
	return s
}

// percent is rounded down, and 100 only when all items are finished.
func (m *Meter) percent() int64 {
	switch {
	case m.count >= m.all:
		return 100
	case m.total <= 0:
		return 0
	}
	return min(99, (m.done+m.open)*100/m.total)
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
