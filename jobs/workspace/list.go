package workspace

import (
	"context"
	"slices"

	"backfill/internal/archive"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// Listing is the archive as it is now.
type Listing struct {
	Objects []runplan.Input
	Ignored map[string]int
	Layout  string          // which one was chosen and why, if the dataset leaves it to a sample
	Folders archive.Folders // that dates chose among
	Bytes   int64
	ID      string
}

// List lists what the archive holds for the windows, by the dataset's layout.
func (w *Workspace) List(ctx context.Context, windows ...kafka.Window) (*Listing, error) {
	choice, err := w.layout(ctx)
	if err != nil {
		return nil, err
	}
	found, err := archive.List(ctx, w.Archive, choice.Layout, w.wanted(windows), archive.Limits{})
	if err != nil {
		return nil, err
	}
	l := &Listing{Ignored: found.Ignored, Layout: choice.Why, Folders: found.Folders, Objects: make([]runplan.Input, 0, len(found.Objects))}
	for _, o := range found.Objects {
		l.Bytes += o.Size
		l.Objects = append(l.Objects, runplan.Input{
			Partition: o.Name.TopicPartition,
			ObjectRef: runplan.ObjectRef{
				Key: o.Key, Size: o.Size, ETag: o.ETag, Version: o.Version, First: o.Name.FirstOffset,
				Ordered: o.Name.Ordered, Lower: o.Name.Lower,
			},
		})
	}
	l.ID = runplan.ListingID(l.Objects)
	return l, nil
}

// wanted says which objects the windows need, as far as the dataset knows.
func (w *Workspace) wanted(windows []kafka.Window) archive.Wanted {
	a := w.Dataset.Archive
	if len(windows) == 0 || slices.ContainsFunc(windows, kafka.Window.IsAll) {
		return archive.Wanted{}
	}
	wanted := archive.Wanted{Windows: windows, Lateness: a.Lateness, Earliness: a.Earliness, Modified: a.Modified}
	if t := a.FolderTime; t != nil {
		wanted.Folders = t.Folders
		if t.Clock == dataset.ClockEvent {
			wanted.Lateness = 0 // a late record lies in the folder of its event
		}
	}
	return wanted
}

// ByWindow reports whether the listing of one window says nothing of another's.
func (w *Workspace) ByWindow() bool {
	return w.Dataset.Archive.Modified || w.Dataset.Archive.FolderTime != nil
}
