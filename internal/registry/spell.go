package registry

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"

	"backfill/internal/decode"
)

// speller spells messages as JSON, by the names of the .proto file. Integers
// are numbers with all their digits, bytes base64, enum values their names.
// A field without presence has its default where it is absent, as Protobuf
// says; one with presence is left out. Maps are objects.
type speller struct {
	extra bool // a message held fields that its type does not have
	depth int
}

func (s *speller) message(dst []byte, m protoreflect.Message) ([]byte, error) {
	if len(m.GetUnknown()) > 0 {
		s.extra = true
	}
	if s.depth++; s.depth > maxDepth {
		return dst, fmt.Errorf("messages are nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if dst, known, err := s.wellKnown(dst, m); known {
		return dst, err
	}
	return s.object(dst, m, "")
}

// object spells the fields; first is put before them, with its comma.
func (s *speller) object(dst []byte, m protoreflect.Message, first string) (out []byte, err error) {
	dst = append(append(dst, '{'), first...)
	fields, comma := m.Descriptor().Fields(), first != ""
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.HasPresence() && !m.Has(f) {
			continue
		}
		if comma {
			dst = append(dst, ',')
		}
		comma = true
		dst = append(decode.AppendString(dst, []byte(f.Name())), ':')
		if dst, err = s.field(dst, f, m.Get(f)); err != nil {
			return dst, err
		}
	}
	return append(dst, '}'), nil
}

func (s *speller) field(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) (out []byte, err error) {
	switch {
	case f.IsMap():
		dst = append(dst, '{')
		comma := false
		for _, key := range sortedKeys(v.Map()) {
			if comma {
				dst = append(dst, ',')
			}
			comma = true
			dst = append(decode.AppendString(dst, []byte(key.String())), ':')
			if dst, err = s.value(dst, f.MapValue(), v.Map().Get(key)); err != nil {
				return dst, err
			}
		}
		return append(dst, '}'), nil
	case f.IsList():
		dst = append(dst, '[')
		for i := range v.List().Len() {
			if i > 0 {
				dst = append(dst, ',')
			}
			if dst, err = s.value(dst, f, v.List().Get(i)); err != nil {
				return dst, err
			}
		}
		return append(dst, ']'), nil
	}
	return s.value(dst, f, v)
}

func (s *speller) value(dst []byte, f protoreflect.FieldDescriptor, v protoreflect.Value) ([]byte, error) {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return strconv.AppendBool(dst, v.Bool()), nil
	case protoreflect.EnumKind:
		if one := f.Enum().Values().ByNumber(v.Enum()); one != nil {
			return decode.AppendString(dst, []byte(one.Name())), nil
		}
		s.extra = true
		return strconv.AppendInt(dst, int64(v.Enum()), 10), nil
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind,
		protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		return strconv.AppendInt(dst, v.Int(), 10), nil
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind, protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		return strconv.AppendUint(dst, v.Uint(), 10), nil
	case protoreflect.FloatKind:
		return appendFloat(dst, v.Float(), 32), nil
	case protoreflect.DoubleKind:
		return appendFloat(dst, v.Float(), 64), nil
	case protoreflect.StringKind:
		return decode.AppendString(dst, []byte(v.String())), nil
	case protoreflect.BytesKind:
		return appendBase64(dst, v.Bytes()), nil
	}
	return s.message(dst, v.Message())
}

// appendFloat spells the shortest decimal that reads back as the same float;
// what is no number is text, which no numeric column takes.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendQuote(dst, strconv.FormatFloat(f, 'g', -1, bits))
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

func appendBase64(dst, b []byte) []byte {
	dst = base64.StdEncoding.AppendEncode(append(dst, '"'), b)
	return append(dst, '"')
}

// instantText spells seconds and nanoseconds since 1970.
func instantText(dst []byte, seconds, nanos int64) ([]byte, error) {
	if seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999_999_999 {
		return dst, fmt.Errorf("a timestamp of %d seconds and %d nanoseconds lies outside the years 1 to 9999", seconds, nanos)
	}
	dst = time.Unix(seconds, nanos).UTC().AppendFormat(append(dst, '"'), "2006-01-02T15:04:05.999999999Z")
	return append(dst, '"'), nil
}
