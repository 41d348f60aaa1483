INSERT INTO "payroll"."events" ("event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset", "_backfill_run")
SELECT "event_id", "gross_amount", "currency", "occurred_at", JSON_PARSE("details"), "_kafka_topic", "_kafka_partition", "_kafka_offset", 'run''\\1'
FROM "_backfill_stage_7"
WHERE "occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
