package decode

import (
	"encoding/json"
	"strings"

	"backfill/internal/schema"
)

// maxLearned is the most unknown keys a node remembers to step over, and
// maxLearnedKey the longest in bytes.
const (
	maxLearned    = 256
	maxLearnedKey = 64
)

// place is where a path leads: what wants the value there, and the node of
// longer paths through it.
type place struct {
	sinks []sink
	child *node // nil: no path goes on
	text  bool  // a sink wants strings unescaped
	// bit numbers the places in depth-first order, so that a place and all
	// below it are the range bit to last.
	bit, last int
}

// node is the part of the tree below an object: its wanted keys, and unknown
// ones met so far.
//
// Keys are predicted. Each field names the field expected after it, the one
// that followed the last time it was looked up; fields[0] stands for the
// object's beginning and has no key. An archive's objects nearly all have the
// same keys in the same order, so one comparison per key is enough.
type node struct {
	fields  []field
	index   map[string]int32 // by key
	learned int              // fields that are unknown keys
}

type field struct {
	key  string // with its quotes
	next int32  // the field expected after this one, never 0
	to   *place // nil: nobody wants the value
}

// tree is the tree of all wanted paths. It belongs to one scanner, because it
// learns.
type tree struct {
	root   *place
	places []*place // by bit
}

// add adds a sink at the end of the path.
func (t *tree) add(path []string, k sink) {
	at := t.root
	for _, key := range path {
		if at.child == nil {
			at.child = &node{fields: make([]field, 1), index: map[string]int32{}}
		}
		at = at.child.declare(key)
	}
	at.sinks = append(at.sinks, k)
	at.text = at.text || k.op != toSuper
}

// number gives every place below p its bits.
func (t *tree) number(p *place) {
	p.bit = len(t.places)
	t.places = append(t.places, p)
	if p.child != nil {
		for _, f := range p.child.fields[1:] {
			t.number(f.to)
		}
	}
	p.last = len(t.places) - 1
}

// declare returns the place of a wanted key, a new one at the first time.
func (n *node) declare(key string) *place {
	if i, ok := n.index[key]; ok {
		return n.fields[i].to
	}
	to := &place{}
	n.append(key, to)
	return to
}

// append adds a wanted field, expected after the one declared before.
func (n *node) append(key string, to *place) {
	i := int32(len(n.fields))
	n.fields[i-1].next = i
	n.fields = append(n.fields, field{key: quoted(key), next: 1, to: to})
	n.index[key] = i
}

// quoted spells a key as a writer of JSON most likely does.
func quoted(key string) string {
	if strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' }) {
		text, _ := json.Marshal(key) // a string can't fail
		return string(text)
	}
	return `"` + key + `"`
}

// learn remembers an unknown key that followed field prev.
func (n *node) learn(prev int32, key []byte) {
	if n.learned >= maxLearned || len(key) > maxLearnedKey {
		return
	}
	n.learned++
	i := int32(len(n.fields))
	n.fields = append(n.fields, field{key: `"` + string(key) + `"`, next: n.fields[prev].next})
	n.fields[prev].next = i
	n.index[string(key)] = i
}

// op says what a sink makes of a value.
type op uint8

const (
	toInt op = iota + 1
	toDecimal
	toWide
	toBool
	toDate
	toTimestamp
	toChar
	toVarchar
	toMasked
	toSuper
	lastColumnOp = toSuper

	toEventTime op = iota + 1
	toKafkaTime
	toPartition
	toOffset
	toWhere
	toValue
	toAround
	toWitness
)

// sink is one wish for a value.
type sink struct {
	op       op
	index    int // of the column, or in Where
	typ      schema.Type
	required bool
	overflow bool    // toSuper: what is too long is Large
	min, max int64   // toInt
	moment   *moment // times
	days     bool    // toDate: numbers are days since 1970
	unscaled *int    // toDecimal, toWide: the value is base64 of an integer, to be divided by ten to this
}

func columnOp(t schema.Type) (op, bool) {
	switch t.Kind {
	case schema.Smallint, schema.Integer, schema.Bigint:
		return toInt, true
	case schema.Decimal:
		if t.Precision < 1 || t.Precision > 38 || t.Scale < 0 || t.Scale > t.Precision {
			return 0, false
		}
		if t.Shape() == schema.Wide {
			return toWide, true
		}
		return toDecimal, true
	case schema.Boolean:
		return toBool, true
	case schema.Date:
		return toDate, true
	case schema.Timestamp:
		return toTimestamp, true
	case schema.Char:
		return toChar, t.Length > 0
	case schema.Varchar:
		return toVarchar, t.Length > 0
	case schema.Super:
		return toSuper, true
	}
	return 0, false
}

func columnSink(index int, c schema.Column) sink {
	k := sink{index: index, typ: c.Type, required: c.Required, overflow: c.Overflow != "", days: c.Unit == schema.UnitDays, unscaled: c.Unscaled}
	k.op, _ = columnOp(c.Type)
	if c.Mask != schema.NoMask {
		k.op = toMasked
	}
	switch c.Type.Kind {
	case schema.Smallint:
		k.min, k.max = -1<<15, 1<<15-1
	case schema.Integer:
		k.min, k.max = -1<<31, 1<<31-1
	case schema.Bigint:
		k.min, k.max = -1<<63, 1<<63-1
	case schema.Timestamp:
		k.moment = newMoment(c.Zone, c.Fraction, UnitOf(c.Unit))
	}
	return k
}

// newTree builds the tree of a checked spec.
func newTree(s *Spec) *tree {
	t := &tree{root: &place{}}
	for i, c := range s.Columns {
		if c.Path != nil && c.Const == nil {
			t.add(c.Path, columnSink(i, c))
		}
	}
	if f := s.EventTime; f != nil {
		t.add(f.Path, sink{op: toEventTime, moment: newMoment(f.Zone, f.Fraction, f.Unit)})
	}
	if f := s.Timestamp; f != nil {
		t.add(f.Path, sink{op: toKafkaTime, moment: newMoment(f.Zone, f.Fraction, f.Unit)})
	}
	if s.Partition != nil {
		t.add(s.Partition, sink{op: toPartition, min: 0, max: 1<<31 - 1})
	}
	if s.Offset != nil {
		t.add(s.Offset, sink{op: toOffset, min: 0, max: 1<<63 - 1})
	}
	if s.Value != nil {
		t.add(s.Value, sink{op: toValue})
		for i := 1; s.Layered && i < len(s.Value); i++ {
			t.add(s.Value[:i], sink{op: toAround})
		}
	}
	if s.Witness != nil {
		t.add(s.Witness, sink{op: toWitness})
	}
	for i, path := range s.Where {
		t.add(path, sink{op: toWhere, index: i})
	}
	t.number(t.root)
	return t
}
