SELECT uri, etag, scope, seq
FROM "payroll"."events__backfill_objects"
