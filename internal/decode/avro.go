package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"backfill/internal/columns"
)

// avroReader is a type of the file's schema at a place that something wants:
// which fields, or union branches, lead on.
type avroReader struct {
	typ   *avroType
	place *place
	parts []*avroReader // by field or branch; nil: nobody wants it
	super bool          // a sink wants the value as JSON
}

// bind joins a type with the place its values go to; nil where nobody wants
// anything. Unions are seen through: a path goes on in each branch.
func (s *Scanner) bind(t *avroType, pl *place) *avroReader {
	if pl == nil {
		return nil
	}
	r := &avroReader{typ: t, place: pl}
	for i := range pl.sinks {
		r.super = r.super || pl.sinks[i].op == toSuper
	}
	switch {
	case t.kind == avroUnion:
		for _, branch := range t.fields {
			r.parts = append(r.parts, s.bind(branch.typ, pl))
		}
	case t.kind == avroRecord && pl.child != nil:
		for _, f := range t.fields {
			r.parts = append(r.parts, s.bind(f.typ, pl.child.at(f.name)))
		}
	}
	return r
}

// at returns the place of a key; nil where nobody wants it.
func (n *node) at(key string) *place {
	if i, ok := n.index[key]; ok {
		return n.fields[i].to
	}
	return nil
}

// errAvroValue is the cause where a value's bytes are none of its type.
var errAvroValue = errors.New("a value does not fit the file's schema")

// datum reads the next value of the open block as a record.
func (s *Scanner) datum() error {
	c := &s.avro
	s.restart()
	s.stop = stop{}
	start := c.pos
	null, ok := s.avroValue(c.root)
	if !ok {
		return c.damage(errAvroValue)
	}
	c.left--
	s.describe(c.data[start:c.pos:c.pos], c.read+int64(start))
	s.storeAbsent()
	switch r := &s.rec; {
	case s.stop.reason != fits:
		r.Kind, r.Reason, r.Detail = Unreadable, s.stop.reason, fmt.Sprintf("%s at byte %d", s.stop.what, s.stop.at-start)
	case null:
		r.Kind = Tombstone
	default:
		s.complete()
	}
	return nil
}

// avroValue reads the value at the place and stores it; null tells that it was
// one. ok is false where the bytes are no such value.
func (s *Scanner) avroValue(r *avroReader) (null, ok bool) {
	c, t := &s.avro, r.typ
	if t.kind == avroUnion {
		i, ok := c.long()
		if !ok || i < 0 || i >= int64(len(r.parts)) {
			return false, false
		}
		return s.avroValue(r.parts[i])
	}
	if s.met(r.place) {
		s.forget(r.place)
	}
	start := c.pos
	token := token{kind: columns.Other}
	switch t.kind {
	case avroRecord:
		if s.depth++; s.depth > s.limits.Depth {
			return false, false
		}
		for i := range t.fields {
			ok := false
			if len(r.parts) > 0 && r.parts[i] != nil {
				_, ok = s.avroValue(r.parts[i])
			} else {
				ok = s.avroSkip(t.fields[i].typ)
			}
			if !ok {
				return false, false
			}
		}
		s.depth--
	case avroArray, avroMap:
		if !s.avroSkip(t) {
			return false, false
		}
	default:
		if token.kind, token.text, ok = s.avroScalar(t); !ok {
			return false, false
		}
		if token.kind == columns.String {
			token.hurt = hurtOf(token.text)
		}
		if token.raw = token.text; token.kind == columns.Null {
			at := len(s.arena)
			s.arena = append(s.arena, "null"...)
			token.raw = s.arena[at:len(s.arena):len(s.arena)]
		}
	}
	if r.super || token.kind == columns.Other {
		end := c.pos
		c.pos = start
		at := len(s.arena)
		if s.arena, ok = s.appendAvroJSON(s.arena, t); !ok || c.pos != end {
			return false, false
		}
		token.raw = s.arena[at:len(s.arena):len(s.arena)]
		if token.kind == columns.Other {
			token.text = token.raw
		}
	}
	s.store(r.place, &token)
	return token.kind == columns.Null, true
}

// hurtOf tells what the warehouse can't hold of a string that needs no escapes.
func hurtOf(text []byte) hurt {
	for _, c := range text {
		if c == 0 {
			return nul
		}
	}
	return 0
}

