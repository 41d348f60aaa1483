package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/rowdiff"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/jobs/workspace"
)

// feed reads all chunks into the comparison.
func (k *byKey) feed(ctx context.Context) error {
	k.rows.Levels.Scans++
	feeders := make(chan *rowdiff.Feeder, k.workers)
	for range k.workers {
		feeders <- k.cmp.Feeder()
	}
	return k.each(ctx, nil, nil, func(ctx context.Context, s *scan.Scanner, src *opened, n int) error {
		f := <-feeders
		defer func() { feeders <- f }()
		f.Begin(n)
		counts, err := k.readable(ctx, s, src, n, f)
		if err != nil {
			return err
		}
		f.End()
		k.counts[n] = counts
		return nil
	})
}

// readable reads a chunk without the objects that can't be read to their end.
func (k *byKey) readable(ctx context.Context, s *scan.Scanner, src *opened, n int, sink scan.Sink) (*account.Chunk, error) {
	chunk := k.chunks[n]
	for {
		counts, err := s.Chunk(ctx, chunk, sink)
		if !fail.Is(err, fail.Damaged) {
			return counts, err
		}
		at := src.key
		left := slices.DeleteFunc(slices.Clone(chunk.Objects), func(o runplan.ObjectRef) bool { return o.Key == at })
		next := slices.DeleteFunc(slices.Clone(chunk.Following), func(o runplan.ObjectRef) bool { return o.Key == at })
		if len(left)+len(next) == len(chunk.Objects)+len(chunk.Following) {
			return nil, err
		}
		k.mu.Lock()
		k.damaged[at] = chunk.Partition
		k.mu.Unlock()
		chunk.Objects, chunk.Following = left, next
		if err := sink.Restart(); err != nil {
			return nil, err
		}
	}
}

// pick reads the records of the keys that differ once more.
func (k *byKey) pick(ctx context.Context) error {
	chunks, all := k.cmp.Again()
	if all {
		k.rows.Levels.Scans++
	}
	pickers := map[*opened]*rowdiff.Picker{}
	var mu sync.Mutex
	open := func(src *opened) *rowdiff.Picker {
		p := k.cmp.Picker(func() string { return src.key })
		mu.Lock()
		defer mu.Unlock()
		pickers[src] = p
		return p
	}
	return k.each(ctx, chunks, func(src *opened) func(*scan.Dropped) error { return open(src).Dropped }, func(ctx context.Context, s *scan.Scanner, src *opened, n int) error {
		mu.Lock()
		p := pickers[src]
		mu.Unlock()
		p.Begin(k.chunks[n].Partition)
		if _, err := k.readable(ctx, s, src, n, p); err != nil {
			return err
		}
		p.End()
		return nil
	})
}

// each hands chunks to workers, each with a scanner of its own; nil chunks are all.
func (k *byKey) each(ctx context.Context, chunks []int, dropped func(*opened) func(*scan.Dropped) error, do func(context.Context, *scan.Scanner, *opened, int) error) error {
	if chunks == nil {
		for i := range k.chunks {
			chunks = append(chunks, i)
		}
	}
	defer k.w.Times.Work()()
	group, ctx := errgroup.WithContext(ctx)
	next := make(chan int)
	group.Go(func() error {
		defer close(next)
		for _, n := range chunks {
			select {
			case next <- n:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	for range k.workers {
		group.Go(func() (err error) {
			src := &opened{w: k.w}
			suppressed, err := k.w.Suppressed()
			if err != nil {
				return err
			}
			lane := k.w.Times.Lane()
			defer lane.Leave()
			o := scan.Options{Lane: lane, Dataset: k.ds, Window: k.o.Window, Source: src, BlockBytes: 1 << 20, RecordBytes: 8 << 20, MaskKey: k.w.MaskKey, Suppressed: suppressed, Schemas: k.schemas}
			o.Parquet = workspace.SmallParquet()
			o.Parquet.FileBytes = k.o.Disk / 3 / int64(k.workers) // the quarter of the disk that rows don't take
			if dropped != nil {
				o.Dropped = dropped(src)
			}
			s, err := scan.New(o)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			for n := range next {
				if err := do(ctx, s, src, n); err != nil {
					return fmt.Errorf("reading %s: %w", k.chunks[n].Partition, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// opened is a Source that knows the object it opened last.
type opened struct {
	w   *workspace.Workspace
	key string
}

func (o *opened) Open(ctx context.Context, ref runplan.ObjectRef) (io.ReadCloser, error) {
	o.key = ref.Key
	return o.w.Open(ctx, ref)
}
