CREATE TEMP TABLE "_backfill_outside_7_1" AS
SELECT _new."event_id" AS _key1, MAX(_new."occurred_at") AS _at,
  MIN(CASE
    WHEN _old."occurred_at" > _new."occurred_at" OR (_old."occurred_at" IS NOT NULL AND _new."occurred_at" IS NULL) THEN 0
    WHEN _new."occurred_at" > _old."occurred_at" OR (_new."occurred_at" IS NOT NULL AND _old."occurred_at" IS NULL) THEN 3
    WHEN _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _old."_kafka_offset" > _new."_kafka_offset" THEN 0
    WHEN _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _new."_kafka_offset" > _old."_kafka_offset" THEN 3
    ELSE 2 END) AS _met
FROM (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "_backfill_stage_7"
) AS _new
JOIN (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "payroll"."events"
WHERE ("occurred_at" < TIMESTAMP '2024-01-30 00:00:00.000000' OR "occurred_at" >= TIMESTAMP '2024-02-01 00:00:00.000000')
  AND (source = 'payroll')
) AS _old
  ON _new."event_id" = _old."event_id"
GROUP BY 1
