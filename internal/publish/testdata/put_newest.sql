INSERT INTO "_backfill_stage_7" ("event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset")
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "_backfill_newest_7"
