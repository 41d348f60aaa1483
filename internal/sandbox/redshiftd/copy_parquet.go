package redshiftd

import (
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"
)

// fileColumn is a top-level column of a Parquet file.
type fileColumn struct {
	name   string
	kind   string // boolean, int32, int64, int96, float, double, byte_array, fixed, group
	length int    // of fixed
	note   string // the annotation: string, date, decimal, timestamp, int, list, map, struct, or one that is refused
	p, s   int    // decimal; int: p is the width and s is 1 for signed
	unit   string // timestamp: millis, micros, nanos
	repeat bool
	at     int    // its place in the flattened schema
	text   string // as error texts show it
}

// inspect checks a file's footer, schema, chunks and page headers, and gives its columns and rows.
func (l *loader) inspect(path string, file loadFile) ([]fileColumn, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, 0, err
	}
	meta, err := readFooter(f, info.Size())
	if err != nil {
		return nil, 0, l.scanError(15007, "", fmt.Sprintf("File '%s' has an invalid version number: %s", l.file, err))
	}
	cols := fileColumns(meta.Schema)
	if len(cols) > len(l.cols) || len(cols) < len(l.cols) && !l.has("fillrecord") {
		return nil, 0, l.scanError(15007, "", fmt.Sprintf("Unmatched number of columns between table and file. Table columns: %d, Data columns: %d, File name: %s",
			len(l.cols), len(cols), l.file))
	}
	for i, c := range cols {
		if err := l.checkType(c, l.cols[i], file); err != nil {
			return nil, 0, err
		}
		if c.kind == "group" {
			if fault := nestedFault(meta.Schema, c.at); fault != "" {
				return nil, 0, l.scanError(15007, l.cols[i].name, fmt.Sprintf("File '%s': %s", l.file, fault))
			}
		}
	}
	for g := range meta.RowGroups {
		for _, chunk := range meta.RowGroups[g].Columns {
			if reason := checkChunk(f, info.Size(), &chunk); reason != "" {
				return nil, 0, l.scanError(15007, "", fmt.Sprintf("File '%s': %s (stand-in strictness)", l.file, reason))
			}
		}
	}
	return cols, meta.NumRows, nil
}

// readFooter reads a file's metadata; a panic of the reader over damaged bytes is an error.
func readFooter(f *os.File, size int64) (meta *format.FileMetaData, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("reading footer: %v", r)
		}
	}()
	p, err := parquet.OpenFile(f, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return nil, err
	}
	return p.Metadata(), nil
}

// fileColumns cuts the flattened schema into its top-level columns.
func fileColumns(schema []format.SchemaElement) []fileColumn {
	if len(schema) == 0 {
		return nil
	}
	var out []fileColumn
	for i := 1; i < len(schema); i = subtreeEnd(schema, i) {
		out = append(out, newFileColumn(&schema[i], i-1))
	}
	return out
}

func subtreeEnd(schema []format.SchemaElement, i int) int {
	n := schema[i].NumChildren.V
	i++
	for ; n > 0 && i < len(schema); n-- {
		i = subtreeEnd(schema, i)
	}
	return i
}

func newFileColumn(e *format.SchemaElement, index int) fileColumn {
	c := fileColumn{name: e.Name, kind: "group", length: int(e.TypeLength.V), at: index + 1}
	if e.Type.Valid && !e.NumChildren.Valid {
		c.kind = map[format.Type]string{format.Boolean: "boolean", format.Int32: "int32", format.Int64: "int64", format.Int96: "int96",
			format.Float: "float", format.Double: "double", format.ByteArray: "byte_array", format.FixedLenByteArray: "fixed"}[e.Type.V]
	}
	c.repeat = e.RepetitionType.V == format.Repeated
	repetition := map[format.FieldRepetitionType]string{format.Required: "required", format.Optional: "optional", format.Repeated: "repeated"}[e.RepetitionType.V]
	c.annotate(e)
	c.text = fmt.Sprintf("%s %s %s [i:%d d:1 r:0]", repetition, c.kind, c.name, index)
	if c.note != "" {
		c.text = fmt.Sprintf("%s %s %s (%s) [i:%d d:1 r:0]", repetition, c.kind, c.name, c.note, index)
	}
	return c
}

// annotate reads the logical type or, without one, the older converted type. Where both are there they must agree.
func (c *fileColumn) annotate(e *format.SchemaElement) {
	c.logicalType(e)
	if e.LogicalType.Value != nil && e.ConvertedType.Valid {
		old := fileColumn{kind: c.kind}
		old.convertedType(e)
		if same := old.note == c.note && old.unit == c.unit && (c.note == "map" || old.p == c.p && old.s == c.s); !same && !strings.HasPrefix(old.note, "converted type") {
			c.note = c.note + " or " + old.note + ", for the file says both"
		}
	}
	if c.kind == "group" && c.note == "" {
		c.note = "struct"
	}
}

