package report

import (
	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// maxObjects bounds the archived objects that the document lists itself; the
// evidence beside it lists all.
const maxObjects = 200

// Statement says how the figures came about, so that a reader can judge their
// completeness and accuracy: auditors call the report "information produced by
// the entity" and ask for just this.
type Statement struct {
	Parameters []Parameter `json:"parameters"`
	Queries    []Query     `json:"queries"`        // every statement that read the warehouse, in order
	Cut        int         `json:"queries_cut"`    // statements over the limit, which are not shown
	Archive    ArchiveNow  `json:"archive"`        // the archive as it was listed for this report
	Objects    []Object    `json:"objects"`        // the first that were read; the evidence has all
	ObjectsAll int         `json:"objects_in_all"` // how many were read
	Evidence   Evidence    `json:"evidence"`
	Inputs     []Input     `json:"inputs"` // files that people gave
}

// complete gives lists without entries as empty lists, also in JSON, and cuts
// the objects.
func (s Statement) complete() Statement {
	s.ObjectsAll = max(s.ObjectsAll, len(s.Objects))
	s.Parameters, s.Queries, s.Inputs = append([]Parameter{}, s.Parameters...), append([]Query{}, s.Queries...), append([]Input{}, s.Inputs...)
	s.Objects = append([]Object{}, s.Objects[:min(len(s.Objects), maxObjects)]...)
	s.Archive.Examples = append([]string{}, s.Archive.Examples...)
	return s
}

// Parameter is one setting that decided what was compared.
type Parameter struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Query is one statement with the rows that it gave.
type Query struct {
	Text  string `json:"text"`
	Rows  int64  `json:"rows"`
	Times int    `json:"times"` // how often the same text was run
}

// Object is one archived object as it was read.
type Object struct {
	Key     string `json:"key"`
	Size    int64  `json:"size"`
	ETag    string `json:"etag"`
	Version string `json:"version,omitempty"`
	Records int64  `json:"records"`
}

// ArchiveNow compares the archive's listing of today with what was read.
type ArchiveNow struct {
	URI       string   `json:"uri"`
	Objects   int      `json:"objects"`
	Bytes     int64    `json:"bytes"`
	Listing   string   `json:"listing"` // digest over all keys, sizes, ETags and versions
	Added     int      `json:"added"`
	Rewritten int      `json:"rewritten"` // same key, other ETag
	Gone      int      `json:"gone"`
	Examples  []string `json:"examples"`
}

// Evidence names the list of everything that the report rests on.
type Evidence struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Links  int    `json:"links"`
}

// Input is a file that was given from outside.
type Input struct {
	Role   string `json:"role"` // control totals, end offsets, named exceptions
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
	Bytes  int    `json:"bytes"`
	Kept   string `json:"kept"` // name of its copy beside the report
}

// Restatement compares the report with the signed-off one on the same period.
type Restatement struct {
	Number   int64         `json:"number"` // of the signed-off report in the ledger of reports
	URI      string        `json:"uri"`
	Seal     string        `json:"seal_sha256"`
	SignedBy string        `json:"signed_by"`
	SignedAt kafka.Instant `json:"signed_at"`
	Verdict  string        `json:"verdict"`
	Lines    []Restated    `json:"lines"`
	Late     []Late        `json:"late"` // what partitions archived behind the old cut-off
	Same     bool          `json:"same"` // all figures are as they were
}

// Restated is one group's figures in the table, old and new.
type Restated struct {
	Group []*string `json:"group,omitempty"`
	Old   Figures   `json:"old"`
	New   Figures   `json:"new"`
	Diff  Figures   `json:"difference"`
	Same  bool      `json:"same"`
}

// Late is a partition that archived more after the period was closed.
type Late struct {
	Topic     string       `json:"topic"`
	Partition int32        `json:"partition"`
	Cutoff    kafka.Offset `json:"cutoff"` // last offset that the signed-off report knew
	Last      kafka.Offset `json:"last"`
	OldRows   int64        `json:"old_rows"` // of the period
	NewRows   int64        `json:"new_rows"`
}

// Measure is one comparison with a total from outside.
type Measure struct {
	Line  int       `json:"line"` // of the file; 0: the file does not have the group
	Day   string    `json:"day,omitempty"`
	Group []*string `json:"group"`
	Given Figures   `json:"given"`
	Found Figures   `json:"found"`
	Diff  Figures   `json:"difference"`
	Match bool      `json:"match"`
}

func (b *builder) difference(right, left *account.Cell) Figures {
	d := right.Clone()
	if err := d.Subtract(left); err != nil {
		return Figures{Amounts: make([]string, len(b.h.Totals))} // only cells with other totals, which New refused
	}
	f := b.figures(d)
	for i := range f.Amounts {
		if !d.Sums[i].IsZero() {
			f.Amounts[i] = signed(f.Amounts[i])
		}
	}
	return f
}

// measures are the comparisons with totals from outside.
func (b *builder) measures(lines []tieout.ControlLine) []Measure {
	var out []Measure
	for _, l := range lines {
		m := Measure{Line: l.Line, Group: l.Group, Given: b.figures(l.Given), Found: b.figures(l.Found), Match: l.Match}
		if l.Day != kafka.NoDay {
			m.Day = l.Day.String()
		}
		m.Diff = b.difference(l.Found, l.Given)
		out = append(out, m)
	}
	return out
}

// basis says what the figures tie to.
func basis(controls *Control, ends bool) string {
	switch {
	case controls != nil && ends:
		return BasisOutside + " and to the topics' end offsets as given. " + basisEnd
	case controls != nil:
		return BasisOutside + ". Whether the archive holds everything that was produced is shown by these totals alone."
	case ends:
		return "The figures tie to the archive as listed, and the archive to the topics' end offsets as given. " + basisEnd
	}
	return Basis
}

// The beginnings of what a report with totals from outside says.
const (
	BasisOutside = "The figures tie to the archive as listed, to the control totals as given"
	basisEnd     = "Both are only as good as their sources."
)
