// Package report turns a tie-out into documents: one canonical JSON object,
// and a table for a terminal. It computes nothing that tieout did not, except
// sums over what it shows.
package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/tieout"
)

// Format is the version of the JSON document.
const Format = 1

// Basis says what the figures tie to.
const Basis = "The figures tie to the archive as listed. Whether the archive holds everything that was produced is not shown by this report."

// Report is the canonical JSON document. Amounts are exact decimals as text.
type Report struct {
	Format   int          `json:"format"`
	Kind     string       `json:"kind"` // "reconciliation"
	Way      tieout.Way   `json:"way"`  // what the table was compared with
	Verdict  string       `json:"verdict"`
	Sentence string       `json:"sentence"`
	Basis    string       `json:"basis"`
	Dataset  string       `json:"dataset"`
	Digest   string       `json:"dataset_digest"`
	Run      string       `json:"run"`
	Target   string       `json:"target"`
	Scope    string       `json:"scope"` // "all", or the predicate
	Window   kafka.Window `json:"window_micros"`
	From     string       `json:"from"`
	To       string       `json:"to"`
	Calendar string       `json:"calendar"`
	Plans    []Plan       `json:"plans"`
	Version  string       `json:"version"`
	Image    string       `json:"image"` // digest of the container image; may be empty
	By       string       `json:"prepared_by"`
	Reason   string       `json:"reason"`
	Written  time.Time    `json:"written"`
	Repairs  string       `json:"repairs,omitempty"` // URI of the report whose breaks were mended before this one

	TotalColumns []Column `json:"total_columns"`
	GroupColumns []string `json:"group_columns"`           // of breaks, rows and legs
	PeriodColumn string   `json:"period_column,omitempty"` // of the accounting period: the last of them, and not of totals and days

	Ladder     []Step                `json:"ladder"`
	Totals     []Line                `json:"totals"`            // per group
	Periods    []PeriodLine          `json:"periods,omitempty"` // per accounting period and group
	Days       []Line                `json:"days"`              // per day and group
	Partitions []PartitionLine       `json:"partitions"`        // per topic-partition and day
	Breaks     []Break               `json:"breaks"`
	Sequences  []tieout.Sequence     `json:"sequences"`
	Schemas    []account.SchemaCount `json:"schemas,omitempty"` // of framed values, by version
	Exceptions []tieout.Exception    `json:"exceptions"`
	Unknown    []string              `json:"unknown"`
	Rows       *tieout.Rows          `json:"rows,omitempty"`   // row by row, where that was compared
	Named      []tieout.Effect       `json:"named_exceptions"` // that people granted, and what each did
	Controls   *Control              `json:"control_totals"`   // null: none were given
	Restates   *Restatement          `json:"restates"`         // null: the period was not closed before
	Cutoff     *tieout.Cutoff        `json:"cutoff,omitempty"` // absent: no record is late
	Open       []string              `json:"days_unknown"`     // days of the window that nothing is known of, or that are preliminary
	Statement  Statement             `json:"statement"`
	Legs       tieout.Legs           `json:"legs"` // unscaled sums and hash lanes, for machines
}

// Control is the comparison with totals from outside.
type Control struct {
	By    []string  `json:"by"` // columns of the file
	Days  bool      `json:"days"`
	Lines []Measure `json:"lines"`
	Match bool      `json:"match"`
}

// Plan is one plan that the window's rows come from.
type Plan struct {
	Seq    int64  `json:"seq"`
	URI    string `json:"uri"`
	Days   string `json:"days"`
	Slices int    `json:"slices"`

	Asked  []string `json:"asked,omitempty"`        // what a person allowed or asked for, as the ledger has it
	By     string   `json:"requested_by,omitempty"` // of the newest slice
	Reason string   `json:"reason,omitempty"`
}

// Column is one money total.
type Column struct {
	Name  string `json:"name"`
	Scale int    `json:"scale"`
}

// Step is one line of the ladder from records to rows.
type Step struct {
	Name string `json:"name"`
	Sign string `json:"sign"` // "", "-", "+", "=", or "≠" where the steps above give another number
	Rows int64  `json:"rows"`
}

// Figures are one leg's rows and amounts at one line; Amounts in the order of
// total_columns.
type Figures struct {
	Rows    int64    `json:"rows"`
	Amounts []string `json:"amounts"`
}

