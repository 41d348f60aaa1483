"""Shows what compare.py accepts and how it words each difference."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import tempfile
import unittest
from decimal import Decimal
from pathlib import Path
from typing import Any

import compare

LADDER = {
    "records_read": 20, "unreadable": 1, "tombstone": 2, "undatable": 1, "out_of_window": 3, "filtered": 4,
    "suppressed": 0, "rejected": 1, "duplicate_offset": 2, "parquet_rows": 6, "superseded": 1, "table_rows": 5,
}


def oracle_day(day: str, currency: str | None, before: int, after: int, cents: int) -> dict[str, Any]:
    """Returns a day of the oracle whose three amounts are all the same."""
    amount = f"{cents // 100}.{cents % 100:02d}"
    entry: dict[str, Any] = {"day": day, "currency": currency, "rows_before": before, "rows_after": after}
    for name in compare.AMOUNTS:
        entry |= {f"{name}_before": amount, f"{name}_after": amount}
    return entry


def report_day(day: str, group: list[Any], before: int, after: int, amount: Any) -> dict[str, Any]:
    """Returns a day of a report whose amounts are all the same."""
    old, new = {"rows": before, "amounts": [amount] * 3}, {"rows": after, "amounts": [amount] * 3}
    return {"day": day, "group": group, "archive": old, "stage": old, "expected": new, "table": new}


def oracle() -> dict[str, Any]:
    """Returns what the oracle printed."""
    days = [oracle_day("2026-03-01", "EUR", 4, 3, 1050), oracle_day("2026-03-01", None, 2, 2, 7)]
    return {"ladder": LADDER, "days": days, "totals": [], "partitions": []}


def report() -> dict[str, Any]:
    """Returns a report that agrees with it."""
    ladder = [{"name": step, "sign": "-", "rows": LADDER[name]} for step, name in compare.STEPS.items()]
    columns = [{"name": name, "scale": 2} for name in compare.AMOUNTS]
    days = [report_day("2026-03-01", ["EUR"], 4, 3, "10.50"), report_day("2026-03-01", [None], 2, 2, "0.07")]
    return copy.deepcopy({"ladder": ladder, "total_columns": columns, "days": days})


class CompareTest(unittest.TestCase):
    """Runs the program on two files."""

    def run_program(self, expected: Any, actual: Any) -> tuple[int, str]:
        """Returns exit code and what was printed."""
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / "oracle.json", Path(folder) / "report.json"]
            for path, value in zip(paths, (expected, actual), strict=True):
                path.write_text(json.dumps(value), encoding="utf-8")
            out = io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
                code = compare.main(["--oracle", str(paths[0]), "--report", str(paths[1])])
        return code, out.getvalue()

    def test_agreement(self) -> None:
        self.assertEqual((0, "ladder and 24 totals agree\n"), self.run_program(oracle(), report()))

    def test_spellings_of_a_sum(self) -> None:
        for amount in ("10.50", "10.5", 1050, "1050", "+1050", 10.5):
            actual = report()
            actual["days"][0] = report_day("2026-03-01", ["EUR"], 4, 3, amount)
            with self.subTest(amount=amount):
                self.assertEqual(0, self.run_program(oracle(), actual)[0])

    def test_each_difference(self) -> None:
        def ladder_step(r: dict[str, Any]) -> None:
            r["ladder"][2]["rows"] = 5

        def step_missing(r: dict[str, Any]) -> None:
            r["ladder"] = [step for step in r["ladder"] if step["name"] != "undatable"]

        def step_unknown(r: dict[str, Any]) -> None:
            r["ladder"][13]["rows"] = None

        def table_sum(r: dict[str, Any]) -> None:
            r["days"][0]["table"] = {"rows": 3, "amounts": ["10.50", "10.50", "10.51"]}

        def stage_rows(r: dict[str, Any]) -> None:
            r["days"][1]["stage"]["rows"] = 1

        def leg_unknown(r: dict[str, Any]) -> None:
            r["days"][1]["table"] = None

        def day_missing(r: dict[str, Any]) -> None:
            del r["days"][0]

        def day_invented(r: dict[str, Any]) -> None:
            r["days"].append(report_day("2026-03-02", ["EUR"], 0, 1, 0))

        def day_twice(r: dict[str, Any]) -> None:
            r["days"].append(r["days"][0])

        def column_missing(r: dict[str, Any]) -> None:
            r["total_columns"].pop()

        cases = {
            ladder_step: "tombstones: the oracle has 2, the report 5 (+3)\n",
            step_missing: "undatable: the oracle has 1, the report has no value\n",
            step_unknown: "rows in the table now: the oracle has 5, the report has no value\n",
            table_sum: "2026-03-01 EUR, table, net_amount: the oracle has 10.50, the report 10.51 (+0.01)\n",
            stage_rows: "2026-03-01 (no currency), stage, rows: the oracle has 2, the report 1 (-1)\n",
            leg_unknown: "2026-03-01 (no currency), table, rows: the oracle has 2, the report has no value\n",
            day_missing: "2026-03-01 EUR, archive, rows: the oracle has 4, the report 0 (-4)\n",
            day_invented: "2026-03-02 EUR, table, rows: the oracle has 0, the report 1 (+1)\n",
            day_twice: "2026-03-01 EUR: twice in the report\n",
            column_missing: "net_amount: the report does not total this column\n",
        }
        for spoil, message in cases.items():
            actual = report()
            spoil(actual)
            code, printed = self.run_program(oracle(), actual)
            with self.subTest(spoil.__name__):
                self.assertEqual(1, code)
                self.assertIn(message, printed)
                self.assertNotIn("agree", printed)

    def test_large_sums_are_exact(self) -> None:
        big = "123456789012345678901234567890123456.78"
        self.assertEqual(Decimal(big), compare.amount_of(big.replace(".", ""), 2))
        self.assertNotEqual(Decimal(big), compare.amount_of(big[:-1] + "9", 2))

    def test_what_is_no_number(self) -> None:
        for value in (None, True, "", "NaN", "Infinity", "1e3", "1,5", [], {}):
            with self.subTest(value=value):
                self.assertIsNone(compare.amount_of(value, 2))

    def test_many_differences_are_cut(self) -> None:
        actual = report()
        actual["days"] += [report_day(f"2026-04-{day:02d}", ["EUR"], 1, 1, "1.00") for day in range(1, 31)]
        code, printed = self.run_program(oracle(), actual)
        self.assertEqual(1, code)
        self.assertEqual(compare.MAX_SHOWN + 1, len(printed.splitlines()))
        self.assertIn("and 380 more differences", printed)

    def test_files_of_another_form(self) -> None:
        for actual in ({}, {"ladder": [1]}, [], {"ladder": [], "total_columns": [], "days": [{"day": "x"}]}):
            code, printed = self.run_program(oracle(), actual)
            with self.subTest(actual=actual):
                self.assertEqual(2, code)
                self.assertIn("the expected form", printed)


if __name__ == "__main__":
    unittest.main()
