COPY "_backfill_stage_7" ("event_id", "gross_amount", "currency", "occurred_at", "details", "_kafka_topic", "_kafka_partition", "_kafka_offset")
FROM 's3://lake/backfill/manifest.json'
IAM_ROLE 'arn:aws:iam::123456789012:role/redshift-copy'
FORMAT AS PARQUET
MANIFEST
