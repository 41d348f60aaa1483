package main

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/metrics"
	"backfill/internal/timing"
)

// metricsInterval is how often counts are sent, and metricsClose how long the
// end of the process waits for the agent at most.
const (
	metricsInterval = 10 * time.Second
	metricsClose    = time.Second
)

// gauge sends the metrics of one command. It is owned by one goroutine at a time.
type gauge struct {
	sender *metrics.Sender
	last   map[string]int64 // counts that were sent, by name and tags
}

// agent returns where DogStatsD listens, "" when metrics are not wanted.
func (p *program) agent() string {
	if p.flags.statsd != "" {
		return p.flags.statsd
	}
	if url := p.env("DD_DOGSTATSD_URL"); !unset(url) {
		return url
	}
	host, port := p.env("DD_AGENT_HOST"), p.env("DD_DOGSTATSD_PORT")
	if unset(host) {
		return ""
	}
	if unset(port) {
		port = "8125"
	}
	return host + ":" + port
}

// measure sends metrics while the command works; the returned function sends
// the last ones, and flushes, once.
func (p *program) measure(ctx context.Context, cmd command) (end func(fail.Exit, *result)) {
	address := p.agent()
	if address == "" || !cmd.works {
		return func(fail.Exit, *result) {}
	}
	g := &gauge{sender: metrics.Open(address), last: map[string]int64{}}
	ctx, stop := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(metricsInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				g.sender.Send(g.beat(p.times.Snapshot()), p.tags(cmd)...)
			}
		}
	}()
	var once sync.Once
	return func(exit fail.Exit, r *result) {
		once.Do(func() {
			stop()
			<-stopped
			g.sender.Send(append(g.beat(p.times.Snapshot()), p.outcome(exit, r)...), p.tags(cmd)...)
			g.sender.Close(metricsClose)
		})
	}
}

// tags are those of every metric: dataset and table once they are known, which
// another goroutine finds out.
func (p *program) tags(cmd command) []string {
	tags := []string{"command:" + cmd.name}
	if l := p.labels.Load(); l != nil {
		tags = append(tags, "dataset:"+l.dataset, "table:"+l.table)
	}
	return tags
}

// beat is what came since the last one.
func (g *gauge) beat(s timing.Snapshot) []metrics.Point {
	used := timing.ReadProcess()
	points := []metrics.Point{{Name: metrics.Heartbeat, Value: 1}, {Name: metrics.Heap, Value: int64(used.Heap)}, {Name: metrics.RSS, Value: used.MaxRSS}, {Name: metrics.Goroutines, Value: int64(used.Goroutines)}}
	add := func(name metrics.Name, total int64, tags ...string) {
		key := string(name) + strings.Join(tags, ",")
		if n := total - g.last[key]; n > 0 {
			g.last[key] = total
			points = append(points, metrics.Point{Name: name, Value: n, Tags: tags})
		}
	}
	add(metrics.CPU, int64(used.CPU*1000))
	for _, e := range s.Stages {
		stage, waiting := "stage:"+e.Stage, 0.0
		for _, w := range e.Waiting {
			waiting += w.Seconds
		}
		add(metrics.StageTime, int64(e.Busy*1000), stage, "state:busy")
		add(metrics.StageTime, int64(waiting*1000), stage, "state:waiting")
		add(metrics.StageBytes, e.Bytes, stage)
		add(metrics.StageRows, e.Rows, stage)
	}
	return points
}

// outcome is what the command did, as its result has it.
func (p *program) outcome(exit fail.Exit, r *result) []metrics.Point {
	code := "exit:" + strconv.Itoa(int(exit))
	points := []metrics.Point{{Name: metrics.Commands, Value: 1, Tags: []string{code}}, {Name: metrics.CommandTime, Value: now().Sub(p.started).Milliseconds(), Tags: []string{code}}}
	add := func(name metrics.Name, n int64, tags ...string) {
		if n > 0 {
			points = append(points, metrics.Point{Name: name, Value: n, Tags: tags})
		}
	}
	if r.Tally != nil {
		for d, n := range r.Tally {
			add(metrics.Records, n, "disposition:"+tagged(account.Disposition(d).String()))
		}
	}
	for reason, n := range r.rejects {
		add(metrics.Quarantined, n, "reason:"+reason)
	}
	add(metrics.Chunks, int64(r.Converted), "state:converted")
	add(metrics.Chunks, int64(r.Reused), "state:reused")
	add(metrics.Rows, r.Staged, "state:staged")
	add(metrics.Rows, r.Inserted, "state:inserted")
	add(metrics.Rows, r.Deleted, "state:deleted")
	add(metrics.Rows, r.Kept, "state:kept")
	if r.through != 0 {
		points = append(points, metrics.Point{Name: metrics.VerifiedAge, Value: int64(now().Sub(r.through.Time()).Seconds())})
	}
	if r.Verdict != "" {
		add(metrics.Verdicts, 1, "verdict:"+tagged(r.Verdict))
		points = append(points, metrics.Point{Name: metrics.Breaks, Value: int64(r.Breaks)})
	}
	return points
}

// tagged is a text as a tag's value.
func tagged(text string) string { return strings.ReplaceAll(strings.ToLower(text), " ", "_") }
