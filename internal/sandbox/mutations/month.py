"""A small month of pay, archived as the Confluent S3 sink lays it out, and its own reader.

    python3 month.py DIR      writes DIR/events/partition=N/events+N+OFFSET.json.gz

Every figure follows from a row's number, so that the SQL files beside this can name rows. It shares no
code with the worker, with the generator of archives or with the other oracle. Amounts are texts with two
decimals here and exact decimals when read; no float is ever made.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

TOPIC = "events"
PARTITIONS = 3
ROWS = 360
RECORDS_PER_OBJECT = 40
# March 2026 of Los Angeles; its 8th has 23 hours.
START = datetime(2026, 3, 1, 8, tzinfo=timezone.utc)
END = datetime(2026, 4, 1, 7, tzinfo=timezone.utc)
CLOCK_CHANGE = datetime(2026, 3, 8, 10, tzinfo=timezone.utc)
WANTED = ("payment.settled", "payment.reversed")
ENTITIES = (("US1", "USD"), ("DE1", "EUR"), ("GB1", "GBP"))
NOTES = ("Salary March", "Overtime week 9", "Bonus Q1", "", None)
NAME = re.compile(r"events\+(\d+)\+(\d{10})\.json(\.gz)?")

Event = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """A record at its place: the object's path, partition and offset, and its bytes."""

    path: Path
    partition: int
    offset: int
    body: bytes


@dataclass(frozen=True)
class Damaged:
    """An object that can't be read to its end."""

    path: Path
    partition: int
    first: int


def text(cents: int) -> str:
    """Returns cents as a decimal text."""
    return f"{Decimal(cents).scaleb(-2):.2f}"


def stamp(time: datetime) -> str:
    """Returns an instant as RFC 3339."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def day_of(time: datetime) -> str:
    """Returns the day in Los Angeles, for times about March 2026."""
    return f"{time - timedelta(hours=8 if time < CLOCK_CHANGE else 7):%Y-%m-%d}"


def payment(number: int, version: int, time: datetime) -> Event:
    """Returns a row's event. Cents never end in 0 or 5, so that rounding to any digit shows."""
    entity, currency = ENTITIES[number // PARTITIONS % len(ENTITIES)]
    gross = 100_000 + number * 7919 % 800_000 // 10 * 10 + (1, 2, 3, 4, 6, 7, 8, 9)[number % 8] + version * 100
    reversed_sign = -1 if number % 11 == 0 else 1
    return {
        "type": WANTED[number % 11 == 0],
        "id": f"pay-{number:04d}",
        "v": version,
        "at": stamp(time),
        "employee": {"id": 7000 + number % 90},
        "entity": entity,
        "gross": text(reversed_sign * gross),
        "net": text(reversed_sign * (gross - gross * 23 // 100)),
        "currency": currency,
        "pay_run": "OFF-CYCLE-1" if number % 40 == 3 else f"2026-03-{1 + number // 180}",
        "note": NOTES[number % len(NOTES)],
    }


def log(partition: int) -> Iterator[Event | None]:
    """Yields a partition's records in order; None is a tombstone."""
    step = (END - START - timedelta(minutes=10)) / ROWS
    before = payment(9000 + partition, 1, START - timedelta(microseconds=1))
    yield before | {"id": f"feb-{partition}"}
    for number in range(partition, ROWS, PARTITIONS):
        time = START + number * step
        yield payment(number, 1, time)
        if number % 24 == 5:
            yield payment(number, 2, time)
        if number % 30 == 7:
            yield payment(number, 1, time) | {"id": f"seen-{number:04d}", "type": "profile.viewed"}
        if number == 150 + partition:
            yield None
    for day in range(3):
        yield payment(9100 + partition, 1, END + timedelta(days=day)) | {"id": f"apr-{partition}-{day}"}


def spell(event: Event | None) -> bytes:
    """Returns a record's line without its end."""
    return json.dumps(event, separators=(",", ":")).encode()


def object_path(folder: Path, partition: int, first: int, extension: str = ".json.gz") -> Path:
    """Returns where an object stands."""
    return folder / TOPIC / f"partition={partition}" / f"{TOPIC}+{partition}+{first:010d}{extension}"


def write_object(path: Path, records: Sequence[bytes]) -> None:
    """Writes records as one object, the same bytes each time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    body = b"".join(record + b"\n" for record in records)
    path.write_bytes(gzip.compress(body, mtime=0) if path.suffix == ".gz" else body)


def write_month(folder: Path) -> None:
    """Writes the whole archive."""
    for partition in range(PARTITIONS):
        records = [spell(event) for event in log(partition)]
        for first in range(0, len(records), RECORDS_PER_OBJECT):
            write_object(object_path(folder, partition, first), records[first : first + RECORDS_PER_OBJECT])


def objects(folder: Path) -> list[tuple[Path, int, int]]:
    """Returns every object's path, partition and first offset, in order."""
    found = []
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        name = NAME.fullmatch(path.name)
        if name is None:
            raise ValueError(f"{path} is no object of this archive")
        found.append((path, int(name[1]), int(name[2])))
    return sorted(found, key=lambda o: (o[1], o[2], str(o[0])))


def read_object(path: Path, partition: int, first: int) -> list[Record] | Damaged:
    """Returns an object's records."""
    body = path.read_bytes()
    if body.startswith(b"\x1f\x8b"):
        try:
            body = gzip.decompress(body)
        except (EOFError, OSError, zlib.error):
            return Damaged(path, partition, first)
    lines = body.split(b"\n")
    return [Record(path, partition, first + at, line) for at, line in enumerate(lines) if line]


def read_month(folder: Path) -> tuple[list[Record], list[Damaged]]:
    """Returns all records in order, and the objects that can't be read."""
    records: list[Record] = []
    damaged: list[Damaged] = []
    for path, partition, first in objects(folder):
        found = read_object(path, partition, first)
        if isinstance(found, Damaged):
            damaged.append(found)
        else:
            records += found
    return records, damaged


def parse(body: bytes) -> Mapping[str, Any] | None:
    """Returns a record's event; None is a tombstone. Numbers are exact."""
    return json.loads(body, parse_float=Decimal)


if __name__ == "__main__":
    write_month(Path(sys.argv[1]))
