INSERT INTO "_backfill_known_7" (_known_topic, _known_partition, _first_offset, _last_offset)
VALUES
  ($1, $2::INTEGER, $3::BIGINT, $4::BIGINT),
  ($5, $6::INTEGER, $7::BIGINT, $8::BIGINT)
