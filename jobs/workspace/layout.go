package workspace

import (
	"context"

	"backfill/internal/archive"
	"backfill/internal/dataset"
)

// layout returns the layout of the dataset's archive, and why, if a sample of
// its keys decided.
func (w *Workspace) layout(ctx context.Context) (archive.Choice, error) {
	l := w.Dataset.Archive.Layout
	if l.Name != dataset.LayoutAuto {
		layout, err := w.named(l)
		return archive.Choice{Candidate: archive.Candidate{Name: l.Name, Layout: layout}, Fits: 1}, err
	}
	var candidates []archive.Candidate
	for _, name := range []string{dataset.LayoutConfluent, dataset.LayoutLenses, dataset.LayoutAiven, dataset.LayoutFirehose,
		dataset.LayoutMSK, dataset.LayoutSecor, dataset.LayoutWix} {
		layout, err := w.named(dataset.Layout{Name: name})
		if err != nil {
			return archive.Choice{}, err
		}
		candidates = append(candidates, archive.Candidate{Name: name, Layout: layout})
	}
	return archive.Choose(ctx, w.Archive, candidates)
}

func (w *Workspace) named(l dataset.Layout) (archive.Layout, error) {
	switch l.Name {
	case dataset.LayoutConfluent:
		o := archive.ConfluentOptions{FileDelim: l.FileDelim, DirectoryDelim: l.DirectoryDelim}
		for _, view := range l.Ignore {
			o.Ignore = append(o.Ignore, archive.View(view))
		}
		for _, view := range l.Join {
			o.Join = append(o.Join, archive.View(view))
		}
		return archive.ConfluentWith(o), nil
	case dataset.LayoutLenses:
		return archive.Lenses(), nil
	case dataset.LayoutAiven:
		return archive.Aiven(l.Template, l.Topic, l.Partition)
	case dataset.LayoutFirehose:
		return archive.Firehose(l.Topic, l.Partition), nil
	case dataset.LayoutMSK:
		return archive.MSK(), nil
	case dataset.LayoutSecor:
		return archive.Secor(), nil
	case dataset.LayoutWix:
		return archive.Wix(), nil
	case dataset.LayoutUnnamed:
		return archive.Unnamed(l.Topic, l.Partition), nil
	}
	pattern, err := archive.Pattern(l.Pattern, l.Topic, l.Partition)
	if err != nil {
		return nil, err
	}
	return archive.Below(w.Archive.Root().Key, pattern), nil
}
