SELECT seq, slice_index, attempt, DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', slice_from), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', slice_to), DATEDIFF(day, DATE '1970-01-01', day_from), DATEDIFF(day, DATE '1970-01-01', day_to), run_id, dataset, dataset_digest, plan_key, plan_digest, scope, mode, rows_stage, rows_superseded, rows_vanished, rows_deleted, rows_inserted, totals_deleted, totals_inserted, flags, reason, requested_by, image, receipt_key, receipt_sha256, DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', committed_at)
FROM "payroll"."events__backfill_ledger"
WHERE seq = 7 OR (seq > 7 AND (slice_from IS NULL OR (slice_from < TIMESTAMP '2024-02-01 00:00:00.000000' AND slice_to > TIMESTAMP '2024-01-30 00:00:00.000000')))
ORDER BY seq DESC, slice_index DESC
LIMIT 200001
