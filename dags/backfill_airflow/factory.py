"""Makes ``<dataset>_backfill`` from a dataset file.

settled → plan → shards → convert × n → load → reconcile

Each step finds in staging and in the ledger what is done, so that any task can
be cleared and run again. Load reads receipts, and reconcile reads the ledger and
the table: a task that Airflow holds for done, and that was not, stops there.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, Asset, TriggerRule, task
from airflow.timetables.interval import CronDataIntervalTimetable

from backfill_airflow import pods, request
from backfill_airflow.dataset import Dataset
from backfill_airflow.operator import BackfillOperator
from backfill_airflow.settings import Settings

RUNBOOK = Path(__file__).with_name("runbook.md")


def make_dag(dataset: Dataset, settings: Settings) -> DAG:
    """Returns the dataset's DAG.

    :raises ValueError: the settings name no image, or one that may change under a run.
    """
    tag = settings.image.rpartition("/")[2].partition(":")[2]
    if not settings.image or tag in ("", "latest"):
        raise ValueError(f"settings of {dataset.name}: image {settings.image!r} must have a tag other than latest, or a digest")
    dag = DAG(
        dag_id=f"{dataset.name}_backfill",
        description=f"Rebuild {dataset.table} from the archive for a window of time, and prove it",
        schedule=CronDataIntervalTimetable(settings.schedule, timezone=dataset.calendar) if settings.schedule else None,
        start_date=pendulum.datetime(settings.start_date.year, settings.start_date.month, settings.start_date.day, tz=dataset.calendar),
        catchup=settings.catchup,
        max_active_runs=settings.max_active_runs,
        is_paused_upon_creation=True,
        params=request.form(dataset.calendar, settings.shards, settings.allow_empty, dataset.windows),
        default_args={"owner": settings.owner, "retries": settings.retries, "retry_delay": settings.retry_delay},
        tags=sorted({"backfill", dataset.table, *settings.tags}),
        doc_md=_runbook(dataset, settings),
    )
    with dag:
        _steps(dataset, settings)
    return dag


def _steps(dataset: Dataset, settings: Settings) -> None:
    window = {"from": request.FROM, "to": request.TO} if dataset.windows else {}
    asked = {"allow-empty": "{{ params.allow_empty }}", "reason": "{{ params.reason }}"}

    plan = BackfillOperator(
        task_id="plan",
        command="plan",
        dataset_text=dataset.text,
        dataset_name=dataset.file,
        flags={**window, **asked, "slice-days": str(settings.slice_days), "replan": "{{ params.replan }}", "preliminary": "{{ params.preliminary }}"},
        **pods.arguments(settings, "plan"),
    )
    convert = BackfillOperator.partial(
        task_id="convert",
        command="convert",
        plan=plan.output,
        pool=settings.convert_pool,
        map_index_template="shard {{ task.shard }}",
        **pods.arguments(settings, "convert"),
    ).expand(shard=_shards(plan.output))
    load = BackfillOperator(
        task_id="load",
        command="load",
        plan=plan.output,
        flags={
            **asked,
            "allow-vanish": "{{ params.allow_vanish }}",
            "preliminary": "{{ params.preliminary }}",
            "keep-replaced": str(settings.keep_replaced),
        },
        pool=settings.load_pool,
        **pods.arguments(settings, "load"),
    )
    # Runs whatever Airflow holds of the tasks before: the ledger and the table decide
    # whether the run is green.
    reconcile = BackfillOperator(
        task_id="reconcile",
        command="reconcile",
        plan=plan.output,
        after=load.output,
        trigger_rule=TriggerRule.ALL_DONE,
        outlets=[Asset(dataset.asset_uri)],
        pool=settings.load_pool,
        **pods.arguments(settings, "reconcile"),
    )
    request.settled_sensor(dataset) >> plan
    convert >> load >> reconcile


def _shards(plan: Any) -> Any:
    # An empty list ends the run here, for a dry run: all that follows is skipped.
    @task.short_circuit(task_id="shards")
    def shards(plan: Any, params: Mapping[str, Any] | None = None) -> list[str]:
        """Cuts the plan into parts, one for each pod."""
        return request.shards(plan, params or {})

    return shards(plan)


def _runbook(dataset: Dataset, settings: Settings) -> str:
    return Template(RUNBOOK.read_text(encoding="utf-8")).substitute(
        dataset=dataset.name,
        dag=f"{dataset.name}_backfill",
        file=dataset.file,
        table=dataset.table,
        mode=dataset.mode,
        calendar=dataset.calendar,
        lateness=dataset.lateness,
        schedule=settings.schedule or "none: by hand only",
        image=settings.image,
        retries=settings.retries,
    )
