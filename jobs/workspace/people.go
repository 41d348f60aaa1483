package workspace

import (
	"backfill/internal/publish"
)

// People returns whose rows must not stand in the table; nil where the dataset names
// no list. It fails as Suppressed does.
func (w *Workspace) People() (*publish.People, error) {
	set, err := w.Suppressed()
	if err != nil || set == nil {
		return nil, err
	}
	m := set.Matcher()
	return &publish.People{Column: w.Dataset.Records.Suppress.Column, Has: func(text string) bool { return m.Has([]byte(text)) }}, nil
}
