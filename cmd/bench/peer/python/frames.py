"""polars as a contender of the benchmark: one lazy query over all objects,
streamed into one Parquet file.

    frames.py --spec DIR --out DIR
"""

import argparse
import json
import pathlib

import polars


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--spec", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    spec = json.loads((options.spec / "spec.json").read_text())
    records = polars.scan_ndjson(str(options.spec / spec["glob"]), schema=source_schema(spec))
    rows = records.select(value(c).alias(c["name"]) for c in spec["columns"])
    rows.sink_parquet(options.out / "all.parquet", compression="zstd", compression_level=1, row_group_size=125_000)


def source_schema(spec):
    """The types of the archived fields; nested fields are structs."""
    fields = {}
    for column in spec["columns"]:
        top = column["path"][0]
        if len(column["path"]) == 2:
            fields.setdefault(top, {})[column["path"][1]] = source_type(column)
        else:
            fields[top] = source_type(column)
    return {name: polars.Struct(t) if isinstance(t, dict) else t for name, t in fields.items()}


def source_type(column):
    match column["kind"]:
        case "int" | "millis":
            return polars.Int64
        case "decimal" if column.get("number"):
            return polars.Float64
        case "bool":
            return polars.Boolean
    return polars.String


def value(column):
    path = column["path"]
    read = polars.col(path[0])
    if len(path) == 2:
        read = read.struct.field(path[1])
    match column["kind"]:
        case "decimal" if column.get("number"):
            # A float is no decimal: its shortest text is.
            return read.cast(polars.String).cast(polars.Decimal(column["precision"], column["scale"]))
        case "decimal":
            return read.cast(polars.Decimal(column["precision"], column["scale"]))
        case "timestamp":
            return read.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us")
        case "millis":
            return (read * 1000).cast(polars.Datetime("us"))
        case "date":
            return read.str.to_date("%Y-%m-%d")
    return read


if __name__ == "__main__":
    main()
