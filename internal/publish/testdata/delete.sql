DELETE FROM "payroll"."events"
WHERE "occurred_at" >= TIMESTAMP '2024-01-30 00:00:00.000000' AND "occurred_at" < TIMESTAMP '2024-02-01 00:00:00.000000'
  AND (source = 'payroll')
