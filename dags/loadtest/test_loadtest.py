"""What judges the load test and the soak: planted leaks are found, noise is none; failures are told from what a peak brings."""

from __future__ import annotations

import math
import os
import random
import socket
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Sequence
from pathlib import Path

import slope
import soak
import summary


class Leaks(unittest.TestCase):
    """slope.leaks with the soak's own limits."""

    def series(self, **planted: Sequence[float]) -> dict[str, Sequence[float]]:
        """Forty repetitions with noise of every count, and the planted ones."""
        chance = random.Random(7)
        noise: dict[str, Sequence[float]] = {
            name: [100 + chance.uniform(0, limit.rise / 2) for _ in range(40)] for name, limit in soak.LIMITS.items()
        }
        return noise | planted

    def test_noise_is_no_leak(self) -> None:
        self.assertEqual(slope.leaks(self.series(), soak.LIMITS), [])

    def test_one_peak_is_no_leak(self) -> None:
        self.assertEqual(slope.leaks(self.series(threads=[10] * 39 + [60]), soak.LIMITS), [])

    def test_each_planted_leak_is_found(self) -> None:
        for name, limit in soak.LIMITS.items():
            with self.subTest(name):
                step = max(1.0, limit.rise / 20)
                found = slope.leaks(self.series(**{name: [100 + step * i for i in range(40)]}), soak.LIMITS)
                self.assertEqual(len(found), 1, found)
                self.assertIn(f"{name} grows by", found[0])

    def test_rare_leak_is_found(self) -> None:
        found = slope.leaks(self.series(tables=[4 + i // 10 for i in range(40)]), soak.LIMITS)
        self.assertEqual(len(found), 1, found)

    def test_a_count_without_limit_is_an_error(self) -> None:
        with self.assertRaisesRegex(ValueError, "goats"):
            slope.leaks(self.series(goats=[1.0] * 40), soak.LIMITS)
        with self.assertRaisesRegex(ValueError, "too few"):
            slope.fit([1.0] * 7)

    def test_line(self) -> None:
        line = slope.fit([5 + 2 * x for x in range(20)])
        self.assertAlmostEqual(line.slope, 2)
        self.assertAlmostEqual(line.start, 5)
        self.assertAlmostEqual(line.error, 0)
        # By hand: slope -4/42, and what it leaves of the eight squares.
        line = slope.fit([1.0, -1.0] * 4)
        self.assertAlmostEqual(line.slope, -2 / 21)
        self.assertAlmostEqual(line.error, math.sqrt((8 - (2 / 21) ** 2 * 42) / 6 / 42))


class Watching(unittest.TestCase):
    """What is read from /proc of a process that leaks."""

    def test_files_and_memory_of_a_process(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            program = "import sys; f = [open('/dev/null') for _ in range(50)]; b = bytearray(64 << 20); print(flush=True); sys.stdin.read()"
            process = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)
            assert process.stdin
            assert process.stdout
            process.stdout.readline()
            watch = soak.Watch(process.pid)
            end = time.monotonic() + 600
            while watch.threads == 0 and time.monotonic() < end:
                time.sleep(0.01)
            self.assertIn(process.pid, soak.children(os.getpid()))
            self.assertGreaterEqual(sum(name == "/dev/null" for name in soak.links(process.pid)), 50)
            process.communicate()
            watch.end()
            self.assertGreaterEqual(watch.files, 50)
            self.assertGreaterEqual(watch.memory, 64 << 10)
            self.assertNotIn(process.pid, soak.children(os.getpid()))
            self.assertEqual(list(Path(folder).iterdir()), [])

    def test_connections_of_a_process(self) -> None:
        before = soak.connected(os.getpid())
        with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
            taken, _ = server.accept()
            self.assertEqual(len(soak.connected(os.getpid())), len(before) + 2, "both ends, and not the listener")
            taken.close()
            client.close()
            self.assertEqual(soak.connected(os.getpid()), before)


class Summary(unittest.TestCase):
    """Outcomes and the table."""

    def test_outcomes(self) -> None:
        for code, cause, interrupted, want in (
            (0, "", False, "done"),
            (3, "conflict", False, "retryable"),
            (4, "plan_overtaken", False, "overtaken"),
            (4, "archive_changed", False, ""),
            (5, "", False, ""),
            (6, "", False, ""),
            (1, "internal", False, ""),
            (143, "", True, "cancelled"),
            (143, "", False, ""),
            (-11, "", True, ""),
        ):
            with self.subTest(code=code, cause=cause):
                self.assertEqual(summary.expected(code, cause, interrupted), want)

    def test_percentiles(self) -> None:
        values = [float(n) for n in range(1, 101)]
        self.assertEqual([summary.percentile(values, part) for part in (0.5, 0.95, 1.0)], [50, 95, 100])
        self.assertEqual(summary.percentile([3.0], 0.5), 3)
        self.assertEqual(summary.percentile([], 0.5), 0)

    def test_table(self) -> None:
        tries = [
            summary.Try("run", 1, 2.0, 0, "", "done", 600, 0.5, "commit is the limit", {"commit": 1.0, "copy": 0.5}),
            summary.Try("run", 2, 1.0, 4, "plan_overtaken", "overtaken"),
            summary.Try("load", 3, 1.0, 5, "", ""),
        ]
        text = summary.table(tries, summary.Queue(7, 3, 10), 120, [("locks", 6)], summary.Processor(1.5, 2.5, 200, 2))
        for says in (
            "0.5 commands and 300 rows a minute, for 120 s",
            "7 session-seconds waiting for locks, at most 3 sessions at a time",
            "6 locks (2.0 a command)",
            "1.5 s the worker's processes and questions to the sandbox, 2.5 s the sandbox; the machine 200.0 s of 2 × 120",
            "limit        commit is the limit: 1 commands",
            "stage        commit: 1.0 s, 50% of the commands' time",
            "exit code    4 plan_overtaken: 1 (overtaken)",
            "exit code    5 stopped: 1 (NOT EXPECTED)",
        ):
            self.assertIn(says, text)


if __name__ == "__main__":
    unittest.main()
