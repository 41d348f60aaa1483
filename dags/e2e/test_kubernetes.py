"""The worker on a real Kubernetes, without Airflow: an Indexed Job, pods that are killed, exit codes, rights.

After every scenario the table is compared with the oracle, value by value, and no pod is left behind. ./run starts it.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import unittest
import uuid
from pathlib import Path
from typing import Any

from cluster import Cluster, ClusterError, wait_for
from sandbox import FROM, ROOT, TO, Archive, Sandbox

MANIFESTS = ROOT / "docker" / "kubernetes"
WINDOW = ("--from", FROM, "--to", TO)
CHUNKS = ("--chunk-bytes", "128KiB", "--slice-days", "11")


class World:
    """What all tests of this module share. Whatever was begun is ended, also when a later step fails."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="backfill-e2e-")
        unittest.addModuleCleanup(self.folder.cleanup)
        self.cluster = Cluster(f"backfill-e2e-{uuid.uuid4().hex[:8]}")
        self.sandbox = Sandbox(Path(self.folder.name), self.cluster.host)
        unittest.addModuleCleanup(self.sandbox.close)
        self.archive = Archive(self.sandbox, 61, 8000, "topics", "--partitions", "4", "--events-per-object", "400", "--codec", "mixed")
        unittest.addModuleCleanup(self.cluster.delete_namespace)
        self.cluster.create_namespace()
        self.cluster.kubectl("apply", "--kustomize", str(MANIFESTS / "rights"))
        self.cluster.secret("backfill", self.sandbox.environment())


world: World


def setUpModule() -> None:
    global world
    world = World()


class Scenario(unittest.TestCase):
    """One table and its dataset; the name of the test is theirs, too."""

    def setUp(self) -> None:
        self.cluster, self.sandbox, self.archive = world.cluster, world.sandbox, world.archive
        self.name = re.sub(r"\W", "_", self._testMethodName.removeprefix("test_"))
        self.config = self.name.replace("_", "-")
        self.sandbox.table(self.name)
        self.cluster.config(self.config, self.files())
        self.addCleanup(self.leave_nothing)

    def files(self) -> dict[str, str]:
        """Returns what is mounted at /etc/backfill."""
        return {"dataset.yaml": self.archive.dataset(self.name), "ca.pem": self.sandbox.authority()}

    def leave_nothing(self) -> None:
        """Deletes what the scenario made; no pod may be left behind."""
        self.sandbox.clear()
        self.cluster.kubectl("delete", "jobs,pods", "--all", "--wait=true")
        self.assertEqual(self.cluster.pods(), [])

    def start(self, *arguments: str, memory: str = "256Mi", seconds: int = 3600, **env: str) -> str:
        """Starts a pod of the worker and returns its name."""
        pod = f"{arguments[0]}-{uuid.uuid4().hex[:8]}"
        self.cluster.apply(self.cluster.worker_pod(pod, self.config, arguments, memory, env, seconds))
        return pod

    def run_pod(self, exit_code: int, *arguments: str, **options: Any) -> dict[str, Any]:
        """Runs a pod of the worker to its end and demands an exit code; returns the container's final state."""
        pod = self.start(*arguments, **options)
        final = self.cluster.ended(pod)
        self.assertEqual(final["exitCode"], exit_code, f"{final}\n{self.cluster.logs(pod)}")
        return final

    def plan(self) -> str:
        """Seals a plan and returns its URI."""
        uri: str = self.run_pod(0, "plan", *WINDOW, *CHUNKS)["message"]
        self.assertRegex(uri, r"^s3://staging/.*/plans/\d+\.json$")
        return uri

    def check(self) -> None:
        """The table is right, by the oracle; the worker's own proof says so, too."""
        self.run_pod(0, "reconcile", *WINDOW)
        self.assertEqual(self.archive.differences(self.name), "")

    def kill(self, pod: str) -> None:
        """Has the pod killed, and returns when its process has ended: a forced deletion would return before that."""
        self.cluster.kubectl("delete", "pod", pod, "--grace-period=1", "--wait=true")


