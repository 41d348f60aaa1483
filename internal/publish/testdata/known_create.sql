CREATE TEMP TABLE "_backfill_known_7" (
  _known_topic VARCHAR(249),
  _known_partition INTEGER,
  _first_offset BIGINT,
  _last_offset BIGINT
)
