UPDATE "payroll"."events__backfill_verified" SET verified_from = $1::TIMESTAMP, verified_through = $2::TIMESTAMP, also = $3, report = $4, verified_at = GETDATE()
WHERE dataset = $5 AND scope = $6
