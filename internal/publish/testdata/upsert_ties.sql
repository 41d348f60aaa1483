SELECT COUNT(*)
FROM (
SELECT _top."event_id" AS "event_id", _top."gross_amount" AS "gross_amount", _top."currency" AS "currency", _top."occurred_at" AS "occurred_at"
FROM "_backfill_newest_7" AS _top
JOIN "_backfill_stage_7" AS _row
  ON _row."event_id" = _top."event_id" AND (_row."occurred_at" = _top."occurred_at" OR (_row."occurred_at" IS NULL AND _top."occurred_at" IS NULL))
WHERE _row."_kafka_topic" <> _top."_kafka_topic" OR _row."_kafka_partition" <> _top."_kafka_partition"
GROUP BY 1, 2, 3, 4
) AS _ties
