package redshiftd

import "time"

// refused is what Redshift refuses, row by row. Row 1 is in the test of logins, row 7 by parameters in the test of the
// extended protocol.
var refused = []conform{
	{row: "9.3.2 standard_conforming_strings", steps: "SET standard_conforming_strings = on", code: "42704", text: `unrecognized configuration parameter "standard_conforming_strings"`},
	{row: "9.3.3 REGION", steps: "COPY ok FROM @m REGION 'eu-west-1'", code: "0A000", text: "REGION argument is not supported for PARQUET based COPY"},
	{row: "9.3.4 TRUNCATECOLUMNS", steps: "COPY ok FROM @m TRUNCATECOLUMNS", code: "0A000", text: "TRUNCATECOLUMNS argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 MAXERROR", steps: "COPY ok FROM @m MAXERROR 5", code: "0A000", text: "MAXERROR argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 ACCEPTANYDATE", steps: "COPY ok FROM @m ACCEPTANYDATE", code: "0A000", text: "ACCEPTANYDATE argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 COMPUPDATE", steps: "COPY ok FROM @m COMPUPDATE OFF", code: "0A000", text: "COMPUPDATE argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 NOLOAD", steps: "COPY ok FROM @m NOLOAD", code: "0A000", text: "NOLOAD argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 GZIP", steps: "COPY ok FROM @m GZIP", code: "0A000", text: "GZIP argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 DELIMITER", steps: "COPY ok FROM @m DELIMITER ','", code: "0A000", text: "DELIMITER argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 IGNOREHEADER", steps: "COPY ok FROM @m IGNOREHEADER 1", code: "0A000", text: "IGNOREHEADER argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 NULL AS", steps: "COPY ok FROM @m NULL AS ''", code: "0A000", text: "NULL argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 COMPROWS", steps: "COPY ok FROM @m COMPROWS 9", code: "0A000", text: "COMPROWS argument is not supported for PARQUET based COPY"},
	{row: "9.3.5 IGNOREALLERRORS", steps: "COPY ok FROM @m IGNOREALLERRORS", code: "0A000", text: "IGNOREALLERRORS argument is not supported for PARQUET based COPY"},
	{row: "9.3.6 no credentials", steps: "COPY ok FROM 's3://lake/m.json' PARQUET MANIFEST", code: "42601", text: "credentials"},
	{row: "9.3.6 two credentials", steps: "COPY ok FROM @m CREDENTIALS 'aws_iam_role=x'", code: "42601", text: "credentials"},
	{row: "9.3.7 a parameter", steps: "COPY ok FROM $1", code: "42601", text: `syntax error at or near "$1"`},
	{row: "9.3.8 role not associated", steps: "COPY ok FROM 's3://lake/m.json' IAM_ROLE 'arn:aws:iam::1:role/x' PARQUET MANIFEST", code: "XX000", text: "is not authorized to assume IAM Role arn:aws:iam::1:role/x"},
	{row: "9.3.9 403", steps: "COPY ok FROM @denied", code: "XX000", text: "S3ServiceException:Access Denied,Status 403,Error AccessDenied"},
	{row: "9.3.9 404", steps: "COPY ok FROM @gone", code: "XX000", text: "Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"},
	{row: "9.3.9 301", steps: "COPY ok FROM @moved", code: "XX000", text: "Status 301,Error PermanentRedirect"},
	{row: "9.3.10 bucket elsewhere", steps: "COPY ok FROM @moved", code: "XX000", text: "S3ServiceException:The bucket you are attempting to access must be addressed using the specified endpoint"},
	{row: "9.3.11 no meta", steps: "COPY ok FROM @nometa", code: "XX000", text: "File entry does not have 'meta' key."},
	{row: "9.3.11 its code", steps: "COPY ok FROM @nometa", code: "XX000", text: "code:      15003"},
	{row: "9.3.12 a mandatory file", steps: "COPY ok FROM @mandatory", code: "XX000", text: "File not found"},
	{row: "9.3.13 none of the files", steps: "COPY ok FROM @none", code: "XX000", text: "None of the files in the manifest exist"},
	{row: "9.3.13 a prefix without match", steps: "COPY ok FROM @nothing/", text: "INFO:  00000:  Load into table 'ok' completed, 0 record(s) loaded successfully.\nCOPY"},
	{row: "9.3.14 content_length", steps: "COPY ok FROM @size", code: "XX000", text: "its manifest entry says 7 (stand-in strictness)"},
	{row: "9.3.15 column count", steps: "COPY narrow FROM @m", code: "XX000", text: "Unmatched number of columns between table and file. Table columns: 1, Data columns: 2, File name: https://s3.eu-west-1.amazonaws.com/lake/part-0.parquet"},
	{row: "9.3.15 its code", steps: "COPY narrow FROM @m", code: "XX000", text: "code:      15007"},
	{row: "9.3.15 fewer columns", steps: "COPY ok FROM @column/", code: "XX000", text: "Table columns: 2, Data columns: 1"},
	{row: "9.3.16 INT32 into BIGINT", steps: "COPY big FROM @m", code: "XX000", text: "has an incompatible Parquet schema for column 's3://lake/part-0.parquet.a'. Column type: BIGINT, Parquet schema:\nrequired int32 a"},
	{row: "9.3.16 INT64 into INTEGER", steps: "COPY one FROM @int64/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 INT64 into SMALLINT", steps: "CREATE TABLE x (v SMALLINT); COPY x FROM @int64/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 DOUBLE into DECIMAL", steps: "COPY dec FROM @double/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 INT64 into DECIMAL", steps: "COPY dec FROM @int64/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 FLOAT into DOUBLE PRECISION", steps: "CREATE TABLE x (v FLOAT8); COPY x FROM @float/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 DOUBLE into REAL", steps: "CREATE TABLE x (v REAL); COPY x FROM @double/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 STRING into DATE", steps: "CREATE TABLE x (v DATE); COPY x FROM @string/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.16 INT64 into VARCHAR", steps: "CREATE TABLE x (v VARCHAR(9)); COPY x FROM @int64/", code: "XX000", text: "Column type: VARCHAR, Parquet schema:\nrequired int64 v"},
	{row: "9.3.16 bytes into VARCHAR", steps: "CREATE TABLE x (v VARCHAR(9)); COPY x FROM @bytes/", code: "XX000", text: "incompatible Parquet schema"},
	{row: "9.3.17 length of a fixed decimal", steps: "COPY dec FROM @fixed/", code: "XX000", text: "column 'v' has an invalid type length. Expecting: 8 len in file: 13"},
	{row: "9.3.17 its code", steps: "COPY dec FROM @fixed/", code: "XX000", text: "code:      15001"},
	{row: "9.3.18 VARCHAR in bytes", steps: "COPY short FROM @m", code: "XX000", text: "The length of the data column b is longer than the length defined in the table. Table: 2, Data: 4, File name: https://s3."},
	{row: "9.3.19 NULL into NOT NULL", steps: "COPY must FROM @null/", code: "XX000", text: "Cannot insert a NULL value into column a"},
	{row: "9.3.19 its code", steps: "COPY must FROM @null/", code: "XX000", text: "code:      8007"},
	{row: "9.3.20 NOT NULL not listed", steps: "COPY must (b) FROM @m", code: "42601", text: "NOT NULL column without DEFAULT must be included in column list"},
	{row: "9.3.21 SUPER", steps: "COPY super FROM @m", code: "XX000", text: "SUPER column in COPY query requires SERIALIZETOJSON option"},
	{row: "9.3.22 long SUPER string", steps: "COPY super FROM @huge/ SERIALIZETOJSON", code: "XX000", text: "String value exceeds the max size of 65535 bytes"},
	{row: "9.3.22 its code", steps: "COPY super FROM @huge/ SERIALIZETOJSON", code: "XX000", text: "code:      1224"},
	{row: "9.3.23 data page V2", steps: "COPY ok FROM @v2/", code: "XX000", text: "data page version 2 is not supported (stand-in strictness)"},
	{row: "9.3.23 DELTA_BINARY_PACKED", steps: "COPY ok FROM @delta/", code: "XX000", text: "DELTA_BINARY_PACKED is not supported (stand-in strictness)"},
	{row: "9.3.23 DELTA_LENGTH_BYTE_ARRAY", steps: "COPY ok FROM @deltal/", code: "XX000", text: "DELTA_LENGTH_BYTE_ARRAY is not supported (stand-in strictness)"},
	{row: "9.3.23 DELTA_BYTE_ARRAY", steps: "COPY ok FROM @deltab/", code: "XX000", text: "DELTA_BYTE_ARRAY is not supported (stand-in strictness)"},
	{row: "9.3.23 BYTE_STREAM_SPLIT", steps: "CREATE TABLE x (v FLOAT8); COPY x FROM @split/", code: "XX000", text: "BYTE_STREAM_SPLIT is not supported (stand-in strictness)"},
	{row: "9.3.23 BROTLI", steps: "COPY ok FROM @brotli/", code: "XX000", text: "BROTLI is not supported (stand-in strictness)"},
	{row: "9.3.23 LZ4", steps: "COPY ok FROM @lz4/", code: "XX000", text: "LZ4_RAW is not supported (stand-in strictness)"},
	{row: "9.3.23 TIMESTAMP(NANOS)", steps: "CREATE TABLE x (v TIMESTAMP); COPY x FROM @nanos/", code: "XX000", text: "(stand-in strictness)"},
	{row: "9.3.23 TIME", steps: "COPY big (a) FROM @time/", code: "XX000", text: "(stand-in strictness)"},
	{row: "9.3.23 UUID", steps: "CREATE TABLE x (v VARCHAR(36)); COPY x FROM @uuid/", code: "XX000", text: "(stand-in strictness)"},
	{row: "9.3.23 not Parquet", steps: "COPY ok FROM @text/", code: "XX000", text: "has an invalid version number"},
	{row: "9.3.24 ON CONFLICT", steps: "INSERT INTO ok (a) VALUES (1) ON CONFLICT DO NOTHING", code: "42601", text: `syntax error at or near "ON"`},
	{row: "9.3.24 RETURNING", steps: "DELETE FROM ok RETURNING a", code: "42601", text: `syntax error at or near "RETURNING"`},
	{row: "9.3.24 SERIAL", steps: "CREATE TABLE x (a SERIAL)", code: "42704", text: `type "serial" does not exist`},
	{row: "9.3.24 DISTINCT ON", steps: "SELECT DISTINCT ON (a) a FROM ok", code: "42601", text: `syntax error at or near "ON"`},
	{row: "9.3.24 arrays", steps: "SELECT ARRAY[1]", code: "42601", text: `syntax error at or near "ARRAY"`},
	{row: "9.3.24 ::jsonb", steps: "SELECT '{}'::jsonb", code: "42704", text: `type "jsonb" does not exist`},
	{row: "9.3.24 E''", steps: "SELECT E'x'", code: "42704", text: `type "e" does not exist`},
	{row: "9.3.24 SAVEPOINT", steps: "BEGIN; SAVEPOINT x", code: "0A000", text: `"SAVEPOINT"`},
	{row: "9.3.24 COPY FROM STDIN", steps: "COPY ok FROM STDIN", code: "42601", text: `syntax error at or near "STDIN"`},
	{row: "9.3.24 writable CTE", steps: "WITH x AS (UPDATE ok SET a = 1) SELECT 1", code: "42601", text: `syntax error at or near "UPDATE"`},
	{row: "9.3.24 FILTER", steps: "SELECT COUNT(*) FILTER (WHERE a = 1) FROM ok", code: "42601", text: "syntax error"},
	{row: "9.3.25 leader node", steps: "SELECT now() FROM ok", code: "0A000", text: "Specified types or functions (one per INFO message) not supported on Redshift tables."},
	{row: "9.3.25 its INFO", steps: "SELECT now() FROM ok", code: "0A000", text: `INFO:  00000: Function "now()" not supported.`},
	{row: "9.3.25 GENERATE_SERIES", steps: "SELECT * FROM generate_series(1, 3), ok", code: "0A000", text: "Specified types or functions"},
	{row: "9.3.26 MERGE with an alias", steps: "MERGE INTO ok AS t USING two ON t.a = two.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (a) VALUES (two.a)", code: "42601", text: `syntax error at or near "AS"`},
	{row: "9.3.26 MERGE with AND", steps: "MERGE INTO ok USING two ON ok.a = two.a WHEN MATCHED AND ok.a > 1 THEN DELETE WHEN NOT MATCHED THEN INSERT (a) VALUES (two.a)", code: "42601", text: `syntax error at or near "AND"`},
	{row: "9.3.26 MERGE with one WHEN", steps: "MERGE INTO ok USING two ON ok.a = two.a WHEN MATCHED THEN DELETE", code: "0A000", text: "MERGE statement with a single WHEN clause is not enabled."},
	{row: "9.3.27 MERGE with several matches", steps: "MERGE INTO one USING two ON one.a = two.a WHEN MATCHED THEN UPDATE SET a = 3 WHEN NOT MATCHED THEN INSERT VALUES (1)", code: "XX000", text: "Found multiple matches to update the same tuple."},
	{row: "9.3.28 ALTER TABLE APPEND", steps: "BEGIN; ALTER TABLE ok APPEND FROM empty", code: "25001", text: "ALTER TABLE APPEND cannot run inside a transaction block"},
	{row: "9.3.28 VACUUM", steps: "BEGIN; VACUUM", code: "25001", text: "VACUUM cannot run inside a transaction block"},
	{row: "9.3.28 ALTER COLUMN TYPE", steps: "BEGIN; ALTER TABLE ok ALTER COLUMN b TYPE VARCHAR(99)", code: "25001", text: "ALTER TABLE ALTER COLUMN cannot run inside a transaction block"},
	{row: "9.3.29 aborted block", steps: "BEGIN; SELECT nope; SELECT 1", code: "25P02", text: "current transaction is aborted, commands ignored until end of transaction block"},
	{row: "9.3.30 COPY against a concurrent write", profile: Provisioned, steps: "BEGIN; SELECT COUNT(*) FROM ok; b: COPY ok FROM @m; COPY ok FROM @m", code: "XX000", text: "1023"},
	{row: "9.3.30 its Detail", profile: Provisioned, steps: "BEGIN; SELECT COUNT(*) FROM ok; b: COPY ok FROM @m; COPY ok FROM @m", code: "XX000", text: "Serializable isolation violation on table - 1"},
	{row: "9.3.31 deadlock", steps: "BEGIN; LOCK one; b: BEGIN; b: LOCK two; b& LOCK one; LOCK two", code: "40P01", text: "deadlock detected"},
	{row: "9.3.32 statement_timeout", steps: "INSERT INTO two SELECT x.a FROM two x, two y, two z; INSERT INTO two SELECT x.a FROM two x, two y, two z; SET statement_timeout TO 30; SELECT COUNT(*) FROM two x, two y, two z WHERE x.a + y.a + z.a = 7", code: "57014", text: ") canceled on user's request"},
	{row: "9.3.32 statement_timeout counts waiting", steps: "b: BEGIN; b: LOCK ok; SET statement_timeout TO 30; SELECT * FROM ok", code: "57014", text: ") canceled on user's request"},
	{row: "9.3.32 CancelRequest", steps: "b: BEGIN; b: LOCK ok; a& SELECT * FROM ok; a!; a?", code: "57014", text: "on user's request"},
	{row: "9.3.33 too long", steps: "INSERT INTO short (b) VALUES ('abc')", code: "22001", text: "value too long for type character varying(2)"},
	{row: "9.3.33 too long in bytes", steps: "INSERT INTO short (b) VALUES ('éa')", code: "22001", text: "value too long for type character varying(2)"},
	{row: "9.3.33 bad literal", steps: "INSERT INTO ok (a) VALUES ('x')", code: "22P02", text: `invalid input syntax for integer: "x"`},
	{row: "9.3.34 VARCHAR(n)", steps: "CREATE TABLE x (v VARCHAR(65536))", code: "22023", text: "length for type character varying cannot exceed 65535"},
	{row: "9.3.34 CHAR(n)", steps: "CREATE TABLE x (v CHAR(4097))", code: "22023", text: "length for type character cannot exceed 4096"},
	{row: "9.3.34 DECIMAL(p)", steps: "CREATE TABLE x (v DECIMAL(39))", code: "22023", text: "39"},
	{row: "9.3.35 stl_*", steps: "SELECT * FROM stl_load_errors", code: "42501", text: "permission denied for relation stl_load_errors"},
	{row: "9.3.35 stv_*", steps: "SELECT * FROM stv_slices", code: "42501", text: "permission denied for relation stv_slices"},
	{row: "9.3.36 DEALLOCATE ALL", steps: "DEALLOCATE ALL", code: "42601", text: `syntax error at or near "ALL"`},
	{row: "9.3.36 pg_enum", steps: "SELECT * FROM pg_enum", code: "42P01", text: `relation "pg_enum" does not exist`},
	{row: "9.3.36 regtype", steps: "SELECT 'integer'::regtype::varchar", code: "42846", text: "cannot cast type regtype to character varying"},
	{row: "9.3.36 pg_advisory_lock", steps: "SELECT pg_advisory_lock(1)", code: "42883", text: "function pg_advisory_lock(integer) does not exist"},
	{row: "9.3.36 pg_sleep", steps: "SELECT pg_sleep(1)", code: "42883", text: "function pg_sleep(integer) does not exist"},
}

