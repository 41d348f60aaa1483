package archivegen

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"time"
)

// Sink receives the finished objects. Put is called from several goroutines, in no fixed order, once per
// key; body is valid only until Put returns.
type Sink interface {
	Put(ctx context.Context, key string, body []byte) error
}

// Codec names for Options.Codec.
const (
	CodecNone  = "none"
	CodecGzip  = "gzip"
	CodecZstd  = "zstd"
	CodecMixed = "mixed" // per object: about 6 of 10 gzip, 3 zstd, 1 none
)

// Options say what to generate. Seed, Events, From and To have no defaults; the zero value of any other
// field takes the default named beside it.
type Options struct {
	Seed uint64 `json:"seed"`

	// Events is the number of events with event time in [From, To) and type payment.settled or
	// payment.reversed, before any fault. It is exact when Faults.FilteredTypes is 0; otherwise the log is
	// made so much longer that Events of them are expected to pass the filter. Planted records come on top.
	Events int `json:"events"`

	// From and To are instants at midnight in Zone; the window is [From, To).
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	// DaysAround days before From and after To are generated too, with at least one event per partition
	// and day. Default 3; negative: none.
	DaysAround int    `json:"days_around"`
	Zone       string `json:"zone"` // IANA name of the calendar zone; default UTC

	// Layout is one of LayoutNames; empty: the Confluent S3 sink with its default partitioner and JSON lines,
	// where all faults can be planted. Settings are the archiver's own and override those of the layout. The
	// events are the same whatever the layout.
	Layout   string            `json:"layout,omitempty"`
	Settings map[string]string `json:"settings,omitempty"`

	// Values is ValuesPlain or the name of one of ValueShapes, which needs a layout; empty: plain. ValueSettings are the
	// producer's own and override those of the shape. The schemas of framed values are put below <Prefix>.schemas, which
	// Truth.Objects does not list.
	Values        string            `json:"values,omitempty"`
	ValueSettings map[string]string `json:"value_settings,omitempty"`

	// LeaveOut names faults, as in the JSON of Faults, that the layout cannot show: they are drawn, so that all
	// else stays where it is, but not archived. Such a fault that is asked for and not named here is refused.
	LeaveOut []string `json:"leave_out,omitempty"`

	// In the default layout, an object's key is <Prefix>/<Topic>/partition=<n>/<Topic>+<n>+<%010d first offset>.json[.gz|.zst].
	Prefix     string `json:"prefix"`     // default topics
	Topic      string `json:"topic"`      // default payroll.events
	Partitions int    `json:"partitions"` // default 6, at most 1,000

	Codec string `json:"codec"` // default gzip; of another layout: what its archiver does

	// BodyOffsets puts "_kafka":{"partition":..,"offset":..,"timestamp":ms} into each value, as an
	// InsertField transform would. Without it an offset follows only from the key and the row.
	BodyOffsets bool `json:"body_offsets"`

	EventsPerObject int `json:"events_per_object"` // ordinary events per object, planted ones on top; default 20,000

	Faults Faults `json:"faults"`

	// Parallel is the number of objects written at a time; default GOMAXPROCS. It changes no byte.
	Parallel int `json:"-"`
}

