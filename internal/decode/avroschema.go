package decode

import (
	"encoding/json"
	"fmt"
	"strings"
)

// avroKind is a type of the Avro specification.
type avroKind uint8

const (
	avroNull avroKind = iota
	avroBoolean
	avroInt
	avroLong
	avroFloat
	avroDouble
	avroBytes
	avroString
	avroRecord
	avroEnum
	avroArray
	avroMap
	avroUnion
	avroFixed
)

var avroPrimitives = map[string]avroKind{
	"null": avroNull, "boolean": avroBoolean, "int": avroInt, "long": avroLong,
	"float": avroFloat, "double": avroDouble, "bytes": avroBytes, "string": avroString,
}

// avroLogical is what an Avro type stands for.
type avroLogical uint8

const (
	noLogical avroLogical = iota
	logicalDecimal
	logicalDate
	logicalInstant // microseconds times perMicro
	logicalLocal   // the same, of a wall clock
	logicalUUID
)

// avroType is a type of a file's schema. Named types may hold themselves.
type avroType struct {
	kind    avroKind
	name    string // full, of named types
	logical avroLogical
	scale   int      // of a decimal
	perSec  int64    // of instants: units of a second
	size    int      // of fixed
	symbols []string // of an enum
	items   *avroType
	fields  []avroField // of a record; of a union without names
}

type avroField struct {
	name string
	typ  *avroType
}

// Limits of schemas, so that a hostile one ends.
const (
	maxAvroDepth = 100
	maxAvroScale = 1000
	maxAvroFixed = 1 << 20
)

// avroParser reads a schema. Types are known by their full names; one defined
// twice, as archivers do, is the newer one from there on.
type avroParser struct{ named map[string]*avroType }

// parseAvroSchema reads a file's schema.
func parseAvroSchema(text []byte) (*avroType, error) {
	return avroParser{named: map[string]*avroType{}}.text(text)
}

// text reads a schema that may name types read before.
func (p avroParser) text(text []byte) (*avroType, error) {
	var doc any
	if err := json.Unmarshal(text, &doc); err != nil {
		// The name of a primitive type may stand without quotes.
		if kind, ok := avroPrimitives[strings.TrimSpace(string(text))]; ok {
			return &avroType{kind: kind}, nil
		}
		return nil, fmt.Errorf("its schema is not JSON: %w", err)
	}
	t, err := p.parse(doc, "", 0)
	if err != nil {
		return nil, fmt.Errorf("its schema: %w", err)
	}
	return t, nil
}

func (p avroParser) parse(doc any, space string, depth int) (*avroType, error) {
	if depth > maxAvroDepth {
		return nil, fmt.Errorf("types are nested deeper than %d", maxAvroDepth)
	}
	switch d := doc.(type) {
	case string:
		if kind, ok := avroPrimitives[d]; ok {
			return &avroType{kind: kind}, nil
		}
		if t, ok := p.named[fullName(d, space)]; ok {
			return t, nil
		}
		if t, ok := p.named[d]; ok {
			return t, nil
		}
		return nil, fmt.Errorf("unknown type %q", d)
	case []any:
		t := &avroType{kind: avroUnion}
		for _, branch := range d {
			b, err := p.parse(branch, space, depth+1)
			if err != nil {
				return nil, err
			}
			t.fields = append(t.fields, avroField{typ: b})
		}
		return t, nil
	case map[string]any:
		return p.object(d, space, depth)
	}
	return nil, fmt.Errorf("a type is a name, a list or an object, not %v", doc)
}

func fullName(name, space string) string {
	if strings.Contains(name, ".") || space == "" {
		return name
	}
	return space + "." + name
}

