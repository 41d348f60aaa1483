"""The DAGs on a real Airflow 3 and a real Kubernetes, with the sandbox as AWS. ./run starts it.

Whatever Airflow holds of a task, the table is compared with the oracle, value by value, and no pod is left behind.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import unittest
import uuid
from pathlib import Path
from typing import Any

from airflow_stack import Airflow
from cluster import Cluster, ClusterError, wait_for
from sandbox import FROM, ROOT, TO, Archive, Sandbox

# Every scenario has a dataset, and so a DAG, a table and a staging folder of its own.
SCENARIOS = (
    "usage",
    "convert_deleted",
    "marked_by_hand",
    "month",
)
MONTH = {"window_start": FROM, "window_end": TO}


class World:
    """What all tests of this module share. Whatever was begun is ended, also when a later step fails."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="backfill-e2e-")
        unittest.addModuleCleanup(self.folder.cleanup)
        at = Path(self.folder.name)
        self.cluster = Cluster(f"backfill-e2e-{uuid.uuid4().hex[:8]}")
        self.sandbox = Sandbox(at, self.cluster.host)
        unittest.addModuleCleanup(self.sandbox.close)
        flags = ("--partitions", "4", "--events-per-object", "400", "--codec", "mixed")
        self.archive = Archive(self.sandbox, 62, 8000, "topics", *flags)
        unittest.addModuleCleanup(self.cluster.delete_namespace)
        self.cluster.create_namespace()
        self.cluster.kubectl("apply", "--kustomize", str(ROOT / "docker" / "kubernetes" / "rights"))
        self.cluster.secret("backfill", self.sandbox.environment())
        self.cluster.config("backfill-ca", {"ca.pem": self.sandbox.authority()})
        self.datasets(at / "datasets")
        environment = {
            "BACKFILL_SETTINGS": str(self.settings(at)),
            "BACKFILL_DATASETS": str(at / "datasets"),
            "KUBECONFIG": str(self.kubeconfig(at)),
            # The sidecar's image is set where a site with a registry of its own sets it.
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(
                {"conn_type": "kubernetes", "extra": {"xcom_sidecar_container_image": os.environ.get("E2E_SIDECAR", "alpine:3")}}
            ),
        }
        (at / "airflow").mkdir()
        self.airflow = Airflow(at / "airflow", environment)
        unittest.addModuleCleanup(self.airflow.close)

    def datasets(self, folder: Path) -> None:
        """Writes a dataset file for each scenario, as somebody would into dags/datasets."""
        folder.mkdir()
        for name in SCENARIOS:
            self.sandbox.table(name)
            text, found = re.subn(r"(?m)^name: .*$", f"name: {name}", self.archive.dataset(name))
            if name == "usage":
                text = text.replace("lateness:", "latenes:")
            if found != 1:
                raise ClusterError("the generated dataset has no single name")
            (folder / f"{name}.yaml").write_text(text)

    def settings(self, folder: Path) -> Path:
        """Writes the settings: small pods, quick retries, and the sandbox's certificate by a pod template."""
        template = folder / "pod.yaml"
        mount = {"name": "ca", "mountPath": "/etc/backfill", "readOnly": True}
        spec = {"containers": [{"name": "base", "volumeMounts": [mount]}], "volumes": [{"name": "ca", "configMap": {"name": "backfill-ca"}}]}
        template.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "template"}, "spec": spec}))
        small = {"cpu": "50m", "memory": "256Mi", "disk": "64Mi"}
        defaults = {
            "image": self.cluster.image,
            "namespace": self.cluster.namespace,
            "service_account": "backfill",
            "env": {"BACKFILL_CHUNK_BYTES": "128KiB"},
            "env_from_secrets": ["backfill"],
            "pod_template_file": str(template),
            "schedule": None,
            "slice_days": 11,
            "retry_delay": "2s",
            "grace": "20s",
            "max_active_runs": 4,
            "resources": dict.fromkeys(("plan", "convert", "load", "reconcile"), small),
        }
        file = folder / "settings.yaml"
        file.write_text(json.dumps({"defaults": defaults}))
        return file

    def kubeconfig(self, folder: Path) -> Path:
        """Writes a kubeconfig with the rights of docker/kubernetes/rights/airflow.yaml, and no others."""
        token = self.cluster.kubectl("create", "token", "backfill-airflow", "--duration", "4h").strip()
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "--flatten", "--minify", "--output", "json"))
        config["users"] = [{"name": "airflow", "user": {"token": token}}]
        config["contexts"][0]["context"].update(user="airflow", namespace=self.cluster.namespace)
        file = folder / "kubeconfig"
        file.write_text(json.dumps(config))
        return file


world: World


def setUpModule() -> None:
    global world
    world = World()


