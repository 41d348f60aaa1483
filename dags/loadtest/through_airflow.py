"""Payday through Airflow's REST API: people start overlapping backfills and reconciliations of one table. A Locust file.

Airflow 3, the project's DAGs and a namespace of a real Kubernetes as in the end-to-end tests, with the sandbox as AWS. What
is counted is the outcome of DAG runs, how long they and their tasks waited for Airflow, and tries. At the end the table
must be right, value by value; otherwise the exit code is 1.
"""

from __future__ import annotations

import json
import os
import random
import sys
import time
import unittest
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_stack import ENDED, AirflowError
from cluster import PATIENCE
from locust import User, between, events, task
from scenario import MONTH, STEPS, World
from stand import COUNTED, Ended, processor
from steps import USERS, Steps
from summary import Queue, Try, expected, percentile, table

FOLDER = Path(os.environ["LOADTEST_FOLDER"])
SEED = int(os.environ.get("SEED", "1"))  # of the users' choices
TABLE = "payday"
LOADS, TIES = f"{TABLE}_backfill", f"{TABLE}_month_end"  # DAGs
RESULT = {LOADS: "load", TIES: "verdict"}  # the task whose result is the run's; after a verdict a person is asked
POLL = 2.0  # seconds
MOST_TRIES = 5  # of a person who starts an overtaken run again
__all__ = ["Steps"]  # Locust looks for it here


class Payday:
    """Cluster, sandbox and Airflow, and what was seen."""

    def __init__(self) -> None:
        self.world = World()
        self.world.dataset(TABLE)
        self.world.begin()
        self.airflow = self.world.airflow
        self.chance = random.Random(SEED)
        self.tries: list[Try] = []
        self.times: dict[str, list[float]] = defaultdict(list)  # seconds
        self.states: Counter[tuple[str, str]] = Counter()  # of tasks
        self.repeated = 0  # tries of tasks after their first
        self.refused = 0  # answers of the API that a person must ask again for
        self.began, self.used = 0.0, processor(self.world.sandbox.pid)
        self.counters: dict[str, str] = {}

    def prepare(self) -> None:
        """Loads the month, through Airflow too."""
        for dag in (LOADS, TIES):
            self.airflow.unpause(dag)
        ended = self.run(LOADS, {**MONTH, "shards": 2})
        if ended.code != 0:
            raise RuntimeError(f"the first load: {ended.log}")
        self.times.clear()
        self.states.clear()
        for what, rule in COUNTED.items():
            [self.counters[what]] = self.world.sandbox.fault(f"{rule} note times=all")
        self.began, self.used = time.monotonic(), processor(self.world.sandbox.pid)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Calls the REST API; what SQLite, which this Airflow has instead of a site's PostgreSQL, was too busy for is asked again."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return self.airflow.api(method, path, body)
            except (AirflowError, OSError) as e:
                if (isinstance(e, AirflowError) and ": 5" not in str(e)) or time.monotonic() > end:
                    raise
                self.refused += 1
                time.sleep(POLL)

    def run(self, dag: str, conf: Mapping[str, Any]) -> Ended:
        """Starts a run and waits for its end. One that has its verdict asks a person, who is not there: it is withdrawn."""
        began, last = time.monotonic(), RESULT[dag]
        run = self.ask("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": dict(conf)})
        where = f"dags/{dag}/dagRuns/{run['dag_run_id']}"
        while (run := self.ask("GET", where))["state"] not in ENDED:
            if dag == TIES and any(t["task_id"] == last and t["state"] in ENDED for t in self.tasks(where)):
                break
            time.sleep(POLL)
        took, tasks = time.monotonic() - began, self.tasks(where)
        self.count(run, tasks)
        failed = [t for t in tasks if t["state"] == "failed"]
        if run["state"] not in ENDED:
            self.ask("PATCH", where, {"state": "failed"})
        if not failed:
            return Ended(0 if any(t["task_id"] == last and t["state"] == "success" for t in tasks) else 1, took, self.result(where, last))
        first = min(failed, key=lambda t: t["end_date"] or "")
        result = self.result(where, first["task_id"], "failure", first["map_index"])
        return Ended(int(result.get("exit", 1)), took, result, f"{where}: {first['task_id']} failed: {result.get('error', 'see its log')}")

    def tasks(self, where: str) -> list[dict[str, Any]]:
        """Returns a run's task instances."""
        found: list[dict[str, Any]] = self.ask("GET", f"{where}/taskInstances?limit=200")["task_instances"]
        return found

    def result(self, where: str, name: str, key: str = "return_value", index: int = -1) -> dict[str, Any]:
        """Returns what a task left, and nothing if it left none."""
        try:
            found = self.ask("GET", f"{where}/taskInstances/{name}/xcomEntries/{key}?map_index={index}&deserialize=true")["value"]
        except AirflowError as e:
            if ": 404 " not in str(e):
                raise
            return {}
        return found if isinstance(found, dict) else {}

    def count(self, run: Mapping[str, Any], tasks: list[dict[str, Any]]) -> None:
        """Counts how long the run and its tasks waited, and tries."""
        self.times["runs, until they started"].append(seconds(run["queued_at"], run["start_date"]))
        for t in tasks:
            self.states[t["task_id"], str(t["state"])] += 1
            self.repeated += max(0, t["try_number"] - 1)
            if t["start_date"] and t["state"] in ENDED:
                self.times["tasks, until they started"].append(seconds(t["queued_when"] or t["start_date"], t["start_date"]))
                self.times[f"{t['task_id']}, at work"].append(t["duration"] or 0.0)

    def again(self, kind: str, dag: str, conf: Mapping[str, Any]) -> None:
        """Starts a run again until it is done, as a person does."""
        for _ in range(MOST_TRIES):
            ended = self.run(dag, conf)
            outcome = expected(ended.code, ended.cause, False)
            self.tries.append(Try(kind, time.monotonic() - self.began, ended.seconds, ended.code, ended.cause, outcome, ended.rows))
            wrong = None if outcome else RuntimeError(f"exit code {ended.code}: {ended.log[-800:]}")
            name = kind if outcome in ("", "done") else f"{kind}, {outcome}"
            events.request.fire(
                request_type="airflow", name=name, response_time=ended.seconds * 1000, response_length=ended.rows, exception=wrong, context={}
            )
            if outcome in ("", "done"):
                return

    def finish(self) -> str:
        """Prints the summary, proves the table, and returns what is wrong."""
        took, now, before = time.monotonic() - self.began, processor(self.world.sandbox.pid), self.used
        used = type(now)(now.clients - before.clients, now.sandbox - before.sandbox, now.machine - before.machine, now.cores)
        fired = {str(rule["id"]): int(rule["fired"]) for rule in self.world.sandbox.rules()}
        counts = [(what, fired[rule]) for what, rule in self.counters.items()]
        text = table(self.tries, Queue(), took, counts, used)
        text += f"tries        {self.repeated} of tasks after their first, {self.refused} requests asked again because SQLite was busy\n"
        for what, values in sorted(self.times.items()):
            text += f"times        {what}: {len(values)}, median {percentile(values, 0.5):.1f} s, 95 % {percentile(values, 0.95):.1f} s\n"
        for name in (*STEPS, "settled", "shards"):
            states = ", ".join(f"{n} {state}" for (own, state), n in sorted(self.states.items()) if own == name)
            text += f"tasks        {name}: {states or 'none'}\n"
        wrong = [self.world.archive.differences(TABLE)]
        wrong += [f"{t.kind}: exit code {t.code} {t.cause}" for t in self.tries if not t.outcome]
        if not any(t.outcome == "done" for t in self.tries):
            wrong.append("no run was done: nothing was tested")
        found = "\n".join(filter(None, wrong))
        text += f"table        {'WRONG: ' + found if found else 'equals the archive value by value'}\n"
        (FOLDER / "summary.txt").write_text(text)
        (FOLDER / "summary.json").write_text(
            json.dumps({"users": USERS, "seconds": took, "tries": [asdict(t) for t in self.tries], "wrong": found}, indent=1)
        )
        print("\n" + text, flush=True)
        return found


