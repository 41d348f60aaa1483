package progress

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Pulse knows what the process works on and says where that stands, again and
// again. A nil Pulse says nothing, for callers that have nobody to tell. It is
// safe for concurrent use.
type Pulse struct {
	mu       sync.Mutex
	standing func() Standing // nil before the first work
	passed   []Passed        // kinds of work before this one, oldest first
	work     string
	began    time.Time
	now      func() time.Time
	say      func(string)
}

// Passed is a kind of work that is over.
type Passed struct {
	Work string
	Took time.Duration
}

// maxPassed bounds the kinds of work that are remembered.
const maxPassed = 8

// NewPulse returns a pulse that says its lines with say.
func NewPulse(now func() time.Time, say func(string)) *Pulse { return &Pulse{now: now, say: say} }

// Follow makes the meter's work the one that is said.
func (p *Pulse) Follow(m *Meter) {
	if p != nil {
		p.set(m.Standing().Work, m.Standing)
	}
}

// Step makes work the one that is said that has no measure but its time. The
// text is the kind of work, and after a colon the step of it.
func (p *Pulse) Step(format string, args ...any) {
	if p == nil {
		return
	}
	work, step, _ := strings.Cut(fmt.Sprintf(format, args...), ": ")
	began := p.now()
	p.set(work, func() Standing { return Standing{Work: work, Step: step, For: p.now().Sub(began)} })
}

func (p *Pulse) set(work string, standing func() Standing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	if p.work != work {
		if p.standing != nil && len(p.passed) < maxPassed {
			p.passed = append(p.passed, Passed{p.work, now.Sub(p.began)})
		}
		p.work, p.began = work, now
	}
	p.standing = standing
}

// Beat says the line of now.
func (p *Pulse) Beat() {
	if s, _, ok := p.Standing(); ok {
		p.say(s.Line())
	}
}

// Standing returns where the work stands and what was done before it; not ok
// before the first work.
func (p *Pulse) Standing() (s Standing, passed []Passed, ok bool) {
	p.mu.Lock()
	standing, passed := p.standing, slices.Clone(p.passed)
	p.mu.Unlock()
	if standing == nil {
		return s, nil, false
	}
	return standing(), passed, true
}

// Run beats once per interval until ctx ends.
func (p *Pulse) Run(ctx context.Context, interval time.Duration) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			p.Beat()
		}
	}
}
