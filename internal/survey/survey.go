// Package survey looks at a sample of records and proposes a dataset for them:
// which fields there are, which Redshift types hold them exactly, which of them
// may be key, event time, currency and money, and which may be personal.
//
//	records ─▶ Add ─▶ tree of fields with counts and shapes ─▶ Propose ─▶ Proposal.YAML
//
// It keeps counts and bounds, never values, but for hashes that tell how many
// differ and short texts such as types of events. It opens nothing: the infer job
// feeds it. What it proposes is a start: comments in the file say what each choice
// rests on.
package survey

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strings"
)

// The bounds of a survey. Fields beyond them are counted and named as left out.
const (
	maxNodes    = 2000
	maxDepth    = 8
	maxDistinct = 20_000  // hashes of a field
	maxHashes   = 600_000 // of all fields
	maxTags     = 24      // short texts of a field that are kept with their counts
	maxTag      = 48      // bytes of such a text
)

// Survey collects what a sample of records shows.
type Survey struct {
	records  int64
	broken   int64 // no JSON object
	root     *node
	nodes    int
	hashes   int
	overflow int64 // fields that found no place
	seed     maphash.Seed
	shapes   *shapes
}

// New returns an empty survey.
func New() *Survey {
	s := &Survey{seed: maphash.MakeSeed(), shapes: compiled()}
	s.root = s.node("")
	return s
}

// Records returns how many records were added, and how many of them were no JSON object.
func (s *Survey) Records() (all, broken int64) { return s.records, s.broken }

// node is one field, wherever it was met.
type node struct {
	name     string
	nulls    int64
	strings  text
	numbers  number
	bools    int64
	arrays   int64
	objects  int64
	children map[string]*node
	order    []*node // children as first met

	distinct map[uint64]struct{}
	more     bool             // there are more distinct values than were counted
	tags     map[string]int64 // short texts; nil once there are too many
}

func (s *Survey) node(name string) *node {
	s.nodes++
	return &node{name: name, distinct: map[uint64]struct{}{}, tags: map[string]int64{}}
}

// seen is how often the field had a value.
func (n *node) seen() int64 { return n.strings.n + n.numbers.n + n.bools + n.arrays + n.objects }

// Add takes one record, a JSON text. One that is no object is counted as broken.
func (s *Survey) Add(record []byte) {
	s.records++
	fields, ok := parse(record).(object)
	if !ok {
		s.broken++
		return
	}
	s.root.objects++
	s.object(s.root, fields, 0)
}

func (s *Survey) object(n *node, fields object, depth int) {
	if n.children == nil {
		n.children = map[string]*node{}
	}
	for _, f := range fields {
		child := n.children[f.name]
		if child == nil {
			if s.nodes >= maxNodes || depth >= maxDepth {
				s.overflow++
				continue
			}
			child = s.node(f.name)
			n.children[f.name] = child
			n.order = append(n.order, child)
		}
		s.value(child, f.value, depth+1)
	}
}

func (s *Survey) value(n *node, v any, depth int) {
	switch v := v.(type) {
	case nil:
		n.nulls++
	case bool:
		n.bools++
	case json.Number:
		n.numbers.add(v.String())
		s.differ(n, v.String())
	case string:
		s.shapes.note(&n.strings, v)
		s.differ(n, v)
		n.tag(v)
	case []any:
		n.arrays++
	case object:
		n.objects++
		s.object(n, v, depth)
	}
}

// differ counts distinct values by their hash.
func (s *Survey) differ(n *node, text string) {
	h := maphash.String(s.seed, text)
	if _, ok := n.distinct[h]; ok || n.more {
		return
	}
	if len(n.distinct) >= maxDistinct || s.hashes >= maxHashes {
		n.more = true
		return
	}
	s.hashes++
	n.distinct[h] = struct{}{}
}

// tag counts short texts while they are few: types of events, currencies.
func (n *node) tag(text string) {
	if n.tags == nil {
		return
	}
	if _, ok := n.tags[text]; !ok && (len(text) > maxTag || len(n.tags) >= maxTags) {
		n.tags = nil
		return
	}
	n.tags[text]++
}

// share is part of whole in words: "all", "61 %", "0.2 %".
func share(part, whole int64) string {
	switch {
	case whole == 0 || part == 0:
		return "none"
	case part == whole:
		return "all"
	case part*100 < whole:
		return strings.TrimSuffix(fmt.Sprintf("%.2f", float64(part)*100/float64(whole)), "0") + " %"
	case part*100/whole == 100:
		return "nearly all"
	}
	return fmt.Sprintf("%d %%", part*100/whole)
}
