"""Shows each rule of record.py on single records, by tables."""

from __future__ import annotations

import json
import unittest
from datetime import datetime, timezone
from typing import Any

import record
from record import Rules, Verdict, judge, read_amount, read_integer, read_time

DAY = 86_400 * 1_000_000
MARCH = int(datetime(2026, 3, 1, tzinfo=timezone.utc).timestamp()) * 1_000_000
WINDOW = Rules(MARCH, MARCH + DAY)
BODY = Rules(MARCH, MARCH + DAY, body_offsets=True)
MISSING = object()


def event(**changes: Any) -> bytes:
    """Returns a good event with some members changed; MISSING takes one out."""
    value: dict[str, Any] = {
        "event_id": "e-1", "type": "payment.settled", "occurred_at": "2026-03-01T12:00:00Z", "version": 1,
        "company_id": 7, "pay_run_id": "PR-1", "employee": {"id": 42}, "currency": "EUR",
        "gross_amount": "10.50", "tax_amount": "0.50", "net_amount": "10.00", "bank_account": "XX1",
        "details": {"note": "ä"},
    } | changes
    return json.dumps({k: v for k, v in value.items() if v is not MISSING}, ensure_ascii=False).encode()


def swap(old: bytes, new: bytes) -> bytes:
    """Returns the good event with some bytes replaced."""
    assert old in event()
    return event().replace(old, new)


class DispositionTest(unittest.TestCase):
    """One disposition per record, in order."""

    def check(self, cases: dict[bytes, str], rules: Rules = WINDOW) -> None:
        for line, disposition in cases.items():
            with self.subTest(line=line[:200]):
                self.assertEqual(disposition, judge(line, rules).disposition)

    def test_unreadable_and_tombstone(self) -> None:
        good = event()
        self.check(
            {
                b"{": "unreadable", b"nul": "unreadable", b"NaN": "unreadable", b"-Infinity": "unreadable",
                b"{} {}": "unreadable", b"[1,]": "unreadable", b"01": "unreadable", b'{"a":.5}': "unreadable",
                b"'a'": "unreadable", b'"\xff"': "unreadable", b'"\xed\xa0\x80"': "unreadable",
                b'"a\tb"': "unreadable", b'"\\x41"': "unreadable", b"\x00": "unreadable",
                good[:-1]: "unreadable", good + b",": "unreadable", b"[" * 100_000: "unreadable",
                b"null": "tombstone", b"null null": "unreadable",
                b"1": "undatable", b'"text"': "undatable", b"[]": "undatable", b"{}": "undatable",
                good: "row",
            }
        )

    def test_undatable(self) -> None:
        bad_times = [
            MISSING, None, 1772366400000, "", "2026-03-01", "2026-03-01T12:00:00", "2026-03-01T12:00Z",
            "2026-02-29T12:00:00Z", "2026-03-01T24:00:00Z", "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z",
            "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+0100", "2026-03-01T12:00:00+24:00",
            "0000-03-01T12:00:00Z", "0001-01-01T00:00:00+00:01", " 2026-03-01T12:00:00Z",
            "2026-03-01T12:00:00Z\n", "٢٠٢٦-03-01T12:00:00Z",
        ]
        self.check({event(occurred_at=time): "undatable" for time in bad_times})

    def test_kafka_time_stands_in_for_event_time(self) -> None:
        inside, outside = MARCH // 1000, MARCH // 1000 - 1
        self.check(
            {
                event(occurred_at=None, _kafka={"timestamp": inside}): "rejected",
                event(occurred_at=None, _kafka={"timestamp": str(inside)}): "undatable",
                event(occurred_at=None, _kafka={"timestamp": "2026-03-01T00:00:00Z"}): "rejected",
                event(occurred_at="?", type="x", _kafka={"timestamp": inside}): "filtered",
                event(occurred_at=None, _kafka={"timestamp": outside}): "out_of_window",
                event(occurred_at=None, _kafka={"timestamp": -1}): "undatable",
                event(occurred_at=None, _kafka={"timestamp": 1.5}): "undatable",
                event(occurred_at=None, _kafka=None): "undatable",
                event(_kafka={"timestamp": outside}): "row",
            },
            BODY,
        )
        self.check({event(occurred_at=None, _kafka={"timestamp": inside}): "undatable"}, WINDOW)

    def test_window_is_half_open(self) -> None:
        self.check(
            {
                event(occurred_at="2026-02-28T23:59:59.999999999Z"): "out_of_window",
                event(occurred_at="2026-03-01T00:00:00Z"): "row",
                event(occurred_at="2026-02-28T16:00:00-08:00"): "row",
                event(occurred_at="2026-03-01T23:59:59.999999Z"): "row",
                event(occurred_at="2026-03-02T00:00:00Z"): "out_of_window",
                event(occurred_at="2026-03-02T00:59:59+01:00"): "row",
            }
        )

    def test_order(self) -> None:
        self.check(
            {
                event(occurred_at=None, type="x", event_id=None): "undatable",
                event(occurred_at="2026-04-01T00:00:00Z", type="x", event_id=None): "out_of_window",
                event(type="x", event_id=None): "filtered",
                event(type=MISSING): "filtered",
                event(type=["payment.settled"]): "filtered",
                event(type="payment.settled "): "filtered",
                event(type="payment.reversed"): "row",
                event(event_id=None): "rejected",
            }
        )


