"""Makes the files of Python's writers, and beside each what the writer's own reader says it holds.

    python -m venv v && v/bin/pip install pyarrow==26.0.1 duckdb==2.0.1 polars==2.1.0 fastparquet==2026.9.0 pandas==3.1.1
    v/bin/python make.py

Run once; the files are kept, because other versions of the writers write other bytes.
"""

import datetime
import decimal
import json
import math
import os
import uuid

import duckdb
import fastparquet
import pandas
import polars
import pyarrow
import pyarrow.compute
import pyarrow.parquet

D = decimal.Decimal
UTC = datetime.timezone.utc
AT = datetime.datetime(2026, 3, 8, 2, 30, 0, 1)
DAY = datetime.date(2026, 3, 8)
NOON = datetime.time(12, 30, 1)


def text(v, scale=None):
    """A value as the warehouse's text has it."""
    if v is None or v is pandas.NaT or v is pandas.NA:
        return "\\N"
    if isinstance(v, bool):
        return "t" if v else "f"
    if isinstance(v, D):
        return format(v, "f")
    if isinstance(v, float):
        if math.isnan(v):
            return "NaN"
        if math.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
        return "%.15g" % v
    if isinstance(v, datetime.datetime):
        s = v.strftime("%Y-%m-%d %H:%M:%S")
        return s + ("." + ("%06d" % v.microsecond).rstrip("0") if v.microsecond else "")
    if isinstance(v, (list, dict)):
        return json.dumps(v, separators=(",", ":"), ensure_ascii=False, default=text)
    if isinstance(v, bytes):
        return v.hex()
    return str(v)


def at(folder, name):
    return folder + "/" + name.replace(" ", "-")


def keep(path, rows):
    with open(path + ".txt", "w") as f:
        for row in rows:
            f.write("|".join(text(v) for v in row) + "\n")


def nested(v, kind):
    """A value with its maps as objects."""
    types = pyarrow.types
    if v is None:
        return None
    if types.is_map(kind):
        return {k: nested(e, kind.item_type) for k, e in v}
    if types.is_list(kind):
        return [nested(e, kind.value_type) for e in v]
    if types.is_struct(kind):
        return {f.name: nested(v[f.name], f.type) for f in kind}
    return v


def keep_table(path, table):
    keep(path, zip(*[[nested(v, c.type) for v in c.to_pylist()] for c in table.columns]))


def arrow(name, columns, golden=True, required=False, **options):
    """One file of pyarrow: columns are (name, type, values)."""
    schema = pyarrow.schema([pyarrow.field(n, t, nullable=not required) for n, t, _ in columns])
    table = pyarrow.table([pyarrow.array(v, t) if not isinstance(v, pyarrow.Array) else v for _, t, v in columns], schema=schema)
    options.setdefault("compression", "none")
    path = at("pyarrow", name)
    pyarrow.parquet.write_table(table, path + ".parquet", **options)
    if golden:
        keep_table(path, pyarrow.parquet.read_table(path + ".parquet"))


def one(name, kind, values, golden=True, **options):
    arrow(name, [("v", kind, values)], golden, **options)


