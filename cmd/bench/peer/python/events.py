"""An event processor of the usual kind: gzip, a JSON library and pyarrow, one
process per core, one object at a time. A contender of the benchmark.

    events.py --json json|orjson --spec DIR --out DIR
"""

import argparse
import concurrent.futures
import datetime
import decimal
import functools
import glob
import gzip
import io
import itertools
import json
import os
import pathlib
import resource

import pyarrow
import pyarrow.parquet

BATCH_ROWS = 10_000


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", choices=["json", "orjson"], required=True)
    parser.add_argument("--spec", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    options = parser.parse_args()
    spec = json.loads((options.spec / "spec.json").read_text())
    objects = sorted(glob.glob(str(options.spec / spec["glob"])))
    work = functools.partial(convert, spec, options.json, options.out)
    peaks = {os.getpid(): 0}
    with concurrent.futures.ProcessPoolExecutor(os.cpu_count()) as pool:
        for pid, peak in pool.map(work, range(len(objects)), objects, chunksize=max(1, len(objects) // 1000)):
            peaks[pid] = max(peak, peaks.get(pid, 0))
    peaks[os.getpid()] = own_peak()
    print(f"peak_bytes={sum(peaks.values())}")


def own_peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def convert(spec, library, out, index, path):
    """Turns one object into one Parquet file; returns this process and its peak memory."""
    loads, dumps = codec(library)
    schema = pyarrow.schema([(c["name"], arrow_type(c)) for c in spec["columns"]])
    converters = [converter(c, dumps) for c in spec["columns"]]
    with lines(spec["codec"], path) as source, pyarrow.parquet.ParquetWriter(
        out / f"{index:06d}.parquet", schema, compression="zstd", compression_level=1
    ) as writer:
        while batch := list(itertools.islice(source, BATCH_ROWS)):
            rows = []
            for line in batch:
                try:
                    record = loads(line)
                    rows.append([f(record) for f in converters])
                except (ValueError, KeyError, TypeError, ArithmeticError):
                    if not spec["broken"]:
                        raise
            columns = zip(*rows, strict=True)
            arrays = [pyarrow.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            if rows:
                writer.write_batch(pyarrow.record_batch(arrays, schema=schema))
    return os.getpid(), own_peak()


def codec(library):
    if library == "orjson":
        import orjson

        return orjson.loads, lambda value: orjson.dumps(value).decode()
    return (
        functools.partial(json.loads, parse_float=decimal.Decimal),
        functools.partial(json.dumps, separators=(",", ":"), ensure_ascii=False),
    )


def lines(codec_name, path):
    if codec_name == "gzip":
        return gzip.open(path)
    if codec_name == "zstd":
        return io.BufferedReader(pyarrow.input_stream(path, compression="zstd"))
    return open(path, "rb")


def arrow_type(column):
    match column["kind"]:
        case "int":
            return pyarrow.int64()
        case "decimal":
            return pyarrow.decimal128(column["precision"], column["scale"])
        case "timestamp" | "millis":
            return pyarrow.timestamp("us")
        case "date":
            return pyarrow.date32()
        case "bool":
            return pyarrow.bool_()
    return pyarrow.string()


def converter(column, dumps):
    """Returns the function from a record to the column's value."""
    get = getter(column)
    match column["kind"]:
        case "int" if column.get("bad"):
            cast = int
        case "decimal" if column.get("number"):
            cast = lambda value: decimal.Decimal(str(value))  # noqa: E731
        case "decimal":
            cast = decimal.Decimal
        case "timestamp":
            cast = datetime.datetime.fromisoformat
        case "millis":
            epoch, milli = datetime.datetime(1970, 1, 1), datetime.timedelta(milliseconds=1)
            cast = lambda value: epoch + value * milli  # noqa: E731
        case "date":
            cast = datetime.date.fromisoformat
        case "json":
            cast = dumps
        case _:
            return get
    if not column.get("nullable"):
        return lambda record: cast(get(record))

    def optional(record):
        value = get(record)
        return None if value is None else cast(value)

    return optional


def getter(column):
    match column["path"]:
        case [key] if column.get("nullable"):
            return lambda record: record.get(key)
        case [key]:
            return lambda record: record[key]
        case [outer, inner]:
            return lambda record: record[outer][inner]
    raise ValueError(f"a path of {len(column['path'])} steps")


if __name__ == "__main__":
    main()
