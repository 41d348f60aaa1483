"""What a person or a schedule asks of a DAG run, checked before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, Param, task

from backfill_airflow.dataset import Dataset

# Where a run's window comes from: the form, or else the run's data interval. A run by hand
# may have neither; then the flag is empty and the worker says that it is missing.
FROM = "{% set at = data_interval_start | default(none) %}{{ params.window_start or (at | ts if at else '') }}"
TO = "{% set at = data_interval_end | default(none) %}{{ params.window_end or (at | ts if at else '') }}"


def form(zone: str, shards: int, allow_empty: bool, windows: bool) -> dict[str, Param]:
    """Returns the fields of the form that starts a run by hand."""
    day: dict[str, Any] = {"type": ["null", "string"], "format": "date"}
    window = {
        "window_start": Param(
            None, title="From", description=f"First day, inclusive: it begins at midnight in {zone}. Empty: the run's own period.", **day
        ),
        "window_end": Param(None, title="To", description="Day after the last one: it is not part of the window.", **day),
    }
    return (window if windows else {}) | {
        "dry_run": Param(
            False,
            type="boolean",
            title="Dry run",
            description="Plan only: shows what would be read and which rows would be replaced. Nothing is converted, no row changes.",
        ),
        "shards": Param(shards, type="integer", minimum=1, maximum=1000, title="Shards", description="Pods that convert in parallel."),
        "allow_empty": Param(
            allow_empty,
            type="boolean",
            title="Allow an empty window",
            description="No records are no error; the run is skipped if the table has none either.",
        ),
        "allow_vanish": Param(
            0,
            type="integer",
            minimum=0,
            title="Rows that may vanish",
            description="Rows of the table that no archived record explains. The load stops before it drops more than this. Needs a reason.",
            section="Exceptions",
        ),
        "preliminary": Param(
            False,
            type="boolean",
            title="Preliminary",
            description="Load before late records have come: rows are only added, and the run ends as INCOMPLETE.",
            section="Exceptions",
        ),
        "replan": Param(
            False,
            type="boolean",
            title="Plan anew",
            description="Seal a new plan from what the archive holds now, although one stands.",
            section="Exceptions",
        ),
        "reason": Param(
            None, type=["null", "string"], title="Reason", description="Why: it stands in the ledger and in the report.", section="Exceptions"
        ),
    }


def check(params: Mapping[str, Any], interval_end: datetime | None, windows: bool) -> None:
    """Refuses a request that can't be meant.

    :raises AirflowFailException: with what is wrong and what to do.
    """
    start, end = params.get("window_start"), params.get("window_end")
    if (start is None) != (end is None):
        raise AirflowFailException("the window has only one end: give both From and To, or neither for the run's own period")
    if start is not None and start >= end:
        raise AirflowFailException(f"the window {start} to {end} is empty or reversed: To is the day after the last one")
    if windows and start is None and interval_end is None and not params.get("report"):
        raise AirflowFailException("this run has no period of its own (it was started without a logical date): give From and To")
    if params.get("allow_vanish", 0) > 0 and not (params.get("reason") or "").strip():
        raise AirflowFailException("rows may vanish only with a reason: say why, it stands in the ledger")


def settled_sensor(dataset: Dataset) -> Any:
    """Returns the task that checks the request, and waits until the run's own period is settled."""

    @task.sensor(task_id="settled", mode="reschedule", poke_interval=300, timeout=(dataset.lateness + timedelta(days=7)).total_seconds())
    def wait(params: Mapping[str, Any] | None = None, data_interval_end: datetime | None = None) -> bool:
        """Checks the request, and waits until no late record can come to the run's period."""
        asked = params or {}
        check(asked, data_interval_end, dataset.windows)
        return settled(asked, data_interval_end, dataset.lateness if dataset.windows else timedelta(0), datetime.now(UTC))

    return wait()


def settled(params: Mapping[str, Any], interval_end: datetime | None, lateness: timedelta, now: datetime) -> bool:
    """Reports whether late records can no longer come. Only the run's own period is
    waited for: for a window that a person named, the worker says what it lacks.
    """
    return params.get("window_start") is not None or interval_end is None or now >= interval_end + lateness


def shards(plan: Any, params: Mapping[str, Any]) -> list[str]:
    """Cuts the plan into parts to convert, ``i/n``; none for a dry run.

    :raises AirflowFailException: the plan's result is gone.
    """
    if not isinstance(plan, Mapping) or not plan.get("plan"):
        raise AirflowFailException("the plan task left no result: clear it with its downstream tasks, it finds the plan that it sealed")
    if params["dry_run"]:
        return []
    n = 1 if plan.get("already_done") else max(1, min(params["shards"], plan.get("chunks", 1)))
    return [f"{i}/{n}" for i in range(1, n + 1)]
