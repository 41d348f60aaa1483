package parquetio

import (
	"bytes"
	"fmt"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/schema"
)

// newSchema returns the Parquet schema: one leaf a column, in column order.
func newSchema(cols []column) (*parquet.Schema, error) {
	group := parquet.Group{}
	for i := range cols {
		group[cols[i].name] = cols[i].node()
	}
	byName := make(map[string]parquet.Field, len(cols))
	for _, f := range group.Fields() {
		byName[f.Name()] = f
	}
	root := ordered{Group: group}
	for _, c := range cols {
		root.fields = append(root.fields, byName[c.name])
	}
	tree := parquet.NewSchema("row", root)
	leaves := tree.Columns()
	if len(leaves) != len(cols) {
		return nil, fmt.Errorf("the Parquet schema has %d leaves for %d columns", len(leaves), len(cols))
	}
	for i, path := range leaves {
		if len(path) != 1 || path[0] != cols[i].name {
			return nil, fmt.Errorf("leaf %d of the Parquet schema is %v, not %s", i, path, cols[i].name)
		}
	}
	return tree, nil
}

// ordered is a group that keeps the order of its fields; parquet.Group alone
// sorts them by name, and COPY would load them into the wrong columns.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o ordered) Fields() []parquet.Field { return o.fields }

// node returns the column's leaf.
func (c *column) node() parquet.Node {
	n := parquet.Leaf(c.leaf())
	if c.dictionary {
		n = parquet.Encoded(n, &parquet.RLEDictionary)
	} else {
		n = parquet.Encoded(n, &parquet.Plain)
	}
	if c.required {
		return parquet.Required(n)
	}
	return parquet.Optional(n)
}

// leaf returns the column's Parquet type. Redshift converts nothing: each of
// its types loads from one physical type and annotation.
func (c *column) leaf() parquet.Type {
	switch c.typ.Kind {
	case schema.Smallint, schema.Integer:
		return leafType{Type: parquet.Int32Type}
	case schema.Bigint:
		return leafType{Type: parquet.Int64Type}
	case schema.Boolean:
		return leafType{Type: parquet.BooleanType}
	case schema.Date:
		return annotatedAs(parquet.Date().Type())
	case schema.Timestamp:
		// Instants, so isAdjustedToUTC. The older annotation TIMESTAMP_MICROS,
		// which is written beside it, means just that, and Redshift is known to
		// load the UTC wall clock.
		return annotatedAs(parquet.Timestamp(parquet.Microsecond).Type())
	case schema.Decimal:
		return c.decimal()
	}
	t := annotatedAs(parquet.String().Type())
	if !c.bounds {
		// No UTF-8 text is below the empty one or above the byte 0xff.
		t.low, t.high = parquet.ByteArrayValue([]byte{}), parquet.ByteArrayValue([]byte{0xff})
	}
	return t
}

// decimal does without parquet.Decimal, which logs a warning for fewer than ten
// digits in 64 bits; that is how Redshift is known to load them.
func (c *column) decimal() leafType {
	converted := deprecated.Decimal
	t := leafType{
		Type:      parquet.Int64Type,
		logical:   &format.LogicalType{Value: &format.DecimalType{Scale: int32(c.typ.Scale), Precision: int32(c.typ.Precision)}},
		converted: &converted,
	}
	if c.typ.Shape() == schema.Wide {
		t.Type, t.length = parquet.FixedLenByteArrayType(c.length), c.length
		t.low, t.high = wideBound(c.length, 0x80, 0), wideBound(c.length, 0x7f, 0xff)
	}
	return t
}

// leafType declares a type as the writers do whose files are known to load: a
// length for byte arrays of fixed length alone, no annotation of plain integers.
// The library adds both.
//
// With low and high, pages don't say their smallest and largest value: long
// texts would fill the footer, and the library compares wide decimals without
// their sign. The page index still needs two values for each page, and the
// library would put empty ones, by which a reader may skip rows. These bound
// every value.
type leafType struct {
	parquet.Type // how values are stored
	length       int
	logical      *format.LogicalType
	converted    *deprecated.ConvertedType
	low, high    parquet.Value
}

// annotatedAs returns a leafType with the annotations of t.
func annotatedAs(t parquet.Type) leafType {
	return leafType{Type: t, logical: t.LogicalType(), converted: t.ConvertedType()}
}

func (t leafType) Length() int                              { return t.length }
func (t leafType) LogicalType() *format.LogicalType         { return t.logical }
func (t leafType) ConvertedType() *deprecated.ConvertedType { return t.converted }

func (t leafType) NewColumnIndexer(sizeLimit int) parquet.ColumnIndexer {
	indexer := t.Type.NewColumnIndexer(sizeLimit)
	if t.low.IsNull() {
		return indexer
	}
	return fixedBounds{indexer, t.low, t.high}
}

type fixedBounds struct {
	parquet.ColumnIndexer
	low, high parquet.Value
}

func (i fixedBounds) IndexPage(numValues, numNulls int64, _, _ parquet.Value) {
	i.ColumnIndexer.IndexPage(numValues, numNulls, i.low, i.high)
}

// wideBound returns n bytes, the first of them given apart.
func wideBound(n int, first, rest byte) parquet.Value {
	b := bytes.Repeat([]byte{rest}, n)
	b[0] = first
	return parquet.FixedLenByteArrayValue(b)
}
