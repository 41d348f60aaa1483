package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/progress"
	"backfill/internal/runplan"
)

const (
	coldRequests = 16      // at a time
	maxHeads     = 100_000 // objects of INTELLIGENT_TIERING that are asked for their tier
	soonGone     = 24 * time.Hour
)

// Restore says how objects in archive storage classes are restored.
type Restore struct {
	Tier objstore.Tier
	Days int // that restored copies can be read
}

// coldObject is an object that must be restored before it can be read.
type coldObject struct {
	runplan.ObjectRef
	state objstore.Cold
}

// readableNow makes sure that everything that must be converted can be read.
// Objects in archive storage classes are refused, or restored if that is asked
// for; the objects of chunks that were converted before don't matter.
func (p *planner) readableNow(ctx context.Context, chunks []runplan.Chunk, r *Result) error {
	cold, err := p.findCold(ctx, chunks, r)
	if err != nil || len(cold) == 0 {
		return err
	}
	waiting := map[objstore.Class]amount{}
	idle := map[objstore.Class]amount{} // of which nobody asked for the restore
	for _, o := range cold {
		count(waiting, o)
		if !o.state.Restoring {
			count(idle, o)
		}
	}
	if len(idle) > 0 && p.o.Restore == nil {
		return p.refuseCold(waiting, idle)
	}
	begun := 0
	if p.o.Restore != nil {
		if begun, err = p.restore(ctx, cold); err != nil {
			return err
		}
	}
	objects, bytes, text := told(waiting)
	e := fail.New(fail.Restoring, "%d objects with %d bytes are being restored (%s), %d of them by this command", objects, bytes, text, begun)
	return e.At("%s", p.w.Dataset.Archive.URI).Try("run the same command again later, without --restore too; typical times are %s", times(waiting))
}

func count(to map[objstore.Class]amount, o coldObject) {
	a := to[o.state.Class]
	a.objects++
	a.bytes += o.Size
	to[o.state.Class] = a
}

func told(cold map[objstore.Class]amount) (objects int, bytes int64, text string) {
	var parts []string
	for _, class := range classes {
		if a := cold[class]; a.objects > 0 {
			objects, bytes = objects+a.objects, bytes+a.bytes
			parts = append(parts, fmt.Sprintf("%s: %d", class, a.objects))
		}
	}
	return objects, bytes, strings.Join(parts, ", ")
}

func times(cold map[objstore.Class]amount) string {
	var parts []string
	for _, class := range classes {
		if cold[class].objects > 0 {
			parts = append(parts, fmt.Sprintf("%s: bulk %s, standard %s", class, prices[class][objstore.Bulk].takes, prices[class][objstore.Standard].takes))
		}
	}
	return strings.Join(parts, "; ")
}

// defaultDays is how long restored copies can be read when nobody says.
const defaultDays = 7

func (p *planner) refuseCold(waiting, idle map[objstore.Class]amount) error {
	objects, bytes, text := told(waiting)
	e := fail.New(fail.Cold, "%d objects with %d bytes can't be read before they are restored (%s); about, by list prices of us-east-1 with copies for %d days: %s",
		objects, bytes, text, defaultDays, offers(idle, defaultDays))
	return e.At("%s", p.w.Dataset.Archive.URI).
		Try("to restore them: backfill plan … --restore [--restore-tier bulk|standard|expedited] [--restore-days N] with the same dataset and window; this costs money and needs s3:RestoreObject")
}

