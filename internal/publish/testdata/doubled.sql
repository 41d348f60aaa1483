SELECT COUNT(*)
FROM (
SELECT "event_id"
FROM (
SELECT "event_id"
FROM "payroll"."events"
WHERE (source = 'payroll')
) AS _old
WHERE EXISTS (SELECT 1 FROM "_backfill_stage_7" AS _new WHERE _new."event_id" = _old."event_id")
GROUP BY "event_id"
HAVING COUNT(*) > 1
) AS _doubled
