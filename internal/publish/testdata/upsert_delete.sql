DELETE FROM "payroll"."events"
USING "_backfill_met_7_0"
WHERE "_backfill_met_7_0"._key1 = "events"."event_id"
  AND "_backfill_met_7_0"._met = 3
  AND (source = 'payroll')
