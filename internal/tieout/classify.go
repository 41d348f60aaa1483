package tieout

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/schema"
)

// TableRow is one row of the table, with its values as text in the order of the
// dataset's columns.
type TableRow struct {
	Mark         KeyMark
	Lane1, Lane2 int64 // of the row's canonical text
	At           kafka.Instant
	Values       []*string
}

// ArchiveRow is one archived record of a key.
type ArchiveRow struct {
	Mark         KeyMark
	Lane1, Lane2 int64
	At           kafka.Instant
	Values       []*string
	Version      []byte // by latest_by: a greater one is newer
	Position     Position
	Recorded     kafka.Instant       // Kafka time; 0: not known
	Disposition  account.Disposition // account.Row in the window
	Reason       string              // of account.Rejected
	Wanted       bool                // the table must hold it
}

// Key is all that is known of one key of which something differs.
type Key struct {
	Archive []ArchiveRow
	Table   []TableRow  // in the window
	Held    int         // more rows of the table, which are as the archive wants them
	Apart   *ArchiveRow // wanted on a day that was not looked into; nil: there is none
	Stands  bool        // Apart is in the table: its day ties
	Outside []TableRow  // out of the window
}

// Rules say how rows of a dataset are named and classified.
type Rules struct {
	Columns    []schema.Column
	Key        []int
	Totals, By []int
	Show       []int // columns whose texts may be shown, beside those of By
	Window     kafka.Window
	Calendar   *kafka.Calendar
	Windowed   bool
	Erased     func(values []*string) bool // whether a row is of somebody on the suppression list; nil: nobody is
	Damaged    bool                        // objects could not be read
	Cutoff     Cutoff
}

// Classify names what is wrong with the rows of one key. A key of which nothing
// differs gives nothing; whatever has no class of its own comes out changed or
// unknown.
func (r *Rules) Classify(k Key) []RowBreak {
	var wanted []ArchiveRow
	for _, a := range k.Archive {
		if a.Wanted {
			wanted = append(wanted, a)
		}
	}
	rows := slices.Clone(k.Table)
	wanted = slices.DeleteFunc(wanted, func(a ArchiveRow) bool {
		i := slices.IndexFunc(rows, func(t TableRow) bool { return len(Changes(r.Columns, a.Values, t.Values)) == 0 })
		if i < 0 {
			return false
		}
		rows = slices.Delete(rows, i, i+1)
		return true
	})
	held := k.Held + len(k.Table) - len(rows) // copies that are as they must be
	var out []RowBreak
	for _, a := range wanted {
		if len(rows) == 0 {
			out = append(out, r.absent(a, k))
			continue
		}
		i := r.nearest(a, rows)
		out = append(out, r.changed(a, rows[i], k))
		rows, held = slices.Delete(rows, i, i+1), held+1
	}
	for _, t := range rows {
		out = append(out, r.surplus(t, held > 0, k))
	}
	return out
}

// nearest is the row with the fewest columns that differ.
func (r *Rules) nearest(a ArchiveRow, rows []TableRow) int {
	best, fewest := 0, len(r.Columns)+1
	for i, t := range rows {
		if n := len(Changes(r.Columns, a.Values, t.Values)); n < fewest {
			best, fewest = i, n
		}
	}
	return best
}

// absent is a wanted row of whose key the window of the table has no row left.
func (r *Rules) absent(a ArchiveRow, k Key) RowBreak {
	b := r.of(&a, nil)
	newer := slices.DeleteFunc(slices.Clone(k.Archive), func(v ArchiveRow) bool { return v.Disposition != account.OutOfWindow || !v.NewerThan(a) })
	for _, t := range k.Outside {
		if len(newer) > 0 {
			if slices.ContainsFunc(newer, func(v ArchiveRow) bool { return len(Changes(r.Columns, v.Values, t.Values)) == 0 }) {
				return b.as(Superseded, "a newer version of its key lies outside of the window, and the table holds that")
			}
			return b.as(Superseded, fmt.Sprintf("a newer version of its key lies outside of the window, on %s, and so does the table's row: what differs in it, the report on that day says", r.Calendar.DayOf(newer[0].At)))
		}
		if len(k.Table) == 0 {
			c := r.changed(a, t, k)
			c.Text += "; its event time in the table lies outside of the window"
			return c
		}
	}
	if why := r.Cutoff.late(a); why != "" {
		return b.as(Late, why+"; not in the table")
	}
	return b.as(MissingRow, "in the archive, not in the table")
}

func (r *Rules) changed(a ArchiveRow, t TableRow, k Key) RowBreak {
	b := r.of(&a, &t)
	b.Diffs = r.hide(Changes(r.Columns, a.Values, t.Values))
	if len(b.Diffs) == 0 {
		return b.as(UnknownRow, "no column differs, and yet the rows are not the same")
	}
	b.Kind = b.Diffs[0].Kind
	names := make([]string, len(b.Diffs))
	for i, d := range b.Diffs {
		names[i] = fmt.Sprintf("%s (%s)", d.Column, d.Kind)
	}
	text := "differs in " + strings.Join(names, ", ")
	v, late := r.older(t, k), r.Cutoff.late(a)
	switch {
	case v == nil:
		return b.as(ChangedRow, text)
	case bytes.Equal(v.Version, a.Version) && v.Position.Partition != a.Position.Partition:
		return b.as(Conflict, "two records of the key have equal versions in different partitions, and the table holds the other one")
	case late != "" && r.asClosed(*v, k):
		return b.as(Late, late+"; the table holds what was the newest version before: "+text)
	}
	return b.as(Superseded, "the table holds an older version: "+text)
}

