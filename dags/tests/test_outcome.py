"""Ends of pods, through the real operator: which state and which words the task gets.

Only the cluster is played: the operator's own code builds the pod, waits, reads
XCom, cleans up and raises.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.utils.pod_manager import OnFinishAction, PodPhase
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException
from kubernetes.client import models as k8s
from kubernetes.client.rest import ApiException

from backfill_airflow.outcome import Ended, failure
from tests.conftest import PLANNED, rendered
from tests.test_rendered import Hook

DONE = {"command": "load", "exit": 0, "rows_inserted": 5}


def ended(code: int | None, reason: str = "", message: str = "", pod_reason: str | None = None) -> k8s.V1Pod:
    statuses = []
    if code is not None:
        state = k8s.V1ContainerState(
            terminated=k8s.V1ContainerStateTerminated(exit_code=code, reason=reason or ("Error" if code else "Completed"), message=message)
        )
        statuses = [k8s.V1ContainerStatus(name="base", image="i", image_id="i", ready=False, restart_count=0, state=state)]
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="backfill-load-x", namespace="backfill", labels={"try_number": "1"}),
        spec=k8s.V1PodSpec(containers=[k8s.V1Container(name="base")]),
        status=k8s.V1PodStatus(phase="Failed" if code != 0 else "Succeeded", reason=pod_reason, container_statuses=statuses),
    )


class Cluster:
    """The operator's pod manager and client, for one pod that ends in a given way."""

    def __init__(self, pod: k8s.V1Pod, result: Any, gone: bool = False, killed: Any = None) -> None:
        self.pod, self.result, self.gone, self.killed = pod, result, gone, killed
        self.deleted: list[str] = []

    def create_pod(self, pod: k8s.V1Pod) -> k8s.V1Pod:
        return pod

    async def watch_pod_events(self, *_: Any, **__: Any) -> None:
        return None

    async def await_pod_start(self, **_: Any) -> None:
        return None

    def fetch_requested_container_logs(self, **_: Any) -> list[Any]:
        if self.killed:
            self.killed()
        return []

    def await_xcom_sidecar_container_start(self, **_: Any) -> None:
        return None

    def extract_xcom(self, *_: Any, **__: Any) -> str:
        return "__airflow_xcom_result_empty__" if self.result is None else json.dumps(self.result)

    def await_pod_completion(self, *_: Any, **__: Any) -> k8s.V1Pod:
        if self.gone:
            raise ApiException(status=404)
        return self.pod

    def read_pod(self, *_: Any) -> k8s.V1Pod:
        return self.pod

    def read_pod_events(self, *_: Any) -> Any:
        return SimpleNamespace(items=[])

    def delete_pod(self, pod: k8s.V1Pod) -> None:
        self.deleted.append(pod.metadata.name)

    def list_namespaced_pod(self, **_: Any) -> Any:
        return SimpleNamespace(items=[self.pod])

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("patch_", "delete_")):
            return lambda *_, **__: None
        raise AttributeError(name)


def run(dag: Any, cluster: Cluster, task_id: str = "load", results: dict[str, Any] | None = None) -> Any:
    task, made = rendered(dag, task_id, results)
    task.__dict__.update(hook=Hook(), pod_manager=cluster, client=cluster)
    cluster.killed = cluster.killed and task.on_kill
    task.is_istio_enabled = lambda *_: False
    task.get_or_create_pod = lambda pod_request_obj, context: cluster.pod
    return task.execute(made), made


def test_done(dag: Any) -> None:
    cluster = Cluster(ended(0), DONE)
    result, _ = run(dag, cluster)
    assert result == DONE
    assert cluster.deleted == ["backfill-load-x"]


@pytest.mark.parametrize("code", [1, 2, 4, 5, 6])
def test_never_retried(dag: Any, code: int) -> None:
    failed = {"command": "load", "exit": code, "code": "rows_would_vanish", "error": "3 rows would vanish", "hint": "say --allow-vanish 3"}
    cluster = Cluster(ended(code, message="3 rows would vanish (say --allow-vanish 3)"), failed)
    with pytest.raises(AirflowFailException) as e:
        run(dag, cluster)
    assert str(e.value) == (
        f"backfill load ended with exit code {code}, rows_would_vanish: 3 rows would vanish\nWhat to do: say --allow-vanish 3\n"
        "Pod backfill-load-x. Not retried: the same command would end the same way."
    )
    assert cluster.deleted == ["backfill-load-x"], "no pod is left behind"


