package formats

import (
	"encoding/json"
	"fmt"
	"slices"
)

// schema is an Avro schema, as far as Connect makes them.
type schema struct {
	kind     string // null, boolean, int, long, float, double, bytes, string, record, array, map
	nullable bool   // a union of null and the rest of it
	name     string // of a record
	decimal  bool   // bytes of logical type decimal
	millis   bool   // long of logical type timestamp-millis
	scale    int
	digits   int // precision
	fields   []field
	items    *schema // of an array or a map
}

type field struct {
	name string
	*schema
}

var primitives = []string{"null", "boolean", "int", "long", "float", "double", "bytes", "string"}

// parseSchema reads an Avro schema in JSON. Unions are of null, first, and one other type; names are not referred to.
func parseSchema(text string) (*schema, error) {
	s, err := readSchema([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("reading the Avro schema: %w", err)
	}
	return s, nil
}

func readSchema(text json.RawMessage) (*schema, error) {
	var kind string
	if json.Unmarshal(text, &kind) == nil {
		if !slices.Contains(primitives, kind) {
			return nil, fmt.Errorf("the type %q is none of %v", kind, primitives)
		}
		return &schema{kind: kind}, nil
	}
	var union []json.RawMessage
	if json.Unmarshal(text, &union) == nil {
		return readUnion(union)
	}
	var s struct {
		Type        json.RawMessage
		Name        string
		LogicalType string `json:"logicalType"`
		Scale       int
		Precision   int
		Items       json.RawMessage
		Values      json.RawMessage
		Fields      []struct {
			Name string
			Type json.RawMessage
		}
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	var err error
	out := &schema{name: s.Name, scale: s.Scale, digits: s.Precision}
	if err := json.Unmarshal(s.Type, &out.kind); err != nil {
		return readSchema(s.Type)
	}
	out.decimal = out.kind == "bytes" && s.LogicalType == "decimal"
	out.millis = out.kind == "long" && s.LogicalType == "timestamp-millis"
	switch out.kind {
	case "record":
		for _, f := range s.Fields {
			child, err := readSchema(f.Type)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
			out.fields = append(out.fields, field{f.Name, child})
		}
	case "array":
		out.items, err = readSchema(s.Items)
	case "map":
		out.items, err = readSchema(s.Values)
	default:
		if !slices.Contains(primitives, out.kind) {
			return nil, fmt.Errorf("the type %q is none of %v, record, array, map", out.kind, primitives)
		}
	}
	return out, err
}

func readUnion(union []json.RawMessage) (*schema, error) {
	if len(union) != 2 || string(union[0]) != `"null"` {
		return nil, fmt.Errorf("a union has %d types: want null and one other", len(union))
	}
	s, err := readSchema(union[1])
	if err != nil {
		return nil, err
	}
	s.nullable = true
	return s, nil
}

// misfit says that a datum has no form in the schema.
func (s *schema) misfit(datum any) error {
	return fmt.Errorf("%T is no %s", datum, s.kind)
}
