SELECT COUNT(*)
FROM "_backfill_stage_7" AS _new
LEFT JOIN "_backfill_known_7" AS _known
  ON _known._known_topic = _new."_kafka_topic" AND _known._known_partition = _new."_kafka_partition" AND _new."_kafka_offset" BETWEEN _known._first_offset AND _known._last_offset
WHERE _known._known_topic IS NULL
