"""Two DAGs for each dataset file: ``<dataset>_backfill``, and for those with event time ``<dataset>_month_end``.

``BACKFILL_DATASETS`` names another folder of dataset files and ``BACKFILL_SETTINGS``
another settings file than those beside this one.
"""

from __future__ import annotations

import os
from pathlib import Path

from backfill_airflow import dataset, settings
from backfill_airflow.factory import make_dag
from backfill_airflow.month_end import make_month_end

HERE = Path(__file__).parent
_defaults, _own = settings.read(Path(os.environ.get("BACKFILL_SETTINGS", HERE / "settings.yaml")))

for _path in sorted(Path(os.environ.get("BACKFILL_DATASETS", HERE / "datasets")).glob("*.yaml")):
    _dataset = dataset.read(_path)
    _settings = _own.pop(_dataset.name, _defaults)
    for _dag in [make_dag(_dataset, _settings)] + ([make_month_end(_dataset, _settings)] if _dataset.windows else []):
        if _dag.dag_id in globals():
            raise ValueError(f"{_path}: dataset {_dataset.name} is described twice")
        globals()[_dag.dag_id] = _dag

if _own:
    raise ValueError(f"settings of datasets that have no file: {', '.join(sorted(_own))}")
