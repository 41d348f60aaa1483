SELECT _key1, _key2, COUNT(*), SUM(_total1::DECIMAL(38,2))::VARCHAR, COUNT(_total1)
FROM (
SELECT CASE WHEN "occurred_at" < TIMESTAMP '2024-01-30 00:00:00.000000' THEN NULL
    WHEN "occurred_at" < TIMESTAMP '2024-01-31 00:00:00.000000' THEN 19752
    WHEN "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000' THEN 19753 END AS _key1,
  RTRIM("currency") || '.' AS _key2,
  "gross_amount" AS _total1
FROM (
SELECT _old."event_id" AS "event_id", _old."gross_amount" AS "gross_amount", _old."currency" AS "currency", _old."occurred_at" AS "occurred_at", _old."_kafka_topic" AS "_kafka_topic", _old."_kafka_partition" AS "_kafka_partition", _old."_kafka_offset" AS "_kafka_offset"
FROM (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "payroll"."events"
WHERE ("occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
   OR "occurred_at" >= TIMESTAMP '2024-02-03 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-04 00:00:00.000000')
  AND (source = 'payroll')
) AS _old
LEFT JOIN "_backfill_stage_7" AS _new
  ON _new."event_id" = _old."event_id"
WHERE _new."event_id" IS NULL
  OR CASE
    WHEN _old."occurred_at" > _new."occurred_at" OR (_old."occurred_at" IS NOT NULL AND _new."occurred_at" IS NULL) THEN 1
    WHEN _new."occurred_at" > _old."occurred_at" OR (_new."occurred_at" IS NOT NULL AND _old."occurred_at" IS NULL) THEN 0
    WHEN _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _old."_kafka_offset" > _new."_kafka_offset" THEN 1
    WHEN _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _new."_kafka_offset" > _old."_kafka_offset" THEN 0
    ELSE 0 END = 1
) AS _gone
) AS _rows
GROUP BY 1, 2
