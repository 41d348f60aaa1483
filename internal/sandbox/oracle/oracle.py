"""What a correct backfill of the payroll dataset must give for a window, as JSON.

    python3 oracle.py --archive DIR --from 2026-03-01 --to 2026-04-01 --zone America/Los_Angeles

A slow, plain program that shares no code with the worker or with the generator of archives, so
that agreement means something. It reads the raw objects and nothing else, must not be made clever,
and is called by tests and demos. Money is whole cents throughout.

Exit codes: 0 printed, 2 bad usage or no archive, 3 a program is missing
or a file can't be read or written, 4 a damaged object.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import sqlite3
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from heapq import merge as merge_sorted
from itertools import groupby
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from archive import DamagedObjectError, MissingToolError, find_objects
from partition import (
    ENDS,
    ORIGIN,
    PARQUET,
    READ,
    SPOOL_COLUMNS,
    SPOOL_ORDER,
    PartitionResult,
    Task,
    read_partition,
)
from record import MICROS, Row, Rules, read_time

AMOUNTS = ("gross_amount", "tax_amount", "net_amount")
ROW_COLUMNS = (*Row._fields, *ORIGIN)
COLUMN = {name: index for index, name in enumerate(SPOOL_COLUMNS)}
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

SpoolRow = tuple[object, ...]
Currency = str | None


class UsageError(Exception):
    """An argument that makes no sense."""


@dataclass
class Sums:
    """Rows and amounts in cents of one group; null amounts add nothing."""

    rows: int = 0
    cents: list[int] = field(default_factory=lambda: [0] * len(AMOUNTS))

    def add(self, row: SpoolRow) -> None:
        """Counts one row in."""
        self.rows += 1
        for index, name in enumerate(AMOUNTS):
            amount = row[COLUMN[name]]
            if isinstance(amount, int):
                self.cents[index] += amount

    def include(self, other: Sums) -> None:
        """Adds another group."""
        self.rows += other.rows
        self.cents = [mine + theirs for mine, theirs in zip(self.cents, other.cents, strict=True)]


@dataclass
class Bucket:
    """One group before and after older versions are taken out."""

    before: Sums = field(default_factory=Sums)
    after: Sums = field(default_factory=Sums)

    def include(self, other: Bucket) -> None:
        """Adds another group."""
        self.before.include(other.before)
        self.after.include(other.after)

    def entry(self, day: str | None, currency: Currency) -> dict[str, object]:
        """Returns the group's entry of the report; totals have no day."""
        entry: dict[str, object] = {} if day is None else {"day": day}
        entry |= {"currency": currency, "rows_before": self.before.rows, "rows_after": self.after.rows}
        for index, name in enumerate(AMOUNTS):
            entry[f"{name}_before"] = cents_text(self.before.cents[index])
            entry[f"{name}_after"] = cents_text(self.after.cents[index])
        return entry


Buckets = dict[tuple[str, Currency], Bucket]


def main(arguments: Sequence[str]) -> int:
    """Runs the program; returns its exit code."""
    options = parse_arguments(arguments)
    try:
        report = examine(options)
    except UsageError as error:
        return complain(error, 2)
    except (MissingToolError, OSError) as error:
        return complain(error, 3)
    except DamagedObjectError as error:
        return complain(error, 4)
    json.dump(report, sys.stdout, indent=1, ensure_ascii=False)
    print()
    return 0


def complain(error: Exception, code: int) -> int:
    """Says on stderr why there is no report; returns the exit code."""
    print(f"oracle: {error}", file=sys.stderr)
    return code


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description="What a backfill of the payroll dataset must give.")
    parser.add_argument("--archive", type=Path, required=True, help="folder with the archived objects")
    parser.add_argument("--from", dest="start", required=True, help="first instant: RFC 3339 or a date")
    parser.add_argument("--to", dest="end", required=True, help="end, exclusive: RFC 3339 or a date")
    parser.add_argument("--zone", default="UTC", help="calendar zone of days and of dates")
    parser.add_argument("--body-offsets", action="store_true", help="offsets and times stand in _kafka")
    parser.add_argument("--fraction", choices=("reject", "floor"), default="reject",
                        help="what digits past microseconds of occurred_at do")
    parser.add_argument("--rows", type=Path, help="CSV file to write the table's rows to")
    parser.add_argument("--chunk-independent", action="store_true",
                        help="changes nothing: no figure here depends on how an archive is cut into chunks")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    return parser.parse_args(arguments)


def examine(options: argparse.Namespace) -> dict[str, object]:
    """Reads the archive and returns the report; writes the rows if asked to."""
    zone = load_zone(options.zone)
    rules = Rules(
        start=read_instant(options.start, zone),
        end=read_instant(options.end, zone),
        body_offsets=options.body_offsets,
        floor_fraction=options.fraction == "floor",
    )
    if rules.start >= rules.end:
        raise UsageError(f"the window from {options.start} to {options.end} is empty")
    with tempfile.TemporaryDirectory(prefix="oracle-") as folder:
        tasks = make_tasks(options.archive, rules, Path(folder))
        results = read_partitions(tasks, options.jobs)
        buckets = tie_rows([task.spool for task in tasks], zone, options.rows)
    return make_report(results, buckets)


