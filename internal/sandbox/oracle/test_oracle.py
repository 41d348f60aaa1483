"""Shows the oracle on small archives made by hand: layout, codecs, offsets, versions, output, exit codes."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
import random
import subprocess
import tempfile
import unittest
from pathlib import Path
from typing import Any

import archive
import oracle
import partition

TOPIC = "payroll.events"
NOON = "2026-03-01T12:00:00Z"


def event(name: str, version: int = 1, **changes: Any) -> bytes:
    """Returns an event of 1.00 EUR with some members changed."""
    value: dict[str, Any] = {
        "event_id": name, "type": "payment.settled", "occurred_at": NOON, "version": version, "company_id": 7,
        "pay_run_id": "PR-1", "employee": {"id": 42}, "currency": "EUR", "gross_amount": "1.00",
        "tax_amount": "0.25", "net_amount": "0.75", "bank_account": None, "details": None,
    } | changes
    return json.dumps(value).encode()


def events(first: int, count: int) -> list[bytes]:
    """Returns events named after the offsets from first on."""
    return [event(f"e{offset:06d}") for offset in range(first, first + count)]


def lines(records: list[bytes]) -> bytes:
    """Returns the records as JSON lines."""
    return b"".join(record + b"\n" for record in records)


class ArchiveCase(unittest.TestCase):
    """A folder to put objects into, and a way to run the oracle on it."""

    def setUp(self) -> None:
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.archive = self.folder / "archive"

    def put(self, first: int, data: bytes, number: int = 0, end: str = ".json", under: str = "topics") -> Path:
        """Writes an object of a partition."""
        path = self.archive / under / TOPIC / f"partition={number}" / f"{TOPIC}+{number}+{first:010d}{end}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def call(self, *more: str, start: str = "2026-03-01", end: str = "2026-04-01") -> tuple[int, str, str]:
        """Runs the program; returns exit code, stdout, stderr."""
        out, err = io.StringIO(), io.StringIO()
        arguments = ["--archive", str(self.archive), "--from", start, "--to", end, "--jobs", "1", *more]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = oracle.main(arguments)
        return code, out.getvalue(), err.getvalue()

    def report(self, *more: str, start: str = "2026-03-01", end: str = "2026-04-01") -> dict[str, Any]:
        """Runs the program, which must succeed; returns its report."""
        code, out, err = self.call(*more, start=start, end=end)
        self.assertEqual(0, code, err)
        return json.loads(out, parse_float=str)

    def rows(self, *more: str) -> list[dict[str, str]]:
        """Runs the program; returns the rows it wrote."""
        path = self.folder / "rows.csv"
        self.report("--rows", str(path), *more)
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    def steps(self, report: dict[str, Any]) -> dict[str, int]:
        """Returns the ladder's steps that are not zero."""
        return {name: count for name, count in report["ladder"].items() if count}


