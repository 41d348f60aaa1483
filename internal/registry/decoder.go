package registry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"backfill/internal/decode"
)

// Decoder opens values of one set. It belongs to one goroutine.
type Decoder struct {
	set     *Set
	framing Framing
	most    int // bytes of a body, and of its JSON
	known   map[string]reader

	packed bytes.Reader
	zlib   io.ReadCloser
	plain  bytes.Buffer
}

// reader reads the bodies of one schema.
type reader interface {
	// appendJSON spells a body. extra reports that it holds fields which the
	// schema does not have.
	appendJSON(dst []byte, f frame) (out []byte, extra bool, err error)
}

// NewDecoder returns a decoder for bodies of at most the given bytes.
func (s *Set) NewDecoder(f Framing, most int) *Decoder {
	return &Decoder{set: s, framing: f, most: most, known: map[string]reader{}}
}

// Opened says what a value was.
type Opened struct {
	ID    string // of its schema; "" where it has no frame
	Extra bool   // it holds fields that its schema does not have
}

// Open appends the JSON of a framed value. header is the value of HeaderName,
// nil where there is none. Its errors are *decode.BadRecord, of the reasons
// NotFramed, DoubleFramed, UnknownSchema, BadSchema, BadBody and TooLong.
func (d *Decoder) Open(dst, value, header []byte) ([]byte, Opened, error) {
	f, err := d.split(value, header)
	if err != nil {
		return dst, Opened{ID: f.id}, d.twice(value, header, err)
	}
	o := Opened{ID: f.id}
	r, err := d.reader(f.id)
	if err != nil {
		return dst, o, d.twice(value, header, err)
	}
	from := len(dst)
	out, extra, err := guarded(r, dst, f)
	o.Extra = extra
	switch {
	case err != nil:
		return dst[:from], o, d.twice(value, header, err)
	case len(out)-from > d.most:
		return dst[:from], o, bad(decode.TooLong, "the value has %d bytes as JSON", len(out)-from)
	}
	return out, o, nil
}

// twice returns the error of a value that can't be opened, by its own name where
// a second frame of a known schema stands behind the first.
func (d *Decoder) twice(value, header []byte, err error) error {
	if d.framing != Confluent || header != nil || len(value) < 2*prefixSize || value[prefixSize] != magicPrefix {
		return err
	}
	f, inner := d.split(value[prefixSize:], nil)
	if _, known := d.set.Lookup(f.id); inner != nil || !known {
		return err
	}
	return bad(decode.DoubleFramed, "five bytes stand before the frame of schema %s", f.id)
}

// guarded runs the reader: a panic of a library on hostile bytes is a bad record.
func guarded(r reader, dst []byte, f frame) (out []byte, extra bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = dst, bad(decode.BadBody, "reading the value of schema %s failed: %v", f.id, p)
		}
	}()
	return r.appendJSON(dst, f)
}

// reader returns the reader of a schema, and keeps it.
func (d *Decoder) reader(id string) (reader, error) {
	if r, ok := d.known[id]; ok {
		return r, nil
	}
	schema, ok := d.set.Lookup(id)
	if !ok {
		return nil, bad(decode.UnknownSchema, "schema %s is not among the %d schemas of the plan", id, d.set.Len())
	}
	r, err := d.set.compile(schema)
	if err != nil { // for all its records: it is compiled once
		r = broken{bad(decode.BadSchema, "schema %s can't be used: %v", id, err)}
	}
	d.known[id] = r
	return r, nil
}

// broken is a schema that can't be used.
type broken struct{ err error }

func (b broken) appendJSON(dst []byte, _ frame) ([]byte, bool, error) { return dst, false, b.err }

// compile makes the reader of a schema.
func (s *Set) compile(schema Schema) (r reader, err error) {
	defer func() {
		if p := recover(); p != nil {
			r, err = nil, fmt.Errorf("compiling it failed: %v", p)
		}
	}()
	switch schema.Kind {
	case JSON:
		return jsonReader{}, nil
	case Protobuf:
		return s.compileProtobuf(schema)
	}
	return s.compileAvro(schema)
}

// jsonReader reads bodies that are JSON texts. What the schema allows is not
// checked: columns say what they take.
type jsonReader struct{}

func (jsonReader) appendJSON(dst []byte, f frame) ([]byte, bool, error) {
	if !json.Valid(f.body) || !utf8.Valid(f.body) {
		return dst, false, bad(decode.BadBody, "the value of schema %s is no JSON text", f.id)
	}
	return decode.AppendCompact(dst, f.body), false, nil
}

// avroReader reads one Avro value.
type avroReader struct{ schema *decode.AvroSchema }

func (r avroReader) appendJSON(dst []byte, f frame) ([]byte, bool, error) {
	out, err := r.schema.AppendJSON(dst, f.body)
	if err == nil {
		return out, false, nil
	}
	var already *decode.BadRecord
	if errors.As(err, &already) {
		return dst, false, err
	}
	return dst, false, bad(decode.BadBody, "the value does not fit schema %s: %v", f.id, err)
}

// compileAvro parses a schema behind those that it refers to.
func (s *Set) compileAvro(schema Schema) (reader, error) {
	var texts [][]byte
	done := map[Reference]bool{}
	var walk func(one Schema, depth int) error
	walk = func(one Schema, depth int) error {
		if depth > maxDepth {
			return fmt.Errorf("references are nested deeper than %d", maxDepth)
		}
		for _, r := range one.References {
			if key := (Reference{Subject: r.Subject, Version: r.Version}); done[key] {
				continue
			} else {
				done[key] = true
			}
			other, ok := s.refer(r)
			if !ok {
				return fmt.Errorf("it refers to version %d of %q, which is not among the schemas of the plan", r.Version, r.Subject)
			}
			if err := walk(other, depth+1); err != nil {
				return err
			}
			texts = append(texts, []byte(other.Text))
		}
		return nil
	}
	if err := walk(schema, 0); err != nil {
		return nil, err
	}
	parsed, err := decode.ParseAvroSchema([]byte(schema.Text), texts...)
	return avroReader{parsed}, err
}
