"""Writes the twenty records of ../formats/plain.jsonl as DuckDB, polars, fastavro and Apache's Avro for Python write them.

Packages: duckdb==2.0.1 polars==2.1.0 pyarrow==26.0.1 fastavro==1.13.1 avro==1.12.2
"""
import datetime, decimal, json, os

import avro.datafile, avro.io, avro.schema
import duckdb
import fastavro
import polars as pl

here = os.path.dirname(os.path.abspath(__file__))
os.chdir(here)
decimal.getcontext().prec = 60
D = decimal.Decimal

# DuckDB: Parquet with every codec, JSON, CSV.
db = duckdb.connect()
db.execute("SET TimeZone = 'UTC'")
db.execute("""CREATE TABLE t AS SELECT id, type, "at"::TIMESTAMPTZ AS "at", amount::DECIMAL(18,2) AS amount, wide::DECIMAL(30,4) AS wide, currency, note
    FROM read_json('../formats/plain.jsonl', columns = {id: 'VARCHAR', type: 'VARCHAR', "at": 'VARCHAR', amount: 'VARCHAR', wide: 'VARCHAR', currency: 'VARCHAR', note: 'VARCHAR'})""")
for codec in ("snappy", "zstd", "gzip", "brotli", "lz4_raw", "uncompressed"):
    db.execute(f"COPY t TO 'duckdb-{codec}.parquet' (FORMAT parquet, COMPRESSION {codec}, ROW_GROUP_SIZE 8)")
db.execute("COPY t TO 'duckdb-version-2.parquet' (FORMAT parquet, PARQUET_VERSION v2)")
texts = """SELECT id, type, strftime("at"::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%fZ') AS "at", amount::VARCHAR AS amount, wide::VARCHAR AS wide, currency, note FROM t"""
db.execute(f"COPY ({texts}) TO 'duckdb.jsonl' (FORMAT json)")
db.execute(f"COPY ({texts}) TO 'duckdb.json' (FORMAT json, ARRAY true)")
db.execute(f"COPY ({texts}) TO 'duckdb.csv' (FORMAT csv, HEADER)")

# polars: Parquet, JSON, CSV and Avro, which has no decimals there.
rows = [json.loads(line) for line in open("../formats/plain.jsonl")]
typed = [{**r, "at": datetime.datetime.fromisoformat(r["at"]), "amount": None if r["amount"] is None else D(r["amount"]), "wide": D(r["wide"])} for r in rows]
frame = pl.DataFrame(typed, schema={"id": pl.String, "type": pl.String, "at": pl.Datetime("us", "UTC"), "amount": pl.Decimal(18, 2),
                                    "wide": pl.Decimal(30, 4), "currency": pl.String, "note": pl.String})
for codec in ("snappy", "zstd", "lz4"):
    frame.write_parquet(f"polars-{codec}.parquet", compression=codec, row_group_size=8)
text = pl.DataFrame(rows, schema={n: pl.String for n in rows[0]})
text.write_ndjson("polars.jsonl")
text.write_csv("polars.csv")
for codec in ("uncompressed", "snappy", "deflate"):
    text.write_avro(f"polars-{codec}.avro", compression=codec)

# The schema that Confluent's AvroData makes of Connect's decimals; and Debezium's decimals of variable scale.
money = lambda scale: {"type": "bytes", "scale": scale, "precision": 64, "connect.version": 1, "connect.parameters": {"scale": str(scale)},
                       "connect.name": "org.apache.kafka.connect.data.Decimal", "logicalType": "decimal"}
event = lambda amount, wide: {"type": "record", "name": "ConnectDefault", "namespace": "io.confluent.connect.avro", "fields": [
    {"name": "id", "type": "string"}, {"name": "type", "type": "string"}, {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "amount", "type": ["null", amount]}, {"name": "wide", "type": wide}, {"name": "currency", "type": "string"}, {"name": "note", "type": "string"}]}
for codec in ("snappy", "zstandard"):
    with open(f"fastavro-connect-{codec}.avro", "wb") as f:
        fastavro.writer(f, event(money(2), money(4)), typed, codec=codec, sync_interval=600)
variable = {"type": "record", "name": "VariableScaleDecimal", "namespace": "io.debezium.data", "connect.name": "io.debezium.data.VariableScaleDecimal",
            "fields": [{"name": "scale", "type": "int"}, {"name": "value", "type": "bytes"}]}


def scaled(d):
    if d is None:
        return None
    sign, digits, exponent = d.normalize().as_tuple()
    n = int("".join(map(str, digits))) * (-1 if sign else 1)
    return {"scale": -exponent, "value": n.to_bytes((n if n >= 0 else ~n).bit_length() // 8 + 1, "big", signed=True)}


with open("fastavro-variable-scale.avro", "wb") as f:
    fastavro.writer(f, event(variable, "io.debezium.data.VariableScaleDecimal"), [{**r, "amount": scaled(r["amount"]), "wide": scaled(r["wide"])} for r in typed], codec="deflate")
schema = avro.schema.parse(json.dumps(event({**money(2), "precision": 18}, {**money(4), "precision": 30})))
with avro.datafile.DataFileWriter(open("avro-python.avro", "wb"), avro.io.DatumWriter(), schema, codec="deflate") as w:
    for r in typed:
        w.append({**r, "wide": r["wide"].quantize(D("0.0001"))})
