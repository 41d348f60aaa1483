"""The sandbox as AWS: S3, the warehouse and their faults, where pods reach them.

Part of the end-to-end harness in this folder.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from cluster import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "bin" / "sandbox"
FROM, TO, ZONE = "2026-03-01", "2026-04-01", "America/Los_Angeles"

TABLE = """CREATE TABLE payroll.{name} (event_id varchar(36) NOT NULL, type varchar(32) NOT NULL, employee_id bigint NOT NULL, company_id bigint,
 gross_amount decimal(18,2), tax_amount decimal(18,2), net_amount decimal(18,2), currency char(3), pay_run_id varchar(36),
 occurred_at timestamp NOT NULL, version integer NOT NULL, bank_account varchar(64), details super, source varchar(16),
 _kafka_topic varchar(249), _kafka_partition integer, _kafka_offset bigint, _backfill_run varchar(64), PRIMARY KEY (event_id))"""

# The table as the oracle writes its rows: columns in its order, nothing for NULL, microseconds for times.
ROWS = """SELECT event_id, type, employee_id, NVL(company_id::VARCHAR, ''), NVL(gross_amount::VARCHAR, ''), NVL(tax_amount::VARCHAR, ''),
 NVL(net_amount::VARCHAR, ''), NVL(RTRIM(currency), ''), NVL(pay_run_id, ''), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', occurred_at)::VARCHAR,
 version, NVL(bank_account, ''), source, _kafka_topic, _kafka_partition, NVL(_kafka_offset::VARCHAR, ''), NVL(JSON_SERIALIZE(details), '')
 FROM payroll.{name}"""
ORACLE_COLUMNS = (
    "event_id type employee_id company_id gross_amount tax_amount net_amount currency pay_run_id occurred_at version bank_account source topic partition offset"
).split()


class SandboxError(Exception):
    """A sandbox that failed, or a table that is not what the oracle says."""


class Sandbox:
    """A running sandbox with an archive; everything lies in folder."""

    def __init__(self, folder: Path, host: str, *flags: str) -> None:
        self.folder = folder
        self._log = (folder / "sandbox.log").open("w")
        listen = [f"--{server}-listen={host}:0" for server in ("s3", "warehouse", "aws")]
        # It ends with this process, whatever happens to that.
        self._process = subprocess.Popen(
            [PROGRAM, "serve", "--dir", folder / "data", "--env-file", folder / "env", "--until-stdin-closes", "--tls", *listen, *flags],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
        )

        self.pid = self._process.pid

        def started() -> bool:
            if self._process.poll() is not None:
                raise SandboxError((folder / "sandbox.log").read_text())
            return (folder / "env").exists()

        wait_for("the sandbox", started)
        self.sql("CREATE SCHEMA payroll")

    def close(self) -> None:
        """Ends it."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(timeout=PATIENCE)
        self._log.close()

    def call(self, *arguments: str, check: bool = True) -> str:
        """Runs the sandbox program against this sandbox."""
        verb, rest = arguments[0], arguments[1:]
        done = subprocess.run([PROGRAM, verb, "--env-file", self.folder / "env", *rest], capture_output=True, text=True, timeout=PATIENCE)
        if check and done.returncode != 0:
            raise SandboxError(f"sandbox {shlex.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def authority(self) -> str:
        """Returns the certificate that pods must trust; they find it beside their dataset file."""
        return (self.folder / "data" / "tls" / "ca.pem").read_text()

    def environment(self) -> dict[str, str]:
        """Returns what a worker in a pod needs to know, secrets included."""
        values = {"SSL_CERT_FILE": "/etc/backfill/ca.pem"}
        for line in (self.folder / "env").read_text().splitlines():
            if line.startswith("export "):
                [assignment] = shlex.split(line.removeprefix("export "))
                name, _, value = assignment.partition("=")
                if name.startswith(("AWS_", "BACKFILL_WAREHOUSE_")):
                    values[name] = value
        return values

    def sql(self, *statements: str) -> list[dict[str, Any]]:
        """Runs statements and returns the rows of the last one."""
        lines = self.call("sql", "--output", "json", *statements).splitlines()
        rows: list[dict[str, Any]] = json.loads(lines[-1]).get("rows", []) if lines else []
        return rows

    def fault(self, *rules: str) -> list[str]:
        """Puts rules in force and returns their numbers; `sandbox fault --help` has the language."""
        return self.call("fault", "add", *rules).split()

    def fired(self, rule: str) -> None:
        """Waits until the rule has fired."""
        self.call("fault", "wait", "--timeout", f"{PATIENCE:.0f}s", rule)

    def rules(self) -> list[dict[str, Any]]:
        """Returns the rules in force: id, rule, matches, fired."""
        found: list[dict[str, Any]] = json.loads(self.call("fault", "ls", "--output", "json"))
        return found

    def clear(self) -> None:
        """Takes all rules out of force; what hangs goes on."""
        self.call("fault", "clear")

    def table(self, name: str) -> None:
        """Makes an empty table of payroll events."""
        self.sql(TABLE.format(name=name))

    def staging(self, name: str) -> Path:
        """Returns the folder in which the staging objects of a dataset lie."""
        return self.folder / "data" / "s3" / "staging" / name


class Archive:
    """A month of payroll events in the sandbox, and what a right table holds of it."""

    def __init__(self, sandbox: Sandbox, seed: int, events: int, prefix: str = "topics", *flags: str) -> None:
        self.sandbox, self.prefix = sandbox, prefix
        self._file = sandbox.folder / f"{prefix}.yaml"
        sandbox.call(
            *("generate", "--seed", str(seed), "--events", str(events), "--from", FROM, "--to", TO, "--zone", ZONE, "--prefix", prefix),
            *("--truth", str(sandbox.folder / f"{prefix}.json"), "--dataset", str(self._file), *flags),
        )

    def dataset(self, table: str) -> str:
        """Returns a dataset file for a table and a staging folder of that name."""
        text = self._file.read_text()
        for old, new in {"name: payroll.events": f"name: payroll.{table}", "s3://staging/backfill": f"s3://staging/{table}"}.items():
            if text.count(old) != 1:
                raise SandboxError(f"the generated dataset has no single {old!r}")
            text = text.replace(old, new)
        return text

    def expected(self, start: str = FROM, end: str = TO) -> list[tuple[str, ...]]:
        """Asks the oracle, a slow program of other hands that reads the raw objects, for the rows of a window."""
        rows = self.sandbox.folder / f"{self.prefix}.csv"
        objects = self.sandbox.folder / "data" / "s3" / "archive" / self.prefix
        oracle = ROOT / "internal" / "sandbox" / "oracle" / "oracle.py"
        window = ["--from", start, "--to", end, "--zone", ZONE]
        done = subprocess.run(["python3", oracle, "--archive", objects, *window, "--rows", rows], capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise SandboxError(f"the oracle: {done.stderr.strip()}")
        with rows.open(newline="") as file:
            found = [(*(row[name] for name in ORACLE_COLUMNS), compact(row["details"])) for row in csv.DictReader(file)]
        return sorted(found)

    def differences(self, table: str) -> str:
        """Compares the table with the oracle, value by value; empty when it is right."""
        expected, found = self.expected(), sorted(self.rows(table))
        if expected == found:
            return ""
        missing, foreign = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
        return f"{len(found)} rows, the oracle has {len(expected)}; missing {missing[:1]}, foreign {foreign[:1]}"

    def rows(self, table: str) -> list[tuple[str, ...]]:
        """Returns the table's rows as the oracle writes them."""
        text = self.sandbox.call("sql", "--output", "csv", ROWS.format(name=table))
        return [tuple(row) for row in list(csv.reader(io.StringIO(text)))[1:]]


def compact(text: str) -> str:
    """Takes blanks out of JSON and keeps its numbers as they are written, as the warehouse does."""
    return "".join(part if part.startswith('"') else re.sub(r"\s", "", part) for part in re.split(r'("(?:[^"\\]|\\.)*")', text))
