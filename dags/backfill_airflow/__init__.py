"""Airflow's side of backfill: an operator for its image and a factory of DAGs."""
