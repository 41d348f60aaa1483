INSERT INTO "payroll"."events__backfill_verified" (verified_from, verified_through, also, report, dataset, scope, verified_at)
VALUES ($1::TIMESTAMP, $2::TIMESTAMP, $3, $4, $5, $6, GETDATE())
