package dataset

import (
	"cmp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

const (
	maxPath    = 32  // steps
	maxStep    = 255 // bytes
	pathsStart = "value"
	badStep    = " \t\n\"'`*?"
)

// records reads the records section.
func (c *compiler) records(root section) {
	s := c.child(root, "records")
	r := &c.out.Records
	c.recordKeys = s
	c.envelope(s)
	if len(c.out.Archive.Layout.Join) > 0 {
		r.Envelope.join()
	}
	r.Unpack, _ = c.choice(s, "unpack", UnpackText, UnpackBase64)
	if text, ok := c.text(s, "where"); ok {
		r.Where = c.where(s.values["where"], text)
	}
	c.eventTime(s)
	r.Partition = c.path(s, "partition")
	r.Offset = c.path(s, "offset")
	r.Timestamp = c.path(s, "timestamp")
	c.nodes.suppress = s.values["suppress"]
	r.bindEnvelope()
	c.registry(s)
	c.jsonIn(s)
	c.tombstones(s)
}

// maxJSONIn bounds the strings that hold JSON.
const maxJSONIn = 32

// jsonIn reads records.json_in and puts outer strings before inner ones.
func (c *compiler) jsonIn(s section) {
	for _, n := range c.items(s, "json_in", maxJSONIn) {
		one := section{path: s.path, name: s.name, node: s.node, values: map[string]*yaml.Node{"json_in": n}}
		path := c.path(one, "json_in")
		if path != nil && len(path) == 0 {
			c.at(n, "write unpack: text", "the value itself is unpacked by records.unpack")
			continue
		}
		if path != nil {
			c.out.Records.JSONIn = append(c.out.Records.JSONIn, path)
		}
	}
	slices.SortStableFunc(c.out.Records.JSONIn, func(a, b []string) int { return cmp.Or(cmp.Compare(len(a), len(b)), slices.Compare(a, b)) })
	c.out.Records.JSONIn = slices.CompactFunc(c.out.Records.JSONIn, slices.Equal)
}

// eventTime reads records.event_time and how it is spelled.
func (c *compiler) eventTime(s section) {
	n := s.values["event_time"]
	if n == nil {
		c.missing(s, "event_time", "write the path of the event's time, or none for a dataset without windows")
		return
	}
	if n.Kind == yaml.ScalarNode && n.Value == "none" {
		for _, key := range []string{"event_time_zone", "event_time_unit"} {
			if s.values[key] != nil {
				c.at(s.values[key], "take it away", "%s has no meaning without an event time", s.key(key))
			}
		}
		return
	}
	t := &TimeField{Path: c.path(s, "event_time"), Unit: UnitMillis}
	if zone, _, ok := c.zone(s, "event_time_zone"); ok {
		t.Zone = zone
	}
	if unit, ok := c.choice(s, "event_time_unit", UnitSeconds, UnitMillis, UnitMicros, UnitNanos); ok {
		t.Unit = unit
	}
	c.out.Records.EventTime = t
}

// path returns the steps of a key's path below the record's value: empty for
// the value itself, nil if absent or wrong.
func (c *compiler) path(s section, key string) []string {
	text, ok := c.text(s, key)
	if !ok {
		return nil
	}
	n, what := s.values[key], s.key(key)
	steps := strings.Split(text, ".")
	switch first := steps[0]; {
	case strings.ContainsAny(text, "[]"):
		c.at(n, "archive the element as a field of its own, or keep the whole list in a SUPER column",
			"%s %s indexes a list, which is not supported", what, shown(text))
		return nil
	case first == pathsStart:
	case first == envelopeStart && c.out.Records.Envelope.Value != nil && len(steps) > 1:
		steps = append([]string{envelopeStart, envelopeRoot}, steps[1:]...)
	case contains([]string{"key", "headers", "topic", "partition", "offset", "timestamp"}, first):
		c.at(n, "paths start with value", "%s %s is not supported by this version: only the record's value can be read, and its envelope", what, shown(text))
		return nil
	default:
		c.at(n, "write value."+strings.TrimPrefix(text, "$."), "%s %s does not start with value", what, shown(text))
		return nil
	}
	if len(steps) > maxPath+1 {
		c.at(n, "", "%s has more than %d steps", what, maxPath)
		return nil
	}
	for _, step := range steps[1:] {
		if step == "" || len(step) > maxStep || strings.ContainsAny(step, badStep) {
			c.at(n, "steps are the exact names of fields, put together by dots", "%s %s has a step that is no name", what, shown(text))
			return nil
		}
	}
	// Never nil: an empty path is the value itself.
	return append(make([]string, 0, len(steps)-1), steps[1:]...)
}
