// Package quarantine looks at the records of a plan that could not become rows,
// and finds out which of them would after a fix of the dataset.
package quarantine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/quarantine"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// Reason is the records that were rejected alike.
type Reason struct {
	Disposition string `json:"disposition"`
	Reason      string `json:"reason"`
	Column      string `json:"column,omitempty"`
	Records     int64  `json:"records"`
	Removed     int64  `json:"removed_bytes,omitempty"` // of them, without their bytes
	Since       string `json:"removed_since,omitempty"` // and the first day of that, with why
	Object      string `json:"first_object"`            // key of the first one
	Row         int64  `json:"first_row"`
	Offset      int64  `json:"first_offset"` // -1: unknown
}

// List counts the quarantined records of a plan by reason, the most frequent
// first.
func List(ctx context.Context, w *workspace.Workspace, head *runplan.Head, chunks []runplan.Chunk) ([]Reason, error) {
	type kind struct{ disposition, reason, column string }
	found := map[kind]*Reason{}
	err := each(ctx, w, chunks, func(_ *runplan.Chunk, r *quarantine.Record) error {
		k := kind{r.Disposition, r.Reason, r.Column}
		if found[k] == nil {
			found[k] = &Reason{Disposition: r.Disposition, Reason: r.Reason, Column: r.Column, Object: r.Object, Row: r.Row, Offset: r.Offset}
		}
		found[k].Records++
		if !r.Removed.IsZero() {
			found[k].Removed++
			if day := removedSince(r); found[k].Since == "" || day < found[k].Since {
				found[k].Since = day
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	list := []Reason{}
	for _, r := range found {
		list = append(list, *r)
	}
	slices.SortFunc(list, func(a, b Reason) int {
		return cmp.Or(cmp.Compare(b.Records, a.Records), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Disposition, b.Disposition))
	})
	return list, nil
}

// ShowOptions choose records.
type ShowOptions struct {
	Reason string // "": all
	Column string // "": all
	Limit  int    // most records
	Raw    bool   // bytes as they are, personal data included
}

// Shown is one record as a person may see it.
type Shown struct {
	Object      string `json:"object"`
	Row         int64  `json:"row"`
	Offset      int64  `json:"offset"`
	Disposition string `json:"disposition"`
	Reason      string `json:"reason"`
	Column      string `json:"column,omitempty"`
	Detail      string `json:"detail,omitempty"` // it may quote the value: with Raw only
	Text        string `json:"text"`
}

var errEnough = errors.New("enough")

// Show returns records in the order of the plan's chunks. Values are left out
// but for the columns that reports may show, unless Raw asks for them.
func Show(ctx context.Context, w *workspace.Workspace, chunks []runplan.Chunk, o ShowOptions) ([]Shown, error) {
	paths := shownPaths(w)
	list := []Shown{}
	err := each(ctx, w, chunks, func(_ *runplan.Chunk, r *quarantine.Record) error {
		if o.Reason != "" && r.Reason != o.Reason || o.Column != "" && r.Column != o.Column {
			return nil
		}
		s := Shown{Object: r.Object, Row: r.Row, Offset: r.Offset, Disposition: r.Disposition, Reason: r.Reason, Column: r.Column}
		switch {
		case !r.Removed.IsZero():
			s.Text = removed(r)
		case r.Withheld:
			s.Text = "‹not kept: the dataset has masked columns; read it in the archive›"
		case o.Raw:
			s.Text, s.Detail = fmt.Sprintf("%q", r.Raw), r.Detail
		default:
			s.Text = quarantine.Shown(r.Raw, paths)
		}
		if r.Truncated && r.Removed.IsZero() {
			s.Text += " (cut off: the record is longer)"
		}
		if list = append(list, s); len(list) == o.Limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return list, err
}

// removedSince is the day on which a record's bytes went, and why.
func removedSince(r *quarantine.Record) string {
	return r.Removed.Format(time.DateOnly) + ": " + r.Why
}

// removed says what became of a record's bytes.
func removed(r *quarantine.Record) string {
	return fmt.Sprintf("‹its bytes were removed on %s: %s; read it in the archive›", r.Removed.Format(time.DateOnly), r.Why)
}

// shownPaths are the paths, from the archived record down, of columns whose
// texts reports may show.
func shownPaths(w *workspace.Workspace) map[string]bool {
	paths := map[string]bool{}
	ds := w.Dataset
	for _, i := range slices.Concat(ds.Reconcile.Show, ds.Reconcile.By) {
		text := ""
		for _, step := range ds.Records.Resolve(ds.Columns[i].Path) {
			text = joined(text, step)
		}
		if text != "" {
			paths[text] = true
		}
	}
	return paths
}

func joined(path, step string) string {
	if path == "" {
		return step
	}
	return path + "." + step
}

// each calls fn for every quarantined record of the chunks that are converted.
func each(ctx context.Context, w *workspace.Workspace, chunks []runplan.Chunk, fn func(*runplan.Chunk, *quarantine.Record) error) error {
	for i := range chunks {
		receipt, err := w.Runs.ChunkReceipt(ctx, chunks[i].ID)
		switch {
		case err != nil:
			return err
		case receipt == nil:
			return fail.New(fail.Incomplete, "a chunk of %s is not converted yet, so that its rejected records are not known", chunks[i].Partition).Try("convert the plan first")
		case receipt.Quarantine == nil:
			continue
		}
		if err := one(ctx, w, &chunks[i], receipt.Quarantine, fn); err != nil {
			return err
		}
	}
	return nil
}

func one(ctx context.Context, w *workspace.Workspace, c *runplan.Chunk, f *runplan.File, fn func(*runplan.Chunk, *quarantine.Record) error) error {
	body, err := w.Runs.OpenQuarantine(ctx, f)
	if fail.Is(err, fail.NotFoundInput) || fail.Is(err, fail.ArchiveChanged) {
		return fail.Wrap(err, fail.Corrupt, "a quarantine file is gone or is another").Try("its age may have ended; convert the plan again with --reconvert")
	}
	if err != nil {
		return err
	}
	defer body.Close() // all was read
	return quarantine.Read(body, func(r *quarantine.Record) error { return fn(c, r) })
}

// Replay is what a changed dataset would do with quarantined records.
type Replay struct {
	Records int64            `json:"records"`                 // in quarantine
	Removed int64            `json:"removed_bytes,omitempty"` // of them, without their bytes: the archive has them
	Since   string           `json:"removed_since,omitempty"` // and the first day of that, with why; "": none
	Fit     int64            `json:"fit"`                     // of them, now rows of the plan's window
	Others  map[string]int64 `json:"other_days"`              // of them, now rows of days outside of it, by day
	Dropped int64            `json:"left_out"`                // of them, now left out by the dataset: filtered, tombstones, undatable
	Still   map[string]int64 `json:"still_rejected"`          // by reason and column
}

// Days returns the days outside of the plan's window, in order.
func (r *Replay) Days() []string {
	var days []string
	for d := range r.Others {
		days = append(days, d)
	}
	slices.Sort(days)
	return days
}

// place is a record's place in its object.
type place struct {
	object string
	row    int64
}

// dayOf is the day of an event in the dataset's calendar.
func dayOf(w *workspace.Workspace, at kafka.Instant) string { return w.Calendar().DayOf(at).String() }
