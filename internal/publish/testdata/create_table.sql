CREATE TABLE "payroll"."events" (
  "event_id" VARCHAR(36) NOT NULL,
  "gross_amount" DECIMAL(18,2),
  "currency" CHAR(3),
  "occurred_at" TIMESTAMP NOT NULL,
  "details" SUPER,
  "source" VARCHAR(16) NOT NULL,
  "_kafka_topic" VARCHAR(249),
  "_kafka_partition" INTEGER,
  "_kafka_offset" BIGINT,
  "_backfill_run" VARCHAR(64)
)
DISTKEY ("event_id")
SORTKEY ("occurred_at");
-- add the columns of not_loaded with their types and defaults: loaded_at
