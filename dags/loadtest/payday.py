"""Payday: engineers and DAGs start overlapping backfills and reconciliations, in steps up to a peak. A Locust file.

All users start the worker's processes. At the end every table must be right, value by value; otherwise the exit code is 1.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gevent
from locust import User, between, events, task
from sandbox import FROM, TO
from stand import COUNTED, Ended, Stand, processor
from steps import USERS, Steps
from summary import Processor, Queue, Try, expected, table

FOLDER = Path(os.environ["LOADTEST_FOLDER"])
EVENTS = int(os.environ.get("EVENTS", "20000"))
SEED = int(os.environ.get("SEED", "1"))  # of the users' choices
FULL, FILLING = "events", "events_filling"  # loaded before the peak, and filled by it
MOST_TRIES, LOOK = 8, 2.0
SIZE = ("--memory", "256MiB", "--workers", "1")  # of a process that converts
__all__ = ["Steps"]  # Locust looks for it here


class Payday:
    """The stand, and what was seen."""

    def __init__(self) -> None:
        self.stand = Stand(FOLDER, EVENTS, (FULL, FILLING))
        self.tries: list[Try] = []
        self.queue = Queue()
        self.chance = random.Random(SEED)
        self.began, self.used = 0.0, Processor(0, 0, 0, 0)
        self.counters: dict[str, str] = {}
        self.looking: Any = None  # a greenlet

    def prepare(self) -> None:
        """Loads the month into one of the tables."""
        ended = self.stand.run("run", *self.month(FULL), *SIZE)
        if ended.code != 0:
            raise RuntimeError(f"the first load: exit code {ended.code}: {ended.log[-2000:]}")
        for what, rule in COUNTED.items():
            [self.counters[what]] = self.stand.sandbox.fault(f"{rule} note times=all")
        self.began, self.used = time.monotonic(), processor(self.stand.sandbox.pid)
        self.looking = gevent.spawn(self.look)

    def month(self, name: str) -> tuple[str, ...]:
        """The flags that name a table's whole month."""
        return ("--dataset", str(self.stand.dataset(name)), "--from", FROM, "--to", TO)

    def window(self) -> tuple[str, ...]:
        """The flags of a day or two around one of the two paydays, of any table: slices of one day."""
        first, last = self.days()
        name = self.chance.choice((FULL, FULL, FILLING))
        return ("--dataset", str(self.stand.dataset(name)), "--from", first, "--to", last, "--slice-days", "1")

    def days(self) -> tuple[str, str]:
        """One or two days around a payday: windows of many users overlap."""
        first = self.chance.choice((14, 14, 15, 15, 16, 28, 29))
        return f"2026-03-{first:02}", f"2026-03-{first + self.chance.choice((1, 1, 2)):02}"

    def look(self) -> None:
        """Looks for sessions that wait for a lock, until the test ends."""
        while True:
            [row] = self.stand.sandbox.sql("SELECT COUNT(DISTINCT pid) AS n FROM svv_transactions WHERE NOT granted")
            n = int(row["n"])
            self.queue = Queue(self.queue.seconds + n * LOOK, max(self.queue.most, n), self.queue.looks + 1)
            gevent.sleep(LOOK)

    def note(self, kind: str, ended: Ended) -> str:
        """Keeps an outcome, tells Locust, and returns what it was."""
        outcome = expected(ended.code, ended.cause, ended.interrupted)
        at, spent = time.monotonic() - self.began, ended.result.get("timing", {})
        self.tries.append(
            Try(
                *(kind, at, ended.seconds, ended.code, ended.cause, outcome, ended.rows),
                cpu=spent.get("process", {}).get("cpu_seconds", 0.0),
                limit=spent.get("bottleneck", "").partition(":")[0],
                stages={stage["stage"]: stage["busy_seconds"] for stage in spent.get("stages", [])},
            )
        )
        wrong = None if outcome else RuntimeError(f"exit code {ended.code}: {ended.log[-800:]}")
        name = kind if outcome in ("", "done") else f"{kind}, {outcome}"
        events.request.fire(
            request_type="backfill", name=name, response_time=ended.seconds * 1000, response_length=ended.rows, exception=wrong, context={}
        )
        return outcome

    def again(self, kind: str, *arguments: str, first: tuple[str, ...] = ()) -> Ended:
        """Repeats the same command until it is done, as a person or Airflow does; the flags in first stand in the first try only."""
        ended = self.stand.run(kind, *arguments, *first)
        for _ in range(MOST_TRIES - 1):
            if self.note(kind, ended) in ("", "done"):
                return ended
            ended = self.stand.run(kind, *arguments)
        self.note(kind, ended)
        return ended

    def finish(self) -> str:
        """Prints the summary, proves the tables, and returns what is wrong."""
        seconds, used, before = time.monotonic() - self.began, processor(self.stand.sandbox.pid), self.used
        rules = {rule["id"]: int(rule["fired"]) for rule in self.stand.sandbox.rules()}
        counts = [(what, rules[type(next(iter(rules)))(rule)]) for what, rule in self.counters.items()]
        spent = Processor(used.clients - before.clients, used.sandbox - before.sandbox, used.machine - before.machine, used.cores)
        text = table(self.tries, self.queue, seconds, counts, spent)
        wrong = [self.stand.proof(FULL)]
        ended = self.stand.run("run", *self.month(FILLING), *SIZE)
        wrong.append(f"the last load: exit code {ended.code}: {ended.log[-1500:]}" if ended.code else self.stand.proof(FILLING))
        wrong += [f"{t.kind}: exit code {t.code} {t.cause}" for t in self.tries if not t.outcome]
        if not any(t.outcome == "done" for t in self.tries):
            wrong.append("no command was done: nothing was tested")
        found = "\n".join(filter(None, wrong))
        text += f"tables       {'WRONG: ' + found if found else 'RECONCILED, and both equal the archive value by value'}\n"
        (FOLDER / "summary.txt").write_text(text)
        facts = {"users": USERS, "seconds": seconds, "processor": asdict(spent), "queue": asdict(self.queue), "counts": dict(counts)}
        (FOLDER / "summary.json").write_text(json.dumps({**facts, "tries": [asdict(t) for t in self.tries], "wrong": found}, indent=1))
        print("\n" + text, flush=True)
        return found


