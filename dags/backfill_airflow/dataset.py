"""What a DAG needs to know of a dataset file. The worker alone checks the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}


@dataclass(frozen=True)
class Dataset:
    """A dataset file: its bytes, and the few values that shape its DAG."""

    name: str
    text: str
    file: str  # as messages name it
    calendar: str  # zone of load days
    lateness: timedelta  # how much later than its event time a record may be archived
    table: str
    mode: str
    windows: bool  # False: without event time, the whole archive is one window
    warehouse: str  # host and database without a user, "" when only the pod's environment knows

    @property
    def asset_uri(self) -> str:
        """Names the table as OpenLineage does: redshift://host:port/database.schema.table."""
        return f"redshift://{self.warehouse or 'warehouse'}{'.' if self.warehouse else '/'}{self.table}"


def read(path: Path) -> Dataset:
    """Reads a dataset file.

    :raises ValueError: the file is no YAML mapping, lacks a name or has a lateness that is no duration.
    """
    text = path.read_text(encoding="utf-8")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise ValueError(f"{path}: no YAML: {e}") from e
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise ValueError(f"{path}: a dataset file is a mapping with a name")
    archive, table = _section(document, "archive"), _section(document, "table")
    return Dataset(
        name=document["name"],
        text=text,
        file=f"datasets/{path.name}",
        calendar=str(document.get("calendar", "UTC")),
        lateness=duration(archive.get("lateness", "0h"), f"{path}: archive.lateness"),
        table=str(table.get("name", document["name"])),
        mode=str(table.get("mode", "")),
        windows=_section(document, "records").get("event_time", "none") != "none",
        warehouse=_warehouse(str(_section(document, "warehouse").get("url", ""))),
    )


def duration(value: Any, where: str) -> timedelta:
    """Reads the worker's durations: 72h, 1h30m, or whole days as 3d."""
    text = str(value)
    parts = re.findall(r"(\d+(?:\.\d+)?)([dhms])", text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"{where}: {text!r} is no duration; write it like 72h or 3d")
    return timedelta(seconds=sum(float(n) * UNITS[u] for n, u in parts))


def _section(document: dict[str, Any], key: str) -> dict[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _warehouse(url: str) -> str:
    if "${" in url:
        return ""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or 5439}{parts.path}" if parts.hostname else ""
