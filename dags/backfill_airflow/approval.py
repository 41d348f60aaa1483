"""Asks a person, and says who answered.

Airflow 3.1 and later wait for the answer in the run itself, and know who gave it. Older ones have no such step: there the
form's *Approved by* stands for it, which is recorded and not proven.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from airflow.providers.common.compat.sdk import AirflowFailException, task

try:
    from airflow.providers.standard.operators.hitl import HITLOperator
except Exception:  # the provider is missing, or says with an error of its own that this Airflow is too old
    HITLOperator = None  # type: ignore[assignment, misc]

BY_FORM = HITLOperator is None


def ask(task_id: str, *, subject: str, body: str, options: list[str], timeout: timedelta) -> Any:
    """Returns the answer of a task that waits for it. Nobody's answer is no approval: it fails after the timeout."""
    if HITLOperator is None:
        return _by_form(task_id, subject)
    return HITLOperator(task_id=task_id, subject=subject, body=body, options=options, response_timeout=timeout, retries=0).output


def _by_form(task_id: str, subject: str) -> Any:
    @task(task_id=task_id, retries=0)
    def answered(params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Takes the form's word for who approves."""
        by = str((params or {}).get("approved_by") or "").strip()
        if not by:
            raise AirflowFailException(
                f"{subject} Nobody has approved it. Look at the report, then start this DAG again with Approved by, "
                "and for a repair with Report to repair."
            )
        return {"approved_by": by}

    return answered()


def answer(given: Any, params: Mapping[str, Any], by_form: str) -> tuple[str, str]:
    """Returns what was chosen, and by whom; by_form is what the form's approval stands for.

    :raises AirflowFailException: nobody is known to have answered.
    """
    if BY_FORM:
        return by_form, str(params.get("approved_by") or "")
    user = given.get("responded_by_user") if isinstance(given, Mapping) else None
    name = user.get("name") or user.get("id") if isinstance(user, Mapping) else None
    chosen = given.get("chosen_options") if isinstance(given, Mapping) else None
    if not name or not chosen:
        raise AirflowFailException("Airflow does not say who answered, so that nothing is approved")
    return str(chosen[0]), str(name)
