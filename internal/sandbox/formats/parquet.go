package formats

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
)

// ParquetFile writes a Parquet file whose columns follow an Avro schema, as Connect's sinks do: lists in three levels,
// decimals as byte arrays.
type ParquetFile struct {
	w      *parquet.GenericWriter[any]
	schema *schema
	row    parquet.Row
}

// NewParquetFile begins a file of records of an Avro schema. The codecs of its pages are none, snappy, gzip, zstd,
// brotli and lz4raw.
func NewParquetFile(w io.Writer, schemaText, codec string) (*ParquetFile, error) {
	s, err := parseSchema(schemaText)
	if err != nil {
		return nil, err
	}
	if s.kind != "record" || s.nullable {
		return nil, fmt.Errorf("a Parquet file holds records, and the schema is a %s", s.kind)
	}
	codecs := map[string]compress.Codec{
		"none": &parquet.Uncompressed, "snappy": &parquet.Snappy, "gzip": &parquet.Gzip, "zstd": &parquet.Zstd,
		"brotli": &parquet.Brotli, "lz4raw": &parquet.Lz4Raw,
	}
	packed, ok := codecs[codec]
	if !ok {
		return nil, fmt.Errorf("parquet codec %q: want one of %v", codec, slices.Sorted(maps.Keys(codecs)))
	}
	root, err := parquetNode(s)
	if err != nil {
		return nil, err
	}
	return &ParquetFile{
		w:      parquet.NewGenericWriter[any](w, parquet.NewSchema(s.name, root), parquet.Compression(packed), parquet.CreatedBy("parquet-mr", "1.15.2", "")),
		schema: s,
	}, nil
}

// Append adds a record, a map[string]any.
func (f *ParquetFile) Append(datum any) error {
	sh := shredder{row: f.row[:0]}
	if _, err := sh.append(f.schema, datum, level{}, 0); err != nil {
		return fmt.Errorf("encoding Parquet: %w", err)
	}
	f.row = sh.row
	// The writer wants a row's values in the order of the columns.
	slices.SortStableFunc(f.row, func(a, b parquet.Value) int { return a.Column() - b.Column() })
	if _, err := f.w.WriteRows([]parquet.Row{f.row}); err != nil {
		return fmt.Errorf("writing Parquet: %w", err)
	}
	return nil
}

// Close writes the footer. It does not close what the file is written to.
func (f *ParquetFile) Close() error {
	if err := f.w.Close(); err != nil {
		return fmt.Errorf("finishing Parquet: %w", err)
	}
	return nil
}

// group keeps its fields in the schema's order; the library's own sorts them.
type group struct {
	parquet.Group
	order []string
}

func (g group) Fields() []parquet.Field {
	fields := g.Group.Fields()
	slices.SortStableFunc(fields, func(a, b parquet.Field) int {
		return slices.Index(g.order, a.Name()) - slices.Index(g.order, b.Name())
	})
	return fields
}

func parquetNode(s *schema) (parquet.Node, error) {
	node, err := parquetType(s)
	if err != nil || !s.nullable {
		return node, err
	}
	return parquet.Optional(node), nil
}

func parquetType(s *schema) (parquet.Node, error) {
	switch s.kind {
	case "record":
		g := group{Group: parquet.Group{}}
		for _, f := range s.fields {
			child, err := parquetNode(f.schema)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
			g.Group[f.name] = child
			g.order = append(g.order, f.name)
		}
		return g, nil
	case "array", "map":
		child, err := parquetNode(s.items)
		if err != nil {
			return nil, err
		}
		if s.kind == "map" {
			return parquet.Map(parquet.String(), child), nil
		}
		return parquet.List(child), nil
	case "boolean":
		return parquet.Leaf(parquet.BooleanType), nil
	case "int":
		return parquet.Leaf(parquet.Int32Type), nil
	case "long":
		if s.millis {
			return parquet.Timestamp(parquet.Millisecond), nil
		}
		return parquet.Leaf(parquet.Int64Type), nil
	case "double":
		return parquet.Leaf(parquet.DoubleType), nil
	case "string":
		return parquet.String(), nil
	case "bytes":
		if s.decimal {
			return parquet.Decimal(s.scale, s.digits, parquet.ByteArrayType), nil
		}
		return parquet.Leaf(parquet.ByteArrayType), nil
	}
	return nil, fmt.Errorf("the Avro type %s has no form in Parquet", s.kind)
}

