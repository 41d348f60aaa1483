DELETE FROM "_backfill_stage_7"
USING "_backfill_twice_7"
WHERE "_backfill_stage_7"."event_id" = "_backfill_twice_7"."event_id"
