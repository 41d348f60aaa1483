"""Settings of the DAGs: one YAML file beside the datasets, defaults first, then
what differs for a dataset. Unknown keys are refused, so that no typing error
is taken for a default.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import yaml

from backfill_airflow.dataset import duration

STEPS = ("plan", "convert", "load", "reconcile", "repair")


@dataclass(frozen=True)
class Settings:
    """How a dataset's DAG runs. Names are the keys of settings.yaml."""

    image: str = ""  # with a tag or digest, never latest
    namespace: str = "backfill"
    service_account: str | None = None  # for IAM roles of pods; the worker never calls Kubernetes
    env: Mapping[str, str] = field(default_factory=dict)
    env_from_secrets: tuple[str, ...] = ()  # Secrets whose keys become variables, such as BACKFILL_WAREHOUSE_PASSWORD
    env_from_config_maps: tuple[str, ...] = ()
    pod_template_file: str | None = None  # whatever else pods need: tolerations, node selectors, sidecars
    kubernetes_conn_id: str | None = "kubernetes_default"
    in_cluster: bool | None = None

    schedule: str | None = "0 0 * * *"  # cron in the dataset's calendar; each run is one period; none: by hand only
    start_date: date = date(2026, 1, 1)
    catchup: bool = False
    month_end_schedule: str | None = "0 0 1 * *"  # of the month-end DAG: the period before each of these times; none: by hand only
    approval_timeout: timedelta = timedelta(days=14)  # how long a month-end run waits for a person
    max_active_runs: int = 16  # runs wait for their window to settle; the ledger, not this, keeps loads apart
    owner: str = "data-platform"
    tags: tuple[str, ...] = ()

    shards: int = 8  # pods that convert at a time
    slice_days: int = 7
    allow_empty: bool = False  # whether a window without records is normal
    keep_replaced: bool = False  # keep replaced rows beside the table, so that a load can be taken back
    deferrable: bool = False  # of convert, load and reconcile; plan never is
    convert_pool: str = "default_pool"
    load_pool: str = "default_pool"

    retries: int = 3
    retry_delay: timedelta = timedelta(minutes=1)
    timeouts: Mapping[str, timedelta] = field(default_factory=dict)  # by step
    resources: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by step: cpu, memory, disk
    grace: timedelta = timedelta(minutes=2)  # between SIGTERM and SIGKILL
    startup_timeout: timedelta = timedelta(minutes=10)  # also for a node that must come up first

    def timeout(self, step: str) -> timedelta:
        """Longest time that the worker may take for one try of the step."""
        return self.timeouts.get(step, timedelta(hours=1) if step in ("plan", "reconcile", "repair") else timedelta(hours=6))

    def resource(self, step: str) -> Mapping[str, str]:
        """Processors, memory and disk of the step's pod; requests equal limits for memory and disk."""
        usual = {"cpu": "1", "memory": "2Gi", "disk": "4Gi"} if step == "convert" else {"cpu": "250m", "memory": "512Mi", "disk": "1Gi"}
        return {**usual, **self.resources.get(step, {})}


def read(path: Path) -> tuple[Settings, dict[str, Settings]]:
    """Returns the defaults and the settings of the datasets that have their own.

    :raises ValueError: a key or value is wrong; the message names it.
    """
    document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if unknown := set(document) - {"defaults", "datasets"}:
        raise ValueError(f"{path}: unknown key {min(unknown)!r}; there are defaults and datasets")
    defaults = _apply(Settings(), document.get("defaults") or {}, f"{path}: defaults")
    own = {name: _apply(defaults, values or {}, f"{path}: datasets.{name}") for name, values in (document.get("datasets") or {}).items()}
    return defaults, own


def _apply(base: Settings, values: Mapping[str, Any], where: str) -> Settings:
    known = {f.name: f for f in fields(Settings)}
    if unknown := set(values) - set(known):
        raise ValueError(f"{where}: unknown key {min(unknown)!r}; known are {', '.join(sorted(known))}")
    return replace(base, **{key: _value(key, value, getattr(base, key), f"{where}.{key}") for key, value in values.items()})


def _value(key: str, value: Any, base: Any, where: str) -> Any:
    if key in ("timeouts", "resources"):
        if not isinstance(value, dict) or set(value) - set(STEPS):
            raise ValueError(f"{where}: give it by step: {', '.join(STEPS)}")
        read = duration if key == "timeouts" else _size
        return {**base, **{step: read(v, f"{where}.{step}") for step, v in value.items()}}
    if isinstance(base, Mapping):
        if not isinstance(value, dict):
            raise ValueError(f"{where}: must be a mapping")
        return {**base, **{name: str(v) for name, v in value.items()}}
    if isinstance(base, tuple):
        if not isinstance(value, list):
            raise ValueError(f"{where}: must be a list")
        return tuple(str(v) for v in value)
    if isinstance(base, timedelta):
        return duration(value, where)
    if base is not None and value is not None and type(value) is not type(base):
        raise ValueError(f"{where}: {value!r} must be a {type(base).__name__}")
    return value


def _size(value: Any, where: str) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) - {"cpu", "memory", "disk"}:
        raise ValueError(f"{where}: give cpu, memory, disk")
    return {name: str(v) for name, v in value.items()}
