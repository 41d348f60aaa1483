package convert

import (
	"backfill/internal/columns"
	"backfill/internal/scan"
	"backfill/internal/schema"
	"backfill/internal/timing"
)

// A pipe holds so many batches. Their text is at most what a block and a record
// hold, each.
const (
	pipeBatches = 3
	pipeBytes   = pipeBatches * 2 << 20
)

// pipe is a sink that lets another one take rows on a goroutine of its own, so
// that a chunk that is converted alone uses two processors: one decodes, the
// other encodes Parquet.
//
//	scan ─▶ Rows: copy ─▶ full ─▶ goroutine: sink.Rows ─┐
//	              ▲                                     │
//	              └──────────── free ◀──────────────────┘
//
// Rejected records go straight through: the sink keeps them apart from rows.
type pipe struct {
	sink scan.Sink
	free chan *columns.Batch
	full chan *columns.Batch
	done chan error // what the goroutine ended with
	// failed holds the sink's first error until done has it, so that a chunk
	// isn't read to its end for nothing.
	failed chan error

	scanning *timing.Lane // of the goroutine that calls Rows
	lane     *timing.Lane // of the sink's goroutine
}

// newPipe returns a pipe that takes rows after start.
func newPipe(sink scan.Sink, cols []schema.Column, scanning *timing.Lane) *pipe {
	p := &pipe{sink: sink, free: make(chan *columns.Batch, pipeBatches), scanning: scanning, lane: scanning.Beside()}
	for range pipeBatches {
		p.free <- columns.NewBatch(cols)
	}
	return p
}

// start begins a goroutine; drain ends it.
func (p *pipe) start() {
	full, done, failed := make(chan *columns.Batch, pipeBatches), make(chan error, 1), make(chan error, 1)
	p.full, p.done, p.failed = full, done, failed
	go func() {
		var err error
		p.lane.Enter(timing.Encode)
		defer p.lane.Leave()
		for {
			busy := p.lane.Wait(timing.Decode)
			b, more := <-full
			p.lane.Back(busy)
			if !more {
				break
			}
			if err == nil {
				if err = p.sink.Rows(b); err != nil {
					failed <- err
				}
			}
			p.free <- b
		}
		done <- err
	}()
}

// Rows copies the batch and returns. An error of the sink shows later, in drain
// at the latest.
func (p *pipe) Rows(b *columns.Batch) error {
	defer p.scanning.Back(p.scanning.Wait(timing.Encode))
	select {
	case err := <-p.failed:
		return err
	case own := <-p.free:
		own.Copy(b)
		p.full <- own
		return nil
	}
}

// Reject gives the record to the sink.
func (p *pipe) Reject(r *scan.Rejected) error { return p.sink.Reject(r) }

// Restart waits for the rows on their way and restarts the sink.
func (p *pipe) Restart() error {
	err := p.drain()
	if err == nil {
		err = p.sink.Restart()
	}
	p.start()
	return err
}

// drain waits until the sink has taken all rows, ends the goroutine and returns
// the sink's error.
func (p *pipe) drain() error {
	defer p.scanning.Back(p.scanning.Wait(timing.Encode))
	close(p.full)
	return <-p.done
}
