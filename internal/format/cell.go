package format

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/decode"
	"backfill/internal/fail"
)

// meaning is what a physical value stands for.
type meaning uint8

const (
	plainValue meaning = iota
	text
	jsonText
	decimal
	date
	timeOfDay
	moment
	unsigned
	uuid
	half
)

const (
	maxDecimalScale = 1000
	julianEpoch     = 2440588 // Julian day of 1970-01-01, by which INT96 counts
	daySeconds      = 86400
)

// cell says how a leaf's values are spelled.
type cell struct {
	kind    format.Type
	meaning meaning
	scale   int
	unit    time.Duration
	local   bool // a moment of a wall clock
}

func newCell(e *format.SchemaElement) (cell, error) {
	c := cell{kind: e.Type.V}
	switch l := e.LogicalType.Value.(type) {
	case nil:
		c.converted(e)
	case *format.StringType, *format.EnumType:
		c.meaning = text
	case *format.JsonType:
		c.meaning = jsonText
	case *format.DecimalType:
		c.meaning, c.scale = decimal, int(l.Scale)
	case *format.DateType:
		c.meaning = date
	case *format.TimeType:
		c.meaning = timeOfDay
		c.unit = unitOf(l.Unit)
	case *format.TimestampType:
		c.meaning, c.local = moment, !l.IsAdjustedToUTC
		c.unit = unitOf(l.Unit)
	case *format.IntType:
		if !l.IsSigned {
			c.meaning = unsigned
		}
	case *format.UUIDType:
		c.meaning = uuid
	case *format.Float16Type:
		c.meaning = half
	}
	if c.scale < 0 || c.scale > maxDecimalScale {
		return c, fail.New(fail.BadLayout, "the Parquet file's column %s has a decimal of scale %d", e.Name, c.scale)
	}
	if (c.meaning == moment || c.meaning == timeOfDay) && c.unit == 0 {
		return c, fail.New(fail.BadLayout, "the Parquet file's column %s has a time of an unknown unit", e.Name)
	}
	return c, nil
}

func unitOf(u format.TimeUnit) time.Duration {
	if u.Value == nil {
		return 0
	}
	return u.Value.Duration()
}

// converted reads the annotation of older files.
func (c *cell) converted(e *format.SchemaElement) {
	if !e.ConvertedType.Valid {
		return
	}
	switch e.ConvertedType.V {
	case deprecated.UTF8, deprecated.Enum:
		c.meaning = text
	case deprecated.Json:
		c.meaning = jsonText
	case deprecated.Decimal:
		c.meaning, c.scale = decimal, int(e.Scale.V)
	case deprecated.Date:
		c.meaning = date
	case deprecated.TimeMillis:
		c.meaning, c.unit = timeOfDay, time.Millisecond
	case deprecated.TimeMicros:
		c.meaning, c.unit = timeOfDay, time.Microsecond
	case deprecated.TimestampMillis:
		c.meaning, c.unit = moment, time.Millisecond
	case deprecated.TimestampMicros:
		c.meaning, c.unit = moment, time.Microsecond
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		c.meaning = unsigned
	}
}

// append spells a value that is there.
func (c *cell) append(dst []byte, v parquet.Value) ([]byte, error) {
	switch c.kind {
	case format.Boolean:
		return strconv.AppendBool(dst, v.Boolean()), nil
	case format.Int32:
		if c.meaning == unsigned {
			return strconv.AppendUint(dst, uint64(v.Uint32()), 10), nil
		}
		return c.integer(dst, int64(v.Int32())), nil
	case format.Int64:
		if c.meaning == unsigned {
			return strconv.AppendUint(dst, v.Uint64(), 10), nil
		}
		return c.integer(dst, v.Int64()), nil
	case format.Int96:
		return appendInt96(dst, v.Int96()), nil
	case format.Float:
		return appendFloat(dst, float64(v.Float()), 32), nil
	case format.Double:
		return appendFloat(dst, v.Double(), 64), nil
	}
	return c.bytes(dst, v.ByteArray())
}

// integer spells an INT32 or INT64 by its meaning.
func (c *cell) integer(dst []byte, n int64) []byte {
	switch c.meaning {
	case decimal:
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		return decode.AppendUnscaled(dst, b[:], c.scale)
	case date:
		return append(time.Unix(n*daySeconds, 0).UTC().AppendFormat(append(dst, '"'), time.DateOnly), '"')
	case timeOfDay:
		perSecond := int64(time.Second / c.unit)
		at := time.Unix(n/perSecond, n%perSecond*int64(c.unit)).UTC()
		return append(at.AppendFormat(append(dst, '"'), "15:04:05.999999999"), '"')
	case moment:
		perSecond := int64(time.Second / c.unit)
		return appendTime(dst, time.Unix(n/perSecond, n%perSecond*int64(c.unit)).UTC(), c.local)
	}
	return strconv.AppendInt(dst, n, 10)
}

func appendTime(dst []byte, at time.Time, local bool) []byte {
	dst = at.AppendFormat(append(dst, '"'), "2006-01-02T15:04:05.999999999")
	if !local {
		dst = append(dst, 'Z')
	}
	return append(dst, '"')
}

// appendInt96 spells a time of Impala, Hive and Spark: nanoseconds of the day,
// then the Julian day. They write it in UTC.
func appendInt96(dst []byte, v deprecated.Int96) []byte {
	nanos := int64(uint64(v[1])<<32 | uint64(v[0]))
	day := int64(int32(v[2])) - julianEpoch
	seconds := nanos / int64(time.Second)
	return appendTime(dst, time.Unix(day*daySeconds+seconds, nanos%int64(time.Second)).UTC(), false)
}

// appendFloat spells the shortest decimal that is read back as the same float;
// what is no number becomes text, which no numeric column takes.
func appendFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(strconv.AppendFloat(append(dst, '"'), f, 'g', -1, bits), '"')
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

// bytes spells a byte array by its meaning.
func (c *cell) bytes(dst, b []byte) ([]byte, error) {
	switch {
	case c.meaning == decimal:
		return decode.AppendUnscaled(dst, b, c.scale), nil
	case c.meaning == uuid && len(b) == 16:
		dst = append(dst, '"')
		for i := range b {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, b[i:i+1])
		}
		return append(dst, '"'), nil
	case c.meaning == half && len(b) == 2:
		return appendFloat(dst, halfOf(binary.LittleEndian.Uint16(b)), 32), nil
	case c.meaning == jsonText && json.Valid(b) && utf8.Valid(b):
		return decode.AppendCompact(dst, b), nil
	case c.meaning == text, c.meaning == jsonText:
		return appendValue(dst, b, false)
	}
	return appendBase64(dst, b), nil
}

// halfOf returns the value of a float of 16 bits.
func halfOf(h uint16) float64 {
	sign, exponent, fraction := 1.0, int(h>>10&31), float64(h&1023)
	if h>>15 == 1 {
		sign = -1
	}
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 31:
		if fraction != 0 {
			return math.NaN()
		}
		return sign * math.Inf(1)
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}
