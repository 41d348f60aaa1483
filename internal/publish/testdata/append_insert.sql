INSERT INTO "payroll"."events" ("event_id", "gross_amount", "currency", "occurred_at", "details", "source")
SELECT "event_id", "gross_amount", "currency", "occurred_at", JSON_PARSE("details"), "source"
FROM "_backfill_stage_7"
