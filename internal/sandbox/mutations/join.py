"""The exact join of an archive and a table: what a reconciliation must find, and nothing else.

    python3 join.py ARCHIVE --table DUMP     the differences, one JSON object per line
    python3 join.py ARCHIVE --insert TABLE   SQL that loads the table as another pipeline would
    python3 join.py ARCHIVE --table DUMP --suppress ID,ID   the same, when some employees were erased
    python3 join.py ARCHIVE --register       control totals by currency and entity, as a payroll register has them
    python3 join.py ARCHIVE --ends           each partition's end offset, as kafka-get-offsets prints it

DUMP holds one JSON list per row: the texts of COLUMNS, null for NULL. A difference has its key, the
classes that may name it, the columns, and for each column the kinds that are true of it: 10.51 that became
10.50 was rounded as well as cut. Behind the differences stand the days and groups whose rows are not the same.

A kind says what was done to an archived value so that the table's came of it. The rule is made of the
words alone, whatever a program makes of them; where more than one kind is true, any may be named, and only
where none is true the kind is other:

    rounding    the nearest amount with fewer digits, ties away from zero or to the even digit: to tenths or units,
                or to tens, hundreds and so on while a digit other than zero is left; the nearest millisecond,
                second or minute
    truncation  the same with digits dropped; a text cut short, while something is left of it
    zone_shift  whole quarters of an hour, up to the 26 hours that zones can be apart
    padding     more or fewer blanks before or behind a text
    case        other case alone
    null_empty  NULL for a text that is empty, or the reverse; blanks alone are empty to a warehouse
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, NamedTuple

from month import END, START, TOPIC, WANTED, Damaged, Record, day_of, parse, read_month

COLUMNS = ("id", "v", "happened_at", "employee_id", "legal_entity", "gross_amount", "net_amount", "currency",
           "pay_run", "note", "source")
AMOUNTS = ("gross_amount", "net_amount")
TIMES = ("happened_at",)
TEXTS = ("id", "legal_entity", "currency", "pay_run", "note", "source")
WIDTHS = {"id": 36, "legal_entity": 16, "currency": 3, "pay_run": 36, "note": 40}
SCALE = Decimal("0.01")
LIMIT = Decimal(10) ** 16
SOURCE = "payroll"

Value = str | int | Decimal | datetime | None
Row = tuple[Value, ...]


class MisfitError(ValueError):
    """A value that its column can't hold."""


class Ends(NamedTuple):
    """Where each record of the archive ended."""

    rows: dict[str, list[tuple[int, Record, Row]]]  # by key: version, record, row
    elsewhere: dict[str, set[str]]  # by key: filtered, suppressed, quarantined, out_of_window
    quarantined: list[Record]
    conflicts: list[Record]
    gaps: list[tuple[int, int, int]]  # partition, first and last missing offset
    damaged: list[Damaged]
    erased: frozenset[int]  # employees


def row_of(event: dict[str, Any], time: datetime) -> Row:
    """Returns an event's row."""
    row = (event["id"], int(event["v"]), time, event["employee"]["id"], event["entity"], amount(event["gross"]),
           amount(event["net"]), event["currency"], event["pay_run"], event["note"], SOURCE)
    for name, value in zip(COLUMNS, row, strict=True):
        if name in WIDTHS and isinstance(value, str) and len(value.encode()) > WIDTHS[name]:
            raise MisfitError(name)
    return row


def amount(value: str | int | Decimal | None) -> Decimal | None:
    """Reads a decimal(18,2)."""
    if value is None:
        return None
    exact = Decimal(value)
    if exact != exact.quantize(SCALE, ROUND_DOWN) or abs(exact) >= LIMIT:
        raise MisfitError("amount")
    return exact


def instant(text: str) -> datetime:
    """Reads RFC 3339, or a warehouse's timestamp as UTC."""
    time = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def end_all(archive: Path, erased: frozenset[int]) -> Ends:
    """Decides every record of an archive."""
    records, damaged = read_month(archive)
    ends = Ends(defaultdict(list), defaultdict(set), [], [], find_gaps(records), damaged, erased)
    seen: dict[tuple[int, int], bytes] = {}
    for record in records:
        place = (record.partition, record.offset)
        if place in seen:
            if seen[place] != record.body:
                ends.conflicts.append(record)
            continue
        seen[place] = record.body
        end_one(ends, record)
    return ends


def end_one(ends: Ends, record: Record) -> None:
    """Decides one record, in the order in which a record's end is decided."""
    event = parse(record.body)
    if event is None:
        return
    time = instant(event["at"])
    if not START <= time < END:
        ends.elsewhere[event["id"]].add("out_of_window")
        return
    if event["type"] not in WANTED:
        ends.elsewhere[event["id"]].add("filtered")
        return
    if event["employee"]["id"] in ends.erased:
        ends.elsewhere[event["id"]].add("suppressed")
        return
    try:
        row = row_of(dict(event), time)
    except MisfitError:
        ends.quarantined.append(record)
        ends.elsewhere[event["id"]].add("quarantined")
        return
    ends.rows[event["id"]].append((event["v"], record, row))


