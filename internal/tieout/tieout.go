// Package tieout compares the legs of a run and says what follows: archive
// (the receipts of conversion), stage (what the warehouse read from Parquet)
// and table (what it holds now). It is pure: jobs bring the counts, report
// shows the result.
//
//	records read ─ dispositions ─▶ Parquet rows ══ stage rows ─ superseded ─▶ inserted ══ table rows
//	                                   leg 1          leg 2                                leg 3
//
// What could not be compared is unknown, which is an outcome of its own and
// never passes as a match.
package tieout

import (
	"cmp"
	"fmt"
	"sort"

	"backfill/internal/account"
	"backfill/internal/kafka"
)

// Verdict is the outcome of a reconciliation.
type Verdict string

// The verdicts, worst last but one: Incomplete means that nothing is known to
// differ, but something could not be known.
const (
	Reconciled     Verdict = "RECONCILED"
	WithExceptions Verdict = "RECONCILED WITH EXCEPTIONS"
	NotReconciled  Verdict = "NOT RECONCILED"
	Incomplete     Verdict = "INCOMPLETE"
)

// Gap is a range of offsets that was not found in the archive.
type Gap struct {
	Partition kafka.TopicPartition `json:"partition"`
	account.Range
	Reason string `json:"reason,omitempty"` // "": unknown
}

// Input is what the legs brought.
type Input struct {
	Totals int // number of money totals in every cell

	Chunks   []Chunk       // leg 1, one per converted chunk
	Archive  account.Cells // leg 1: Parquet rows by the receipts
	Stage    account.Cells // leg 2: all rows as the warehouse read them
	Expected account.Cells // rows that the table must hold, lanes as it gives them
	Table    account.Cells // leg 3: rows as the table holds them now

	// Records is the records of all distinct objects, where several plans or
	// parts of plans make up the window: their tallies, each cut by its own
	// window, can't be added. 0: one plan, and all of it.
	Records int64

	// What became of the staged rows.
	Superseded int64         // older versions of a key in the stage
	Outdated   int64         // older than the version that the table has
	Already    int64         // in the table as they are
	Differing  account.Cells // their key is in the table with other content, which was kept
	Repeated   int64         // of an append: an earlier one accounted for their offsets
	Inserted   int64

	Stale, Twins account.Cells // rows outside of the days of a load, of keys that it inserted: older versions, and such of unknown order
	Ties         account.Cells // keys whose newest version stood in several partitions, or had no proven offset and a rival
	Doubled      int64         // keys of appends that stood more than once after them, summed

	DoubledOffsets int64       // likewise offsets
	Taken          int64       // rows of the window that later loads took out: their newer version is on another day
	Upsert         bool        // rows are replaced by newer versions only, and of Differing none is known to be newer
	Preliminary    []kafka.Day // days that were loaded before the window was settled
	Declared       []Gap       // gaps with a reason
	Unknown        []string

	Way      Way           // "": ByReceipts
	Erased   account.Cells // rows of people on the suppression list that stand in the table, by group
	People   int           // how many they are
	Rows     *Rows         // the comparison row by row; nil: none was made
	Ends     Ends          // nil: not given
	Controls *Controls     // nil: not given
	Groups   int           // columns of the groups
	Known    []Exception   // what the caller found that a person should know
}

// Way says what the table was compared with.
type Way string

// The ways.
const (
	ByReceipts Way = "receipts" // legs archive, stage and table of loads by this tool
	ByArchive  Way = "archive"  // archive and table by key and event time, whoever loaded it
)

// Chunk is one chunk's counts with its partition.
type Chunk struct {
	Partition  kafka.TopicPartition
	Generation int // of its topic, which was made anew so often before
	Counts     *account.Chunk
}

// Leg names a comparison.
type Leg string

// The comparisons.
const (
	ArchiveStage Leg = "archive→stage"    // Parquet rows of the receipts against the rows that COPY loaded
	ArchiveTable Leg = "archive→table"    // rows that the archive wants, against the table now, whoever loaded it
	ListTable    Leg = "suppressed→table" // nobody on the suppression list, against the table now
	StageTable   Leg = "stage→table"      // rows that the table must hold after the load against the table now
)

// Kind says how two cells differ.
type Kind string