// Line compares the legs at one place.
type Line struct {
	Day      string    `json:"day,omitempty"`
	Group    []*string `json:"group,omitempty"`
	Archive  Figures   `json:"archive"`
	Stage    Figures   `json:"stage"`
	Expected Figures   `json:"expected"` // what the loads left in the table: the newest rows of the stage, and in other modes than replace_window those that were kept
	Table    Figures   `json:"table"`
	Match    bool      `json:"match"`
}

// PartitionLine compares the rows of one partition and day. It has no amounts:
// those of different groups, such as currencies, don't add up to anything.
type PartitionLine struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Day       string `json:"day"`
	Archive   int64  `json:"archive_rows"`
	Stage     int64  `json:"stage_rows"`
	Expected  *int64 `json:"expected_rows"` // null: the table does not know partitions
	Table     *int64 `json:"table_rows"`    // likewise
	Match     bool   `json:"match"`
}

// Break is one difference with its coordinates.
type Break struct {
	Leg       string    `json:"leg"`
	Kind      string    `json:"kind"`
	Topic     string    `json:"topic,omitempty"`
	Partition *int32    `json:"partition,omitempty"`
	Day       string    `json:"day"`
	Bucket    int32     `json:"bucket"`
	Group     []*string `json:"group,omitempty"`
	Where     string    `json:"where,omitempty"` // in words, where the place does not say it
	Left      Figures   `json:"left"`
	Right     Figures   `json:"right"`
	Diff      []string  `json:"difference"` // right less left, of each total
	Text      string    `json:"text"`
}

// Head is what the caller knows besides the tie-out.
type Head struct {
	Dataset, Digest, Run, Target, Scope, Calendar, Version string
	Zone                                                   *time.Location
	Window                                                 kafka.Window
	Plans                                                  []Plan
	Totals                                                 []Column
	By                                                     []string
	Period                                                 bool // the last of By is the accounting period
	Written                                                time.Time
	Repairs                                                string // URI of the report whose breaks were mended before this one; "": none

	Image, Requester, Reason string
	ControlBy                []string // columns of the control totals' file
	ControlDays, Ends        bool     // it has days; end offsets were given
	Named                    []tieout.Effect
	Restates                 *Restatement
	Cutoff                   tieout.Cutoff
	Open                     []kafka.Day
	Statement                Statement
}

// New builds the document. It fails when the cells have other totals than the
// head, or a sum leaves 128 bits.
func New(h Head, r *tieout.Result) (*Report, error) {
	for _, leg := range []account.Cells{r.Cells.Archive, r.Cells.Stage, r.Cells.Expected, r.Cells.Table} {
		for _, c := range leg {
			if len(c.Sums) != len(h.Totals) {
				return nil, fmt.Errorf("the legs have %d money totals, the report %d", len(c.Sums), len(h.Totals))
			}
		}
	}
	if h.Scope == "" {
		h.Scope = "all"
	}
	if h.Zone == nil {
		h.Zone = time.UTC
	}
	// A list without entries is an empty list in JSON, too.
	h.Plans, h.Totals, h.By = append([]Plan{}, h.Plans...), append([]Column{}, h.Totals...), append([]string{}, h.By...)
	rep := &Report{
		Format: Format, Kind: "reconciliation", Way: r.Way, Verdict: string(r.Verdict), Basis: Basis,
		Dataset: h.Dataset, Digest: h.Digest, Run: h.Run, Target: h.Target, Scope: h.Scope, Window: h.Window,
		Calendar: h.Calendar, Plans: h.Plans, Version: h.Version, Written: h.Written.UTC().Truncate(time.Second), Repairs: h.Repairs,
		TotalColumns: h.Totals, GroupColumns: h.By, Breaks: []Break{},
		Sequences: r.Sequences, Schemas: r.Schemas, Unknown: r.Unknown, Rows: r.Rows, Legs: r.Cells,
		Image: h.Image, By: h.Requester, Reason: h.Reason, Named: append([]tieout.Effect{}, h.Named...), Restates: h.Restates, Open: []string{},
		Statement: h.Statement.complete(),
	}
	if h.Cutoff.Given() {
		rep.Cutoff = &h.Cutoff
	}
	for _, d := range h.Open {
		rep.Open = append(rep.Open, d.String())
	}
	if !h.Window.IsAll() {
		rep.From, rep.To = inZone(h.Window.From, h.Zone), inZone(h.Window.To, h.Zone)
	}
	b := builder{h: h, r: r, rep: rep}
	if len(r.Controls) > 0 {
		rep.Controls = &Control{By: append([]string{}, h.ControlBy...), Days: h.ControlDays, Lines: b.measures(r.Controls), Match: true}
		for _, l := range rep.Controls.Lines {
			rep.Controls.Match = rep.Controls.Match && l.Match
		}
	}
	rep.Basis = basis(rep.Controls, h.Ends)
	if err := b.exceptions(); err != nil {
		return nil, err
	}
	b.ladder()
	for _, b2 := range r.Breaks {
		rep.Breaks = append(rep.Breaks, b.describe(b2))
	}
	if err := b.lines(); err != nil {
		return nil, err
	}
	rep.Sentence = b.sentence()
	return rep, nil
}

