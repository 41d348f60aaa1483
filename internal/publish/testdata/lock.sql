LOCK TABLE "payroll"."events__backfill_ledger"