class ColumnTest(unittest.TestCase):
    """What fits a column, and what the row then holds."""

    def row(self, line: bytes, rules: Rules = WINDOW) -> record.Row | None:
        verdict = judge(line, rules)
        self.assertIn(verdict.disposition, ("row", "rejected"), line)
        return verdict.row

    def test_the_whole_row(self) -> None:
        expected = record.Row(
            "e-1", "payment.settled", 42, 7, 1050, 50, 1000, "EUR", "PR-1", MARCH + DAY // 2, 1, "XX1",
            '{"note": "ä"}', "payroll",
        )
        self.assertEqual(Verdict("row", None, expected), judge(event(), WINDOW))
        self.assertEqual(Verdict("row", 12, expected), judge(event(_kafka={"offset": 12}), BODY))
        self.assertIsNone(judge(event(_kafka={"offset": 12}), WINDOW).offset)
        for offset in (-1, None, "x", 1.5, 2**63):
            self.assertIsNone(judge(event(_kafka={"offset": offset}), BODY).offset)

    def test_null_and_absent(self) -> None:
        free = ("company_id", "gross_amount", "tax_amount", "net_amount", "currency", "pay_run_id",
                "bank_account", "details")
        for name in free:
            for value in (None, MISSING):
                row = self.row(event(**{name: value}))
                self.assertIsNotNone(row, name)
                self.assertIsNone(getattr(row, name))
        for name in ("event_id", "employee", "version"):
            for value in (None, MISSING):
                self.assertIsNone(self.row(event(**{name: value})), name)
        self.assertIsNone(self.row(event(employee={"id": None})))
        self.assertIsNone(self.row(event(employee=[{"id": 1}])))

    def test_texts(self) -> None:
        limits = {"event_id": 36, "pay_run_id": 36, "bank_account": 64, "currency": 3}
        for name, limit in limits.items():
            self.assertEqual("x" * limit, getattr(self.row(event(**{name: "x" * limit})), name))
            for value in ("x" * (limit + 1), 5, True, {}, [], "a\0"):
                self.assertIsNone(self.row(event(**{name: value})), (name, value))
        for name in ("event_id", "pay_run_id", "bank_account"):
            self.assertEqual("ä" * 18, getattr(self.row(event(**{name: "ä" * 18})), name))
        self.assertIsNone(self.row(event(event_id="ä" * 18 + "x")))
        self.assertIsNone(self.row(event(currency="ä")))
        self.assertIsNone(self.row(event(currency="€")))
        self.assertIsNone(self.row(swap(b'"e-1"', rb'"\ud83d"')))
        self.assertEqual("🚀", getattr(self.row(swap(b'"e-1"', rb'"\ud83d\ude80"')), "event_id"))
        self.assertEqual("", getattr(self.row(event(event_id="")), "event_id"))

    def test_keys(self) -> None:
        self.assertEqual("b", getattr(self.row(swap(b'"e-1"', b'"a", "event_id": "b"')), "event_id"))
        self.assertEqual("e-1", getattr(self.row(swap(b'"event_id"', rb'"event\u005fid"')), "event_id"))
        self.assertIsNone(self.row(swap(b'"event_id"', b'"Event_id"')))

    def test_amounts(self) -> None:
        for text, cents in {
            "0": 0, "-0": 0, "0e999999999999999999999": 0, "1": 100, "1.5": 150, "1.50000": 150, "-1.05": -105,
            "1.01453E+3": 101453, "2.7378e2": 27378, "150e-1": 1500, "1e-2": 1, "100e-4": 1,
            "9999999999999999.99": 10**18 - 1, "-9999999999999999.99": 1 - 10**18, "1e15": 10**17,
        }.items():
            for line in (swap(b'"10.50"', text.encode()), event(gross_amount=text)):
                with self.subTest(line=line):
                    self.assertEqual(cents, getattr(self.row(line), "gross_amount"))
        for text in ("1.005", "1e-3", "10000000000000000.00", "1e16", "1e999999999", "1e-999999999999999999999",
                     "1" + "0" * 5000):
            for line in (swap(b'"10.50"', text.encode()), event(gross_amount=text)):
                with self.subTest(line=line[:200]):
                    self.assertIsNone(self.row(line))

    def test_amounts_in_text(self) -> None:
        for text, cents in {"+1.5": 150, "007.50": 750, ".5": 50, "5.": 500}.items():
            self.assertEqual(cents, read_amount(text))
        for value in ("", ".", "-", "e5", "1_0", " 1", "1 ", "1,50", "0x1", "NaN", "Infinity", "١", "1\n"):
            self.assertIsNone(self.row(event(gross_amount=value)), value)
        for other in (True, {}, [], [1]):
            self.assertIsNone(self.row(event(gross_amount=other)), other)

    def test_integers(self) -> None:
        for text, value in {"1e3": 1000, "12.0": 12, "9223372036854775807": 2**63 - 1}.items():
            self.assertEqual(value, read_integer(text.encode(), 64))
            self.assertEqual(value, read_integer(text, 64))
        self.assertEqual(-(2**63), read_integer("-9223372036854775808", 64))
        for number in ("9223372036854775808", "-9223372036854775809", "1.5", "1e-1", "99999999999999999999"):
            self.assertIsNone(self.row(event(employee={"id": number})), number)
        self.assertEqual(2**31 - 1, getattr(self.row(event(version=2**31 - 1)), "version"))
        self.assertIsNone(self.row(event(version=2**31)))

    def test_fraction(self) -> None:
        noon = MARCH + DAY // 2
        for time, micros in {"12:00:00.1Z": 100_000, "12:00:00.123456Z": 123_456, "12:00:00.123456000Z": 123_456,
                             "13:00:00.000001+01:00": 1}.items():
            row = self.row(event(occurred_at=f"2026-03-01T{time}"))
            self.assertEqual(noon + micros, getattr(row, "occurred_at"))
        fine = event(occurred_at="2026-03-01T12:00:00.1234569Z")
        self.assertIsNone(self.row(fine))
        floor = Rules(WINDOW.start, WINDOW.end, floor_fraction=True)
        self.assertEqual(noon + 123_456, getattr(self.row(fine, floor), "occurred_at"))

    def test_time_before_1970_rounds_down(self) -> None:
        self.assertEqual((-1, True), read_time("1969-12-31t23:59:59.9999991z"))
        self.assertEqual((-500_000, False), read_time("1969-12-31 23:59:59.5-00:00"))

    def test_details(self) -> None:
        for raw in ('{"a": 1.0, "a":2}', "[1e5,\ttrue]", '"text"', "17", "false", r'"\u0000\ud83d"', "{}"):
            line = swap('{"note": "ä"}'.encode(), raw.encode())
            self.assertEqual(raw, getattr(self.row(line), "details"))
        for member, raw in {
            '"details" : ["details"]': '["details"]',
            r'"details":"\"details\":"': r'"\"details\":"',
            r'"x": {"details": 1}, "d\u0065tails": 2': "2",
            r'"x": "details", "details":[{"details": "\u0041"}]': r'[{"details": "\u0041"}]',
            '"details": {"details": null}, "x": "details"': '{"details": null}',
            '"x": ["details"], "details":3': "3",
        }.items():
            line = swap('"details": {"note": "ä"}'.encode(), member.encode())
            self.assertEqual(raw, getattr(self.row(line), "details"), member)
        twice = swap('"details": {"note": "ä"}'.encode(), rb'"details": 1 , "d\u0065tails" : [2] ')
        self.assertEqual("[2]", getattr(self.row(twice), "details"))
        inner = event(details=MISSING, extra={"details": 1})
        self.assertIsNone(getattr(self.row(inner), "details"))
        self.assertIsNotNone(self.row(event(details="x" * 65_533)))
        self.assertIsNone(self.row(event(details="x" * 65_534)))
        self.assertIsNone(self.row(event(details="ä" * 32_767)))


if __name__ == "__main__":
    unittest.main()
