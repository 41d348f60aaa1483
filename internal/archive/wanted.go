package archive

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"backfill/internal/folder"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
)

// Wanted says which objects a listing is for. The zero Wanted takes all.
type Wanted struct {
	Windows []kafka.Window // of event time; none: all time

	// Folders says how dated folders read; nil: they say nothing of the records
	// in them.
	Folders *folder.Time
	// Lateness is how much later than its event time, by the clock of the
	// folders or of the store, a record may have been archived; Earliness is how
	// much earlier.
	Lateness, Earliness time.Duration

	// Modified says that objects last written before all windows hold none of
	// their records.
	Modified bool

	// Recreated are the times, ascending, at which the topic was made anew, so that
	// its offsets began again: objects last written from one of them on count as
	// another generation.
	Recreated []time.Time

	// Inventory is read instead of listing; nil: the store is listed. With
	// Folders the folders are listed that may have got objects since; Archived is
	// how long after a folder's time that may happen.
	Inventory Inventory
	Archived  time.Duration
}

// Inventory is a list of the store's objects that was made at an earlier time.
type Inventory interface {
	// List calls fn for every object under the root, in no order.
	List(ctx context.Context, fn func(objstore.Object) error) error
	// Sure is the time of which nothing that was written before it is missing.
	Sure() time.Time
}

// Folders counts dated folders.
type Folders struct {
	Listed  int // requests that list whole folders, however deep
	Skipped int // folders of other times, with all that is in them
}

const reasonBefore = "written before the window"

// needs reports whether records of the windows may lie in folders that stand
// for the span, and whether each of its folders must be listed.
func (w *Wanted) needs(span kafka.Window) (some, all bool) {
	if len(w.Windows) == 0 {
		return true, true
	}
	slack := w.Folders.Granule()
	early, late := micros(w.Earliness+slack), micros(w.Lateness+slack)
	for _, window := range w.Windows {
		if window.IsAll() {
			return true, true
		}
		from, to := window.From-early, window.To+late
		some = some || span.From < to && span.To > from
		all = all || span.From >= from && span.To <= to
	}
	return some, all
}

// recent reports whether some or all of a span's folders may hold objects that
// the inventory does not know.
func (w *Wanted) recent(span kafka.Window) (some, all bool) {
	if w.Inventory == nil {
		return true, true
	}
	sure := kafka.InstantOf(w.Inventory.Sure())
	late := micros(w.Archived + w.Earliness + w.Folders.Granule())
	return span.To+late > sure, span.From+late > sure
}

// known reports whether an object of the inventory counts: its folder is
// wanted, and was not listed.
func (w *Wanted) known(key string) bool {
	var at folder.Place
	old := false
	for {
		name, rest, deeper := strings.Cut(key, "/")
		if !deeper {
			return old
		}
		at, key = w.Folders.Path.Enter(at, name), rest
		span, dated := w.Folders.Span(at)
		if !dated {
			continue
		}
		if some, _ := w.needs(span); !some {
			return false
		}
		recent, _ := w.recent(span)
		old = old || !recent
	}
}

func micros(d time.Duration) kafka.Instant { return kafka.Instant(d.Microseconds()) }

// walk lists the folders that are wanted. Folders above the dates are listed
// level by level, and dated ones that reach over a border of the windows;
// everything else with one listing each, or not at all.
type walk struct {
	ctx     context.Context
	lister  Lister
	wanted  Wanted
	add     func(objstore.Object) error
	folders *Folders
}

func (w *walk) folder(dir string, at folder.Place) error {
	var below []string
	err := w.lister.Folder(w.ctx, dir, w.add, func(dir string) error {
		below = append(below, dir)
		return nil
	})
	if err != nil {
		return err
	}
	for _, dir := range below {
		name := strings.TrimSuffix(dir, "/")
		place := w.wanted.Folders.Path.Enter(at, name[strings.LastIndexByte(name, '/')+1:])
		span, known := w.wanted.Folders.Span(place)
		some, recent, all := true, true, w.wanted.Folders.Path.Below(place)
		if known {
			var needed, fresh bool
			some, needed = w.wanted.needs(span)
			recent, fresh = w.wanted.recent(span)
			all = all || needed && fresh
		}
		switch {
		case !some:
			w.folders.Skipped++
		case !recent: // the inventory has it
		case all:
			w.folders.Listed++
			err = w.lister.List(w.ctx, dir, w.add)
		default:
			err = w.folder(dir, place)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// since leaves out objects that were last written before the windows, if that
// is wanted, and counts them. Where names order a partition only its first
// objects go, so that what is left still follows each other. A partition keeps
// one object: how long it has been silent must show.
func (w *Wanted) since(l *Listing) {
	if !w.Modified || len(w.Windows) == 0 {
		return
	}
	first := w.Windows[0].From
	for _, window := range w.Windows {
		if window.IsAll() {
			return
		}
		first = min(first, window.From)
	}
	cut := first.Time().Add(-w.Earliness).Unix() - 1 // stores tell whole seconds
	kept := make([]int32, 0, len(l.order))
	for partition := range l.partitions() {
		kept = append(kept, l.partitionSince(partition, cut)...)
	}
	if n := len(l.order) - len(kept); n > 0 {
		l.Ignored[reasonBefore] += n
	}
	l.order = kept
}

// partitionSince returns a partition's objects without those written before cut.
func (l *Listing) partitionSince(partition []int32, cut int64) []int32 {
	before := func(i int32) bool { return l.at(i).modified < cut }
	if slices.ContainsFunc(partition, func(i int32) bool { return l.at(i).flags&isOrdered != 0 }) {
		n := 0
		for n < len(partition)-1 && before(partition[n]) {
			n++
		}
		return partition[n:]
	}
	newest := slices.MaxFunc(partition, func(a, b int32) int { return cmp.Compare(l.at(a).modified, l.at(b).modified) })
	kept := slices.DeleteFunc(slices.Clone(partition), before)
	if len(kept) == 0 {
		return append(kept, newest)
	}
	return kept
}
