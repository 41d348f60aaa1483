package redshiftd

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/jackc/pgx/v5/pgproto3"
)

func rowDescription(cols []output, formats []int16) *pgproto3.RowDescription {
	d := &pgproto3.RowDescription{}
	for i, c := range cols {
		d.Fields = append(d.Fields, pgproto3.FieldDescription{Name: []byte(c.name), DataTypeOID: c.t.oid(), DataTypeSize: c.t.size(),
			TypeModifier: c.t.typmod(), Format: formatOf(formats, i)})
	}
	return d
}

var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// encodeValue writes one value for the wire; nil is NULL.
func encodeValue(v any, t typ, binaryFormat bool) ([]byte, error) {
	if v == nil {
		return nil, nil
	}
	if binaryFormat {
		return encodeBinary(v, t)
	}
	switch v := v.(type) {
	case bool:
		if v {
			return []byte("t"), nil
		}
		return []byte("f"), nil
	case string:
		if t.kind == kChar && len(v) < t.p {
			v += strings.Repeat(" ", t.p-len(v))
		}
		return []byte(v), nil
	case float32:
		return []byte(floatText(float64(v), 6)), nil
	case float64:
		return []byte(floatText(v, 15)), nil
	case duckdb.Decimal:
		return []byte(decimalString(v.Value, int(v.Scale))), nil
	case *big.Int:
		return []byte(decimalString(v, 0)), nil
	case time.Time:
		return []byte(timeText(v, t)), nil
	case int8, int16, int32, int64:
		return fmt.Append(nil, v), nil
	}
	return nil, strict("a result of type %s is not supported", t.name())
}

func floatText(f float64, digits int) string {
	switch {
	case math.IsNaN(f):
		return "NaN"
	case math.IsInf(f, 1):
		return "Infinity"
	case math.IsInf(f, -1):
		return "-Infinity"
	}
	s := strconv.FormatFloat(f, 'g', digits, 64)
	mantissa, exp, ok := strings.Cut(s, "e")
	if strings.Contains(mantissa, ".") {
		mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
	}
	if ok {
		return mantissa + "e" + exp
	}
	return mantissa
}

// decimalString writes an unscaled number with exactly scale digits after the point.
func decimalString(v *big.Int, scale int) string {
	s := new(big.Int).Abs(v).String()
	if scale > 0 {
		if len(s) <= scale {
			s = strings.Repeat("0", scale-len(s)+1) + s
		}
		s = s[:len(s)-scale] + "." + s[len(s)-scale:]
	}
	if v.Sign() < 0 {
		return "-" + s
	}
	return s
}

func timeText(v time.Time, t typ) string {
	switch t.kind {
	case kDate:
		return v.UTC().Format("2006-01-02")
	case kTimestamptz:
		return zonedTime(v)
	}
	return v.UTC().Format("2006-01-02 15:04:05.999999")
}

func encodeBinary(v any, t typ) ([]byte, error) {
	if t.kind == kNumeric {
		return scaledInteger(v, t)
	}
	switch v := v.(type) {
	case bool:
		if v {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	case string:
		return encodeValue(v, t, false)
	case float32:
		return binary.BigEndian.AppendUint32(nil, math.Float32bits(v)), nil
	case float64:
		return binary.BigEndian.AppendUint64(nil, math.Float64bits(v)), nil
	case time.Time:
		if t.kind == kDate {
			return binary.BigEndian.AppendUint32(nil, uint32(int32((v.Unix()-pgEpoch.Unix())/86400))), nil
		}
		return binary.BigEndian.AppendUint64(nil, uint64(v.UnixMicro()-pgEpoch.UnixMicro())), nil
	}
	n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
	if err != nil {
		return nil, strict("binary result of type %T is not supported", v)
	}
	switch t.kind {
	case kInt2:
		return binary.BigEndian.AppendUint16(nil, uint16(n)), nil
	case kInt4:
		return binary.BigEndian.AppendUint32(nil, uint32(n)), nil
	}
	return binary.BigEndian.AppendUint64(nil, uint64(n)), nil
}

// decodeParam reads a parameter into its text form.
func decodeParam(raw []byte, t typ, binaryFormat bool) (paramValue, error) {
	if raw == nil {
		return paramValue{t: t}, nil
	}
	text := string(raw)
	if !binaryFormat {
		return paramValue{t, &text}, nil
	}
	want := t.size()
	if want > 0 && len(raw) != int(want) {
		return paramValue{}, errorf("22P03", "incorrect binary data format in bind parameter")
	}
	switch t.kind {
	case kBool:
		text = strconv.FormatBool(raw[0] != 0)
	case kInt2:
		text = strconv.Itoa(int(int16(binary.BigEndian.Uint16(raw))))
	case kInt4:
		text = strconv.Itoa(int(int32(binary.BigEndian.Uint32(raw))))
	case kInt8:
		text = strconv.FormatInt(int64(binary.BigEndian.Uint64(raw)), 10)
	case kFloat4:
		text = strconv.FormatFloat(float64(math.Float32frombits(binary.BigEndian.Uint32(raw))), 'g', -1, 32)
	case kFloat8:
		text = strconv.FormatFloat(math.Float64frombits(binary.BigEndian.Uint64(raw)), 'g', -1, 64)
	case kDate:
		text = pgEpoch.AddDate(0, 0, int(int32(binary.BigEndian.Uint32(raw)))).Format("2006-01-02")
	case kTimestamp, kTimestamptz:
		micros := int64(binary.BigEndian.Uint64(raw))
		text = time.UnixMicro(pgEpoch.UnixMicro() + micros).UTC().Format("2006-01-02 15:04:05.999999")
		if t.kind == kTimestamptz {
			text += "+00"
		}
	case kVarchar, kChar, kUnknown:
	default:
		return paramValue{}, strict("binary parameter of type %s is not supported", t.name())
	}
	return paramValue{t, &text}, nil
}
