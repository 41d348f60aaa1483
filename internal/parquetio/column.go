package parquetio

import (
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go"

	"backfill/internal/schema"
)

// longText is the longest declared text whose smallest and largest value are
// written into the file; nothing that loads it looks at them.
const longText = 256

// codeText is the longest declared text that is taken for a code.
const codeText = 4

// A dictionary's size is looked at after so many rows, and when its values hold
// more than so much, or a quarter of a page, later pages of the row group are
// plain.
const (
	dictionaryPageRows = 8 << 10
	dictionaryBytes    = 64 << 10
)

func (o Options) dictionaryBytes() int { return min(dictionaryBytes, o.PageBytes/4) }

// column is what writing one column needs to know.
type column struct {
	name     string
	typ      schema.Type
	kind     parquet.Kind // the physical type
	required bool
	bounds   bool // pages and row groups say their smallest and largest value

	// dictionary: values are written once and then by number. It makes columns
	// of few values smaller at no cost, and columns of many larger and much
	// slower, so it is for types and columns that have few.
	dictionary bool

	low, high int64 // schema.Int: the values that fit
	length    int   // schema.Bytes: the most bytes of a value; schema.Wide: the bytes stored

	limitHi, limitLo uint64 // schema.Wide: 10 to the power of the precision
}

func newColumns(cols []schema.Column) ([]column, error) {
	if len(cols) == 0 {
		return nil, errors.New("no columns")
	}
	list := make([]column, len(cols))
	seen := make(map[string]bool, len(cols))
	for i, c := range cols {
		if seen[c.Name] {
			return nil, fmt.Errorf("column %s stands twice", c.Name)
		}
		seen[c.Name] = true
		col := column{name: c.Name, typ: c.Type, required: c.Required, bounds: true}
		if err := col.limit(); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		col.dictionary = hasFewValues(c)
		list[i] = col
	}
	return list, nil
}

// hasFewValues reports whether a file holds few values of the column by what is
// declared of it: days, small numbers, codes like currencies, and what is the
// same in a whole file.
func hasFewValues(c schema.Column) bool {
	switch c.Type.Kind {
	case schema.Smallint, schema.Date:
		return true
	case schema.Char, schema.Varchar:
		if c.Type.Length <= codeText {
			return true
		}
		if c.Type.Length > longText {
			return false
		}
	case schema.Boolean, schema.Super:
		return false
	}
	if c.Type.Shape() == schema.Wide {
		return false
	}
	return c.Const != nil || c.Name == schema.TopicColumn || c.Name == schema.PartitionColumn
}

// limit sets the physical type and what values it may have.
func (c *column) limit() error {
	switch t := c.typ; t.Kind {
	case schema.Smallint:
		c.kind = parquet.Int32
		c.low, c.high = math.MinInt16, math.MaxInt16
	case schema.Integer, schema.Date:
		c.kind = parquet.Int32
		c.low, c.high = math.MinInt32, math.MaxInt32
	case schema.Bigint, schema.Timestamp:
		c.kind = parquet.Int64
		c.low, c.high = math.MinInt64, math.MaxInt64
	case schema.Boolean:
		c.kind = parquet.Boolean
		c.low, c.high = 0, 1
	case schema.Decimal:
		if t.Precision < 1 || t.Precision > 38 || t.Scale < 0 || t.Scale > t.Precision {
			return fmt.Errorf("%s is not a type", t)
		}
		if t.Shape() == schema.Wide {
			c.kind = parquet.FixedLenByteArray
			c.length, c.bounds = decimalBytes(t.Precision), false
			c.limitHi, c.limitLo = pow10(t.Precision)
			return nil
		}
		c.kind = parquet.Int64
		_, limit := pow10(t.Precision)
		c.low, c.high = 1-int64(limit), int64(limit)-1
	case schema.Char, schema.Varchar:
		if t.Length < 1 || t.Length > schema.MaxVarchar {
			return fmt.Errorf("%s is not a type", t)
		}
		c.kind = parquet.ByteArray
		c.length, c.bounds = t.Length, t.Length <= longText
	case schema.Super:
		c.kind = parquet.ByteArray
		c.length, c.bounds = schema.MaxVarchar, false
	default:
		return fmt.Errorf("no Parquet type for %s", t)
	}
	return nil
}

// pow10 returns 10 to the power of n, at most 38, in 128 bits.
func pow10(n int) (hi, lo uint64) {
	lo = 1
	for range n {
		var carry uint64
		carry, lo = bits.Mul64(lo, 10)
		hi = hi*10 + carry
	}
	return hi, lo
}

// decimalBytes returns the fewest bytes that hold p digits and a sign; Redshift
// refuses any other length.
func decimalBytes(p int) int {
	return int(math.Ceil((float64(p)*math.Log2(10) + 1) / 8))
}
