package parquetio

import (
	"bytes"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"

	"backfill/internal/schema"
)

// TestAnotherLibraryReadsTheSame reads files of all types with Arrow's reader,
// which shares no code with the library that wrote them. DuckDB reads whole
// conversions in the tests of the command.
func TestAnotherLibraryReadsTheSame(t *testing.T) {
	cols := everyType()
	for _, n := range []int{1, 1025, 9000} { // 9000 ends a dictionary's page
		cell := everyValue(cols)
		text, _ := write(t, cols, Options{PageBytes: 64 << 10, RowGroupBytes: 256 << 10}, batches(cols, n, cell))
		compare(t, cols, readArrow(t, text, cols), n, cell)
	}
}

func readArrow(t *testing.T, text []byte, cols []schema.Column) [][]any {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	out := make([][]any, len(cols))
	for g := range r.NumRowGroups() {
		for i, c := range cols {
			if name := r.MetaData().Schema.Column(i).Name(); name != c.Name {
				t.Fatalf("column %d is %s, want %s", i, name, c.Name)
			}
			chunk, err := r.RowGroup(g).Column(i)
			if err != nil {
				t.Fatal(err)
			}
			for chunk.HasNext() {
				out[i] = append(out[i], arrowValues(t, chunk, c.Type)...)
			}
			if err := chunk.Err(); err != nil {
				t.Fatalf("%s: %v", c.Name, err)
			}
		}
	}
	return out
}

// arrowValues reads some values of a chunk, NULL as nil.
func arrowValues(t *testing.T, chunk file.ColumnChunkReader, typ schema.Type) []any {
	t.Helper()
	const batch = 1000
	levels := make([]int16, batch)
	var values []any
	var total int64
	var err error
	switch r := chunk.(type) {
	case *file.BooleanColumnChunkReader:
		list := make([]bool, batch)
		var n int
		total, n, err = r.ReadBatch(batch, list, levels, nil)
		for _, v := range list[:n] {
			values = append(values, map[bool]int64{true: 1}[v])
		}
	case *file.Int32ColumnChunkReader:
		list := make([]int32, batch)
		var n int
		total, n, err = r.ReadBatch(batch, list, levels, nil)
		for _, v := range list[:n] {
			values = append(values, int64(v))
		}
	case *file.Int64ColumnChunkReader:
		list := make([]int64, batch)
		var n int
		total, n, err = r.ReadBatch(batch, list, levels, nil)
		for _, v := range list[:n] {
			values = append(values, v)
		}
	case *file.ByteArrayColumnChunkReader:
		list := make([]parquet.ByteArray, batch)
		var n int
		total, n, err = r.ReadBatch(batch, list, levels, nil)
		for _, v := range list[:n] {
			values = append(values, bytes.Clone(v))
		}
	case *file.FixedLenByteArrayColumnChunkReader:
		list := make([]parquet.FixedLenByteArray, batch)
		var n int
		total, n, err = r.ReadBatch(batch, list, levels, nil)
		for _, v := range list[:n] {
			fill := byte(0)
			if v[0] >= 0x80 {
				fill = 0xff
			}
			values = append(values, append(bytes.Repeat([]byte{fill}, 16-len(v)), v...))
		}
	default:
		t.Fatalf("no reader for %T", chunk)
	}
	if err != nil {
		t.Fatalf("%s: %v", typ, err)
	}
	if chunk.Descriptor().MaxDefinitionLevel() == 0 {
		return values
	}
	out := make([]any, total)
	for i, at := 0, 0; i < len(out); i++ {
		if levels[i] > 0 {
			out[i] = values[at]
			at++
		}
	}
	return out
}
