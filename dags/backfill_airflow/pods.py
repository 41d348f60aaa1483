"""How the worker's pods look: restricted, bounded, and the same for every step."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from kubernetes.client import models as k8s

from backfill_airflow.settings import Settings

USER = 65532  # any other will do: the image has no users


def arguments(settings: Settings, step: str) -> dict[str, Any]:
    """Returns the operator's arguments that say where and within which limits a step's pod runs.

    The pod passes the restricted Pod Security Standard, the XCom sidecar included.
    First the worker ends itself, then Airflow its task, then Kubernetes the pod: a
    sidecar whose Airflow died waits for ever to be told to stop.
    """
    size = settings.resource(step)
    timeout = settings.timeout(step)
    task_timeout = timeout + settings.startup_timeout
    grace = int(settings.grace.total_seconds())
    deferrable = settings.deferrable and step != "plan"
    return {
        "image": settings.image,
        "namespace": settings.namespace,
        "kubernetes_conn_id": settings.kubernetes_conn_id,
        "in_cluster": settings.in_cluster,
        "pod_template_file": settings.pod_template_file,
        "service_account_name": settings.service_account,
        "automount_service_account_token": False,
        "env_vars": {"BACKFILL_DEADLINE": f"{int(timeout.total_seconds())}s", "BACKFILL_GRACE": f"{max(1, grace - 5)}s", **settings.env},
        "env_from": [k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=n)) for n in settings.env_from_secrets]
        + [k8s.V1EnvFromSource(config_map_ref=k8s.V1ConfigMapEnvSource(name=n)) for n in settings.env_from_config_maps],
        "container_resources": k8s.V1ResourceRequirements(
            requests={"cpu": size["cpu"], "memory": size["memory"], "ephemeral-storage": size["disk"]},
            # Whole processors: the worker takes as many threads as the limit says.
            limits={"cpu": str(_whole(size["cpu"])), "memory": size["memory"], "ephemeral-storage": size["disk"]},
        ),
        "volumes": [k8s.V1Volume(name="tmp", empty_dir=k8s.V1EmptyDirVolumeSource(size_limit=size["disk"]))],
        "volume_mounts": [k8s.V1VolumeMount(name="tmp", mount_path="/tmp")],
        "security_context": k8s.V1PodSecurityContext(
            run_as_non_root=True, run_as_user=USER, run_as_group=USER, fs_group=USER, seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault")
        ),
        "container_security_context": _restricted(),
        "xcom_sidecar_container_security_context": _restricted(),
        "termination_grace_period": grace,
        "execution_timeout": task_timeout,
        "active_deadline_seconds": int((task_timeout + timedelta(minutes=15)).total_seconds()),
        "startup_timeout_seconds": int(settings.startup_timeout.total_seconds()),
        # Of the usual 5 seconds a small step would wait half its time. A deferred one must not come
        # back within a loop of Airflow's scheduler, which takes that for a failure.
        "startup_check_interval_seconds": 10 if deferrable else 2,
        "poll_interval": 10,
        "deferrable": deferrable,
        "retries": settings.retries,
        "retry_delay": settings.retry_delay,
        "retry_exponential_backoff": True,
        "max_retry_delay": max(settings.retry_delay, timedelta(minutes=15)),
    }


def _restricted() -> k8s.V1SecurityContext:
    return k8s.V1SecurityContext(allow_privilege_escalation=False, read_only_root_filesystem=True, capabilities=k8s.V1Capabilities(drop=["ALL"]))


def _whole(cpu: str) -> int:
    return max(1, math.ceil(float(cpu[:-1]) / 1000 if cpu.endswith("m") else float(cpu)))