def pyarrow_files():
    p = pyarrow
    one("boolean", p.bool_(), [True, None, False])
    one("int8", p.int8(), [-128, None, 127])
    one("int16", p.int16(), [-32768, None, 32767])
    one("int32", p.int32(), [-2147483648, None, 2147483647])
    one("int64", p.int64(), [-9223372036854775808, None, 9223372036854775807])
    one("required", p.int64(), [1, 2, 3], required=True)
    one("float", p.float32(), [1.5, None, -0.25])
    one("double", p.float64(), [0.1, None, float("nan"), float("inf"), float("-inf"), 1e300])
    one("string", p.string(), ["", None, "Zürich 東京", "it's \\ back"])
    one("large string", p.large_string(), ["a", None])
    one("string plain", p.string(), ["a", "a", "b"], use_dictionary=False)
    one("dictionary type", p.dictionary(p.int8(), p.string()), p.array(["a", None, "a", "b"]).dictionary_encode().cast(p.dictionary(p.int8(), p.string())), golden=False)
    keep(at("pyarrow", "dictionary type"), [["a"], [None], ["a"], ["b"]])
    one("date", p.date32(), [DAY, None, datetime.date(1969, 12, 31), datetime.date(1, 1, 1), datetime.date(9999, 12, 31)])
    one("timestamp millis", p.timestamp("ms"), [AT.replace(microsecond=1000), None])
    one("timestamp micros", p.timestamp("us"), [AT, None, datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)])
    one("timestamp micros utc", p.timestamp("us", "UTC"), [AT.replace(tzinfo=UTC), None])
    one("timestamp int96", p.timestamp("us"), [AT, None, datetime.datetime(1969, 12, 31)], use_deprecated_int96_timestamps=True)
    one("decimal 9 fixed", p.decimal128(9, 2), [D("-1234567.89"), None, D("0.01")])
    one("decimal 9 int32", p.decimal128(9, 2), [D("-1234567.89"), None, D("0.01")], store_decimal_as_integer=True)
    one("decimal 18 fixed", p.decimal128(18, 2), [D("-1234567890123456.78"), None, D("0.01")])
    one("decimal 18 int64", p.decimal128(18, 2), [D("-1234567890123456.78"), None, D("0.01")], store_decimal_as_integer=True)
    one("decimal 38", p.decimal128(38, 10), [D("-9999999999999999999999999999.9999999999"), None, D("0.0000000001")])
    one("list", p.list_(p.int64()), [[1, None, -3], None, []])
    one("list of lists", p.list_(p.list_(p.string())), [[["a"], [], None], None])
    one("struct", p.struct([("a", p.int32()), ("b", p.string())]), [{"a": 1, "b": "x"}, {"a": None, "b": None}])
    one("map", p.map_(p.string(), p.int64()), [[("a", 1), ("b", None)], []])
    one("list of structs", p.list_(p.struct([("a", p.int32()), ("t", p.list_(p.string()))])), [[{"a": 1, "t": ["x", "y"]}, {"a": 2, "t": []}]])
    one("struct with a date", p.struct([("a", p.date32())]), [{"a": DAY}])
    one("list of unsigned", p.list_(p.uint16()), [[1]])
    arrow("two of one type", [("first", p.int32(), [1]), ("second", p.int32(), [2])])
    for codec in ("snappy", "gzip", "zstd", "brotli", "lz4"):
        one("codec " + codec, p.string(), ["abcabcabcabcabcabcabc" * 10, None], compression=codec)
    for version in ("1.0", "2.4", "2.6"):
        one("format " + version, p.timestamp("us"), [AT], version=version)
    one("page version 2", p.int32(), [1, None, 3], data_page_version="2.0")
    one("page version 2 snappy", p.string(), ["abcabcabcabcabc"], data_page_version="2.0", compression="snappy")
    plain = {"use_dictionary": False}
    one("delta binary packed", p.int32(), [1, 2, 3], column_encoding="DELTA_BINARY_PACKED", **plain)
    one("delta length byte array", p.string(), ["a", "bb"], column_encoding="DELTA_LENGTH_BYTE_ARRAY", **plain)
    one("delta byte array", p.string(), ["ab", "abc"], column_encoding="DELTA_BYTE_ARRAY", **plain)
    one("byte stream split", p.float64(), [0.1, 0.2], column_encoding="BYTE_STREAM_SPLIT", **plain)
    one("rle boolean", p.bool_(), [True, False], column_encoding="RLE", **plain)
    one("timestamp nanos", p.timestamp("ns"), [AT])
    for bits in (8, 16, 32, 64):
        one("uint%d" % bits, getattr(p, "uint%d" % bits)(), [1, None])
    one("time millis", p.time32("ms"), [NOON])
    one("time micros", p.time64("us"), [NOON])
    one("duration", p.duration("us"), [datetime.timedelta(microseconds=7)], golden=False)
    keep(at("pyarrow", "duration"), [[7]])
    one("float16", p.float16(), [1.5])
    one("decimal 40", p.decimal256(40, 2), [D("0.01")])
    one("binary", p.binary(), [b"x"])
    one("fixed binary", p.binary(16), [b"0123456789abcdef"])
    one("uuid", p.uuid(), [uuid.UUID(int=1).bytes], golden=False)
    one("null type", p.null(), [None, None])
    one("no rows", p.int32(), [])
    one("all null", p.string(), [None] * 5)
    one("many row groups", p.int32(), list(range(300)), row_group_size=1, write_statistics=False, use_dictionary=False)
    # One line for the file: rows, sum, smallest, largest, different values.
    one("large row group", p.int32(), [i // 1000 for i in range(200_000)], golden=False, compression="zstd", data_page_size=4096, row_group_size=200_000)
    v = p.parquet.read_table("pyarrow/large-row-group.parquet")["v"]
    keep("pyarrow/large-row-group", [[len(v), p.compute.sum(v).as_py(), p.compute.min(v).as_py(), p.compute.max(v).as_py(), len(v.unique())]])
    one("many pages", p.string(), ["row %d" % i for i in range(2000)], data_page_size=256, use_dictionary=False, write_batch_size=16)
    one("dictionary then plain", p.string(), ["value %d" % i for i in range(500)], dictionary_pagesize_limit=1024, write_batch_size=16, data_page_size=256)
    one("page checksums", p.int32(), [1, 2, 3], write_page_checksum=True)
    one("page index", p.int32(), [1, 2, 3], write_page_index=True)
    one("no statistics", p.int32(), [1, 2, 3], write_statistics=False)


def duck(name, select, options="", golden=True):
    path = at("duckdb", name)
    c = duckdb.connect()
    c.execute("SET TimeZone='UTC'")
    c.execute("COPY (%s) TO '%s.parquet' (FORMAT parquet%s)" % (select, path, options))
    if golden:
        keep(path, c.execute("SELECT * FROM read_parquet('%s.parquet')" % path).fetchall())


def duckdb_files():
    duck("scalars", "SELECT * FROM (VALUES (true, (-32768)::smallint, 7::integer, 8::bigint, 1.5::float, 0.1::double, 'Zürich', DATE '2026-03-08', TIMESTAMP '2026-03-08 02:30:00.000001'), "
         "(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) AS t(a, b, c, d, e, f, g, h, i)")
    duck("decimals", "SELECT (-12.34)::DECIMAL(4,2) AS a, 1234567.89::DECIMAL(9,2) AS b, (-1234567890123456.78)::DECIMAL(18,2) AS c, 1::DECIMAL(38,10) AS d")
    duck("timestamptz", "SELECT TIMESTAMPTZ '2026-03-08 02:30:00.000001+00' AS v", golden=False)
    keep(at("duckdb", "timestamptz"), [[AT]])
    for codec in ("snappy", "gzip", "zstd", "uncompressed", "brotli", "lz4_raw"):
        duck("codec " + codec, "SELECT 'abc' || (i %% 3)::varchar AS v FROM range(100) t(i)".replace("%%", "%"), ", CODEC " + codec)
    duck("nested", "SELECT [1, NULL, 3] AS l, {'a': 1, 'b': 'x'} AS s")
    duck("map", "SELECT MAP {'k': 1} AS v")
    duck("many row groups", "SELECT i::integer AS v FROM range(10000) t(i)", ", ROW_GROUP_SIZE 2048, CODEC zstd")
    duck("no rows", "SELECT 1 AS v WHERE false")
    duck("version 2", "SELECT i::integer AS v FROM range(5000) t(i)", ", PARQUET_VERSION V2")
    duck("version 2 strings", "SELECT 'row ' || i AS v FROM range(500) t(i)", ", PARQUET_VERSION V2, DICTIONARY_SIZE_LIMIT 1")
    duck("timestamp nanos", "SELECT TIMESTAMP_NS '2026-03-08 02:30:00.000000001' AS v", golden=False)
    duck("uuid", "SELECT '00000000-0000-0000-0000-000000000001'::UUID AS v")
    duck("time", "SELECT TIME '12:30:01' AS v")
    duck("hugeint", "SELECT 7::HUGEINT AS v")
    duck("unsigned", "SELECT 7::UINTEGER AS v")
    duck("interval", "SELECT INTERVAL 1 DAY AS v", golden=False)
    duck("enum", "SELECT 'a'::ENUM('a', 'b') AS v")
    duck("blob", "SELECT 'x'::BLOB AS v")


def polars_files():
    def put(name, frame, golden=True, **options):
        path = at("polars", name)
        frame.write_parquet(path + ".parquet", **options)
        if golden:
            keep(path, polars.read_parquet(path + ".parquet").rows())

    put("scalars", polars.DataFrame({"a": [True, None], "b": [7, None], "c": [0.1, None], "d": ["Zürich", None], "e": [DAY, None], "f": [AT, None]}, schema={
        "a": polars.Boolean, "b": polars.Int64, "c": polars.Float64, "d": polars.String, "e": polars.Date, "f": polars.Datetime("us")}))
    put("decimal", polars.DataFrame({"v": [D("-1234567890123456.78"), None]}, schema={"v": polars.Decimal(18, 2)}))
    put("list", polars.DataFrame({"v": [[1, 2], []]}, schema={"v": polars.List(polars.Int64)}))
    put("categorical", polars.DataFrame({"v": ["a", "b", "a", None]}, schema={"v": polars.Categorical}))
    put("lz4", polars.DataFrame({"v": ["a" * 100]}), compression="lz4")
    put("datetime nanos", polars.DataFrame({"v": [AT]}, schema={"v": polars.Datetime("ns")}), golden=False)
    put("unsigned", polars.DataFrame({"v": [1]}, schema={"v": polars.UInt32}))
    put("no rows", polars.DataFrame({"v": []}, schema={"v": polars.Int64}))


def fastparquet_files():
    def put(name, frame, rows, **options):
        path = at("fastparquet", name)
        fastparquet.write(path + ".parquet", frame, **options)
        back = fastparquet.ParquetFile(path + ".parquet").to_pandas()
        assert len(back) == len(frame), back
        keep(path, rows(back))

    def column(back):
        out = []
        for v in back["v"].tolist():
            if isinstance(v, pandas.Timestamp):
                v = v.to_pydatetime()
            out.append([None if isinstance(v, float) and math.isnan(v) else v])
        return out

    put("int64", pandas.DataFrame({"v": pandas.array([1, -2], dtype="int64")}), column)
    put("string", pandas.DataFrame({"v": pandas.Series(["a", "Zürich"], dtype=object)}), column, object_encoding="utf8")
    put("snappy", pandas.DataFrame({"v": pandas.array([1, 2, 3], dtype="int64")}), column, compression="SNAPPY")
    put("timestamp int96", pandas.DataFrame({"v": pandas.array([AT, AT], dtype="datetime64[ns]")}), column, times="int96")
    put("timestamp micros", pandas.DataFrame({"v": pandas.array([AT, AT], dtype="datetime64[us]")}), column, times="int64")
    put("row groups", pandas.DataFrame({"v": pandas.array(range(40), dtype="int64")}), column, row_group_offsets=[0, 10, 20, 30])


def copied_files():
    """What pyarrow reads in those of the copied files that load."""
    for path in ("datapage_v1-snappy-compressed-checksum", "fixed_length_decimal", "fixed_length_decimal_legacy", "int32_decimal", "int64_decimal", "int32_with_null_pages",
                 "list_columns", "nested_lists.snappy", "nan_in_stats", "old_list_structure", "nonnullable.impala", "nullable.impala", "nulls.snappy"):
        keep_table("parquet-testing/" + path, pyarrow.parquet.read_table("parquet-testing/" + path + ".parquet"))
    keep_table("stream-reactor/1", pyarrow.parquet.read_table("stream-reactor/1.parquet"))


for folder in ("pyarrow", "duckdb", "polars", "fastparquet"):
    os.makedirs(folder, exist_ok=True)
pyarrow_files()
duckdb_files()
polars_files()
fastparquet_files()
copied_files()
