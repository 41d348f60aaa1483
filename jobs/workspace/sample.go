package workspace

import (
	"context"
	"errors"
	"time"

	"backfill/internal/archive"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// Sample is the beginning of an archive's listing.
type Sample struct {
	Objects []objstore.Object                  // as listed, in byte order of the keys
	All     bool                               // there are no others
	Data    []runplan.Chunk                    // those that hold records, each a chunk of its own
	Classes []string                           // the storage class of each chunk's object
	Ignored int                                // known to hold none
	Name    string                             // of the layout
	Layout  string                             // why it was chosen, if a sample decided
	Written map[kafka.TopicPartition]time.Time // when the newest object of each partition was
	Fits    int                                // layouts that read all keys; also of a refusal
}

// sampled lists the objects of a sample.
type sampled struct {
	store   *objstore.Store
	objects []objstore.Object
}

func (l sampled) URI(key string) objstore.URI { return l.store.URI(key) }

func (l sampled) List(_ context.Context, _ string, fn func(objstore.Object) error) error {
	for _, o := range l.objects {
		if err := fn(o); err != nil {
			return err
		}
	}
	return nil
}

// Folder is not asked for: a sample is read whole.
func (l sampled) Folder(ctx context.Context, dir string, object func(objstore.Object) error, _ func(string) error) error {
	return l.List(ctx, dir, object)
}

var errEnough = errors.New("enough")

// Sample lists at most limit objects of the archive and reads their names by
// the dataset's layout. When no layout fits, more than one does, or the one
// does not read every name, the sample comes with the error.
func (w *Workspace) Sample(ctx context.Context, limit int) (*Sample, error) {
	s := &Sample{All: true, Written: map[kafka.TopicPartition]time.Time{}}
	err := w.Archive.List(ctx, "", func(o objstore.Object) error {
		if len(s.Objects) == limit {
			s.All = false
			return errEnough
		}
		s.Objects = append(s.Objects, o)
		return nil
	})
	if err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if len(s.Objects) == 0 {
		return s, nil
	}
	choice, err := w.layout(ctx)
	if s.Name, s.Layout, s.Fits = choice.Name, choice.Why, choice.Fits; err != nil {
		return s, err
	}
	found, err := archive.List(ctx, sampled{w.Archive, s.Objects}, choice.Layout, archive.Wanted{}, archive.Limits{})
	if err != nil {
		return s, err
	}
	class := map[string]string{}
	for _, o := range s.Objects {
		class[o.Key] = o.StorageClass
	}
	for _, n := range found.Ignored {
		s.Ignored += n
	}
	for o := range found.All() {
		newest(s.Written, o.Name.TopicPartition, o.Modified)
		s.Data = append(s.Data, runplan.Chunk{Partition: o.Name.TopicPartition, Objects: []runplan.ObjectRef{refOf(o)}, Bytes: o.Size})
		s.Classes = append(s.Classes, class[o.Key])
	}
	return s, nil
}

// Spread returns at most n chunks of the sample, evenly over it.
func (s *Sample) Spread(n int) []runplan.Chunk {
	var list []runplan.Chunk
	for i := range min(n, len(s.Data)) {
		list = append(list, s.Data[i*len(s.Data)/min(n, len(s.Data))])
	}
	return list
}

// Partitions returns the partitions that the sample names.
func (s *Sample) Partitions() map[kafka.TopicPartition]int {
	count := map[kafka.TopicPartition]int{}
	for _, c := range s.Data {
		count[c.Partition]++
	}
	return count
}

// Everything is a window of all times that a calendar has, for those who read
// records whatever their event time.
func (w *Workspace) Everything() kafka.Window {
	if w.Dataset.Records.EventTime == nil {
		return kafka.Window{}
	}
	return kafka.Window{From: kafka.InstantOf(time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC)), To: kafka.InstantOf(time.Date(9999, 12, 30, 0, 0, 0, 0, time.UTC))}
}
