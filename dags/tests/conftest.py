"""One Airflow home for the tests, made before Airflow is imported, and a run's context by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

_home = tempfile.TemporaryDirectory(prefix="backfill-dags-")
os.environ.update(
    AIRFLOW_HOME=_home.name,
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
    AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{_home.name}/airflow.db",
)

FOLDER = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).parent / "golden"

PLANNED = {"command": "plan", "exit": 0, "plan": "s3://lake/targets/t/plans/000000000007.json", "chunks": 40, "seq": 7, "run": "r-1"}


class TaskInstance(SimpleNamespace):
    """What templates and XCom arguments ask of a task instance."""

    def xcom_pull(self, task_ids: Any = None, **_: Any) -> Any:
        name = task_ids if isinstance(task_ids, str) else next(iter(task_ids))
        return self.results.get(name)

    def xcom_push(self, key: str, value: Any, **_: Any) -> None:
        self.pushed[key] = value

    def get_relevant_upstream_map_indexes(self, *_: Any, **__: Any) -> None:
        return None


@pytest.fixture(scope="session")
def dag() -> Any:
    import backfill_dags

    return vars(backfill_dags)["payroll_events_backfill"]


@pytest.fixture(scope="session")
def worker() -> Path:
    """The worker of this source tree."""
    program = Path(_home.name) / "backfill"
    go = os.environ.get("GO", "go")
    if shutil.which(go) is None:
        pytest.skip("no Go compiler, so the worker's flags are not looked at")
    environment = {**os.environ, "CGO_ENABLED": "0"}
    subprocess.run([go, "build", "-o", program, "./cmd/backfill"], cwd=FOLDER.parent, env=environment, check=True)
    return program


def context(dag: Any, task: Any, results: dict[str, Any] | None = None, interval: bool = True, **params: Any) -> Any:
    """Returns the context of a try of the task, in a run that was scheduled or started by hand."""
    ti = TaskInstance(
        dag_id=dag.dag_id,
        task_id=task.task_id,
        run_id="manual__2026-04-02T03:00:00+00:00",
        map_index=-1,
        try_number=2,
        results=results or {},
        pushed={},
        _upstream_map_indexes={},
    )
    values = {
        "dag": dag,
        "task": task,
        "ti": ti,
        "task_instance": ti,
        "run_id": ti.run_id,
        "dag_run": SimpleNamespace(run_id=ti.run_id, triggering_user_name=None),
        "params": {**dag.params.dump(), **params},
        "outlet_events": {asset: SimpleNamespace(extra={}) for asset in task.outlets},
        "expanded_ti_count": None,
    }
    if interval:  # 1 March 2026, a day of Los Angeles
        values["data_interval_start"] = datetime(2026, 3, 1, 8, tzinfo=UTC)
        values["data_interval_end"] = datetime(2026, 3, 2, 8, tzinfo=UTC)
    return values


def is_mapped(task: Any) -> bool:
    return hasattr(task, "partial_kwargs")


def rendered(dag: Any, task_id: str, results: dict[str, Any] | None = None, shard: str = "3/8", **kwargs: Any) -> tuple[Any, Any]:
    """Returns the task with its templates rendered, and its context; a mapped task for one shard."""
    task = dag.get_task(task_id)
    task = task.unmap({"shard": shard}) if is_mapped(task) else copy(task)
    made = context(dag, task, {"plan": PLANNED} if results is None else results, **kwargs)
    task.render_template_fields(made)
    return task, made
