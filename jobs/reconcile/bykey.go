package reconcile

import (
	"context"
	"errors"
	"os"
	"runtime"
	"slices"
	"sync"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/registry"
	"backfill/internal/rowdiff"
	"backfill/internal/runplan"
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
	worker := int64(scanBytes)
	if workspace.MayBeParquet(ds.Archive.Format, k.chunks) {
		worker += workspace.SmallParquetBytes
	}
	k.workers = int(max(1, min(int64(runtime.GOMAXPROCS(0)), memory/2/worker, int64(len(k.chunks)))))
	k.cmp, err = rowdiff.New(rowdiff.Options{
		Dataset: k.ds, Window: o.Window, Chunks: k.chunks, Memory: memory - int64(k.workers)*worker - programBytes, Dir: os.TempDir(), Disk: o.Disk,
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
			if f.Class != account.ArchiveConflict && f.Class != account.TopicRecreated {
				continue
			}
			tp := k.chunks[i].Partition
			b := k.rules().Unknown(tieout.KeyMark{}, f.Text)
			b.Class, b.Place = tieout.Conflict, &tieout.Position{Topic: tp.Topic, Partition: tp.Partition, Offset: f.Offset, Object: f.Object}
			k.rows.List = append(k.rows.List, b)
		}
	}
}
