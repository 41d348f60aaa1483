"""What both tests stand on: a sandbox with a month of payroll events, and the worker's processes against it."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import FROM, ROOT, TO, Archive, Sandbox
from summary import Processor

WORKER = ROOT / "bin" / "backfill"
PATIENCE = 1800.0  # seconds until a command counts as hanging

# What is counted, as rules of the sandbox that only note.
COUNTED = {
    "reads of plans": "s3 GetObject key=/plans/",
    "listings": "s3 ListObjectsV2",
    "COPYs": "sql COPY",
    "S3 requests": "s3 *",
    "SQL statements": "sql *",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    seconds: float
    result: dict[str, Any] = field(default_factory=dict)  # its result JSON
    log: str = ""
    interrupted: bool = False  # it got our SIGTERM

    @property
    def cause(self) -> str:
        """The error's code, such as plan_overtaken; empty when it went well."""
        return str(self.result.get("code", ""))

    @property
    def rows(self) -> int:
        """Rows that it put into the table."""
        return int(self.result.get("rows_inserted", 0))


class Stand:
    """A sandbox with an archive and tables of the same month."""

    def __init__(self, folder: Path, events: int, tables: tuple[str, ...], *flags: str) -> None:
        """Flags are the sandbox's."""
        self.folder = folder
        self.sandbox = Sandbox(folder, "127.0.0.1", *flags)
        self.archive = Archive(self.sandbox, 2026, events, "topics")
        for table in tables:
            self.sandbox.table(table)
            self.dataset(table).write_text(self.archive.dataset(table))
        self._env = {**os.environ, **self.sandbox.environment(), "SSL_CERT_FILE": str(folder / "data" / "tls" / "ca.pem")}

    def dataset(self, table: str) -> Path:
        """Returns the dataset file of a table."""
        return self.folder / f"{table}.yaml"

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts a command."""
        nowhere = str(self.folder / "nowhere" / "file")
        common = ("--output", "json", "--heartbeat", "0s", "--xcom-file", nowhere, "--termination-log", nowhere)
        return subprocess.Popen([WORKER, *arguments, *common], env=self._env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *arguments: str, interrupt_after: float | None = None) -> Ended:
        """Runs a command to its end; after so many seconds it gets a SIGTERM, as from a person or Kubernetes."""
        began, interrupted = time.monotonic(), False
        process = self.start(*arguments)
        try:
            out, log = process.communicate(timeout=PATIENCE if interrupt_after is None else interrupt_after)
        except subprocess.TimeoutExpired:
            interrupted = True
            process.send_signal(signal.SIGTERM)
            out, log = process.communicate(timeout=PATIENCE)
        result = json.loads(out) if out.startswith("{") else {}
        return Ended(process.returncode, time.monotonic() - began, result, log, interrupted)

    def proof(self, table: str, start: str = FROM, end: str = TO) -> str:
        """Reconciles the window, and compares the table value by value with what a program that shares no code with the
        worker finds there; empty when it is right. The table must hold nothing but the window."""
        ended = self.run("reconcile", "--dataset", str(self.dataset(table)), "--from", start, "--to", end)
        verdict = str(ended.result.get("verdict", ""))
        if ended.code != 0 or not verdict.startswith("RECONCILED"):
            return f"payroll.{table}: exit code {ended.code}, verdict {verdict or 'none'}: {ended.log[-1500:]}"
        if self.archive.expected(start, end) != sorted(self.archive.rows(table)):
            return f"payroll.{table} is not what the archive holds from {start} to {end}"
        return ""

    def close(self) -> None:
        """Ends the sandbox."""
        self.sandbox.close()


def processor(sandbox: int) -> Processor:
    """Returns what was used since processes and machine began, given the sandbox's id."""
    own, tick = resource.getrusage(resource.RUSAGE_CHILDREN), os.sysconf("SC_CLK_TCK")
    words = Path(f"/proc/{sandbox}/stat").read_text().rpartition(")")[2].split()
    machine = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle = machine[3] + machine[4]
    return Processor(own.ru_utime + own.ru_stime, sum(map(int, words[11:13])) / tick, (sum(machine) - idle) / tick, os.cpu_count() or 1)
