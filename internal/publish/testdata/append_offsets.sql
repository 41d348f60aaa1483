SELECT COUNT(*)
FROM (
SELECT "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM (
SELECT "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "payroll"."events"
) AS _old
WHERE EXISTS (SELECT 1 FROM "_backfill_stage_7" AS _new WHERE _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _new."_kafka_offset" = _old."_kafka_offset")
GROUP BY "_kafka_topic", "_kafka_partition", "_kafka_offset"
HAVING COUNT(*) > 1
) AS _again
