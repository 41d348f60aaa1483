package parquetio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

func text(s string) *string { return &s }

// everyType is a column of each type that a stage may have, with its limits.
func everyType() []schema.Column {
	cols := []schema.Column{
		{Name: "z_small", Type: schema.Type{Kind: schema.Smallint}},
		{Name: "int", Type: schema.Type{Kind: schema.Integer}},
		{Name: "big", Type: schema.Type{Kind: schema.Bigint}},
		{Name: "required_big", Type: schema.Type{Kind: schema.Bigint}, Required: true},
		{Name: "d1", Type: schema.Type{Kind: schema.Decimal, Precision: 1}},
		{Name: "d9", Type: schema.Type{Kind: schema.Decimal, Precision: 9, Scale: 2}},
		{Name: "d18", Type: schema.Type{Kind: schema.Decimal, Precision: 18, Scale: 18}},
		{Name: "d19", Type: schema.Type{Kind: schema.Decimal, Precision: 19, Scale: 4}},
		{Name: "d38", Type: schema.Type{Kind: schema.Decimal, Precision: 38, Scale: 37}},
		{Name: "bool", Type: schema.Type{Kind: schema.Boolean}},
		{Name: "date", Type: schema.Type{Kind: schema.Date}},
		{Name: "ts", Type: schema.Type{Kind: schema.Timestamp}},
		{Name: "char", Type: schema.Type{Kind: schema.Char, Length: 3}},
		{Name: "short", Type: schema.Type{Kind: schema.Varchar, Length: 36}},
		{Name: "long", Type: schema.Type{Kind: schema.Varchar, Length: schema.MaxVarchar}},
		{Name: "a_super", Type: schema.Type{Kind: schema.Super}},
		{Name: "const", Type: schema.Type{Kind: schema.Varchar, Length: 20}, Const: text("payroll"), Required: true},
	}
	return append(cols, schema.Technical()...)
}

// extremes returns values of the column that are at the limits of its type.
func extremes(c schema.Column) []any {
	switch c.Type.Kind {
	case schema.Smallint:
		return []any{int64(math.MinInt16), int64(math.MaxInt16), int64(0)}
	case schema.Integer, schema.Date:
		return []any{int64(math.MinInt32), int64(math.MaxInt32), int64(-1)}
	case schema.Bigint, schema.Timestamp:
		return []any{int64(math.MinInt64), int64(math.MaxInt64), int64(0)}
	case schema.Boolean:
		return []any{int64(0), int64(1)}
	case schema.Decimal:
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.Type.Precision)), nil)
		limit.Sub(limit, big.NewInt(1))
		if c.Type.Shape() == schema.Int {
			return []any{limit.Int64(), -limit.Int64(), int64(0)}
		}
		return []any{wide(limit), wide(new(big.Int).Neg(limit)), wide(big.NewInt(-1)), wide(big.NewInt(0))}
	case schema.Super:
		return []any{[]byte(`{"a":"` + strings.Repeat("ü", 20_000) + `"}`), []byte("null"), []byte("{}")}
	}
	return []any{[]byte(""), bytes.Repeat([]byte("x"), c.Type.Length), []byte(" ~")}
}

// wide returns 16 bytes of big-endian two's complement.
func wide(n *big.Int) []byte {
	if n.Sign() < 0 {
		n = new(big.Int).Add(n, new(big.Int).Lsh(big.NewInt(1), 128))
	}
	return n.FillBytes(make([]byte, 16))
}

// fill sets the cell to the value: nil, int64 or bytes.
func fill(v *columns.Vector, row int, value any) {
	v.Null[row] = value == nil
	switch value := value.(type) {
	case int64:
		v.I[row] = value
	case []byte:
		v.S[row] = value
	}
}

// batches returns n rows; cell gives each value.
func batches(cols []schema.Column, n int, cell func(row, col int) any) []*columns.Batch {
	var list []*columns.Batch
	for from := 0; from < n; from += columns.BatchRows {
		b := columns.NewBatch(cols)
		b.N = min(columns.BatchRows, n-from)
		for row := range b.N {
			for i := range cols {
				fill(&b.Cols[i], row, cell(from+row, i))
			}
		}
		list = append(list, b)
	}
	return list
}

// everyValue walks through the extremes, and NULL where it is allowed.
func everyValue(cols []schema.Column) func(row, col int) any {
	choices := make([][]any, len(cols))
	for i, c := range cols {
		switch {
		case c.Const != nil:
			choices[i] = []any{[]byte(*c.Const)}
		case c.Required:
			choices[i] = extremes(c)
		default:
			choices[i] = append(extremes(c), nil)
		}
	}
	return func(row, col int) any { return choices[col][row%len(choices[col])] }
}

func write(t *testing.T, cols []schema.Column, o Options, list []*columns.Batch) ([]byte, Summary) {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	s := writeTo(t, w, list)
	if s.Bytes != int64(out.Len()) {
		t.Errorf("Bytes = %d, the file has %d", s.Bytes, out.Len())
	}
	return out.Bytes(), s
}

