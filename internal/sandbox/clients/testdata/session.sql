-- What psql is asked to do. Run with -X -A -t; :create, :manifest, :role and :columns are set from outside.
\set VERBOSITY verbose
\pset null null
SELECT current_user;
:create;
COPY everything FROM :'manifest' IAM_ROLE :'role' FORMAT AS PARQUET MANIFEST SERIALIZETOJSON;
\echo tag :ROW_COUNT of COPY
SELECT pg_last_copy_count();
SELECT * FROM everything ORDER BY id;
SELECT id, amount * 2, huge / 2, at, doc FROM everything WHERE id = 1 \gdesc
BEGIN;
DELETE FROM everything WHERE id < 3;
SELECT COUNT(*) FROM everything;
ROLLBACK;
SELECT COUNT(*) FROM everything;
BEGIN;
SELECT nothing FROM everything;
SELECT 1;
COMMIT;
COPY everything FROM :'manifest' IAM_ROLE :'role' FORMAT AS PARQUET MANIFEST;
COPY everything FROM :'manifest' IAM_ROLE :'role' FORMAT AS PARQUET MANIFEST TRUNCATECOLUMNS;
SELECT 'it''s a \\ ' || name FROM everything WHERE id = 3;
\errverbose
