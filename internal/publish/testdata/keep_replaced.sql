INSERT INTO "payroll"."events__backfill_replaced_7" ("event_id", "score", "loaded_at", _backfill_undo_slice, _backfill_undo_side)
SELECT "event_id", "score", "loaded_at", 2, 'replaced'
FROM "payroll"."events"
WHERE "occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
  AND (source = 'payroll')
