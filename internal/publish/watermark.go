package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// Watermark says up to which event time a dataset's rows tie to the archive:
// those in [From, Through) were reconciled and not changed by this program
// since. From is the start of the first window that was reconciled. Also are
// verified windows that a gap divides from it; they count when the gap is
// closed. Changes by other writers show with the next reconcile only.
type Watermark struct {
	Dataset string         `json:"dataset"`
	Scope   string         `json:"scope"`
	From    kafka.Instant  `json:"verified_from"`
	Through kafka.Instant  `json:"verified_through"` // exclusive
	Also    []kafka.Window `json:"also,omitempty"`   // in order, never touching
}

// maxAlso bounds the windows beyond a gap. More are forgotten, the latest
// first: less is claimed than was verified, never more.
const maxAlso = 500

// add takes a verified window in.
func (m *Watermark) add(w kafka.Window) {
	list := append(slices.Clone(m.Also), w)
	slices.SortFunc(list, func(a, b kafka.Window) int { return cmp.Compare(a.From, b.From) })
	joined := list[:1]
	for _, next := range list[1:] {
		if last := &joined[len(joined)-1]; next.From <= last.To {
			last.To = max(last.To, next.To)
			continue
		}
		joined = append(joined, next)
	}
	m.Also = nil
	for _, w := range joined {
		if w.From <= m.Through && m.From <= w.To {
			m.From, m.Through = min(m.From, w.From), max(m.Through, w.To)
			continue
		}
		m.Also = append(m.Also, w)
	}
	m.Also = m.Also[:min(len(m.Also), maxAlso)]
}

// remove takes a changed window out, all of it with the zero window, and
// reports whether something of it was verified. From stays: it is where the
// dataset's history begins.
func (m *Watermark) remove(w kafka.Window) bool {
	if w.IsAll() {
		changed := m.Through > m.From || len(m.Also) > 0
		m.Through, m.Also = m.From, nil
		return changed
	}
	var left []kafka.Window
	changed := false
	for i, v := range append([]kafka.Window{{From: m.From, To: m.Through}}, m.Also...) {
		before := kafka.Window{From: v.From, To: min(v.To, max(v.From, w.From))}
		after := kafka.Window{From: max(v.From, min(v.To, w.To)), To: v.To}
		if v.To <= w.From || w.To <= v.From || v.From == v.To {
			before, after = v, kafka.Window{}
		} else {
			changed = true
		}
		if i == 0 {
			m.Through = before.To
			before = kafka.Window{}
		}
		for _, rest := range []kafka.Window{before, after} {
			if rest.From < rest.To {
				left = append(left, rest)
			}
		}
	}
	m.Also = left
	return changed
}

// Verification is what a reconcile found.
type Verification struct {
	Dataset string
	Window  kafka.Window
	Seen    []LedgerRow // what Ledger gave for the window before the table was read
	Holds   bool        // table and archive tie out; false: they are known to differ
	Report  string      // URI; "" when none was kept
}

