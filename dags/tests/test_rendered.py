"""What the pods get: command lines and specifications, the same on every line of Airflow."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient
from kubernetes.client import models as k8s

from tests.conftest import FOLDER, GOLDEN, PLANNED, rendered

PLAN = "--plan=s3://lake/targets/t/plans/000000000007.json"


class Hook:
    """The settings that the operator asks of its connection."""

    is_in_cluster = False

    def get_xcom_sidecar_container_image(self) -> None:
        return None

    get_xcom_sidecar_container_resources = get_xcom_sidecar_container_security_context = get_xcom_sidecar_container_image


@pytest.mark.parametrize(
    ("task_id", "want"),
    [
        (
            "plan",
            [
                "plan",
                "--dataset=datasets/payroll_events.yaml",
                "--from=2026-03-01T08:00:00+00:00",
                "--to=2026-03-02T08:00:00+00:00",
                "--allow-empty=False",
                "--reason=None",
                "--slice-days=7",
                "--replan=False",
                "--preliminary=False",
            ],
        ),
        ("convert", ["convert", PLAN, "--shard=3/8"]),
        ("load", ["load", PLAN, "--allow-empty=False", "--reason=None", "--allow-vanish=0", "--preliminary=False", "--keep-replaced=True"]),
        ("reconcile", ["reconcile", PLAN]),
    ],
)
def test_scheduled(dag: Any, task_id: str, want: list[str]) -> None:
    assert rendered(dag, task_id)[0].arguments == want


@pytest.mark.parametrize("task_id", ["plan", "convert", "load", "reconcile"])
def test_worker_knows_the_flags(dag: Any, worker: Path, tmp_path: Path, task_id: str) -> None:
    """The worker itself reads the command line and the variables, and stops later: nothing of this test's is there."""
    task, _ = rendered(dag, task_id)
    variables = {v.name: v.value for v in task.env_vars}
    result = tmp_path / "return.json"
    arguments = [a.replace("s3://lake", "file:///nowhere") for a in task.arguments]
    done = subprocess.run(
        [worker, *arguments, f"--xcom-file={result}"],
        env={**variables, "BACKFILL_DATASET_TEXT": "version: 1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 2, done.stderr
    found = json.loads(result.read_text())
    assert found["command"] == task_id
    assert found["code"] == ("bad_dataset" if task_id == "plan" else "input_missing"), found
    assert "reading the flags" not in found["error"]


def test_form_wins_over_the_period(dag: Any) -> None:
    task, _ = rendered(dag, "plan", window_start="2026-03-01", window_end="2026-04-01", reason="it's {{ odd }}", replan=True)
    assert {"--from=2026-03-01", "--to=2026-04-01", "--reason=it's {{ odd }}", "--replan=True"} <= set(task.arguments)


def test_run_without_a_period(dag: Any) -> None:
    task, _ = rendered(dag, "plan", interval=False)
    assert {"--from=", "--to="} <= set(task.arguments), "the worker says that the window is missing"


def test_true_ids(dag: Any) -> None:
    task, made = rendered(dag, "convert")
    values = {v.name: v.value for v in task.env_vars}
    assert values == {
        "BACKFILL_DEADLINE": "21600s",
        "BACKFILL_GRACE": "115s",
        "BACKFILL_AIRFLOW_DAG_ID": "payroll_events_backfill",
        "BACKFILL_AIRFLOW_TASK_ID": "convert",
        "BACKFILL_AIRFLOW_RUN_ID": made["run_id"],
        "BACKFILL_AIRFLOW_MAP_INDEX": "-1",
        "BACKFILL_AIRFLOW_TRY_NUMBER": "2",
        "BACKFILL_REQUESTED_BY": made["run_id"],
    }


def test_who_asked(dag: Any) -> None:
    task = dag.get_task("plan")
    from tests.conftest import context

    made = context(dag, task)
    made["dag_run"].triggering_user_name = "ana"
    assert task.render_template(task.env_vars["BACKFILL_REQUESTED_BY"], made) == "ana"


def test_dataset_goes_to_the_pod_byte_for_byte(dag: Any) -> None:
    text = (FOLDER / "datasets" / "payroll_events.yaml").read_text()
    task, made = rendered(dag, "plan")
    task.dataset_text = text + "# {{ not a template }}\n"
    assert env(pod(task, made))["BACKFILL_DATASET_TEXT"] == text + "# {{ not a template }}\n"


def test_disk_of_the_site_wins(dag: Any) -> None:
    task, made = rendered(dag, "reconcile")
    task.env_vars = [*task.env_vars, k8s.V1EnvVar(name="BACKFILL_DISK", value="7GiB")]
    variables = pod(task, made)["spec"]["containers"][0]["env"]
    assert [v for v in variables if v["name"] == "BACKFILL_DISK"] == [{"name": "BACKFILL_DISK", "value": "7GiB"}]


@pytest.mark.parametrize("task_id", ["plan", "convert", "load", "reconcile"])
def test_pod(dag: Any, task_id: str) -> None:
    """The whole specification. Written anew with BACKFILL_UPDATE_GOLDEN=1."""
    task, made = rendered(dag, task_id)
    found = pod(task, made)
    name = found["metadata"].pop("name")
    assert name.startswith(f"backfill-{task_id}-")
    assert found["metadata"]["labels"].pop("airflow_version")
    for variable in found["spec"]["containers"][0]["env"]:
        if variable["name"] == "BACKFILL_DATASET_TEXT":
            variable["value"] = "(the file)"
    text = json.dumps(found, indent=1, sort_keys=True) + "\n"
    golden = GOLDEN / f"{task_id}.json"
    if os.environ.get("BACKFILL_UPDATE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


@pytest.mark.parametrize("task_id", ["plan", "convert", "load", "reconcile"])
def test_pod_passes_the_restricted_standard(dag: Any, task_id: str) -> None:
    spec = pod(*rendered(dag, task_id))["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert not [v for v in spec["volumes"] if set(v) - {"name", "emptyDir"}]
    assert [c["name"] for c in spec["containers"]] == ["base", "airflow-xcom-sidecar"]
    for container in spec["containers"]:
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert context["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("lost", [{"plan": None}, {"plan": {"exit": 4, "error": "x"}}])
def test_templates_render_without_a_plan(dag: Any, lost: dict[str, Any]) -> None:
    for task_id in ("convert", "load", "reconcile"):
        task, _ = rendered(dag, task_id, lost)
        assert task.arguments[0] == task_id
    assert PLANNED["plan"] not in task.arguments


def pod(task: Any, made: Any) -> Any:
    task.__dict__["hook"] = Hook()
    return ApiClient().sanitize_for_serialization(task.build_pod_request_obj(made))


def env(found: Any) -> dict[str, str]:
    return {v["name"]: v.get("value", "") for v in found["spec"]["containers"][0]["env"]}