def seconds(start: str, end: str) -> float:
    """Returns the time between two instants of the API."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


payday = Payday()


@events.test_start.add_listener
def begin(**_: Any) -> None:
    """Before the first user."""
    payday.prepare()


@events.quitting.add_listener
def end(environment: Any, **_: Any) -> None:
    """After the last one."""
    try:
        environment.process_exit_code = 1 if payday.finish() else 0
    finally:
        unittest.doModuleCleanups()


class Person(User):
    """Whoever is in front of Airflow's page, or a program that calls its API."""

    abstract = True
    wait_time = between(0.5, 2.0)


class OnCall(Person):
    """Backfills a day or two around a payday, so that windows overlap; sometimes anew although it was done."""

    weight = 3

    @task
    def backfill(self) -> None:
        first = payday.chance.choice((14, 15, 15, 16))
        window = {"window_start": f"2026-03-{first}", "window_end": f"2026-03-{first + payday.chance.choice((1, 2))}"}
        payday.again("backfill", LOADS, {**window, "shards": 1, "replan": payday.chance.random() < 0.5, "reason": "payday"})


class Finance(Person):
    """Reconciles the month while others load days of it; only one such run goes on at a time."""

    weight = 1

    @task
    def reconcile(self) -> None:
        payday.again("reconcile", TIES, dict(MONTH))


if __name__ == "__main__":
    sys.exit("run it by dags/loadtest/run airflow")
