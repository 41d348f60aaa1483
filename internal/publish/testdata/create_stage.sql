CREATE TEMP TABLE "_backfill_stage_7" (
  "event_id" VARCHAR(36),
  "gross_amount" DECIMAL(18,2),
  "currency" CHAR(3),
  "occurred_at" TIMESTAMP,
  "details" VARCHAR(65535),
  "_kafka_topic" VARCHAR(249),
  "_kafka_partition" INTEGER,
  "_kafka_offset" BIGINT
)
