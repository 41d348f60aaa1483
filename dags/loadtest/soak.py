"""The soak: one chain of commands again and again, which must leave nothing behind and must not grow.

Counted in each repetition: the highest memory, open files and threads of the worker's processes (a Go process that
leaks goroutines holds memory and, where they block in calls, threads), and after it what should be gone: connections,
tables, multipart uploads, temporary files, processes. MINUTES says for how long; the exit code is 1 for a leak.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from slope import Limit, leaks, table
from stand import Ended, Stand

TABLE = "events"
FIRST = 2  # repetitions that are not counted: the tables and the month are new
LEAST = 8
# What may rise over the soak. Memory: Go's heap differs between runs of one command, and the ledger gets longer.
LIMITS = {
    "memory, MiB": Limit(rise=16, slope=0.05),
    "open files": Limit(rise=4, slope=0.02),
    "threads": Limit(rise=4, slope=0.02),
    "connections": Limit(rise=4, slope=0.02),
    "tables": Limit(rise=0, slope=0.001),
    "multipart uploads": Limit(rise=0, slope=0.001),
    "temporary files": Limit(rise=0, slope=0.001),
    "processes": Limit(rise=0, slope=0.001),
    "open files of the sandbox": Limit(rise=8, slope=0.05),
}


class Watch:
    """The highest counts of a process, as /proc shows them from time to time."""

    def __init__(self, pid: int) -> None:
        self.memory = self.files = self.threads = 0
        self._proc, self._end = Path("/proc") / str(pid), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._end.wait(0.005):
            try:
                self.files = max(self.files, sum(1 for _ in (self._proc / "fd").iterdir()))
                facts = dict(line.split(":", 1) for line in (self._proc / "status").read_text().splitlines())
                self.memory = max(self.memory, int(facts["VmHWM"].split()[0]))
                self.threads = max(self.threads, int(facts["Threads"]))
            except (OSError, KeyError):  # it has ended
                return

    def end(self) -> None:
        """Stops looking."""
        self._end.set()
        self._thread.join()


class Soak:
    """The chain, and what was counted."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        os.environ["TMPDIR"] = str(self.temporary)
        self.stand = Stand(folder, int(os.environ.get("EVENTS", "20000")), (TABLE,))
        self.series: dict[str, list[float]] = defaultdict(list)
        self.peak: dict[str, float] = {}

    def command(self, name: str, *arguments: str) -> Ended:
        """Runs one command under watch; it must end well."""
        process = self.stand.start(name, *arguments)
        watch = Watch(process.pid)
        _, log = process.communicate()
        watch.end()
        if process.returncode != 0:
            raise RuntimeError(f"{name}: exit code {process.returncode}: {log[-2000:]}")
        for what, value in {"memory, MiB": watch.memory / 1024, "open files": watch.files, "threads": watch.threads}.items():
            self.peak[what] = max(self.peak.get(what, 0), value)
        return Ended(process.returncode, 0, log=log)

    def chain(self) -> None:
        """Loads two days anew in one process, reconciles over receipts and over the archive, and asks how it stands."""
        dataset = ("--dataset", str(self.stand.dataset(TABLE)))
        window = (*dataset, "--from", "2026-03-14", "--to", "2026-03-16", "--memory", "256MiB")
        self.command("run", *window, "--replan", "--reconvert", "--slice-days", "1")
        self.command("reconcile", *window)
        self.command("reconcile", *window, "--way", "archive")
        self.command("status", *dataset)

    def count(self) -> None:
        """Counts what is left after a repetition."""
        sql, opened = self.stand.sandbox.sql, links(self.stand.sandbox.pid)
        left = {
            "connections": sum(1 for name in opened if name.startswith("socket:")),
            "tables": int(sql("SELECT COUNT(*) AS n FROM svv_tables")[0]["n"]),
            "multipart uploads": sum(1 for _ in (self.stand.folder / "data" / "s3").glob("*/.sgwtmp/multipart/*/*")),
            "temporary files": sum(1 for _ in self.temporary.rglob("*")),
            "processes": len(children(os.getpid())),
            "open files of the sandbox": len(opened),
        }
        for what, value in {**self.peak, **left}.items():
            self.series[what].append(value)
        self.peak = {}

    def run(self, seconds: float) -> int:
        """Repeats the chain for so long, judges, and returns the exit code."""
        end, repetitions = time.monotonic() + seconds, 0
        while time.monotonic() < end or repetitions < FIRST + LEAST:
            self.chain()
            repetitions += 1
            if repetitions > FIRST:
                self.count()
            else:
                self.peak = {}
        found = leaks(self.series, LIMITS)
        wrong = self.stand.proof(TABLE, "2026-03-14", "2026-03-16")
        text = f"{repetitions} repetitions of 4 commands, the first {FIRST} not counted\n\n{table(self.series)}\n"
        text += "".join(f"LEAK         {leak}\n" for leak in found) or "no leak\n"
        text += f"table        {wrong or 'RECONCILED'}\n"
        (self.stand.folder / "summary.txt").write_text(text)
        print(text, flush=True)
        return 1 if found or wrong else 0


def links(pid: int) -> list[str]:
    """Returns what a process has open."""
    found = []
    for file in (Path("/proc") / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed just now
            found.append(str(file.readlink()))
    return found


def children(pid: int) -> list[int]:
    """Returns the child processes of a process, ended ones included that nobody has waited for."""
    return [int(child) for task in (Path("/proc") / str(pid) / "task").iterdir() for child in (task / "children").read_text().split()]


def main() -> int:
    """Runs the soak in the folder that the command line names."""
    soak = Soak(Path(sys.argv[1]))
    try:
        return soak.run(float(os.environ.get("MINUTES", "10")) * 60)
    finally:
        soak.stand.close()


if __name__ == "__main__":
    sys.exit(main())
