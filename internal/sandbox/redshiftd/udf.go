package redshiftd

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/duckdb/duckdb-go/v2"
)

// udf is a scalar function in Go. A row with a NULL argument gives NULL without a call.
type udf struct {
	args   []duckdb.Type
	result duckdb.Type
	row    func(a []any) (any, error)
	chunk  func(state *duckdb.ChunkIteratorState) error // instead of row, where rows come by the million
}

func (u *udf) Config() duckdb.ScalarFuncConfig {
	c := duckdb.ScalarFuncConfig{}
	for _, t := range append(u.args[:len(u.args):len(u.args)], u.result) {
		info, err := duckdb.NewTypeInfo(t)
		if err != nil { // the types above are all simple ones
			return duckdb.ScalarFuncConfig{}
		}
		c.InputTypeInfos = append(c.InputTypeInfos, info)
	}
	last := len(c.InputTypeInfos) - 1
	c.InputTypeInfos, c.ResultTypeInfo = c.InputTypeInfos[:last], c.InputTypeInfos[last]
	return c
}

func (u *udf) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{ChunkContextExecutor: u.run}
}

// run applies the function to a chunk.
func (u *udf) run(_ context.Context, state *duckdb.ChunkIteratorState) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s", mark("XX000", fmt.Sprint(r)))
		}
	}()
	if u.chunk != nil {
		return u.chunk(state)
	}
	args := make([]any, len(u.args))
	for row, err := range state.Rows() {
		if err != nil {
			return err
		}
		for i := range args {
			args[i] = *row.GetValuePtr(i)
		}
		v, err := u.row(args)
		if err != nil {
			return err
		}
		if err := row.SetResult(v); err != nil {
			return err
		}
	}
	return nil
}

