package writers

import (
	"fmt"
	"strings"
)

// testCase is a file, the columns of the table it is loaded into, and, if it is refused, what the error says.
type testCase struct {
	file, columns string
	refused       string
}

const (
	incompatible = "has an incompatible Parquet schema for column 's3://lake/f.parquet.v'."
	strict       = "(stand-in strictness)"
	version2     = "data page version 2 is not supported (stand-in strictness)"
	scalars      = "a boolean, b smallint, c integer, d bigint, e real, f double precision, g varchar(20), h date, i timestamp"
)

func cases() []testCase {
	var all []testCase
	for writer, list := range map[string][]testCase{
		"pyarrow": pyarrow(), "duckdb": duckdb(), "polars": polars(), "fastparquet": fastparquet(), "parquet-java": parquetJava(),
		"parquet-testing": parquetTesting(), "stream-reactor": {{"1", "name varchar(100), title varchar(200), salary double precision", ""}},
	} {
		for _, c := range list {
			c.file = writer + "/" + c.file
			all = append(all, c)
		}
	}
	return all
}

func pyarrow() []testCase {
	return []testCase{
		{"boolean", "v boolean", ""},
		{"int8", "v smallint", ""},
		{"int16", "v smallint", ""},
		{"int32", "v integer", ""},
		{"int64", "v bigint", ""},
		{"required", "v bigint", ""},
		{"float", "v real", ""},
		{"double", "v double precision", ""},
		{"string", "v varchar(30)", ""},
		{"large-string", "v varchar(30)", ""},
		{"string-plain", "v char(1)", ""},
		{"dictionary-type", "v varchar(1)", ""},
		{"date", "v date", ""},
		{"timestamp-millis", "v timestamp", ""},
		{"timestamp-micros", "v timestamp", ""},
		{"timestamp-micros-utc", "v timestamp", ""},
		{"timestamp-int96", "v timestamp", ""},
		{"decimal-9-fixed", "v decimal(9,2)", ""},
		{"decimal-9-int32", "v decimal(9,2)", ""},
		{"decimal-18-fixed", "v decimal(18,2)", ""},
		{"decimal-18-int64", "v decimal(18,2)", ""},
		{"decimal-38", "v decimal(38,10)", ""},
		{"list", "v super", ""},
		{"list-of-lists", "v super", ""},
		{"struct", "v super", ""},
		{"map", "v super", ""},
		{"list-of-structs", "v super", ""},
		{"struct-with-a-date", "v super", "int32 a (date) [i:1 d:1 r:0] inside of a nested column is not supported " + strict},
		{"list-of-unsigned", "v super", "inside of a nested column is not supported " + strict},
		{"two-of-one-type", "second integer, first integer", ""}, // by position: the names are not looked at
		{"codec-snappy", "v varchar(300)", ""},
		{"codec-gzip", "v varchar(300)", ""},
		{"codec-zstd", "v varchar(300)", ""},
		{"codec-brotli", "v varchar(300)", "compression BROTLI is not supported " + strict},
		{"codec-lz4", "v varchar(300)", "compression LZ4_RAW is not supported " + strict},
		{"format-1.0", "v timestamp", ""},
		{"format-2.4", "v timestamp", ""},
		{"format-2.6", "v timestamp", ""},
		{"page-version-2", "v integer", version2},
		{"page-version-2-snappy", "v varchar(20)", version2},
		{"delta-binary-packed", "v integer", "encoding DELTA_BINARY_PACKED is not supported " + strict},
		{"delta-length-byte-array", "v varchar(9)", "encoding DELTA_LENGTH_BYTE_ARRAY is not supported " + strict},
		{"delta-byte-array", "v varchar(9)", "encoding DELTA_BYTE_ARRAY is not supported " + strict},
		{"byte-stream-split", "v double precision", "encoding BYTE_STREAM_SPLIT is not supported " + strict},
		{"rle-boolean", "v boolean", "page encoding RLE is not supported " + strict},
		{"timestamp-nanos", "v timestamp", strict},
		{"uint8", "v smallint", strict},
		{"uint16", "v integer", strict},
		{"uint32", "v bigint", strict},
		{"uint64", "v bigint", strict},
		{"time-millis", "v varchar(9)", incompatible},
		{"time-micros", "v bigint", incompatible},
		{"duration", "v bigint", ""}, // a plain INT64: Parquet has no such type
		{"float16", "v real", incompatible},
		{"decimal-40", "v decimal(38,2)", incompatible},
		{"binary", "v varchar(9)", incompatible},
		{"fixed-binary", "v varchar(16)", incompatible},
		{"uuid", "v varchar(36)", incompatible},
		{"null-type", "v integer", incompatible},
		{"no-rows", "v integer", ""},
		{"all-null", "v varchar(9)", ""},
		{"many-row-groups", "v integer", ""},
		{"large-row-group", "v integer", ""}, // whose golden text is a sum of it
		{"many-pages", "v varchar(9)", ""},
		{"dictionary-then-plain", "v varchar(9)", ""},
		{"page-checksums", "v integer", ""},
		{"page-index", "v integer", ""},
		{"no-statistics", "v integer", ""},
	}
}

