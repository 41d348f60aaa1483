package main

import (
	"cmp"
	"os"
	"strconv"

	"backfill/internal/publish"
)

// by says who asked for the run, for the ledger.
func (p *program) by() string {
	for _, name := range []string{"BACKFILL_REQUESTED_BY", "BACKFILL_AIRFLOW_RUN_ID", "AIRFLOW_CTX_DAG_RUN_ID", "USER"} {
		if v := p.env(name); !unset(v) {
			return v
		}
	}
	host, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return host
}

// airflow reads the task instance's ids. Airflow's operator for pods puts only
// mangled ones into labels, so that a DAG passes them as templated variables,
// BACKFILL_AIRFLOW_DAG_ID={{ dag.dag_id }} and so on; AIRFLOW_CTX_… is what other
// operators set. A number that is none counts as unknown: the ids inform, they
// decide nothing.
func (p *program) airflow() publish.Airflow {
	get := func(names ...string) string {
		for _, name := range names {
			if v := p.env(name); !unset(v) {
				return v
			}
		}
		return ""
	}
	number := func(text string, least, otherwise int) int {
		n, err := strconv.Atoi(cmp.Or(text, strconv.Itoa(otherwise)))
		if err != nil || n < least || n > 1<<30 {
			return otherwise
		}
		return n
	}
	return publish.Airflow{
		DAG:      get("BACKFILL_AIRFLOW_DAG_ID", "AIRFLOW_CTX_DAG_ID"),
		Task:     get("BACKFILL_AIRFLOW_TASK_ID", "AIRFLOW_CTX_TASK_ID"),
		Run:      get("BACKFILL_AIRFLOW_RUN_ID", "AIRFLOW_CTX_DAG_RUN_ID"),
		MapIndex: number(get("BACKFILL_AIRFLOW_MAP_INDEX", "AIRFLOW_CTX_MAP_INDEX"), -1, -1),
		Try:      number(get("BACKFILL_AIRFLOW_TRY_NUMBER", "AIRFLOW_CTX_TRY_NUMBER"), 1, 0),
	}
}