class Scenario(unittest.TestCase):
    """One DAG and its table."""

    name: str

    def setUp(self) -> None:
        self.cluster, self.sandbox, self.archive, self.airflow = world.cluster, world.sandbox, world.archive, world.airflow
        self.name = self._testMethodName.removeprefix("test_")
        self.dag = f"{self.name}_backfill"
        self.addCleanup(self.leave_nothing)
        self.airflow.unpause(self.dag)

    def leave_nothing(self) -> None:
        """No pod may be left behind, whatever happened."""
        self.sandbox.clear()
        try:
            wait_for("the end of all pods", lambda: not self.pods(), 180)
        except ClusterError:
            self.fail(f"left behind: {[p['metadata']['name'] for p in self.pods()]}")

    def pods(self, task: str = "") -> list[dict[str, Any]]:
        """Returns this DAG's pods, or those of a task of it."""
        return self.cluster.pods(f"dag_id={self.dag}" + (f",task_id={task}" if task else ""))

    def pod(self, task: str) -> str:
        """Waits for a pod of the task that runs, and returns its name."""

        def look() -> str:
            running = [p for p in self.pods(task) if p["status"]["phase"] == "Running" and not p["metadata"].get("deletionTimestamp")]
            return running[0]["metadata"]["name"] if running else ""

        name: str = wait_for(f"a running pod of {task}", look)
        return name

    def ends(self, run: str, state: str = "success") -> None:
        """The run must end in this state."""
        if (found := self.airflow.ended(self.dag, run)) != state:
            self.fail(f"{found}, want {state}\n{self.story(run)}")

    def story(self, run: str) -> str:
        """Tells what each task came to, and the log of those that failed."""
        lines = []
        for (task, index), instance in self.airflow.tasks(self.dag, run).items():
            lines.append(f"{task}[{index}] {instance['state']} after {instance['try_number']} tries")
            if instance["state"] == "failed":
                for record in self.airflow.log(self.dag, run, task, instance["try_number"], index):
                    lines.extend(f"  {detail['exc_type']}: {detail['exc_value']}" for detail in record.get("error_detail", []))
                    lines.extend([f"  {record['event']}"] if str(record.get("event")).startswith("[base]") else [])
        return "\n".join(lines)

    def check(self) -> None:
        """The table is right, by the oracle."""
        self.assertEqual(self.archive.differences(self.name), "")

    def tries(self, run: str, task: str) -> list[int]:
        """Returns how often a task was tried, for each map index."""
        return [t["try_number"] for (name, _), t in self.airflow.tasks(self.dag, run).items() if name == task]


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
        names = {t["rendered_map_index"] for (task, _), t in self.airflow.tasks(self.dag, run).items() if task == "convert"}
        self.assertEqual(names, {f"shard {i}/8" for i in range(1, 9)})
        [event] = self.airflow.api("GET", f"assets/events?source_dag_id={self.dag}")["asset_events"]
        self.assertEqual(event["extra"]["rows_inserted"], load["rows_inserted"])
        self.assertEqual((event["extra"]["window"], event["extra"]["verdict"]), (plan["window"], proof["verdict"]))
        [row] = self.sandbox.sql(f"SELECT COUNT(*) AS n FROM payroll.{self.name}__backfill_ledger")
        self.assertEqual(int(row["n"]), 3)
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


class KilledTest(Scenario):
    """Pods die in the middle; Airflow's own retry makes the table right."""

    def held(self, rule: str, task: str) -> tuple[str, str]:
        """Starts a run, waits until the rule holds a pod of the task, and returns run and pod."""
        [number] = self.sandbox.fault(rule)
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.sandbox.fired(number)
        return run, self.pod(task)

    def goes_on(self, run: str, task: str) -> None:
        """Lets all go on: the task is tried again, the run ends green, the table is right."""
        self.sandbox.clear()
        self.ends(run)
        self.check()
        self.assertGreater(max(self.tries(run, task)), 1, "the task was tried again")

    def kill(self, pod: str) -> None:
        """Takes a pod away at once, as a node that dies does."""
        self.cluster.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=true")

    def test_convert_deleted(self) -> None:
        run, pod = self.held(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang", "convert")
        self.kill(pod)
        self.goes_on(run, "convert")


class AirflowTest(Scenario):
    """Airflow errs: it dies, forgets, is told wrong things."""

    def test_marked_by_hand(self) -> None:
        """Convert tasks marked as success without having run: load finds no receipts, the run is red, the table empty.
        Cleared, they run, and all is right."""
        [held] = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json hang times=all")
        run = self.airflow.trigger(self.dag, **MONTH, shards=2)
        self.sandbox.fired(held)
        for index in (0, 1):
            self.airflow.mark(self.dag, run, "convert", index, "success")
        self.ends(run, "failed")
        self.assertIn("chunks are not converted yet", self.airflow.text(self.dag, run, "load"))
        self.assertIn("plan 1 is not loaded", self.airflow.text(self.dag, run, "reconcile"))
        [row] = self.sandbox.sql(f"SELECT COUNT(*) AS n FROM payroll.{self.name}")
        self.assertEqual(int(row["n"]), 0)
        self.sandbox.clear()
        self.airflow.clear(self.dag, run, ["convert"])
        self.ends(run)
        self.check()


class ExitCodeTest(Scenario):
    """Each exit code as state and tries of a task, with the worker's words in its error."""

    def red(self, task: str, run: str, code: int, tries: int, says: str) -> None:
        """The task must have failed so."""
        self.ends(run, "failed")
        instance = self.airflow.tasks(self.dag, run)[(task, -1)]
        self.assertEqual((instance["state"], instance["try_number"]), ("failed", tries))
        error = self.airflow.text(self.dag, run, task, tries)
        self.assertIn(f"backfill {task} ended with exit code {code}", error)
        self.assertIn(says, error)

    def test_usage(self) -> None:
        self.red("plan", self.airflow.trigger(self.dag, **MONTH), 2, 1, "unknown key")


if __name__ == "__main__":
    unittest.main()