def load_zone(name: str) -> ZoneInfo:
    """Loads a time zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(f"zone {name} is not known") from error


def read_instant(text: str, zone: ZoneInfo) -> int:
    """Reads an RFC 3339 instant, or a date as its midnight in the zone, as microseconds since 1970."""
    if not DATE.fullmatch(text):
        time = read_time(text)
        if time is None or time.cut:
            raise UsageError(f"{text} is neither a date nor an RFC 3339 time of at most microseconds")
        return time.micros
    try:
        midnight = datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError as error:
        raise UsageError(f"{text} is no date") from error
    # Where clocks change at midnight, the two folds of that time have different offsets.
    if midnight.utcoffset() != midnight.replace(fold=1).utcoffset():
        raise UsageError(f"midnight of {text} does not exist once in {zone.key}: give an RFC 3339 time")
    return (midnight - EPOCH) // timedelta(microseconds=1)


def make_tasks(archive: Path, rules: Rules, spools: Path) -> list[Task]:
    """Returns one task per topic-partition; names on stderr the files that are no archive objects."""
    if not archive.is_dir():
        raise UsageError(f"{archive} is no folder")
    objects, others = find_objects(archive)
    for path in others:
        print(f"oracle: not an archive object: {path}", file=sys.stderr)
    if not objects:
        raise UsageError(f"{archive} holds no archive objects")
    return [
        Task(topic, partition, list(group), rules, spools / f"{topic}+{partition}.sqlite")
        for (topic, partition), group in groupby(objects, key=lambda o: (o.topic, o.partition))
    ]


def read_partitions(tasks: Sequence[Task], jobs: int) -> list[PartitionResult]:
    """Reads all partitions, in up to jobs processes; the first damaged one in order raises."""
    processes = max(1, min(jobs, len(tasks)))
    if processes == 1:
        return [read_partition(task) for task in tasks]
    with multiprocessing.Pool(processes) as pool:
        return list(pool.imap(read_partition, tasks))


def tie_rows(spools: Sequence[Path], zone: ZoneInfo, csv: Path | None) -> Buckets:
    """Takes older versions out; returns the sums per day and currency and writes the rest to csv."""
    buckets: Buckets = {}
    with ExitStack() as stack:
        out: TextIO | None = None
        if csv is not None:
            out = stack.enter_context(csv.open("w", encoding="utf-8", newline=""))
            out.write(",".join(ROW_COLUMNS) + "\n")
        streams = [stack.enter_context(closing(sqlite3.connect(path))) for path in spools]
        rows = merge_sorted(*(read_spool(stream) for stream in streams), key=spool_order)
        for _, versions in groupby(rows, key=lambda row: row[COLUMN["event_id"]]):
            for index, row in enumerate(versions):
                bucket = buckets.setdefault(bucket_key(row, zone), Bucket())
                bucket.before.add(row)
                if index == 0:
                    bucket.after.add(row)
                    if out is not None:
                        out.write(csv_line(row))
    return buckets


def read_spool(spool: sqlite3.Connection) -> Iterator[SpoolRow]:
    """Yields a partition's rows by event id, the newest version first."""
    names = ", ".join(f'"{name}"' for name in SPOOL_COLUMNS)
    return iter(spool.execute(f"SELECT {names} FROM spool ORDER BY {SPOOL_ORDER}"))


def spool_order(row: SpoolRow) -> tuple[object, ...]:
    """Orders rows over partitions as SPOOL_ORDER does within one; a tie goes to the higher partition."""
    version, rank, partition = row[COLUMN["version"]], row[COLUMN["rank"]], row[COLUMN["partition"]]
    assert isinstance(version, int) and isinstance(rank, int) and isinstance(partition, int)
    return row[COLUMN["event_id"]], -version, -rank, -partition


def bucket_key(row: SpoolRow, zone: ZoneInfo) -> tuple[str, Currency]:
    """Returns the day in the zone and the currency."""
    micros, currency = row[COLUMN["occurred_at"]], row[COLUMN["currency"]]
    assert isinstance(micros, int) and (currency is None or isinstance(currency, str))
    return datetime.fromtimestamp(micros // MICROS, zone).date().isoformat(), currency


def make_report(results: Sequence[PartitionResult], buckets: Buckets) -> dict[str, object]:
    """Puts the report together and checks that its parts add up."""
    counted: Counter[str] = sum((result.ladder for result in results), Counter())
    ladder = {name: counted[name] for name in (READ, *ENDS)}
    everything = Bucket()
    totals: dict[Currency, Bucket] = {}
    for (_, currency), bucket in buckets.items():
        everything.include(bucket)
        totals.setdefault(currency, Bucket()).include(bucket)
    if everything.before.rows != ladder[PARQUET]:
        raise AssertionError(f"{ladder[PARQUET]} rows counted, {everything.before.rows} spooled")
    ladder["superseded"] = everything.before.rows - everything.after.rows
    ladder["table_rows"] = everything.after.rows
    by_day = sorted(buckets.items(), key=lambda item: (item[0][0], item[0][1] or ""))
    by_currency = sorted(totals.items(), key=lambda item: item[0] or "")
    return {
        "ladder": ladder,
        "days": [bucket.entry(day, currency) for (day, currency), bucket in by_day],
        "totals": [bucket.entry(None, currency) for currency, bucket in by_currency],
        "partitions": [result.summary() for result in results],
    }


def cents_text(cents: int) -> str:
    """Returns cents as a decimal text with two digits after the point."""
    sign = "-" if cents < 0 else ""
    return f"{sign}{abs(cents) // 100}.{abs(cents) % 100:02d}"


def csv_line(row: SpoolRow) -> str:
    """Returns a row as CSV: texts in quotes, numbers bare, null (and no proven offset) empty."""
    return ",".join(csv_field(name, row[COLUMN[name]]) for name in ROW_COLUMNS) + "\n"


def csv_field(name: str, value: object) -> str:
    """Returns one CSV field."""
    if value is None:
        return ""
    if isinstance(value, int):
        return cents_text(value) if name in AMOUNTS else str(value)
    return '"' + str(value).replace('"', '""') + '"'


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
