INSERT INTO "payroll"."events__backfill_replaced_7" ("event_id", "score", "loaded_at", _backfill_undo_slice, _backfill_undo_side)
SELECT "event_id", "score", "loaded_at", 0, 'written'
FROM "payroll"."events"
WHERE EXISTS (
SELECT 1 FROM (SELECT "_kafka_topic" AS _id1, "_kafka_partition" AS _id2, "_kafka_offset" AS _id3
FROM "_backfill_stage_7"
) AS _ids WHERE _ids._id1 = "_kafka_topic" AND _ids._id2 = "_kafka_partition" AND _ids._id3 = "_kafka_offset")
  AND "_backfill_run" = 'run1'
