"""The month end on a real Airflow 3 and a real Kubernetes: breaks, a repair that somebody else approves, the sign-off.

A run that the API's user starts is asked for by that user; one that the command line starts is asked for by this
process's user, so that the API's user is somebody else.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from airflow_stack import AirflowError
from cluster import wait_for
from scenario import ENDED, MONTH, Scenario, World

REPAIR, SIGN = "Repair and delete extra rows", "Sign off"


def setUpModule() -> None:
    world = World()
    for name in ("approved", "refused"):
        world.dataset(name)
    world.begin()
    Scenario.world = world


class MonthEndTest(Scenario):
    """One changed amount, one row gone, one row that the archive has nothing of."""

    def setUp(self) -> None:
        super().setUp()
        run = self.airflow.trigger(self.dag, **MONTH, shards=1)
        self.ends(run)
        self.check()
        self.sandbox.sql(
            f"UPDATE {self.table} SET net_amount = net_amount + 1 WHERE event_id IN (SELECT MIN(event_id) FROM {self.table})",
            f"DELETE FROM {self.table} WHERE event_id IN (SELECT MAX(event_id) FROM {self.table})",
            f"INSERT INTO {self.table} (event_id, type, employee_id, gross_amount, currency, occurred_at, version, source) "
            "VALUES ('nobody', 'payment.settled', 1, 12.34, 'EUR', '2026-03-10 12:00:00', 1, 'payroll')",
        )
        self.dag = f"{self.name}_month_end"
        self.airflow.unpause(self.dag)

    def by_command(self) -> str:
        """Starts a run from the command line, as this process's user. SQLite may be busy: a site has PostgreSQL."""
        name = "by-command"

        def started() -> bool:
            try:
                self.airflow.cli("dags", "trigger", self.dag, "--run-id", name, "--conf", json.dumps(MONTH))
            except AirflowError as e:
                if "locked" not in str(e):
                    raise
                return False
            return True

        wait_for("the run", started)
        return name

    def waits(self, run: str, task: str) -> dict[str, Any]:
        """Waits until the run waits for a person, and returns what the person is asked."""

        def look() -> bool:
            instance = self.airflow.tasks(self.dag, run).get((task, -1), {})
            if instance.get("state") in ("awaiting_input", "deferred"):
                return True
            if (state := self.airflow.state(self.dag, run)) in ENDED:
                self.fail(f"{state} before anybody was asked\n{self.story(run)}")
            return False

        wait_for(f"{task} to ask", look)
        asked: dict[str, Any] = self.airflow.api("GET", f"dags/{self.dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails")
        return asked

    def answer(self, run: str, task: str, option: str) -> None:
        """Answers as the API's user, no sooner than a person could: Airflow takes a task for failed that goes on within one loop
        of its scheduler."""
        asked = time.monotonic()
        wait_for("a person's time to read", lambda: time.monotonic() > asked + 10)
        path = f"dags/{self.dag}/dagRuns/{run}/taskInstances/{task}/-1/hitlDetails"
        self.airflow.api("PATCH", path, {"chosen_options": [option], "params_input": {}})

    def broken(self, run: str) -> dict[str, Any]:
        """The reconciliation is red at once, and says where and how much; the person is told what a repair would do."""
        asked = self.waits(run, "approve")
        instance = self.airflow.tasks(self.dag, run)[("reconcile", -1)]
        self.assertEqual((instance["state"], instance["try_number"]), ("failed", 1), self.story(run))
        error = self.airflow.text(self.dag, run, "reconcile", 1)
        self.assertIn("backfill reconcile ended with exit code 5", error)
        self.assertRegex(error, rf"{self.table} .*NOT RECONCILED: \d+ breaks, the first: .*2026-03-\d\d.*amount")
        self.assertIn("Not retried", error)
        for says in ("NOT RECONCILED", "changed: replace 1 keys", "missing: insert 1 keys", "extra: "):
            self.assertIn(says, asked["body"])
        return asked

    def picture(self, run: str, name: str) -> None:
        """Takes a picture for a person to look at, into the folder that E2E_PICTURES names."""
        if folder := os.environ.get("E2E_PICTURES"):
            self.airflow.picture(f"dags/{self.dag}/runs/{run}/tasks/{name}/required_actions", Path(folder) / f"{name}.png")
            self.airflow.picture(f"dags/{self.dag}/runs/{run}", Path(folder) / f"{name}-run.png")

    def test_approved(self) -> None:
        """With somebody else's approval the month is mended, tied out, signed off, and green."""
        run = self.by_command()
        self.broken(run)
        self.picture(run, "approve")
        self.answer(run, "approve", REPAIR)
        asked = self.waits(run, "approve_sign_off")
        self.assertIn("RECONCILED", asked["body"])
        self.check()
        self.answer(run, "approve_sign_off", SIGN)
        self.ends(run)
        repair, proof = self.airflow.result(self.dag, run, "repair"), self.airflow.result(self.dag, run, "verdict")
        self.assertEqual((repair["rows_deleted"], repair["rows_inserted"]), (2, 2))
        decision = self.airflow.result(self.dag, run, "decision")
        [ledger] = self.sandbox.sql(f"SELECT requested_by, approved_by, flags FROM {self.table}__backfill_ledger WHERE kind = 'repair'")
        self.assertEqual(ledger["approved_by"], decision["by"])
        self.assertNotEqual(ledger["requested_by"], decision["by"])
        signed = self.sandbox.sql(f"SELECT kind, requested_by FROM {self.table}__backfill_reports ORDER BY number")
        self.assertEqual((signed[-1]["kind"], signed[-1]["requested_by"]), ("sign_off", decision["by"]), signed)
        self.assertRegex(proof["verdict"], "^RECONCILED")

    def test_refused(self) -> None:
        """Who asked can't approve: nothing is changed, and the run stays red."""
        run = self.airflow.trigger(self.dag, **MONTH)
        self.broken(run)
        before = self.archive.rows(self.name)
        self.answer(run, "approve", REPAIR)
        self.ends(run, "failed")
        states = self.airflow.states(self.dag, run)
        self.assertEqual(
            (states["decision"], states["repair"], states["verdict"], states["sign_off"]),
            ("failed", "upstream_failed", "failed", "upstream_failed"),
            self.story(run),
        )
        self.assertIn("can't approve its repair: somebody else has to. Nothing was changed.", self.airflow.text(self.dag, run, "decision"))
        self.assertIn("the month is not proven", self.airflow.text(self.dag, run, "verdict"))
        self.assertEqual(sorted(self.archive.rows(self.name)), sorted(before))