func inZone(i kafka.Instant, zone *time.Location) string {
	return i.Time().In(zone).Format(time.RFC3339Nano)
}

// JSON returns the document's bytes: the same report gives the same bytes.
func (r *Report) JSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false) // scopes hold < and >
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("encoding the report: %w", err)
	}
	return b.Bytes(), nil
}

type builder struct {
	h   Head
	r   *tieout.Result
	rep *Report
}

func (b *builder) figures(c *account.Cell) Figures {
	f := Figures{Amounts: make([]string, len(b.h.Totals))}
	for i, col := range b.h.Totals {
		f.Amounts[i] = account.Int128{}.Decimal(col.Scale)
		if c != nil {
			f.Amounts[i] = c.Sums[i].Decimal(col.Scale)
		}
	}
	if c != nil {
		f.Rows = c.Rows
	}
	return f
}

func (b *builder) ladder() {
	t, sum := b.r.Tally, b.r.Tally.Read()
	step := func(sign, name string, rows int64) {
		switch {
		case sign == "-":
			sum -= rows
		case sign == "+":
			sum += rows
		case rows != sum:
			sign, sum = "≠", rows
		}
		b.rep.Ladder = append(b.rep.Ladder, Step{Name: name, Sign: sign, Rows: rows})
	}
	if b.r.Records > 0 {
		rows := sumRows(b.r.Cells.Archive)
		sum = b.r.Records
		step("", "records read", b.r.Records)
		step("-", "no rows of these days (the reports of the plans say why)", b.r.Records-rows)
		step("=", "Parquet rows", rows)
		b.rows(step)
		return
	}
	step("", "records read", t.Read())
	for _, d := range account.Dispositions() {
		if d != account.Row {
			step("-", dispositionNames[d], t[d])
		}
	}
	step("=", "Parquet rows", t[account.Row])
	step("-", "rows of days that another plan holds", b.r.OtherDays)
	b.rows(step)
}

// rows are the steps from Parquet to the table.
func (b *builder) rows(step func(sign, name string, rows int64)) {
	if b.r.Way == tieout.ByArchive {
		step("-", "superseded by a newer version", b.r.Superseded)
		step("=", "rows that the table must hold", sumRows(b.r.Cells.Expected))
		step("=", "rows in the table now", sumRows(b.r.Cells.Table))
		return
	}
	step("=", "stage rows", sumRows(b.r.Cells.Stage))
	step("-", "superseded by a newer version", b.r.Superseded)
	step("-", "superseded by a newer version in the table", b.r.Outdated)
	step("-", "there with other content, which was kept", b.r.Differing)
	step("-", "of offsets that were loaded before", b.r.Repeated)
	step("-", "already there", b.r.Already)
	step("=", "rows inserted", b.r.Inserted)
	step("+", "already there", b.r.Already)
	step("+", "kept: newer, or no archived record explains them", b.r.Kept)
	step("-", "replaced by versions on other days since", b.r.Taken)
	step("=", "rows in the table now", sumRows(b.r.Cells.Table))
}

var dispositionNames = map[account.Disposition]string{
	account.Unreadable: "unreadable (quarantined)", account.Tombstone: "tombstones", account.Undatable: "undatable",
	account.OutOfWindow: "out of the window", account.Filtered: "filtered by where", account.Suppressed: "suppressed",
	account.Rejected: "rejected (quarantined)", account.DuplicateOffset: "duplicates of an offset",
}

func sumRows(cells account.Cells) int64 {
	var n int64
	for _, c := range cells {
		n += c.Rows
	}
	return n
}

// Covers reports whether a report's bytes name the plan.
func Covers(body []byte, seq int64) bool {
	var r struct {
		Plans []Plan `json:"plans"`
	}
	if json.Unmarshal(body, &r) != nil {
		return false
	}
	return slices.ContainsFunc(r.Plans, func(p Plan) bool { return p.Seq == seq })
}
