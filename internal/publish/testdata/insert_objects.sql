INSERT INTO "payroll"."events__backfill_objects" (uri, etag, scope, seq, run_id)
VALUES
  ($1, $2, $5, $6::BIGINT, $7),
  ($3, $4, $5, $6::BIGINT, $7)
