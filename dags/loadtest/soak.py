"""The soak: one chain of commands again and again, which must leave nothing behind and must not grow.

Counted in each repetition: the highest memory, open files and threads of the worker's processes, the heap and goroutines
that they say they had at their end, and after it what should be gone: connections, tables, multipart uploads, temporary
files, processes; and what the sandbox holds. At the end one process loads the whole month in small chunks and slices of a day:
what it leaves for each of them would show there. MINUTES says for how long; the exit code is 1 for a leak.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

from sandbox import FROM, TO
from slope import Limit, leaks, table
from stand import Stand

TABLE = "events"
DAYS = ("2026-03-14", "2026-03-16")
LIMIT_MIB = 256
MEMORY = ("--memory", f"{LIMIT_MIB}MiB")
FIRST = 2  # repetitions that are not counted: the tables and the month are new
LEAST = 8
# What may rise over the soak. Memory: Go's heap differs between runs of one command, and the ledger gets longer.
LIMITS = {
    "memory, MiB": Limit(rise=16, slope=0.05),
    "open files": Limit(rise=4, slope=0.02),
    "threads": Limit(rise=4, slope=0.02),
    "heap at the end, MiB": Limit(rise=8, slope=0.05),
    "goroutines at the end": Limit(rise=4, slope=0.02),
    "connections to the sandbox": Limit(rise=0, slope=0.001),
    "tables": Limit(rise=0, slope=0.001),
    "multipart uploads": Limit(rise=0, slope=0.001),
    "temporary files": Limit(rise=0, slope=0.001),
    "processes": Limit(rise=0, slope=0.001),
    "open files of the sandbox": Limit(rise=8, slope=0.05),
    "goroutines of the sandbox": Limit(rise=8, slope=0.05),
    "threads of the sandbox": Limit(rise=8, slope=0.05),
    "memory of the sandbox, MiB": Limit(rise=128, slope=1),
}
# The stand-in's engine holds changes until its log is so large: by default for all of a soak, and its memory would grow so long.
SMALL_LOG = ("--log-limit", "8MB")
LISTENS = "0A"  # state of a TCP socket in the kernel's table
CALM = 20.0  # seconds that a server has to notice that its client is gone


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
        self.stand = Stand(folder, int(os.environ.get("EVENTS", "20000")), (TABLE,), *SMALL_LOG)
        self.series: dict[str, list[float]] = defaultdict(list)
        self.peak: dict[str, float] = {}

    def command(self, name: str, *arguments: str) -> dict[str, float]:
        """Runs one command under watch, and returns its highest counts; it must end well."""
        process = self.stand.start(name, *arguments)
        watch = Watch(process.pid)
        out, log = process.communicate()
        watch.end()
        if process.returncode != 0:
            raise RuntimeError(f"{name}: exit code {process.returncode}: {log[-2000:]}")
        found = {"memory, MiB": watch.memory / 1024, "open files": watch.files, "threads": watch.threads}
        if name != "status":  # it does no work of its own to time
            end = json.loads(out)["timing"]["process"]
            found |= {"heap at the end, MiB": end["heap_bytes"] / 1048576, "goroutines at the end": end["goroutines"]}
        for what, value in found.items():
            self.peak[what] = max(self.peak.get(what, 0), value)
        return found

    def load(self, start: str, end: str, *more: str) -> dict[str, float]:
        """Loads a window anew in one process."""
        dataset = ("--dataset", str(self.stand.dataset(TABLE)), "--from", start, "--to", end, *MEMORY)
        return self.command("run", *dataset, "--replan", "--reconvert", "--slice-days", "1", *more)

    def chain(self) -> None:
        """Loads two days anew, reconciles over receipts and over the archive, and asks how it stands."""
        dataset = ("--dataset", str(self.stand.dataset(TABLE)))
        self.load(*DAYS)
        self.command("reconcile", *dataset, "--from", DAYS[0], "--to", DAYS[1], *MEMORY)
        self.command("reconcile", *dataset, "--from", DAYS[0], "--to", DAYS[1], *MEMORY, "--way", "archive")
        self.command("status", *dataset)

    def month(self) -> tuple[str, list[str]]:
        """Loads the month in one process, and returns what it counted, and what is too much beside the loads of two days."""
        found = self.load(FROM, TO, "--chunk-bytes", "64KiB")
        text = "the month in one process, 31 slices: " + ", ".join(f"{value:.6g} {what}" for what, value in found.items())
        # Memory is the worker's to choose up to its limit; of the rest it needs no more than for two days.
        allowed = {what: max(self.series[what]) + LIMITS[what].rise for what in found} | {"memory, MiB": LIMIT_MIB, "heap at the end, MiB": LIMIT_MIB}
        return text, [
            f"{found[what]:.6g} {what}; {most:.6g} are allowed in the load of the month" for what, most in allowed.items() if found[what] > most
        ]

    def connections(self) -> int:
        """Counts the clients' connections that the sandbox still has, once it had time to notice that they are gone."""
        end = time.monotonic() + CALM
        while (n := len(connected(self.stand.sandbox.pid))) and time.monotonic() < end:
            time.sleep(0.1)
        return n

    def count(self) -> None:
        """Counts what is left after a repetition."""
        sandbox = self.stand.sandbox
        tables = int(sandbox.sql("SELECT COUNT(*) AS n FROM svv_tables")[0]["n"])
        left = {
            "connections to the sandbox": self.connections(),
            "tables": tables,
            "multipart uploads": sum(1 for _ in (self.stand.folder / "data" / "s3").glob("*/.sgwtmp/multipart/*/*")),
            "temporary files": sum(1 for _ in self.temporary.rglob("*")),
            "processes": len(children(os.getpid())),
            "open files of the sandbox": len(links(sandbox.pid)),
            "goroutines of the sandbox": int(sandbox.call("profile", "goroutine").split(maxsplit=4)[3]),
            "threads of the sandbox": sum(1 for _ in (Path("/proc") / str(sandbox.pid) / "task").iterdir()),
            "memory of the sandbox, MiB": resident(sandbox.pid),
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
        month, found = self.month()
        found += leaks(self.series, LIMITS)
        wrong = self.stand.proof(TABLE)
        text = f"{repetitions} repetitions of 4 commands, the first {FIRST} not counted\n\n{table(self.series)}\n{month}\n\n"
        text += "".join(f"LEAK         {leak}\n" for leak in found) or "no leak\n"
        text += f"table        {wrong or 'RECONCILED'}\n"
        (self.stand.folder / "summary.txt").write_text(text)
        (self.stand.folder / "series.json").write_text(json.dumps(self.series))
        print(text, flush=True)
        return 1 if found or wrong else 0


def links(pid: int) -> list[str]:
    """Returns what a process has open."""
    found = []
    for file in (Path("/proc") / str(pid) / "fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed just now
            found.append(str(file.readlink()))
    return found


def connected(pid: int) -> list[str]:
    """Returns the TCP connections of a process that have not ended: lines of the kernel's table."""
    own, lines = {name[8:-1] for name in links(pid) if name.startswith("socket:[")}, []
    for file in ("tcp", "tcp6"):
        lines += [line for line in (Path("/proc") / str(pid) / "net" / file).read_text().splitlines()[1:] if line.split()[9] in own]
    return [line for line in lines if line.split()[3] != LISTENS]


def resident(pid: int) -> float:
    """Returns a process's memory in MiB."""
    facts = dict(line.split(":", 1) for line in (Path("/proc") / str(pid) / "status").read_text().splitlines())
    return int(facts["VmRSS"].split()[0]) / 1024


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
