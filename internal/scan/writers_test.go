package scan

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/kafka"
)

// writersFolder has the twenty records of testdata/formats/plain.jsonl as many
// programs write them: make.py and Make.java have how.
const writersFolder = "testdata/writers"

// written is a file of writersFolder and how a dataset reads it.
type written struct {
	file, format, records string
	base64                bool // decimals are base64 of their unscaled value
	micros                bool // times are numbers
}

func writers() []written {
	list := []written{
		{file: "connect-schemas-base64.jsonl", records: "  envelope: connect\n", base64: true, micros: true},
		{file: "connect-base64.jsonl", base64: true, micros: true},
		{file: "connect-numeric.jsonl", micros: true},
		{file: "connect-variable-scale.jsonl", micros: true},
		{file: "duckdb.csv", format: "csv"},
		{file: "polars.csv", format: "csv"},
	}
	for _, file := range []string{
		"avro-java-deflate.avro", "avro-java-snappy.avro", "avro-java-zstandard.avro", "avro-python.avro",
		"duckdb-brotli.parquet", "duckdb-gzip.parquet", "duckdb-lz4_raw.parquet", "duckdb-snappy.parquet", "duckdb-uncompressed.parquet",
		"duckdb-version-2.parquet", "duckdb-zstd.parquet", "duckdb.json", "duckdb.jsonl",
		"fastavro-connect-snappy.avro", "fastavro-connect-zstandard.avro", "fastavro-variable-scale.avro",
		"parquet-avro-gzip.parquet", "parquet-avro-snappy.parquet", "parquet-avro-version-2.parquet", "parquet-avro-zstd.parquet",
		"polars-deflate.avro", "polars-lz4.parquet", "polars-snappy.avro", "polars-snappy.parquet", "polars-uncompressed.avro",
		"polars-zstd.parquet", "polars.jsonl",
	} {
		list = append(list, written{file: file})
	}
	return list
}

// dataset compiles the dataset of TestSameRecords with what the file needs.
func (w written) dataset(t testing.TB) *dataset.Dataset {
	t.Helper()
	format := w.format
	if format == "" {
		format = "auto"
	}
	text := strings.Replace(fmt.Sprintf(datasetText, w.records, 4), "layout: confluent}", "layout: confluent, format: "+format+"}", 1)
	if w.base64 {
		text = strings.NewReplacer("from: value.amount}", "from: value.amount, unscaled: 2}", "from: value.wide}", "from: value.wide, unscaled: 4}").Replace(text)
	}
	if w.micros {
		text = strings.NewReplacer("event_time: value.at\n", "event_time: value.at\n  event_time_unit: micros\n",
			"from: value.at, required: true}", "from: value.at, required: true, unit: micros}").Replace(text)
	}
	ds, err := dataset.Compile("events.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

// TestOtherWriters reads the same records from the files of DuckDB, polars,
// fastavro, Avro's and Parquet's own writers and Connect's JsonConverter: rows,
// money and dispositions are the same.
func TestOtherWriters(t *testing.T) {
	read := func(t *testing.T, ds *dataset.Dataset, body []byte) (*recorder, *account.Chunk) {
		t.Helper()
		a, sink := newArchive().add("A", 100, body), &recorder{}
		counts, err := newScanner(t, ds, a).Chunk(context.Background(), a.cut(0)[0], sink)
		if err != nil {
			t.Fatal(err)
		}
		return sink, counts
	}
	truth, want := read(t, compileWith(t, "auto", ""), madeFile(t, "plain.jsonl"))
	if want.Tally[account.Row] < 10 || want.Tally[account.Filtered] < 5 || want.Tally.Read() != 20 {
		t.Fatalf("%+v", want.Tally)
	}
	for _, w := range writers() {
		t.Run(w.file, func(t *testing.T) {
			body, err := os.ReadFile(writersFolder + "/" + w.file)
			if err != nil {
				t.Fatal(err)
			}
			sink, counts := read(t, w.dataset(t), body)
			if counts.Tally != want.Tally || counts.Objects[0].Proof != kafka.ProofDerived {
				t.Fatalf("%v, %s; want %v; %+v", counts.Tally, counts.Objects[0].Proof, want.Tally, sink.rejects)
			}
			for i, row := range truth.rows {
				if sink.rows[i] != row {
					t.Fatalf("row %d\n got %+v\nwant %+v", i, sink.rows[i], row)
				}
			}
			for place, cell := range want.Cells {
				if got := counts.Cells[place]; got == nil || !got.Equal(cell) {
					t.Errorf("at %+v %+v, want %+v", place, got, cell)
				}
			}
		})
	}
}

// writerFixtures are the same files, for the tests that damage them.
func writerFixtures() []fixture {
	var list []fixture
	for _, w := range writers() {
		list = append(list, fixture{file: w.file, format: w.format, records: w.records})
	}
	return list
}
