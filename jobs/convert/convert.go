// Package convert turns a plan's chunks into Parquet and receipts, several at
// a time, within a memory limit. A chunk that has a receipt is not converted
// again, so the same call resumes by itself.
package convert

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/progress"
	"backfill/internal/registry"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/internal/timing"
	"backfill/jobs/workspace"
)

// Options say which chunks to convert and with how much of the machine.
type Options struct {
	Shard, Of int   // shard Shard of Of, from 1; 1 of 1 is everything
	Memory    int64 // bytes the process may use; 0: no limit is known
	Disk      int64 // likewise, below TMPDIR, for archived Parquet objects that are larger than what is held in memory
	Workers   int   // at most; 0: one per processor

	Only func(kafka.TopicPartition) bool // which partitions; nil: all

	parquet bool // objects may be Parquet, which takes memory of its own
}

// Result is what the call did.
type Result struct {
	Chunks    int
	Reused    int // had a receipt already
	Converted int
	Bytes     int64 // compressed archive bytes read
	Tally     account.Tally
	Reasons   map[string]int64      // of quarantine, by chunks converted now
	Schemas   []account.SchemaCount // of framed values; receipts that were there included
	Took      time.Duration
}

// Convert converts the shard's chunks that have no receipt yet. When the
// workspace is halted, chunks that were begun are finished; the result and the
// halt's cause are returned.
func Convert(ctx context.Context, w *workspace.Workspace, head *runplan.Head, chunks []runplan.Chunk, o Options) (*Result, error) {
	started := w.Now()
	if err := w.Current(head); err != nil {
		return nil, err
	}
	if o.Of > 1 {
		chunks = runplan.Shard(chunks, o.Shard, o.Of)
	}
	if o.Only != nil {
		chunks = slices.DeleteFunc(slices.Clone(chunks), func(c runplan.Chunk) bool { return !o.Only(c.Partition) })
	}
	o.parquet = workspace.MayBeParquet(w.Dataset.Archive.Format, chunks)
	workers, size, err := fit(w, head.Objects, o)
	if err != nil {
		return nil, err
	}
	schemas, err := w.PlanSchemas(ctx, head)
	if err != nil {
		return nil, err
	}
	c := &converter{w: w, schemas: schemas, head: head, size: size, alone: len(chunks) - (workers - 1), result: &Result{Chunks: len(chunks), Reasons: map[string]int64{}}}
	c.meter = progress.Sized("converting", "chunks", planBytes(chunks), len(chunks), w.Now)
	w.Pulse.Follow(c.meter)
	err = c.all(ctx, chunks, workers)
	c.tell()
	c.result.Took = w.Now().Sub(started)
	return c.result, err
}

// maxTold bounds the schemas that the log names.
const maxTold = 100

// tell names the schemas that values could not be read by, and those that they
// were, where these differ.
func (c *converter) tell() {
	list := c.result.Schemas
	for _, s := range list[:min(len(list), maxTold)] {
		where := fmt.Sprintf("first in %s, row %d", s.Object, s.Row)
		switch {
		case s.Kind == "":
			c.w.Log.Warn(fmt.Sprintf("schema %s is not among those of the plan: %d records went to quarantine, %s", s.ID, s.Records, where))
		case len(list) > 1:
			c.w.Step("%d records are of version %d of %s (schema %s), %s", s.Records, s.Version, s.Subject, s.ID, where)
		}
		if s.Extra > 0 {
			c.w.Log.Warn(fmt.Sprintf("%d records hold fields that schema %s does not have: the registry may not be the one that they were written with", s.Extra, s.ID))
		}
	}
}

func planBytes(chunks []runplan.Chunk) int64 {
	var n int64
	for _, c := range chunks {
		n += c.Bytes
	}
	return n
}

type converter struct {
	w       *workspace.Workspace
	head    *runplan.Head
	schemas *registry.Set // of framed values; nil: there are none
	size    sizes
	alone   int // chunks from this number on leave other workers idle
	meter   *progress.Meter
	mu      sync.Mutex
	result  *Result
}

// all hands chunks to workers. The first error stops dispatching, and chunks in
// flight are given up; a halt stops dispatching only.
func (c *converter) all(ctx context.Context, chunks []runplan.Chunk, workers int) error {
	defer c.w.Times.Work()()
	defer debug.SetGCPercent(debug.SetGCPercent(GCPercent))
	group, ctx := errgroup.WithContext(ctx)
	halted := c.w.Halt.Asked()
	next := make(chan job)
	group.Go(func() error {
		defer close(next)
		for i, chunk := range chunks {
			select {
			case next <- job{chunk, i >= c.alone}:
			case <-halted:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range min(workers, max(1, len(chunks))) {
		group.Go(func() error { return c.work(ctx, next) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if c.result.Reused+c.result.Converted < len(chunks) {
		return c.w.Halt.Cause()
	}
	return nil
}

// job is a chunk to convert, with a processor to itself or more than one.
type job struct {
	chunk runplan.Chunk
	alone bool
}

// work is one worker: it owns a scanner and a Parquet writer.
func (c *converter) work(ctx context.Context, next <-chan job) (err error) {
	src := newSource(c.w, c.size.pieceBytes, c.meter)
	suppressed, err := c.w.Suppressed()
	if err != nil {
		return err
	}
	lane := c.w.Times.Lane()
	defer lane.Leave()
	s, err := scan.New(scan.Options{
		Lane: lane, Dataset: c.w.Dataset, Window: c.head.Window, Source: src, BlockBytes: blockBytes, RecordBytes: recordBytes, MaskKey: c.w.MaskKey, Suppressed: suppressed, Schemas: c.schemas, Parquet: c.size.archived,
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	a := &attempt{w: c.w, head: c.head, scanning: lane, encoding: lane, source: src, columns: scan.StageColumns(c.w.Dataset), options: c.size.parquet()}
	for j := range next {
		chunk := j.chunk
		lane.Enter(timing.Claim)
		if err := c.w.Stopped(ctx, c.head); err != nil {
			if c.w.Halt.Cause() != nil { // other workers finish their chunks
				return nil
			}
			return err
		}
		receipt, err := c.w.Runs.ChunkReceipt(ctx, chunk.ID)
		if err != nil {
			return err
		}
		reused := receipt != nil
		if !reused {
			if receipt, err = a.convert(ctx, s, chunk, j.alone); err != nil {
				return err
			}
		}
		c.done(chunk, receipt, reused)
		lane.Leave() // until there is another chunk
	}
	return nil
}

func (c *converter) done(chunk runplan.Chunk, r *runplan.ChunkReceipt, reused bool) {
	c.mu.Lock()
	c.result.Tally.Add(r.Counts.Tally)
	c.result.Schemas = account.MergeSchemas(c.result.Schemas, r.Counts.Schemas)
	if reused {
		c.result.Reused++
	} else {
		c.result.Converted++
		c.result.Bytes += chunk.Bytes
		for reason, n := range r.Counts.Reasons {
			c.result.Reasons[reason] += n
		}
	}
	c.mu.Unlock()
	if reused {
		c.meter.Found(chunk.Bytes, r.Counts.Tally[account.Row])
	} else {
		c.meter.Done(chunk.Bytes, r.Counts.Tally[account.Row])
		c.meter.Quarantined(r.Counts.Tally[account.Unreadable] + r.Counts.Tally[account.Rejected])
	}
}
