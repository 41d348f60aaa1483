package tieout

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"backfill/internal/kafka"
)

// Class says what is wrong with one row, and so who is called.
type Class string

// The classes.
const (
	MissingRow    Class = "missing"          // the archive has it, the table has not
	ExtraRow      Class = "extra"            // the table has it, no archived record explains it
	DuplicateRow  Class = "duplicate"        // the table has its key once more
	ChangedRow    Class = "changed"          // both have it, and columns differ
	Late          Class = "late"             // missing, or not the newest version, because its record was archived behind the cut-off
	Quarantined   Class = "quarantined"      // the table has it, and the archived record could not become a row
	FilteredRow   Class = "filtered"         // the table has it, and the dataset's `where` drops its record
	Suppressed    Class = "suppressed"       // the table has it, and its person is on the list of the erased
	Superseded    Class = "superseded"       // an older version of its key: the table holds it, or the archive has it here while the table rightly holds a newer one outside of the window
	ArchiveGap    Class = "archive_gap"      // offsets that no object holds
	Conflict      Class = "archive_conflict" // two records that can't both be true
	DamagedObject Class = "damaged_object"   // an object that can't be read to its end
	UnknownRow    Class = "unknown"          // differs, or may differ, and nothing more is known
)

// Outcome is what a class does to the verdict.
type Outcome uint8

// The outcomes.
const (
	IsException Outcome = iota + 1 // explained: a person should know
	IsUnknown                      // INCOMPLETE
	IsBreak                        // NOT RECONCILED
)

// Outcome returns what the row does to the verdict. A class that is not known
// here is a break.
func (b RowBreak) Outcome() Outcome {
	switch b.Class {
	case Superseded:
		if b.Seen != nil { // the table is behind the archive
			return IsBreak
		}
		return IsException
	case Late:
		return IsException
	case Quarantined, ArchiveGap, Conflict, DamagedObject, UnknownRow:
		return IsUnknown
	}
	return IsBreak
}

// ChangeKind says how a value differs.
type ChangeKind string

// The kinds of changes.
const (
	Rounding   ChangeKind = "rounding"   // the number, rounded to fewer digits
	Truncation ChangeKind = "truncation" // the number or text, cut
	ZoneShift  ChangeKind = "zone_shift" // the instant, moved by quarters of hours, at most 26 hours
	Padding    ChangeKind = "padding"    // blanks in front or behind
	LetterCase ChangeKind = "case"       // upper and lower case
	NullEmpty  ChangeKind = "null_empty" // NULL on one side, an empty text on the other
	OtherValue ChangeKind = "other"      // none of these
)

// Change is one column that differs. Values that may be personal are nil, and
// Hidden says so; a nil value that is not hidden is NULL.
type Change struct {
	Column string     `json:"column"`
	Kind   ChangeKind `json:"kind"`
	Left   *string    `json:"archive"`
	Right  *string    `json:"table"`
	Hidden bool       `json:"hidden,omitempty"`
}

// RowBreak is one bad row: its class, its identity and its amounts on each side.
type RowBreak struct {
	ID    string     `json:"id"` // stable: the same difference found again has the same id
	Class Class      `json:"class"`
	Kind  ChangeKind `json:"kind,omitempty"`    // of ChangedRow: of the first column
	Diffs []Change   `json:"columns,omitempty"` // where both sides have the row

	Key  []*string `json:"key"`      // values of table.key, in its order; null: a text that the dataset does not let reports show
	Mark KeyMark   `json:"key_mark"` // identity for machines, also where the key is hidden

	Place  *Position      `json:"position,omitempty"` // of the archived record; absent where the archive has none
	Day    kafka.Day      `json:"day"`                // of the archived row, else of the table's
	At     *kafka.Instant `json:"event_time_micros,omitempty"`
	Group  []*string      `json:"group,omitempty"`
	Left   []*string      `json:"archive_amounts,omitempty"` // in the order of total_columns; absent: the archive has no such row; null: NULL
	Right  []*string      `json:"table_amounts,omitempty"`   // likewise of the table
	Seen   *Seen          `json:"table_row,omitempty"`       // the row of the table, for machines
	Copies int64          `json:"copies,omitempty"`          // rows of the table that this entry stands for, when more than one
	Text   string         `json:"text"`                      // one sentence

	Granted string `json:"granted,omitempty"` // id of the named exception that covers it

	key    []string // all of it, also where it is hidden
	shares []share
}

