package repair

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"backfill/internal/account"
	"backfill/internal/publish"
	"backfill/internal/tieout"
	"backfill/jobs/reconcile"
)

// What a repair does to the rows of a class.
const (
	insert  = "insert"
	replace = "replace"
	keepOne = "keep one"
	remove  = "delete"
)

// Why bad rows are left alone.
const (
	notMended   = "nothing in the archive says how to mend them"
	needsDelete = "--delete-extra was not said"
	noneWanted  = "their record lies outside of the report's window"
	newerThere  = "a newer version of their key lies outside of the report's window: reconcile that day, too"
	changedThen = "the archive no longer holds what the report says of their key: reconcile again"
	archiveHole = "the archive has unexplained gaps or damaged objects, and what stands in the table may be theirs"
	granted     = "a named exception grants them"
	besides     = "their key has other rows that are left alone"
	unlisted    = "the report does not list them: reconcile again after this repair"
)

// does says what the row needs; "" where no repair mends it.
func does(b tieout.RowBreak) string {
	switch b.Class {
	case tieout.MissingRow:
		return insert
	case tieout.Late:
		if b.Seen == nil {
			return insert
		}
		return replace
	case tieout.ChangedRow, tieout.Superseded:
		return replace
	case tieout.DuplicateRow:
		return keepOne
	case tieout.ExtraRow, tieout.FilteredRow, tieout.Suppressed:
		return remove
	}
	return ""
}

// fix is a key's bad rows and what becomes of them.
type fix struct {
	publish.Mend
	breaks []tieout.RowBreak
	acted  []tieout.RowBreak // of breaks
	newer  bool              // the archive has a newer version of the key out of the window
}

// keys collects the keys to mend, with the rows that the archive wants of them.
func (m *mend) keys(ctx context.Context) ([]publish.Mend, error) {
	var fixes []*fix
	at := map[tieout.KeyMark]*fix{}
	for _, b := range m.rep.Rows.List {
		switch {
		case b.Class == tieout.Superseded && b.Seen == nil:
			continue // nothing is wrong with it
		case b.Granted != "" && b.Seen == nil:
			m.leave(b, granted)
			continue
		case does(b) == "" && b.Seen == nil:
			m.leave(b, notMended)
			continue
		}
		f := at[b.Mark]
		if f == nil {
			f = &fix{Mend: publish.Mend{Mark: b.Mark}}
			at[b.Mark], fixes = f, append(fixes, f)
		}
		f.breaks = append(f.breaks, b)
	}
	if n := m.rep.Rows.Cut; n > 0 {
		m.out.Left = append(m.out.Left, Left{Why: unlisted, Rows: n})
	}
	fixes = slices.DeleteFunc(fixes, func(f *fix) bool { return m.without(f, m.hopeless(f)) })
	if len(fixes) == 0 {
		return nil, nil
	}
	marks := make([]tieout.KeyMark, len(fixes))
	for i, f := range fixes {
		marks[i] = f.Mark
	}
	wanted, err := reconcile.Wanted(ctx, m.w, m.s, reconcile.Options{Window: m.rep.Window, Memory: m.o.Memory}, marks)
	if err != nil {
		return nil, err
	}
	var keys []publish.Mend
	var kept []*fix
	for _, f := range fixes {
		w := wanted[f.Mark]
		if f.Want, f.newer = w.Rows, w.Newer; m.decide(f) {
			keys, kept = append(keys, f.Mend), append(kept, f)
		}
	}
	return keys, m.describe(kept)
}

// leave counts a row that stays.
func (m *mend) leave(b tieout.RowBreak, why string) {
	i := slices.IndexFunc(m.out.Left, func(l Left) bool { return l.Class == b.Class && l.Why == why })
	if i < 0 {
		i = len(m.out.Left)
		m.out.Left = append(m.out.Left, Left{Class: b.Class, Why: why})
	}
	m.out.Left[i].Rows += max(1, b.Copies)
}

