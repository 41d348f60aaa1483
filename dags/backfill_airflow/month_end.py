"""Makes ``<dataset>_month_end`` from a dataset file: the tie-out that finance signs, and a repair that somebody else approves.

settled → asked → reconcile ─ ties out ──────────────────────────────────────────────┐
             │        └─ breaks → propose → approve → decision → repair → reconcile_again ─┴→ verdict → approve_sign_off → signed → sign_off
             └─ a report that was named

A break makes reconcile red at once. Without an approval nothing is repaired, and verdict stays red. Who approves is not
who asked: the decision is refused here, and by the worker. A repair acts on the very report that was approved: the worker
proves its seal, and refuses rows that changed since.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import Any

import pendulum
from airflow.providers.common.compat.sdk import DAG, AirflowFailException, AirflowSkipException, Asset, Param, TriggerRule, task
from airflow.timetables.interval import CronDataIntervalTimetable

from backfill_airflow import approval, pods, request
from backfill_airflow.dataset import Dataset
from backfill_airflow.operator import FAILURE, BackfillOperator
from backfill_airflow.outcome import BREAK, DONE
from backfill_airflow.settings import Settings

RUNBOOK = Path(__file__).with_name("month_end.md")

REPAIR, REPAIR_AND_DELETE, LEAVE = "Repair", "Repair and delete extra rows", "Leave it"
SIGN, DO_NOT_SIGN = "Sign off", "Do not sign"

REPORT = "{{ ti.xcom_pull(task_ids='breaks')['report'] }}"


def make_month_end(dataset: Dataset, settings: Settings) -> DAG:
    """Returns the dataset's month-end DAG. The dataset has windows."""
    dag = DAG(
        dag_id=f"{dataset.name}_month_end",
        description=f"Prove a month of {dataset.table}, have breaks mended with an approval, and have it signed off",
        schedule=CronDataIntervalTimetable(settings.month_end_schedule, timezone=dataset.calendar) if settings.month_end_schedule else None,
        start_date=pendulum.datetime(settings.start_date.year, settings.start_date.month, settings.start_date.day, tz=dataset.calendar),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=True,
        params=form(dataset.calendar),
        default_args={"owner": settings.owner, "retries": settings.retries, "retry_delay": settings.retry_delay},
        tags=sorted({"backfill", "month end", dataset.table, *settings.tags}),
        doc_md=_runbook(dataset, settings),
    )
    with dag:
        _steps(dataset, settings)
    return dag


def form(zone: str) -> dict[str, Param]:
    """Returns the fields of the form that starts a run by hand."""
    usual = request.form(zone, 1, False, True)
    fields = {name: usual[name] for name in ("window_start", "window_end", "reason")}
    fields["report"] = Param(
        None,
        type=["null", "string"],
        title="Report to repair",
        section="Exceptions",
        description="URI of a report whose breaks are to be mended; nothing is reconciled before.",
    )
    if not approval.BY_FORM:
        return fields
    fields["approved_by"] = Param(
        None,
        type=["null", "string"],
        title="Approved by",
        section="Exceptions",
        description="Who approves: the repair of the report named above, and the sign-off. Never who asked.",
    )
    fields["delete_extra"] = Param(
        False,
        type="boolean",
        title="Delete extra rows",
        section="Exceptions",
        description="The approved repair also deletes rows that the archive has nothing of.",
    )
    return fields


