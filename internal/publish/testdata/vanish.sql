SELECT _key1, _key2, COUNT(*), SUM(_total1::DECIMAL(38,2))::VARCHAR, COUNT(_total1)
FROM (
SELECT CASE WHEN "occurred_at" < TIMESTAMP '2024-01-30 00:00:00.000000' THEN NULL
    WHEN "occurred_at" < TIMESTAMP '2024-01-31 00:00:00.000000' THEN 19752
    WHEN "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000' THEN 19753 END AS _key1,
  RTRIM("currency") || '.' AS _key2,
  "gross_amount" AS _total1
FROM (
SELECT "event_id", "gross_amount", "currency", "occurred_at"
FROM "payroll"."events"
WHERE ("occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
   OR "occurred_at" >= TIMESTAMP '2024-02-03 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-04 00:00:00.000000')
  AND (source = 'payroll')
) AS _old
WHERE NOT EXISTS (SELECT 1 FROM "_backfill_stage_7" AS _new WHERE _new."event_id" = _old."event_id")
) AS _rows
GROUP BY 1, 2
