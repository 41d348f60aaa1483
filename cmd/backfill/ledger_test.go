package main

import (
	"slices"
	"strings"
	"testing"

	"backfill/internal/sandbox/archivegen"
)

// small generates a short month and returns its run command's arguments.
func small(t *testing.T, h *harness, table string, flags ...string) (archive, []string) {
	t.Helper()
	a := h.generate(t, archivegen.Options{Seed: 31, Events: 400, Partitions: 2, Codec: "gzip", EventsPerObject: 100})
	return a, append(a.window(flags...), h.table(t, table)...)
}

// start runs a command with extra variables to its end.
func (h *harness) runWith(t *testing.T, exit int, env []string, args ...string) outcome {
	t.Helper()
	_, wait := h.start(t, h.env(env...), args...)
	o := wait()
	if o.exit != exit {
		t.Fatalf("exit code %d, want %d, from %s\n%s%s", o.exit, exit, strings.Join(args, " "), o.stderr, o.stdout)
	}
	return o
}

// TestLedgerIsAContract asks what an auditor and a BI query ask, by SQL.
func TestLedgerIsAContract(t *testing.T) {
	h := shared
	a, args := small(t, h, "ledgered", "--slice-days", "16", "--reason", "tax file came late; ticket 'PAY-1'")
	h.runWith(t, 0, []string{
		"BACKFILL_AIRFLOW_DAG_ID=payday", "BACKFILL_AIRFLOW_TASK_ID=load.month", "BACKFILL_AIRFLOW_RUN_ID=manual__2026-04-03T00:00:00+00:00",
		"BACKFILL_AIRFLOW_MAP_INDEX=-1", "BACKFILL_AIRFLOW_TRY_NUMBER=2", "BACKFILL_IMAGE=sha256:abc", "BACKFILL_REQUESTED_BY=ana@example.com",
	}, append([]string{"run"}, args...)...)
	got := h.rows(t, `SELECT kind, target, seq, slice_index, slice_from, slice_to, day_from, day_to, mode, scope, rows_deleted, rows_vanished, flags,
 reason, requested_by, dag_id, task_id, dag_run_id, map_index, try_number, image, program_version FROM payroll.ledgered__backfill_ledger ORDER BY slice_index`)
	tail := "replace_window|source = 'payroll'|0|0||tax file came late; ticket 'PAY-1'|ana@example.com|payday|load.month|manual__2026-04-03T00:00:00+00:00|-1|2|sha256:abc|dev|"
	want := []string{
		"load|payroll.ledgered|1|0|2026-03-01 08:00:00|2026-03-17 07:00:00|2026-03-01|2026-03-17|" + tail,
		"load|payroll.ledgered|1|1|2026-03-17 07:00:00|2026-04-01 07:00:00|2026-03-17|2026-04-01|" + tail,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	sums := h.rows(t, "SELECT SUM(rows_inserted), SUM(rows_stage - rows_superseded - rows_superseded_by_table - rows_already - rows_inserted) FROM payroll.ledgered__backfill_ledger")
	if table := h.rows(t, "SELECT COUNT(*), 0 FROM payroll.ledgered"); !slices.Equal(sums, table) || a.truth.TableRows == 0 {
		t.Errorf("the ledger says %v, the table %v", sums, table)
	}
	o := h.run(t, 0, "status", "--dataset", a.dataset, "--ledger", "--set", "table.name=payroll.ledgered")
	if l := o.result.Ledger; l == nil || len(l.Rows) != 2 || l.Rows[0].SliceIndex != 1 || l.Rows[1].Airflow.Try != 2 || l.Rows[0].Committed == 0 {
		t.Errorf("status --ledger: %s", o.stdout)
	}
}

// TestLedgerOfEarlierForm loads with a ledger as the first version made it.
func TestLedgerOfEarlierForm(t *testing.T) {
	h := shared
	_, args := small(t, h, "old_ledger", "--slice-days", "31")
	h.run(t, 0, append([]string{"run"}, args...)...)
	columns := `seq, slice_index, attempt, slice_from, slice_to, day_from, day_to, run_id, dataset, dataset_digest, plan_key, plan_digest, scope, mode,
 rows_stage, rows_superseded, rows_vanished, rows_deleted, rows_inserted, totals_deleted, totals_inserted, flags, reason, requested_by, image, receipt_key, receipt_sha256, committed_at`
	h.sql(t, "CREATE TABLE payroll.old_form AS SELECT "+columns+" FROM payroll.old_ledger__backfill_ledger",
		"DROP TABLE payroll.old_ledger__backfill_ledger", "ALTER TABLE payroll.old_form RENAME TO old_ledger__backfill_ledger")
	if o := h.run(t, 0, append([]string{"run"}, args...)...); !o.result.Done {
		t.Errorf("with the older ledger nothing is left to do, but: %s", o.stdout)
	}
	h.run(t, 0, append([]string{"run", "--replan"}, args...)...)
	got := h.rows(t, "SELECT seq, kind, target, map_index, rows_already, flags FROM payroll.old_ledger__backfill_ledger ORDER BY seq")
	if want := []string{"1|load||-1|0||", "2|load|payroll.old_ledger|-1|0|replan|"}; !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
