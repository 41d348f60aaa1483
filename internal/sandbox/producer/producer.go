// Package producer makes the values of Kafka records as producers do: change events of Debezium, CloudEvents, Connect's
// JSON, and values framed for a schema registry. What archivers make of values is theirs (package archiver).
//
// A producer gets payroll events as JSON objects. It is written from the producers' documentation alone and imports
// nothing of the product.
package producer

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"backfill/internal/sandbox/archiver"
)

// Event is a payroll event as it happens.
type Event struct {
	JSON      []byte // the event, an object
	Update    bool   // an event of the same id was sent before
	Delete    bool   // the event was taken back; JSON is what it was
	Committed int64  // milliseconds since the epoch: when the source had it
	Partition int
	Offset    int64
	Later     bool // it is of the time when producers had the newer schema
}

// Value is the value of a record.
type Value struct {
	Bytes   []byte            // JSON, unless Facts.Bytes
	Headers []archiver.Header // beside those that every record has
	Key     []byte            // of the record; nil: as of plain values
}

// File is a schema as a registry's export holds it.
type File struct {
	Name string // in its folder
	Body []byte
}

// Facts are what values are like and how they are read.
type Facts struct {
	Bytes    bool              // values are bytes, not JSON
	Headers  bool              // part of the meaning is in headers
	Layers   []string          // envelopes, from the outside in, by the names of the dataset file
	Records  []string          // more lines of its records section
	Columns  map[string]string // more keys of a column, by its name
	Paths    map[string]string // where a field stands instead, by its usual path
	Position string            // where the source's position stands in the innermost envelope, which orders changes; "": deletions can't be told
	Framing  string            // of the registry in the dataset file; "": values are not framed
	Schemas  []File            // that values are framed for
	Cannot   map[string]string // faults that can't be planted, by their names in the options of the generator, and why
	// Damages tells of an event whose amounts are not what they were any more; nil: none are.
	Damages func(Event) (bool, error)
}

// Producer makes values, one at a time. The same event becomes the same bytes.
type Producer interface {
	Facts() Facts
	Value(Event) (Value, error)
}

// Config is what a shape is opened with.
type Config struct {
	Topic    string
	Seed     uint64
	Settings archiver.Settings // all of Shape.Settings
}

// Shape is a form of values.
type Shape struct {
	Name     string
	Line     string            // for --help
	Settings archiver.Settings // all that may be overridden, as the shape has them
	Open     func(Config) (Producer, error)
}

// Shapes lists the forms, in the order of help.
func Shapes() []Shape {
	return slices.Concat(debeziumShapes(), cloudEventsShapes(), connectShapes(), framedShapes())
}

// Open opens a shape by its name, with its settings changed.
func Open(name string, changes map[string]string, c Config) (Producer, error) {
	all := Shapes()
	i := slices.IndexFunc(all, func(s Shape) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		return nil, fmt.Errorf("there are no values %q; there are plain, %s", name, strings.Join(names, ", "))
	}
	c.Settings = maps.Clone(all[i].Settings)
	for _, set := range slices.Sorted(maps.Keys(changes)) {
		if _, ok := c.Settings[set]; !ok {
			return nil, fmt.Errorf("values %s have no setting %q; they have %s", name, set, strings.Join(slices.Sorted(maps.Keys(c.Settings)), ", "))
		}
		c.Settings[set] = changes[set]
	}
	p, err := all[i].Open(c)
	if err != nil {
		return nil, fmt.Errorf("values %s: %w", name, err)
	}
	return p, nil
}

// choice reads a setting that has few values.
func choice(s archiver.Settings, name string, choices ...string) (string, error) {
	if v := s[name]; slices.Contains(choices, v) {
		return v, nil
	}
	return "", fmt.Errorf("%s is %q: want %s", name, s[name], strings.Join(choices, ", "))
}

// object reads an event, numbers as their text.
func object(text []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var out map[string]any
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("reading the event: %w", err)
	}
	return out, nil
}

// encode writes JSON without escaping what need not be.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encoding JSON: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// amounts are the event's fields of money, all with two decimals.
var amounts = []string{"gross_amount", "tax_amount", "net_amount"}

// micros reads an instant in microseconds since the epoch; nil for null.
func micros(v any) (any, error) {
	if v == nil {
		return nil, nil
	}
	text, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("%T is no instant", v)
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil, fmt.Errorf("reading an instant: %w", err)
	}
	return at.UnixMicro(), nil
}

// typed says what values of a schema can't hold.
func typed(what string) map[string]string {
	return map[string]string{"bad_values": "values of " + what + " hold the schema's types only"}
}
