CREATE TABLE "payroll"."events__backfill_replaced_7" (LIKE "payroll"."events");
ALTER TABLE "payroll"."events__backfill_replaced_7" ADD COLUMN _backfill_undo_slice INTEGER;
ALTER TABLE "payroll"."events__backfill_replaced_7" ADD COLUMN _backfill_undo_side VARCHAR(8)