// avroSkip steps over a value that nobody wants, and checks it.
func (s *Scanner) avroSkip(t *avroType) (ok bool) {
	c := &s.avro
	if s.depth++; s.depth > s.limits.Depth {
		return false
	}
	defer func() { s.depth-- }()
	switch t.kind {
	case avroRecord:
		for i := range t.fields {
			if !s.avroSkip(t.fields[i].typ) {
				return false
			}
		}
		return true
	case avroUnion:
		i, ok := c.long()
		return ok && i >= 0 && i < int64(len(t.fields)) && s.avroSkip(t.fields[i].typ)
	case avroArray, avroMap:
		return s.avroBlocks(func() bool {
			if t.kind == avroMap {
				if _, ok := s.avroText(); !ok {
					return false
				}
			}
			return s.avroSkip(t.items)
		})
	}
	at := len(s.arena)
	_, _, ok = s.avroScalar(t)
	s.arena = s.arena[:at]
	return ok
}

// avroBlocks reads the blocks of an array or map; item reads an element, with
// its key.
func (s *Scanner) avroBlocks(item func() bool) bool {
	c, empty := &s.avro, 0
	for {
		n, ok := c.long()
		if !ok || n == math.MinInt64 {
			return false
		}
		if n == 0 {
			return true
		}
		if n < 0 { // then the block's size in bytes follows
			n = -n
			if _, ok := c.long(); !ok {
				return false
			}
		}
		for ; n > 0; n-- {
			before := c.pos
			if !item() {
				return false
			}
			if c.pos == before {
				if empty++; empty > maxEmptyValues {
					return false
				}
			}
		}
	}
}

// long reads a number of variable length.
func (c *container) long() (int64, bool) {
	v, n := binary.Varint(c.data[c.pos:])
	if n <= 0 {
		return 0, false
	}
	c.pos += n
	return v, true
}

// bytes reads n bytes.
func (c *container) bytes(n int64) ([]byte, bool) {
	if n < 0 || n > int64(len(c.data)-c.pos) {
		return nil, false
	}
	c.pos += int(n)
	return c.data[c.pos-int(n) : c.pos : c.pos], true
}

// avroText reads a string. One that is not UTF-8 makes the record unreadable
// and costs no other.
func (s *Scanner) avroText() ([]byte, bool) {
	c := &s.avro
	n, ok := c.long()
	if !ok {
		return nil, false
	}
	text, ok := c.bytes(n)
	if ok && s.stop.reason == fits && !utf8.Valid(text) {
		s.stop = stop{at: c.pos, reason: InvalidUTF8, what: "a string that is not valid UTF-8 ends"}
	}
	return text, ok
}

// avroScalar reads a value without parts, as the text it has in JSON. Numbers
// and times are spelled in the arena.
func (s *Scanner) avroScalar(t *avroType) (kind columns.ScalarKind, text []byte, ok bool) {
	c, at := &s.avro, len(s.arena)
	kind = columns.String
	switch t.kind {
	case avroNull:
		return columns.Null, nil, true
	case avroBoolean:
		b, ok := c.bytes(1)
		if !ok || b[0] > 1 {
			return 0, nil, false
		}
		s.arena = strconv.AppendBool(s.arena, b[0] == 1)
		kind = columns.Bool
	case avroInt, avroLong:
		n, ok := c.long()
		if !ok || t.kind == avroInt && n != int64(int32(n)) {
			return 0, nil, false
		}
		s.arena, kind = t.appendInteger(s.arena, n)
	case avroFloat:
		b, ok := c.bytes(4)
		if !ok {
			return 0, nil, false
		}
		s.arena, kind = appendFloat(s.arena, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32)
	case avroDouble:
		b, ok := c.bytes(8)
		if !ok {
			return 0, nil, false
		}
		s.arena, kind = appendFloat(s.arena, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64)
	case avroString:
		text, ok := s.avroText()
		return kind, text, ok
	case avroEnum:
		i, ok := c.long()
		if !ok || i < 0 || i >= int64(len(t.symbols)) {
			return 0, nil, false
		}
		s.arena = append(s.arena, t.symbols[i]...)
	default:
		n := int64(t.size)
		if t.kind == avroBytes {
			if n, ok = c.long(); !ok {
				return 0, nil, false
			}
		}
		b, ok := c.bytes(n)
		if !ok {
			return 0, nil, false
		}
		s.arena, kind = t.appendBytes(s.arena, b)
	}
	return kind, s.arena[at:len(s.arena):len(s.arena)], true
}
