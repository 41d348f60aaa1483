package probe

import (
	"strings"

	"github.com/parquet-go/parquet-go"
)

const (
	copyParquet  = "COPY {t} FROM '{s3}/manifest.json' IAM_ROLE '{role}' FORMAT AS PARQUET MANIFEST"
	copyPrefix   = "COPY {t} FROM '{s3}/part' IAM_ROLE '{role}' FORMAT AS PARQUET"
	part         = "part-0.parquet"
	incompatible = "has an incompatible Parquet schema for column"
)

// Columns of other types than Go's own have a struct of their own.
type (
	decimalColumn struct {
		V int64 `parquet:"v,decimal(2:18)"`
	}
	millisColumn struct {
		V int64 `parquet:"v,timestamp(millisecond)"`
	}
	microsColumn struct {
		V int64 `parquet:"v,timestamp(microsecond)"`
	}
	nanosColumn struct {
		V int64 `parquet:"v,timestamp(nanosecond)"`
	}
	dateColumn struct {
		V int32 `parquet:"v,date"`
	}
	timeColumn struct {
		V int64 `parquet:"v,time(microsecond)"`
	}
	uuidColumn struct {
		V [16]byte `parquet:"v,uuid"`
	}
	nullable struct {
		V *int64 `parquet:"v,optional"`
	}
	pair struct {
		A int32  `parquet:"a"`
		V string `parquet:"v"`
	}
)

const noon = 1704110400 // 2024-01-01 12:00:00 UTC

// load is a COPY of one file into a table with one column v, and then what the table holds, as the answer.
func load(name, section, columnType string, body func() ([]byte, error), want Want) Case {
	c := Case{Name: name, Section: section, Setup: []string{"CREATE TABLE {t} (v " + columnType + ")"}, SQL: copyParquet, Want: want,
		Files: []file{{part, body}}, Manifest: []entry{{key: part, mandatory: true}}}
	if strings.HasPrefix(columnType, "SUPER") {
		c.SQL += " SERIALIZETOJSON"
	}
	return c
}

// seen makes a case that must load answer with the table's rows.
func seen(c Case, query string) Case {
	c.Setup, c.SQL = append(c.Setup, c.SQL), query
	return c
}

