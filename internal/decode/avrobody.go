package decode

import (
	"errors"
	"fmt"

	"backfill/internal/columns"
)

// AvroSchema spells single values of a schema, as registries frame them, as
// JSON: exactly as values of object container files read. It belongs to one
// goroutine.
type AvroSchema struct {
	typ *avroType
	s   *Scanner
}

// ParseAvroSchema reads a schema; before are those that define types which it
// names, each behind what it names itself.
func ParseAvroSchema(text []byte, before ...[]byte) (*AvroSchema, error) {
	p := avroParser{named: map[string]*avroType{}}
	for _, one := range before {
		if _, err := p.text(one); err != nil {
			return nil, fmt.Errorf("a schema that it refers to: %w", err)
		}
	}
	t, err := p.text(text)
	if err != nil {
		return nil, err
	}
	program, err := Compile(Spec{})
	if err != nil {
		return nil, err
	}
	return &AvroSchema{typ: t, s: program.NewScanner(Limits{})}, nil
}

// AppendJSON appends the value that the bytes hold and nothing else. A schema
// that is bytes has them without their length, as Confluent's serializer writes.
func (a *AvroSchema) AppendJSON(dst, value []byte) ([]byte, error) {
	s, c := a.s, &a.s.avro
	if a.typ.kind == avroBytes {
		text, kind := a.typ.appendBytes(nil, value)
		if kind == columns.String {
			dst, _ = appendQuoted(dst, text)
			return dst, nil
		}
		return append(dst, text...), nil
	}
	c.data, c.pos = value, 0
	s.depth, s.stop, s.arena = 0, stop{}, nil
	out, ok := s.appendAvroJSON(dst, a.typ)
	c.data, s.arena = nil, nil
	switch {
	case s.stop.reason != fits:
		return dst, &BadRecord{Reason: s.stop.reason, Detail: fmt.Sprintf("%s at byte %d of the value", s.stop.what, s.stop.at)}
	case !ok:
		return dst, fmt.Errorf("%w at byte %d of %d", errAvroBody, c.pos, len(value))
	case c.pos != len(value):
		return dst, fmt.Errorf("%w: %d bytes are left behind it", errAvroBody, len(value)-c.pos)
	}
	return out, nil
}

var errAvroBody = errors.New("no such value stands there")
