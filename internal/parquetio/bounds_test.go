package parquetio

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"

	"backfill/internal/schema"
)

func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// TestNothingOptionalIsWritten keeps files to what is known to load, footers
// small and free of what people wrote.
func TestNothingOptionalIsWritten(t *testing.T) {
	cols := everyType()
	cell := everyValue(cols)
	file, _ := write(t, cols, Options{}, batches(cols, 3000, cell))
	for i, chunk := range open(t, file).Metadata().RowGroups[0].Columns {
		nulls := int64(0)
		for row := range 3000 {
			if cell(row, i) == nil {
				nulls++
			}
		}
		if s := chunk.MetaData.Statistics; s.MinValue != nil || s.MaxValue != nil || s.Min != nil || s.Max != nil || s.NullCount != nulls {
			t.Errorf("%s: the row group says %+v, %d values are NULL", cols[i].Name, s, nulls)
		}
		if chunk.ColumnIndexOffset != 0 || chunk.OffsetIndexOffset != 0 {
			t.Errorf("%s: a page index", cols[i].Name)
		}
		for _, h := range pageHeaders(t, file, chunk.MetaData) {
			if s := h.DataPageHeader.V.Statistics; s.MinValue != nil || s.MaxValue != nil {
				t.Errorf("%s: the page says %q", cols[i].Name, s.MinValue)
			}
		}
	}
}

func TestDecimalsHaveTheFewestBytes(t *testing.T) {
	for p := 1; p <= 38; p++ {
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(p)), nil)
		n := 1
		for new(big.Int).Lsh(big.NewInt(1), uint(8*n-1)).Cmp(limit) < 0 {
			n++
		}
		if got := decimalBytes(p); got != n {
			t.Errorf("%d digits take %d bytes, not %d", p, n, got)
		}
		hi, lo := pow10(p)
		if got := new(big.Int).SetBytes(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, hi), lo)); got.Cmp(limit) != 0 {
			t.Errorf("10^%d is not %s", p, got)
		}
	}
}

func FuzzWideDecimalFits(f *testing.F) {
	f.Add(uint64(0), uint64(0), uint8(19))
	f.Add(uint64(math.MaxUint64), uint64(0), uint8(20))
	f.Add(uint64(1)<<63, uint64(0), uint8(38))
	hi, lo := pow10(30)
	f.Add(hi, lo, uint8(30))
	f.Add(hi, lo-1, uint8(30))
	f.Add(^hi, -lo, uint8(30))
	f.Fuzz(func(t *testing.T, hi, lo uint64, p uint8) {
		c := column{typ: schema.Type{Kind: schema.Decimal, Precision: 19 + int(p%20)}}
		if err := c.limit(); err != nil {
			t.Fatal(err)
		}
		s := binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, hi), lo)
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.typ.Precision)), nil)
		want := new(big.Int).Abs(signed(s)).Cmp(limit) < 0
		if got := c.fitsWide(s); got != want {
			t.Errorf("%s fits %s: %t", signed(s), c.typ, got)
		}
		if short := s[16-c.length:]; want && signed(short).Cmp(signed(s)) != 0 {
			t.Errorf("%s is stored as %s", signed(s), signed(short))
		}
	})
}