def find_gaps(records: Sequence[Record]) -> list[tuple[int, int, int]]:
    """Returns the offsets between a partition's first and last that no readable object holds."""
    gaps = []
    by_partition: dict[int, set[int]] = defaultdict(set)
    for record in records:
        by_partition[record.partition].add(record.offset)
    for partition, offsets in sorted(by_partition.items()):
        ordered = sorted(offsets)
        gaps += [(partition, a + 1, b - 1) for a, b in zip(ordered, ordered[1:], strict=False) if b > a + 1]
    return gaps


def winners(ends: Ends) -> dict[str, Row]:
    """Returns each key's newest version: the greatest v, then the greatest offset."""
    return {key: max(found, key=lambda f: (f[0], f[1].offset))[2] for key, found in ends.rows.items()}


def read_dump(path: Path) -> Iterator[Row]:
    """Yields the rows of a dump."""
    for line in path.read_text(encoding="utf-8").splitlines():
        yield tuple(value_of(name, cell) for name, cell in zip(COLUMNS, json.loads(line), strict=True))


def value_of(name: str, cell: str | None) -> Value:
    """Reads one cell."""
    if cell is None:
        return None
    if name in AMOUNTS:
        return Decimal(cell)
    if name in TIMES:
        return instant(cell)
    return cell if name in TEXTS else int(cell)


