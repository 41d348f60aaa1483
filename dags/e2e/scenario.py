"""What the scenarios on a real Airflow share: the world they play in, and one DAG with its table each.

Part of the end-to-end harness in this folder. A test module makes a World, adds a dataset for each of its tests, begins,
and gives the world to Scenario.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import unittest
import uuid
from pathlib import Path
from typing import Any, ClassVar

from airflow_stack import ENDED, Airflow
from cluster import Cluster, ClusterError, wait_for
from sandbox import FROM, ROOT, TO, Archive, Sandbox

MONTH = {"window_start": FROM, "window_end": TO}
STEPS = ("plan", "convert", "load", "reconcile")
SMALL = {"cpu": "50m", "memory": "256Mi", "disk": "64Mi"}
FLAGS = ("--partitions", "4", "--events-per-object", "400", "--codec", "mixed")


class World:
    """Cluster, sandbox and Airflow of a test module. Whatever was begun is ended, also when a later step fails."""

    airflow: Airflow

    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="backfill-e2e-")
        unittest.addModuleCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.cluster = Cluster(f"backfill-e2e-{uuid.uuid4().hex[:8]}")
        self.sandbox = Sandbox(self.folder, self.cluster.host)
        unittest.addModuleCleanup(self.sandbox.close)
        self.archive = Archive(self.sandbox, 62, 8000, "topics", *FLAGS)
        unittest.addModuleCleanup(self.cluster.delete_namespace)
        self.cluster.create_namespace()
        self.cluster.kubectl("apply", "--kustomize", str(ROOT / "docker" / "kubernetes" / "rights"))
        self.cluster.secret("backfill", self.sandbox.environment())
        self.cluster.config("backfill-ca", {"ca.pem": self.sandbox.authority()})
        self._datasets = self.folder / "datasets"
        self._datasets.mkdir()
        self._own: dict[str, Any] = {}

    def dataset(self, name: str, archive: Archive | None = None, **own: Any) -> None:
        """Adds a dataset, and so a DAG, a table and a staging folder, with settings of its own."""
        self.sandbox.table(name)
        text, found = re.subn(r"(?m)^name: .*$", f"name: {name}", (archive or self.archive).dataset(name))
        if found != 1:
            raise ClusterError("the generated dataset has no single name")
        self.rewrite(name, text)
        if own:
            self._own[name] = own

    def rewrite(self, name: str, text: str) -> None:
        """Writes a dataset file, as somebody would into dags/datasets."""
        (self._datasets / f"{name}.yaml").write_text(text)

    def text(self, name: str) -> str:
        """Returns a dataset file."""
        return (self._datasets / f"{name}.yaml").read_text()

    def begin(self) -> None:
        """Starts Airflow, once all datasets are there."""
        environment = {
            "BACKFILL_SETTINGS": str(self.write_settings()),
            "BACKFILL_DATASETS": str(self._datasets),
            "KUBECONFIG": str(self._kubeconfig()),
            # The sidecar's image is set where a site with a registry of its own sets it.
            "AIRFLOW_CONN_KUBERNETES_DEFAULT": json.dumps(
                {"conn_type": "kubernetes", "extra": {"xcom_sidecar_container_image": os.environ.get("E2E_SIDECAR", "alpine:3")}}
            ),
        }
        (self.folder / "airflow").mkdir()
        self.airflow = Airflow(self.folder / "airflow", environment)
        unittest.addModuleCleanup(self.airflow.close)

    def usual(self, name: str) -> None:
        """Takes a dataset's own settings back, as somebody who has learnt better."""
        del self._own[name]
        self.write_settings()

    def write_settings(self) -> Path:
        """Writes the settings: small pods, quick retries, and the sandbox's certificate by a pod template."""
        template = self.folder / "pod.yaml"
        mount = {"name": "ca", "mountPath": "/etc/backfill", "readOnly": True}
        spec = {"containers": [{"name": "base", "volumeMounts": [mount]}], "volumes": [{"name": "ca", "configMap": {"name": "backfill-ca"}}]}
        template.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "template"}, "spec": spec}))
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
            "resources": dict.fromkeys(STEPS, SMALL),
        }
        file = self.folder / "settings.yaml"
        file.write_text(json.dumps({"defaults": defaults, "datasets": self._own}))
        return file

    def _kubeconfig(self) -> Path:
        """Writes a kubeconfig with the rights of docker/kubernetes/rights/airflow.yaml, and no others."""
        token = self.cluster.kubectl("create", "token", "backfill-airflow", "--duration", "4h").strip()
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "--flatten", "--minify", "--output", "json"))
        config["users"] = [{"name": "airflow", "user": {"token": token}}]
        config["contexts"][0]["context"].update(user="airflow", namespace=self.cluster.namespace)
        file = self.folder / "kubeconfig"
        file.write_text(json.dumps(config))
        return file


class Scenario(unittest.TestCase):
    """One DAG and its table; test_NAME plays the dataset NAME."""

    world: ClassVar[World]

    def setUp(self) -> None:
        self.cluster, self.sandbox, self.archive, self.airflow = self.world.cluster, self.world.sandbox, self.world.archive, self.world.airflow
        self.name = self._testMethodName.removeprefix("test_")
        self.dag = f"{self.name}_backfill"
        self.table = f"payroll.{self.name}"
        self.addCleanup(self.leave_nothing)
        self.airflow.unpause(self.dag)

    def leave_nothing(self) -> None:
        """No pod may be left behind, whatever happened."""
        self.sandbox.clear()
        self.airflow.give_up(self.dag)
        try:
            wait_for("the end of all pods", lambda: not self.cluster.pods(), 180)
        except ClusterError:
            left = [p["metadata"]["name"] for p in self.cluster.pods()]
            self.cluster.kubectl("delete", "pods", "--all", "--wait=true")  # the next scenario's are its own
            self.fail(f"left behind: {left}")

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

    def fired(self, rule: str, run: str) -> None:
        """Waits until the rule has fired; that a run ends before is a failure."""

        def look() -> bool:
            if any(r["fired"] for r in self.sandbox.rules() if r["id"] == int(rule)):
                return True
            if (state := self.airflow.state(self.dag, run)) in ENDED:
                self.fail(f"{state} before rule {rule} fired\n{self.story(run)}")
            return False

        wait_for(f"rule {rule}", look)

    def kill(self, pod: str) -> None:
        """Has a pod killed, and returns when its processes have ended: a forced deletion would return before that."""
        self.cluster.kubectl("delete", "pod", pod, "--grace-period=1", "--wait=true")

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

    def count(self, table: str) -> int:
        """Returns how many rows a table has."""
        [row] = self.sandbox.sql(f"SELECT COUNT(*) AS n FROM {table}")
        return int(row["n"])

    def tries(self, run: str, task: str) -> list[int]:
        """Returns how often a task was tried, for each map index."""
        return [t["try_number"] for (name, _), t in self.airflow.tasks(self.dag, run).items() if name == task]

    def red(self, task: str, run: str, code: int, tries: int, says: str) -> None:
        """The task must have failed after so many tries, with the worker's words in its error."""
        self.ends(run, "failed")
        [(index, instance)] = [(index, t) for (name, index), t in self.airflow.tasks(self.dag, run).items() if name == task]
        self.assertEqual((instance["state"], instance["try_number"]), ("failed", tries), self.story(run))
        error = self.airflow.text(self.dag, run, task, tries, index)
        self.assertIn(f"backfill {task} ended with exit code {code}", error)
        self.assertIn(says, error)