func duckdb() []testCase {
	return []testCase{
		{"scalars", scalars, ""},
		{"decimals", "a decimal(4,2), b decimal(9,2), c decimal(18,2), d decimal(38,10)", ""},
		{"timestamptz", "v timestamp", ""},
		{"codec-snappy", "v varchar(9)", ""},
		{"codec-gzip", "v varchar(9)", ""},
		{"codec-zstd", "v varchar(9)", ""},
		{"codec-uncompressed", "v varchar(9)", ""},
		{"codec-brotli", "v varchar(9)", "compression BROTLI is not supported " + strict},
		{"codec-lz4_raw", "v varchar(9)", "compression LZ4_RAW is not supported " + strict},
		{"nested", "l super, s super", ""},
		{"map", "v super", ""},
		{"many-row-groups", "v integer", ""},
		{"no-rows", "v integer", ""},
		{"version-2", "v integer", strict},
		{"version-2-strings", "v varchar(9)", strict},
		{"timestamp-nanos", "v timestamp", strict},
		{"uuid", "v varchar(36)", incompatible},
		{"time", "v varchar(9)", incompatible},
		{"hugeint", "v decimal(38,0)", incompatible}, // a DOUBLE in the file
		{"unsigned", "v bigint", strict},
		{"interval", "v varchar(9)", incompatible},
		{"enum", "v varchar(9)", ""}, // text in the file
		{"blob", "v varchar(9)", incompatible},
	}
}

func polars() []testCase {
	return []testCase{
		{"scalars", "a boolean, b bigint, c double precision, d varchar(9), e date, f timestamp", ""},
		{"decimal", "v decimal(18,2)", ""},
		{"list", "v super", ""},
		{"categorical", "v varchar(9)", ""},
		{"lz4", "v varchar(100)", "compression LZ4_RAW is not supported " + strict},
		{"datetime-nanos", "v timestamp", strict},
		{"unsigned", "v bigint", strict},
		{"no-rows", "v bigint", ""},
	}
}

func fastparquet() []testCase {
	return []testCase{
		{"int64", "v bigint", ""},
		{"string", "v varchar(9)", ""},
		{"snappy", "v bigint", ""},
		{"timestamp-int96", "v timestamp", ""},
		{"timestamp-micros", "v timestamp", ""},
		{"row-groups", "v bigint", ""},
	}
}

func parquetJava() []testCase {
	return []testCase{
		{"scalars", scalars, ""},
		{"scalars-snappy", scalars, ""},
		{"scalars-gzip", scalars, ""},
		{"scalars-zstd", scalars, ""},
		{"scalars-lz4-raw", scalars, "compression LZ4_RAW is not supported " + strict},
		{"version-2", scalars, strict},
		{"decimal-int32", "v decimal(9,2)", ""},
		{"decimal-int64", "v decimal(18,2)", ""},
		{"decimal-fixed-minimal", "v decimal(18,2)", ""},
		{"decimal-fixed-wide", "v decimal(18,2)", "column 'v' has an invalid type length. Expecting: 8 len in file: 13"},
		{"decimal-binary", "v decimal(18,2)", incompatible},
		{"int96", "v timestamp", ""},
		{"list", "v super", ""},
		{"struct", "v super", ""},
		{"enum", "v varchar(9)", incompatible},
		{"json", "v varchar(9)", incompatible},
		{"no-rows", "v integer", ""},
	}
}

