INSERT INTO "payroll"."events__backfill_objects" (uri, etag, topic, kafka_partition, first_offset, last_offset, scope, seq, run_id)
VALUES
  ($1, $2, $3, $4::INTEGER, $5::BIGINT, $6::BIGINT, $13, $14::BIGINT, $15),
  ($7, $8, $9, $10::INTEGER, $11::BIGINT, $12::BIGINT, $13, $14::BIGINT, $15)
