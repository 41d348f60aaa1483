"""BackfillOperator runs one command of the worker in a pod.

It is KubernetesPodOperator with the worker's contract: exit codes decide on
retries, the result file is XCom and must be there, and the command line is made
of named flags. Everything else is the parent's, and can be set as there.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.utils.pod_manager import OnFinishAction
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException
from kubernetes.client import models as k8s

from backfill_airflow.outcome import DONE, NOTHING_TO_DO, Ended, failure

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

# The operator's labels hold mangled ids; the worker's log, ledger and report need the true ones.
IDS = {
    "BACKFILL_AIRFLOW_DAG_ID": "{{ dag.dag_id }}",
    "BACKFILL_AIRFLOW_TASK_ID": "{{ task.task_id }}",
    "BACKFILL_AIRFLOW_RUN_ID": "{{ run_id }}",
    "BACKFILL_AIRFLOW_MAP_INDEX": "{{ ti.map_index }}",
    "BACKFILL_AIRFLOW_TRY_NUMBER": "{{ ti.try_number }}",
    "BACKFILL_REQUESTED_BY": "{{ dag_run.triggering_user_name | default(none) or run_id }}",
}

DISK = "ephemeral-storage"

FAILURE = "failure"  # key of the XCom that keeps the result of a pod that failed

# Keys of a result that go with the asset event: what was replaced, and the proof.
FACTS = (
    "window",
    "target",
    "run",
    "seq",
    "plan",
    "records_read",
    "rows_inserted",
    "rows_deleted",
    "preliminary",
    "verdict",
    "report",
    "verified_through",
    "version",
)


class BackfillOperator(KubernetesPodOperator):
    """Runs ``backfill COMMAND`` and returns its result.

    :param command: the worker's command: plan, convert, load, reconcile, status, …
    :param flags: its flags without dashes, ``{"from": "2026-03-01"}``; a value that renders
        as empty or None leaves the flag unset. (templated)
    :param plan: the result of the plan step, a dict with ``plan``, the plan's URI. (templated)
    :param after: the result of the step before, if that may end with nothing to do. (templated)
    :param shard: ``i/n``, the part of the plan that this pod converts. (templated)
    :param dataset_text: bytes of the dataset file, which the pod gets instead of a file.
    :param dataset_name: what the worker calls them in messages.

    Set explicitly for every pod, and open to change as any argument of the parent:
    XCom is on, exit code 99 skips, the pod's specification stays out of task logs,
    events of a failed pod go into them, and names have a random suffix.
    """

    template_fields = (*KubernetesPodOperator.template_fields, "flags", "plan", "after", "shard")
    ui_color = "#e8f1ea"

    def __init__(
        self,
        *,
        command: str,
        flags: dict[str, Any] | None = None,
        plan: Any = None,
        after: Any = None,
        shard: str | None = None,
        dataset_text: str | None = None,
        dataset_name: str = "dataset",
        env_vars: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("name", f"backfill-{command}")
        kwargs.setdefault("do_xcom_push", True)
        kwargs.setdefault("skip_on_exit_code", NOTHING_TO_DO)
        kwargs.setdefault("log_pod_spec_on_failure", False)
        kwargs.setdefault("log_events_on_failure", True)
        kwargs.setdefault("random_name_suffix", True)
        kwargs.setdefault("deferrable", False)
        super().__init__(env_vars={**IDS, **(env_vars or {})}, **kwargs)
        self.command = command
        self.flags = flags or {}
        self.plan = plan
        self.needs_plan = plan is not None  # a result that is lost renders as None
        self.after = after
        self.shard = shard
        self.dataset_text = dataset_text
        self.dataset_name = dataset_name
        self.reentered: Any = None  # the result, if this process came back from a deferral

    def command_line(self) -> list[str]:
        """Returns the arguments of the pod, one flag each."""
        line = [self.command]
        if isinstance(self.plan, Mapping):
            line.append(f"--plan={self.plan.get('plan')}")
        if self.shard:
            line.append(f"--shard={self.shard}")
        if self.dataset_text is not None:
            line.append(f"--dataset={self.dataset_name}")
        return [*line, *(f"--{name}={value}" for name, value in self.flags.items())]

    def _do_render_template_fields(self, parent: Any, *args: Any, **kwargs: Any) -> None:
        # Here, so that the rendered fields in the UI show the command line that the pod
        # gets. Mapped tasks are rendered through this method only.
        super()._do_render_template_fields(parent, *args, **kwargs)
        if parent is self:
            self.arguments = self.command_line()

    def build_pod_request_obj(self, context: Context | None = None, **kwargs: Any) -> k8s.V1Pod:
        """Adds the dataset, after rendering: it is data, not a template. Adds the disk that the pod may use."""
        pod = super().build_pod_request_obj(context, **kwargs)
        base = next(c for c in pod.spec.containers if c.name == self.base_container_name)
        base.env = [*(base.env or []), k8s.V1EnvVar(name="BACKFILL_IMAGE", value=base.image)]
        if self.dataset_text is not None:
            base.env.append(k8s.V1EnvVar(name="BACKFILL_DATASET_TEXT", value=self.dataset_text))
        limits = getattr(base.resources, "limits", None) or {}
        if DISK in limits and not any(v.name == "BACKFILL_DISK" for v in base.env):
            # Kubernetes evicts a pod that writes more than this; the worker stops before.
            limit = k8s.V1ResourceFieldSelector(container_name=base.name, resource=f"limits.{DISK}")
            base.env.append(k8s.V1EnvVar(name="BACKFILL_DISK", value_from=k8s.V1EnvVarSource(resource_field_ref=limit)))
        return pod

    def execute(self, context: Context) -> Any:
        """Runs the pod to its end, or defers."""
        self._check_upstream()
        result = super().execute(context)
        # A pod that ended before its task could defer: the parent reads the result and drops it.
        return self._proven(self.reentered if result is None else result, context)

    def trigger_reentry(self, context: Context, event: dict[str, Any]) -> Any:
        """Goes on after a deferral, or instead of one."""
        self.reentered = self._proven(super().trigger_reentry(context, event), context)
        return self.reentered

    def _check_upstream(self) -> None:
        """Looks at results, not at states of tasks: those can be set by hand."""
        for result in (self.plan, self.after):
            if isinstance(result, Mapping) and result.get("exit") == NOTHING_TO_DO:
                raise AirflowSkipException("archive and warehouse hold nothing for the window")
        if self.needs_plan and not (isinstance(self.plan, Mapping) and self.plan.get("plan")):
            raise AirflowFailException(
                f"backfill {self.command} has no plan: the plan task failed or its result is gone. "
                "Clear the plan task with its downstream tasks: it finds the plan that it sealed, and what is done stays done."
            )

    def _proven(self, result: Any, context: Context) -> Any:
        """Returns the result if the worker wrote it. Airflow takes a pod that was killed
        or is gone for a success in some versions; without a result nothing is proven, and
        the same command again is cheap.
        """
        name = self.pod.metadata.name if self.pod and self.pod.metadata else "unknown"
        if self._killed:
            raise AirflowException(f"backfill {self.command}: pod {name} was stopped before its end; work so far is kept")
        if not isinstance(result, Mapping) or result.get("command") != self.command or result.get("exit") != DONE:
            raise AirflowException(
                f"backfill {self.command}: pod {name} ended, but its result is missing, so nothing is proven. "
                "Retried if tries are left: the same command finds what is done."
            )
        self._tell_assets(result, context)
        return result

    def _tell_assets(self, result: Mapping[str, Any], context: Context) -> None:
        facts = {**(self.after if isinstance(self.after, Mapping) else {}), **result}
        for asset in self.outlets or []:
            context["outlet_events"][asset].extra = {key: facts[key] for key in FACTS if facts.get(key) is not None}

    def cleanup(self, pod: k8s.V1Pod, remote_pod: k8s.V1Pod, xcom_result: Any = None, context: Context | None = None) -> None:
        """Lets the parent clean up, then says in the worker's words why the pod failed, or
        else in those of the error that brought the operator here.
        """
        before = sys.exception()
        try:
            super().cleanup(pod=pod, remote_pod=remote_pod, xcom_result=xcom_result, context=context)
        except AirflowSkipException:
            raise
        except AirflowException as e:
            name = remote_pod.metadata.name if remote_pod and remote_pod.metadata else "unknown"
            if context and isinstance(xcom_result, Mapping):
                context["ti"].xcom_push(key=FAILURE, value=dict(xcom_result))
            raise failure(self.command, name, Ended.of(remote_pod, self.base_container_name), xcom_result, before) from e

    def get_or_create_pod(self, pod_request_obj: k8s.V1Pod, context: Context) -> k8s.V1Pod:
        """Takes up the pod of the try before, or makes one. A pod that an earlier try has
        marked as looked at, and died before it could delete, nobody comes back to: its
        sidecar would wait for the pod's deadline.
        """
        if self.on_finish_action == OnFinishAction.DELETE_POD:
            namespace = pod_request_obj.metadata.namespace
            selector = self._build_find_pod_label_selector(context, exclude_checked=False)
            for pod in self.client.list_namespaced_pod(namespace=namespace, label_selector=f"{selector},{self.POD_CHECKED_KEY}=True").items:
                self.process_pod_deletion(pod, reraise=False)
        return super().get_or_create_pod(pod_request_obj=pod_request_obj, context=context)

    def find_pod(self, namespace: str, context: Context, **kwargs: Any) -> k8s.V1Pod | None:
        """Finds the task's pod. Of several, which a dead scheduler may leave, the newest
        goes on and the others are deleted: two pods of one plan do no harm, but one is enough.
        """
        reattach, self.reattach_on_restart = self.reattach_on_restart, False
        try:
            return super().find_pod(namespace, context=context, **kwargs)
        finally:
            self.reattach_on_restart = reattach
