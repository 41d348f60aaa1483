package reconcile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/registry"
	"backfill/internal/rowdiff"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/internal/tieout"
	"backfill/jobs/workspace"
)

// Sizes of a comparison by key.
const (
	chunkBytes    = 64 << 20 // compressed archive bytes that are read at a time
	scanBytes     = 32 << 20 // what a worker holds
	programBytes  = 20 << 20
	defaultMemory = 512 << 20
	fetchBuckets  = 100    // of one statement
	fetchRows     = 50_000 // of one statement, unless one bucket has more
	aroundDays    = 40     // in which a missing row is looked for outside of the window
)

// byKey compares archive and table row by row.
type byKey struct {
	w      *workspace.Workspace
	s      publish.Session
	o      Options
	ds     *dataset.Dataset // the workspace's, with one bucket: the comparison has its own
	target publish.Target
	cal    *kafka.Calendar

	inputs  []runplan.Input
	chunks  []runplan.Chunk
	schemas *registry.Set // of framed values, as they are now; nil: there are none
	cmp     *rowdiff.Comparison
	workers int

	mu      sync.Mutex
	counts  []*account.Chunk
	damaged map[string]kafka.TopicPartition // objects that can't be read

	erased func([]*string) bool // of a row's values; nil: nobody is

	rows tieout.Rows
	all  bool // every bucket that differs was looked into
}

// compareByKey reads the archive once and the table in one GROUP BY, and looks
// into what differs. Close gives back what it holds.
func compareByKey(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options, inputs []runplan.Input) (*byKey, error) {
	k, err := newByKey(w, s, o, inputs)
	if err != nil {
		return nil, err
	}
	if k.schemas, err = w.Schemas(ctx, inputs); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	if err := k.run(ctx); err != nil {
		return nil, errors.Join(err, k.Close())
	}
	return k, nil
}

func newByKey(w *workspace.Workspace, s publish.Session, o Options, inputs []runplan.Input) (*byKey, error) {
	ds := *w.Dataset
	ds.Reconcile.Buckets = 1
	k := &byKey{w: w, s: s, o: o, ds: &ds, target: w.Target(), cal: w.Calendar(), inputs: inputs, damaged: map[string]kafka.TopicPartition{}}
	k.chunks = runplan.Cut(inputs, chunkBytes, runplan.Basis{ConvertDigest: ds.ConvertDigest, Archive: ds.Archive.URI, Window: o.Window, Converter: runplan.Converter})
	people, err := w.People()
	if err != nil {
		return nil, err
	}
	if people != nil {
		k.erased = func(values []*string) bool {
			v := values[people.Column]
			return v != nil && people.Has(*v)
		}
	}
	k.counts = make([]*account.Chunk, len(k.chunks))
	memory := o.Memory
	if memory == 0 {
		memory = defaultMemory
	}
	k.workers = int(max(1, min(int64(runtime.GOMAXPROCS(0)), memory/2/scanBytes, int64(len(k.chunks)))))
	k.cmp, err = rowdiff.New(rowdiff.Options{
		Dataset: k.ds, Window: o.Window, Chunks: k.chunks, Memory: memory - int64(k.workers)*scanBytes - programBytes, Dir: os.TempDir(), Disk: o.Disk,
	})
	return k, err
}

// Close gives back what the comparison holds.
func (k *byKey) Close() error { return k.cmp.Close() }

func (k *byKey) run(ctx context.Context) error {
	k.rows.Levels.Texts = []string{}
	if err := k.feed(ctx); err != nil {
		return err
	}
	if err := k.cmp.Count(); err != nil {
		return err
	}
	sql, err := publish.KeyCells(ctx, k.s, k.target, k.o.Window, k.cal, k.cmp.Buckets, k.cmp.Take)
	k.asked(sql)
	if err != nil {
		return err
	}
	l := &k.rows.Levels
	l.PerBucket, l.Buckets, l.Bad = rowdiff.PerBucket, k.cmp.Size(), k.cmp.Bad()
	for _, c := range k.cmp.Left {
		l.ArchiveRows += c.Rows
	}
	for _, c := range k.cmp.Right {
		l.TableRows += c.Rows
	}
	k.rows.List, k.rows.Complete = []tieout.RowBreak{}, true
	if k.all = true; len(l.Bad) > 0 {
		if err := k.look(ctx); err != nil {
			return err
		}
	}
	k.objects()
	k.rows.Sort()
	return nil
}

// asked notes a query.
func (k *byKey) asked(sql string) {
	l := &k.rows.Levels
	l.Queries++
	const maxTexts = 20
	if len(l.Texts) < maxTexts && !slices.Contains(l.Texts, sql) {
		l.Texts = append(l.Texts, sql)
	}
}

