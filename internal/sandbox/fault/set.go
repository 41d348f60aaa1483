package fault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

const maxRules = 1000

// ErrNoRule says that no rule has the number asked for.
var ErrNoRule = errors.New("there is no such rule")

// Operation is an operation of either server in the terms of rules.
type Operation struct {
	Server string `json:"server"` // S3 or SQL
	Number int64  `json:"number"` // the server's own count
	Phase  string `json:"phase"`  // "before", "during", "after"
	Kind   string `json:"kind"`
	Bucket string `json:"bucket,omitempty"`
	Key    string `json:"key,omitempty"`
	Agent  string `json:"agent,omitempty"`
	// Encryption is what a new object asks for: none, AES256, aws:kms or "aws:kms KEY".
	Encryption string `json:"encryption,omitempty"`
	Text       string `json:"text,omitempty"` // of the statement
}

// Event tells that a rule has fired. The operation waits or fails only after the event was sent.
type Event struct {
	ID        int // of the rule
	Fired     int64
	Operation Operation
}

// Status is what a rule has seen so far.
type Status struct {
	ID      int    `json:"id"`
	Rule    string `json:"rule"`
	Matches int64  `json:"matches"`
	Fired   int64  `json:"fired"`
}

// entry is a rule in a set.
type entry struct {
	id             int
	rule           Rule
	matches, fired int64
	cleared        chan struct{}
}

// Set is the rules that a pair of stand-ins follows. The zero Set is ready and empty; its methods may be called from
// any goroutine.
type Set struct {
	mu      sync.Mutex
	last    int
	entries []*entry
	changed chan struct{} // closed and replaced whenever a rule fires or is cleared
	notify  []chan<- Event
}

// Add puts rules in force, all or, with an error, none, and gives their numbers, which rise and are never used twice.
func (s *Set) Add(rules ...string) ([]int, error) {
	parsed := make([]Rule, len(rules))
	for i, text := range rules {
		var err error
		if parsed[i], err = Parse(text); err != nil {
			return nil, fmt.Errorf("reading the rule %q: %w", text, err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.entries)+len(parsed) > maxRules {
		return nil, fmt.Errorf("at most %d rules are in force at a time: clear some", maxRules)
	}
	var ids []int
	for _, r := range parsed {
		s.last++
		s.entries = append(s.entries, &entry{id: s.last, rule: r, cleared: make(chan struct{})})
		ids = append(ids, s.last)
	}
	return ids, nil
}

// List gives all rules in the order they were added.
func (s *Set) List() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, len(s.entries))
	for i, e := range s.entries {
		out[i] = Status{e.id, e.rule.String(), e.matches, e.fired}
	}
	return out
}

// Clear takes rules out of force, all of them if no number is given, and ends their waits. If a number is unknown,
// nothing is cleared.
func (s *Set) Clear(ids ...int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.find(id) == nil {
			return fmt.Errorf("clearing rule %d: %w", id, ErrNoRule)
		}
	}
	s.entries = slices.DeleteFunc(s.entries, func(e *entry) bool {
		gone := len(ids) == 0 || slices.Contains(ids, e.id)
		if gone {
			close(e.cleared)
		}
		return gone
	})
	s.broadcast()
	return nil
}

// Notify sends every event to c. A set never waits for c: an event that finds no room is not sent, so give c room for
// as many as can come.
func (s *Set) Notify(c chan<- Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notify = append(s.notify, c)
}

// Wait returns once the rule has fired so many times. Its errors are ErrNoRule, also when the rule is cleared
// meanwhile, and the context's.
func (s *Set) Wait(ctx context.Context, id int, fired int64) error {
	for {
		s.mu.Lock()
		e := s.find(id)
		if s.changed == nil {
			s.changed = make(chan struct{})
		}
		changed := s.changed
		enough := e != nil && e.fired >= fired
		s.mu.Unlock()
		switch {
		case e == nil:
			return fmt.Errorf("waiting for rule %d: %w", id, ErrNoRule)
		case enough:
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waiting for rule %d: %w", id, context.Cause(ctx))
		}
	}
}

func (s *Set) find(id int) *entry {
	for _, e := range s.entries {
		if e.id == id {
			return e
		}
	}
	return nil
}

func (s *Set) broadcast() {
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
}

// S3 is the hook of the S3 stand-in.
func (s *Set) S3(op s3d.Op) s3d.Action {
	phase := before
	if op.Phase == s3d.After {
		phase = after
	}
	action := s3d.Continue
	for _, e := range s.fire(Operation{Server: S3, Number: op.Number, Phase: phase, Kind: op.Kind, Bucket: op.Bucket, Key: op.Key, Agent: op.Agent, Encryption: op.Encryption}) {
		e.wait(op.Done)
		if action == s3d.Continue {
			action = e.rule.does.s3
		}
	}
	return action
}

// SQL is the hook of the Redshift stand-in.
func (s *Set) SQL(op redshiftd.Op) redshiftd.Action {
	action := redshiftd.Continue
	for _, e := range s.fire(Operation{Server: SQL, Number: op.Number, Phase: op.Phase.String(), Kind: op.Kind, Text: op.SQL}) {
		e.wait(op.Done)
		if action == redshiftd.Continue {
			action = e.rule.does.sql
		}
	}
	return action
}

// fire counts an operation and gives the rules that are due at it.
func (s *Set) fire(op Operation) []*entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*entry
	for _, e := range s.entries {
		if !e.rule.matches(op) {
			continue
		}
		e.matches++
		if !e.rule.due(e.matches, e.fired) {
			continue
		}
		e.fired++
		due = append(due, e)
		for _, c := range s.notify {
			select {
			case c <- Event{e.id, e.fired, op}:
			default: // no room, as Notify says
			}
		}
	}
	if due != nil {
		s.broadcast()
	}
	return due
}

// wait is the rule's delay or hang. done is the operation's end; nil never comes.
func (e *entry) wait(done <-chan struct{}) {
	d := e.rule.delay
	if e.rule.hang {
		d = maxWait
	}
	if d == 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-e.cleared:
	case <-done:
	}
}