func copyCases() []Case {
	ok := Want{Text: "COPY"}
	integers := load("int32 into integer", "9.2.5", "INTEGER", column[int32](1, 2, 3), ok)
	with := func(name string, change func(*Case)) Case {
		c := integers
		c.Name = name
		change(&c)
		return c
	}
	return []Case{
		integers,
		with("notice of a COPY", func(c *Case) { c.Want.Text = "3 record(s) loaded successfully" }),
		with("pg_last_copy_count", func(c *Case) { *c = seen(*c, "SELECT pg_last_copy_count()"); c.Want.Text = "3" }),
		with("a file listed twice is loaded twice", func(c *Case) {
			*c = seen(*c, "SELECT COUNT(*) FROM {t}")
			c.Manifest, c.Want.Text = []entry{{key: part, mandatory: true}, {key: part, mandatory: true}}, "6"
		}),
		with("a missing file that is not mandatory", func(c *Case) {
			*c = seen(*c, "SELECT COUNT(*) FROM {t}")
			c.Manifest, c.Want.Text = []entry{{key: part, mandatory: true}, {key: "missing"}}, "3"
		}),
		with("copy in a block rolls back", func(c *Case) {
			c.Setup = append(c.Setup[:1:1], "BEGIN", c.SQL, "ROLLBACK")
			c.SQL, c.Want.Text = "SELECT COUNT(*) FROM {t}", "0"
		}),
		with("prefix", func(c *Case) { c.SQL = copyPrefix }),
		with("statupdate", func(c *Case) { c.SQL += " STATUPDATE ON" }),
		with("acceptinvchars", func(c *Case) { c.SQL += " ACCEPTINVCHARS" }),
		with("credentials clause", func(c *Case) {
			c.SQL = strings.Replace(c.SQL, "IAM_ROLE '{role}'", "CREDENTIALS 'aws_iam_role={role}'", 1)
		}),
		with("into a temp table", func(c *Case) {
			c.Setup = append(c.Setup[:1:1], "CREATE TEMP TABLE probe_stage (LIKE {t})")
			c.SQL = strings.Replace(c.SQL, "{t}", "probe_stage", 1)
		}),
		with("column list takes the defaults of the rest", func(c *Case) {
			c.Setup = []string{"CREATE TABLE {t} (w VARCHAR(3) DEFAULT 'def', v INTEGER)", strings.Replace(c.SQL, "{t}", "{t} (v)", 1)}
			c.SQL, c.Want.Text = "SELECT w, SUM(v) FROM {t} GROUP BY w", "def|6"
		}),
		with("fillrecord", func(c *Case) {
			c.Setup = []string{"CREATE TABLE {t} (v INTEGER, w INTEGER)", c.SQL + " FILLRECORD"}
			c.SQL, c.Want.Text = "SELECT COUNT(v), COUNT(w) FROM {t}", "3|0"
		}),
		{Name: "names in the file do not count", Section: "9.2.5", Files: []file{{part, rows([]pair{{1, "x"}})}}, Manifest: []entry{{key: part, mandatory: true}},
			Setup: []string{"CREATE TABLE {t} (v INTEGER, a VARCHAR(3))", copyParquet}, SQL: "SELECT v, a FROM {t}", Want: Want{Text: "1|x"}},
		load("int32 into smallint", "1.3", "SMALLINT", column[int32](1), ok),
		load("int64 into bigint", "1.3", "BIGINT", column[int64](1), ok),
		load("boolean", "1.3", "BOOLEAN", column(true), ok),
		load("float", "1.3", "REAL", column[float32](1.5), ok),
		load("double", "1.3", "DOUBLE PRECISION", column(1.5), ok),
		seen(load("int64 decimal", "1.3", "DECIMAL(18,2)", rows([]decimalColumn{{-125}}), Want{Text: "-1.25"}), "SELECT v FROM {t}"),
		seen(load("fixed decimal of minimal length", "1.3", "DECIMAL(18,2)", fixedDecimal(8), Want{Text: "1.25"}), "SELECT v FROM {t}"),
		seen(load("date", "1.3", "DATE", rows([]dateColumn{{19723}}), Want{Text: "2024-01-01"}), "SELECT v FROM {t}"),
		seen(load("timestamp of microseconds", "1.3", "TIMESTAMP", rows([]microsColumn{{noon*1_000_000 + 1}}), Want{Text: "2024-01-01 12:00:00.000001"}), "SELECT v FROM {t}"),
		seen(load("timestamp of milliseconds", "1.3", "TIMESTAMP", rows([]millisColumn{{noon * 1000}}), Want{Text: "2024-01-01 12:00:00"}), "SELECT v FROM {t}"),
		seen(load("string", "1.3", "VARCHAR(4)", column("é  "), Want{Text: "4"}), "SELECT OCTET_LENGTH(v) FROM {t}"),
		seen(load("string into super is a JSON string", "1.3", "SUPER", column(`{"a":1}`), Want{Text: `\"a\"`}), "SELECT JSON_SERIALIZE(v) FROM {t}"),
		load("nulls", "1.3", "BIGINT", rows([]nullable{{nil}, {new(int64)}}), ok),
		load("zstd", "1.6", "BIGINT", columnWith([]int64{1}, parquet.Compression(&parquet.Zstd)), ok),
		load("gzip", "1.6", "BIGINT", columnWith([]int64{1}, parquet.Compression(&parquet.Gzip)), ok),
		load("no rows", "1.6", "BIGINT", column[int64](), ok),
	}
}

