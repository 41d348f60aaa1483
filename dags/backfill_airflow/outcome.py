"""What the end of a worker's pod means to Airflow: done, skip, retry, or fail at once.

The exit codes are the worker's contract. What Kubernetes ended is retried: the
same command finds its own work and goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

DONE = 0
BREAK = 5
NOTHING_TO_DO = 99
# 3: the environment failed. 130, 143: stopped by a signal. 137: killed, for memory or with the node.
RETRYABLE = frozenset({3, 130, 137, 143})
# Kubernetes' reasons for an end that was the worker's own, or tells no more than the exit code.
BY_WORKER = frozenset({"", "Completed", "Error", "OOMKilled"})


@dataclass(frozen=True)
class Ended:
    """How the base container of a pod ended."""

    code: int | None = None  # None: it left no exit code, as when the pod was deleted or evicted
    reason: str = ""  # Kubernetes' own word: OOMKilled, Evicted, …
    message: str = ""  # the termination message: the worker's cause in one sentence

    @classmethod
    def of(cls, pod: Any, container: str) -> Ended:
        """Reads a V1Pod; a pod that is None or has no such container has left nothing."""
        status = getattr(pod, "status", None)
        evicted = getattr(status, "reason", None) or ""
        for one in getattr(status, "container_statuses", None) or []:
            ended = getattr(one.state, "terminated", None) if one.name == container and one.state else None
            if ended:
                return cls(ended.exit_code, evicted or ended.reason or "", ended.message or "")
        return cls(None, evicted, getattr(status, "message", None) or "")

    @property
    def retryable(self) -> bool:
        """Whether the same command may succeed without any change. With any other
        reason (Evicted, DeadlineExceeded, StartError, …) the cluster ended the pod.
        """
        return self.code is None or self.code in RETRYABLE or self.reason not in BY_WORKER


def failure(command: str, pod: str, ended: Ended, result: Any, before: BaseException | None = None) -> AirflowException:
    """Returns the task's error: what happened, why, and what to do next. Before is what
    the operator met while it waited, such as an image that can't be pulled.
    """
    facts: Mapping[str, Any] = result if isinstance(result, Mapping) and result.get("error") else {}
    what = "left no exit code" if ended.code is None else f"ended with exit code {ended.code}"
    if ended.reason not in BY_WORKER or ended.reason == "OOMKilled":
        what += f" ({ended.reason})"
    text = f"backfill {command} {what}"
    cause = facts.get("error") or ended.message.strip() or (" ".join(str(before).split()) if before and ended.code is None else "")
    if cause:
        text += f", {facts['code']}: {cause}" if facts.get("code") else f": {cause}"
    if facts.get("hint"):
        text += f"\nWhat to do: {facts['hint']}"
    elif ended.reason == "OOMKilled":
        text += f"\nWhat to do: raise the memory of {command} in settings.yaml; a retry keeps the chunks that are done"
    text += f"\nPod {pod}."
    if ended.retryable:
        return AirflowException(f"{text} Retried if tries are left: work so far is kept.")
    return AirflowFailException(f"{text} Not retried: the same command would end the same way.")
