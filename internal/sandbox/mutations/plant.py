"""Plants a fault in an archive of month.py, by rewriting its objects.

    python3 plant.py KIND DIR [KEY]

KIND is reject (the key's amount no longer fits), filter (its type is unwanted), newer (a correction of it
is archived last), add (a new key is archived last), conflict (another object holds other bytes at its
offset), gap (the object that holds it is gone) or damage (that object is cut in half).
"""

from __future__ import annotations

import sys
from pathlib import Path

from month import Record, parse, read_month, read_object, spell, write_object


def find(records: list[Record], key: str) -> Record:
    """Returns the newest record of a key."""
    for record in reversed(records):
        event = parse(record.body)
        if event is not None and event["id"] == key:
            return record
    raise SystemExit(f"no record has the key {key}")


def change(record: Record, path: Path, **members: str) -> None:
    """Writes the object of a record to path, with some members of the record changed."""
    found = read_object(record.path, record.partition, int(record.path.name.split("+")[2][:10]))
    assert isinstance(found, list)
    write_object(path, [spell({**(parse(r.body) or {}), **members}) if r == record else r.body for r in found])


def append(records: list[Record], record: Record, **members: str | int) -> None:
    """Archives a changed record once more, as an object behind its partition's last."""
    last = max(r.offset for r in records if r.partition == record.partition)
    path = record.path.with_name(f"events+{record.partition}+{last + 1:010d}.json.gz")
    write_object(path, [spell({**(parse(record.body) or {}), **members})])


def plant(kind: str, folder: Path, key: str) -> None:
    """Plants one fault."""
    records, _ = read_month(folder)
    record = find(records, key)
    match kind:
        case "reject":
            change(record, record.path, gross="1.005")
        case "filter":
            change(record, record.path, type="profile.viewed")
        case "newer":
            append(records, record, v=9, gross="77.77")
        case "add":
            append(records, record, id="late-1")
        case "conflict":
            change(record, record.path.with_suffix(""), gross="66.66")
        case "gap":
            record.path.unlink()
        case "damage":
            body = record.path.read_bytes()
            record.path.write_bytes(body[: len(body) // 2])
        case _:
            raise SystemExit(f"{kind} is no kind")


if __name__ == "__main__":
    plant(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