class IndexedJobTest(Scenario):
    """The manifests of docker/kubernetes, applied by somebody who has no other rights."""

    def overlay(self, job: str, *patches: dict[str, Any]) -> str:
        """Writes an overlay as a user does, and returns its folder."""
        folder = Path(self.sandbox.folder) / f"{self.name}-{job}"
        folder.mkdir(exist_ok=True)
        name, _, tag = self.cluster.image.rpartition(":")
        requests = {"op": "replace", "path": "/spec/template/spec/containers/0/resources/requests", "value": {"cpu": "50m", "memory": "64Mi"}}
        pull = {"op": "add", "path": "/spec/template/spec/containers/0/imagePullPolicy", "value": "IfNotPresent"}
        kustomization = {
            "resources": [os.path.relpath(MANIFESTS / job, folder.resolve())],
            "images": [{"name": "backfill", "newName": name, "newTag": tag}],
            "patches": [{"target": {"kind": "Job"}, "patch": json.dumps([requests, pull, *patches])}],
        }
        (folder / "kustomization.yaml").write_text(json.dumps(kustomization))
        return str(folder)

    def run_job(self, job: str, *patches: dict[str, Any]) -> None:
        """Starts a job anew and waits until it is complete."""
        self.start_job(job, *patches)
        self.finish_job(job)

    def start_job(self, job: str, *patches: dict[str, Any]) -> None:
        """Starts a job anew."""
        self.cluster.kubectl("delete", "job", f"backfill-{job}", "--ignore-not-found", user="backfill-starter")
        self.cluster.kubectl("apply", "--kustomize", self.overlay(job, *patches), user="backfill-starter")

    def finish_job(self, job: str) -> None:
        """Waits until a job is complete."""
        if (end := self.cluster.job_ended(f"backfill-{job}")) != "Complete":
            pods = self.cluster.pods(f"batch.kubernetes.io/job-name=backfill-{job}")
            self.fail(f"{job}: {end}\n" + "\n".join(self.cluster.logs(p["metadata"]["name"]) for p in pods))

    def set_up_run(self) -> None:
        """Writes what the jobs read."""
        self.cluster.config("backfill-dataset", self.files())
        run = {"BACKFILL_FROM": FROM, "BACKFILL_TO": TO, "BACKFILL_CHUNK_BYTES": "128KiB", "BACKFILL_WORKERS": "1"}
        self.cluster.config("backfill-run", run)

    def plan_job(self) -> None:
        """Plans, and tells the other jobs which plan it is."""
        self.run_job("plan")
        [pod] = self.cluster.pods("batch.kubernetes.io/job-name=backfill-plan")
        uri = pod["status"]["containerStatuses"][0]["state"]["terminated"]["message"]
        patch = json.dumps({"data": {"BACKFILL_PLAN": uri}})
        self.cluster.kubectl("patch", "configmap", "backfill-run", "--type=merge", "--patch", patch, user="backfill-starter")

    def test_eight_shards(self) -> None:
        """Plan, eight shards, load, reconcile."""
        self.set_up_run()
        self.plan_job()
        self.run_job("convert")
        pods = self.cluster.pods("batch.kubernetes.io/job-name=backfill-convert")
        indexes = sorted(int(p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]) for p in pods)
        self.assertEqual(indexes, list(range(8)))
        converted = [int(re.search(r"shard \d/8: (\d+) of", self.cluster.logs(p["metadata"]["name"])).group(1)) for p in pods]  # type: ignore[union-attr]
        self.assertGreaterEqual(min(converted), 1, "every shard has work")
        self.run_job("load")
        self.check()

    def test_shards_lost(self) -> None:
        """A pod of the job is deleted, another one evicted, each while it writes a receipt: the job makes others and completes."""
        self.set_up_run()
        self.plan_job()
        # A pod has one worker, so that it can be held once: the two are of two pods.
        rules = self.sandbox.fault(f"s3 PutObject bucket=staging key={self.name}/ key=/receipt.json times=2 hang")
        self.start_job("convert")
        self.sandbox.call("fault", "wait", "--times", "2", "--timeout", "10m", *rules)
        pods = {p["metadata"]["labels"]["batch.kubernetes.io/job-completion-index"]: p["metadata"]["name"] for p in self.running("convert", 2)}
        [first, second, *_] = pods.values()
        self.cluster.kubectl("delete", "pod", first, "--grace-period=1", "--wait=false")
        self.cluster.evict(second)
        wait_for("another pod", lambda: len(self.cluster.pods("batch.kubernetes.io/job-name=backfill-convert")) >= 8 and self.gone(first, second))
        self.sandbox.clear()
        self.finish_job("convert")
        self.run_job("load")
        self.check()

    def running(self, job: str, least: int) -> list[dict[str, Any]]:
        """Returns the pods of a job that have not ended, at least so many."""

        def look() -> list[dict[str, Any]]:
            found = [p for p in self.cluster.pods(f"batch.kubernetes.io/job-name=backfill-{job}") if p["status"]["phase"] == "Running"]
            return found if len(found) >= least else []

        found: list[dict[str, Any]] = wait_for("running pods", look)
        return found

    def gone(self, *pods: str) -> bool:
        """Tells whether none of the pods runs any more."""
        names = {p["metadata"]["name"] for p in self.cluster.pods() if p["status"]["phase"] in ("Pending", "Running")}
        return names.isdisjoint(pods)

    def test_rights(self) -> None:
        """Whoever starts jobs can do that and no more; the worker can do nothing."""
        for user, verb, kind, allowed in (
            ("backfill-starter", "create", "jobs", True),
            ("backfill-starter", "get", "pods/log", True),
            ("backfill-starter", "get", "secrets", False),
            ("backfill-starter", "create", "pods", False),
            ("backfill-starter", "create", "pods/exec", False),
            ("backfill-starter", "get", "configmaps/others", False),
            ("backfill-airflow", "create", "pods/exec", True),
            ("backfill-airflow", "get", "secrets", False),
            ("backfill-airflow", "create", "jobs", False),
            ("backfill", "get", "pods", False),
            ("backfill", "get", "configmaps/backfill-run", False),
        ):
            with self.subTest(f"{user} {verb} {kind}"):
                try:
                    answer = self.cluster.kubectl("auth", "can-i", verb, kind, user=user).strip()
                except ClusterError:
                    answer = "no"
                self.assertEqual(answer, "yes" if allowed else "no")


