package parquetio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"

	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/schema"
)

// longText is the longest declared text whose values may repeat so often that a
// dictionary is tried.
const longText = 256

// column is what writing one column needs to know.
type column struct {
	name     string
	typ      schema.Type
	physical format.Type
	size     int // schema.Int: bytes stored, 0 for a bit
	required bool

	mayRepeat bool // a dictionary is tried; the values decide

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
		col := column{name: c.Name, typ: c.Type, required: c.Required}
		if err := col.limit(); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		list[i] = col
	}
	return list, nil
}

// limit sets the physical type and what values it may have.
func (c *column) limit() error {
	switch t := c.typ; t.Kind {
	case schema.Smallint:
		c.physical, c.size, c.mayRepeat = format.Int32, 4, true
		c.low, c.high = math.MinInt16, math.MaxInt16
	case schema.Integer, schema.Date:
		c.physical, c.size, c.mayRepeat = format.Int32, 4, true
		c.low, c.high = math.MinInt32, math.MaxInt32
	case schema.Bigint, schema.Timestamp:
		c.physical, c.size, c.mayRepeat = format.Int64, 8, true
		c.low, c.high = math.MinInt64, math.MaxInt64
	case schema.Boolean:
		c.physical = format.Boolean
		c.low, c.high = 0, 1
	case schema.Decimal:
		if t.Precision < 1 || t.Precision > 38 || t.Scale < 0 || t.Scale > t.Precision {
			return fmt.Errorf("%s is not a type", t)
		}
		if t.Shape() == schema.Wide {
			c.physical, c.length = format.FixedLenByteArray, decimalBytes(t.Precision)
			c.limitHi, c.limitLo = pow10(t.Precision)
			return nil
		}
		c.physical, c.size, c.mayRepeat = format.Int64, 8, true
		_, limit := pow10(t.Precision)
		c.low, c.high = 1-int64(limit), int64(limit)-1
	case schema.Char, schema.Varchar:
		if t.Length < 1 || t.Length > schema.MaxVarchar {
			return fmt.Errorf("%s is not a type", t)
		}
		c.physical, c.length, c.mayRepeat = format.ByteArray, t.Length, t.Length <= longText
	case schema.Super:
		c.physical, c.length = format.ByteArray, schema.MaxVarchar
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

// fitsWide reports whether 16 bytes of big-endian two's complement hold no
// more than the column's digits.
func (c *column) fitsWide(s []byte) bool {
	if len(s) != 16 {
		return false
	}
	hi, lo := binary.BigEndian.Uint64(s), binary.BigEndian.Uint64(s[8:])
	if int64(hi) < 0 {
		lo = -lo
		hi = ^hi
		if lo == 0 {
			hi++
		}
	}
	return hi < c.limitHi || hi == c.limitHi && lo < c.limitLo
}