def join(ends: Ends, table: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yields the differences by key."""
    archive = winners(ends)
    inside: dict[str, list[Row]] = defaultdict(list)
    outside: dict[str, list[Row]] = defaultdict(list)
    for row in table:
        if row[COLUMNS.index("source")] == SOURCE:
            time = row[COLUMNS.index("happened_at")]
            assert isinstance(time, datetime)
            if START <= time < END and row[COLUMNS.index("employee_id")] in ends.erased:
                yield {"key": str(row[0]), "classes": ["suppressed"]}
                continue
            (inside if START <= time < END else outside)[str(row[0])].append(row)
    for key in sorted(archive.keys() | inside.keys()):
        if key not in archive:
            yield from [extra(key, ends)] * len(inside[key])
        elif key not in inside:
            yield missing(key, archive[key], outside.get(key, []))
        else:
            yield from changed(key, archive[key], inside[key], ends)


def extra(key: str, ends: Ends) -> dict[str, Any]:
    """Returns the difference of a row whose key only the table has."""
    why = ends.elsewhere.get(key, set())
    return {"key": key, "classes": sorted(why) or ["extra"]}


def missing(key: str, row: Row, outside: list[Row]) -> dict[str, Any]:
    """Returns the difference of a key that the table has not, or only outside the window."""
    if not outside:
        return {"key": key, "classes": ["missing"]}
    kinds = differences(row, outside[0])
    return {"key": key, "classes": ["missing", "changed"], "columns": sorted(kinds), "kinds": kinds}


def changed(key: str, row: Row, found: list[Row], ends: Ends) -> Iterator[dict[str, Any]]:
    """Yields the differences of a key that both have: copies beyond the best one, and what that differs in."""
    best, *copies = sorted(found, key=lambda other: len(differences(row, other)))
    for _ in copies:
        yield {"key": key, "classes": ["duplicate"]}
    if kinds := differences(row, best):
        older = best in [old for _, _, old in ends.rows[key]]
        yield {"key": key, "classes": ["superseded" if older else "changed"], "columns": sorted(kinds), "kinds": kinds}


def differences(row: Row, other: Row) -> dict[str, list[str]]:
    """Returns the columns that differ, and the kinds that are true of each."""
    return {name: kinds_of(name, a, b) for name, a, b in zip(COLUMNS, row, other, strict=True) if a != b}


def kinds_of(name: str, a: Value, b: Value) -> list[str]:
    """Returns what may be said of an archived value a that stands as b in the table; empty: nothing."""
    if isinstance(a, Decimal) and isinstance(b, Decimal):
        return amount_kinds(a, b)
    if isinstance(a, datetime) and isinstance(b, datetime):
        return time_kinds(a, b)
    if name in TEXTS and None in (a, b) and not str(a or b or "").strip(" "):
        return ["null_empty"]
    if isinstance(a, str) and isinstance(b, str):
        return text_kinds(a, b)
    return []


def amount_kinds(a: Decimal, b: Decimal) -> list[str]:
    """Rounded or cut to tenths or units, or to more where a digit other than zero is left."""
    kinds = set()
    for digits in range(1, -len(str(LIMIT)), -1):
        if digits < 0 and b == 0:
            break
        unit = Decimal(1).scaleb(-digits)
        if b in ((a / unit).quantize(Decimal(1), way) * unit for way in (ROUND_HALF_UP, ROUND_HALF_EVEN)):
            kinds.add("rounding")
        if b == (a / unit).quantize(Decimal(1), ROUND_DOWN) * unit:
            kinds.add("truncation")
    return sorted(kinds)


def time_kinds(a: datetime, b: datetime) -> list[str]:
    """Moved by a zone's whole quarters of an hour, or cut to milliseconds or seconds."""
    apart = b - a
    if apart % timedelta(minutes=15) == timedelta(0) and abs(apart) <= timedelta(hours=26):
        return ["zone_shift"]
    kinds = set()
    for unit in (timedelta(milliseconds=1), timedelta(seconds=1), timedelta(minutes=1)):
        if b == a - (a - START) % unit:
            kinds.add("truncation")
        if abs(apart) <= unit / 2 and (b - START) % unit == timedelta(0):
            kinds.add("rounding")
    return sorted(kinds)


def text_kinds(a: str, b: str) -> list[str]:
    """Blanks around it, other case, or cut short."""
    kinds = set()
    if a.strip(" ") == b.strip(" "):
        kinds.add("padding")
    if a.casefold() == b.casefold():
        kinds.add("case")
    if b and a.startswith(b):
        kinds.add("truncation")
    return sorted(kinds)


def places(ends: Ends, table: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Yields the days and groups of the window in which archive and table do not hold the same rows."""
    balance: dict[tuple[str, Value, Value], Counter[Row]] = defaultdict(Counter)
    for rows, sign in ((winners(ends).values(), 1), (table, -1)):
        for row in rows:
            cells = dict(zip(COLUMNS, row, strict=True))
            time = cells["happened_at"]
            assert isinstance(time, datetime)
            if cells["source"] == SOURCE and START <= time < END:
                balance[day_of(time), cells["currency"], cells["legal_entity"]][row] += sign
    for (day, *group), rows_of in balance.items():
        if any(rows_of.values()):
            yield {"day": day, "group": group}


def archive_findings(ends: Ends) -> Iterator[dict[str, Any]]:
    """Yields what is wrong with the archive itself."""
    for partition, first, last in ends.gaps:
        yield {"classes": ["archive_gap"], "partition": partition, "first": first, "last": last}
    for record in ends.conflicts:
        event = parse(record.body)
        yield {"classes": ["archive_conflict"], "partition": record.partition, "first": record.offset,
               "last": record.offset, "key": event["id"] if event else ""}
    for damaged in ends.damaged:
        yield {"classes": ["damaged_object"], "object": damaged.path.name}
    for record in ends.quarantined:
        event = parse(record.body)
        yield {"classes": ["quarantined"], "partition": record.partition, "first": record.offset,
               "last": record.offset, "key": event["id"] if event else ""}


def literal(value: Value) -> str:
    """Returns a value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, datetime):
        return f"'{value:%Y-%m-%d %H:%M:%S.%f}'"
    return str(value) if isinstance(value, int | Decimal) else "'" + value.replace("'", "''") + "'"


def print_inserts(ends: Ends, table: str) -> None:
    """Prints the table's rows as INSERT statements of up to 100 rows."""
    rows = [row for _, row in sorted(winners(ends).items())]
    for at in range(0, len(rows), 100):
        values = ",\n ".join("(" + ", ".join(literal(v) for v in row) + ")" for row in rows[at : at + 100])
        print(f"INSERT INTO {table} ({', '.join(COLUMNS)}) VALUES\n {values};")


def print_register(ends: Ends) -> None:
    """Prints rows and amounts of each currency and entity as CSV."""
    rows: Counter[tuple[Value, Value]] = Counter()
    sums: dict[tuple[Value, Value], dict[str, Decimal]] = defaultdict(lambda: dict.fromkeys(AMOUNTS, Decimal(0)))
    for row in winners(ends).values():
        cells = dict(zip(COLUMNS, row, strict=True))
        group = (cells["currency"], cells["legal_entity"])
        rows[group] += 1
        for name in AMOUNTS:
            value = cells[name]
            assert isinstance(value, Decimal)
            sums[group][name] += value
    print("currency", "legal_entity", "rows", *AMOUNTS, sep=",")
    for group in sorted(rows, key=str):
        print(*group, rows[group], *sums[group].values(), sep=",")


def print_ends(archive: Path) -> None:
    """Prints the offset behind each partition's last record."""
    ends: dict[int, int] = {}
    for record in read_month(archive)[0]:
        ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
    for partition, end in sorted(ends.items()):
        print(TOPIC, partition, end, sep=":")


def main() -> None:
    """Runs the program."""
    parser = argparse.ArgumentParser(description="The exact join of an archive and a table.")
    parser.add_argument("archive", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--suppress", default="")
    parser.add_argument("--insert")
    parser.add_argument("--register", action="store_true")
    parser.add_argument("--ends", action="store_true")
    options = parser.parse_args()
    ends = end_all(options.archive, frozenset(map(int, filter(None, options.suppress.split(",")))))
    if options.insert:
        print_inserts(ends, options.insert)
    if options.ends:
        print_ends(options.archive)
    if options.register:
        print_register(ends)
    if options.table:
        table = list(read_dump(options.table))
        for finding in [*archive_findings(ends), *join(ends, table), *places(ends, table)]:
            json.dump(finding, sys.stdout)
            print()


if __name__ == "__main__":
    main()
