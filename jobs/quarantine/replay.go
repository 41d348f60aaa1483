package quarantine

import (
	"context"
	"strings"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/quarantine"
	"backfill/internal/registry"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/jobs/workspace"
)

// maxRecords bounds the quarantined records that a replay looks at one by one.
const maxRecords = 1_000_000

// Preview reads the objects that hold quarantined records of a plan again, by
// the dataset as it is now (w's), and says what would become of each of those
// records. old is the workspace of the plan, whose quarantine it is.
func Preview(ctx context.Context, old, w *workspace.Workspace, head *runplan.Head, chunks []runplan.Chunk) (*Replay, error) {
	wanted := map[place]bool{}
	stripped, since := int64(0), ""
	objects := map[string]runplan.Chunk{}
	err := each(ctx, old, chunks, func(c *runplan.Chunk, r *quarantine.Record) error {
		if len(wanted) == maxRecords {
			return fail.New(fail.Memory, "more than %d records are in quarantine", maxRecords).Try("they are too many to look at one by one: run the window again, which reads all of them")
		}
		wanted[place{r.Object, r.Row}] = true
		if !r.Removed.IsZero() {
			if day := removedSince(r); since == "" || day < since {
				since = day
			}
			stripped++
		}
		for _, o := range c.Objects {
			if o.Key == r.Object {
				objects[o.Key] = runplan.Chunk{Partition: c.Partition, Objects: []runplan.ObjectRef{o}, Bytes: o.Size}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	all := &Replay{Records: int64(len(wanted)), Others: map[string]int64{}, Still: map[string]int64{}}
	all.Removed, all.Since = stripped, since
	all.Dropped = all.Records
	var inputs []runplan.Input
	for _, c := range objects {
		inputs = append(inputs, runplan.Input{Partition: c.Partition, ObjectRef: c.Objects[0]})
	}
	schemas, err := w.Schemas(ctx, inputs)
	if err != nil {
		return nil, err
	}
	for key, c := range objects {
		p := &preview{w: w, schemas: schemas, window: head.Window, wanted: wanted, object: key}
		if err := p.read(ctx, c); err != nil {
			return nil, err
		}
		all.add(&p.found)
	}
	return all, nil
}

// add takes what one object gave.
func (r *Replay) add(o *Replay) {
	r.Fit += o.Fit
	r.Dropped -= o.Fit
	for day, n := range o.Others {
		r.Others[day] += n
		r.Dropped -= n
	}
	for reason, n := range o.Still {
		r.Still[reason] += n
		r.Dropped -= n
	}
}

// preview is the sink of a scan of one object; it looks at the wanted records alone.
type preview struct {
	w       *workspace.Workspace
	schemas *registry.Set // of framed values, as they are now; nil: there are none
	window  kafka.Window
	wanted  map[place]bool
	object  string
	found   Replay
}

func (p *preview) read(ctx context.Context, c runplan.Chunk) error {
	suppressed, err := p.w.Suppressed()
	if err != nil {
		return err
	}
	s, err := scan.New(scan.Options{Dataset: p.w.Dataset, Window: p.w.Everything(), Source: p.w, BlockBytes: 1 << 20, MaskKey: p.w.MaskKey, Suppressed: suppressed, Schemas: p.schemas})
	if err != nil {
		return err
	}
	defer s.Close() // frees memory only
	if err := p.Restart(); err != nil {
		return err
	}
	_, err = s.Chunk(ctx, c, p)
	return err
}

// Restart forgets what a pass gave that is done again.
func (p *preview) Restart() error {
	p.found = Replay{Others: map[string]int64{}, Still: map[string]int64{}}
	return nil
}

// Rows takes rows, of which some were in quarantine before.
func (p *preview) Rows(b *columns.Batch) error {
	for i := range b.N {
		switch {
		case !p.wanted[place{p.object, b.Row[i]}]:
		case p.window.IsAll() || p.window.Contains(b.EventTime[i]):
			p.found.Fit++
		default:
			p.found.Others[dayOf(p.w, b.EventTime[i])]++
		}
	}
	return nil
}

// Reject takes records that still can't become rows.
func (p *preview) Reject(r *scan.Rejected) error {
	if p.wanted[place{r.Object, r.Row}] {
		p.found.Still[strings.TrimSpace(r.Column+" "+r.Reason)]++
	}
	return nil
}