payday = Payday()


@events.test_start.add_listener
def begin(**_: Any) -> None:
    """Before the first user."""
    payday.prepare()


@events.quitting.add_listener
def end(environment: Any, **_: Any) -> None:
    """After the last one."""
    if payday.looking:
        gevent.kill(payday.looking)
    try:
        environment.process_exit_code = 1 if payday.finish() else 0
    finally:
        payday.stand.close()


class Person(User):
    """Whoever is in front of a terminal."""

    abstract = True
    wait_time = between(0.2, 1.0)


class OnCall(Person):
    """Backfills a day or two, sometimes anew although it was done."""

    weight = 4

    @task
    def backfill(self) -> None:
        payday.again("run", *payday.window(), *SIZE, first=payday.chance.choice(((), ("--replan", "--reason", "payday"))))


class Dag(Person):
    """plan → convert in two shards → load → reconcile, started again as a whole when a newer plan overtook it."""

    weight = 2

    @task
    def dag(self) -> None:
        for _ in range(MOST_TRIES):
            planned = payday.again("plan", *payday.window(), first=payday.chance.choice(((), ("--replan",))))
            if planned.code != 0:
                return
            plan = ("--plan", str(planned.result["plan"]))
            shards = [gevent.spawn(payday.again, "convert", *plan, *SIZE, "--shard", f"{i}/2") for i in (1, 2)]
            gevent.joinall(shards, raise_error=True)
            loaded = payday.stand.run("load", *plan)
            if payday.note("load", loaded) == "done":
                payday.again("reconcile", *plan)
                return


class Reconciler(Person):
    """Reconciles the month while others change it; reads only."""

    weight = 2

    @task
    def reconcile(self) -> None:
        payday.again("reconcile", *payday.month(FULL))


class Impatient(Person):
    """Cancels, and repeats the same command."""

    weight = 1

    @task
    def cancel(self) -> None:
        window = (*payday.window(), *SIZE)
        ended = payday.stand.run("run", *window, "--replan", interrupt_after=payday.chance.uniform(0.1, 3.0))
        if payday.note("run", ended) not in ("", "done"):
            payday.again("run", *window)


class Watcher(Person):
    """Asks how it stands."""

    weight = 1

    @task
    def status(self) -> None:
        payday.again("status", "--dataset", str(payday.stand.dataset(payday.chance.choice((FULL, FILLING)))))


if __name__ == "__main__":
    sys.exit("run it by dags/loadtest/run load")