func copyRefusedCases() []Case {
	file := column[int32](1)
	option := func(section, option, text string) Case {
		c := load("option "+option, section, "INTEGER", file, Want{State: "0A000", Text: text})
		c.SQL += " " + option
		return c
	}
	shaped := func(name, section string, want Want, change func(*Case)) Case {
		c := load(name, section, "INTEGER", file, want)
		change(&c)
		return c
	}
	const template = " argument is not supported for PARQUET based COPY"
	return []Case{
		option("9.3.3", "REGION 'eu-west-1'", "REGION"+template),
		option("9.3.4", "TRUNCATECOLUMNS", "TRUNCATECOLUMNS"+template),
		option("9.3.5", "ACCEPTANYDATE", ""), option("9.3.5", "NOLOAD", ""), option("9.3.5", "GZIP", ""), option("9.3.5", "IGNOREHEADER 1", ""),
		shaped("no credentials", "9.3.6", Want{State: "4"}, func(c *Case) { c.SQL = strings.Replace(c.SQL, "IAM_ROLE '{role}' ", "", 1) }),
		shaped("two kinds of credentials", "9.3.6", Want{State: "4"}, func(c *Case) { c.SQL += " CREDENTIALS 'aws_iam_role={role}'" }),
		shaped("bound parameter", "9.3.7", Want{State: "42601", Text: `syntax error at or near "$1"`}, func(c *Case) {
			c.SQL, c.Args = strings.Replace(c.SQL, "'{s3}/manifest.json'", "$1", 1), []string{"x"}
		}),
		shaped("role that is not associated", "9.3.8", Want{State: "XX000", Text: "assume IAM Role"}, func(c *Case) {
			c.SQL = strings.Replace(c.SQL, "{role}", "arn:aws:iam::999999999999:role/not-associated", 1)
		}),
		shaped("manifest missing", "9.3.9", Want{State: "XX000", Text: "Status 404,Error NoSuchKey"}, func(c *Case) { c.Manifest = nil }),
		shaped("manifest is a prefix", "2.2", Want{State: "XX000", Text: "requires full path"}, func(c *Case) { c.SQL = strings.Replace(c.SQL, "manifest.json", "", 1) }),
		shaped("manifest malformed", "2.2", Want{State: "XX000"}, func(c *Case) { c.Manifest, c.Objects = nil, map[string]string{"manifest.json": "{"} }),
		shaped("entry without meta", "9.3.11", Want{State: "XX000", Text: "'meta' key"}, func(c *Case) { c.Manifest = []entry{{key: part, mandatory: true, bare: true}} }),
		shaped("mandatory file missing", "9.3.12", Want{State: "XX000", Text: "File not found"}, func(c *Case) { c.Manifest = append(c.Manifest, entry{key: "missing", mandatory: true}) }),
		shaped("no file at all", "9.3.13", Want{State: "XX000"}, func(c *Case) { c.Manifest = []entry{{key: "missing"}} }),
		shaped("not Parquet", "1.4", Want{State: "XX000"}, func(c *Case) {
			c.Files, c.Objects, c.SQL, c.Manifest = nil, map[string]string{part: "hello"}, copyPrefix, nil
		}),
		shaped("column counts differ", "9.3.15", Want{State: "XX000", Text: "Unmatched number of columns between table and file"}, func(c *Case) {
			c.Setup = []string{"CREATE TABLE {t} (v INTEGER, w INTEGER)"}
		}),
		shaped("unknown column in the list", "1.4", Want{State: "42703", Text: "nope"}, func(c *Case) { c.SQL = strings.Replace(c.SQL, "{t}", "{t} (nope)", 1) }),
		shaped("unknown table", "1.4", Want{State: "4", Text: "Cannot COPY into nonexistent table"}, func(c *Case) { c.Setup = nil }),
		shaped("list lacks a NOT NULL column", "9.3.20", Want{State: "42601", Text: "NOT NULL column without DEFAULT must be included in column list"}, func(c *Case) {
			c.Setup, c.SQL = []string{"CREATE TABLE {t} (v INTEGER, w INTEGER NOT NULL)"}, strings.Replace(c.SQL, "{t}", "{t} (v)", 1)
		}),
		load("int64 into integer", "9.3.16", "INTEGER", column[int64](1), Want{State: "XX000", Text: incompatible}),
		load("double into decimal", "9.3.16", "DECIMAL(18,2)", column(1.5), Want{State: "XX000", Text: incompatible}),
		load("decimal of another scale", "9.3.16", "DECIMAL(18,3)", rows([]decimalColumn{{1}}), Want{State: "XX000", Text: incompatible}),
		load("string into integer", "9.3.16", "INTEGER", column("1"), Want{State: "XX000", Text: incompatible}),
		load("fixed decimal of another length", "9.3.17", "DECIMAL(18,2)", fixedDecimal(13), Want{State: "XX000", Text: "has an invalid type length"}),
		load("string too long in bytes", "9.3.18", "VARCHAR(3)", column("éé"), Want{State: "XX000", Text: "is longer than the length defined in the table"}),
		load("null into not null", "9.3.19", "BIGINT NOT NULL", rows([]nullable{{nil}}), Want{State: "XX000", Text: "Cannot insert a NULL value into column"}),
		load("super string too long", "9.3.22", "SUPER", column(strings.Repeat("x", 65_536)), Want{State: "XX000", Text: "exceeds the max size of 65535 bytes"}),
		shaped("super without SERIALIZETOJSON", "9.3.21", Want{State: anyError, Text: "SERIALIZETOJSON"}, func(c *Case) {
			c.Setup, c.Files[0].make = []string{"CREATE TABLE {t} (v SUPER)"}, column("x")
		}),
	}
}

