CREATE TABLE IF NOT EXISTS "payroll"."events__backfill_ledger" (
  seq BIGINT NOT NULL,
  slice_index INTEGER NOT NULL,
  kind VARCHAR(16) DEFAULT 'load',
  change_number BIGINT DEFAULT 0,
  target VARCHAR(256) DEFAULT '',
  attempt VARCHAR(64) NOT NULL,
  slice_from TIMESTAMP,
  slice_to TIMESTAMP,
  day_from DATE,
  day_to DATE,
  run_id VARCHAR(64) NOT NULL,
  dataset VARCHAR(256) NOT NULL,
  dataset_digest VARCHAR(64) NOT NULL,
  plan_key VARCHAR(1024) NOT NULL,
  plan_digest VARCHAR(64) NOT NULL,
  scope VARCHAR(16384) NOT NULL,
  mode VARCHAR(32) NOT NULL,
  rows_stage BIGINT NOT NULL,
  rows_superseded BIGINT NOT NULL,
  rows_superseded_by_table BIGINT DEFAULT 0,
  rows_already BIGINT DEFAULT 0,
  rows_kept BIGINT DEFAULT 0,
  rows_vanished BIGINT NOT NULL,
  rows_deleted BIGINT NOT NULL,
  rows_inserted BIGINT NOT NULL,
  rows_taken BIGINT DEFAULT 0,
  taken_from TIMESTAMP DEFAULT NULL,
  taken_to TIMESTAMP DEFAULT NULL,
  rows_stale BIGINT DEFAULT 0,
  stale_from TIMESTAMP DEFAULT NULL,
  stale_to TIMESTAMP DEFAULT NULL,
  rows_put_aside BIGINT DEFAULT 0,
  totals_deleted VARCHAR(65535) NOT NULL,
  totals_inserted VARCHAR(65535) NOT NULL,
  totals_vanished VARCHAR(65535) DEFAULT '',
  flags VARCHAR(1024) NOT NULL,
  damaged_objects VARCHAR(16384) DEFAULT '',
  reason VARCHAR(1024) NOT NULL,
  requested_by VARCHAR(256) NOT NULL,
  approved_by VARCHAR(256) DEFAULT '',
  dag_id VARCHAR(256) DEFAULT '',
  task_id VARCHAR(256) DEFAULT '',
  dag_run_id VARCHAR(256) DEFAULT '',
  map_index INTEGER DEFAULT -1,
  try_number INTEGER DEFAULT 0,
  image VARCHAR(512) NOT NULL,
  program_version VARCHAR(64) DEFAULT '',
  receipt_key VARCHAR(1024) NOT NULL,
  receipt_sha256 VARCHAR(64) NOT NULL,
  committed_at TIMESTAMP NOT NULL DEFAULT GETDATE()
);
COMMENT ON TABLE "payroll"."events__backfill_ledger" IS 'one row per committed change that backfill made';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".seq IS 'number of the plan for this target';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".slice_index IS 'slice of the plan, from 0; -1: the plan as a whole (abort, forget)';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".kind IS 'load: the slice was changed; undo: the change was taken back; repair: keys that a report names were replaced; abort: the plan must not go on; forget: rows put aside for undo were dropped';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".change_number IS 'order in which the changes of the table were committed, from 1; 0: written by an earlier version';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".target IS 'schema.table';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".attempt IS 'random mark of the sealed plan';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".slice_from IS 'first event time of the slice, UTC, inclusive; NULL: all rows';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".slice_to IS 'end of the slice, UTC, exclusive; NULL: all rows';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".day_from IS 'first load day of the slice in the calendar of the dataset; NULL: all rows';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".day_to IS 'day after the last one; NULL: all rows';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".run_id IS 'what was asked for: hash of dataset and window; the same command has the same run';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".dataset IS 'name of the dataset';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".dataset_digest IS 'SHA-256 of the canonical dataset file';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".plan_key IS 'sealed plan, below the staging URI';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".plan_digest IS 'SHA-256 of the plan';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".scope IS 'rows that the dataset owns: all, or a predicate';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".mode IS 'how the rows were changed: replace_window, upsert, append, insert_missing';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_stage IS 'staged rows of the slice; equals rows_superseded + rows_superseded_by_table + rows_inserted + rows_already';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_superseded IS 'of those, older versions of a key in the stage';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_superseded_by_table IS 'of those, older than the version that the table has';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_already IS 'of those, in the table already';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_kept IS 'rows of the table in the slice that no archived record explains and that stayed';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_vanished IS 'rows that were in the table and whose key no longer is';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_deleted IS 'rows that the change deleted';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_inserted IS 'rows that the change inserted';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_taken IS 'of the deleted rows, those outside of the slice: their newer version is in it';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".taken_from IS 'first event time of rows that the change deleted outside of the slice, UTC; NULL: none';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".taken_to IS 'behind the last one';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_stale IS 'rows outside of the slice that stayed, of keys that the change inserted: older versions, or such of unknown order; a load of their days settles them';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".stale_from IS 'first event time of these, UTC; NULL: none';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".stale_to IS 'behind the last one';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".rows_put_aside IS 'deleted rows that --keep-replaced put aside for undo';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".totals_deleted IS 'money deleted: JSON {groups:[{group:[],rows:n,sums:{column:decimal}}],cut:n}';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".totals_inserted IS 'money inserted, likewise';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".totals_vanished IS 'money of the vanished rows, likewise';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".flags IS 'what a person allowed or asked for, one word each: allow_vanish=n keep_replaced preliminary atomic replan reconvert accept_damaged=n';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".damaged_objects IS 'JSON list of archived objects that --accept-damaged left out in whole or in part';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".reason IS 'why, as given with --reason';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".requested_by IS 'who or what asked for it';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".approved_by IS 'who allowed a repair, never who asked for it; empty: nobody had to';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".dag_id IS 'Airflow DAG; empty: not started by Airflow';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".task_id IS 'Airflow task';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".dag_run_id IS 'Airflow DAG run';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".map_index IS 'Airflow map index; -1: not mapped';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".try_number IS 'Airflow try, from 1; 0: unknown';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".image IS 'digest of the container image';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".program_version IS 'version of the program';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".receipt_key IS 'receipt of the change, below the staging URI';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".receipt_sha256 IS 'SHA-256 of the receipt: its seal';
COMMENT ON COLUMN "payroll"."events__backfill_ledger".committed_at IS 'when, UTC, by the clock of the warehouse'
