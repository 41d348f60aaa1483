SELECT COUNT(*)
FROM "_backfill_stage_7" AS _new
WHERE "occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
  AND NOT EXISTS (SELECT 1 FROM "_backfill_outside_7_1" AS _seen WHERE _seen._key1 = _new."event_id" AND _seen._met IN (0))
