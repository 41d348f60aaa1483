"""The DAG: it imports, its shape is what the runbook says, and a form that can't be meant is refused."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TriggerRule

from backfill_airflow import dataset, request, settings
from backfill_airflow.factory import make_dag
from backfill_airflow.operator import BackfillOperator
from backfill_airflow.settings import Settings
from tests.conftest import FOLDER, PLANNED, is_mapped


def bag() -> Any:
    try:
        from airflow.dag_processing.dagbag import DagBag
    except ImportError:
        from airflow.models.dagbag import DagBag  # type: ignore[no-redef]
    return DagBag(str(FOLDER))


def test_folder_imports() -> None:
    found = bag()
    assert found.import_errors == {}
    assert sorted(found.dags) == ["payroll_events_backfill", "payroll_events_month_end"]


def test_shape(dag: Any) -> None:
    edges = {t.task_id: sorted(t.downstream_task_ids) for t in dag.tasks}
    assert edges == {
        "settled": ["plan"],
        "plan": ["convert", "load", "reconcile", "shards"],
        "shards": ["convert"],
        "convert": ["load"],
        "load": ["reconcile"],
        "reconcile": [],
    }
    assert [t.task_id for t in dag.tasks if is_mapped(t)] == ["convert"]
    rules = {t.task_id: t.trigger_rule for t in dag.tasks}
    assert rules.pop("reconcile") == TriggerRule.ALL_DONE, "the ledger decides, not the states of tasks"
    assert set(rules.values()) == {TriggerRule.ALL_SUCCESS}


def test_schedule_is_half_open_days_of_the_calendar(dag: Any) -> None:
    # 8 March 2026 has 23 hours in Los Angeles.
    run = dag.timetable.infer_manual_data_interval(run_after=at("2026-03-09T12:00:00"))
    assert (run.start, run.end) == (at("2026-03-08T08:00:00"), at("2026-03-09T07:00:00"))
    assert dag.catchup is False
    assert dag.start_date == at("2026-01-01T08:00:00")


def test_explicit_and_safe(dag: Any) -> None:
    for t in dag.tasks:
        assert t.owner == "data-platform"
        assert t.retries == 3
        assert t.retry_delay == timedelta(minutes=1)
    for name in ("plan", "load", "reconcile"):
        t = dag.get_task(name)
        assert (t.do_xcom_push, t.log_pod_spec_on_failure, t.random_name_suffix, t.deferrable) == (True, False, True, False)
        assert t.skip_on_exit_code == [99]
        assert t.execution_timeout < timedelta(seconds=t.active_deadline_seconds)
    assert {"backfill", "payroll.events"} == set(dag.tags)
    assert dag.get_task("load").pool == "backfill_load"


def test_pools_of_the_settings_are_there_to_import(dag: Any) -> None:
    pools = json.loads((FOLDER / "pools.json").read_text())
    assert {t.pool for t in dag.tasks} <= {*pools, "default_pool"}


def test_asset_is_the_table(dag: Any) -> None:
    (asset,) = dag.get_task("reconcile").outlets
    assert asset.uri == "redshift://cluster.eu-west-1:5439/analytics.payroll.events"
    assert [t.task_id for t in dag.tasks if t.outlets] == ["reconcile"], "only what is proven is told"


def test_deferrable_is_never_the_plan() -> None:
    d: Any = make_dag(payroll(), Settings(image="x/backfill:1", deferrable=True))
    assert [d.get_task(name).deferrable for name in ("plan", "load", "reconcile")] == [False, True, True]
    assert d.get_task("convert").partial_kwargs["deferrable"] is True


def test_runbook_is_filled_in(dag: Any) -> None:
    assert "$" not in re.sub(r"\$\{?\d", "", dag.doc_md)
    for word in ("**payroll.events**", "America/Los_Angeles", "3 days", "payroll_events_backfill", "payroll.events__backfill_ledger"):
        assert word in dag.doc_md


def test_dataset_without_event_time_has_no_window(tmp_path: Path) -> None:
    file = tmp_path / "log.yaml"
    file.write_text("name: log\nrecords: {event_time: none}\ntable: {name: s.log, mode: append}\n")
    d: Any = make_dag(dataset.read(file), Settings(image="x/backfill:1", schedule=None))
    assert "window_start" not in d.params
    assert "from" not in d.get_task("plan").flags


@pytest.mark.parametrize("image", ["", "backfill", "registry:5000/backfill", "x/backfill:latest"])
def test_image_that_may_change_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match="must have a tag other than latest"):
        make_dag(payroll(), Settings(image=image))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("defalts: {}", "unknown key 'defalts'"),
        ("defaults: {shard: 3}", "unknown key 'shard'"),
        ("defaults: {shards: many}", "shards: 'many' must be a int"),
        ("defaults: {timeouts: {laod: 1h}}", "give it by step"),
        ("defaults: {retry_delay: soon}", "'soon' is no duration"),
        ("datasets: {a: {tags: x}}", "datasets.a.tags: must be a list"),
    ],
)
def test_wrong_settings(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=re.escape(says)):
        settings.read(file)


def test_settings_of_a_dataset_build_on_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("defaults: {image: 'x:1', env: {A: 1}, grace: 90s}\ndatasets: {d: {env: {B: 2}, resources: {load: {cpu: 2}}}}")
    defaults, own = settings.read(file)
    assert defaults.env == {"A": "1"}
    assert defaults.grace == timedelta(seconds=90)
    assert own["d"].env == {"A": "1", "B": "2"}
    assert own["d"].resource("load") == {"cpu": "2", "memory": "512Mi", "disk": "1Gi"}


@pytest.mark.parametrize(("text", "hours"), [("72h", 72), ("3d", 72), ("1h30m", 1.5), ("0h", 0)])
def test_duration(text: str, hours: float) -> None:
    assert dataset.duration(text, "x") == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "72", "h", "3w", "1h 30m", "-1h"])
def test_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        dataset.duration(text, "x")


ASKED = {"window_start": None, "window_end": None, "allow_vanish": 0, "reason": None, "dry_run": False, "shards": 8}


@pytest.mark.parametrize(
    ("asked", "interval", "says"),
    [
        ({"window_start": "2026-03-01"}, True, "only one end"),
        ({"window_start": "2026-03-02", "window_end": "2026-03-02"}, True, "empty or reversed"),
        ({}, False, "no period of its own"),
        ({"allow_vanish": 1, "reason": " "}, True, "only with a reason"),
    ],
)
def test_request_that_cant_be_meant(asked: dict[str, Any], interval: bool, says: str) -> None:
    with pytest.raises(AirflowFailException, match=says):
        request.check({**ASKED, **asked}, at("2026-03-02T08:00:00") if interval else None, True)


def test_request_that_can_be_meant() -> None:
    request.check({**ASKED, "window_start": "2026-03-01", "window_end": "2026-03-02"}, None, True)
    request.check({**ASKED, "allow_vanish": 1, "reason": "test rows"}, at("2026-03-02T08:00:00"), True)
    request.check(ASKED, None, False)


def test_settled() -> None:
    end, late = at("2026-03-02T08:00:00"), timedelta(hours=72)
    assert not request.settled(ASKED, end, late, end + late - timedelta(seconds=1))
    assert request.settled(ASKED, end, late, end + late)
    assert request.settled({**ASKED, "window_start": "2026-03-01"}, end, late, end), "a person's window does not wait: the worker says what it lacks"


def test_shards() -> None:
    assert request.shards({**PLANNED, "chunks": 3}, ASKED) == ["1/3", "2/3", "3/3"]
    assert len(request.shards(PLANNED, ASKED)) == 8
    assert request.shards({**PLANNED, "already_done": True}, ASKED) == ["1/1"]
    assert request.shards({**PLANNED, "chunks": 0}, ASKED) == ["1/1"]
    assert request.shards(PLANNED, {**ASKED, "dry_run": True}) == []
    for lost in (None, {}, {"exit": 4, "error": "x"}):
        with pytest.raises(AirflowFailException, match="plan task left no result"):
            request.shards(lost, ASKED)


def test_one_operator_for_every_pod(dag: Any) -> None:
    assert {t.task_id for t in dag.tasks if isinstance(t, BackfillOperator)} == {"plan", "load", "reconcile"}
    assert dag.get_task("convert").operator_class is BackfillOperator


def payroll() -> dataset.Dataset:
    return dataset.read(FOLDER / "datasets" / "payroll_events.yaml")


def at(text: str) -> datetime:
    import pendulum

    return pendulum.instance(datetime.fromisoformat(text).replace(tzinfo=UTC))
