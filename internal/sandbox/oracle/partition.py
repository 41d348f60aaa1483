"""Every record of one topic-partition, in order: dispositions counted, would-be rows spooled.

It decides what needs the neighbours of a record: its offset and whether that is proven, repeats of
an offset, gaps. It must not look across partitions; which version of an event wins is decided
later. Called by oracle.py, one process per partition.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from archive import ArchiveObject, count_records, read_records
from record import (
    FILTERED,
    OUT_OF_WINDOW,
    REJECTED,
    SUPPRESSED,
    TOMBSTONE,
    UNDATABLE,
    UNREADABLE,
    Row,
    Rules,
    judge,
)

READ = "records_read"
DUPLICATE = "duplicate_offset"
PARQUET = "parquet_rows"
ENDS = (UNREADABLE, TOMBSTONE, UNDATABLE, OUT_OF_WINDOW, FILTERED, SUPPRESSED, REJECTED, DUPLICATE, PARQUET)

# What the table keeps of a record's origin, and the rank of a record in its partition.
ORIGIN = ("topic", "partition", "offset")
SPOOL_COLUMNS = (*Row._fields, *ORIGIN, "rank")
# The newest version of an event first.
SPOOL_ORDER = '"event_id", "version" DESC, "rank" DESC, rowid DESC'
INSERT_ROWS = 10_000

Range = tuple[int, int]


@dataclass(frozen=True)
class Task:
    """One partition to read; spool is the SQLite file to create for its rows."""

    topic: str
    partition: int
    objects: Sequence[ArchiveObject]
    rules: Rules
    spool: Path


@dataclass
class PartitionResult:
    """What one partition held; covered are the half-open ranges of offsets that were found."""

    topic: str
    partition: int
    ladder: Counter[str] = field(default_factory=Counter)
    covered: list[Range] = field(default_factory=list)
    conflicts: int = 0

    def summary(self) -> dict[str, object]:
        """Returns the partition's entry of the report. A partition of empty objects has no first and last."""
        covered = self.covered
        return {
            "topic": self.topic,
            "partition": self.partition,
            "first": covered[0][0] if covered else None,
            "last": covered[-1][1] - 1 if covered else None,
            "found": sum(end - start for start, end in covered),
            "gaps": [[before[1], after[0]] for before, after in zip(covered, covered[1:], strict=False)],
            "records": self.ladder[READ],
            "conflicts": self.conflicts,
        }


class Repeats:
    """Remembers which bytes each offset had among the rows so far; others holds the conflicting ones."""

    def __init__(self) -> None:
        self.digests: dict[int, bytes] = {}
        self.others: set[tuple[int, bytes]] = set()

    def meets(self, offset: int, record: bytes) -> bool:
        """Says whether the offset was there before with the same bytes; remembers both otherwise."""
        digest = blake2b(record, digest_size=16).digest()
        known = self.digests.get(offset)
        if known is None:
            self.digests[offset] = digest
            return False
        if known == digest or (offset, digest) in self.others:
            return True
        self.others.add((offset, digest))
        return False


def read_partition(task: Task) -> PartitionResult:
    """Reads a partition's objects in order and writes its would-be rows to the spool."""
    result = PartitionResult(task.topic, task.partition)
    with closing(sqlite3.connect(task.spool)) as spool:
        spool.execute("PRAGMA journal_mode = OFF")
        spool.execute("PRAGMA synchronous = OFF")
        names = ", ".join(f'"{name}"' for name in SPOOL_COLUMNS)
        spool.execute(f"CREATE TABLE spool ({names})")
        marks = ", ".join("?" * len(SPOOL_COLUMNS))
        rows = walk(task, result)
        while batch := list(islice(rows, INSERT_ROWS)):
            spool.executemany(f"INSERT INTO spool VALUES ({marks})", batch)
        spool.commit()
    counted = sum(result.ladder[end] for end in ENDS)
    if counted != result.ladder[READ]:
        raise AssertionError(f"{result.ladder[READ]} records read, {counted} ended")
    return result


def walk(task: Task, result: PartitionResult) -> Iterator[tuple[object, ...]]:
    """Yields the spool row of every would-be row, and fills in result on the way."""
    unproven = set() if task.rules.body_offsets else find_unproven(task.objects)
    repeats = Repeats()
    ranges: list[Range] = []
    for source in task.objects:
        place = source.first
        proven = source not in unproven
        for record in read_records(source.path):
            verdict = judge(record, task.rules)
            if task.rules.body_offsets:
                offset = verdict.offset
                # A record that can't say its offset is taken to follow the one before it.
                place = place if offset is None else offset
            else:
                offset = place if proven else None
            extend(ranges, place)
            result.ladder[READ] += 1
            if verdict.row is None:
                result.ladder[verdict.disposition] += 1
            elif offset is not None and repeats.meets(offset, record):
                result.ladder[DUPLICATE] += 1
            else:
                result.ladder[PARQUET] += 1
                yield (*verdict.row, source.topic, source.partition, offset, place)
            place += 1
    result.covered = merge(ranges)
    result.conflicts = len(repeats.others)


def find_unproven(objects: Sequence[ArchiveObject]) -> set[ArchiveObject]:
    """Returns the objects that hold fewer records than there are offsets up to the next object.

    Somewhere in such an object offsets are missing, so that no place in it proves an offset. An
    object is spared if another one, which starts no later, reaches the next object's first offset.
    """
    ends = {source: source.first + count_records(source.path) for source in objects}
    firsts = sorted({source.first for source in objects})
    unproven: set[ArchiveObject] = set()
    reach = 0
    for first, following in zip(firsts, firsts[1:], strict=False):
        group = [source for source in objects if source.first == first]
        reach = max(reach, *(ends[source] for source in group))
        if reach < following:
            unproven.update(group)
    return unproven


def extend(ranges: list[Range], offset: int) -> None:
    """Adds an offset to the newest range, or starts another."""
    if ranges and ranges[-1][1] == offset:
        ranges[-1] = (ranges[-1][0], offset + 1)
    else:
        ranges.append((offset, offset + 1))


def merge(ranges: list[Range]) -> list[Range]:
    """Returns the union of the ranges, sorted, touching ones joined."""
    merged: list[Range] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