// Verify moves the dataset's watermark: up when the window holds, down when it
// is known to differ. It moves nothing and returns false when the program
// changed the window after Seen was read, and for datasets without windows.
// The watermark is nil where none was ever set.
func Verify(ctx context.Context, s Session, t Target, v Verification) (*Watermark, bool, error) {
	c, err := compile(t)
	if err != nil || v.Window.IsAll() {
		return nil, false, err
	}
	if v.Holds {
		if err := c.ensure(ctx, s, ownTable{t.Table + VerifiedSuffix, c.createVerifiedSQL()}); err != nil {
			return nil, false, err
		}
	}
	for _, name := range []string{t.Table + LedgerSuffix, t.Table + VerifiedSuffix} {
		if exists, err := tableExists(ctx, s, t.Schema, name); err != nil || !exists {
			return nil, false, err
		}
	}
	var mark *Watermark
	moved := false
	err = c.retried(ctx, s, func() (err error) {
		mark, moved, err = c.verify(ctx, s, v)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("moving the watermark: %w", err)
	}
	return mark, moved, nil
}

// verify is Verify under the lock of the ledger.
func (t *target) verify(ctx context.Context, s Session, v Verification) (*Watermark, bool, error) {
	rows, err := History(ctx, s, t.Target, v.Window)
	if err != nil {
		return nil, false, err
	}
	marks, err := t.readMarks(ctx, s)
	if err != nil {
		return nil, false, err
	}
	var mark *Watermark
	for i := range marks {
		if marks[i].Dataset == v.Dataset && marks[i].Scope == t.scope() {
			mark = &marks[i]
		}
	}
	same := func(a, b LedgerRow) bool {
		return a.Seq == b.Seq && a.SliceIndex == b.SliceIndex && a.ReceiptKey == b.ReceiptKey
	}
	if !slices.EqualFunc(Holding(rows), v.Seen, same) {
		return mark, false, nil
	}
	switch {
	case !v.Holds && mark == nil:
		return nil, false, nil
	case !v.Holds:
		if !mark.remove(v.Window) {
			return mark, false, nil
		}
		return mark, true, t.writeMark(ctx, s, t.lowerMarkSQL(), mark, "reconcile found breaks")
	case mark == nil:
		mark = &Watermark{Dataset: v.Dataset, Scope: t.scope(), From: v.Window.From, Through: v.Window.To}
		return mark, true, t.writeMark(ctx, s, t.insertMarkSQL(), mark, v.Report)
	}
	mark.add(v.Window)
	return mark, true, t.writeMark(ctx, s, t.raiseMarkSQL(), mark, v.Report)
}

// lowerMarks takes changed windows out of all watermarks whose rows they may
// concern, inside the transaction that changes them.
func (t *target) lowerMarks(ctx context.Context, s Session, by string, changed ...kafka.Window) error {
	if exists, err := tableExists(ctx, s, t.Schema, t.Table+VerifiedSuffix); err != nil || !exists {
		return err
	}
	marks, err := t.readMarks(ctx, s)
	if err != nil {
		return err
	}
	for i := range marks {
		lowered := false
		for _, w := range changed {
			if scopesOverlap(marks[i].Scope, t.scope()) && marks[i].remove(w) {
				lowered = true
			}
		}
		if !lowered {
			continue
		}
		if err := t.writeMark(ctx, s, t.lowerMarkSQL(), &marks[i], by); err != nil {
			return err
		}
	}
	return nil
}

// Watermarks returns the watermarks of all datasets of the table; none where
// nothing was ever verified.
func Watermarks(ctx context.Context, s Session, t Target) ([]Watermark, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if exists, err := tableExists(ctx, s, t.Schema, t.Table+VerifiedSuffix); err != nil || !exists {
		return nil, err
	}
	return c.readMarks(ctx, s)
}

func (t *target) readMarks(ctx context.Context, s Session) ([]Watermark, error) {
	var marks []Watermark
	err := s.Query(ctx, t.selectMarksSQL(), func(sc redshift.Scanner) error {
		var m Watermark
		var from, through int64
		var also string
		if err := sc.Scan(&m.Dataset, &m.Scope, &from, &through, &also); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		m.From, m.Through = kafka.Instant(from), kafka.Instant(through)
		if len(marks) == maxMarks {
			return fail.New(fail.Memory, "more than %d datasets", maxMarks)
		}
		if err := json.Unmarshal([]byte(also), &m.Also); err != nil {
			return fail.Wrap(err, fail.Corrupt, "the column also of dataset %s can't be read", m.Dataset).At("%s%s", t.name(), VerifiedSuffix).
				Try("delete the dataset's row and reconcile its windows again")
		}
		marks = append(marks, m)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the watermarks: %w", err)
	}
	return marks, nil
}

func (t *target) writeMark(ctx context.Context, s Session, sql string, m *Watermark, note string) error {
	also, err := json.Marshal(append([]kafka.Window{}, m.Also...))
	if err != nil {
		return fail.Wrap(err, fail.Internal, "writing the watermark")
	}
	rows, err := s.Exec(ctx, sql, stamp(m.From), stamp(m.Through), string(also), note, m.Dataset, m.Scope)
	if err != nil {
		return fmt.Errorf("writing the watermark: %w", err)
	}
	if rows != 1 {
		return fail.New(fail.Internal, "writing the watermark of dataset %s changed %d rows", m.Dataset, rows).At("%s%s", t.name(), VerifiedSuffix)
	}
	return nil
}