func (c *fileColumn) logicalType(e *format.SchemaElement) {
	switch v := e.LogicalType.Value.(type) {
	case nil:
		c.convertedType(e)
	case *format.StringType:
		c.note = "string"
	case *format.DecimalType:
		c.note, c.p, c.s = "decimal", int(v.Precision), int(v.Scale)
	case *format.DateType:
		c.note = "date"
	case *format.TimestampType:
		c.note, c.unit = "timestamp", "nanos"
		switch v.Unit.Value.(type) {
		case *format.MilliSeconds:
			c.unit = "millis"
		case *format.MicroSeconds:
			c.unit = "micros"
		}
	case *format.IntType:
		c.note, c.p = "int", int(v.BitWidth)
		if v.IsSigned {
			c.s = 1
		}
	case *format.ListType:
		c.note = "list"
	case *format.MapType:
		c.note = "map"
	default:
		c.note = v.String()
	}
}

func (c *fileColumn) convertedType(e *format.SchemaElement) {
	if !e.ConvertedType.Valid {
		return
	}
	switch t := e.ConvertedType.V; t {
	case deprecated.UTF8:
		c.note = "string"
	case deprecated.Decimal:
		c.note, c.p, c.s = "decimal", int(e.Precision.V), int(e.Scale.V)
	case deprecated.Date:
		c.note = "date"
	case deprecated.TimestampMillis:
		c.note, c.unit = "timestamp", "millis"
	case deprecated.TimestampMicros:
		c.note, c.unit = "timestamp", "micros"
	case deprecated.Int8, deprecated.Int16, deprecated.Int32, deprecated.Int64:
		c.note, c.p, c.s = "int", 8<<(t-deprecated.Int8), 1
	case deprecated.Uint8, deprecated.Uint16, deprecated.Uint32, deprecated.Uint64:
		c.note, c.p = "int", 8<<(t-deprecated.Uint8)
	case deprecated.List:
		c.note = "list"
	case deprecated.Map, deprecated.MapKeyValue:
		c.note = "map"
	default:
		c.note = fmt.Sprintf("converted type %d", t)
	}
}

// minimalFixed is the number of bytes that a two's complement number of p digits needs.
func minimalFixed(p int) int {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p)), nil)
	return limit.Sub(limit, big.NewInt(1)).BitLen()/8 + 1
}

// knownNotes are the annotations whose refusal is documented; others are refused because nothing is known of them.
var knownNotes = []string{"", "string", "date", "decimal", "timestamp", "int", "list", "map", "struct"}

// checkType is the matrix of file and column types: no widening, no change of kind.
func (l *loader) checkType(f fileColumn, c columnInfo, file loadFile) error {
	if f.kind == "fixed" && f.note == "decimal" && c.t.kind == kNumeric && f.p == c.t.p && f.s == c.t.s && f.length != minimalFixed(f.p) {
		return l.scanError(15001, c.name, fmt.Sprintf("File '%s': column '%s' has an invalid type length. Expecting: %d len in file: %d",
			l.file, f.name, minimalFixed(f.p), f.length))
	}
	if !f.repeat && compatible(f, c.t) {
		return nil
	}
	note := ""
	if f.note == "timestamp" && (f.unit == "nanos" || c.t.kind == kTimestamptz) || f.note == "int" && f.s == 0 || !slices.Contains(knownNotes, f.note) {
		note = " (stand-in strictness)"
	}
	return l.scanError(15007, c.name, fmt.Sprintf("File '%s' has an incompatible Parquet schema for column 's3://%s/%s.%s'. Column type: %s, Parquet schema:\n%s%s",
		l.file, file.bucket, file.key, f.name, columnTypeText(c.t), f.text, note))
}

func columnTypeText(t typ) string {
	switch t.kind {
	case kVarchar:
		return "VARCHAR"
	case kChar:
		return "CHAR"
	case kNumeric:
		return fmt.Sprintf("DECIMAL(%d, %d)", t.p, t.s)
	case kInt2:
		return "SMALLINT"
	case kInt4:
		return "INT"
	case kInt8:
		return "BIGINT"
	case kTimestamp:
		return "TIMESTAMP"
	case kTimestamptz:
		return "TIMESTAMPTZ"
	}
	return t.name()
}

func compatible(f fileColumn, t typ) bool {
	whole := func(widths ...int) bool {
		return f.note == "" || f.note == "int" && f.s == 1 && slices.Contains(widths, f.p)
	}
	switch t.kind {
	case kBool:
		return f.kind == "boolean" && f.note == ""
	case kInt2, kInt4:
		return f.kind == "int32" && whole(8, 16, 32)
	case kInt8:
		return f.kind == "int64" && whole(64)
	case kFloat4:
		return f.kind == "float" && f.note == ""
	case kFloat8:
		return f.kind == "double" && f.note == ""
	case kNumeric:
		limit := map[string]int{"int32": 9, "int64": 18, "fixed": maxPrecision}[f.kind]
		return f.note == "decimal" && f.p == t.p && f.s == t.s && f.p <= limit
	case kDate:
		return f.kind == "int32" && f.note == "date"
	case kTimestamp:
		return f.kind == "int96" && f.note == "" || f.kind == "int64" && f.note == "timestamp" && f.unit != "nanos"
	case kChar, kVarchar:
		return f.kind == "byte_array" && f.note == "string"
	case kSuper:
		return f.kind == "byte_array" && f.note == "string" || f.kind == "group"
	}
	return false
}