// blockedCopy is a load in a transaction.
const blockedCopy = "BEGIN; COPY ok FROM @m; COMMIT"

// faults are what a client suffers, and what became of the rows.
var faults = []conform{
	{row: "9.4 (a) lost before COPY", steps: "COPY ok FROM @m", fault: at("COPY", Before, Cut), code: "lost", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 (b) lost during COPY in a block", steps: blockedCopy, fault: at("COPY", During, Cut), code: "lost", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 (b) lost after COPY in a block", steps: "BEGIN; COPY ok FROM @m", fault: at("COPY", After, Cut), code: "lost", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 (c) lost during an autocommit COPY, which commits", steps: "COPY ok FROM @m", fault: at("COPY", During, Cut), code: "lost", then: "SELECT COUNT(*) FROM ok => 1"},
	{row: "9.4 (d) lost after COMMIT", steps: blockedCopy, fault: at("COMMIT", After, Cut), code: "lost", then: "SELECT COUNT(*) FROM ok => 1"},
	{row: "9.4 lost before COMMIT", steps: blockedCopy, fault: at("COMMIT", Before, Cut), code: "lost", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 1023", steps: "BEGIN; COPY ok FROM @m", fault: at("COPY", Before, Conflict), code: "XX000", text: "Serializable isolation violation on table - ", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 1023 at COMMIT", steps: blockedCopy, fault: at("COMMIT", Before, Conflict), code: "XX000", text: "1023", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 40P01", steps: "BEGIN; DELETE FROM two", fault: at("DELETE", Before, Deadlock), code: "40P01", text: "deadlock detected", then: "SELECT COUNT(*) FROM two => 2"},
	{row: "9.4 Retries exceeded", steps: "COPY ok FROM @m", fault: at("COPY", During, RetriesExceeded), code: "XX000", text: "Retries exceeded", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 SlowDown", steps: "COPY ok FROM @m", fault: at("COPY", During, Throttled), code: "XX000", text: "Access throttled by S3. Error: SlowDown", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 expired credentials", steps: "COPY ok FROM @m", fault: at("COPY", Before, ExpiredToken), code: "XX000", text: "Error ExpiredToken", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 COPY loads twice", steps: "COPY ok FROM @m", fault: at("COPY", Before, LoadTwice), text: "~ 2 record(s) loaded", then: "SELECT COUNT(*) FROM ok => 2"},
	{row: "9.4 duplicate manifest entry", steps: "COPY ok FROM @twice", text: "~ 2 record(s) loaded", then: "SELECT COUNT(*) FROM ok => 2"},
	{row: "9.4 COPY slower than statement_timeout", steps: "SET statement_timeout TO 20; COPY ok FROM @m", fault: held("COPY", During), code: "57014", text: "canceled", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 sys_load_* lag", steps: "COPY ok FROM @m; SELECT COUNT(*), (SELECT COUNT(*) FROM sys_load_history WHERE query_id = pg_last_copy_id()) FROM ok", fault: at("COPY", Before, LagViews(time.Hour)), text: "1|0"},
	{row: "9.4 end of the session", steps: "BEGIN; COPY ok FROM @m", fault: at("COPY", After, Shutdown), code: "57P01", text: "terminating connection due to administrator command", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 Disk Full", steps: "INSERT INTO ok (a) VALUES (1)", fault: at("INSERT", After, DiskFull), code: "XX000", text: "Disk Full", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 resize", steps: "INSERT INTO ok (a) VALUES (1)", fault: at("INSERT", Before, Resize), code: "XX000", text: "system is in resize mode", then: "SELECT COUNT(*) FROM ok => 0"},
	{row: "9.4 canceled by an administrator", steps: "INSERT INTO ok (a) VALUES (1)", fault: at("INSERT", Before, Canceled), code: "57014", text: "cancelled on user's request", then: "SELECT COUNT(*) FROM ok => 0"},
}

// at gives an action at every operation of a kind and phase.
func at(kind string, phase Phase, action Action) func(Op) Action {
	return func(op Op) Action {
		if op.Kind == kind && op.Phase == phase {
			return action
		}
		return Continue
	}
}

// held holds every operation of a kind in a phase until it is given up.
func held(kind string, phase Phase) func(Op) Action {
	return func(op Op) Action {
		if op.Kind == kind && op.Phase == phase {
			<-op.Done
		}
		return Continue
	}
}