// Seen identifies a row of the table as it was when it was compared.
type Seen struct {
	Lane1 int64         `json:"lane1,string"` // of the row's canonical text
	Lane2 int64         `json:"lane2,string"`
	At    kafka.Instant `json:"event_time_micros"` // 0 for datasets without event time
}

// KeyMark is the two hash lanes of a key's canonical text, and with them the
// bucket. They find the row again on both sides.
type KeyMark struct {
	Lane1 int64 `json:"lane1,string"`
	Lane2 int64 `json:"lane2,string"`
}

// Position is where a record stands in the archive.
type Position struct {
	Topic     string          `json:"topic"`
	Partition kafka.Partition `json:"partition"`
	Offset    kafka.Offset    `json:"offset"` // -1: nothing proves it
	Object    string          `json:"object"` // key below the archive's URI
	Row       int64           `json:"row"`    // of the object, from 0
}

// Bucket is the rows of one day whose key falls in one part of the hash space:
// what is compared as a whole, and fetched when it differs.
type Bucket struct {
	Day    kafka.Day `json:"day"`
	Number int32     `json:"number"` // key hash modulo Of, sign kept
	Of     int       `json:"of"`
	Left   int64     `json:"archive_rows"`
	Right  int64     `json:"table_rows"`
	Looked bool      `json:"looked_into"` // its rows were fetched; else they are unknown
}

// Levels says how deep a comparison by key went, and what it cost.
type Levels struct {
	Scans       int      `json:"archive_scans"` // readings of all objects
	Queries     int      `json:"queries"`
	Texts       []string `json:"query_texts"` // of the queries, each once
	ArchiveRows int64    `json:"archive_rows"`
	TableRows   int64    `json:"table_rows"`
	Buckets     int      `json:"buckets"`
	PerBucket   int64    `json:"rows_per_bucket"` // aimed at
	Fetched     int64    `json:"rows_fetched"`
	Bad         []Bucket `json:"bad_buckets"`
}

// Rows is the comparison row by row.
type Rows struct {
	List     []RowBreak `json:"list"`                 // see Sort
	Cut      int64      `json:"not_listed,omitempty"` // bad rows that are not in the list
	Complete bool       `json:"complete"`             // every difference is in the list
	Levels   Levels     `json:"levels"`
}

// Sort orders the list as reports show it: breaks first, then by class, day and id.
func (r *Rows) Sort() {
	slices.SortFunc(r.List, func(a, b RowBreak) int {
		return cmp.Or(cmp.Compare(b.Outcome(), a.Outcome()), cmp.Compare(a.Class, b.Class), cmp.Compare(a.Day, b.Day), cmp.Compare(a.ID, b.ID))
	})
}

// count returns how many rows of each class the list has that do this to the
// verdict.
func (r *Rows) count(o Outcome) map[Class]int64 {
	n := map[Class]int64{}
	for _, b := range r.List {
		if b.Outcome() == o {
			n[b.Class] += max(1, b.Copies)
		}
	}
	return n
}

// doubt takes back that no archived record explains a row, where records are
// missing in the archive and nothing explains why: it may be one of theirs.
func (r *Result) doubt() {
	if r.Rows == nil || !slices.ContainsFunc(r.Sequences, Sequence.Holed) {
		return
	}
	for i, b := range r.Rows.List {
		if b.Class == ExtraRow {
			r.Rows.List[i] = b.as(UnknownRow, "in the table; its record may be one of those that are missing in the archive")
		}
	}
}

// rows brings the rows that are no breaks into the exceptions and the unknown.
func (r *Result) rows() {
	if r.Rows == nil {
		return
	}
	const text = "rows of class %s, see the list of rows"
	explained, unknown := r.Rows.count(IsException), r.Rows.count(IsUnknown)
	for _, class := range slices.Sorted(maps.Keys(explained)) {
		r.Exceptions = append(r.Exceptions, Exception{Class: string(class), Count: explained[class], Text: fmt.Sprintf(text, class)})
	}
	for _, class := range slices.Sorted(maps.Keys(unknown)) {
		r.Unknown = append(r.Unknown, fmt.Sprintf("%d "+text, unknown[class], class))
	}
	for _, b := range r.Rows.Levels.Bad {
		if !b.Looked {
			r.Unknown = append(r.Unknown, fmt.Sprintf("buckets that differ and were not looked into, the first on %s: their rows are unknown", b.Day))
			break
		}
	}
	if r.Rows.Cut > 0 {
		r.Unknown = append(r.Unknown, fmt.Sprintf("%d more bad rows are not listed", r.Rows.Cut))
	}
}