const (
	dText  = duckdb.TYPE_VARCHAR
	dInt   = duckdb.TYPE_BIGINT
	dBool  = duckdb.TYPE_BOOLEAN
	dStamp = duckdb.TYPE_TIMESTAMP
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// userFunctions are the functions that the engine lacks.
func userFunctions() map[string]*udf {
	type fn = func(a []any) (any, error)
	row := func(result duckdb.Type, f fn, args ...duckdb.Type) *udf {
		return &udf{args: args, result: result, row: f}
	}
	chunk := func(result duckdb.Type, f func(*duckdb.ChunkIteratorState) error, args ...duckdb.Type) *udf {
		return &udf{args: args, result: result, chunk: f}
	}
	text := func(x any) string { return x.(string) }
	whole := func(x any) int64 { return x.(int64) }
	return map[string]*udf{
		"rs_farm":       chunk(dInt, farmChunk, dText),
		"rs_farm_after": chunk(dInt, farmChunk, dText, dText),
		"rs_json_parse": chunk(dText, jsonParseChunk, dText),
		"rs_fnv_text":   row(dInt, func(a []any) (any, error) { return fnv1a(uint64(whole(a[1])), text(a[0])), nil }, dText, dInt),
		"rs_fnv_int": row(dInt, func(a []any) (any, error) {
			b := binary.LittleEndian.AppendUint64(nil, uint64(whole(a[0])))
			return fnv1a(uint64(whole(a[2])), string(b[:whole(a[1])])), nil
		}, dInt, dInt, dInt),
		"rs_crc32": row(dText, func(a []any) (any, error) {
			return fmt.Sprintf("%08x", crc32.Checksum([]byte(text(a[0])), castagnoli)), nil
		}, dText),
		"rs_sha2":         row(dText, func(a []any) (any, error) { return sha2(text(a[0]), whole(a[1])) }, dText, dInt),
		"rs_strtol":       row(dInt, func(a []any) (any, error) { return strtol(text(a[0]), whole(a[1])) }, dText, dInt),
		"rs_cut":          row(dText, func(a []any) (any, error) { return cut(text(a[0]), int(whole(a[1]))), nil }, dText, dInt),
		"rs_divide":       row(dText, func(a []any) (any, error) { return divide(text(a[0]), text(a[1]), int(whole(a[2]))) }, dText, dText, dInt),
		"rs_json_valid":   row(dBool, func(a []any) (any, error) { return jsonValid(text(a[0])), nil }, dText),
		"rs_json_path":    row(dText, func(a []any) (any, error) { return jsonExtract(text(a[0]), strings.Split(text(a[1]), "\x1f")) }, dText, dText),
		"rs_to_char":      row(dText, func(a []any) (any, error) { return formatTime(a[0].(time.Time), text(a[1])) }, dStamp, dText),
		"rs_split_part":   row(dText, func(a []any) (any, error) { return splitPart(text(a[0]), text(a[1]), whole(a[2])) }, dText, dText, dInt),
		"rs_translate":    row(dText, func(a []any) (any, error) { return translate(text(a[0]), text(a[1]), text(a[2])), nil }, dText, dText, dText),
		"rs_initcap":      row(dText, func(a []any) (any, error) { return initCap(text(a[0])), nil }, dText),
		"rs_reverse":      row(dText, func(a []any) (any, error) { return reverse(text(a[0])), nil }, dText),
		"rs_repeat":       row(dText, func(a []any) (any, error) { return repeat(text(a[0]), whole(a[1])) }, dText, dInt),
		"rs_add_months":   row(dStamp, func(a []any) (any, error) { return addMonths(a[0].(time.Time).UTC(), whole(a[1])), nil }, dStamp, dInt),
		"rs_json_type":    row(dText, func(a []any) (any, error) { return jsonType(text(a[0])), nil }, dText),
		"rs_json_element": row(dText, func(a []any) (any, error) { return jsonElement(text(a[0]), whole(a[1])) }, dText, dInt),
		"rs_json_length": row(dInt, func(a []any) (any, error) {
			l, err := jsonArray(text(a[0]))
			return int64(len(l)), err
		}, dText),
		"rs_zoned": row(dText, func(a []any) (any, error) {
			zone, err := loadZone(text(a[1]))
			if err != nil {
				return nil, err
			}
			return zonedTime(a[0].(time.Time).In(zone)), nil
		}, dStamp, dText),
		"rs_timezone": row(dStamp, func(a []any) (any, error) { return convertZone(text(a[0]), text(a[1]), a[2].(time.Time)) }, dText, dText, dStamp),
	}
}

func registerFunctions(conn *sql.Conn) error {
	for name, f := range userFunctions() {
		if err := duckdb.RegisterScalarUDF(conn, name, f); err != nil {
			return fmt.Errorf("registering %s: %w", name, err)
		}
	}
	return nil
}

func marked(code, format string, args ...any) error {
	return fmt.Errorf("%s", mark(code, fmt.Sprintf(format, args...)))
}

func fnv1a(state uint64, s string) int64 {
	for i := range len(s) {
		state = (state ^ uint64(s[i])) * 0x100000001b3
	}
	return int64(state)
}

func sha2(s string, bits int64) (any, error) {
	b := []byte(s)
	switch bits {
	case 0, 256:
		h := sha256.Sum256(b)
		return hex.EncodeToString(h[:]), nil
	case 224:
		h := sha256.Sum224(b)
		return hex.EncodeToString(h[:]), nil
	case 384:
		h := sha512.Sum384(b)
		return hex.EncodeToString(h[:]), nil
	case 512:
		h := sha512.Sum512(b)
		return hex.EncodeToString(h[:]), nil
	}
	return "", nil // an invalid digest length gives an empty text
}

func strtol(s string, base int64) (any, error) {
	if base < 2 || base > 36 {
		return nil, marked("22023", "base must be between 2 and 36")
	}
	digits := s
	if base == 16 {
		digits = strings.Replace(strings.ToLower(s), "0x", "", 1)
	}
	v, err := strconv.ParseInt(digits, int(base), 64)
	if err != nil {
		return nil, marked("22P02", "The input %s is not valid to be converted to base %d", s, base)
	}
	return v, nil
}

// cut shortens a text to n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// divide gives a/b with scale digits after the point, cut and not rounded.
func divide(a, b string, scale int) (any, error) {
	x, ok := new(big.Rat).SetString(a)
	y, ok2 := new(big.Rat).SetString(b)
	if !ok || !ok2 {
		return nil, marked("22P02", "invalid input syntax for type numeric")
	}
	if y.Sign() == 0 {
		return nil, marked("22012", "division by zero")
	}
	x.Quo(x, y)
	x.Mul(x, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	q := new(big.Int).Quo(x.Num(), x.Denom())
	return new(big.Rat).SetFrac(q, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)).FloatString(scale), nil
}

func formatTime(t time.Time, format string) (any, error) {
	parts, err := charPattern(format)
	if err != nil {
		return nil, marked("0A000", "%s", err.Error())
	}
	layouts := map[string]string{"YYYY": "2006", "YY": "06", "MM": "01", "DD": "02", "HH24": "15", "HH12": "03", "HH": "03",
		"MI": "04", "SS": "05", "AM": "PM", "PM": "PM"}
	var b strings.Builder
	for _, p := range parts {
		switch {
		case p[0] == '=':
			b.WriteString(p[1:])
		case p == "MS":
			fmt.Fprintf(&b, "%03d", t.Nanosecond()/1e6)
		case p == "US":
			fmt.Fprintf(&b, "%06d", t.Nanosecond()/1e3)
		case p == "Q":
			fmt.Fprint(&b, (int(t.Month())+2)/3)
		case p == "D":
			fmt.Fprint(&b, int(t.Weekday())+1)
		default:
			b.WriteString(t.Format(layouts[p]))
		}
	}
	return b.String(), nil
}

// convertZone reads a wall clock in one zone and gives that of another.
func convertZone(from, to string, t time.Time) (any, error) {
	src, err := time.LoadLocation(from)
	if err != nil {
		return nil, marked("22023", "time zone %q not recognized", from)
	}
	dst, err := time.LoadLocation(to)
	if err != nil {
		return nil, marked("22023", "time zone %q not recognized", to)
	}
	t = t.UTC()
	w := time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), src).In(dst)
	return time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), w.Second(), w.Nanosecond(), time.UTC), nil
}
