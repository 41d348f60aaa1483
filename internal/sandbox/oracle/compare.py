"""Compares what the oracle expects with a reconciliation report of the worker.

    python3 compare.py --oracle ORACLE.json --report REPORT.json

Every step of the ladder and, per day and currency, rows and sums of all four legs must be there
and equal; what is missing or unknown in the report is a difference. It reads the two files and
nothing else. Called by tests and demos. Exit codes: 0 agree, 1 differ, 2 a file can't be read.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

# Step of the report's ladder, and the oracle's name for it.
STEPS = {
    "records read": "records_read",
    "unreadable (quarantined)": "unreadable",
    "tombstones": "tombstone",
    "undatable": "undatable",
    "out of the window": "out_of_window",
    "filtered by where": "filtered",
    "suppressed": "suppressed",
    "rejected (quarantined)": "rejected",
    "duplicates of an offset": "duplicate_offset",
    "Parquet rows": "parquet_rows",
    "stage rows": "parquet_rows",
    "superseded by a newer version": "superseded",
    "rows inserted": "table_rows",
    "rows in the table now": "table_rows",
}
# Leg of a report's day, and the oracle's side: with older versions or without.
LEGS = {"archive": "before", "stage": "before", "expected": "after", "table": "after"}
AMOUNTS = ("gross_amount", "tax_amount", "net_amount")
MAX_SHOWN = 100
# More digits than any sum of DECIMAL(38) values has, so that nothing here rounds.
EXACT = Context(prec=100)
PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")

Group = tuple[str, str]
NOTHING = Decimal(0)


@dataclass
class Comparison:
    """Differences found so far, and how many sums were compared."""

    differences: list[str] = field(default_factory=list)
    sums: int = 0

    def expect(self, place: str, expected: Decimal, actual: Decimal | None) -> None:
        """Notes a difference; None is a value that the report does not give."""
        if actual is None:
            self.differences.append(f"{place}: the oracle has {expected}, the report has no value")
        elif actual != expected:
            self.differences.append(
                f"{place}: the oracle has {expected}, the report {actual} ({EXACT.subtract(actual, expected):+})"
            )


def main(arguments: Sequence[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = argparse.ArgumentParser(description="Compares the oracle's JSON with a report's.")
    parser.add_argument("--oracle", type=Path, required=True)
    parser.add_argument("--report", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        comparison = compare(load(options.oracle), load(options.report))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"compare: the files don't have the expected form: {error!r}", file=sys.stderr)
        return 2
    differences = comparison.differences
    for difference in differences[:MAX_SHOWN]:
        print(difference)
    if len(differences) > MAX_SHOWN:
        print(f"and {len(differences) - MAX_SHOWN} more differences")
    if differences:
        return 1
    print(f"ladder and {comparison.sums} totals agree")
    return 0


def load(path: Path) -> dict[str, Any]:
    """Reads a JSON object without making floats."""
    value = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    if not isinstance(value, dict):
        raise ValueError(f"{path} holds no JSON object")
    return value


def compare(oracle: dict[str, Any], report: dict[str, Any]) -> Comparison:
    """Compares ladder and days."""
    comparison = Comparison()
    compare_ladders(oracle["ladder"], report["ladder"] or [], comparison)
    compare_days(oracle["days"], report, comparison)
    return comparison


def compare_ladders(oracle: dict[str, Any], ladder: list[dict[str, Any]], comparison: Comparison) -> None:
    """Compares the steps that both know; a step the report leaves out is a difference."""
    for step, name in STEPS.items():
        found = [count(entry.get("rows")) for entry in ladder if entry["name"] == step]
        for rows in found or [None]:
            comparison.expect(step, Decimal(oracle[name]), rows)


def compare_days(days: list[dict[str, Any]], report: dict[str, Any], comparison: Comparison) -> None:
    """Compares each leg of each day and currency of either side."""
    scales = {column["name"]: int(column["scale"]) for column in report["total_columns"] or []}
    for name in AMOUNTS:
        if name not in scales:
            comparison.differences.append(f"{name}: the report does not total this column")
    expected: dict[Group, dict[str, Any]] = {}
    for day in days:
        put(expected, group_of(day["day"], day["currency"]), day, "the oracle", comparison)
    actual: dict[Group, dict[str, Any]] = {}
    for day in report["days"] or []:
        put(actual, group_of(day["day"], *day["group"]), day, "the report", comparison)
    for group in sorted(expected.keys() | actual.keys()):
        for leg, side in LEGS.items():
            compare_leg(group, leg, side, expected.get(group), actual.get(group), scales, comparison)


def put(
    days: dict[Group, dict[str, Any]], group: Group, day: dict[str, Any], side: str, comparison: Comparison
) -> None:
    """Files a day under its group; a group that is there twice can't be compared and is a difference."""
    if group in days:
        comparison.differences.append(f"{describe(group)}: twice in {side}")
    days[group] = day


def compare_leg(
    group: Group,
    leg: str,
    side: str,
    expected: dict[str, Any] | None,
    actual: dict[str, Any] | None,
    scales: dict[str, int],
    comparison: Comparison,
) -> None:
    """Compares rows and sums of one leg; a day that one side leaves out has no rows there."""
    place = f"{describe(group)}, {leg}"
    nothing: dict[str, Any] = {"rows": 0, "amounts": [0] * len(scales)}
    cell = nothing if actual is None else actual.get(leg) or {}
    rows = Decimal(expected[f"rows_{side}"]) if expected else NOTHING
    comparison.expect(f"{place}, rows", rows, count(cell.get("rows")))
    amounts = cell.get("amounts") or []
    for index, (name, scale) in enumerate(scales.items()):
        if name not in AMOUNTS:
            continue
        amount = Decimal(expected[f"{name}_{side}"]) if expected else NOTHING
        value = amounts[index] if index < len(amounts) else None
        comparison.expect(f"{place}, {name}", amount, amount_of(value, scale))
        comparison.sums += 1


def group_of(day: str, currency: str | None = None) -> Group:
    """Returns the key of a day's group; no currency and an empty one are the same."""
    return day, currency or ""


def describe(group: Group) -> str:
    """Names a group for people."""
    day, currency = group
    return f"{day} {currency or '(no currency)'}"


def count(value: object) -> Decimal | None:
    """Reads a number of rows; None if there is none."""
    return amount_of(value, 0)


def amount_of(value: object, scale: int) -> Decimal | None:
    """Reads an exact sum: with a point it is the amount, without one it counts units of 10^-scale."""
    text = str(value)
    if isinstance(value, bool) or not PLAIN_NUMBER.fullmatch(text):
        return None
    amount = Decimal(text)
    return amount if "." in text else EXACT.scaleb(amount, -scale)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
