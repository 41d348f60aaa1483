CREATE TABLE IF NOT EXISTS "payroll"."events__backfill_objects" (
  uri VARCHAR(4096) NOT NULL,
  etag VARCHAR(256) NOT NULL,
  scope VARCHAR(16384) NOT NULL,
  seq BIGINT NOT NULL,
  run_id VARCHAR(64) NOT NULL,
  loaded_at TIMESTAMP NOT NULL DEFAULT GETDATE(),
  topic VARCHAR(249) DEFAULT NULL,
  kafka_partition INTEGER DEFAULT NULL,
  first_offset BIGINT DEFAULT NULL,
  last_offset BIGINT DEFAULT NULL
);
COMMENT ON TABLE "payroll"."events__backfill_objects" IS 'archived objects, and ranges of offsets, that appends have loaded';
COMMENT ON COLUMN "payroll"."events__backfill_objects".uri IS 'archived object';
COMMENT ON COLUMN "payroll"."events__backfill_objects".etag IS 'its ETag as it was loaded';
COMMENT ON COLUMN "payroll"."events__backfill_objects".scope IS 'rows that the dataset owns: all, or a predicate';
COMMENT ON COLUMN "payroll"."events__backfill_objects".seq IS 'plan that loaded it';
COMMENT ON COLUMN "payroll"."events__backfill_objects".run_id IS 'run of the plan';
COMMENT ON COLUMN "payroll"."events__backfill_objects".loaded_at IS 'when, UTC';
COMMENT ON COLUMN "payroll"."events__backfill_objects".topic IS 'of its records; NULL: their offsets are not proven, and the object alone is known';
COMMENT ON COLUMN "payroll"."events__backfill_objects".kafka_partition IS 'of its records';
COMMENT ON COLUMN "payroll"."events__backfill_objects".first_offset IS 'first offset of a range of which the object held every one, or another object of the same load';
COMMENT ON COLUMN "payroll"."events__backfill_objects".last_offset IS 'last offset of the range, inclusive'
