INSERT INTO "payroll"."events" ("event_id", "score", "loaded_at")
SELECT "event_id", "score", "loaded_at"
FROM "payroll"."events__backfill_replaced_7"
WHERE _backfill_undo_slice = 2 AND _backfill_undo_side = 'replaced'