class CodecTest(ArchiveCase):
    """Objects are read whole, whatever their names say, or not at all."""

    def zstd(self, data: bytes) -> bytes:
        """Compresses with the zstd program."""
        return subprocess.run(["zstd", "-q", "-c"], input=data, capture_output=True, check=True).stdout

    def test_every_codec_reads_the_same(self) -> None:
        data = lines(events(0, 300))
        cut = len(data) // 3 + 5
        skippable = b"\x53\x2a\x4d\x18\x04\x00\x00\x00abcd"
        forms = {
            "plain": data, "no last newline": data[:-1], "byte order mark": b"\xef\xbb\xbf" + data,
            "blank lines": b"\n \t\n" + data.replace(b"\n", b"\r\n\r\n"), "gzip": gzip.compress(data),
            "gzip members": gzip.compress(data[:cut]) + gzip.compress(b"") + gzip.compress(data[cut:]),
            "zstd": self.zstd(data), "zstd frames": self.zstd(data[:cut]) + skippable + self.zstd(data[cut:]),
            "skippable first": skippable + self.zstd(data),
        }
        for name, form in forms.items():
            path = self.put(0, form, end=".json.gz")
            with self.subTest(name):
                self.assertEqual(data.splitlines(), list(archive.read_records(path)))
                self.assertEqual(300, self.report()["ladder"]["table_rows"])

    def test_empty_object_holds_nothing(self) -> None:
        self.put(0, b"")
        self.put(5, gzip.compress(b""), number=1)
        report = self.report()
        self.assertEqual({}, self.steps(report))
        self.assertEqual([None, None], [part["first"] for part in report["partitions"]])
        self.assertEqual(([], []), (report["days"], report["totals"]))

    def test_damage_names_the_object(self) -> None:
        data = lines(events(0, 300))
        packed, frames = gzip.compress(data), self.zstd(data)
        flipped = bytearray(packed)
        flipped[len(packed) // 2] ^= 0xFF
        cases = {
            "cut gzip": (packed[:-1], "ends inside a member"), "cut header": (packed[:5], "ends inside a member"),
            "flipped gzip": (bytes(flipped), "damaged gzip"), "wrong length": (packed[:-4] + b"abcd", "gzip"),
            "padding": (packed + b"\0" * 8, "damaged gzip"), "garbage": (packed + b"garbage", "damaged gzip"),
            "cut zstd": (frames[:-1], "damaged zstd"), "cut zstd half": (frames[: len(frames) // 2], "zstd"),
            "garbage after zstd": (frames + b"garbage", "damaged zstd"),
            "avro": (b"Obj\x01...", "is Avro, not JSON lines"), "parquet": (b"PAR1...", "is Parquet"),
        }
        self.put(0, data, number=1)
        for name, (form, reason) in cases.items():
            path = self.put(0, form)
            for more in ((), ("--body-offsets",)):
                code, out, err = self.call(*more)
                with self.subTest(name, more=more):
                    self.assertEqual((4, ""), (code, out))
                    self.assertIn(str(path), err)
                    self.assertIn(reason, err)

    def test_damage_is_found_in_other_processes(self) -> None:
        self.put(0, lines(events(0, 3)))
        path = self.put(0, gzip.compress(b"{}")[:-2], number=1)
        code, out, err = self.call("--jobs", "2")
        self.assertEqual((4, ""), (code, out))
        self.assertEqual(f"oracle: {path}: damaged gzip: ends inside a member\n", err)

    def test_cuts_of_lines(self) -> None:
        data = b"a\n\nbc\nd"
        for size in range(1, len(data) + 1):
            chunks = [data[at : at + size] for at in range(0, len(data), size)]
            self.assertEqual([b"a", b"", b"bc", b"d"], list(archive.split_lines(chunks)))


class ListingTest(ArchiveCase):
    """Which files are objects, and in which order they come."""

    def test_other_files_are_named_and_left_alone(self) -> None:
        self.put(0, lines(events(0, 2)))
        others = ["_SUCCESS", f"{TOPIC}+0+0000000000.keys.json", f"{TOPIC}+0+0000000000.headers.json.gz",
                  f"{TOPIC}+x+0000000000.json", f"{TOPIC}+0+{2**63}.json"]
        for name in others:
            (self.archive / name).write_bytes(b"\xff")
        code, out, err = self.call()
        self.assertEqual(0, code)
        self.assertEqual(2, json.loads(out)["ladder"]["records_read"])
        self.assertEqual(sorted(others), sorted(Path(line).name for line in err.splitlines()))

    def test_order_is_numeric(self) -> None:
        objects = [self.put(first, b"", number=number) for number, first in
                   ((10, 0), (2, 10_000_000_000), (2, 9_999_999_999))]
        found, _ = archive.find_objects(self.archive)
        self.assertEqual([objects[2], objects[1], objects[0]], [source.path for source in found])
        self.assertEqual([(2, 9_999_999_999), (2, 10_000_000_000), (10, 0)], [(o.partition, o.first) for o in found])


class OffsetTest(ArchiveCase):
    """Offsets derived from names or read from bodies; repeats, gaps, proofs."""

    def test_derived_offsets_are_proven_where_objects_touch(self) -> None:
        self.put(0, lines([*events(0, 3), b"null", b"{broken", *events(5, 2)]))
        self.put(7, lines(events(7, 3)))
        report = self.report()
        self.assertEqual(
            [{"topic": TOPIC, "partition": 0, "first": 0, "last": 9, "found": 10, "gaps": [], "records": 10,
              "conflicts": 0}],
            report["partitions"],
        )
        self.assertEqual(["0", "1", "2", "5", "6", "7", "8", "9"], [row["offset"] for row in self.rows()])

    def test_gap_takes_the_proof_away(self) -> None:
        self.put(0, lines(events(0, 3)))
        self.put(5, lines(events(5, 2)))
        self.put(7, lines(events(7, 2)))
        report = self.report()
        self.assertEqual([[3, 5]], report["partitions"][0]["gaps"])
        self.assertEqual(7, report["partitions"][0]["found"])
        self.assertEqual(["", "", "", "5", "6", "7", "8"], [row["offset"] for row in self.rows()])

    def test_gap_is_closed_by_an_earlier_object(self) -> None:
        self.put(0, lines(events(0, 10)))
        self.put(4, lines(events(4, 2)))
        self.put(10, lines(events(10, 1)))
        report = self.report()
        self.assertEqual([], report["partitions"][0]["gaps"])
        self.assertEqual({"records_read": 13, "duplicate_offset": 2, "parquet_rows": 11, "table_rows": 11},
                         self.steps(report))
        self.assertEqual([str(offset) for offset in range(11)], [row["offset"] for row in self.rows()])

    def test_gap_starts_where_the_longest_object_ends(self) -> None:
        self.put(0, lines(events(0, 6)))
        self.put(4, lines(events(4, 1)))
        self.put(9, lines(events(9, 1)))
        report = self.report()
        self.assertEqual([[6, 9]], report["partitions"][0]["gaps"])
        # The repeated row has no proven offset: it is not a repeat of an offset but an older version.
        self.assertEqual({"records_read": 8, "parquet_rows": 8, "superseded": 1, "table_rows": 7},
                         self.steps(report))

    def test_duplicate_and_overlapping_objects(self) -> None:
        self.put(0, lines(events(0, 4)))
        self.put(0, gzip.compress(lines(events(0, 4))), end=".json.gz")
        self.put(2, lines([*events(2, 4)]), under="again")
        self.put(0, lines(events(0, 2)), number=1)
        report = self.report()
        self.assertEqual({"records_read": 14, "duplicate_offset": 6, "parquet_rows": 8, "superseded": 2,
                          "table_rows": 6}, self.steps(report))

    def test_only_rows_repeat_offsets(self) -> None:
        records = [b"null", b"{", event("a", type="other"), event("b", occurred_at=None),
                   event("c", occurred_at="2027-01-01T00:00:00Z"), event("d", gross_amount="x"), event("e")]
        self.put(0, lines(records))
        self.put(0, lines(records), end=".json.gz")
        self.assertEqual(
            {"records_read": 14, "tombstone": 2, "unreadable": 2, "filtered": 2, "undatable": 2, "out_of_window": 2,
             "rejected": 2, "duplicate_offset": 1, "parquet_rows": 1, "table_rows": 1},
            self.steps(self.report()),
        )

    def test_same_offset_with_other_bytes_is_a_row(self) -> None:
        for index, amount in enumerate(("1.00", "2.00", "1.00", "2.00", "3.00")):
            self.put(0, lines([event("a", gross_amount=amount)]), end=f".{index}.json")
        report = self.report()
        self.assertEqual({"records_read": 5, "duplicate_offset": 2, "parquet_rows": 3, "superseded": 2,
                          "table_rows": 1}, self.steps(report))
        self.assertEqual(2, report["partitions"][0]["conflicts"])

    def test_body_offsets(self) -> None:
        def at(offset: int) -> bytes:
            return event(f"e{offset}", _kafka={"offset": offset, "timestamp": 1})

        self.put(0, lines([at(0), b"null", at(2), b"{", at(5)]))
        self.put(6, lines([at(5), at(6), event("lost", _kafka={})]))
        report = self.report("--body-offsets")
        self.assertEqual({"records_read": 8, "tombstone": 1, "unreadable": 1, "duplicate_offset": 1,
                          "parquet_rows": 5, "table_rows": 5}, self.steps(report))
        part = report["partitions"][0]
        self.assertEqual((0, 7, 7, [[4, 5]]), (part["first"], part["last"], part["found"], part["gaps"]))
        self.assertEqual(["0", "2", "5", "6", ""], [row["offset"] for row in self.rows("--body-offsets")])

    def test_merge_of_ranges(self) -> None:
        self.assertEqual([(0, 5), (6, 9)], partition.merge([(6, 7), (0, 3), (1, 2), (3, 5), (6, 9)]))
        self.assertEqual([], partition.merge([]))


class VersionTest(ArchiveCase):
    """Which version of an event stays."""

    def winner(self) -> tuple[str, str, str]:
        """Returns partition, offset and amount of the one row."""
        (row,) = self.rows()
        return row["partition"], row["offset"], row["gross_amount"]

    def test_highest_version_then_highest_offset(self) -> None:
        self.put(0, lines([event("a", 2, gross_amount="1"), event("a", 10, gross_amount="2"),
                           event("a", 10, gross_amount="3"), event("a", 9, gross_amount="4")]))
        self.assertEqual(("0", "2", "3.00"), self.winner())
        self.assertEqual(3, self.report()["ladder"]["superseded"])

    def test_over_partitions(self) -> None:
        self.put(0, lines([event("z"), event("a", 3, gross_amount="4")]))
        self.put(0, lines([event("a", 2), event("y"), event("x")]), number=1)
        self.assertEqual(["a", "x", "y", "z"], [row["event_id"] for row in self.rows()])
        self.assertEqual("4.00", self.rows()[0]["gross_amount"])
        self.put(5, lines([event("a", 3, gross_amount="5")]), number=1)
        self.assertEqual("5.00", self.rows()[0]["gross_amount"])

    def test_a_version_out_of_the_window_counts_nothing(self) -> None:
        self.put(0, lines([event("a", 1), event("a", 2, occurred_at="2026-04-01T00:00:00Z")]))
        self.assertEqual(("0", "0", "1.00"), self.winner())

    def test_unproven_rows_keep_their_order(self) -> None:
        self.put(0, lines([event("a", 1, gross_amount="1"), event("a", 1, gross_amount="2")]))
        self.put(9, lines([event("b", type="other")]))
        self.assertEqual(("0", "", "2.00"), self.winner())


class ReportTest(ArchiveCase):
    """Days, totals, rows and options."""

    def test_days_and_totals(self) -> None:
        self.put(0, lines([
            event("a", 1, gross_amount="1000000000000000.10"), event("a", 2, gross_amount="-0.30"),
            event("b", occurred_at="2026-03-02T07:59:59.999999Z", tax_amount=None),
            event("c", occurred_at="2026-03-02T08:00:00Z", currency="USD", net_amount=1e3),
            event("d", currency=None),
        ]))
        report = self.report("--zone", "America/Los_Angeles")
        sums = [
            (day["day"], day["currency"], day["rows_before"], day["rows_after"], day["gross_amount_before"],
             day["gross_amount_after"], day["tax_amount_after"], day["net_amount_after"])
            for day in report["days"]
        ]
        self.assertEqual([
            ("2026-03-01", None, 1, 1, "1.00", "1.00", "0.25", "0.75"),
            ("2026-03-01", "EUR", 3, 2, "1000000000000000.80", "0.70", "0.25", "1.50"),
            ("2026-03-02", "USD", 1, 1, "1.00", "1.00", "0.25", "1000.00"),
        ], sums)
        self.assertEqual([None, "EUR", "USD"], [total["currency"] for total in report["totals"]])
        self.assertEqual(["0.70"], [t["gross_amount_after"] for t in report["totals"] if t["currency"] == "EUR"])
        self.assertNotIn("day", report["totals"][0])

    def test_days_of_clock_changes(self) -> None:
        zone = ("--zone", "America/Los_Angeles")
        times = ["2026-03-08T07:59:59Z", "2026-03-08T08:00:00Z", "2026-03-09T06:59:59Z", "2026-03-09T07:00:00Z"]
        self.put(0, lines([event(time, occurred_at=time) for time in times]))
        days = self.report(*zone)["days"]
        self.assertEqual([("2026-03-07", 1), ("2026-03-08", 2), ("2026-03-09", 1)],
                         [(day["day"], day["rows_after"]) for day in days])
        inside = self.report(*zone, start="2026-03-08", end="2026-03-09")
        self.assertEqual({"records_read": 4, "out_of_window": 2, "parquet_rows": 2, "table_rows": 2},
                         self.steps(inside))

    def test_rows_file(self) -> None:
        self.put(7, lines([event('é"b', gross_amount=-0.05, details={"k": 'say "hi", ü'}), event("a")]))
        path = self.folder / "rows.csv"
        self.report("--rows", str(path))
        self.assertEqual(
            "event_id,type,employee_id,company_id,gross_amount,tax_amount,net_amount,currency,pay_run_id,"
            "occurred_at,version,bank_account,details,source,topic,partition,offset\n"
            '"a","payment.settled",42,7,1.00,0.25,0.75,"EUR","PR-1",1772366400000000,1,,,'
            '"payroll","payroll.events",0,8\n'
            '"é""b","payment.settled",42,7,-0.05,0.25,0.75,"EUR","PR-1",1772366400000000,1,,'
            r'"{""k"": ""say \""hi\"", \u00fc""}","payroll","payroll.events",0,7' "\n",
            path.read_text(encoding="utf-8"),
        )

    def test_fraction_option(self) -> None:
        self.put(0, lines([event("a", occurred_at="2026-03-01T12:00:00.0000019Z")]))
        self.assertEqual(1, self.report()["ladder"]["rejected"])
        self.assertEqual("1772366400000001", self.rows("--fraction", "floor")[0]["occurred_at"])

    def test_bad_usage(self) -> None:
        self.put(0, b"")
        cases = [
            (("2026-03-01", "2026-03-01"), (), "the window from 2026-03-01 to 2026-03-01 is empty"),
            (("2026-03-02", "2026-03-01"), (), "is empty"),
            (("2026-02-29", "2026-03-01"), (), "2026-02-29 is no date"),
            (("March", "2026-03-01"), (), "March is neither a date nor an RFC 3339 time of at most microseconds"),
            (("2026-03-01", "2026-03-02"), ("--zone", "Mars/Olympus"), "zone Mars/Olympus is not known"),
            (("2018-11-04", "2018-12-01"), ("--zone", "America/Sao_Paulo"),
             "midnight of 2018-11-04 does not exist once in America/Sao_Paulo: give an RFC 3339 time"),
            (("2026-03-01", "2026-03-02"), ("--archive", str(self.folder / "none")), "is no folder"),
        ]
        for (start, end), more, message in cases:
            code, out, err = self.call(*more, start=start, end=end)
            with self.subTest(message):
                self.assertEqual((2, ""), (code, out))
                self.assertIn(message, err)

    def test_an_archive_without_objects(self) -> None:
        self.archive.mkdir()
        code, _, err = self.call()
        self.assertEqual((2, f"oracle: {self.archive} holds no archive objects\n"), (code, err))

    def test_nothing_depends_on_how_records_are_cut_into_objects(self) -> None:
        chance = random.Random(7)
        plain: list[list[bytes]] = []
        for _ in range(3):
            pool = [event(f"e{chance.randrange(60)}", chance.randrange(4), gross_amount=chance.randrange(999))
                    for _ in range(80)]
            pool += [b"null", b"{", event("x", type="y"), event("x", version="v")]
            chance.shuffle(pool)
            plain.append(pool)
        seen = set()
        for _ in range(6):
            with tempfile.TemporaryDirectory() as folder:
                self.archive = Path(folder)
                for number, records in enumerate(plain):
                    cuts = sorted({0, *(chance.randrange(len(records)) for _ in range(5))})
                    for start, end in zip(cuts, [*cuts[1:], len(records)], strict=True):
                        data = lines(records[start:end])
                        self.put(start, chance.choice([data, gzip.compress(data)]), number=number)
                jobs, rows = ("--jobs", chance.choice("123")), str(self.folder / "rows.csv")
                report = self.report(*jobs, "--rows", rows, "--chunk-independent")
                seen.add((json.dumps(report), Path(rows).read_text(encoding="utf-8")))
        self.assertEqual(1, len(seen))


if __name__ == "__main__":
    unittest.main()
