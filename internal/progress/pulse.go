package progress

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// Pulse knows what the process works on and says where that stands, again and
// again. A nil Pulse says nothing, for callers that have nobody to tell. It is
// safe for concurrent use.
type Pulse struct {
	mu   sync.Mutex
	line func() string // nil before the first work
	now  func() time.Time
	say  func(string)
}

// NewPulse returns a pulse that says its lines with say.
func NewPulse(now func() time.Time, say func(string)) *Pulse { return &Pulse{now: now, say: say} }

// Follow makes the meter's work the one that is said.
func (p *Pulse) Follow(m *Meter) { p.set(m.Line) }

// Step makes work the one that is said that has no measure but its time.
func (p *Pulse) Step(format string, args ...any) {
	if p == nil {
		return
	}
	text, began := fmt.Sprintf(format, args...), p.now()
	p.set(func() string { return text + ", for " + Roughly(p.now().Sub(began)) })
}

func (p *Pulse) set(line func() string) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.line = line
}

// Beat says the line of now.
func (p *Pulse) Beat() {
	p.mu.Lock()
	line := p.line
	p.mu.Unlock()
	if line != nil {
		p.say(line())
	}
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