// Faults switch what is wrong, or merely awkward, in an archive. The zero value plants nothing.
//
// An int is a count and an upper bound: what does not fit (an overlap needs a second object in its
// partition) is not planted, and Truth.PlantedCounts says how many were. A float64 is a share in [0, 1] of
// the records, or objects, that can show it.
type Faults struct {
	// Whole objects.
	DuplicateObjects int `json:"duplicate_objects"` // the same content again under another name with the same first offset: in turn the same bytes with an extension that lies, and another codec
	OverlapObjects   int `json:"overlap_objects"`   // objects that begin by repeating the last records of the object before, byte for byte
	OffsetGaps       int `json:"offset_gaps"`       // offsets missing between two objects, unexplained
	DamagedObjects   int `json:"damaged_objects"`   // a gzip object cut in the middle stands in place of the good one
	NullTail         int `json:"null_tail"`         // objects that end in one to three bare null lines
	NoFinalNewline   int `json:"no_final_newline"`  // objects whose last line is not terminated

	// Single records, planted on top of Events.
	LateRecords        int `json:"late_records"`        // archived 6 to 71 hours after their event time, each third after To for an event before it
	FutureRecords      int `json:"future_records"`      // event time weeks after To, each third decades or more
	WindowEdges        int `json:"window_edges"`        // sets of four events at From-1µs, From, To-1µs and To, which Truth.PlantedCounts counts singly
	SupersededVersions int `json:"superseded_versions"` // an event_id again later the same day: same event time, other version and amounts; each fourth is an older version that arrives after the newer one
	MalformedJSON      int `json:"malformed_json"`      // lines that are not JSON
	Tombstones         int `json:"tombstones"`          // bare null lines
	Undatable          int `json:"undatable"`           // no usable event time, and no Kafka time in the body
	Deletes            int `json:"deletes"`             // events taken back later the same day, each with a tombstone of its key behind it; for an upsert, only among values debezium
	BadValues          int `json:"bad_values"`          // JSON whose values do not fit the columns of DatasetYAML, each of 20 kinds in turn; all are payments inside the window

	// Shares of the ordinary stream.
	FilteredTypes    float64 `json:"filtered_types"`    // events of types that the dataset's where drops; at most 0.9
	Unicode          float64 `json:"unicode"`           // employees and details with non-ASCII text and escapes
	Negative         float64 `json:"negative"`          // of payment.reversed (a tenth of the events): amounts with a minus sign, zero as -0.00
	BigDigits        float64 `json:"big_digits"`        // amounts of 18 digits
	NumberSpelling   float64 `json:"number_spelling"`   // amounts as JSON numbers instead of strings
	ExponentSpelling float64 `json:"exponent_spelling"` // amounts like 1.2345e3, exact at two decimals
	LocalOffsets     float64 `json:"local_offsets"`     // occurred_at with the zone's offset instead of Z
	ExtraKeys        float64 `json:"extra_keys"`        // keys that no column maps and few events carry
	ShuffledKeys     float64 `json:"shuffled_keys"`     // another order of keys
	NullFields       float64 `json:"null_fields"`       // pay_run_id, bank_account, tax_amount or details null
	MultiMember      float64 `json:"multi_member"`      // of compressed objects: two gzip members or zstd frames, cut within a line
}

// DefaultFaults returns the demo's mix: everything a reader must cope with, but no unexplained gap and no
// damaged object, so that a correct run reconciles.
func DefaultFaults() Faults {
	return Faults{
		DuplicateObjects: 2, OverlapObjects: 2, NullTail: 1, NoFinalNewline: 1,
		LateRecords: 40, FutureRecords: 12, WindowEdges: 1, SupersededVersions: 60,
		MalformedJSON: 6, Tombstones: 12, Undatable: 6, BadValues: len(badValues),
		FilteredTypes: 0.08, Unicode: 0.15, Negative: 1, BigDigits: 0.002, NumberSpelling: 0.05,
		ExponentSpelling: 0.01, LocalOffsets: 0.1, ExtraKeys: 0.05, ShuffledKeys: 0.03, NullFields: 0.04,
		MultiMember: 0.2,
	}
}

const (
	maxEvents  = 1_000_000_000
	maxPlanted = 200_000 // each planted record is held in memory and listed in the truth
	maxObjects = 1_000_000
	maxDays    = 400
)