// The kinds of breaks, as far as counts and sums tell.
const (
	Missing Kind = "missing" // fewer rows on the right
	Extra   Kind = "extra"   // more rows on the right
	Changed Kind = "changed" // as many rows, other content

	Erased Kind = "suppressed" // rows of people who were erased
)

// Break is one place where two legs differ. Left and Right are never nil.
type Break struct {
	Leg   Leg           `json:"leg"`
	Kind  Kind          `json:"kind"`
	Place account.Place `json:"place"`
	Rows  int64         `json:"rows"` // how many rows differ in number; 0 for Changed
	Left  *account.Cell `json:"left"`
	Right *account.Cell `json:"right"`
	Where string        `json:"where,omitempty"` // in words, where the place does not say it
	Note  string        `json:"note,omitempty"`  // what else is known of it
}

// Sequence is what is known of one partition's offsets.
type Sequence struct {
	Partition kafka.TopicPartition `json:"partition"`

	Generation int `json:"generation,omitempty"` // how often the topic had been made anew

	First     kafka.Offset        `json:"first"`
	Last      kafka.Offset        `json:"last"`
	Found     int64               `json:"found"` // distinct offsets
	Objects   int                 `json:"objects"`
	Proofs    map[kafka.Proof]int `json:"objects_by_proof"`
	OpenEnd   bool                `json:"open_end"`             // the last object's end is not confirmed by a later one
	End       *kafka.Offset       `json:"end_offset,omitempty"` // of the topic, as given from outside
	Gaps      []Gap               `json:"gaps,omitempty"`
	Scattered bool                `json:"scattered,omitempty"` // too much so for gaps to be listed
	Tally     account.Tally       `json:"tally"`
	Findings  []account.Finding   `json:"findings,omitempty"`
	ranges    []account.Range     // merged later
	conflicts int64               // findings of that class, those over the limit included
	recreated int64               // likewise
}

// Exception is something that a person should know although the legs agree.
type Exception struct {
	Class string `json:"class"`
	Count int64  `json:"count"`
	Text  string `json:"text"`

	Rows account.Cells `json:"-"` // what it is about, where money is known
}

// Result is the outcome.
type Result struct {
	Verdict    Verdict               `json:"verdict"`
	Tally      account.Tally         `json:"tally"`             // over all plans
	Records    int64                 `json:"records,omitempty"` // see Input
	OtherDays  int64                 `json:"other_days"`        // Parquet rows of days that are not compared here: another plan holds them
	Superseded int64                 `json:"superseded"`
	Outdated   int64                 `json:"superseded_by_table,omitempty"`
	Already    int64                 `json:"already,omitempty"`
	Differing  int64                 `json:"differing,omitempty"`
	Repeated   int64                 `json:"repeated,omitempty"`
	Inserted   int64                 `json:"inserted"`
	Kept       int64                 `json:"kept,omitempty"` // rows of the table that none of the staged ones is
	Taken      int64                 `json:"taken,omitempty"`
	Breaks     []Break               `json:"breaks"`
	Sequences  []Sequence            `json:"sequences"`
	Exceptions []Exception           `json:"exceptions"`
	Unknown    []string              `json:"unknown"`
	Controls   []ControlLine         `json:"controls,omitempty"`
	Cells      Legs                  `json:"legs"`
	Rows       *Rows                 `json:"rows,omitempty"`
	Schemas    []account.SchemaCount `json:"schemas,omitempty"` // of framed values
	Way        Way                   `json:"way"`

	explained int64 // offsets behind the archive's end that a declared gap explains
}

// Legs are the cells of all legs, at the places that were compared: Expected
// forgets what the table does not know.
type Legs struct {
	Archive  account.Cells `json:"archive"`
	Stage    account.Cells `json:"stage"`
	Expected account.Cells `json:"expected"`
	Table    account.Cells `json:"table"`
}