// look fetches the rows of buckets that differ and classifies them.
func (k *byKey) look(ctx context.Context) error {
	l := &k.rows.Levels
	room := int64(rowdiff.MaxFetched)
	var chosen []tieout.Bucket
	for i, b := range l.Bad {
		if b.Right > room {
			k.all = false
			continue
		}
		room -= b.Right
		l.Bad[i].Looked = true
		chosen = append(chosen, l.Bad[i])
	}
	if err := k.cmp.Expect(chosen); err != nil {
		return err
	}
	for len(chosen) > 0 {
		n, rows := 0, int64(0)
		for n < len(chosen) && n < fetchBuckets && (n == 0 || rows+chosen[n].Right <= fetchRows) {
			rows += chosen[n].Right
			n++
		}
		if err := k.fetch(ctx, publish.KeyFilter{Window: k.o.Window, Buckets: chosen[:n]}, k.cmp.Fetched); err != nil {
			return err
		}
		chosen = chosen[n:]
	}
	cut := k.cmp.Differing()
	if err := k.around(ctx); err != nil {
		return err
	}
	if err := k.pick(ctx); err != nil {
		return err
	}
	list, spelled := k.cmp.Classify(k.rules())
	if len(list) == 0 && spelled == 0 && cut == 0 && k.all {
		list = append(list, k.rules().Unknown(tieout.KeyMark{}, "sums of a bucket differ, and no row of it does"))
	}
	if over := len(list) - rowdiff.MaxListed; over > 0 {
		cut += int64(over)
		list = list[:rowdiff.MaxListed]
	}
	k.rows.List, k.rows.Cut, k.rows.Complete = list, cut, cut == 0 && k.all
	return nil
}

func (k *byKey) fetch(ctx context.Context, f publish.KeyFilter, take func(tieout.TableRow) error) error {
	sql, err := publish.KeyRows(ctx, k.s, k.target, k.cal, f, func(t tieout.TableRow) error {
		k.rows.Levels.Fetched++
		return take(t)
	})
	k.asked(sql)
	return err
}

// around looks for missing rows on the days around the window.
func (k *byKey) around(ctx context.Context) error {
	missing := k.cmp.Missing()
	if k.o.Window.IsAll() || len(missing) == 0 {
		return nil
	}
	const day = kafka.Instant(24 * 60 * 60 * 1_000_000)
	wide := kafka.Window{From: k.o.Window.From - aroundDays*day, To: k.o.Window.To + aroundDays*day}
	const maxAsked = 10 * publish.MaxKeys // of whole losses no single row is looked for
	if len(missing) > maxAsked {
		return nil
	}
	for part := range slices.Chunk(missing, publish.MaxKeys) {
		err := k.fetch(ctx, publish.KeyFilter{Window: wide, Keys: part}, func(t tieout.TableRow) error {
			if k.o.Window.Contains(t.At) {
				return nil
			}
			return k.cmp.Outside(t)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (k *byKey) rules() *tieout.Rules {
	return &tieout.Rules{
		Columns: k.ds.Columns, Key: k.target.Key, Totals: k.ds.Reconcile.Totals, By: k.ds.Reconcile.By, Show: k.ds.Reconcile.Show,
		Window: k.o.Window, Calendar: k.cal, Windowed: k.ds.Records.EventTime != nil, Cutoff: k.o.Cutoff, Damaged: len(k.damaged) > 0, Erased: k.erased,
	}
}

// objects lists what is wrong with the archive itself.
func (k *byKey) objects() {
	for key, tp := range k.damaged {
		b := k.rules().Unknown(tieout.KeyMark{}, "the object can't be read to its end; its records are unknown: "+key)
		b.Class, b.Place = tieout.DamagedObject, &tieout.Position{Topic: tp.Topic, Partition: tp.Partition, Offset: kafka.NoOffset, Object: key}
		k.rows.List = append(k.rows.List, b)
	}
	for i, c := range k.counts {
		for _, f := range c.Findings {
			if f.Class != account.ArchiveConflict {
				continue
			}
			tp := k.chunks[i].Partition
			b := k.rules().Unknown(tieout.KeyMark{}, f.Text)
			b.Class, b.Place = tieout.Conflict, &tieout.Position{Topic: tp.Topic, Partition: tp.Partition, Offset: f.Offset, Object: f.Object}
			k.rows.List = append(k.rows.List, b)
		}
	}
}

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
			o := scan.Options{Dataset: k.ds, Window: k.o.Window, Source: src, BlockBytes: 1 << 20, RecordBytes: 8 << 20, MaskKey: k.w.MaskKey, Suppressed: suppressed, Schemas: k.schemas}
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
