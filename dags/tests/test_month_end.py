"""The month-end DAG: its shape, and who may decide what."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException, TriggerRule

from backfill_airflow import approval, month_end
from backfill_airflow.operator import FAILURE
from tests.conftest import context, rendered

BROKEN = {
    "command": "reconcile",
    "exit": 5,
    "report": "s3://lake/r/report.json",
    "sentence": "payroll.events: NOT RECONCILED",
    "error": "1 break: 2026-03-05 USD +1.00",
}
TIED = {"command": "reconcile", "exit": 0, "verdict": "RECONCILED", "report": "s3://lake/r2/report.json", "sentence": "ties"}
FOUND = {
    "breaks": {"report": BROKEN["report"], "sentence": "x"},
    "decision": {"by": "controller", "delete_extra": True},
    "verdict": TIED,
    "signed": {"by": "cfo"},
}


@pytest.fixture(scope="module")
def dag() -> Any:
    import backfill_dags

    return vars(backfill_dags)["payroll_events_month_end"]


def test_shape(dag: Any) -> None:
    edges = {t.task_id: sorted(t.downstream_task_ids) for t in dag.tasks}
    assert edges == {
        "settled": ["asked"],
        "asked": ["breaks", "reconcile"],
        "reconcile": ["breaks", "verdict"],
        "breaks": ["propose"],
        "propose": ["approve"],
        "approve": ["decision"],
        "decision": ["repair"],
        "repair": ["reconcile_again"],
        "reconcile_again": ["verdict"],
        "verdict": ["approve_sign_off"],
        "approve_sign_off": ["signed"],
        "signed": ["sign_off"],
        "sign_off": [],
    }
    rules = {t.task_id: t.trigger_rule for t in dag.tasks if t.trigger_rule != TriggerRule.ALL_SUCCESS}
    assert rules == {"breaks": TriggerRule.ALL_DONE, "verdict": TriggerRule.ALL_DONE}, "results decide there, not states of tasks"
    assert (dag.max_active_runs, dag.catchup) == (1, False)
    for name in ("approve", "decision", "verdict", "approve_sign_off", "signed"):
        assert dag.get_task(name).retries == 0, "a person is asked once"


def test_the_period_is_the_month_before(dag: Any) -> None:
    from datetime import UTC, datetime

    run = dag.timetable.infer_manual_data_interval(run_after=datetime(2026, 4, 4, tzinfo=UTC))
    assert (run.start.isoformat(), run.end.isoformat()) == ("2026-03-01T08:00:00+00:00", "2026-04-01T07:00:00+00:00")


def test_command_lines(dag: Any) -> None:
    def line(name: str) -> list[str]:
        task, _ = rendered(dag, name, FOUND, reason="March")
        return [word for word in task.arguments if not word.startswith("--dataset=")]

    assert line("propose") == ["repair", f"--report={BROKEN['report']}", "--delete-extra=true"], "all that could be done is shown"
    approved = ["--apply=true", "--delete-extra=True", "--approved-by=controller"]
    assert line("repair") == ["repair", f"--report={BROKEN['report']}", *approved, "--reason=March"]
    assert line("sign_off") == ["reconcile", f"--sign-off={TIED['report']}", "--reason=March"]
    assert line("reconcile") == line("reconcile_again")
    task, _ = rendered(dag, "sign_off", FOUND)
    assert next(v.value for v in task.env_vars if v.name == "BACKFILL_REQUESTED_BY") == "cfo", "who signs is who the worker hears of"


def test_worker_takes_the_flags(dag: Any, worker: Any) -> None:
    import subprocess

    for name in ("reconcile", "propose", "repair", "sign_off"):
        task, _ = rendered(dag, name, FOUND, reason="March")
        done = subprocess.run([worker, *task.arguments], capture_output=True, text=True, check=False, env={"BACKFILL_DATASET_TEXT": "version: 1"})
        assert "reading the flags" not in done.stderr, done.stderr
        assert "name is missing" in done.stderr, "the dataset was looked at"


def test_breaks_hands_the_report_on() -> None:
    assert month_end.to_repair(None, BROKEN)["report"] == BROKEN["report"]
    assert month_end.to_repair("s3://old/report.json", None)["report"] == "s3://old/report.json"
    for nothing in (None, TIED, {**BROKEN, "exit": 6}, {"exit": 5}, "text"):
        with pytest.raises(AirflowSkipException, match="nothing to repair"):
            month_end.to_repair(None, nothing)


def test_failed_pod_leaves_its_result(dag: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any, **__: Any) -> None:
        raise AirflowException("pod failed")

    monkeypatch.setattr(KubernetesPodOperator, "cleanup", refuses)
    task = dag.get_task("reconcile")
    made = context(dag, task)
    status = SimpleNamespace(phase="Failed", reason=None, container_statuses=[])
    pod: Any = SimpleNamespace(metadata=SimpleNamespace(name="p", namespace="n"), status=status, spec=SimpleNamespace(containers=[]))
    with pytest.raises(AirflowException, match="1 break: 2026-03-05 USD"):
        task.cleanup(pod=pod, remote_pod=pod, xcom_result=BROKEN, context=made)
    assert made["ti"].pushed[FAILURE] == BROKEN


def test_decision() -> None:
    assert month_end.decided(month_end.REPAIR, "controller", "clerk") == {"by": "controller", "delete_extra": False}
    assert month_end.decided(month_end.REPAIR_AND_DELETE, "controller", "clerk")["delete_extra"] is True
    with pytest.raises(AirflowFailException, match="clerk asked for the report and can't approve"):
        month_end.decided(month_end.REPAIR, "clerk", "clerk")
    with pytest.raises(AirflowFailException, match=r"Leave it\. Nothing was changed"):
        month_end.decided(month_end.LEAVE, "controller", "clerk")


def test_verdict_is_the_newest_that_tied_out() -> None:
    assert month_end.proof(TIED, None, [None, BROKEN])["report"] == TIED["report"]
    assert month_end.proof(None, TIED, [None, None])["verdict"] == "RECONCILED"
    for again, first in ((None, None), (BROKEN, None), ({**TIED, "exit": 6}, None), ({**TIED, "verdict": "INCOMPLETE"}, None)):
        with pytest.raises(AirflowFailException, match=r"not proven: 1 break: 2026-03-05 USD \+1.00. The report: s3://lake/r/report.json"):
            month_end.proof(again, first, [None, BROKEN])
    with pytest.raises(AirflowFailException, match="no reconciliation of the month has a result"):
        month_end.proof(None, None, [None, None])


def test_answer_names_a_person() -> None:
    if approval.BY_FORM:
        assert approval.answer(None, {"approved_by": "controller"}, "Repair") == ("Repair", "controller")
        return
    given = {"chosen_options": ["Repair"], "responded_by_user": {"id": "7", "name": "controller"}}
    assert approval.answer(given, {}, "x") == ("Repair", "controller")
    for wrong in (None, {}, {"chosen_options": ["Repair"]}, {"chosen_options": [], "responded_by_user": {"name": "a"}}):
        with pytest.raises(AirflowFailException, match="does not say who answered"):
            approval.answer(wrong, {}, "x")


def test_who_asked() -> None:
    assert month_end.asked_by(SimpleNamespace(run_id="scheduled__x", triggering_user_name=None)) == "scheduled__x"
    assert month_end.asked_by(SimpleNamespace(run_id="manual__x", triggering_user_name="clerk")) == "clerk"
