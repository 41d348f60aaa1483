SELECT dataset, scope, DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', verified_from), DATEDIFF(microsecond, TIMESTAMP '1970-01-01 00:00:00', verified_through), also
FROM "payroll"."events__backfill_verified"
ORDER BY dataset, scope