class KilledTest(Scenario):
    """The pod dies in the middle; the same pod again makes the table right."""

    def converted(self) -> str:
        uri = self.plan()
        self.run_pod(0, "convert", "--plan", uri)
        return uri

    def killed_at(self, rule: str) -> None:
        """Kills the load pod where the rule holds it, then loads again."""
        uri = self.converted()
        [held] = self.sandbox.fault(rule)
        pod = self.start("load", "--plan", uri)
        self.sandbox.fired(held)
        self.kill(pod)
        self.sandbox.clear()
        self.run_pod(0, "load", "--plan", uri)
        self.check()

    def test_load_killed_in_copy(self) -> None:
        self.killed_at("sql COPY during hang")

    def test_load_killed_after_the_change(self) -> None:
        self.killed_at("sql INSERT text=__backfill_ledger after hang")

    def test_load_killed_right_after_commit(self) -> None:
        uri = self.converted()
        [ledger] = self.sandbox.fault("sql INSERT text=__backfill_ledger after hang")
        pod = self.start("load", "--plan", uri)
        self.sandbox.fired(ledger)
        [commit] = self.sandbox.fault("sql COMMIT after hang")
        self.sandbox.call("fault", "clear", ledger)
        self.sandbox.fired(commit)
        self.kill(pod)
        self.sandbox.clear()
        [slices] = self.sandbox.sql(f"SELECT COUNT(*) AS n FROM payroll.{self.name}__backfill_ledger")
        self.assertEqual(int(slices["n"]), 1, "the slice is committed")
        self.run_pod(0, "load", "--plan", uri)
        self.check()

    def test_convert_out_of_memory(self) -> None:
        """A pod that is told to use more than its limit is killed (137); with the limit's own figure it works."""
        uri = self.plan()
        final = self.run_pod(137, "convert", "--plan", uri, "--workers", "4", memory="24Mi", BACKFILL_MEMORY="2GiB")
        self.assertEqual(final["reason"], "OOMKilled")
        self.run_pod(0, "convert", "--plan", uri)
        self.run_pod(0, "load", "--plan", uri)
        self.check()

    def test_convert_stopped(self) -> None:
        """A pod is deleted (SIGTERM) while a chunk is under way: it ends by itself within its grace, with 143."""
        uri = self.plan()
        [held] = self.sandbox.fault("s3 PutObject key=/receipt.json nth=2 hang")
        pod = self.start("convert", "--plan", uri, "--workers", "1", "--grace", "5s")
        self.keep(pod)
        self.sandbox.fired(held)
        self.cluster.kubectl("delete", "pod", pod, "--wait=false")
        final = self.cluster.ended(pod)
        self.assertEqual(final["exitCode"], 143, self.cluster.logs(pod))
        self.assertRegex(final["message"], "^stopped by signal: terminated; work so far is kept")
        self.sandbox.clear()
        again = self.start("convert", "--plan", uri)
        self.assertEqual(self.cluster.ended(again)["exitCode"], 0)
        self.assertRegex(self.cluster.logs(again), r"[1-9]\d* were there", "what was converted is kept")
        self.run_pod(0, "load", "--plan", uri)
        self.check()

    def keep(self, pod: str) -> None:
        """Keeps a pod that is deleted until the test's end, so that its state can be seen."""
        metadata: dict[str, Any] = {"finalizers": ["backfill.example.org/look"]}
        self.cluster.kubectl("patch", "pod", pod, "--type=merge", "--patch", json.dumps({"metadata": metadata}))
        self.addCleanup(self.cluster.kubectl, "patch", "pod", pod, "--type=merge", "--patch", json.dumps({"metadata": {"finalizers": None}}))


