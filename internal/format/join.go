package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/kafka"
)

// Side is the records of a side file: what else belongs to the values of an
// object, row by row.
type Side struct {
	Object  string // key of the side file
	Headers bool   // its records are headers; else they are keys
	Wrapped bool   // keys stand in a record {key}, as Parquet has them
	Records decode.Records

	framed bool // a row of it began as a schema registry's serializers write
}

// join makes records of values and side files.
type join struct {
	values decode.Records // nil: they have none
	sides  []Side
	first  kafka.Offset // of the object's first record, by its name
	row    int64
	value  []byte
	parts  [][]byte // of the sides, at hand
}

// NewJoin returns records {key, headers, value}, as far as there are such sides,
// of values and the rows of the sides at the same place. values are nil for
// tombstones, whose keys alone are archived. Headers become an object in their
// order; of equal names the last one counts, as in decode. Where one file has
// more rows than another the error is fail.Damaged: nothing that was given may
// be kept, since which rows belong together is not known.
func NewJoin(values decode.Records, sides []Side, first kafka.Offset) decode.Records {
	return &join{values: values, sides: sides, first: first, parts: make([][]byte, len(sides))}
}

// Next gives the next record.
func (j *join) Next(dst []byte) ([]byte, error) {
	var bad *decode.BadRecord
	ended := false
	if j.values != nil {
		var err error
		j.value, err = j.values.Next(j.value[:0])
		switch {
		case errors.Is(err, io.EOF):
			ended = true
		case err != nil && !errors.As(err, &bad):
			return dst, err
		}
	}
	for i := range j.sides {
		s := &j.sides[i]
		text, err := s.Records.Next(j.parts[i][:0])
		j.parts[i] = text
		over := errors.Is(err, io.EOF)
		if i == 0 && j.values == nil {
			ended = over
		}
		var spoiled *decode.BadRecord
		if errors.As(err, &spoiled) {
			s.framed = s.framed || bytes.HasPrefix(spoiled.Raw, []byte(rawFrame))
		} else if !over {
			s.framed = s.framed || bytes.HasPrefix(text, []byte(textFrame))
		}
		switch {
		case over && !ended:
			return dst, j.differ("the side file %s ends before row %d%s: it has fewer records than the values", s)
		case over:
		case err != nil && spoiled == nil:
			return dst, s.broken(err)
		case ended:
			return dst, j.differ("the side file %s goes on at row %d%s, where the values end: it has more records", s)
		case bad == nil && spoiled != nil:
			bad = &decode.BadRecord{Reason: spoiled.Reason, Detail: "in the side file " + s.Object + ": " + spoiled.Detail + s.framing(), Raw: spoiled.Raw}
		}
	}
	if ended {
		return dst, io.EOF
	}
	j.row++
	if bad != nil {
		return dst, bad
	}
	return j.append(dst)
}

// append spells the record at hand.
func (j *join) append(dst []byte) ([]byte, error) {
	dst = append(dst, '{')
	for i := range j.sides {
		s, text := &j.sides[i], j.parts[i]
		if s.Headers {
			dst = append(dst, `"headers":`...)
			named, err := appendHeaders(dst, text)
			if err != nil {
				return dst, &decode.BadRecord{Reason: decode.NoEnvelope, Detail: "in the side file " + s.Object + ": " + err.Error(), Raw: text}
			}
			dst = append(named, ',')
			continue
		}
		if s.Wrapped {
			start, end, found := Find(text, []string{"key"})
			if !found {
				return dst, &decode.BadRecord{Reason: decode.NoEnvelope, Detail: "in the side file " + s.Object + ": the record has no field key", Raw: text}
			}
			text = text[start:end]
		}
		dst = append(append(append(dst, `"key":`...), text...), ',')
	}
	dst = append(dst, `"value":`...)
	if j.values == nil {
		return append(dst, "null}"...), nil
	}
	return append(append(dst, j.value...), '}'), nil
}

// differ says at which row files stop to agree.
func (j *join) differ(format string, s *Side) error {
	at := ""
	if j.first != kafka.NoOffset {
		at = fmt.Sprintf(" (offset %d, counted from the name)", j.first+kafka.Offset(j.row))
	}
	return fail.New(fail.Damaged, format+", so that which key or header belongs to which value is not known%s", s.Object, j.row, at, s.framing())
}

// A row of bytes that begins as a schema registry's serializers write, as it is
// and as a JSON string: a zero, and four bytes of the schema's number, the first
// of which is zero in any registry of less than 16 million schemas.
const (
	rawFrame  = "\x00\x00"
	textFrame = `"\u0000\u0000`
)

// framing says what is to be done about framed keys, if such were met.
func (s *Side) framing() string {
	if !s.framed {
		return ""
	}
	return "; its rows begin with the five bytes that a schema registry's serializers put before a key, and such keys are not opened: leave the files out by archive.ignore," +
		" or have the sink write keys as JSON or Avro (key.converter of the registry, keys.format.class)"
}

func (s *Side) broken(err error) error {
	if fail.Is(err, fail.Damaged) {
		return fail.Wrap(err, fail.Damaged, "the side file %s can't be read to its end", s.Object)
	}
	return fmt.Errorf("reading the side file %s: %w", s.Object, err)
}

// appendHeaders spells headers, which are a list of {key, value} or an object
// with it, as an object.
func appendHeaders(dst, text []byte) ([]byte, error) {
	if start, end, found := Find(text, []string{"headers"}); found {
		text = text[start:end]
	}
	var list []struct {
		Key   *string         `json:"key"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return dst, errors.New("the headers are no list of {key, value}")
	}
	dst = append(dst, '{')
	for i, one := range list {
		if one.Key == nil {
			return dst, errors.New("a header has no key")
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(decode.AppendString(dst, []byte(*one.Key)), ':')
		if one.Value == nil {
			one.Value = json.RawMessage("null")
		}
		dst = append(dst, one.Value...)
	}
	return append(dst, '}'), nil
}