// hide takes values out that may be personal.
func (r *Rules) hide(list []Change) []Change {
	for i := range list {
		at := slices.IndexFunc(r.Columns, func(c schema.Column) bool { return c.Name == list[i].Column })
		if r.hides(at) && (list[i].Left != nil || list[i].Right != nil) {
			list[i].Left, list[i].Right, list[i].Hidden = nil, nil, true
		}
	}
	return list
}

// hides tells whether a column's values may be personal: text and JSON, unless
// the dataset lets them be shown or groups by them.
func (r *Rules) hides(at int) bool {
	switch r.Columns[at].Type.Kind {
	case schema.Char, schema.Varchar, schema.Super:
		return !slices.Contains(r.Show, at) && !slices.Contains(r.By, at)
	}
	return false
}

// surplus is a row of the table that no wanted one is.
func (r *Rules) surplus(t TableRow, held bool, k Key) RowBreak {
	b := r.of(nil, &t)
	if a := k.Apart; a != nil && !held {
		b.Place = &a.Position
		if !k.Stands {
			return b.as(UnknownRow, fmt.Sprintf("the archive has its key on %s, and whether the table has it there, too, was not looked into", r.Calendar.DayOf(a.At)))
		}
		return b.as(DuplicateRow, fmt.Sprintf("the table has its key once more: the row that the archive has of it stands on %s", r.Calendar.DayOf(a.At)))
	}
	if held {
		text := "the table has its key once more"
		if v := slices.IndexFunc(k.Archive, func(v ArchiveRow) bool { return v.Disposition == account.Row }); v >= 0 {
			b.Place = &k.Archive[v].Position
		}
		return b.as(DuplicateRow, text)
	}
	if r.Erased != nil && r.Erased(t.Values) {
		return r.suppressed(b, "the table has it, and its person is on the suppression list")
	}
	for _, v := range k.Archive {
		b.Place = &v.Position
		switch v.Disposition {
		case account.Suppressed:
			return r.suppressed(b, "the table has it, and the person of its record is on the suppression list")
		case account.Filtered:
			return b.as(FilteredRow, "the table has it, and `where` drops its record")
		case account.Rejected:
			return b.as(Quarantined, "the table has it, and its record could not become a row: "+v.Reason)
		case account.OutOfWindow:
			c := r.changed(v, t, k)
			c.Text = "the archive has its key outside of the window: " + c.Text
			return c
		}
	}
	b.Place = nil
	if r.Damaged {
		return b.as(UnknownRow, "in the table; its record may be in a damaged object")
	}
	return b.as(ExtraRow, "in the table, and no archived record explains it")
}

// suppressed is a row of somebody who was erased. Which one it is, is told to
// machines alone.
func (r *Rules) suppressed(b RowBreak, text string) RowBreak {
	b.Key = make([]*string, len(r.Key))
	return b.as(Suppressed, text)
}

// Unknown is the entry of a key of which no more is known.
func (r *Rules) Unknown(mark KeyMark, text string) RowBreak {
	b := RowBreak{Mark: mark, Key: make([]*string, len(r.Key)), Day: kafka.NoDay}
	return b.as(UnknownRow, text)
}

func (b RowBreak) as(c Class, text string) RowBreak {
	b.Class, b.Text = c, text
	if c != ChangedRow {
		b.Kind = ""
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d %v %v %v", c, b.Mark.Lane1, b.Mark.Lane2, b.Day, texts(b.Left), texts(b.Right)))
	b.ID = hex.EncodeToString(sum[:6])
	return b
}

func texts(list []*string) string {
	var b strings.Builder
	for _, t := range list {
		if t == nil {
			b.WriteString("~ ")
			continue
		}
		fmt.Fprintf(&b, "%q ", *t)
	}
	return b.String()
}

// of fills a break's identity from the archived row, else the table's.
func (r *Rules) of(a *ArchiveRow, t *TableRow) RowBreak {
	var b RowBreak
	values, at := []*string(nil), kafka.Instant(0)
	if t != nil {
		b.Mark, values, at = t.Mark, t.Values, t.At
		b.Right = pick(t.Values, r.Totals)
		b.Seen = &Seen{t.Lane1, t.Lane2, t.At}
	}
	if a != nil {
		position := a.Position
		b.Mark, values, at, b.Place = a.Mark, a.Values, a.At, &position
		b.Left = pick(a.Values, r.Totals)
	}
	if a != nil {
		b.shares = append(b.shares, r.share(a.Values, a.Lane1, a.Lane2, a.At, b.Place, false))
	}
	if t != nil {
		b.shares = append(b.shares, r.share(t.Values, t.Lane1, t.Lane2, t.At, b.Place, true))
	}
	for _, at := range r.Key {
		text := ""
		if values[at] != nil {
			text = *values[at]
		}
		b.key = append(b.key, text)
	}
	b.Key, b.Group, b.Day = pick(values, r.Key), pick(values, r.By), kafka.NoDay
	for i, at := range r.Key {
		if r.hides(at) {
			b.Key[i] = nil
		}
	}
	if r.Windowed {
		b.At, b.Day = &at, r.Calendar.DayOf(at)
	}
	return b
}

func pick(values []*string, at []int) []*string {
	if len(at) == 0 {
		return nil
	}
	out := make([]*string, len(at))
	for i, n := range at {
		out[i] = values[n]
	}
	return out
}