@pytest.mark.parametrize("code", [3, 130, 137, 143])
def test_retried(dag: Any, code: int) -> None:
    with pytest.raises(AirflowException, match=f"ended with exit code {code}") as e:
        run(dag, Cluster(ended(code), None))
    assert not isinstance(e.value, AirflowFailException)


def test_skipped(dag: Any) -> None:
    with pytest.raises(AirflowSkipException):
        run(dag, Cluster(ended(99), {"command": "load", "exit": 99}))


@pytest.mark.parametrize(
    ("pod", "says"),
    [
        (ended(137, "OOMKilled"), r"exit code 137 \(OOMKilled\)\nWhat to do: raise the memory of load"),
        (ended(1, pod_reason="Evicted"), r"exit code 1 \(Evicted\)"),
        (ended(None, pod_reason="Evicted"), "left no exit code \\(Evicted\\)"),
        (ended(128, "StartError"), r"exit code 128 \(StartError\)"),
        (ended(2, pod_reason="DeadlineExceeded"), "DeadlineExceeded"),
    ],
)
def test_what_the_cluster_ended_is_retried(dag: Any, pod: k8s.V1Pod, says: str) -> None:
    with pytest.raises(AirflowException, match=says) as e:
        run(dag, Cluster(pod, None))
    assert not isinstance(e.value, AirflowFailException)


@pytest.mark.parametrize("code", [126, 127, 134, 139])
def test_exit_code_of_nobodys_contract_is_not_retried(dag: Any, code: int) -> None:
    with pytest.raises(AirflowFailException):
        run(dag, Cluster(ended(code), None))


def test_termination_message_without_a_result(dag: Any) -> None:
    with pytest.raises(AirflowFailException, match="exit code 2: --from is missing"):
        run(dag, Cluster(ended(2, message="--from is missing"), None))


def test_deleted_pod_is_retried(dag: Any) -> None:
    with pytest.raises(AirflowException, match="left no exit code") as e:
        run(dag, Cluster(ended(None), None, gone=True))
    assert not isinstance(e.value, AirflowFailException)


@pytest.mark.parametrize("result", [None, {}, [], {"command": "plan", "exit": 0}, {"command": "load", "exit": 3}, {"status": "started"}])
def test_success_without_the_workers_word_is_none(dag: Any, result: Any) -> None:
    with pytest.raises(AirflowException, match="its result is missing") as e:
        run(dag, Cluster(ended(0), result))
    assert not isinstance(e.value, AirflowFailException)


def test_killed_task_is_no_success(dag: Any) -> None:
    with pytest.raises(AirflowException, match="was stopped before its end"):
        run(dag, Cluster(ended(143), DONE, killed=True))


@pytest.mark.parametrize("lost", [None, {}, {"exit": 4, "error": "x"}])
@pytest.mark.parametrize("task_id", ["convert", "load", "reconcile"])
def test_lost_plan_starts_no_pod(dag: Any, task_id: str, lost: Any) -> None:
    with pytest.raises(AirflowFailException, match="has no plan: the plan task failed or its result is gone"):
        run(dag, Cluster(ended(0), DONE), task_id, {"plan": lost})


@pytest.mark.parametrize("results", [{"plan": {"exit": 99}}, {"plan": PLANNED, "load": {"exit": 99}}])
def test_nothing_to_do_is_nothing_to_prove(dag: Any, results: dict[str, Any]) -> None:
    with pytest.raises(AirflowSkipException):
        run(dag, Cluster(ended(0), DONE), "reconcile", results)


def test_asset_event_tells_what_was_replaced(dag: Any) -> None:
    proven = {"command": "reconcile", "exit": 0, "verdict": "RECONCILED", "report": "s3://r", "seq": 7, "window": "[a, b)", "breaks": 0}
    _, made = run(dag, Cluster(ended(0), proven), "reconcile", {"plan": PLANNED, "load": {**DONE, "rows_deleted": 4}})
    (event,) = made["outlet_events"].values()
    assert event.extra == {"window": "[a, b)", "seq": 7, "rows_inserted": 5, "rows_deleted": 4, "verdict": "RECONCILED", "report": "s3://r"}


