CREATE TEMP TABLE "_backfill_met_7_0" AS
SELECT _new."event_id" AS _key1, MAX(_new."occurred_at") AS _at,
  MIN(CASE
    WHEN _old."occurred_at" > _new."occurred_at" OR (_old."occurred_at" IS NOT NULL AND _new."occurred_at" IS NULL) THEN 0
    WHEN _new."occurred_at" > _old."occurred_at" OR (_new."occurred_at" IS NOT NULL AND _old."occurred_at" IS NULL) THEN 3
    WHEN _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _old."_kafka_offset" > _new."_kafka_offset" THEN 0
    WHEN _new."_kafka_topic" = _old."_kafka_topic" AND _new."_kafka_partition" = _old."_kafka_partition" AND _new."_kafka_offset" > _old."_kafka_offset" THEN 3
    WHEN FARMFINGERPRINT64(CASE WHEN _new."event_id" IS NULL THEN '~' ELSE OCTET_LENGTH(_new."event_id")::VARCHAR || ':' || _new."event_id" END || '|' || CASE WHEN _new."gross_amount" IS NULL THEN '~' ELSE _new."gross_amount"::VARCHAR END || '|' || CASE WHEN _new."currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM(_new."currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM(_new."currency"::VARCHAR(3)) END || '|' || CASE WHEN _new."occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', _new."occurred_at")::VARCHAR END || '|' || CASE WHEN JSON_PARSE(_new."details") IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(JSON_PARSE(_new."details")))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(JSON_PARSE(_new."details")))::VARCHAR END || '|') = FARMFINGERPRINT64(CASE WHEN _old."event_id" IS NULL THEN '~' ELSE OCTET_LENGTH(_old."event_id")::VARCHAR || ':' || _old."event_id" END || '|' || CASE WHEN _old."gross_amount" IS NULL THEN '~' ELSE _old."gross_amount"::VARCHAR END || '|' || CASE WHEN _old."currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM(_old."currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM(_old."currency"::VARCHAR(3)) END || '|' || CASE WHEN _old."occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', _old."occurred_at")::VARCHAR END || '|' || CASE WHEN _old."details" IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(_old."details"))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(_old."details"))::VARCHAR END || '|')
     AND FARMFINGERPRINT64('#' || CASE WHEN _new."event_id" IS NULL THEN '~' ELSE OCTET_LENGTH(_new."event_id")::VARCHAR || ':' || _new."event_id" END || '|' || CASE WHEN _new."gross_amount" IS NULL THEN '~' ELSE _new."gross_amount"::VARCHAR END || '|' || CASE WHEN _new."currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM(_new."currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM(_new."currency"::VARCHAR(3)) END || '|' || CASE WHEN _new."occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', _new."occurred_at")::VARCHAR END || '|' || CASE WHEN JSON_PARSE(_new."details") IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(JSON_PARSE(_new."details")))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(JSON_PARSE(_new."details")))::VARCHAR END || '|') = FARMFINGERPRINT64('#' || CASE WHEN _old."event_id" IS NULL THEN '~' ELSE OCTET_LENGTH(_old."event_id")::VARCHAR || ':' || _old."event_id" END || '|' || CASE WHEN _old."gross_amount" IS NULL THEN '~' ELSE _old."gross_amount"::VARCHAR END || '|' || CASE WHEN _old."currency" IS NULL THEN '~' ELSE OCTET_LENGTH(RTRIM(_old."currency"::VARCHAR(3)))::VARCHAR || ':' || RTRIM(_old."currency"::VARCHAR(3)) END || '|' || CASE WHEN _old."occurred_at" IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', _old."occurred_at")::VARCHAR END || '|' || CASE WHEN _old."details" IS NULL THEN '~' ELSE OCTET_LENGTH(JSON_SERIALIZE(_old."details"))::VARCHAR || '#' || FARMFINGERPRINT64(JSON_SERIALIZE(_old."details"))::VARCHAR END || '|') THEN 1
    ELSE 2 END) AS _met
FROM (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "_backfill_stage_7"
WHERE "occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
) AS _new
JOIN (
SELECT "event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset"
FROM "payroll"."events"
WHERE (source = 'payroll')
) AS _old
  ON _new."event_id" = _old."event_id"
GROUP BY 1