def _steps(dataset: Dataset, settings: Settings) -> None:
    whole: dict[str, Any] = {"dataset_text": dataset.text, "dataset_name": dataset.file}
    window: dict[str, Any] = {"from": request.FROM, "to": request.TO, "reason": "{{ params.reason }}"}
    table = Asset(dataset.asset_uri)

    reconcile = BackfillOperator(
        task_id="reconcile",
        command="reconcile",
        flags=window,
        outlets=[table],
        pool=settings.load_pool,
        **whole,
        **pods.arguments(settings, "reconcile"),
    )
    asked = _asked()
    breaks = _breaks()
    propose = BackfillOperator(
        task_id="propose",
        command="repair",
        flags={"report": REPORT, "delete-extra": "true"},
        pool=settings.load_pool,
        **whole,
        **pods.arguments(settings, "repair"),
    )
    approve = approval.ask(
        "approve",
        subject=f"Repair {dataset.table}?",
        body="{{ ti.xcom_pull(task_ids='breaks')['sentence'] }}\n\nThe report: {{ ti.xcom_pull(task_ids='breaks')['report'] }}\n\n"
        "A repair would, of extra rows only by the option that says so:\n\n{% for a in ti.xcom_pull(task_ids='propose')['repair'] or [] %}"
        "- {{ a['class'] }}: {{ a['does'] }} {{ a['keys'] }} keys, {{ a['rows_deleted'] }} rows deleted, "
        "{{ a['rows_inserted'] }} inserted; {{ a['money'] | join(', ') }}\n{% endfor %}",
        options=[REPAIR, REPAIR_AND_DELETE, LEAVE],
        timeout=settings.approval_timeout,
    )
    decision = _decision(approve)
    repair = BackfillOperator(
        task_id="repair",
        command="repair",
        flags={
            "report": REPORT,
            "apply": "true",
            "delete-extra": "{{ ti.xcom_pull(task_ids='decision')['delete_extra'] }}",
            "approved-by": "{{ ti.xcom_pull(task_ids='decision')['by'] }}",
            "reason": "{{ params.reason or ('month end ' ~ run_id) }}",
        },
        pool=settings.load_pool,
        **whole,
        **pods.arguments(settings, "repair"),
    )
    again = BackfillOperator(
        task_id="reconcile_again",
        command="reconcile",
        flags=window,
        outlets=[table],
        pool=settings.load_pool,
        **whole,
        **pods.arguments(settings, "reconcile"),
    )
    verdict = _verdict()
    sign = approval.ask(
        "approve_sign_off",
        subject=f"Sign {dataset.table} off?",
        body="{{ ti.xcom_pull(task_ids='verdict')['sentence'] }}\n\nThe report: {{ ti.xcom_pull(task_ids='verdict')['report'] }}",
        options=[SIGN, DO_NOT_SIGN],
        timeout=settings.approval_timeout,
    )
    signed = _signed(sign)
    arguments = pods.arguments(settings, "reconcile")
    arguments["env_vars"] = {**arguments["env_vars"], "BACKFILL_REQUESTED_BY": "{{ ti.xcom_pull(task_ids='signed')['by'] }}"}
    sign_off = BackfillOperator(
        task_id="sign_off",
        command="reconcile",
        flags={
            "sign-off": "{{ ti.xcom_pull(task_ids='verdict')['report'] }}",
            "reason": "{{ params.reason or ('month end ' ~ run_id) }}",
        },
        **whole,
        **arguments,
    )
    request.settled_sensor(dataset) >> asked >> [reconcile, breaks]
    reconcile >> breaks >> propose >> approve
    decision >> repair >> again >> verdict
    reconcile >> verdict
    verdict >> sign
    signed >> sign_off


def _asked() -> Any:
    @task.branch(task_id="asked")
    def asked(params: Mapping[str, Any] | None = None) -> str:
        """Goes to the report that the form names, or reconciles."""
        return "breaks" if (params or {}).get("report") else "reconcile"

    return asked()


def _breaks() -> Any:
    # Looks at what reconcile left, whatever its colour.
    @task(task_id="breaks", trigger_rule=TriggerRule.ALL_DONE)
    def breaks(params: Mapping[str, Any] | None = None, ti: Any = None) -> dict[str, Any]:
        """Returns the report whose breaks are to be mended; skips when there are none."""
        named = (params or {}).get("report")
        return to_repair(named, ti.xcom_pull(task_ids="reconcile", key=FAILURE))

    return breaks()


def to_repair(named: str | None, failure: Any) -> dict[str, Any]:
    """Returns the report to repair.

    :raises AirflowSkipException: there is none: reconcile tied out, or failed for another reason than breaks.
    """
    if named:
        return {"report": named, "sentence": f"The report {named} was named."}
    if not isinstance(failure, Mapping) or failure.get("exit") != BREAK or not failure.get("report"):
        raise AirflowSkipException("reconcile found no breaks: there is nothing to repair")
    return {key: failure.get(key) for key in ("report", "report_page", "sentence", "breaks", "seq")}


