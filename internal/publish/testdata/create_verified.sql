CREATE TABLE IF NOT EXISTS "payroll"."events__backfill_verified" (
  dataset VARCHAR(256) NOT NULL,
  scope VARCHAR(16384) NOT NULL,
  verified_from TIMESTAMP NOT NULL,
  verified_through TIMESTAMP NOT NULL,
  also VARCHAR(65535) NOT NULL,
  report VARCHAR(2048) NOT NULL,
  verified_at TIMESTAMP NOT NULL,
  lowered_at TIMESTAMP,
  lowered_by VARCHAR(256)
);
COMMENT ON TABLE "payroll"."events__backfill_verified" IS 'up to which event time the rows of a dataset tie to the archive; one row per dataset and scope';
COMMENT ON COLUMN "payroll"."events__backfill_verified".dataset IS 'name of the dataset';
COMMENT ON COLUMN "payroll"."events__backfill_verified".scope IS 'rows that the dataset owns: all, or a predicate';
COMMENT ON COLUMN "payroll"."events__backfill_verified".verified_from IS 'start of the first reconciled window, UTC, inclusive';
COMMENT ON COLUMN "payroll"."events__backfill_verified".verified_through IS 'all event times from verified_from to here, exclusive, tie to the archive; UTC';
COMMENT ON COLUMN "payroll"."events__backfill_verified".also IS 'JSON list of reconciled windows beyond a gap, microseconds since 1970; they count when the gap is closed';
COMMENT ON COLUMN "payroll"."events__backfill_verified".report IS 'URI of the report that raised it last';
COMMENT ON COLUMN "payroll"."events__backfill_verified".verified_at IS 'when it was raised last, UTC';
COMMENT ON COLUMN "payroll"."events__backfill_verified".lowered_at IS 'when a change or a break lowered it last, UTC; NULL: never';
COMMENT ON COLUMN "payroll"."events__backfill_verified".lowered_by IS 'what lowered it'