// decide says which of a key's rows go and which stay, and reports whether
// anything is to be done. A row that stays is counted with its reason.
func (m *mend) decide(f *fix) bool {
	if m.without(f, m.contradicted(f)) {
		return false
	}
	for _, b := range f.breaks {
		why := m.stays(f, b)
		switch {
		case why != "":
			m.leave(b, why)
			f.Keep = append(f.Keep, *b.Seen)
			continue
		case b.Seen != nil:
			f.Drop = append(f.Drop, *b.Seen)
		}
		f.acted = append(f.acted, b)
	}
	return len(f.acted) > 0
}

// without leaves all of a key's rows alone if there is a reason why.
func (m *mend) without(f *fix, why string) bool {
	if why == "" {
		return false
	}
	for _, b := range f.breaks {
		m.leave(b, why)
	}
	return true
}

// hopeless says why a key's rows are left alone whatever the archive holds of it,
// "" if they are not.
func (m *mend) hopeless(f *fix) string {
	for _, b := range f.breaks {
		switch d := does(b); {
		case b.Granted != "" && len(f.breaks) == 1:
			return granted
		case b.Granted != "":
			return besides
		case d == "" && len(f.breaks) > 1:
			return besides
		case d == "":
			return notMended
		case m.holed && d != insert && b.Class != tieout.Suppressed:
			return archiveHole
		}
	}
	return ""
}

// contradicted likewise says why what the archive holds of the key forbids to
// act. What a newer version replaced never comes back, and its row on another day
// is not this report's to take.
func (m *mend) contradicted(f *fix) string {
	for _, b := range f.breaks {
		moved := b.Seen != nil && !m.rep.Window.IsAll() && !m.rep.Window.Contains(b.Seen.At)
		switch d := does(b); {
		case f.newer && (d == insert || d == replace && moved):
			return newerThere
		case d == replace && len(f.Want) == 0:
			return noneWanted
		case (d == remove) != (len(f.Want) == 0):
			return changedThen
		}
	}
	return ""
}

// stays says why a row of the table that nothing wants stays, "" if it goes. An
// exact copy of a wanted row, or of one that is replaced, says nothing that the
// other does not.
func (m *mend) stays(f *fix, b tieout.RowBreak) string {
	if m.o.DeleteExtra || b.Seen == nil {
		return ""
	}
	switch does(b) {
	case remove:
		return needsDelete
	case keepOne:
		wanted := func(a tieout.ArchiveRow) bool { return a.Lane1 == b.Seen.Lane1 && a.Lane2 == b.Seen.Lane2 }
		replaced := func(other tieout.RowBreak) bool {
			return does(other) == replace && other.Seen.Lane1 == b.Seen.Lane1 && other.Seen.Lane2 == b.Seen.Lane2
		}
		if !slices.ContainsFunc(f.Want, wanted) && !slices.ContainsFunc(f.breaks, replaced) {
			return needsDelete
		}
	}
	return ""
}

// describe sums what the repair does, by class.
func (m *mend) describe(fixes []*fix) error {
	sums, byClass := map[tieout.Class]account.Cells{}, map[tieout.Class]*Action{}
	for _, f := range fixes {
		counted := map[tieout.Class]bool{}
		for _, b := range f.acted {
			a := byClass[b.Class]
			if a == nil {
				a = &Action{Class: b.Class, Does: does(b)}
				byClass[b.Class], sums[b.Class] = a, account.Cells{}
			}
			if !counted[b.Class] {
				counted[b.Class] = true
				a.Keys++
			}
			if b.Seen != nil {
				a.Delete++
			}
			if a.Does == insert || a.Does == replace {
				a.Insert++
			}
			if err := m.add(sums[b.Class], b); err != nil {
				return err
			}
		}
	}
	for c, a := range byClass {
		for _, p := range sums[c].Places() {
			for n, col := range m.rep.TotalColumns {
				a.Money = append(a.Money, fmt.Sprintf("%s %s %s", account.GroupText(p.Group.Values(len(m.rep.GroupColumns))), col.Name, sums[c][p].Sums[n].Decimal(col.Scale)))
			}
		}
		m.out.Actions = append(m.out.Actions, *a)
	}
	slices.SortFunc(m.out.Actions, func(a, b Action) int { return cmp.Compare(a.Class, b.Class) })
	return nil
}
