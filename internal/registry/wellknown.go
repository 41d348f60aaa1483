package registry

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"google.golang.org/protobuf/reflect/protoreflect"

	"backfill/internal/decode"
)

// wellKnown spells messages that have a form of their own: those of Google for
// times, wrapped scalars, JSON, dates and money, and Confluent's decimal, which
// Connect's ProtobufConverter writes. known is false for all others.
func (s *speller) wellKnown(dst []byte, m protoreflect.Message) (out []byte, known bool, err error) {
	name, google := strings.CutPrefix(string(m.Descriptor().FullName()), "google.")
	switch {
	case name == "protobuf.Timestamp" && google:
		dst, err = instantText(dst, integer(m, "seconds"), integer(m, "nanos"))
	case name == "protobuf.Duration" && google:
		dst, err = duration(dst, integer(m, "seconds"), integer(m, "nanos"))
	case name == "type.Money" && google:
		dst, err = s.money(dst, m)
	case name == "type.Date" && google:
		dst, err = s.date(dst, m)
	case name == "confluent.type.Decimal":
		dst, err = connectDecimal(dst, m)
	case google && isWrapper(name):
		f := m.Descriptor().Fields().ByNumber(1)
		dst, err = s.value(dst, f, m.Get(f))
	case name == "protobuf.Struct" && google:
		f := m.Descriptor().Fields().ByNumber(1)
		dst, err = s.field(dst, f, m.Get(f))
	case name == "protobuf.ListValue" && google:
		f := m.Descriptor().Fields().ByNumber(1)
		dst, err = s.field(dst, f, m.Get(f))
	case name == "protobuf.Value" && google:
		dst, err = s.jsonValue(dst, m)
	default:
		return dst, false, nil
	}
	return dst, true, err
}

func isWrapper(name string) bool {
	rest, ok := strings.CutPrefix(name, "protobuf.")
	return ok && slices.Contains([]string{"DoubleValue", "FloatValue", "Int64Value", "UInt64Value", "Int32Value", "UInt32Value", "BoolValue", "StringValue", "BytesValue"}, rest)
}

func integer(m protoreflect.Message, name protoreflect.Name) int64 {
	return m.Get(m.Descriptor().Fields().ByName(name)).Int()
}

// jsonValue spells a value of google.protobuf.Struct.
func (s *speller) jsonValue(dst []byte, m protoreflect.Message) ([]byte, error) {
	f := m.WhichOneof(m.Descriptor().Oneofs().Get(0))
	if f == nil || f.Name() == "null_value" {
		return append(dst, "null"...), nil
	}
	return s.value(dst, f, m.Get(f))
}

// units spells whole units and billionths as one exact number.
func units(dst []byte, whole, nanos int64, what string) ([]byte, error) {
	if nanos < -999_999_999 || nanos > 999_999_999 || whole > 0 && nanos < 0 || whole < 0 && nanos > 0 {
		return dst, fmt.Errorf("%s of %d and %d billionths is none", what, whole, nanos)
	}
	if whole == 0 && nanos < 0 {
		dst = append(dst, '-')
	}
	dst = strconv.AppendInt(dst, whole, 10)
	if nanos == 0 {
		return dst, nil
	}
	return append(append(dst, '.'), strings.TrimRight(fmt.Sprintf("%09d", max(nanos, -nanos)), "0")...), nil
}

// duration spells seconds as text with its unit: "1.5s".
func duration(dst []byte, seconds, nanos int64) ([]byte, error) {
	dst, err := units(append(dst, '"'), seconds, nanos, "a duration")
	return append(dst, 's', '"'), err
}

// money spells the fields of google.type.Money, behind them as one exact number:
// {"amount":12.34,"currency_code":"EUR","units":12,"nanos":340000000}.
func (s *speller) money(dst []byte, m protoreflect.Message) ([]byte, error) {
	amount, err := units([]byte(`"amount":`), integer(m, "units"), integer(m, "nanos"), "an amount of money")
	if err != nil {
		return dst, err
	}
	return s.object(dst, m, string(amount))
}

// date spells a whole google.type.Date as YYYY-MM-DD; one without a year, month
// or day keeps its fields.
func (s *speller) date(dst []byte, m protoreflect.Message) ([]byte, error) {
	year, month, day := integer(m, "year"), integer(m, "month"), integer(m, "day")
	switch {
	case year < 0 || year > 9999 || month < 0 || month > 12 || day < 0 || day > 31:
		return dst, fmt.Errorf("%d, %d, %d is no date", year, month, day)
	case year == 0 || month == 0 || day == 0:
		return s.object(dst, m, "")
	}
	return fmt.Appendf(dst, `"%04d-%02d-%02d"`, year, month, day), nil
}

// maxScale is the most digits behind the point of a decimal.
const maxScale = 1000

// connectDecimal spells confluent.type.Decimal as a number.
func connectDecimal(dst []byte, m protoreflect.Message) ([]byte, error) {
	scale := integer(m, "scale")
	if scale < 0 || scale > maxScale {
		return dst, fmt.Errorf("a decimal has scale %d", scale)
	}
	unscaled := m.Get(m.Descriptor().Fields().ByName("value")).Bytes()
	if len(unscaled) == 0 {
		return dst, fmt.Errorf("a decimal has no digits")
	}
	return decode.AppendUnscaled(dst, unscaled, int(scale)), nil
}

// sortedKeys gives a map's keys in the order of their texts, so that equal
// messages have equal texts.
func sortedKeys(m protoreflect.Map) []protoreflect.MapKey {
	var keys []protoreflect.MapKey
	m.Range(func(k protoreflect.MapKey, _ protoreflect.Value) bool {
		keys = append(keys, k)
		return true
	})
	slices.SortFunc(keys, func(a, b protoreflect.MapKey) int { return strings.Compare(a.String(), b.String()) })
	return keys
}
