// Package metrics sends figures of the process to a DogStatsD agent, over UDP
// or a unix socket. [Table] is the contract: names, kinds, units, tags.
//
//	main ─ Send ─▶ queue ─▶ goroutine: client ─▶ agent
//	               full: dropped
//
// An agent that is slow, dead or not to be found never slows a command: sending
// is on a goroutine of its own, what does not fit the queue is dropped, and Close
// waits for a bounded time. The package knows nothing of jobs.
package metrics

import (
	"strings"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
)

// queued is how many batches wait for the agent at most.
const queued = 16

// Point is one value of a metric.
type Point struct {
	Name  Name
	Value int64    // of a count, or in the metric's unit
	Tags  []string // as key:value, besides those of the batch
}

// Sender sends points. A nil one sends nothing.
type Sender struct {
	batches chan batch
	done    chan struct{}
	kinds   map[Name]Kind
}

type batch struct {
	points []Point
	tags   []string
}

// Open returns a sender to the agent at host:port, udp://host:port,
// unix:///path, unixgram:///path or unixstream:///path. The agent need not be
// there.
func Open(address string) *Sender {
	s := &Sender{batches: make(chan batch, queued), done: make(chan struct{}), kinds: map[Name]Kind{}}
	for _, m := range Table() {
		s.kinds[m.Name] = m.Kind
	}
	go s.run(strings.TrimPrefix(address, "udp://"))
	return s
}

// Send queues points that all have the given tags. It never waits.
func (s *Sender) Send(points []Point, tags ...string) {
	if s == nil {
		return
	}
	select {
	case s.batches <- batch{points, tags}:
	default: // the agent does not keep up
	}
}

// Close flushes what is queued, for at most the given time.
func (s *Sender) Close(most time.Duration) {
	if s == nil {
		return
	}
	close(s.batches)
	select {
	case <-s.done:
	case <-time.After(most):
	}
}

// run owns the client: also finding the agent's address may take long.
func (s *Sender) run(address string) {
	defer close(s.done)
	client, err := statsd.New(address, statsd.WithoutTelemetry())
	for b := range s.batches {
		if err != nil {
			continue // nobody to send to
		}
		for _, p := range b.points {
			s.put(client, p, append(p.Tags[:len(p.Tags):len(p.Tags)], b.tags...))
		}
	}
	if err == nil {
		_ = client.Close() // flushes; a lost metric is no failure
	}
}

func (s *Sender) put(c *statsd.Client, p Point, tags []string) {
	for i := range tags {
		tags[i] = clean(tags[i])
	}
	switch s.kinds[p.Name] { // errors are those of a full or dead agent
	case Count:
		_ = c.Count(string(p.Name), p.Value, tags, 1)
	case Gauge:
		_ = c.Gauge(string(p.Name), float64(p.Value), tags, 1)
	case Distribution:
		_ = c.Distribution(string(p.Name), float64(p.Value), tags, 1)
	}
}

// maxTag is the longest tag that Datadog keeps.
const maxTag = 200

// clean replaces what would end a tag in a datagram.
func clean(tag string) string {
	tag = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune("|,#", r) {
			return '_'
		}
		return r
	}, tag)
	return strings.ToValidUTF8(tag[:min(len(tag), maxTag)], "_")
}
