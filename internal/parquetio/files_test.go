package parquetio

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go/format"

	"backfill/internal/columns"
	"backfill/internal/schema"
)

func TestSchemaIsWhatRedshiftLoads(t *testing.T) {
	var logged bytes.Buffer
	log.SetOutput(&logged)
	defer log.SetOutput(log.Default().Writer())
	cols := everyType()
	file, _ := write(t, cols, Options{}, nil)
	want := `
optional INT32 z_small
optional INT32 int
optional INT64 big
required INT64 required_big
optional INT64 d1 DECIMAL(1,0)
optional INT64 d9 DECIMAL(9,2)
optional INT64 d18 DECIMAL(18,18)
optional FIXED_LEN_BYTE_ARRAY(9) d19 DECIMAL(19,4)
optional FIXED_LEN_BYTE_ARRAY(16) d38 DECIMAL(38,37)
optional BOOLEAN bool
optional INT32 date DATE converted 6
optional INT64 ts TIMESTAMP(isAdjustedToUTC=true,unit=MICROS) converted 10
optional BYTE_ARRAY char STRING converted 0
optional BYTE_ARRAY short STRING converted 0
optional BYTE_ARRAY long STRING converted 0
optional BYTE_ARRAY a_super STRING converted 0
required BYTE_ARRAY const STRING converted 0
required BYTE_ARRAY _kafka_topic STRING converted 0
required INT32 _kafka_partition
optional INT64 _kafka_offset
`
	var got strings.Builder
	got.WriteByte('\n')
	for _, e := range open(t, file).Metadata().Schema[1:] {
		fmt.Fprintf(&got, "%s %s", strings.ToLower(e.RepetitionType.V.String()), e.Type.V)
		if e.TypeLength.Valid {
			fmt.Fprintf(&got, "(%d)", e.TypeLength.V)
		}
		got.WriteString(" " + e.Name)
		if e.LogicalType.Value != nil {
			fmt.Fprintf(&got, " %s", e.LogicalType.Value)
		}
		switch {
		case e.Precision.Valid:
			if e.ConvertedType.V != 5 || !e.Scale.Valid {
				t.Errorf("%s: converted type %d, scale %v", e.Name, e.ConvertedType.V, e.Scale)
			}
		case e.ConvertedType.Valid:
			fmt.Fprintf(&got, " converted %d", e.ConvertedType.V)
		}
		got.WriteByte('\n')
	}
	if got.String() != want {
		t.Errorf("schema%s\nwant%s", got.String(), want)
	}
	if logged.Len() != 0 {
		t.Errorf("logged: %s", logged.String())
	}
}

