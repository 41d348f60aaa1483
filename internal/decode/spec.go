package decode

import (
	"errors"
	"time"
	"unicode/utf8"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/mask"
	"backfill/internal/schema"
)

// Unit is the unit of a time given as a number since 1970-01-01T00:00:00Z.
type Unit uint8

// The units; milliseconds are the default, as in Kafka.
const (
	Millis Unit = iota
	Seconds
	Micros
	Nanos
)

// UnitOf returns the unit of that name in schema; Millis for "".
func UnitOf(name string) Unit {
	switch name {
	case schema.UnitSeconds:
		return Seconds
	case schema.UnitMicros:
		return Micros
	case schema.UnitNanos:
		return Nanos
	}
	return Millis
}

// scale is the power of ten from the unit to microseconds.
func (u Unit) scale() int {
	switch u {
	case Seconds:
		return 6
	case Micros:
		return 0
	case Nanos:
		return -3
	}
	return 3
}

// Format is how records follow one another in a stream.
type Format uint8

// The formats; by default the stream's first bytes tell them apart.
const (
	AnyFormat Format = iota
	JSON
	Avro
)

// Spec says what to read of each record. Paths are object keys from the
// record's root; an empty path that is not nil is the root itself. Keys are
// compared exactly. The last of several equal keys counts.
type Spec struct {
	// Columns, in the order of the batch. One with a Const is filled with it;
	// one with neither Path nor Const is left alone.
	Columns   []schema.Column
	Format    Format
	EventTime *TimeField // nil: the dataset has none
	Timestamp *TimeField // the record's Kafka timestamp; nil: not in the body
	Partition []string   // nil: not in the body
	Offset    []string   // nil: not in the body
	Where     [][]string // scalars that the filter looks at
	// Value is where the value stands in its envelope; nil: the record is it. A
	// null there is a tombstone; where each step leads into an envelope of its
	// own, Layered, a null at any of them is. A record that has nothing there is no such
	// envelope, unless it has something at Witness: then it is a tombstone, too.
	Value   []string
	Layered bool
	Witness []string
	MaskKey *mask.Key // of columns with a Mask; nil: there are none
}

// TimeField says where a time stands and how it is spelled.
type TimeField struct {
	Path     []string
	Zone     string          // zone of text without one; "" refuses such text
	Fraction schema.Fraction // what happens to digits past microseconds
	Unit     Unit            // of numbers
}

// Limits bounds a Scanner's memory. Zero values mean the defaults.
type Limits struct {
	BlockBytes  int // bytes read at once; default 1 MiB
	RecordBytes int // largest record, longer ones are Unreadable; the block grows up to it; default 16 MiB
	RawBytes    int // most of Record.Raw; default 64 KiB
	Depth       int // deepest nesting of objects and arrays; default 128, at most 10000
}

const maxDepth = 10000

func (l Limits) withDefaults() Limits {
	orDefault := func(n *int, value int) {
		if *n <= 0 {
			*n = value
		}
	}
	orDefault(&l.BlockBytes, 1<<20)
	orDefault(&l.RecordBytes, 16<<20)
	orDefault(&l.RawBytes, 64<<10)
	orDefault(&l.Depth, 128)
	l.Depth = min(l.Depth, maxDepth)
	return l
}

// Program is a compiled Spec. It never changes and may be shared.
type Program struct {
	spec      Spec
	constants []constant
}

// constant is a column with the same value in every row.
type constant struct {
	column int
	number int64
	bytes  []byte
}

// Compile checks the spec. Errors are fail.BadDataset: an unknown type or
// zone, a constant that does not fit its column.
func Compile(s Spec) (*Program, error) {
	p := &Program{spec: s}
	for i := range s.Columns {
		if err := p.compileColumn(i); err != nil {
			return nil, err
		}
	}
	for _, f := range []*TimeField{s.EventTime, s.Timestamp} {
		if f == nil {
			continue
		}
		if f.Path == nil {
			return nil, fail.New(fail.BadDataset, "a time field has no path")
		}
		if err := errors.Join(checkZone(f.Zone), checkPath(f.Path)); err != nil {
			return nil, err
		}
	}
	for _, path := range append([][]string{s.Partition, s.Offset, s.Value, s.Witness}, s.Where...) {
		if err := checkPath(path); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *Program) compileColumn(i int) error {
	c := p.spec.Columns[i]
	if _, ok := columnOp(c.Type); !ok {
		return fail.New(fail.BadDataset, "column %s has an unknown type", c.Name)
	}
	if err := errors.Join(checkZone(c.Zone), checkPath(c.Path)); err != nil {
		return fail.Wrap(err, fail.BadDataset, "column %s", c.Name)
	}
	if c.Mask != schema.NoMask && (p.spec.MaskKey == nil || c.Type.Kind != schema.Varchar || c.Type.Length < mask.Size || c.Const != nil) {
		return fail.New(fail.BadDataset, "column %s can't be masked: it needs a key, a path and varchar(%d)", c.Name, mask.Size)
	}
	if c.Const == nil {
		return nil
	}
	// A constant goes the way of a record's value, so it obeys the same rules.
	s := &Scanner{cols: columns.NewBatch(p.spec.Columns[i : i+1]).Cols, bad: make([]Reject, 1)}
	t := token{kind: columns.String, text: []byte(*c.Const), raw: []byte(*c.Const)}
	sink := columnSink(0, c)
	s.storeColumn(&sink, &t)
	if s.misfits {
		return fail.New(fail.BadDataset, "the constant of column %s does not fit: %s", c.Name, s.bad[0].Detail())
	}
	v := &s.cols[0]
	k := constant{column: i}
	if v.Shape == schema.Int {
		k.number = v.I[0]
	} else {
		k.bytes = v.S[0]
	}
	p.constants = append(p.constants, k)
	return nil
}

// checkPath refuses keys that no JSON text can hold.
func checkPath(path []string) error {
	for _, key := range path {
		if !utf8.ValidString(key) {
			return fail.New(fail.BadDataset, "the path %q is not valid UTF-8", path)
		}
	}
	return nil
}

// checkZone refuses names that mean something else on another machine.
func checkZone(name string) error {
	if name == "" {
		return nil
	}
	if name == "Local" {
		return fail.New(fail.BadDataset, "the zone Local depends on the machine").Try("name a zone like America/Los_Angeles")
	}
	if _, err := time.LoadLocation(name); err != nil {
		return fail.Wrap(err, fail.BadDataset, "unknown zone %q", name).Try("name a zone like America/Los_Angeles")
	}
	return nil
}
