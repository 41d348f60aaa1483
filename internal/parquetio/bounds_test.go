package parquetio

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/big"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/schema"
)

// compareStored orders stored values as the Parquet format does for the type.
func compareStored(a, b []byte, t format.Type, typ schema.Type) int {
	switch t {
	case format.Int32:
		return cmp.Compare(int32(binary.LittleEndian.Uint32(a)), int32(binary.LittleEndian.Uint32(b)))
	case format.Int64:
		return cmp.Compare(int64(binary.LittleEndian.Uint64(a)), int64(binary.LittleEndian.Uint64(b)))
	case format.FixedLenByteArray:
		return signed(a).Cmp(signed(b))
	}
	return bytes.Compare(a, b)
}

func signed(b []byte) *big.Int {
	n := new(big.Int).SetBytes(b)
	if b[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return n
}

// TestBoundsHoldEveryValue is what lets any reader skip pages and row groups by
// what the file says of them.
func TestBoundsHoldEveryValue(t *testing.T) {
	cols := everyType()
	// Whole pages of NULL, of the small and of the large values.
	choices := make([][]any, len(cols))
	for i, c := range cols {
		choices[i] = extremes(c)
	}
	cell := func(row, col int) any {
		values := choices[col]
		switch part := row / 500 % 4; {
		case part == 0 && !cols[col].Required:
			return nil
		case cols[col].Const != nil:
			return []byte(*cols[col].Const)
		default:
			return values[(part+row%2)%len(values)]
		}
	}
	file, _ := write(t, cols, Options{PageBytes: minPageBytes, RowGroupBytes: 32 << 10}, batches(cols, 4000, cell))
	f := open(t, file)
	if len(f.RowGroups()) < 2 {
		t.Fatal("one row group")
	}
	for g, group := range f.RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			meta := f.Metadata().RowGroups[g].Columns[i].MetaData
			index := f.ColumnIndexes()[g*len(cols)+i]
			checkBounds(t, cols[i], chunk, meta, index)
		}
	}
}

func checkBounds(t *testing.T, c schema.Column, chunk parquet.ColumnChunk, meta format.ColumnMetaData, index format.ColumnIndex) {
	t.Helper()
	pages := chunk.Pages()
	defer pages.Close()
	n := 0
	for ; ; n++ {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if n >= len(index.MinValues) || n >= len(index.MaxValues) || n >= len(index.NullPages) {
			t.Fatalf("%s: the index has no page %d", c.Name, n)
		}
		values := make([]parquet.Value, page.NumValues())
		if _, err := page.Values().ReadValues(values); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		nulls := 0
		for _, v := range values {
			if v.IsNull() {
				nulls++
				continue
			}
			stored := v.Bytes()
			if compareStored(index.MinValues[n], stored, meta.Type, c.Type) > 0 || compareStored(stored, index.MaxValues[n], meta.Type, c.Type) > 0 {
				t.Fatalf("%s: page %d has %x outside [%x, %x]", c.Name, n, stored, index.MinValues[n], index.MaxValues[n])
			}
			s := meta.Statistics
			if s.MinValue != nil && (compareStored(s.MinValue, stored, meta.Type, c.Type) > 0 || compareStored(stored, s.MaxValue, meta.Type, c.Type) > 0) {
				t.Fatalf("%s: %x is outside [%x, %x]", c.Name, stored, s.MinValue, s.MaxValue)
			}
		}
		if index.NullPages[n] != (nulls == len(values)) || index.NullCounts[n] != int64(nulls) {
			t.Errorf("%s: page %d of %d values has %d NULLs, the index says %t, %d", c.Name, n, len(values), nulls, index.NullPages[n], index.NullCounts[n])
		}
		parquet.Release(page)
	}
	if n != len(index.MinValues) {
		t.Errorf("%s: %d pages, %d in the index", c.Name, n, len(index.MinValues))
	}
}

// TestLongTextsStayOutOfTheFooter keeps footers small and free of what people
// wrote.
func TestLongTextsStayOutOfTheFooter(t *testing.T) {
	cols := []schema.Column{
		{Name: "note", Type: schema.Type{Kind: schema.Varchar, Length: longText + 1}},
		{Name: "details", Type: schema.Type{Kind: schema.Super}},
		{Name: "amount", Type: schema.Type{Kind: schema.Decimal, Precision: 38}},
		{Name: "id", Type: schema.Type{Kind: schema.Varchar, Length: longText}},
	}
	cell := func(row, col int) any {
		if col == 2 {
			return wide(big.NewInt(int64(row)))
		}
		return []byte("some words")
	}
	file, _ := write(t, cols, Options{}, batches(cols, 10, cell))
	for i, chunk := range open(t, file).Metadata().RowGroups[0].Columns {
		kept := cols[i].Name == "id"
		if s := chunk.MetaData.Statistics; (s.MinValue != nil) != kept {
			t.Errorf("%s: the row group says %q", cols[i].Name, s.MinValue)
		}
		for _, h := range pageHeaders(t, file, chunk.MetaData) {
			if s := h.DataPageHeader.V.Statistics; (s.MinValue != nil) != kept {
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
