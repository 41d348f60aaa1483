"""Runs of a DAG through Airflow's REST API, as long as AIRFLOW_URL names one."""

from __future__ import annotations

import json
import os
import time
import urllib.request
from typing import Any
from urllib.parse import quote

from stand import PATIENCE, Ended

POLL = 2.0  # seconds


class Airflow:
    """An Airflow 3 that runs the DAG of a dataset of its own."""

    def __init__(self, url: str, token: str, dag: str) -> None:
        self._url, self._token, self._dag = url.rstrip("/"), token, dag

    @classmethod
    def from_environment(cls) -> Airflow | None:
        """AIRFLOW_URL, AIRFLOW_TOKEN and AIRFLOW_DAG; None without the first."""
        url = os.environ.get("AIRFLOW_URL")
        return cls(url, os.environ.get("AIRFLOW_TOKEN", ""), os.environ.get("AIRFLOW_DAG", "payroll_events_backfill")) if url else None

    def run(self, start: str, end: str) -> Ended:
        """Starts a run for the window, waits for its end, and returns it: code 0 for success, 1 for failure."""
        began = time.monotonic()
        run = self._call("POST", "dagRuns", {"logical_date": None, "conf": {"window_start": start, "window_end": end}})["dag_run_id"]
        while time.monotonic() - began < PATIENCE:
            state = self._call("GET", f"dagRuns/{quote(run)}")["state"]
            if state in ("success", "failed"):
                return Ended(0 if state == "success" else 1, time.monotonic() - began, log=f"run {run} of {self._dag}: {state}")
            time.sleep(POLL)
        return Ended(1, time.monotonic() - began, log=f"run {run} of {self._dag} did not end")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(
            f"{self._url}/api/v2/dags/{quote(self._dag)}/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Accept": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