class ExitCodeTest(Scenario):
    """Each exit code as the state of a pod, with its cause in the termination message."""

    def test_exit_codes(self) -> None:
        [held] = self.sandbox.fault("sql SELECT fail=internal times=all")
        self.ends(1, "injected fault", "plan", *WINDOW)
        self.sandbox.call("fault", "clear", held)
        self.ends(2, "empty or reversed", "plan", "--from", TO, "--to", FROM)
        self.ends(3, "run the same command again", "plan", *WINDOW, BACKFILL_WAREHOUSE_URL=f"redshift://backfill@{self.cluster.host}:9/analytics")
        empty = ("run", "--from", "2020-01-01", "--to", "2020-01-02")
        self.ends(4, "if an empty window is right, say --allow-empty", *empty)
        self.ends(99, "archive and warehouse hold nothing", *empty, "--allow-empty")
        uri = self.plan()
        self.ends(6, "chunks are not converted yet", "load", "--plan", uri)
        self.run_pod(0, "run", *WINDOW, *CHUNKS)
        self.check()
        self.sandbox.sql(
            f"UPDATE payroll.{self.name} SET gross_amount = gross_amount + 0.01 WHERE event_id = (SELECT MIN(event_id) FROM payroll.{self.name})"
        )
        self.ends(5, "NOT RECONCILED", "reconcile", *WINDOW)

    def ends(self, code: int, says: str, *arguments: str, **env: str) -> None:
        with self.subTest(code):
            self.assertIn(says, self.run_pod(code, *arguments, **env)["message"])


class StartTest(Scenario):
    """How long a pod takes until it works, and what of that is the worker's."""

    def test_start(self) -> None:
        uri = self.plan()
        [first] = self.sandbox.fault("s3 GetObject bucket=archive note")
        began = time.time()
        pod = self.start("convert", "--plan", uri, "--log-format", "json")
        self.sandbox.fired(first)
        read = time.time()
        self.assertEqual(self.cluster.ended(pod)["exitCode"], 0)
        line = next(json.loads(text) for text in self.cluster.logs(pod).splitlines() if text.startswith("{"))
        process = (
            time.mktime(time.strptime(line["timestamp"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone + float(line["timestamp"][19:].rstrip("Z") or 0)
        )
        print(
            f"pod created to process started {process - began:.2f} s, to the archive's first byte asked for {read - process:.2f} s more", flush=True
        )
        self.assertLess(read - process, 300)


if __name__ == "__main__":
    unittest.main()
