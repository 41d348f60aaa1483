package workspace

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/schema"
	"backfill/internal/suppression"
)

// suppressions is the dataset's list of erased people, as it was read.
type suppressions struct {
	list *suppression.List // nil: the dataset names none
	body []byte
	once sync.Once
	set  *suppression.Set
	err  error
}

// readSuppressions reads the list that the dataset names, and makes it a part of the
// dataset. A plan's list is the one that it was sealed with, whatever stands at its
// address now.
func (w *Workspace) readSuppressions(ctx context.Context) error {
	s := w.Dataset.Records.Suppress
	if s == nil {
		return nil
	}
	body, err := w.suppressionsBody(ctx, s)
	if err != nil {
		return err
	}
	list, err := suppression.Parse(s.URI, body)
	if err != nil {
		return err
	}
	if s.SHA256 != "" && s.SHA256 != list.SHA256 {
		return fail.New(fail.Corrupt, "the suppression list has the SHA-256 %s, and the dataset or plan wants %s", list.SHA256, s.SHA256).At("%s", s.URI).
			Try("put that list back, or take records.suppress.sha256 away and plan again")
	}
	w.suppressions.list, w.suppressions.body = list, body
	w.Dataset, err = w.Dataset.Suppressing(list.SHA256)
	return err
}

// suppressionsBody prefers the copy that a plan kept.
func (w *Workspace) suppressionsBody(ctx context.Context, s *dataset.Suppress) ([]byte, error) {
	if s.SHA256 != "" {
		body, there, err := w.Runs.Suppressions(ctx, s.SHA256)
		if err != nil || there {
			return body, err
		}
	}
	at := strings.LastIndexByte(s.URI, '/')
	folder, _, err := openStore(ctx, s.URI[:at], "")
	if err != nil {
		return nil, err
	}
	body, _, err := folder.ReadAll(ctx, path.Base(s.URI), suppression.MaxBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail.Wrap(err, fail.NotFoundInput, "the suppression list is not there").At("%s", s.URI).
			Try("check records.suppress.uri; without the list nothing is read, so that no erased person comes back")
	}
	return body, err
}

// Suppressed returns the set of erased people; nil where the dataset names no list.
// It fails with fail.Credentials where the list can't be compared without a key that
// is not there.
func (w *Workspace) Suppressed() (*suppression.Set, error) {
	s := &w.suppressions
	if s.list == nil {
		return nil, nil
	}
	s.once.Do(func() {
		column := w.Dataset.Columns[w.Dataset.Records.Suppress.Column]
		s.set, s.err = s.list.Set(w.MaskKey, column.Mask != schema.NoMask)
	})
	return s.set, s.err
}

// SuppressionList returns the list, nil where the dataset names none.
func (w *Workspace) SuppressionList() *suppression.List { return w.suppressions.list }

// KeepSuppressions keeps the list beside the plans, so that all pods of a plan have
// the one that it was sealed with.
func (w *Workspace) KeepSuppressions(ctx context.Context) error {
	if w.suppressions.list == nil {
		return nil
	}
	return w.Runs.PutSuppressions(ctx, w.suppressions.list.SHA256, w.suppressions.body)
}
