CREATE TEMP TABLE "_backfill_twice_7" AS
SELECT "event_id"
FROM "_backfill_stage_7"
GROUP BY "event_id"
HAVING COUNT(*) > 1
