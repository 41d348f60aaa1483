"""The DAGs on a real Airflow 3 and a real Kubernetes, with the sandbox as AWS. ./run starts it.

Whatever Airflow holds of a task, the table is compared with the oracle, value by value, and no pod is left behind.
"""

from __future__ import annotations

import json
import os
import time
import unittest
from datetime import datetime
from pathlib import Path

from airflow_stack import ENDED
from cluster import wait_for
from sandbox import Archive
from scenario import FLAGS, MONTH, SMALL, STEPS, Scenario, World

WRITERS = ("scheduler", "dag-processor", "triggerer")

grown: Archive


def setUpModule() -> None:
    global grown
    world = World()
    for name in (
        *("month", "convert_deleted", "convert_evicted", "load_in_copy", "load_evicted", "load_after_change", "load_after_commit"),
        *(
            "marked_by_hand",
            "scheduler_killed",
            "node_killed",
            "xcom_lost",
            "cleared",
            "dry_run",
            "internal",
            "environment",
            "data",
            "breaks",
            "nothing",
        ),
    ):
        world.dataset(name)
    world.dataset("usage")
    world.rewrite("usage", world.text("usage").replace("lateness:", "latenes:"))
    grown = Archive(world.sandbox, 63, 2000, "grown", *FLAGS)
    world.dataset("grown", grown)
    world.rewrite("grown", world.text("grown").replace("lateness: 72h", "lateness: 72h\n  idle: 2000h"))
    world.dataset("by_days", schedule="0 0 * * *")
    world.dataset("deferred", deferrable=True)
    world.dataset("start", env={"BACKFILL_CHUNK_BYTES": "128KiB", "BACKFILL_LOG_FORMAT": "json", "BACKFILL_HEARTBEAT": "50ms"})
    greedy = {"BACKFILL_CHUNK_BYTES": "128KiB", "BACKFILL_MEMORY": "2GiB", "BACKFILL_WORKERS": "4"}
    world.dataset("convert_out_of_memory", env=greedy, resources={"convert": {**SMALL, "memory": "24Mi"}}, retries=1)
    world.dataset("deadline", timeouts={"convert": "30s"})
    # The worker's own deadline is put off, so that Airflow's comes first.
    world.dataset("timed_out", timeouts={"convert": "60s"}, startup_timeout="60s", env={"BACKFILL_CHUNK_BYTES": "128KiB", "BACKFILL_DEADLINE": "2h"})
    world.begin()
    Scenario.world = world