// findCold returns the objects that can't be read and must be. It asks for the
// state of those of which the listing does not tell it.
func (p *planner) findCold(ctx context.Context, chunks []runplan.Chunk, r *Result) ([]coldObject, error) {
	var known []coldObject
	var unsure []runplan.ObjectRef
	soonest := time.Time{}
	for _, c := range chunks {
		read := withSides(c.Objects)
		if !slices.ContainsFunc(read, func(o runplan.ObjectRef) bool { _, may := p.now.Cold[o.Key]; return may }) {
			continue
		}
		if done, err := p.w.Runs.ChunkReceipt(ctx, c.ID); err != nil {
			return nil, err
		} else if done != nil {
			continue
		}
		for _, o := range read {
			state, may := p.now.Cold[o.Key]
			switch {
			case !may:
			case state == nil || p.now.Source != "": // an inventory does not know restores
				unsure = append(unsure, o)
			default:
				known = append(known, coldObject{o, *state})
			}
		}
	}
	if len(unsure) > maxHeads {
		r.Notes = append(r.Notes, fmt.Sprintf("%d objects may be in an archive tier of INTELLIGENT_TIERING; more than %d are not asked for it", len(unsure), maxHeads))
		unsure = nil
	}
	asked, err := p.ask(ctx, unsure)
	if err != nil {
		return nil, err
	}
	var cold []coldObject
	now := p.w.Now()
	for _, o := range append(known, asked...) {
		if !now.Before(o.state.Until) {
			cold = append(cold, o)
		} else if soonest.IsZero() || o.state.Until.Before(soonest) {
			soonest = o.state.Until
		}
	}
	if !soonest.IsZero() && soonest.Sub(now) < soonGone {
		r.Notes = append(r.Notes, fmt.Sprintf("restored copies can be read only until %s: convert before then", soonest.Format(time.RFC3339)))
	}
	slices.SortFunc(cold, func(a, b coldObject) int { return strings.Compare(a.Key, b.Key) })
	return cold, nil
}

// withSides returns the objects and their side files, which are read with them.
func withSides(objects []runplan.ObjectRef) []runplan.ObjectRef {
	all := slices.Clone(objects)
	for _, o := range objects {
		for _, side := range o.Sides {
			all = append(all, side.Object())
		}
	}
	return all
}

// ask asks the store for the state of objects.
func (p *planner) ask(ctx context.Context, objects []runplan.ObjectRef) ([]coldObject, error) {
	var mu sync.Mutex
	var cold []coldObject
	meter := progress.Counted("planning", "objects asked for their storage tier", len(objects), p.w.Now)
	p.w.Pulse.Follow(meter)
	err := each(ctx, objects, func(ctx context.Context, o runplan.ObjectRef) error {
		found, err := p.w.Archive.Head(ctx, o.Key)
		if err != nil {
			return err
		}
		meter.Done(0, 0)
		if found.Cold != nil {
			mu.Lock()
			defer mu.Unlock()
			cold = append(cold, coldObject{o, *found.Cold})
		}
		return nil
	})
	return cold, err
}

// restore asks for the restore of all objects of which nobody did, and returns
// how many it began. What an earlier try began counts as asked for.
func (p *planner) restore(ctx context.Context, cold []coldObject) (begun int, err error) {
	var idle []coldObject
	for _, o := range cold {
		if !o.state.Restoring {
			idle = append(idle, o)
		}
	}
	var mu sync.Mutex
	meter := progress.Counted("restoring", "objects asked for", len(idle), p.w.Now)
	p.w.Pulse.Follow(meter)
	err = each(ctx, idle, func(ctx context.Context, o coldObject) error {
		request := objstore.Restore{Tier: possible(o.state.Class, p.o.Restore.Tier)}
		if !o.state.Class.Tiered() {
			request.Days = p.o.Restore.Days
		}
		outcome, err := p.w.Archive.Restore(ctx, o.Key, request)
		if err != nil {
			return err
		}
		meter.Done(o.Size, 0)
		if outcome == objstore.Begun {
			mu.Lock()
			defer mu.Unlock()
			begun++
		}
		return nil
	})
	if err != nil {
		return begun, fail.Wrap(err, fail.CodeOf(err), "%d of %d restores were asked for", begun, len(idle)).Try("%s; asking again is harmless", fail.HintOf(err))
	}
	return begun, nil
}

// each calls fn for all items, some at a time, until one fails.
func each[T any](ctx context.Context, items []T, fn func(context.Context, T) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(coldRequests)
	for _, item := range items {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error { return fn(ctx, item) })
	}
	return group.Wait()
}
