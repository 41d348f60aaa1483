SELECT COALESCE(MAX(change_number), 0)
FROM "payroll"."events__backfill_ledger"
WHERE change_number > 41
  AND (slice_from IS NULL OR (slice_from < TIMESTAMP '2024-02-01 00:00:00.000000' AND slice_to > TIMESTAMP '2024-01-30 00:00:00.000000'))
