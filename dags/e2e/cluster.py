"""A namespace of a real Kubernetes, as tests see it: kubectl and nothing else.

Part of the end-to-end harness in this folder. It is plain Python with the standard library, so that both tests without
Airflow and those that run Airflow can use it. Its environment comes from ./run: KUBECONFIG, E2E_KUBECTL (default
kubectl), E2E_IMAGE and E2E_HOST.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

Object = dict[str, Any]

# Nobody waits longer for anything here; a slow, loaded machine is no failure.
PATIENCE = 600.0


class ClusterError(Exception):
    """A kubectl that failed, or something that did not come."""


def wait_for(what: str, look: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Looks again and again until look gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > end:
            raise ClusterError(f"waited {seconds:.0f} s for {what}")
        time.sleep(0.2)


class Cluster:
    """One namespace, made for a test run and deleted with everything in it."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.image = os.environ["E2E_IMAGE"]
        self.host = os.environ["E2E_HOST"]
        self._kubectl = shlex.split(os.environ.get("E2E_KUBECTL", "kubectl"))

    def kubectl(self, *arguments: str, stdin: str | None = None, user: str | None = None) -> str:
        """Runs kubectl in the namespace; user is a service account of it to act as."""
        command = [*self._kubectl, "--namespace", self.namespace]
        if user:
            command += ["--as", f"system:serviceaccount:{self.namespace}:{user}"]
        done = subprocess.run([*command, *arguments], input=stdin, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, *arguments: str) -> Any:
        """Returns objects as kubectl gives them."""
        return json.loads(self.kubectl("get", *arguments, "--output", "json"))

    def apply(self, *objects: Object, user: str | None = None) -> None:
        """Creates or changes objects."""
        self.kubectl("apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), user=user)

    def create_namespace(self) -> None:
        """Creates the namespace, in which the API server refuses pods that are not restricted, and waits until pods may come."""
        self.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": self.namespace, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
            }
        )
        wait_for("the default service account", lambda: self.kubectl("get", "serviceaccount", "default", "--ignore-not-found"))

    def delete_namespace(self) -> None:
        """Deletes the namespace and does not wait for its end."""
        self.kubectl("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")

    def secret(self, name: str, values: Mapping[str, str]) -> None:
        """Makes a secret of texts."""
        self.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": dict(values)})

    def config(self, name: str, values: Mapping[str, str]) -> None:
        """Makes a ConfigMap of texts."""
        self.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(values)})

    def pods(self, selector: str = "") -> list[Object]:
        """Returns the pods with these labels."""
        items: list[Object] = self.get("pods", "--selector", selector)["items"]
        return items

    def pod(self, name: str) -> Object:
        """Returns a pod."""
        found: Object = self.get("pod", name)
        return found

    def logs(self, pod: str) -> str:
        """Returns what a pod has written so far."""
        return self.kubectl("logs", pod)

    def ended(self, name: str) -> Object:
        """Waits until the pod's container has ended, and returns its final state: exitCode, reason, message, times."""

        def look() -> Object | None:
            for status in self.pod(name).get("status", {}).get("containerStatuses", []):
                if "terminated" in status.get("state", {}):
                    final: Object = status["state"]["terminated"]
                    return final
            return None

        final: Object = wait_for(f"the end of pod {name}", look)
        return final

    def job_ended(self, name: str) -> str:
        """Waits for the job's end: Complete, or Failed with its reason."""

        def look() -> str:
            for condition in self.get("job", name).get("status", {}).get("conditions", []):
                if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
                    return " ".join(filter(None, (condition["type"], condition.get("reason") if condition["type"] == "Failed" else "")))
            return ""

        text: str = wait_for(f"the end of job {name}", look)
        return text

    def evict(self, pod: str, grace: int = 5) -> None:
        """Evicts a pod as a node drain does, with so many seconds of grace."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": pod, "namespace": self.namespace},
            "deleteOptions": {"gracePeriodSeconds": grace},
        }
        self.kubectl("create", "--raw", f"/api/v1/namespaces/{self.namespace}/pods/{pod}/eviction", "--filename", "-", stdin=json.dumps(body))

    def worker_pod(
        self, name: str, dataset: str, arguments: Sequence[str], memory: str = "256Mi", env: Mapping[str, str] | None = None, seconds: int = 3600
    ) -> Object:
        """Returns a pod of the worker as a scheduler would write it: restricted, any user, nothing writable but the result's
        folder. The dataset file comes from the ConfigMap named dataset; after seconds the kubelet ends the pod."""
        variables = {"BACKFILL_DATASET": "/etc/backfill/dataset.yaml", **(env or {})}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "activeDeadlineSeconds": seconds,
                "securityContext": {"runAsNonRoot": True, "runAsUser": 12345, "fsGroup": 12345, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [
                    {
                        "name": "base",
                        "image": self.image,
                        "imagePullPolicy": "IfNotPresent",
                        "args": list(arguments),
                        "env": [{"name": key, "value": value} for key, value in variables.items()],
                        "envFrom": [{"secretRef": {"name": "backfill"}}],
                        "resources": {"requests": {"cpu": "50m", "memory": "16Mi"}, "limits": {"memory": memory, "ephemeral-storage": "16Mi"}},
                        "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}},
                        "volumeMounts": [
                            {"name": "xcom", "mountPath": "/airflow/xcom"},
                            {"name": "dataset", "mountPath": "/etc/backfill", "readOnly": True},
                        ],
                    }
                ],
                "volumes": [
                    {"name": "xcom", "emptyDir": {}},
                    {"name": "dataset", "configMap": {"name": dataset}},
                ],
            },
        }
