SELECT _key1, _key2, _key3, _key4, _key5, COUNT(*), COUNT(_offset), SUM(_offset::DECIMAL(38,0))::VARCHAR, SUM(_lane1::DECIMAL(38,0))::VARCHAR, SUM(_lane2::DECIMAL(38,0))::VARCHAR, SUM(_total1::DECIMAL(38,2))::VARCHAR, COUNT(_total1)
FROM (
SELECT "_kafka_topic" AS _key1,
  "_kafka_partition" AS _key2,
  CASE WHEN "occurred_at" < TIMESTAMP '2024-01-30 00:00:00.000000' THEN NULL
    WHEN "occurred_at" < TIMESTAMP '2024-01-31 00:00:00.000000' THEN 19752
    WHEN "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000' THEN 19753 END AS _key3,
  MOD(FARMFINGERPRINT64(CASE WHEN "event_id" IS NULL THEN '~' ELSE OCTET_LENGTH("event_id")::VARCHAR || ':' || "event_id" END || '|'), 4) AS _key4,
  RTRIM("currency") || '.' AS _key5,
  "_kafka_offset" AS _offset,
  FARMFINGERPRINT64(CASE WHEN "event_id" IS NULL THEN '~' ELSE OCTET_LENGTH("event_id")::VARCHAR || ':' || "event_id" END || '|' || CASE WHEN "gross_amount" IS NULL THEN '~' ELSE "gross_amount"::VARCHAR END || '|' || CASE WHEN "currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM("currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM("currency"::VARCHAR(3)) END || '|' || CASE WHEN "occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', "occurred_at")::VARCHAR END || '|' || CASE WHEN JSON_PARSE("details") IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(JSON_PARSE("details")))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(JSON_PARSE("details")))::VARCHAR END || '|') AS _lane1,
  FARMFINGERPRINT64('#' || CASE WHEN "event_id" IS NULL THEN '~' ELSE OCTET_LENGTH("event_id")::VARCHAR || ':' || "event_id" END || '|' || CASE WHEN "gross_amount" IS NULL THEN '~' ELSE "gross_amount"::VARCHAR END || '|' || CASE WHEN "currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM("currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM("currency"::VARCHAR(3)) END || '|' || CASE WHEN "occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', "occurred_at")::VARCHAR END || '|' || CASE WHEN JSON_PARSE("details") IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(JSON_PARSE("details")))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(JSON_PARSE("details")))::VARCHAR END || '|') AS _lane2,
  "gross_amount" AS _total1
FROM "_backfill_stage_7"
) AS _rows
GROUP BY 1, 2, 3, 4, 5