// TestPathsNameTheColumns looks at later files and row groups, too: the library
// has lost the paths there.
func TestPathsNameTheColumns(t *testing.T) {
	cols, list := payroll(4)
	w, err := NewWriter(io.Discard, cols, Options{PageBytes: minPageBytes, RowGroupBytes: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		var out bytes.Buffer
		w.Reset(&out)
		if s := writeTo(t, w, list); s.RowGroups < 2 {
			t.Fatalf("%+v", s)
		}
		for _, g := range open(t, out.Bytes()).Metadata().RowGroups {
			for i, c := range g.Columns {
				if path := c.MetaData.PathInSchema; len(path) != 1 || path[0] != cols[i].Name {
					t.Fatalf("column %d is %q, not %s", i, path, cols[i].Name)
				}
			}
		}
	}
}

func TestNoRows(t *testing.T) {
	cols := everyType()
	file, s := write(t, cols, Options{}, []*columns.Batch{columns.NewBatch(cols)})
	if s.Rows != 0 || s.RowGroups != 0 || s.Bytes == 0 {
		t.Errorf("summary %+v", s)
	}
	if f := open(t, file); f.NumRows() != 0 || len(f.RowGroups()) != 0 || len(f.Schema().Columns()) != len(cols) {
		t.Errorf("%d rows, %d row groups, %d columns", f.NumRows(), len(f.RowGroups()), len(f.Schema().Columns()))
	}
}

func TestManyRowGroups(t *testing.T) {
	cols, list := payroll(20)
	var out bytes.Buffer
	w, err := NewWriter(&out, cols, Options{PageBytes: minPageBytes, RowGroupBytes: 100 << 10})
	if err != nil {
		t.Fatal(err)
	}
	var held int64
	for _, b := range list {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		held = max(held, w.Buffered())
	}
	s, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if limit := int64(100<<10 + 3*minPageBytes*len(cols)); held == 0 || held > limit {
		t.Errorf("%d bytes held, at most %d fit", held, limit)
	}
	if w.Buffered() != 0 {
		t.Errorf("%d bytes held by a closed file", w.Buffered())
	}
	f := open(t, out.Bytes())
	if s.RowGroups < 5 || int64(len(f.RowGroups())) != s.RowGroups || s.Rows != f.NumRows() {
		t.Errorf("summary %+v, the file has %d row groups of %d rows", s, len(f.RowGroups()), f.NumRows())
	}
	for i, g := range f.Metadata().RowGroups[:s.RowGroups-1] {
		if g.TotalCompressedSize < 100<<10 {
			t.Errorf("row group %d ended at %d bytes", i, g.TotalCompressedSize)
		}
	}
	compare(t, cols, read(t, out.Bytes(), cols), int(s.Rows), fromBatches(list))
}

func fromBatches(list []*columns.Batch) func(row, col int) any {
	return func(row, col int) any {
		v := &list[row/columns.BatchRows].Cols[col]
		row %= columns.BatchRows
		switch {
		case v.Null[row]:
			return nil
		case v.Shape == schema.Int:
			return v.I[row]
		}
		return v.S[row]
	}
}

// TestLongRows has texts that are longer than a page: pages may pass their size
// by a row, not by a batch.
func TestLongRows(t *testing.T) {
	cols := []schema.Column{{Name: "a", Type: schema.Type{Kind: schema.Super}}, {Name: "b", Type: schema.Type{Kind: schema.Varchar, Length: schema.MaxVarchar}}}
	cell := func(row, col int) any {
		return bytes.Repeat([]byte{'a' + byte(row%26)}, 60_000+row+col)
	}
	file, _ := write(t, cols, Options{PageBytes: minPageBytes, RowGroupBytes: 1 << 20}, batches(cols, 200, cell))
	compare(t, cols, read(t, file, cols), 200, cell)
	for _, g := range open(t, file).Metadata().RowGroups {
		for _, c := range g.Columns {
			for _, h := range pageHeaders(t, file, c.MetaData) {
				if h.UncompressedPageSize > 2*minPageBytes+2*61_000 {
					t.Fatalf("a page of %d bytes", h.UncompressedPageSize)
				}
			}
		}
	}
}

// codes has columns of few values that turn into many.
func codes() ([]schema.Column, func(row, col int) any) {
	cols := []schema.Column{
		{Name: "code", Type: schema.Type{Kind: schema.Char, Length: 4}},
		{Name: "day", Type: schema.Type{Kind: schema.Date}, Required: true},
	}
	return cols, func(row, col int) any {
		few := row
		if row < 40_000 {
			few = row % 90
		}
		if col == 1 {
			return int64(few * 7)
		}
		if row%5 == 0 {
			return nil
		}
		return fmt.Appendf(nil, "%04x", few&0xffff)
	}
}

// encodings returns how a chunk's data pages are encoded, without repetitions,
// and the size of its dictionary.
func encodings(t *testing.T, file []byte, c format.ColumnChunk) (kinds []format.Encoding, dictionary int32) {
	t.Helper()
	for _, h := range pageHeaders(t, file, c.MetaData) {
		if h.Type == format.DictionaryPage {
			dictionary = h.UncompressedPageSize
			continue
		}
		kinds = append(kinds, h.DataPageHeader.V.Encoding)
	}
	return slices.Compact(kinds), dictionary
}

func TestDictionaryGivesWay(t *testing.T) {
	const n = 120_000
	cols, cell := codes()
	o := Options{PageBytes: 64 << 10}
	file, _ := write(t, cols, o, batches(cols, n, cell))
	compare(t, cols, read(t, file, cols), n, cell)
	compare(t, cols, readArrow(t, file, cols), n, cell)
	for i, c := range open(t, file).Metadata().RowGroups[0].Columns {
		kinds, size := encodings(t, file, c)
		if limit := o.dictionaryBytes() + 8*columns.BatchRows; int(size) > limit {
			t.Errorf("%s: a dictionary of %d bytes", cols[i].Name, size)
		}
		if !slices.Equal(kinds, []format.Encoding{format.RLEDictionary, format.Plain}) {
			t.Errorf("%s: page encodings %v", cols[i].Name, kinds)
		}
	}
}

// TestValuesDecideOnDictionaries: whatever a column is declared to hold, a
// dictionary is for values that repeat, in every row group of the file.
func TestValuesDecideOnDictionaries(t *testing.T) {
	varchar := func(n int) schema.Type { return schema.Type{Kind: schema.Varchar, Length: n} }
	tests := []struct {
		typ  schema.Type
		cell func(row int) any
		want format.Encoding
	}{
		{varchar(36), func(row int) any { return fmt.Appendf(nil, "%036d", row) }, format.Plain},
		{varchar(36), func(row int) any { return fmt.Appendf(nil, "%036d", row%200) }, format.RLEDictionary},
		{varchar(256), func(int) any { return []byte("payroll") }, format.RLEDictionary},
		{varchar(257), func(int) any { return []byte("payroll") }, format.Plain},
		{schema.Type{Kind: schema.Super}, func(int) any { return []byte("{}") }, format.Plain},
		{schema.Type{Kind: schema.Bigint}, func(row int) any { return int64(row) << 33 }, format.Plain},
		{schema.Type{Kind: schema.Bigint}, func(row int) any { return int64(row%3) - 1 }, format.RLEDictionary},
		{schema.Type{Kind: schema.Smallint}, func(row int) any { return int64(row % 30_000) }, format.Plain},
		{schema.Type{Kind: schema.Date}, func(row int) any { return int64(row/5000 - 2) }, format.RLEDictionary},
		{schema.Type{Kind: schema.Decimal, Precision: 9, Scale: 2}, func(row int) any { return int64(row % 7) }, format.RLEDictionary},
		{schema.Type{Kind: schema.Boolean}, func(row int) any { return int64(row % 2) }, format.Plain},
	}
	const n = 40_000
	var cols []schema.Column
	for i, tt := range tests {
		cols = append(cols, schema.Column{Name: fmt.Sprint("c", i), Type: tt.typ, Required: i%2 == 0})
	}
	cell := func(row, col int) any {
		if row%11 == 3 && col%2 == 1 {
			return nil
		}
		return tests[col].cell(row)
	}
	file, s := write(t, cols, Options{PageBytes: 32 << 10, RowGroupBytes: 128 << 10}, batches(cols, n, cell))
	if s.RowGroups < 2 {
		t.Fatal("one row group")
	}
	compare(t, cols, read(t, file, cols), n, cell)
	compare(t, cols, readArrow(t, file, cols), n, cell)
	for _, g := range open(t, file).Metadata().RowGroups {
		for i, c := range g.Columns {
			if kinds, _ := encodings(t, file, c); len(kinds) != 1 || kinds[0] != tests[i].want {
				t.Errorf("%s %s: page encodings %v", c.MetaData.PathInSchema[0], cols[i].Type, kinds)
			}
		}
	}
}

// TestEqualInputGivesEqualBytes uses a writer after all that may have gone
// before: other values, a dictionary that gave way, an unfinished file, an error.
func TestEqualInputGivesEqualBytes(t *testing.T) {
	cols, cell := codes()
	o := Options{PageBytes: minPageBytes, RowGroupBytes: 64 << 10, Meta: map[string]string{"b": "2", "a": "1", "c": "3"}}
	list := batches(cols, 30_000, cell)
	other := batches(cols, 50_000, func(row, col int) any { return cell(row*3+1, col) })
	want, _ := write(t, cols, o, list)
	compare(t, cols, read(t, want, cols), 30_000, cell)
	w, err := NewWriter(io.Discard, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	before := map[string]func(){
		"a file":             func() { writeTo(t, w, other) },
		"nothing":            func() {},
		"an empty file":      func() { writeTo(t, w, nil) },
		"an unfinished file": func() { _ = w.Write(other[0]); _ = w.Write(other[1]) },
		"an unfinished dictionary": func() {
			for _, b := range other[:12] {
				_ = w.Write(b)
			}
		},
		"an error": func() {
			_ = w.Write(other[0])
			broken := columns.NewBatch(cols)
			broken.N, broken.Cols[1].Null[0] = 1, true
			if w.Write(broken) == nil {
				t.Error("NULL was taken")
			}
		},
	}
	for name, f := range before {
		w.Reset(io.Discard)
		f()
		var out bytes.Buffer
		w.Reset(&out)
		if s := writeTo(t, w, list); s.Bytes != int64(len(want)) || s.Rows != 30_000 {
			t.Errorf("after %s: %+v", name, s)
		}
		if !bytes.Equal(out.Bytes(), want) {
			t.Errorf("after %s: other bytes", name)
		}
	}
	f := open(t, want)
	for k, v := range o.Meta {
		if got, ok := f.Lookup(k); !ok || got != v {
			t.Errorf("footer: %s is %q", k, got)
		}
	}
}

// TestBatchIsFreeAfterWrite destroys what the values aliased.
func TestBatchIsFreeAfterWrite(t *testing.T) {
	cols := everyType()
	cell := everyValue(cols)
	var out bytes.Buffer
	w, err := NewWriter(&out, cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches(cols, 2000, func(row, col int) any {
		if s, ok := cell(row, col).([]byte); ok {
			return bytes.Clone(s)
		}
		return cell(row, col)
	}) {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		for i := range b.Cols {
			for row := range b.N {
				if v := &b.Cols[i]; v.Shape == schema.Int {
					v.I[row] = 0
				} else {
					clear(v.S[row])
				}
			}
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	compare(t, cols, read(t, out.Bytes(), cols), 2000, cell)
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	decimal := func(p int) schema.Type { return schema.Type{Kind: schema.Decimal, Precision: p, Scale: 2} }
	ten20 := wide64(0)
	hi, lo := pow10(20)
	for i := range 8 {
		ten20[7-i], ten20[15-i] = byte(hi>>(8*i)), byte(lo>>(8*i))
	}
	tests := []struct {
		typ   schema.Type
		value any
		want  string
	}{
		{schema.Type{Kind: schema.Smallint}, int64(32768), "32768 does not fit smallint"},
		{schema.Type{Kind: schema.Integer}, int64(-1<<31 - 1), "-2147483649 does not fit integer"},
		{schema.Type{Kind: schema.Date}, int64(1 << 31), "2147483648 does not fit date"},
		{schema.Type{Kind: schema.Boolean}, int64(2), "2 does not fit boolean"},
		{decimal(3), int64(1000), "1000 does not fit decimal(3,2)"},
		{decimal(18), int64(-1e18), "-1000000000000000000 does not fit decimal(18,2)"},
		{decimal(20), ten20, fmt.Sprintf("0x%x does not fit decimal(20,2)", ten20)},
		{decimal(20), []byte{1, 2}, "0x0102 does not fit decimal(20,2)"},
		{schema.Type{Kind: schema.Char, Length: 2}, []byte("abc"), "3 bytes do not fit char(2)"},
		{schema.Type{Kind: schema.Varchar, Length: 2}, []byte("üb"), "3 bytes do not fit varchar(2)"},
		{schema.Type{Kind: schema.Super}, make([]byte, 65536), "65536 bytes do not fit super"},
		{schema.Type{Kind: schema.Bigint}, nil, "NULL in a required column"},
	}
	for _, tt := range tests {
		cols := []schema.Column{{Name: "c", Type: tt.typ, Required: tt.value == nil}}
		good, bad := batches(cols, 1, everyValue(cols))[0], batches(cols, 1, func(_, _ int) any { return tt.value })[0]
		var out bytes.Buffer
		w, err := NewWriter(&out, cols, Options{})
		if err != nil {
			t.Fatal(err)
		}
		err = w.Write(bad)
		if want := "writing Parquet: column c: row 0 of the batch: " + tt.want; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", tt.typ, err, want)
			continue
		}
		if again := w.Write(good); again != err {
			t.Errorf("%s: after an error: %v", tt.typ, again)
		}
		if _, again := w.Close(); again != err {
			t.Errorf("%s: closed after an error: %v", tt.typ, again)
		}
		out.Reset()
		w.Reset(&out)
		if s := writeTo(t, w, []*columns.Batch{good}); s.Rows != 1 || open(t, out.Bytes()).NumRows() != 1 {
			t.Errorf("%s: after Reset: %+v", tt.typ, s)
		}
	}
}

func TestBatchesOfAnotherForm(t *testing.T) {
	cols := []schema.Column{{Name: "n", Type: schema.Type{Kind: schema.Integer}}, {Name: "s", Type: schema.Type{Kind: schema.Super}}}
	full := columns.NewBatch(cols)
	full.N = columns.BatchRows + 1
	for want, b := range map[string]*columns.Batch{
		"a batch of 1 columns for 2 columns":                       columns.NewBatch(cols[:1]),
		"column n: the batch's vector does not hold integer":       columns.NewBatch([]schema.Column{cols[1], cols[0]}),
		"a batch of 1025 rows, at most 1024 are allowed":           full,
		"the Parquet encoder gave up: runtime error: index out of": {N: 1, Cols: []columns.Vector{{Shape: schema.Int}, {Shape: schema.Bytes}}},
	} {
		w, err := NewWriter(io.Discard, cols, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(b); err == nil || !strings.HasPrefix(err.Error(), "writing Parquet: "+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestNewWriterRefuses(t *testing.T) {
	one := func(typ schema.Type) []schema.Column { return []schema.Column{{Name: "c", Type: typ}} }
	integer := schema.Type{Kind: schema.Integer}
	tests := []struct {
		cols []schema.Column
		o    Options
		want string
	}{
		{nil, Options{}, "no columns"},
		{append(one(integer), one(integer)...), Options{}, "column c stands twice"},
		{one(schema.Type{}), Options{}, "column c: no Parquet type for unknown"},
		{one(schema.Type{Kind: schema.Decimal, Precision: 39}), Options{}, "column c: decimal(39,0) is not a type"},
		{one(schema.Type{Kind: schema.Varchar}), Options{}, "column c: varchar(0) is not a type"},
		{one(integer), Options{PageBytes: 1}, "pages of 1 bytes in row groups of 33554432: a page needs at least 16384, a row group at least a page"},
		{one(integer), Options{RowGroupBytes: 1 << 10}, "pages of 524288 bytes in row groups of 1024: a page needs at least 16384, a row group at least a page"},
	}
	for _, tt := range tests {
		if _, err := NewWriter(io.Discard, tt.cols, tt.o); err == nil || err.Error() != "creating a Parquet writer: "+tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}

// limitedWriter fails, or panics, past so many bytes.
type limitedWriter struct {
	left  int
	panic bool
}

var errFull = errors.New("the disk is full")

func (w *limitedWriter) Write(p []byte) (int, error) {
	if len(p) > w.left {
		if w.panic {
			panic(errFull)
		}
		return 0, errFull
	}
	w.left -= len(p)
	return len(p), nil
}

func TestOutputFails(t *testing.T) {
	cols, list := payroll(3)
	o := Options{PageBytes: minPageBytes, RowGroupBytes: 64 << 10}
	want, _ := write(t, cols, o, list)
	w, err := NewWriter(io.Discard, cols, o)
	if err != nil {
		t.Fatal(err)
	}
	for left := 0; left < len(want); left += len(want)/5 + 1 {
		for _, panics := range []bool{false, true} {
			w.Reset(&limitedWriter{left, panics})
			var err error
			for _, b := range list {
				if err = w.Write(b); err != nil {
					break
				}
			}
			if err == nil {
				_, err = w.Close()
			}
			if err == nil || !strings.Contains(err.Error(), errFull.Error()) || !panics && !errors.Is(err, errFull) {
				t.Fatalf("%d bytes fit, panic %t: %v", left, panics, err)
			}
			var out bytes.Buffer
			w.Reset(&out)
			if writeTo(t, w, list); !bytes.Equal(out.Bytes(), want) {
				t.Fatalf("other bytes after an error at %d", left)
			}
		}
	}
}

func TestClosedFile(t *testing.T) {
	cols, list := payroll(1)
	w, err := NewWriter(io.Discard, cols, Options{})
	if err != nil {
		t.Fatal(err)
	}
	writeTo(t, w, list)
	const want = "writing Parquet: the file is closed"
	if err := w.Write(list[0]); err == nil || err.Error() != want {
		t.Errorf("write: %v", err)
	}
	if _, err := w.Close(); err == nil || err.Error() != want {
		t.Errorf("close: %v", err)
	}
}