// level is where a value stands between the repeated and optional fields above it.
type level struct{ repetition, definition, depth int }

// shredder turns records into values of columns.
type shredder struct{ row parquet.Row }

// append shreds a datum whose first column is given, and returns the column behind it. depth counts the repeated
// fields above.
func (sh *shredder) append(s *schema, datum any, at level, column int) (int, error) {
	if s.nullable {
		if datum == nil {
			return sh.null(s, at, column), nil
		}
		at.definition++
	}
	switch v := datum.(type) {
	case map[string]any:
		switch s.kind {
		case "record":
			return sh.record(s, v, at, column)
		case "map":
			return sh.entries(s, v, at, column)
		}
	case []any:
		if s.kind == "array" {
			return sh.items(s, v, at, column)
		}
	default:
		value, err := parquetValue(s, datum)
		if err != nil {
			return 0, err
		}
		sh.row = append(sh.row, value.Level(at.repetition, at.definition, column))
		return column + 1, nil
	}
	return 0, s.misfit(datum)
}

func (sh *shredder) record(s *schema, record map[string]any, at level, column int) (int, error) {
	var err error
	known := 0
	for _, f := range s.fields {
		v, ok := record[f.name]
		if ok {
			known++
		}
		if column, err = sh.append(f.schema, v, at, column); err != nil {
			return 0, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if known != len(record) {
		return 0, fmt.Errorf("the record has fields %v that %s lacks", slices.Sorted(maps.Keys(record)), s.name)
	}
	return column, nil
}

func (sh *shredder) items(s *schema, items []any, at level, column int) (int, error) {
	if len(items) == 0 {
		return sh.null(s.items, at, column), nil
	}
	next := column
	at.definition++
	at.depth++
	for i, v := range items {
		if i > 0 {
			at.repetition = at.depth
		}
		var err error
		if next, err = sh.append(s.items, v, at, column); err != nil {
			return 0, err
		}
	}
	return next, nil
}

func (sh *shredder) entries(s *schema, entries map[string]any, at level, column int) (int, error) {
	if len(entries) == 0 {
		sh.row = append(sh.row, parquet.NullValue().Level(at.repetition, at.definition, column))
		return sh.null(s.items, at, column+1), nil
	}
	next := column
	at.definition++
	at.depth++
	for i, k := range slices.Sorted(maps.Keys(entries)) {
		if i > 0 {
			at.repetition = at.depth
		}
		sh.row = append(sh.row, parquet.ByteArrayValue([]byte(k)).Level(at.repetition, at.definition, column))
		var err error
		if next, err = sh.append(s.items, entries[k], at, column+1); err != nil {
			return 0, err
		}
	}
	return next, nil
}

// null appends a null for each column of a schema.
func (sh *shredder) null(s *schema, at level, column int) int {
	switch s.kind {
	case "record":
		for _, f := range s.fields {
			column = sh.null(f.schema, at, column)
		}
		return column
	case "array":
		return sh.null(s.items, at, column)
	case "map":
		sh.row = append(sh.row, parquet.NullValue().Level(at.repetition, at.definition, column))
		return sh.null(s.items, at, column+1)
	}
	sh.row = append(sh.row, parquet.NullValue().Level(at.repetition, at.definition, column))
	return column + 1
}

func parquetValue(s *schema, datum any) (parquet.Value, error) {
	switch v := datum.(type) {
	case bool:
		if s.kind == "boolean" {
			return parquet.BooleanValue(v), nil
		}
	case int64:
		switch {
		case s.kind == "long":
			return parquet.Int64Value(v), nil
		case s.kind == "int" && int64(int32(v)) == v:
			return parquet.Int32Value(int32(v)), nil
		}
	case float64:
		if s.kind == "double" {
			return parquet.DoubleValue(v), nil
		}
	case string:
		if s.kind == "string" {
			return parquet.ByteArrayValue([]byte(v)), nil
		}
	case []byte:
		if s.kind == "bytes" {
			return parquet.ByteArrayValue(v), nil
		}
	}
	return parquet.Value{}, s.misfit(datum)
}