def test_deferred_task_that_comes_back(dag: Any) -> None:
    """The way back from the triggerer, with a pod that failed and one that is gone."""
    for pod, gone, says, kind in [
        (ended(4, message="damaged"), False, "exit code 4: damaged", AirflowFailException),
        (ended(3), False, "exit code 3", AirflowException),
        (ended(0), True, "its result is missing", AirflowException),
    ]:
        task, made = rendered(dag, "load")
        cluster = Cluster(pod, None)
        task.__dict__.update(hook=Hooked(pod, gone), pod_manager=cluster, client=cluster)
        task.is_istio_enabled = lambda *_: False
        task._write_logs = lambda *_, **__: None
        status = "success" if pod.status.phase == PodPhase.SUCCEEDED else "failed"
        with pytest.raises(AirflowException, match=says) as e:
            task.trigger_reentry(made, {"status": status, "message": "m", "name": "backfill-load-x", "namespace": "backfill"})
        assert type(e.value) is kind


def test_pod_that_ended_before_its_task_deferred(dag: Any) -> None:
    """The parent reads the result and drops it; the task has it all the same."""
    task, made = rendered(dag, "load")
    cluster = Cluster(ended(0), DONE)
    task.__dict__.update(hook=Hooked(cluster.pod, False), pod_manager=cluster, client=cluster)
    task.__dict__.update(deferrable=True, kubernetes_conn_id=None, config_file=None, is_istio_enabled=lambda *_: False)
    task.__dict__.update(get_or_create_pod=lambda pod_request_obj, context: cluster.pod, _write_logs=lambda *_, **__: None)
    made["ti"].start_date = datetime.now(UTC)
    assert task.execute(made) == DONE


class Hooked(Hook):
    def __init__(self, pod: k8s.V1Pod, gone: bool) -> None:
        self.pod, self.gone = pod, gone

    def get_pod(self, *_: Any) -> k8s.V1Pod:
        if self.gone:
            raise ApiException(status=404)
        return self.pod


def test_of_several_pods_the_newest_goes_on(dag: Any) -> None:
    old, new = ended(None), ended(None)
    old.status.start_time, new.status.start_time = (datetime(2026, 3, 1, h, tzinfo=UTC) for h in (1, 2))
    old.metadata.name, new.metadata.name = "old", "new"
    task, made = rendered(dag, "load")
    cluster = Cluster(new, None)
    cluster.list_namespaced_pod = lambda **_: SimpleNamespace(items=[old, new])  # type: ignore[method-assign]
    task.__dict__.update(hook=Hook(), pod_manager=cluster, client=cluster)
    assert task.find_pod("backfill", context=made).metadata.name == "new"
    assert cluster.deleted == ["old"]
    assert task.reattach_on_restart is True


def test_pods_that_an_earlier_try_left_are_deleted(dag: Any) -> None:
    """Marked as looked at, so that nobody comes back to them; whoever keeps pods keeps them."""
    for kept in (OnFinishAction.DELETE_POD, OnFinishAction.KEEP_POD):
        task, made = rendered(dag, "load")
        cluster = Cluster(ended(None), DONE)
        asked: list[Any] = []
        cluster.pod.metadata.name = "left"

        def listed(cluster: Cluster = cluster, asked: list[str] = asked, **query: Any) -> Any:
            asked.append(query["label_selector"])
            return SimpleNamespace(items=[cluster.pod] if "already_checked=True" in query["label_selector"] else [])

        cluster.list_namespaced_pod = listed  # type: ignore[method-assign]
        task.__dict__.update(hook=Hook(), pod_manager=cluster, client=cluster, on_finish_action=kept)
        new = ended(None)
        new.metadata.name = "new"
        assert task.get_or_create_pod(pod_request_obj=new, context=made).metadata.name == "new"
        assert cluster.deleted == (["left"] if kept == OnFinishAction.DELETE_POD else [])
        assert all("dag_id=payroll_events_backfill" in selector and "task_id=load" in selector and "run_id=" in selector for selector in asked)


def test_words_of_a_pod_that_is_gone() -> None:
    assert Ended.of(None, "base") == Ended()
    assert "left no exit code\nPod p." in str(failure("load", "p", Ended(), None))
    assert "left no exit code: Image cannot be pulled: x\n" in str(failure("load", "p", Ended(), None, ValueError("Image cannot be pulled:\nx")))