class MonthTest(Scenario):
    def test_month(self) -> None:
        """A month with eight mapped shards ends green and ties out, and Airflow has everything that a person wants to know."""
        run = self.airflow.trigger(self.dag, **MONTH, shards=8)
        self.ends(run)
        self.check()
        self.assertEqual(
            self.airflow.states(self.dag, run),
            dict.fromkeys(("settled", "plan", "shards", "convert", "load", "reconcile"), "success"),
        )
        self.assertEqual(len(self.tries(run, "convert")), 8)
        plan, load, proof = (self.airflow.result(self.dag, run, task) for task in ("plan", "load", "reconcile"))
        self.assertEqual((plan["command"], load["plan"], proof["plan"]), ("plan", plan["plan"], plan["plan"]))
        self.assertEqual(load["rows_inserted"], len(self.archive.expected()))
        self.assertRegex(proof["verdict"], "^RECONCILED")
        records = self.airflow.log(self.dag, run, "load")
        worker = [r for r in records if r.get("event", "").startswith("[base]")]
        self.assertTrue(any("slice 1 of 3 committed" in r["event"] and r["level"] == "info" for r in worker), worker)
        self.assertIn("files below /tmp hold 48 MiB at most", self.airflow.text(self.dag, run, "reconcile"), "three quarters of the pod's disk")
        names = {t["rendered_map_index"] for (task, _), t in self.airflow.tasks(self.dag, run).items() if task == "convert"}
        self.assertEqual(names, {f"shard {i}/8" for i in range(1, 9)})
        [event] = self.airflow.api("GET", f"assets/events?source_dag_id={self.dag}")["asset_events"]
        self.assertEqual(event["extra"]["rows_inserted"], load["rows_inserted"])
        self.assertEqual((event["extra"]["window"], event["extra"]["verdict"]), (plan["window"], proof["verdict"]))
        self.assertEqual(self.count(f"{self.table}__backfill_ledger"), 3)
        self.pictures(run)
        # The same again changes nothing.
        again = self.airflow.trigger(self.dag, **MONTH)
        self.ends(again)
        self.check()
        self.assertTrue(self.airflow.result(self.dag, again, "plan")["already_done"])
        self.assertEqual(len(self.tries(again, "convert")), 1)

    def pictures(self, run: str) -> None:
        """Takes pictures for a person to look at, into the folder that E2E_PICTURES names."""
        folder = os.environ.get("E2E_PICTURES")
        for name, page, buttons in (
            ("form", f"dags/{self.dag}", ["Trigger"]),
            ("form-exceptions", f"dags/{self.dag}", ["Trigger", "Exceptions"]),
            ("run", f"dags/{self.dag}/runs/{run}", []),
            ("load-log", f"dags/{self.dag}/runs/{run}/tasks/load", []),
        ):
            if folder:
                self.airflow.picture(page, Path(folder) / f"{name}.png", *buttons)

    def test_by_days(self) -> None:
        """airflow backfill create over ten days, backwards, three at once: the same table as one run of the window gives."""
        # SQLite, which this Airflow has instead of a site's PostgreSQL, refuses a writer beside others.
        for name in WRITERS:
            self.airflow.kill(name)
        self.airflow.cli(
            *("backfill", "create", "--dag-id", self.dag, "--from-date", "2026-03-05", "--to-date", "2026-03-15"),
            *("--run-backwards", "--max-active-runs", "3", "--dag-run-conf", json.dumps({"shards": 1})),
        )
        for name in WRITERS:
            self.airflow.start(name)
        # The schedule makes a run besides, which waits for its period to settle.
        runs = [r for r in self.airflow.runs(self.dag) if r["run_type"] == "backfill"]
        self.assertEqual(len(runs), 10)
        for run in runs:
            self.ends(run["dag_run_id"])
        self.assertEqual({r["data_interval_start"][:10] for r in runs}, {f"2026-03-{d:02}" for d in range(5, 15)})
        self.assertEqual(sorted(self.archive.rows(self.name)), self.archive.expected("2026-03-05", "2026-03-15"))

    def test_dry_run(self) -> None:
        """Only the plan runs, and what follows is skipped."""
        run = self.airflow.trigger(self.dag, **MONTH, dry_run=True)
        self.ends(run)
        skipped = dict.fromkeys(("convert", "load", "reconcile"), "skipped")
        self.assertEqual(self.airflow.states(self.dag, run), {**dict.fromkeys(("settled", "plan", "shards"), "success"), **skipped})
        self.assertEqual(self.count(self.table), 0)


class StartTest(Scenario):
    """What of a task's time is Airflow's, what Kubernetes', and what the worker's."""

    def test_start(self) -> None:
        [first] = self.sandbox.fault("s3 GetObject bucket=archive note")
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.fired(first, run)
        read = time.time()
        self.ends(run)
        steps = {step: self.moments(run, step) for step in STEPS}
        phases = ("queued to the task's process: Airflow", "to the pod asked for: Airflow's imports, the DAG file")
        phases += ("to the worker's first line: Kubernetes", "to its last line: the worker", "to the result: the operator's polls, the sidecar")
        phases += ("to the task's end: Airflow",)
        lines = [f"{'seconds':<58}" + "".join(f"{step:>10}" for step in steps)]
        for i, phase in enumerate(phases):
            lines.append(f"{phase:<58}" + "".join(f"{moments[i + 1] - moments[i]:10.2f}" for moments in steps.values()))
        lines.append(f"convert: the worker's first line to the archive's first byte asked for: {read - steps['convert'][3]:.2f} s at most")
        queued, _, _, began, ended, _, end = steps["convert"]
        ours = 60 - (began - queued) - (end - ended)
        lines.append(f"of a convert task of one minute {ours:.1f} s are the worker's")
        print("\n" + "\n".join(lines), flush=True)
        for moments in steps.values():
            self.assertEqual(moments, sorted(moments), lines)
        self.check()

    def moments(self, run: str, step: str) -> list[float]:
        """Returns when a task was queued, its process began, it asked for a pod, the worker began and ended, its result was
        read, the task ended: seconds since 1970, each by the clock of this machine."""
        [(index, task)] = [(index, t) for (name, index), t in self.airflow.tasks(self.dag, run).items() if name == step]
        records = self.airflow.log(self.dag, run, step, 1, index)

        def logged(begin: str) -> float:
            return seconds(next(r["timestamp"] for r in records if str(r.get("event")).startswith(begin)))

        lines = [str(r["event"]).removeprefix("[base] ") for r in records if str(r.get("event")).startswith("[base] {")]
        worker = [seconds(json.loads(line)["timestamp"]) for line in lines]
        asked, result = logged("Building pod"), logged("Running command... if [ -s")
        return [seconds(task["queued_when"]), seconds(task["start_date"]), asked, worker[0], worker[-1], result, seconds(task["end_date"])]


