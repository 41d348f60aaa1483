package scan

import (
	"fmt"
	"strings"

	"backfill/internal/account"
	"backfill/internal/fail"
)

// inText reads lines as texts; inDebezium and inConnect open Debezium's events.
const (
	inText     = `{text: {delimiter: "\n"}}`
	inBytes    = `{bytes: {delimiter: "\n"}}`
	inDebezium = "  envelope: debezium\n"
	inConnect  = "  envelope: [connect, debezium]\n"
)

const customer = `  - {name: id, type: integer, from: value.id, required: true}
  - {name: first, type: varchar(20), from: value.first_name}
  - {name: email, type: varchar(40), from: value.email}
  - {name: op, type: char(1), from: envelope.op}
  - {name: query, type: varchar(200), from: envelope.source.query}
`

const customerRow = "1004 | Anne | annek@noanswer.org | %s | INSERT INTO customers (first_name, last_name, email) VALUES ('Anne', 'Kretchmar', 'annek@noanswer.org')"

// fixtures are all files of fixtureFolders, by what they exercise.
func fixtures() []fixture {
	var all []fixture
	for _, list := range [][]fixture{avroFixtures(), parquetFixtures(), typedParquet(), textFixtures(), refusedFixtures()} {
		all = append(all, list...)
	}
	return all
}

func avroFixtures() []fixture {
	oneNull := account.Tally{account.Row: 1, account.Tombstone: 1}
	reading := "  - {name: station, type: char(12), from: value.station}\n  - {name: at, type: timestamp, from: value.time}\n  - {name: temp, type: smallint, from: value.temp}\n"
	readings := []string{
		"011990-99999 | 1950-05-15T14:00:00Z | 0", "011990-99999 | 1950-05-15T19:00:00Z | 22", "011990-99999 | 1950-05-16T01:00:00Z | -11",
		"012650-99999 | 1949-03-24T20:00:00Z | 111", "012650-99999 | 1949-03-25T02:00:00Z | 78",
	}
	return []fixture{
		{file: "weather.avro"},
		{file: "weather.avro", columns: reading, rows: readings, format: "avro"},
		{file: "weather-deflate.avro"},
		{file: "weather-snappy.avro"},
		{file: "weather-zstd.avro"},
		{file: "weather-sorted.avro"},
		{file: "syncInMeta.avro"},
		{file: "quickstop-null.avro"},
		{file: "quickstop-deflate.avro"},
		{file: "withUnion.avro"},
		{file: "avro-1237-good.avro", tally: oneNull},
		{file: "avro-1238-good.avro", tally: oneNull},
		{file: "avro-1279-codec.avro"},
		{file: "avro-1279-no-codec.avro"},
		{file: "lenses.avro"},
		// Four bytes that begin no format are a record of JSON that can't be read, and no byte is no record.
		{file: "bad-header.avro", tally: account.Tally{account.Unreadable: 1}, reasons: map[string]int64{"malformed_json": 1}, columns: reading},
		{file: "temp0.avro", format: "avro", columns: reading},
	}
}

func parquetFixtures() []fixture {
	var list []fixture
	for _, name := range []string{
		"alltypes_dictionary", "alltypes_plain", "alltypes_plain.snappy", "binary", "byte_stream_split.zstd",
		"datapage_v1-snappy-compressed-checksum", "datapage_v2.snappy", "delta_binary_packed", "delta_byte_array",
		"delta_length_byte_array", "fixed_length_decimal", "fixed_length_decimal_legacy", "incorrect_map_schema",
		"int32_decimal", "int32_with_null_pages", "int64_decimal", "lenses", "list_columns", "lz4_raw_compressed",
		"map_no_value", "nan_in_stats", "nested_lists.snappy", "nested_structs.rust", "nonnullable.impala",
		"nullable.impala", "nulls.snappy", "old_list_structure", "repeated_no_annotation", "repeated_primitive_no_list",
		"unknown-logical-type", "bad-ARROW-GH-43605",
	} {
		list = append(list, fixture{file: name + ".parquet"})
	}
	return list
}