def _decision(answer: Any) -> Any:
    @task(task_id="decision", retries=0)
    def decision(answer: Any, params: Mapping[str, Any] | None = None, dag_run: Any = None) -> dict[str, Any]:
        """Checks the approval: an option that repairs, by somebody else than who asked."""
        chosen, by = approval.answer(answer, params or {}, REPAIR_AND_DELETE if (params or {}).get("delete_extra") else REPAIR)
        return decided(chosen, by, asked_by(dag_run))

    return decision(answer)


def asked_by(dag_run: Any) -> str:
    """Returns who started the run, as the worker is told."""
    return getattr(dag_run, "triggering_user_name", None) or dag_run.run_id


def decided(chosen: str, by: str, asked: str) -> dict[str, Any]:
    """Returns who approves what.

    :raises AirflowFailException: nobody approves, or the one who asked.
    """
    if chosen not in (REPAIR, REPAIR_AND_DELETE):
        raise AirflowFailException(f"{by} decided: {chosen}. Nothing was changed, and the table is still NOT RECONCILED.")
    if by == asked:
        raise AirflowFailException(f"{by} asked for the report and can't approve its repair: somebody else has to. Nothing was changed.")
    return {"by": by, "delete_extra": chosen == REPAIR_AND_DELETE}


def _verdict() -> Any:
    # Looks at results, not at states of tasks: those can be set by hand.
    @task(task_id="verdict", trigger_rule=TriggerRule.ALL_DONE, retries=0)
    def verdict(ti: Any = None) -> dict[str, Any]:
        """Red unless the newest reconciliation tied out."""
        failures = [ti.xcom_pull(task_ids=name, key=FAILURE) for name in ("reconcile_again", "reconcile")]
        return proof(ti.xcom_pull(task_ids="reconcile_again"), ti.xcom_pull(task_ids="reconcile"), failures)

    return verdict()


def proof(again: Any, first: Any, failures: list[Any]) -> dict[str, Any]:
    """Returns the reconciliation that tied out, the newest that there is.

    :raises AirflowFailException: none did.
    """
    for result in (again, first):
        if isinstance(result, Mapping) and result.get("exit") == DONE and str(result.get("verdict", "")).startswith("RECONCILED"):
            return {key: result.get(key) for key in ("report", "report_page", "report_number", "verdict", "sentence", "verified_through")}
    why = next((f for f in failures if isinstance(f, Mapping)), {})
    text = why.get("error") or "no reconciliation of the month has a result"
    raise AirflowFailException(f"the month is not proven: {text}. The report: {why.get('report') or 'none'}")


def _signed(answer: Any) -> Any:
    @task(task_id="signed", retries=0)
    def signed(answer: Any, params: Mapping[str, Any] | None = None, dag_run: Any = None) -> dict[str, Any]:
        """Checks the signature: by somebody else than who asked for the report."""
        chosen, by = approval.answer(answer, params or {}, SIGN)
        if chosen != SIGN:
            raise AirflowFailException(f"{by} does not sign. The report stands, the month is not closed.")
        if by == asked_by(dag_run):
            raise AirflowFailException(f"{by} asked for the report and can't sign it off: somebody else has to.")
        return {"by": by}

    return signed(answer)


def _runbook(dataset: Dataset, settings: Settings) -> str:
    return Template(RUNBOOK.read_text(encoding="utf-8")).substitute(
        dataset=dataset.name,
        dag=f"{dataset.name}_month_end",
        backfill=f"{dataset.name}_backfill",
        table=dataset.table,
        calendar=dataset.calendar,
        lateness=dataset.lateness,
        schedule=settings.month_end_schedule or "none: by hand only",
        timeout=settings.approval_timeout,
        approve="by the form: *Approved by*" if approval.BY_FORM else "in *Required Actions*",
    )
