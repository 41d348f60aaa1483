package infer

import (
	"context"
	"fmt"

	"backfill/internal/archive"
	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/survey"
	"backfill/jobs/workspace"
)

// sides are the files that a Confluent S3 sink wrote beside values.
type sides struct {
	keys, headers, tombstones int  // files in the listing
	all                       bool // the listing is the whole archive: a kind that is not in it has no files
}

// listed lists the sample by the layout that reads its names: by one that reads
// all, by Confluent's with its side files, or by none, so that objects count alone.
func listed(ctx context.Context, w *workspace.Workspace, o Options) (*workspace.Sample, *sides, error) {
	sample, err := w.Sample(ctx, mostKeys)
	if !fail.Is(err, fail.BadLayout) || len(sample.Objects) == 0 {
		return sample, nil, err
	}
	none := sample.Fits == 0
	if none || sample.Name == dataset.LayoutConfluent {
		if beside := sidesOf(sample, w.Archive.URI); beside != nil {
			w.Dataset.Archive.Layout = dataset.Layout{Name: dataset.LayoutConfluent, Join: beside.join(), Ignore: beside.ignore()}
			joined, err := w.Sample(ctx, mostKeys)
			if !none || !fail.Is(err, fail.BadLayout) {
				return joined, beside, err
			}
		}
	}
	if !none {
		return nil, nil, err
	}
	nobody := kafka.Partition(0)
	w.Dataset.Archive.Layout = dataset.Layout{Name: dataset.LayoutUnnamed, Topic: identifier(lastStep(o.URI)), Partition: (*int32)(&nobody)}
	sample, err = w.Sample(ctx, mostKeys)
	return sample, nil, err
}

// sidesOf counts side files among the sample's names; nil: there are none.
func sidesOf(sample *workspace.Sample, uri func(key string) objstore.URI) *sides {
	layout := archive.ConfluentWith(archive.ConfluentOptions{Join: []archive.View{archive.Keys, archive.Headers, archive.Tombstones}})
	s := sides{all: sample.All}
	for _, o := range sample.Objects {
		switch name, _ := layout.Parse(uri(o.Key).Key); name.View {
		case archive.Keys:
			s.keys++
		case archive.Headers:
			s.headers++
		case archive.Tombstones:
			s.tombstones++
		}
	}
	if s.keys+s.headers+s.tombstones == 0 {
		return nil
	}
	return &s
}

// join is archive.join: tombstone files hold offsets that no values have.
func (s *sides) join() []string {
	if s.tombstones == 0 && s.all {
		return nil
	}
	return []string{dataset.SideTombstones}
}

// ignore is archive.ignore: the columns of a proposal take the value alone.
func (s *sides) ignore() (kinds []string) {
	if s.keys > 0 || !s.all {
		kinds = append(kinds, dataset.SideKeys)
	}
	if s.headers > 0 || !s.all {
		kinds = append(kinds, dataset.SideHeaders)
	}
	return kinds
}

// describe says which side files the dataset reads and leaves out, and why.
func (s *sides) describe(src *survey.Source) {
	src.LayoutWhy = fmt.Sprintf("it alone reads all names: .keys files %d, .headers files %d, tombstone files %d", s.keys, s.headers, s.tombstones)
	if !s.all {
		src.LayoutWhy += " in this listing, which is not all"
	}
	src.Join, src.JoinWhy = s.join(), "tombstone files: their records are counted, so that their offsets are no gap. They delete nothing; in mode upsert, records.tombstones: delete does"
	src.Ignore, src.IgnoreWhy = s.ignore(), "columns here take the value alone. To read these files with it, write them into join instead; columns then take envelope.key… and envelope.headers.NAME"
}