// openCases are what no source settles; the stand-in refuses most of them.
func openCases() []Case {
	open := Want{Open: true}
	int64s := func(option ...parquet.WriterOption) func() ([]byte, error) {
		return columnWith([]int64{1, 2, 3}, option...)
	}
	shaped := func(name string, change func(*Case)) Case {
		c := load(name, "9.5", "BIGINT", int64s(), open)
		change(&c)
		return c
	}
	all := []Case{
		load("data page v2", "9.5", "BIGINT", int64s(parquet.DataPageVersion(2)), open),
		load("DELTA_BINARY_PACKED", "9.5", "BIGINT", int64s(parquet.DefaultEncodingFor(parquet.Int64, &parquet.DeltaBinaryPacked)), open),
		load("DELTA_LENGTH_BYTE_ARRAY", "9.5", "VARCHAR(9)", columnWith([]string{"a"}, parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.DeltaLengthByteArray)), open),
		load("DELTA_BYTE_ARRAY", "9.5", "VARCHAR(9)", columnWith([]string{"a"}, parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.DeltaByteArray)), open),
		load("BYTE_STREAM_SPLIT", "9.5", "DOUBLE PRECISION", columnWith([]float64{1}, parquet.DefaultEncodingFor(parquet.Double, &parquet.ByteStreamSplit)), open),
		load("BROTLI", "9.5", "BIGINT", int64s(parquet.Compression(&parquet.Brotli)), open),
		load("LZ4_RAW", "9.5", "BIGINT", int64s(parquet.Compression(&parquet.Lz4Raw)), open),
		load("timestamp into timestamptz", "9.5", "TIMESTAMPTZ", rows([]microsColumn{{noon * 1_000_000}}), open),
		load("timestamp of nanoseconds", "9.5", "TIMESTAMP", rows([]nanosColumn{{noon * 1_000_000_000}}), open),
		load("time", "9.5", "TIME", rows([]timeColumn{{1}}), open),
		load("uuid", "9.5", "VARCHAR(36)", rows([]uuidColumn{{}}), open),
		shaped("wrong content_length", func(c *Case) { c.Manifest[0].extra = 1 }),
		shaped("prefix without a match", func(c *Case) { c.SQL = strings.Replace(copyPrefix, "part", "none", 1) }),
		shaped("option COMPUPDATE OFF", func(c *Case) { c.SQL += " COMPUPDATE OFF" }),
		shaped("option MAXERROR 0", func(c *Case) { c.SQL += " MAXERROR 0" }),
		shaped("option MAXERROR 10", func(c *Case) { c.SQL += " MAXERROR 10" }),
		load("int32 into bigint", "9.5", "BIGINT", column[int32](1), open),
		load("uint32 into bigint", "9.5", "BIGINT", column[uint32](1), open),
		load("uint64 into decimal(20,0)", "9.5", "DECIMAL(20,0)", column[uint64](1), open),
		load("float into double precision", "9.5", "DOUBLE PRECISION", column[float32](1), open),
		load("invalid UTF-8", "9.5", "VARCHAR(9)", column("a\xffb"), open),
		shaped("copy into a temp table by the extended protocol", func(c *Case) {
			c.Setup, c.Args = append(c.Setup, "CREATE TEMP TABLE probe_stage (LIKE {t})"), []string{}
			c.SQL = strings.Replace(c.SQL, "{t}", "probe_stage", 1)
		}),
		{Name: "FNV_HASH of NULL", Section: "9.5", SQL: "SELECT FNV_HASH(NULL::VARCHAR)", Want: open},
		{Name: "FNV_HASH of a decimal", Section: "9.5", SQL: "SELECT FNV_HASH(1.25::DECIMAL(18,2))", Want: open},
		{Name: "FNV_HASH of a timestamp", Section: "9.5", SQL: "SELECT FNV_HASH('2024-01-01 12:00:00'::TIMESTAMP)", Want: open},
		{Name: "FNV_HASH of a boolean", Section: "9.5", SQL: "SELECT FNV_HASH(TRUE)", Want: open},
		{Name: "FNV_HASH of an empty string with a seed", Section: "9.5", SQL: "SELECT FNV_HASH('', FNV_HASH(1::BIGINT))", Want: open},
		{Name: "isolation level of the database", Section: "9.5", SQL: "SHOW transaction_isolation", Want: open},
		{Name: "FARMFINGERPRINT64 of NULL", Section: "9.5", SQL: "SELECT FARMFINGERPRINT64(NULL::VARCHAR)", Want: open},
		{Name: "DATEDIFF of microseconds over the whole range", Section: "9.5", SQL: "SELECT DATEDIFF(microsecond, '0001-01-01'::TIMESTAMP, '9999-12-31'::TIMESTAMP)", Want: open},
	}
	for i, c := range all { // what was loaded matters as much as that it was
		if strings.HasPrefix(c.SQL, "COPY {t}") {
			all[i].Then = "SELECT * FROM {t} ORDER BY 1"
		}
	}
	return all
}
