DELETE FROM "payroll"."events"
WHERE (source = 'payroll')
  AND EXISTS (
SELECT 1 FROM (SELECT "event_id" AS _id1
FROM "payroll"."events__backfill_replaced_7"
WHERE _backfill_undo_slice = 2 AND _backfill_undo_side = 'written'
) AS _ids WHERE _ids._id1 = "event_id")