// define names a new type and returns the namespace inside it. A name may be
// empty, as polars writes it: nothing can mean that type by its name.
func (p avroParser) define(t *avroType, d map[string]any, space string) (string, error) {
	name, ok := d["name"].(string)
	if !ok {
		return "", fmt.Errorf("a type has no name")
	}
	if own, ok := d["namespace"].(string); ok {
		space = own
	}
	if name == "" {
		return space, nil
	}
	t.name = fullName(name, space)
	p.named[t.name] = t
	if i := strings.LastIndexByte(t.name, '.'); i >= 0 {
		return t.name[:i], nil
	}
	return "", nil
}

func (p avroParser) object(d map[string]any, space string, depth int) (t *avroType, err error) {
	name, isName := d["type"].(string)
	if !isName {
		return p.parse(d["type"], space, depth+1)
	}
	t = &avroType{}
	switch name {
	case "record", "error":
		t.kind = avroRecord
		return t, p.record(t, d, space, depth)
	case "enum":
		t.kind = avroEnum
		if _, err := p.define(t, d, space); err != nil {
			return nil, err
		}
		list, _ := d["symbols"].([]any)
		for _, symbol := range list {
			text, ok := symbol.(string)
			if !ok {
				return nil, fmt.Errorf("a symbol of %s is not text", t.name)
			}
			t.symbols = append(t.symbols, text)
		}
		return t, nil
	case "fixed":
		t.kind = avroFixed
		size, ok := d["size"].(float64)
		if !ok || size < 0 || size > maxAvroFixed || size != float64(int(size)) {
			return nil, fmt.Errorf("a fixed type has size %v", d["size"])
		}
		t.size = int(size)
		if _, err := p.define(t, d, space); err != nil {
			return nil, err
		}
		return t, t.setLogical(d)
	case "array", "map":
		t.kind = avroArray
		of := d["items"]
		if name == "map" {
			t.kind, of = avroMap, d["values"]
		}
		t.items, err = p.parse(of, space, depth+1)
		return t, err
	}
	kind, ok := avroPrimitives[name]
	if !ok {
		return p.parse(name, space, depth+1)
	}
	t.kind = kind
	return t, t.setLogical(d)
}

func (p avroParser) record(t *avroType, d map[string]any, space string, depth int) error {
	inside, err := p.define(t, d, space)
	if err != nil {
		return err
	}
	list, ok := d["fields"].([]any)
	if !ok {
		return fmt.Errorf("record %s has no fields", t.name)
	}
	for _, item := range list {
		field, _ := item.(map[string]any)
		name, ok := field["name"].(string)
		if !ok {
			return fmt.Errorf("a field of %s has no name", t.name)
		}
		typ, err := p.parse(field["type"], inside, depth+1)
		if err != nil {
			return err
		}
		t.fields = append(t.fields, avroField{name, typ})
	}
	return nil
}

// setLogical reads the logical type; one that is unknown, or not allowed for
// the type, counts as none, as the specification says.
func (t *avroType) setLogical(d map[string]any) error {
	name, _ := d["logicalType"].(string)
	number := func(key string) (int, bool) {
		n, ok := d[key].(float64)
		return int(n), !ok && d[key] == nil || ok && n == float64(int(n))
	}
	switch {
	case name == "decimal" && (t.kind == avroBytes || t.kind == avroFixed):
		scale, ok := number("scale")
		if !ok || scale < 0 || scale > maxAvroScale {
			return fmt.Errorf("a decimal has scale %v", d["scale"])
		}
		t.logical, t.scale = logicalDecimal, scale
	case name == "date" && t.kind == avroInt:
		t.logical = logicalDate
	case name == "uuid" && t.kind == avroFixed && t.size == 16:
		t.logical = logicalUUID
	case t.kind == avroLong:
		zone, local := strings.CutPrefix(name, "local-")
		switch zone {
		case "timestamp-millis":
			t.perSec = 1e3
		case "timestamp-micros":
			t.perSec = 1e6
		case "timestamp-nanos":
			t.perSec = 1e9
		default:
			return nil
		}
		if t.logical = logicalInstant; local {
			t.logical = logicalLocal
		}
	}
	return nil
}
