package parquetio

import (
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

// node returns the Parquet type of a column. Redshift converts nothing: each
// type has the one physical and logical type that it loads from.
func (c *column) node() parquet.Node {
	n := c.leaf()
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

func (c *column) leaf() parquet.Node {
	switch c.typ.Kind {
	case schema.Smallint, schema.Integer:
		return parquet.Leaf(parquet.Int32Type)
	case schema.Bigint:
		return parquet.Leaf(parquet.Int64Type)
	case schema.Boolean:
		return parquet.Leaf(parquet.BooleanType)
	case schema.Date:
		return parquet.Date()
	case schema.Timestamp:
		// Instants, so isAdjustedToUTC. The older annotation TIMESTAMP_MICROS,
		// which is written beside it, means just that, and Redshift is known to
		// load the UTC wall clock.
		return parquet.Timestamp(parquet.Microsecond)
	case schema.Decimal:
		if c.typ.Shape() == schema.Wide {
			return parquet.Leaf(unbounded{c.decimal(parquet.FixedLenByteArrayType(c.length)), wideBound(c.length, 0x80, 0), wideBound(c.length, 0x7f, 0xff)})
		}
		return parquet.Leaf(c.decimal(parquet.Int64Type))
	}
	if c.bounds {
		return parquet.String()
	}
	// No UTF-8 text is below the empty one or above the byte 0xff.
	return parquet.Leaf(unbounded{parquet.String().Type(), parquet.ByteArrayValue([]byte{}), parquet.ByteArrayValue([]byte{0xff})})
}

func (c *column) decimal(physical parquet.Type) parquet.Type {
	return decimal{physical, format.DecimalType{Scale: int32(c.typ.Scale), Precision: int32(c.typ.Precision)}}
}

// decimal is a physical type that carries decimals. parquet.Decimal makes the
// same but logs a warning for fewer than ten digits in 64 bits, which is how
// Redshift is known to load them.
type decimal struct {
	parquet.Type
	annotation format.DecimalType
}

func (d decimal) String() string { return d.annotation.String() }

func (d decimal) LogicalType() *format.LogicalType {
	return &format.LogicalType{Value: &d.annotation}
}

func (d decimal) ConvertedType() *deprecated.ConvertedType {
	t := deprecated.Decimal
	return &t
}

// unbounded is a type whose pages don't say their smallest and largest value:
// long texts would fill the footer, and the library compares wide decimals
// without their sign. The page index still needs two values for each page, and
// the library would put empty ones, by which a reader may skip rows; these are
// bounds of every value.
type unbounded struct {
	parquet.Type
	low, high parquet.Value
}

func (u unbounded) NewColumnIndexer(sizeLimit int) parquet.ColumnIndexer {
	return unboundedIndexer{u.Type.NewColumnIndexer(sizeLimit), u.low, u.high}
}

type unboundedIndexer struct {
	parquet.ColumnIndexer
	low, high parquet.Value
}

func (i unboundedIndexer) IndexPage(numValues, numNulls int64, _, _ parquet.Value) {
	i.ColumnIndexer.IndexPage(numValues, numNulls, i.low, i.high)
}

// wideBound returns n bytes, the first of them given apart.
func wideBound(n int, first, rest byte) parquet.Value {
	b := make([]byte, n)
	for i := range b {
		b[i] = rest
	}
	b[0] = first
	return parquet.FixedLenByteArrayValue(b)
}