const alltypes = "id integer, bool_col boolean, tinyint_col integer, smallint_col integer, int_col integer, bigint_col bigint, float_col real, double_col double precision, " +
	"date_string_col varchar(20), string_col varchar(20), timestamp_col timestamp"

// many is n columns of one type.
func many(n int, kind string) string {
	var list []string
	for i := range n {
		list = append(list, fmt.Sprintf("c%d %s", i, kind))
	}
	return strings.Join(list, ", ")
}

func parquetTesting() []testCase {
	bytes := "has an incompatible Parquet schema for column 's3://lake/f.parquet.date_string_col'. Column type: VARCHAR, Parquet schema:\noptional byte_array date_string_col [i:8"
	c1 := "has an incompatible Parquet schema for column 's3://lake/f.parquet.c1'" // bytes, so that the codec does not matter
	return []testCase{
		{"alltypes_plain", alltypes, bytes},
		{"alltypes_plain.snappy", alltypes, bytes},
		{"alltypes_dictionary", alltypes, bytes},
		{"binary", "foo varchar(20)", "has an incompatible Parquet schema for column 's3://lake/f.parquet.foo'"},
		{"byte_stream_split.zstd", "f32 real, f64 double precision", "encoding BYTE_STREAM_SPLIT is not supported " + strict},
		{"datapage_v1-snappy-compressed-checksum", "a integer, b integer", ""},
		{"datapage_v2.snappy", "a varchar(9), b integer, c double precision, d boolean, e super", strict},
		{"datapage_v2_empty_datapage.snappy", "value real", version2},
		{"delta_binary_packed", many(65, "bigint") + ", int_value integer", "encoding DELTA_BINARY_PACKED is not supported " + strict},
		{"delta_byte_array", "a varchar(99), b varchar(99), c varchar(99), d varchar(99), e varchar(99), f varchar(99), g varchar(99), h varchar(99), i varchar(99)",
			"encoding DELTA_BYTE_ARRAY is not supported " + strict},
		{"delta_length_byte_array", "v varchar(99)", "encoding DELTA_LENGTH_BYTE_ARRAY is not supported " + strict},
		{"fixed_length_decimal", "v decimal(25,2)", ""},
		{"fixed_length_decimal_legacy", "v decimal(13,2)", ""},
		{"int32_decimal", "v decimal(4,2)", ""},
		{"int64_decimal", "v decimal(10,2)", ""},
		{"int32_with_null_pages", "v integer", ""},
		{"hadoop_lz4_compressed", "c0 bigint, c1 varchar(9), v11 double precision", c1},
		{"non_hadoop_lz4_compressed", "c0 bigint, c1 varchar(9), v11 double precision", c1},
		{"lz4_raw_compressed", "c0 bigint, c1 varchar(9), v11 double precision", c1},
		{"incorrect_map_schema", "v super", "map my_map does not hold pairs with a required key " + strict},
		{"map_no_value", "a super, b super, c super", "map my_map_no_v does not hold pairs with a required key " + strict},
		{"large_string_map.brotli", "v super", "compression BROTLI is not supported " + strict},
		{"list_columns", "a super, b super", ""},
		{"nested_lists.snappy", "a super, b integer", ""},
		{"nested_structs.rust", many(36, "super"), "int64 count (int) [i:4 d:1 r:0] inside of a nested column is not supported " + strict},
		{"nonnullable.impala", "id bigint, a super, b super, c super, d super, e super", ""},
		{"nullable.impala", "id bigint, a super, b super, c super, d super, e super", ""},
		{"nulls.snappy", "v super", ""},
		{"old_list_structure", "v super", ""},
		{"repeated_no_annotation", "id integer, phones super", "gave 6 rows, its footer says 0"},
		{"repeated_primitive_no_list", "a super, b super, c super", "incompatible"},
		{"nan_in_stats", "v double precision", ""},
		{"unknown-logical-type", "a varchar(99), b varchar(99)", "incompatible"},
		{"ARROW-GH-41321", "v integer", "Unmatched number of columns between table and file. Table columns: 1, Data columns: "},
		{"ARROW-GH-43605", "v integer", strict},
	}
}