var (
	topicPattern  = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9!_.*'()=-]+(/[A-Za-z0-9!_.*'()=-]+)*$`)
)

func (o Options) withDefaults() Options {
	if o.DaysAround == 0 {
		o.DaysAround = 3
	}
	if o.Zone == "" {
		o.Zone = "UTC"
	}
	if o.Prefix == "" {
		o.Prefix = "topics"
	}
	if o.Topic == "" {
		o.Topic = "payroll.events"
	}
	if o.Partitions == 0 {
		o.Partitions = 6
	}
	if o.Codec == "" && o.Layout == "" {
		o.Codec = CodecGzip
	}
	if o.EventsPerObject == 0 {
		o.EventsPerObject = 20_000
	}
	if o.Parallel <= 0 {
		o.Parallel = runtime.GOMAXPROCS(0)
	}
	return o
}

// validate reports everything that is wrong with o, defaults applied.
func (o Options) validate() error {
	var wrong []string
	check := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	check(o.Events >= 1 && o.Events <= maxEvents, "events is %d: want 1 to %d", o.Events, maxEvents)
	check(o.Layout == "" || o.Events <= maxLayoutEvents, "events is %d: want at most %d in layout %s", o.Events, maxLayoutEvents, o.Layout)
	check(o.Layout != "" || o.Faults.Deletes == 0, "deletes need a layout, and values debezium")
	check(o.Layout != "" || o.plainValues(), "values %s need a layout", o.Values)
	check(o.Layout != "" || len(o.Settings)+len(o.LeaveOut) == 0, "settings and faults to leave out need a layout")
	check(o.Partitions >= 1 && o.Partitions <= 1000, "partitions is %d: want 1 to 1000", o.Partitions)
	check(o.EventsPerObject >= 1, "events per object is %d: want at least 1", o.EventsPerObject)
	check(o.DaysAround <= 31, "days around is %d: want at most 31", o.DaysAround)
	switch o.Codec {
	case CodecNone, CodecGzip, CodecZstd, CodecMixed:
	default:
		if o.Layout != "" {
			break // its archiver knows
		}
		check(false, "codec is %q: want none, gzip, zstd or mixed", o.Codec)
	}
	check(topicPattern.MatchString(o.Topic), "topic is %q: want 1 to 249 of A-Z, a-z, 0-9, dot, underscore, hyphen", o.Topic)
	check(prefixPattern.MatchString(o.Prefix), "prefix is %q: want folders of A-Z, a-z, 0-9 and !-_.*'()=, joined by single slashes", o.Prefix)
	check(!o.From.IsZero() && o.From.Before(o.To), "the window is empty: from %s to %s",
		o.From.Format(time.RFC3339), o.To.Format(time.RFC3339))
	counts, shares := o.Faults.counts(), o.Faults.shares()
	sum := 0
	for _, c := range counts {
		check(c.n >= 0 && c.n <= maxPlanted, "%s is %d: want 0 to %d", c.name, c.n, maxPlanted)
		sum += min(max(c.n, 0), maxPlanted)
	}
	check(sum <= maxPlanted, "the faults' counts add up to %d: want at most %d", sum, maxPlanted)
	for _, s := range shares {
		check(s.share >= 0 && s.share <= 1, "%s is %g: want a share from 0 to 1", s.name, s.share)
	}
	check(o.Faults.FilteredTypes <= 0.9, "filtered types is %g: want at most 0.9", o.Faults.FilteredTypes)
	if len(wrong) > 0 {
		return errors.New(strings.Join(wrong, "; "))
	}
	return nil
}

type namedCount struct {
	name string
	n    int
}

type namedShare struct {
	name  string
	share float64
}

func (f Faults) counts() []namedCount {
	return []namedCount{
		{"duplicate objects", f.DuplicateObjects}, {"overlap objects", f.OverlapObjects},
		{"offset gaps", f.OffsetGaps}, {"damaged objects", f.DamagedObjects}, {"null tail", f.NullTail},
		{"no final newline", f.NoFinalNewline}, {"late records", f.LateRecords},
		{"future records", f.FutureRecords}, {"window edges", f.WindowEdges},
		{"superseded versions", f.SupersededVersions}, {"malformed JSON", f.MalformedJSON},
		{"tombstones", f.Tombstones}, {"undatable", f.Undatable}, {"bad values", f.BadValues}, {"deletes", f.Deletes},
	}
}

func (f Faults) shares() []namedShare {
	return []namedShare{
		{"filtered types", f.FilteredTypes}, {"unicode", f.Unicode}, {"negative", f.Negative},
		{"big digits", f.BigDigits}, {"number spelling", f.NumberSpelling},
		{"exponent spelling", f.ExponentSpelling}, {"local offsets", f.LocalOffsets},
		{"extra keys", f.ExtraKeys}, {"shuffled keys", f.ShuffledKeys}, {"null fields", f.NullFields},
		{"multi member", f.MultiMember},
	}
}
