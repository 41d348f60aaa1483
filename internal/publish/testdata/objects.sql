SELECT uri, etag, scope, seq, topic, kafka_partition::BIGINT, first_offset, last_offset
FROM "payroll"."events__backfill_objects"
