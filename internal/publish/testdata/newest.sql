CREATE TEMP TABLE "_backfill_newest_7" AS
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset",
  ROW_NUMBER() OVER (
    PARTITION BY "event_id"
    ORDER BY "occurred_at" DESC NULLS LAST,
      "_kafka_topic",
      "_kafka_partition",
      "_kafka_offset" DESC NULLS LAST,
      FARMFINGERPRINT64(CASE WHEN "event_id" IS NULL THEN '~' ELSE OCTET_LENGTH("event_id")::VARCHAR || ':' || "event_id" END || '|' || CASE WHEN "gross_amount" IS NULL THEN '~' ELSE "gross_amount"::VARCHAR END || '|' || CASE WHEN "currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM("currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM("currency"::VARCHAR(3)) END || '|' || CASE WHEN "occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', "occurred_at")::VARCHAR END || '|' || CASE WHEN "details" IS NULL THEN '~' ELSE OCTET_LENGTH("details")::VARCHAR || '#' || FARMFINGERPRINT64("details")::VARCHAR END || '|'),
      FARMFINGERPRINT64('#' || CASE WHEN "event_id" IS NULL THEN '~' ELSE OCTET_LENGTH("event_id")::VARCHAR || ':' || "event_id" END || '|' || CASE WHEN "gross_amount" IS NULL THEN '~' ELSE "gross_amount"::VARCHAR END || '|' || CASE WHEN "currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM("currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM("currency"::VARCHAR(3)) END || '|' || CASE WHEN "occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', "occurred_at")::VARCHAR END || '|' || CASE WHEN "details" IS NULL THEN '~' ELSE OCTET_LENGTH("details")::VARCHAR || '#' || FARMFINGERPRINT64("details")::VARCHAR END || '|')
  ) AS _rank
FROM "_backfill_stage_7" AS _row
WHERE EXISTS (SELECT 1 FROM "_backfill_twice_7" AS _twice WHERE _twice."event_id" = _row."event_id")
) AS _ranked
WHERE _rank = 1