func writeTo(t *testing.T, w *Writer, list []*columns.Batch) Summary {
	t.Helper()
	for _, b := range list {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	s, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func open(t *testing.T, file []byte) *parquet.File {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// read returns all values of every column, NULL as nil.
func read(t *testing.T, file []byte, cols []schema.Column) [][]any {
	t.Helper()
	out := make([][]any, len(cols))
	for _, group := range open(t, file).RowGroups() {
		for i, chunk := range group.ColumnChunks() {
			pages := chunk.Pages()
			for {
				page, err := pages.ReadPage()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s: %v", cols[i].Name, err)
				}
				values := make([]parquet.Value, page.NumValues())
				if n, err := page.Values().ReadValues(values); n != len(values) || (err != nil && !errors.Is(err, io.EOF)) {
					t.Fatalf("%s: %d of %d values, %v", cols[i].Name, n, len(values), err)
				}
				for _, v := range values {
					out[i] = append(out[i], decode(v, cols[i].Type))
				}
				parquet.Release(page)
			}
			if err := pages.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	return out
}

// decode turns a stored value into what a batch holds.
func decode(v parquet.Value, t schema.Type) any {
	switch {
	case v.IsNull():
		return nil
	case v.Kind() == parquet.Boolean:
		if v.Boolean() {
			return int64(1)
		}
		return int64(0)
	case v.Kind() == parquet.Int32:
		return int64(v.Int32())
	case v.Kind() == parquet.Int64:
		return v.Int64()
	case t.Shape() == schema.Wide:
		short := v.ByteArray()
		fill := byte(0)
		if short[0] >= 0x80 {
			fill = 0xff
		}
		return append(bytes.Repeat([]byte{fill}, 16-len(short)), short...)
	}
	return slices.Clone(v.ByteArray())
}

func compare(t *testing.T, cols []schema.Column, got [][]any, n int, cell func(row, col int) any) {
	t.Helper()
	for i, c := range cols {
		if len(got[i]) != n {
			t.Fatalf("%s: %d values, want %d", c.Name, len(got[i]), n)
		}
		for row := range n {
			if g, w := got[i][row], cell(row, i); !same(g, w) {
				t.Fatalf("%s: row %d is %v, want %v", c.Name, row, g, w)
			}
		}
	}
}

func same(a, b any) bool {
	x, ok1 := a.([]byte)
	y, ok2 := b.([]byte)
	if ok1 && ok2 {
		return bytes.Equal(x, y)
	}
	return ok1 == ok2 && a == b
}

func TestValuesComeBack(t *testing.T) {
	cols := everyType()
	for _, n := range []int{1, 11, 1024, 2500} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			cell := everyValue(cols)
			file, s := write(t, cols, Options{}, batches(cols, n, cell))
			if s.Rows != int64(n) || s.RowGroups != int64(len(open(t, file).RowGroups())) {
				t.Errorf("summary %+v of %d rows, %d row groups", s, n, len(open(t, file).RowGroups()))
			}
			compare(t, cols, read(t, file, cols), n, cell)
		})
	}
}

// pageHeaders walks the pages of a column chunk in the raw file.
func pageHeaders(t *testing.T, file []byte, chunk format.ColumnMetaData) []format.PageHeader {
	t.Helper()
	at := chunk.DataPageOffset
	if chunk.DictionaryPageOffset != 0 {
		at = chunk.DictionaryPageOffset
	}
	var list []format.PageHeader
	for values := int64(0); values < chunk.NumValues; {
		r := bytes.NewReader(file[at:])
		var h format.PageHeader
		if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r)).Decode(&h); err != nil {
			t.Fatal(err)
		}
		at += int64(len(file)) - at - int64(r.Len()) + int64(h.CompressedPageSize)
		if h.Type == format.DataPage {
			values += int64(h.DataPageHeader.V.NumValues)
		}
		list = append(list, h)
	}
	return list
}

func TestPagesAreWhatRedshiftReads(t *testing.T) {
	cols := everyType()
	file, _ := write(t, cols, Options{PageBytes: minPageBytes, RowGroupBytes: 1 << 20}, batches(cols, 5000, everyValue(cols)))
	meta := open(t, file).Metadata()
	for g, group := range meta.RowGroups {
		for i, chunk := range group.Columns {
			name := cols[i].Name
			if chunk.MetaData.Codec != format.Zstd {
				t.Errorf("%s: codec %s", name, chunk.MetaData.Codec)
			}
			if chunk.MetaData.BloomFilterOffset != 0 {
				t.Errorf("%s: bloom filter", name)
			}
			for _, e := range chunk.MetaData.Encoding {
				if e != format.Plain && e != format.RLE && e != format.RLEDictionary {
					t.Errorf("%s: encoding %s", name, e)
				}
			}
			pages := pageHeaders(t, file, chunk.MetaData)
			if len(pages) == 0 {
				t.Errorf("%s: no pages in row group %d", name, g)
			}
			for _, h := range pages {
				switch h.Type {
				case format.DictionaryPage:
					if e := h.DictionaryPageHeader.V.Encoding; e != format.Plain {
						t.Errorf("%s: dictionary encoding %s", name, e)
					}
				case format.DataPage:
					if e := h.DataPageHeader.V.Encoding; e != format.Plain && e != format.RLEDictionary {
						t.Errorf("%s: page encoding %s", name, e)
					}
				default:
					t.Errorf("%s: page type %s", name, h.Type)
				}
			}
		}
	}
}
