package formats

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// ProtoMessage is a message of Protobuf, version 3. Every field that is not repeated is optional: what is null is left
// out.
type ProtoMessage struct {
	Name   string
	Fields []ProtoField
	Nested []*ProtoMessage // declared inside, beside those of fields
}

// ProtoField is a field; Kind is string, int64, double or bool, and empty where it is of the message Of.
type ProtoField struct {
	Number   int
	Name     string
	Kind     string
	Of       *ProtoMessage
	Repeated bool
}

// ProtoFile is the text of a file that declares messages; those that fields are of are declared inside.
func ProtoFile(pkg string, messages ...*ProtoMessage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "syntax = \"proto3\";\npackage %s;\n", pkg)
	for _, m := range messages {
		b.WriteString("\n")
		m.declare(&b, "")
	}
	return b.String()
}

func (m *ProtoMessage) declare(b *strings.Builder, indent string) {
	fmt.Fprintf(b, "%smessage %s {\n", indent, m.Name)
	inner := indent + "  "
	for _, n := range m.Nested {
		n.declare(b, inner)
	}
	for _, f := range m.Fields {
		if f.Of != nil {
			f.Of.declare(b, inner)
		}
	}
	for _, f := range m.Fields {
		label, kind := "optional ", f.Kind
		if f.Repeated {
			label = "repeated "
		}
		if f.Of != nil {
			kind = f.Of.Name
		}
		fmt.Fprintf(b, "%s%s%s %s = %d;\n", inner, label, kind, f.Name, f.Number)
	}
	fmt.Fprintf(b, "%s}\n", indent)
}

// AppendJSON appends a JSON object, its numbers as json.Number, as a message. A field that the message lacks is an error.
func (m *ProtoMessage) AppendJSON(buf []byte, object map[string]any) ([]byte, error) {
	known := 0
	for _, f := range m.Fields {
		v, ok := object[f.Name]
		if ok {
			known++
		}
		items := []any{v}
		if f.Repeated && v != nil {
			if items, ok = v.([]any); !ok {
				return nil, fmt.Errorf("%s: %T is no list", f.Name, v)
			}
		}
		for _, item := range items {
			if item == nil {
				continue
			}
			var err error
			if buf, err = f.append(buf, item); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	}
	if known != len(object) {
		return nil, fmt.Errorf("the object has fields %v that the message %s lacks", slices.Sorted(maps.Keys(object)), m.Name)
	}
	return buf, nil
}

// The wire types.
const (
	wireVarint = 0
	wireFixed  = 1
	wireBytes  = 2
)

func (f *ProtoField) append(buf []byte, v any) ([]byte, error) {
	tag := func(wire int) []byte { return binary.AppendUvarint(buf, uint64(f.Number<<3|wire)) }
	switch v := v.(type) {
	case string:
		if f.Kind == "string" {
			return append(binary.AppendUvarint(tag(wireBytes), uint64(len(v))), v...), nil
		}
	case bool:
		if f.Kind == "bool" && v {
			return append(tag(wireVarint), 1), nil
		} else if f.Kind == "bool" {
			return append(tag(wireVarint), 0), nil
		}
	case json.Number:
		switch f.Kind {
		case "int64":
			n, err := v.Int64()
			return binary.AppendUvarint(tag(wireVarint), uint64(n)), err
		case "double":
			d, err := v.Float64()
			return binary.LittleEndian.AppendUint64(tag(wireFixed), math.Float64bits(d)), err
		}
	case map[string]any:
		if f.Of != nil {
			inner, err := f.Of.AppendJSON(nil, v)
			return append(binary.AppendUvarint(tag(wireBytes), uint64(len(inner))), inner...), err
		}
	}
	return nil, fmt.Errorf("%T is no %s", v, f.Kind)
}
