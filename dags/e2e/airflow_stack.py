"""A real Airflow 3 of its own: api-server, scheduler, dag-processor and triggerer as child processes.

Part of the end-to-end harness in this folder; standard library only. Airflow itself lives in the environment that
`dags/check venv 3` makes, with its database and logs in a folder that the test throws away.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cluster import PATIENCE, wait_for
from sandbox import ROOT

ENDED = ("success", "failed")


class AirflowError(Exception):
    """Airflow that refused, or a process of it that ended."""


class Airflow:
    """The running processes, and the REST API as a person's browser uses it."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        python = subprocess.run([ROOT / "dags" / "check", "venv", "3"], check=True, capture_output=True, text=True).stdout.strip()
        self._program = Path(python).with_name("airflow")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = {
            **os.environ,
            **environment,
            "PATH": f"{self._program.parent}:{os.environ['PATH']}",
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self.port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            # A slow, loaded machine is no failure.
            "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "600",
            "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "600",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "60",
            # Tasks of a dead scheduler are looked for at once, not after five minutes.
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "20",
            "AIRFLOW__TRIGGERER__DEFAULT_CAPACITY": "100",
            # Compiled once: each task is a process that imports Airflow.
            "PYTHONPYCACHEPREFIX": str(ROOT / ".tools" / "dags" / "bytecode"),
        }
        self._env.pop("PYTHONDONTWRITEBYTECODE", None)
        self._token = ""
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.cli("db", "migrate")
        for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
            self.start(name)
        wait_for("Airflow's API", self._answers)

    def cli(self, *arguments: str) -> str:
        """Runs a command of Airflow and returns what it prints."""
        done = subprocess.run([self._program, *arguments], env=self._env, capture_output=True, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise AirflowError(f"airflow {' '.join(arguments)}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def picture(self, page: str, file: Path, *buttons: str) -> None:
        """Takes a picture of a page, with buttons clicked first."""
        program = Path(__file__).with_name("picture.py")
        subprocess.run([self._program.with_name("python"), program, f"{self.url}/{quote(page)}", file, *buttons], check=True, timeout=PATIENCE)

    def start(self, name: str) -> None:
        """Starts a process in a group of its own, so that its children end with it."""
        log = (self.folder / f"{name}.log").open("ab")
        self._processes[name] = subprocess.Popen(
            [self._program, name],
            env=self._env,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent,
        )
        log.close()

    def kill(self, name: str, node: bool = False) -> None:
        """Kills a process and its helpers. The tasks that it runs are left alone with a broken pipe, or, as when the node
        dies, killed with it."""
        process = self._processes.pop(name)
        tasks = descendants(process.pid) if node else []
        os.killpg(process.pid, signal.SIGKILL)
        for pid in tasks:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()

    def close(self) -> None:
        """Ends all processes."""
        for process in self._processes.values():
            os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + 20
        for process in self._processes.values():
            try:
                process.wait(timeout=max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _answers(self) -> bool:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise AirflowError(f"{name} ended: {(self.folder / f'{name}.log').read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(f"{self.url}/auth/token", timeout=PATIENCE) as answer:
                self._token = json.load(answer)["access_token"]
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def api(self, method: str, path: str, body: Any = None) -> Any:
        """Calls /api/v2 and returns the JSON answer."""
        request = urllib.request.Request(
            f"{self.url}/api/v2/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json", "Accept": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                text = answer.read()
        except urllib.error.HTTPError as e:
            raise AirflowError(f"{method} {path}: {e.code} {e.read().decode(errors='replace')[:2000]}") from e
        return json.loads(text) if text else None

    def unpause(self, dag: str) -> None:
        """Waits until the DAG is there and lets it run."""

        def there() -> bool:
            try:
                self.api("PATCH", f"dags/{dag}", {"is_paused": False})
            except AirflowError as e:
                if ": 404 " not in str(e):
                    raise
                errors = self.api("GET", "importErrors")["import_errors"]
                if errors:
                    raise AirflowError(errors[0]["stack_trace"]) from e
                return False
            return True

        wait_for(f"DAG {dag}", there)

    def trigger(self, dag: str, **conf: Any) -> str:
        """Starts a run by hand, without a logical date, and returns its id."""
        run: str = self.api("POST", f"dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"]
        return run

    def runs(self, dag: str) -> list[dict[str, Any]]:
        """Returns the DAG's runs."""
        found: list[dict[str, Any]] = self.api("GET", f"dags/{dag}/dagRuns?limit=100")["dag_runs"]
        return found

    def give_up(self, dag: str) -> None:
        """Marks the DAG's runs that have not ended as failed, which ends their tasks."""
        for run in self.runs(dag):
            if run["state"] not in ENDED:
                self.api("PATCH", f"dags/{dag}/dagRuns/{quote(run['dag_run_id'])}", {"state": "failed"})

    def state(self, dag: str, run: str) -> str:
        """Returns the state of a run."""
        state: str = self.api("GET", f"dags/{dag}/dagRuns/{quote(run)}")["state"]
        return state

    def ended(self, dag: str, run: str) -> str:
        """Waits until the run has ended, and returns its state."""

        def look() -> str:
            state = self.state(dag, run)
            return state if state in ENDED else ""

        state: str = wait_for(f"the end of {dag} {run}", look)
        return state

    def tasks(self, dag: str, run: str) -> dict[tuple[str, int], dict[str, Any]]:
        """Returns the task instances of a run by task and map index."""
        found = self.api("GET", f"dags/{dag}/dagRuns/{quote(run)}/taskInstances?limit=200")["task_instances"]
        return {(t["task_id"], t["map_index"]): t for t in found}

    def states(self, dag: str, run: str) -> dict[str, str]:
        """Returns the states of a run's tasks; of mapped ones all, with commas."""
        states: dict[str, set[str]] = {}
        for (task, _), instance in self.tasks(dag, run).items():
            states.setdefault(task, set()).add(str(instance["state"]))
        return {task: ",".join(sorted(found)) for task, found in states.items()}

    def result(self, dag: str, run: str, task: str, key: str = "return_value", map_index: int = -1) -> Any:
        """Returns an XCom of a task."""
        path = f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/xcomEntries/{key}?map_index={map_index}&deserialize=true"
        return self.api("GET", path)["value"]

    def log(self, dag: str, run: str, task: str, attempt: int = 1, map_index: int = -1) -> list[dict[str, Any]]:
        """Returns the records of a task's log: level, event, logger and more."""
        path = f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/logs/{attempt}?map_index={map_index}&full_content=true"
        return [record for record in self.api("GET", path)["content"] if isinstance(record, dict)]

    def text(self, dag: str, run: str, task: str, attempt: int = 1, map_index: int = -1) -> str:
        """Returns a task's log as text, the errors' causes included."""
        return "\n".join(json.dumps(record, ensure_ascii=False) for record in self.log(dag, run, task, attempt, map_index))

    def mark(self, dag: str, run: str, task: str, map_index: int, state: str) -> None:
        """Sets a task's state by hand."""
        self.api("PATCH", f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/{map_index}", {"new_state": state})

    def forget(self, dag: str, run: str, task: str) -> None:
        """Deletes a task's result."""
        self.api("DELETE", f"dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/xcomEntries/return_value")

    def clear(self, dag: str, run: str, tasks: Sequence[str], downstream: bool = True) -> None:
        """Clears tasks, with what follows them, so that they run again."""
        body = {
            "dry_run": False,
            "dag_run_id": run,
            "task_ids": list(tasks),
            "only_failed": False,
            "include_downstream": downstream,
            "reset_dag_runs": True,
        }
        self.api("POST", f"dags/{dag}/clearTaskInstances", body)


def descendants(pid: int) -> list[int]:
    """Returns the processes below a process."""
    found = []
    for line in subprocess.run(["ps", "-eo", "ppid=,pid="], check=True, capture_output=True, text=True).stdout.splitlines():
        parent, child = map(int, line.split())
        if parent == pid:
            found += [child, *descendants(child)]
    return found


def end_with_parent() -> None:
    """Has the kernel end this process when the test's ends, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def free_port() -> int:
    """Returns a port of this machine that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port