// typedParquet reads into columns of the types that the files mean.
func typedParquet() []fixture {
	var list []fixture
	for _, c := range [][2]string{{"int32_decimal", "4,2"}, {"int64_decimal", "10,2"}, {"fixed_length_decimal", "25,2"}, {"fixed_length_decimal_legacy", "13,2"}} {
		f := fixture{file: c[0] + ".parquet", format: "parquet", columns: "  - {name: v, type: 'decimal(" + c[1] + ")', from: value.value, required: true}\n"}
		for i := range 24 {
			f.rows = append(f.rows, fmt.Sprintf("%d.00", i+1))
		}
		list = append(list, f)
	}
	all := fixture{file: "alltypes_plain.snappy.parquet", columns: `  - {name: id, type: bigint, from: value.id}
  - {name: flag, type: boolean, from: value.bool_col}
  - {name: small, type: smallint, from: value.smallint_col}
  - {name: at, type: timestamp, from: value.timestamp_col}
  - {name: ratio, type: "decimal(4,1)", from: value.double_col}
  - {name: text, type: varchar(12), from: value.date_string_col}
  - {name: missing, type: varchar(8), from: value.no_such_column}
`, rows: []string{"6 | true | 0 | 2009-04-01T00:00:00Z | 0.0 | MDQvMDEvMDk= | NULL", "7 | false | 1 | 2009-04-01T00:01:00Z | 10.1 | MDQvMDEvMDk= | NULL"}}
	return append(list, all)
}

func textFixtures() []fixture {
	list := []fixture{
		{file: "uncompressed.log", format: inText},
		{file: "compressed.log.gz", format: inText},
		{file: "compressed.log.gzip", format: inText},
		{file: "multiple_compressed_streams.gz", format: inText},
		{file: "multiline.log", format: inText},
		{file: "invalid_utf8.gbk.log", format: inText, columns: "  - {name: v, type: varchar(10), from: value}\n", rows: []string{""},
			tally: account.Tally{account.Row: 1, account.Unreadable: 1}, reasons: map[string]int64{"invalid_utf8": 1}},
		{file: "invalid_utf8.gbk.log", format: inBytes, columns: "  - {name: v, type: varchar(200), from: value}\n", rows: []string{
			"MjAxNS0wMS0wMVQwMjo1Mjo0NS44NjY3MjJaIG5vICJHRVQgaHR0cDovL3d3dy5sb2dzdGFzaC5jb206ODAvdXRmbWFkbmVzcy+h1jRvZCBIVFRQLzEuMSI=", ""}},
		{file: "json.log"},
		{file: "lenses.json"},
		{file: "lenses.csv", format: "csv"},
		{file: "delta_byte_array_expect.csv", format: "csv"},
		{file: "delta_byte_array_expect.csv", format: "csv", expected: "delta_byte_array.parquet"},
		{file: "delta_binary_packed_expect.csv", format: "csv"},
		{file: "serde-with-schema.json", records: inConnect, columns: strings.ReplaceAll(customer, "envelope.", "envelope.payload."), rows: []string{fmt.Sprintf(customerRow, "c")}},
		{file: "serde-without-schema.json", records: inDebezium, columns: customer, rows: []string{fmt.Sprintf(customerRow, "c")}},
		{file: "serde-update.json", records: inDebezium, columns: customer, rows: []string{fmt.Sprintf(customerRow, "u")}},
		{file: "serde-unknown-property.json", records: inDebezium, columns: customer, rows: []string{fmt.Sprintf(customerRow, "u")}},
		{file: "serde-without-schema.json", records: inConnect, tally: account.Tally{account.Unreadable: 1}, reasons: map[string]int64{"no_envelope": 1},
			columns: customer, rows: nil},
	}
	for _, name := range []string{"with-schema", "without-schema", "update", "unknown-property"} {
		list = append(list, fixture{file: "serde-" + name + ".json"})
	}
	return list
}

func refusedFixtures() []fixture {
	return []fixture{
		{file: "avro-1238-truncated.avro", code: fail.Damaged, refused: "the file is cut off"},
		{file: "avro-1237-bad-union-discriminant.avro", code: fail.Damaged, refused: "a value does not fit the file's schema"},
		{file: "syncMarkerMismatch.avro", code: fail.Damaged, refused: "a block does not end in the file's marker"},
		{file: "blockCountExceedsMaxBlockCount.avro", code: fail.Damaged, refused: "the file is cut off"},
		{file: "blockSizeNotGreaterThanZero.avro", code: fail.Damaged, refused: "the file is cut off"},
		{file: "cannotReadBlockSize.avro", code: fail.Damaged, refused: "the file is cut off"},
		{file: "bad-header.avro", format: "avro", code: fail.BadLayout, refused: "the object is no Avro file, and archive.format says avro"},
		{file: "bad-ARROW-GH-41321.parquet", code: fail.Damaged, refused: "the Parquet file is damaged"},
		{file: "hadoop_lz4_compressed.parquet", code: fail.BadLayout, refused: "codec LZ4 is not read"},
		{file: "non_hadoop_lz4_compressed.parquet", code: fail.BadLayout, refused: "codec LZ4 is not read"},
		{file: "large_string_map.brotli.parquet", code: fail.Memory, refused: "needs more than 134217728 bytes for its open pages"}, // 2 GiB of text
		{file: "datapage_v2_empty_datapage.snappy.parquet", code: fail.BadLayout, refused: "a data page V2 of NULLs alone, compressed to nothing, which is not read"},
	}
}
