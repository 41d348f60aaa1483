package archivegen

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// Generate writes an archive into s and returns the truth about it. It holds about 5 MiB per object that
// is written at a time, or the whole object where the codec is none; another layout than the default one holds
// the log of a partition, about 2 KiB a record. It fails on Options that make no
// archive, with everything that is wrong with them, on the first error of s, and when ctx ends; objects
// already put then stay.
func Generate(ctx context.Context, o Options, s Sink) (Truth, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Truth{}, fmt.Errorf("reading the options: %w", err)
	}
	if o.Layout != "" {
		return generateLayout(ctx, o, s)
	}
	l, err := newLayout(o)
	if err != nil {
		return Truth{}, fmt.Errorf("laying out the archive: %w", err)
	}
	workers := make([]*worker, min(o.Parallel, len(l.objects)))
	for i := range workers {
		if workers[i], err = newWorker(l); err != nil {
			return Truth{}, err
		}
	}
	results := make([]written, len(l.objects))
	var next atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for _, w := range workers {
		g.Go(func() error {
			for k := next.Add(1) - 1; k < int64(len(l.objects)); k = next.Add(1) - 1 {
				var err error
				if results[k], err = w.write(ctx, &l.objects[k], s); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return Truth{}, err
	}
	total := newTally(l.cal)
	for _, w := range workers {
		total.merge(w.tally)
	}
	t := newTruth(l, total)
	t.addObjects(l, results)
	return t, nil
}

// written is what one object turned out to be.
type written struct {
	bytes   int64
	records int64
	counts  [dispositions]int64
	planted []Planted
}

// worker writes one object after another.
type worker struct {
	*layout
	draw  draw
	json  *writer
	pack  *packer
	tally *tally

	// Of the object being written.
	buf []byte // lines not yet compressed
	ob  *object
	key string
	out written
}

const flushBytes = 256 << 10

func newWorker(l *layout) (*worker, error) {
	p, err := newPacker()
	if err != nil {
		return nil, err
	}
	return &worker{
		layout: l, draw: newDraw(l), json: newWriter(l), pack: p, tally: newTally(l.cal),
		buf: make([]byte, 0, flushBytes+4096),
	}, nil
}

// write generates an object, puts it, and counts its records.
func (w *worker) write(ctx context.Context, ob *object, s Sink) (written, error) {
	if err := ctx.Err(); err != nil {
		return written{}, err
	}
	w.ob, w.key, w.out, w.buf = ob, w.layout.key(ob), written{}, w.buf[:0]
	w.pack.begin(ob.codec)
	if err := w.lines(ctx); err != nil {
		return written{}, fmt.Errorf("writing %s: %w", w.key, err)
	}
	if ob.unended {
		w.buf = w.buf[:len(w.buf)-1]
	}
	if err := w.flush(len(w.buf)); err != nil {
		return written{}, fmt.Errorf("compressing %s: %w", w.key, err)
	}
	if err := w.pack.out.Close(); err != nil {
		return written{}, fmt.Errorf("compressing %s: %w", w.key, err)
	}
	body := w.pack.body.Bytes()
	if ob.damaged {
		body = body[:len(body)/2]
	}
	w.out.bytes = int64(len(body))
	if err := s.Put(ctx, w.key, body); err != nil {
		return written{}, fmt.Errorf("putting %s: %w", w.key, err)
	}
	return w.out, nil
}

// lines appends every line of the object, so that at least the last one is still in buf.
func (w *worker) lines(ctx context.Context) error {
	p := &w.parts[w.ob.part]
	extras := p.extrasIn(w.ob.again, w.ob.to)
	half := (w.ob.again + w.ob.to) / 2
	d := p.dayAt(w.ob.again)
	for slot := w.ob.again; slot < w.ob.to; slot++ {
		for slot >= p.firstSlot[d+1] {
			d++
		}
		if len(w.buf) >= flushBytes {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := w.flush(len(w.buf)); err != nil {
				return err
			}
		}
		e := w.draw.ordinary(p, d, slot)
		archived := e.occurred
		w.record(p, &e, nil, slot, d, archived)
		for len(extras) > 0 && extras[0].slot == slot {
			w.extra(p, &extras[0], d, archived)
			extras = extras[1:]
		}
		if slot == half && w.ob.members == 2 {
			if err := w.split(); err != nil {
				return err
			}
		}
	}
	return nil
}

// split ends a member within the last line.
func (w *worker) split() error {
	if err := w.flush(len(w.buf) - min(100, len(w.buf)/2)); err != nil {
		return err
	}
	if err := w.pack.out.Close(); err != nil {
		return err
	}
	w.pack.member(w.ob.codec)
	return nil
}

// flush compresses the first n bytes of buf.
func (w *worker) flush(n int) error {
	if _, err := w.pack.out.Write(w.buf[:n]); err != nil {
		return err
	}
	w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	return nil
}

// extra appends a planted record and notes where it went.
func (w *worker) extra(p *partition, x *extra, d int, archived int64) {
	planted := Planted{Kind: x.kind, Key: w.key, Row: w.out.records, Offset: w.ob.start + w.out.records, Records: 1}
	planted.Copy = w.ob.copy || x.slot < w.ob.from
	if x.kind == Tombstone || x.kind == NullTail {
		w.record(p, nil, x, x.slot, d, archived)
		w.out.planted = append(w.out.planted, planted)
		return
	}
	e := w.draw.planted(p, x, d, archived)
	switch x.kind {
	case MalformedJSON:
		planted.Detail = malformations[x.ordinal%len(malformations)].reason
	case BadValue, Undatable:
		planted.Detail = e.defect.reason
	default:
		id := appendUUID(nil, e.idHigh, e.idLow)
		planted.EventID = string(id[1 : len(id)-1])
	}
	w.record(p, &e, x, x.slot, d, archived)
	w.out.planted = append(w.out.planted, planted)
	if (x.kind == Superseding || x.kind == Stale) && !planted.Copy {
		older := e
		if x.kind == Superseding {
			older = w.draw.ordinary(p, d, x.original)
		}
		w.tally.supersede(&older, d)
	}
}

// record appends one line and counts it; a nil event is a null line, a nil extra an ordinary event.
func (w *worker) record(p *partition, e *event, x *extra, slot int64, d int, archived int64) {
	var kind FaultKind
	if x != nil {
		kind = x.kind
	}
	first := len(w.buf)
	if e == nil {
		w.buf = append(w.buf, "null"...)
	} else {
		at := coordinates{p.number, w.ob.start + w.out.records, arrival(archived, e)}
		if kind == Undatable {
			at.timestamp = -1
		}
		w.buf = w.json.appendEvent(w.buf, e, at)
	}
	if kind == MalformedJSON {
		m := malformations[x.ordinal%len(malformations)]
		w.buf = append(w.buf[:first], m.mangle(w.buf[first:])...)
	}
	w.buf = append(w.buf, '\n')
	w.out.records++
	end := decide(w.cal, e, kind, false, w.ob.copy || slot < w.ob.from)
	w.out.counts[end]++
	if !w.ob.damaged {
		w.tally.count(e, end, d)
	}
}

// arrival returns the Kafka time of a record in milliseconds: a moment after its producer wrote it.
func arrival(archived int64, e *event) int64 { return archived/1000 + 5 + int64(e.style>>33%1500) }