def seconds(text: str) -> float:
    """Reads a time of a log."""
    return datetime.fromisoformat(text).timestamp()


class KilledTest(Scenario):
    """Pods die in the middle; Airflow's own retry makes the table right."""

    def held(self, rule: str, task: str) -> tuple[str, str]:
        """Starts a run, waits until the rule holds a pod of the task, and returns run and pod."""
        [number] = self.sandbox.fault(rule)
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.fired(number, run)
        return run, self.pod(task)

    def goes_on(self, run: str, task: str) -> None:
        """Lets all go on: the task is tried again, the run ends green, the table is right."""
        self.sandbox.clear()
        self.ends(run)
        self.check()
        self.assertEqual(max(self.tries(run, task)), 2, self.story(run))

    def first_error(self, run: str, task: str) -> str:
        """Returns the log of the first try that failed."""
        index = next(i for (name, i), t in self.airflow.tasks(self.dag, run).items() if name == task and t["try_number"] > 1)
        return self.airflow.text(self.dag, run, task, 1, index)

    def test_convert_deleted(self) -> None:
        run, pod = self.held(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang", "convert")
        self.kill(pod)
        self.goes_on(run, "convert")

    def test_convert_evicted(self) -> None:
        """Drained with its grace: the worker stops by itself, with 143 if Airflow sees its end."""
        run, pod = self.held(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang", "convert")
        self.cluster.evict(pod, grace=20)
        wait_for("the pod's end", lambda: pod not in [p["metadata"]["name"] for p in self.pods("convert")])
        self.goes_on(run, "convert")
        self.assertRegex(self.first_error(run, "convert"), "backfill convert (ended with exit code 143|left no exit code)")

    def test_convert_out_of_memory(self) -> None:
        """The task's error says so; with the limit raised, the cleared tasks go on."""
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.red("convert", run, 137, 2, "raise the memory of convert in settings.yaml")
        self.assertIn("137 (OOMKilled)", self.airflow.text(self.dag, run, "convert", 2, 0))
        self.assertEqual(self.airflow.states(self.dag, run)["load"], "upstream_failed")
        self.world.usual(self.name)
        self.airflow.clear(self.dag, run, ["convert"])
        self.ends(run)
        self.check()

    def test_load_in_copy(self) -> None:
        run, pod = self.held(f"sql COPY text={self.name} during hang", "load")
        self.kill(pod)
        self.goes_on(run, "load")

    def test_load_evicted(self) -> None:
        """The node of the load pod is drained while COPY runs."""
        run, pod = self.held(f"sql COPY text={self.name} during hang", "load")
        self.cluster.evict(pod, grace=20)
        wait_for("the pod's end", lambda: pod not in [p["metadata"]["name"] for p in self.pods("load")])
        self.goes_on(run, "load")

    def test_load_after_change(self) -> None:
        run, pod = self.held(f"sql INSERT text={self.name}__backfill_ledger after hang", "load")
        self.kill(pod)
        self.goes_on(run, "load")

    def test_load_after_commit(self) -> None:
        [ledger] = self.sandbox.fault(f"sql INSERT text={self.name}__backfill_ledger after hang")
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.fired(ledger, run)
        [commit] = self.sandbox.fault("sql COMMIT after hang")
        self.sandbox.call("fault", "clear", ledger)
        self.fired(commit, run)
        self.kill(self.pod("load"))
        self.sandbox.clear()
        self.assertGreaterEqual(self.count(f"{self.table}__backfill_ledger"), 1, "a slice is committed")
        self.goes_on(run, "load")

    def test_deadline(self) -> None:
        """A worker that is not done within its time ends itself with 143, is tried again, and keeps what it has."""
        [held] = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang")
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.fired(held, run)
        wait_for("another try", lambda: max(self.tries(run, "convert"), default=0) > 1)
        self.goes_on(run, "convert")
        self.assertIn("backfill convert ended with exit code 143", self.first_error(run, "convert"))


class AirflowTest(Scenario):
    """Airflow errs: it dies, forgets, is told wrong things."""

    def test_marked_by_hand(self) -> None:
        """Convert tasks marked as success without having run: load finds no receipts, the run is red, the table empty.
        Cleared, they run, and all is right."""
        [held] = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang times=all")
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.fired(held, run)
        for index in (0, 1):
            self.airflow.mark(self.dag, run, "convert", index, "success")
        self.red("load", run, 6, 1, "chunks are not converted yet")
        self.assertIn("plan 1 is not loaded", self.airflow.text(self.dag, run, "reconcile"))
        self.assertEqual(self.count(self.table), 0)
        self.sandbox.clear()
        self.airflow.clear(self.dag, run, ["convert"])
        self.ends(run)
        self.check()

    def test_scheduler_killed(self) -> None:
        """The scheduler is killed while pods run, and its tasks end half-way; started again, it tries them again."""
        self.survives(node=False)

    def test_node_killed(self) -> None:
        """The scheduler and the tasks it runs are killed while pods run; tried again, they take their pods up."""
        pods = self.survives(node=True)
        self.assertEqual(len(pods), 2, "no others were made")

    def survives(self, node: bool) -> set[str]:
        """Kills the scheduler while convert runs, and starts it again; returns the pods of convert that were seen."""
        [held] = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang times=all")
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.fired(held, run)
        wait_for("two pods", lambda: [p["status"]["phase"] for p in self.pods("convert")] == ["Running"] * 2)
        pods = {p["metadata"]["name"] for p in self.pods("convert")}
        self.airflow.kill("scheduler", node)
        self.sandbox.clear()
        self.airflow.start("scheduler")

        def look() -> bool:
            pods.update(p["metadata"]["name"] for p in self.pods("convert"))
            return self.airflow.state(self.dag, run) in ENDED

        wait_for("the end of the run", look)
        self.ends(run)
        self.check()
        self.assertEqual(max(self.tries(run, "convert")), 2)
        return pods

    def test_xcom_lost(self) -> None:
        """The plan's result is gone: nothing is guessed, the cleared plan finds the plan that it sealed."""
        [held] = self.sandbox.fault(f"sql COPY text={self.name} during hang")
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.fired(held, run)
        sealed = self.airflow.result(self.dag, run, "plan")["plan"]
        self.airflow.forget(self.dag, run, "plan")
        self.kill(self.pod("load"))
        self.sandbox.clear()
        self.ends(run, "failed")
        self.assertIn("has no plan: the plan task failed or its result is gone", self.airflow.text(self.dag, run, "load", 2))
        self.airflow.clear(self.dag, run, ["plan"])
        self.ends(run)
        self.assertEqual(self.airflow.result(self.dag, run, "plan")["plan"], sealed)
        self.check()

    def test_cleared(self) -> None:
        """A finished run, cleared from its start: nothing is done twice."""
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.ends(run)
        self.check()
        ledger = f"SELECT change_number, seq, slice_index FROM {self.table}__backfill_ledger ORDER BY change_number"
        before = self.sandbox.sql(ledger)
        self.airflow.clear(self.dag, run, ["settled"])
        self.ends(run)
        self.check()
        self.assertEqual(self.sandbox.sql(ledger), before)
        self.assertEqual(self.tries(run, "load"), [2])

    def test_timed_out(self) -> None:
        """Airflow ends a task that takes too long, and its pod; the next try keeps what is there."""
        [held] = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang")
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.fired(held, run)
        pod = self.pod("convert")
        wait_for("another try", lambda: max(self.tries(run, "convert"), default=0) > 1)
        wait_for("the end of the first pod", lambda: pod not in [p["metadata"]["name"] for p in self.pods("convert")])
        self.sandbox.clear()
        self.ends(run)
        self.check()
        self.assertIn("AirflowTaskTimeout", self.airflow.text(self.dag, run, "convert", 1, 0))

    def test_grown(self) -> None:
        """The archive grows between two runs of one window that meet: the newer plan has the last word. The older run's
        load is refused, and its reconcile finds the table right, so that run is green, too."""
        late = max(p for p in (self.world.folder / "data" / "s3" / "archive" / "grown").rglob("*+0+*") if p.is_file())
        late.rename(self.world.folder / "late")
        [held] = self.sandbox.fault(f"sql COPY text={self.name} during hang")
        first = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.fired(held, first)
        (self.world.folder / "late").rename(late)
        second = self.airflow.trigger(self.dag, **MONTH, shards=1, replan=True)
        self.ends(second)
        self.sandbox.clear()
        self.ends(first)
        self.assertEqual(grown.differences(self.name), "")
        self.assertEqual([self.airflow.result(self.dag, run, "plan")["seq"] for run in (first, second)], [1, 2])
        self.assertEqual(self.airflow.states(self.dag, first)["load"], "failed")
        self.assertIn("ended with exit code 4, plan_overtaken", self.airflow.text(self.dag, first, "load"))

    def test_deferred(self) -> None:
        """Tasks wait in the triggerer, not in a worker. A pod is killed meanwhile, and later the triggerer."""
        [receipt] = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang")
        [copy] = self.sandbox.fault(f"sql COPY text={self.name} during hang")
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.fired(receipt, run)
        wait_for("deferral", lambda: self.airflow.states(self.dag, run).get("convert") == "deferred")
        self.kill(self.pod("convert"))
        self.sandbox.call("fault", "clear", receipt)
        self.fired(copy, run)
        wait_for("deferral", lambda: self.airflow.states(self.dag, run).get("load") == "deferred")
        self.airflow.kill("triggerer")
        self.airflow.start("triggerer")
        self.sandbox.clear()
        self.ends(run)
        self.check()
        # More is Airflow's: it takes a task for failed that comes back within one loop of its scheduler.
        self.assertGreaterEqual(self.tries(run, "convert")[0], 2, self.story(run))
        [tries] = self.tries(run, "load")
        self.assertRegex(self.airflow.text(self.dag, run, "load", tries), "slice 1 of 3 (was )?committed")
        self.assertRegex(self.airflow.result(self.dag, run, "reconcile")["verdict"], "^RECONCILED")


class ExitCodeTest(Scenario):
    """Each exit code as state and tries of a task, with the worker's words in its error. Others have 6, 137 and 143."""

    def test_internal(self) -> None:
        self.sandbox.fault("sql SELECT fail=internal times=all")
        self.red("plan", self.airflow.trigger(self.dag, **MONTH), 1, 1, "injected fault")

    def test_usage(self) -> None:
        self.red("plan", self.airflow.trigger(self.dag, **MONTH), 2, 1, "unknown key")

    def test_environment(self) -> None:
        self.sandbox.fault("s3 ListObjectsV2 bucket=archive fail=denied times=all")
        self.red("plan", self.airflow.trigger(self.dag, **MONTH), 3, 4, "Retried if tries are left")

    def test_data(self) -> None:
        """An empty window: the archive has no record for it, which load tells."""
        self.red("load", self.airflow.trigger(self.dag, window_start="2020-01-01", window_end="2020-01-02"), 4, 1, "--allow-empty")

    def test_breaks(self) -> None:
        """Somebody changes a cent after the load: reconcile alone, cleared, is red at once."""
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.ends(run)
        self.sandbox.sql(f"UPDATE {self.table} SET gross_amount = gross_amount + 0.01 WHERE event_id = (SELECT MIN(event_id) FROM {self.table})")
        self.airflow.clear(self.dag, run, ["reconcile"])
        self.red("reconcile", run, 5, 2, "break")

    def test_nothing(self) -> None:
        run = self.airflow.trigger(self.dag, window_start="2020-01-01", window_end="2020-01-02", allow_empty=True)
        self.ends(run)
        states = self.airflow.states(self.dag, run)
        self.assertEqual((states["load"], states["reconcile"]), ("skipped", "skipped"))


if __name__ == "__main__":
    unittest.main()
