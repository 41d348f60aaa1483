SELECT COUNT(*), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', MIN("occurred_at")), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', MAX("occurred_at"))
FROM (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "payroll"."events"
WHERE ("occurred_at" < TIMESTAMP '2024-01-30 00:00:00.000000' OR "occurred_at" >= TIMESTAMP '2024-02-01 00:00:00.000000')
  AND (source = 'payroll')
) AS _old
WHERE EXISTS (SELECT 1 FROM "_backfill_met_7_0" AS _seen WHERE _seen._key1 = _old."event_id" AND _seen._met IN (3) AND _seen._at >= TIMESTAMP '2024-01-30 00:00:00.000000' AND _seen._at < TIMESTAMP '2024-02-01 00:00:00.000000')