// Compare ties the legs out. It fails when the legs can't be compared at all:
// cells with other totals, receipts that contradict themselves.
func Compare(in Input) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	r := &Result{
		Superseded: in.Superseded, Outdated: in.Outdated, Already: in.Already, Differing: sumRows(in.Differing), Repeated: in.Repeated, Inserted: in.Inserted,
		Rows: in.Rows, Way: cmp.Or(in.Way, ByReceipts), Taken: in.Taken, Records: in.Records, Unknown: append([]string{}, in.Unknown...),
		Exceptions: []Exception{}, Breaks: []Break{}, Sequences: []Sequence{},
	}
	for _, c := range in.Chunks {
		r.Tally.Add(c.Counts.Tally)
		r.Schemas = account.MergeSchemas(r.Schemas, c.Counts.Schemas)
	}
	r.sequences(in)
	r.doubt()
	expected, err := AsKnown(in.Expected, in.Table)
	if err != nil {
		return nil, err
	}
	r.Cells = Legs{Archive: in.Archive, Stage: in.Stage, Expected: expected, Table: in.Table}
	r.Breaks = append(r.Breaks, Differences(ArchiveStage, in.Archive, in.Stage, in.Totals)...)
	r.tables(in, expected)
	r.preliminary(in.Preliminary)
	r.erased(in)
	r.ends(in)
	if err := r.controls(in); err != nil {
		return nil, err
	}
	if err := r.ladder(in); err != nil {
		return nil, err
	}
	r.exceptions(in)
	r.rows()
	r.Exceptions = append(r.Exceptions, in.Known...)
	r.verdict()
	return r, nil
}

// tables compares what the table must hold with what it holds. Where every
// difference is known row by row and none of the rows is a break, days that differ
// by such rows are no breaks either.
func (r *Result) tables(in Input, expected account.Cells) {
	leg := StageTable
	if r.Way == ByArchive {
		leg = ArchiveTable
		if r.Rows != nil && r.Rows.Complete && !r.Rows.open() {
			return
		}
	}
	r.Breaks = append(r.Breaks, Differences(leg, expected, in.Table, in.Totals)...)
}

func (r *Result) controls(in Input) error {
	if in.Controls == nil {
		return nil
	}
	lines, breaks, err := CompareControls(in.Controls, in.Table, in.Groups, in.Totals)
	r.Controls, r.Breaks = lines, append(r.Breaks, breaks...)
	return err
}

// check refuses what can't be compared.
func (in *Input) check() error {
	for i, leg := range []account.Cells{in.Archive, in.Stage, in.Expected, in.Table} {
		for p, c := range leg {
			if len(c.Sums) != in.Totals || len(c.Counts) != in.Totals {
				return fmt.Errorf("leg %s at %s/%d %s has %d money totals, not %d: it was counted for another form of the dataset",
					[]string{"archive", "stage", "expected", "table"}[i], p.Topic, p.Partition, p.Day, len(c.Sums), in.Totals)
			}
		}
	}
	for _, c := range in.Chunks {
		if rows := sumRows(c.Counts.Cells); rows != c.Counts.Tally[account.Row] {
			return fmt.Errorf("a receipt of %s counts %d Parquet rows in its cells and %d in its tally", c.Partition, rows, c.Counts.Tally[account.Row])
		}
	}
	return nil
}

func sumRows(cells account.Cells) (rows int64) {
	for _, c := range cells {
		rows += c.Rows
	}
	return rows
}

// AsKnown returns cells as the other leg can know them: without topic,
// partition and offsets where no row of the other leg knows them.
func AsKnown(cells, other account.Cells) (account.Cells, error) {
	for p := range other {
		if p.Topic != "" {
			return cells, nil
		}
	}
	if len(other) == 0 {
		return cells, nil
	}
	folded, err := cells.Fold(func(p account.Place) account.Place {
		p.Topic, p.Partition = "", -1
		return p
	})
	for _, c := range folded {
		c.Offsets, c.OffsetSum = 0, account.Int128{}
	}
	return folded, err
}

// Differences returns the places where two legs differ, in order.
func Differences(leg Leg, left, right account.Cells, totals int) []Break {
	var out []Break
	empty := &account.Cell{Sums: make([]account.Int128, totals), Counts: make([]int64, totals)}
	add := func(p account.Place, l, r *account.Cell) {
		b := Break{Leg: leg, Place: p, Left: l, Right: r, Kind: Changed}
		switch {
		case l.Equal(r):
			return
		case l.Rows > r.Rows:
			b.Kind, b.Rows = Missing, l.Rows-r.Rows
		case l.Rows < r.Rows:
			b.Kind, b.Rows = Extra, r.Rows-l.Rows
		}
		out = append(out, b)
	}
	for p, l := range left {
		r := right[p]
		if r == nil {
			r = empty
		}
		add(p, l, r)
	}
	for p, r := range right {
		if left[p] == nil {
			add(p, empty, r)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Place.Less(out[j].Place) })
	return out
}
