package writers

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// intact are files that load, of several writers, codecs and shapes.
var intact = []struct{ file, columns string }{
	{"pyarrow/string", "v varchar(30)"},
	{"pyarrow/codec-snappy", "v varchar(300)"},
	{"pyarrow/codec-gzip", "v varchar(300)"},
	{"pyarrow/codec-zstd", "v varchar(300)"},
	{"pyarrow/decimal-38", "v decimal(38,10)"},
	{"pyarrow/timestamp-int96", "v timestamp"},
	{"pyarrow/list-of-lists", "v super"},
	{"duckdb/scalars", scalars},
	{"parquet-java/scalars-snappy", scalars},
	{"parquet-testing/list_columns", "a super, b super"}, // no structs: the names of their fields are data
}

// flips is how many bits of each file are tried, one at a time.
const flips = 30

// A file that ends too early is refused, wherever it ends.
func TestTruncated(t *testing.T) {
	w := start(t)
	for _, f := range intact {
		t.Run(f.file, func(t *testing.T) {
			body := read(t, f.file)
			for _, size := range []int{0, 1, 4, 8, 11, 12, len(body) / 3, len(body) / 2, len(body) - 9, len(body) - 8, len(body) - 4, len(body) - 1} {
				w.refused(t, w.load(t, f.columns, body[:size]), "Spectrum Scan Error")
			}
		})
	}
}

// A flipped bit where a file tells about itself, in the headers of pages or in the footer, never breaks the server and
// never makes other rows of it: the file is refused, or what was damaged is of no matter and the rows are the true ones.
func TestFlippedBits(t *testing.T) {
	w := start(t)
	for _, f := range intact {
		t.Run(f.file, func(t *testing.T) {
			body := read(t, f.file)
			if err := w.load(t, f.columns, body); err != nil {
				t.Fatal(err)
			}
			want := sorted(w.rows(t, "SELECT * FROM x"))
			at := descriptions(t, body)
			random := rand.New(rand.NewPCG(1, uint64(len(body))))
			refused := 0
			for range flips {
				bit := random.IntN(8 * len(at))
				damaged := bytes.Clone(body)
				damaged[at[bit/8]] ^= 1 << (bit % 8)
				err := w.load(t, f.columns, damaged)
				var pg *pgconn.PgError
				switch {
				case errors.As(err, &pg) && pg.Code == "XX000":
					refused++
					if n := w.rows(t, "SELECT * FROM x"); n != "" {
						t.Errorf("bit %d of byte %d: rows were loaded by a COPY that failed:\n%s", bit%8, at[bit/8], n)
					}
				case err != nil:
					t.Fatalf("bit %d of byte %d: %v", bit%8, at[bit/8], err)
				default:
					if got := sorted(w.rows(t, "SELECT * FROM x")); got != want {
						t.Errorf("bit %d of byte %d: other rows were loaded:\n%.1000s", bit%8, at[bit/8], got)
					}
				}
			}
			if refused == 0 {
				t.Error("no damage was noticed")
			}
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", file+".parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// descriptions are the places of all bytes in page headers, in the footer and behind it.
func descriptions(t *testing.T, body []byte) []int {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)), parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		t.Fatal(err)
	}
	var at []int
	mark := func(from, to int) {
		for i := from; i < to; i++ {
			at = append(at, i)
		}
	}
	for _, g := range f.Metadata().RowGroups {
		for _, c := range g.Columns {
			m := &c.MetaData
			place := m.DataPageOffset
			if m.DictionaryPageOffset > 0 {
				place = min(place, m.DictionaryPageOffset)
			}
			for end := place + m.TotalCompressedSize; place < end; {
				r := bytes.NewReader(body[place:end])
				var h format.PageHeader
				if err := thrift.NewDecoder(new(thrift.CompactProtocol).NewReader(r)).Decode(&h); err != nil {
					t.Fatal(fmt.Errorf("page header at %d: %w", place, err))
				}
				length := r.Size() - int64(r.Len())
				mark(int(place), int(place+length))
				place += length + int64(h.CompressedPageSize)
			}
		}
	}
	footer := int(body[len(body)-8]) | int(body[len(body)-7])<<8
	mark(len(body)-8-footer, len(body))
	return at
}

// What parquet-go writes unless told otherwise does not load; with the settings that Redshift needs it does.
func TestParquetGo(t *testing.T) {
	w := start(t)
	type row struct {
		ID   int64  `parquet:"id"`
		Name string `parquet:"name"`
	}
	write := func(options ...parquet.WriterOption) []byte {
		var b bytes.Buffer
		p := parquet.NewGenericWriter[row](&b, options...)
		_, err := p.Write([]row{{1, "one"}, {2, "two"}})
		if err := errors.Join(err, p.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	const columns = "id bigint, name varchar(9)"
	plain := parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain)
	w.refused(t, w.load(t, columns, write()), version2)
	w.refused(t, w.load(t, columns, write(parquet.DataPageVersion(1))), "encoding DELTA_LENGTH_BYTE_ARRAY is not supported "+strict)
	w.refused(t, w.load(t, columns, write(plain)), version2)
	for name, options := range map[string][]parquet.WriterOption{"none": nil, "snappy": {parquet.Compression(&parquet.Snappy)}, "zstd": {parquet.Compression(&parquet.Zstd)}, "gzip": {parquet.Compression(&parquet.Gzip)}} {
		if err := w.load(t, columns, write(append(options, plain, parquet.DataPageVersion(1))...)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := sorted(w.rows(t, "SELECT * FROM x")); got != "\n1|one\n2|two" {
			t.Errorf("%s: %s", name, got)
		}
	}
}
