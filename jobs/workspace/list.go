package workspace

import (
	"context"
	"slices"
	"time"

	"backfill/internal/archive"
	"backfill/internal/dataset"
	"backfill/internal/inventory"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/internal/timing"
)

// Listing is the archive as it is now.
type Listing struct {
	Objects []runplan.Input
	Ignored map[string]int
	Layout  string          // which one was chosen and why, if the dataset leaves it to a sample
	Folders archive.Folders // that dates chose among
	AsOf    time.Time       // of which everything that was archived is there; zero: now
	Source  string          // the inventory that was read; "": the store was listed
	Bytes   int64
	ID      string

	Written map[kafka.TopicPartition]time.Time // when the newest object of each partition was

	// Cold has the objects and side files that may have to be restored before they can be read;
	// nil: their storage class does not tell.
	Cold map[string]*objstore.Cold
}

// List lists what the archive holds for the windows, by the dataset's layout.
func (w *Workspace) List(ctx context.Context, windows ...kafka.Window) (*Listing, error) {
	defer w.Times.Begin(timing.List)()
	choice, err := w.layout(ctx)
	if err != nil {
		return nil, err
	}
	wanted := w.wanted(windows)
	report, err := w.inventory(ctx)
	if err != nil {
		return nil, err
	}
	if report != nil {
		wanted.Inventory = report
	}
	found, err := archive.List(ctx, w.Archive, choice.Layout, wanted, archive.Limits{})
	if err != nil {
		return nil, err
	}
	l := &Listing{Ignored: found.Ignored, Layout: choice.Why, Folders: found.Folders, AsOf: found.AsOf, Objects: make([]runplan.Input, 0, found.Len()), Written: map[kafka.TopicPartition]time.Time{}}
	if report != nil {
		l.Source = report.String()
	}
	for o := range found.All() {
		l.Bytes += o.Size
		newest(l.Written, o.Name.TopicPartition, o.Modified)
		tells := report != nil && report.Tiers()
		l.freeze(o.Object, tells)
		for _, side := range o.Sides {
			l.freeze(side.Object, tells)
		}
		l.Objects = append(l.Objects, runplan.Input{
			Partition: o.Name.TopicPartition,
			ObjectRef: refOf(o),
		})
	}
	l.ID = runplan.ListingID(l.Objects)
	return l, nil
}

// freeze notes an object that may have to be restored; tells: the listing knows
// its tier of INTELLIGENT_TIERING.
func (l *Listing) freeze(o objstore.Object, tells bool) {
	if o.Cold == nil && (o.StorageClass != objstore.IntelligentTiering || tells) {
		return
	}
	if l.Cold == nil {
		l.Cold = map[string]*objstore.Cold{}
	}
	l.Cold[o.Key] = o.Cold
}

// refOf returns the object as a plan holds it.
func refOf(o archive.Object) runplan.ObjectRef {
	ref := runplan.ObjectRef{
		Key: o.Key, Size: o.Size, ETag: o.ETag, Version: o.Version, First: o.Name.FirstOffset,
		Ordered: o.Name.Ordered, Lower: o.Name.Lower, End: o.Name.End, Generation: o.Generation, Tombstones: o.Name.View == archive.Tombstones,
	}
	for _, s := range o.Sides {
		ref.Sides = append(ref.Sides, runplan.SideRef{View: string(s.View), Key: s.Key, Size: s.Size, ETag: s.ETag, Version: s.Version})
	}
	return ref
}

// wanted says which objects the windows need, as far as the dataset knows.
func (w *Workspace) wanted(windows []kafka.Window) archive.Wanted {
	a := w.Dataset.Archive
	wanted := archive.Wanted{Lateness: a.Lateness, Earliness: a.Earliness, Archived: a.Lateness, Recreated: a.Recreated}
	if t := a.FolderTime; t != nil {
		wanted.Folders = t.Folders
		if t.Clock == dataset.ClockEvent {
			wanted.Lateness = 0 // a late record lies in the folder of its event
		}
	}
	if !slices.ContainsFunc(windows, kafka.Window.IsAll) {
		wanted.Windows, wanted.Modified = windows, a.Modified
	}
	return wanted
}

// inventory opens the report that is read instead of listing; nil: there is none.
func (w *Workspace) inventory(ctx context.Context) (*inventory.Report, error) {
	text := w.Dataset.Archive.Inventory
	if text == "" {
		return nil, nil
	}
	uri, err := objstore.ParseURI(text)
	if err != nil {
		return nil, err
	}
	root, dated := inventory.Split(uri)
	store, err := objstore.Open(ctx, root, objstore.Options{})
	if err != nil {
		return nil, err
	}
	return inventory.Open(ctx, store, dated, w.Archive.Root())
}

// ByWindow reports whether the listing of one window says nothing of another's.
func (w *Workspace) ByWindow() bool {
	return w.Dataset.Archive.Modified || w.Dataset.Archive.FolderTime != nil
}
