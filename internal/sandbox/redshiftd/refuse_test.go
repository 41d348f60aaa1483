package redshiftd

import (
	"strings"
	"testing"
)

// TestRefused lists SQL that Redshift does not have, or that is not modelled, with SQLSTATE and a part of the message.
func TestRefused(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE t (a INT, v VARCHAR(3), n INT NOT NULL, c CHAR(2), s SUPER, b BOOLEAN)", "CREATE TABLE i (id BIGINT IDENTITY(1,1), v VARCHAR(3))")
	for _, tt := range []struct{ sql, code, text string }{
		{"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "42601", `syntax error at or near "ON"`},
		{"INSERT INTO t (a,n) VALUES (1,1) RETURNING a", "42601", `syntax error at or near "RETURNING"`},
		{"SELECT DISTINCT ON (a) a FROM t", "42601", `syntax error at or near "ON"`},
		{"SELECT ARRAY[1,2]", "42601", `syntax error at or near "ARRAY"`},
		{"SELECT a[1] FROM t", "42601", `syntax error at or near "["`},
		{"SELECT '{}'::jsonb", "42704", `type "jsonb" does not exist`},
		{"SELECT 'x'::uuid", "42704", `type "uuid" does not exist`},
		{"SELECT E'a'", "42704", `type "e" does not exist`},
		{"SAVEPOINT x", "0A000", ""},
		{"CREATE TABLE x (a SERIAL)", "42704", `type "serial" does not exist`},
		{"CREATE TABLE x (a INT[])", "42601", ""},
		{"CREATE TABLE x (a INT CHECK (a > 0))", "42601", ""},
		{"CREATE TABLE x (ctid INT)", "42701", ""},
		{"CREATE INDEX i ON t (a)", "42601", ""},
		{"CREATE TABLE x (v VARCHAR(65536))", "22023", ""},
		{"CREATE TABLE x (v CHAR(4097))", "22023", ""},
		{"CREATE TABLE x (v DECIMAL(39,0))", "22023", ""},
		{"CREATE TABLE t (a INT)", "42P07", `relation "t" already exists`},
		{"CREATE TABLE no.t (a INT)", "3F000", ""},
		{"SELECT COUNT(*) FILTER (WHERE a = 1) FROM t", "42601", ""},
		{"SELECT * FROM t, LATERAL (SELECT 1) x", "42601", `syntax error at or near "LATERAL"`},
		{"SELECT * FROM generate_series(1,3)", "0A000", "Specified types or functions (one per INFO message) not supported on Redshift tables."},
		{"SELECT now() FROM t", "0A000", "Specified types or functions"},
		{"SELECT a IS DISTINCT FROM 1 FROM t", "42601", ""},
		{"WITH x AS (DELETE FROM t) SELECT 1", "42601", ""},
		{"VALUES (1)", "42601", ""},
		{"SELECT * FROM (VALUES (1)) x", "42601", ""},
		{"SELECT string_agg(v, ',') FROM t", "42883", "function string_agg(character varying, unknown) does not exist"},
		{"SELECT array_agg(a) FROM t", "42883", ""},
		{"SELECT pg_sleep(1)", "42883", ""},
		{"SELECT pg_advisory_lock(1)", "42883", ""},
		{"SELECT read_parquet('x')", "42883", ""},
		{"SELECT * FROM read_parquet('x')", "42601", ""},
		{"SELECT list_value(1)", "42883", ""},
		{"SELECT {'a': 1}", "42601", ""},
		{"SELECT * EXCLUDE (a) FROM t", "42601", ""},
		{"FROM t", "42601", ""},
		{"PRAGMA version", "42601", ""},
		{"ATTACH 'x'", "42601", ""},
		{"INSTALL httpfs", "42601", ""},
		{"COPY t TO 's3://x/y'", "42601", ""},
		{"SELECT a FROM t GROUP BY ALL", "42601", ""},
		{"SELECT x -> x", "42601", ""},
		{"SELECT a // 2 FROM t", "42601", ""},
		{"SELECT * FROM rs_internal.tables", "3F000", ""},
		{"SELECT * FROM duckdb_tables", "42P01", ""},
		{"SELECT * FROM pg_enum", "42P01", ""},
		{"SELECT * FROM stl_load_errors", "42501", "permission denied for relation stl_load_errors"},
		{"DEALLOCATE ALL", "42601", ""},
		{"SHOW TABLES FROM SCHEMA dev.public", "0A000", "SHOW TABLES is not supported (stand-in strictness)"},
		{"SET standard_conforming_strings = on", "42704", `unrecognized configuration parameter "standard_conforming_strings"`},
		{"SET timezone TO 'Nowhere/Else'", "22023", "unrecognized time zone name: \"Nowhere/Else\""},
		{"SELECT regexp_replace('a','b','c')", "0A000", "(stand-in strictness)"},
		{"SELECT nope FROM t", "42703", `column "nope" does not exist`},
		{"SELECT x.a FROM t", "42P01", `missing FROM-clause entry for table "x"`},
		{"SELECT a FROM t, i, t AS u WHERE a = 1", "42702", `column reference "a" is ambiguous`},
		{"SELECT * FROM nope", "42P01", `relation "nope" does not exist`},
		{"SELECT a FROM t WHERE a = 'x'", "22P02", `invalid input syntax for integer: "x"`},
		{"SELECT 'x'::int", "22P02", ""},
		{"SELECT v::int FROM (SELECT 'x'::varchar AS v) q", "22P02", `invalid input syntax for integer: "x"`},
		{"SELECT '2024-13-01'::date", "22008", ""},
		{"SELECT '12.7'::int", "22P02", ""},
		{"SELECT a || v || b FROM t", "42883", "operator does not exist"},
		{"SELECT true::varchar", "42846", "cannot cast type boolean to character varying"},
		{"SELECT * FROM t WHERE a = v", "42883", "operator does not exist: integer = character varying"},
		{"SELECT 1/0", "22012", "division by zero"},
		{"SELECT 1%0", "22012", ""},
		{"SELECT 1.0/0", "22012", ""},
		{"SELECT 2147483647 + 1", "XX000", "Numeric data overflow"},
		{"SELECT SUM(x) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 1) q", "XX000", "Numeric data overflow"},
		{"SELECT 99999.5::decimal(5,2)", "XX000", "Numeric data overflow (result precision)"},
		{"INSERT INTO t (n, v) VALUES (1, 'abcd')", "22001", "value too long for type character varying(3)"},
		{"INSERT INTO t (n, v) VALUES (1, 'éé')", "22001", ""},
		{"INSERT INTO t (n, c) VALUES (1, 'abc')", "22001", "value too long for type character(2)"},
		{"INSERT INTO t (n, v) SELECT 1, REPEAT('x', 4)", "22001", ""},
		{"INSERT INTO t (n, v) SELECT 1, LPAD('x', 4, 'y')", "22001", ""},
		{"INSERT INTO t (a) VALUES (1)", "XX000", "Cannot insert a NULL value into column n"},
		{"INSERT INTO t (a, n) SELECT 'x'::varchar, 1", "42804", `column "a" is of type integer but expression is of type character varying`},
		{"INSERT INTO t (n, s) VALUES (1, JSON_PARSE('{'))", "22P02", "Invalid JSON"},
		{"INSERT INTO t (a, a) VALUES (1, 1)", "42701", ""},
		{"INSERT INTO t (zz) VALUES (1)", "42703", `column "zz" of relation "t" does not exist`},
		{"INSERT INTO t (n) VALUES (1, 2)", "42601", "INSERT has more expressions than target columns"},
		{"INSERT INTO i (id) VALUES (7)", "0A000", "cannot set an identity column to a value"},
		{"DELETE FROM t AS x WHERE x.a = 1", "42601", ""},
		{"UPDATE t SET a = 1, a = 2", "42601", ""},
		{"UPDATE svv_tables SET table_name = 'x'", "42501", ""},
		{"SELECT SUM(a) OVER (ORDER BY n) FROM t", "0A000", "Aggregate window functions with an ORDER BY clause require a frame clause"},
		{"SELECT a FROM t WHERE COUNT(*) > 1", "42803", "aggregates not allowed in WHERE clause"},
		{"SELECT a, COUNT(*) FROM t", "42803", ""},
		{"SELECT row_number() FROM t", "42809", ""},
		{"SELECT FNV_HASH(1.5)", "0A000", "(stand-in strictness)"},
		{"SELECT DATEDIFF(week, '2024-01-01', '2024-01-09')", "0A000", "(stand-in strictness)"},
		{"SELECT DATEDIFF(eon, '2024-01-01', '2024-01-09')", "22023", ""},
		{"LOCK TABLE t", "25P01", ""},
		{"DROP TABLE nope", "42P01", ""},
		{"DROP SCHEMA public", "2BP01", ""},
		{"ALTER TABLE t ADD COLUMN a INT", "42701", ""},
		{"SELECT 'open", "42601", "unterminated"},
		{"SELECT " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300), "54001", ""},
		{"SELECT $1", "42P02", "there is no parameter $1"},
		{"SELECT 1;; SELEC 2", "42601", ""},
	} {
		_, err := readTable(c, tt.sql)
		if err == nil {
			t.Errorf("%s: accepted", tt.sql)
			continue
		}
		if got := describeError(err); !strings.HasPrefix(got, tt.code+" ") || !strings.Contains(got, tt.text) {
			t.Errorf("%s\n got %s\nwant %s %s", tt.sql, got, tt.code, tt.text)
		}
	}
	if got := table(t, c, "SELECT 1"); got[0][0] != "1" {
		t.Error("session is gone")
	}
}

// TestStatements lists DDL and maintenance that must pass, in order.
func TestStatements(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	for _, tt := range []struct{ sql, tag string }{
		{"CREATE SCHEMA IF NOT EXISTS s", "CREATE SCHEMA"},
		{"CREATE SCHEMA IF NOT EXISTS s", "CREATE SCHEMA"},
		{`CREATE TABLE s.t (id BIGINT IDENTITY(5,5) NOT NULL ENCODE az64 PRIMARY KEY, "Name" VARCHAR(20) ENCODE zstd DEFAULT 'a''b' UNIQUE,
			amt NUMERIC(18,2) NOT NULL DEFAULT 0, at TIMESTAMP WITHOUT TIME ZONE DEFAULT GETDATE(), z TIMESTAMPTZ, r REAL, doc SUPER, t TEXT,
			FOREIGN KEY (amt) REFERENCES s.t (id)) BACKUP NO DISTSTYLE KEY DISTKEY (id) COMPOUND SORTKEY (at, id)`, "CREATE TABLE"},
		{"CREATE TABLE IF NOT EXISTS s.t (a INT)", "CREATE TABLE"},
		{"INSERT INTO s.t (name, doc) VALUES ('x', JSON_PARSE('[1]')), (DEFAULT, NULL)", "INSERT 0 2"},
		{"INSERT INTO s.t (amt) SELECT 1.005", "INSERT 0 1"},
		{"UPDATE s.t SET name = UPPER(name), amt = DEFAULT WHERE NAME = 'x'", "UPDATE 1"},
		{"UPDATE s.t SET amt = q.n FROM (SELECT 7 AS n, 10 AS id) q WHERE s.t.id = q.id", "UPDATE 1"},
		{"DELETE FROM s.t USING (SELECT 15 AS id) q WHERE t.id = q.id", "DELETE 1"},
		{"CREATE TEMP TABLE stage (LIKE s.t INCLUDING DEFAULTS)", "CREATE TABLE"},
		{"CREATE TABLE #hash (a INT)", "CREATE TABLE"},
		{"INSERT INTO #hash VALUES (1)", "INSERT 0 1"},
		{"CREATE TEMPORARY TABLE c DISTKEY(n) AS SELECT name AS n, amt FROM s.t", "SELECT"},
		{"CREATE TABLE s.copy AS (SELECT * FROM s.t)", "SELECT"},
		{"ALTER TABLE s.copy ADD COLUMN extra VARCHAR(3) DEFAULT 'new'", "ALTER TABLE"},
		{"ALTER TABLE s.copy DROP COLUMN doc CASCADE", "ALTER TABLE"},
		{"ALTER TABLE s.copy RENAME COLUMN extra TO more", "ALTER TABLE"},
		{"ALTER TABLE s.copy RENAME TO kopie", "ALTER TABLE"},
		{"TRUNCATE stage", "TRUNCATE TABLE"},
		{"ANALYZE s.t", "ANALYZE"},
		{"VACUUM FULL s.t TO 99 PERCENT", "VACUUM"},
		{"GRANT SELECT ON TABLE s.t TO GROUP readers", "GRANT"},
		{"COMMENT ON TABLE s.t IS 'text'", "COMMENT"},
		{"SET query_group TO 'load'", "SET"},
		{"SET statement_timeout TO 60000", "SET"},
		{"SET search_path TO s, public", "SET"},
		{"SELECT 1 FROM t", "SELECT"},
		{"RESET search_path", "RESET"},
		{"BEGIN", "BEGIN"}, {"BEGIN", "BEGIN"}, {"END", "COMMIT"}, {"COMMIT", "COMMIT"}, {"ROLLBACK", "ROLLBACK"},
		{"START TRANSACTION ISOLATION LEVEL SERIALIZABLE", "BEGIN"}, {"LOCK s.t, s.kopie", "LOCK TABLE"}, {"ABORT", "ROLLBACK"},
		{"DROP TABLE IF EXISTS nope, stage", "DROP TABLE"},
		{"", ""},
	} {
		tag, err := c.Exec(t.Context(), tt.sql)
		if err != nil {
			t.Fatalf("%s: %s", tt.sql, describeError(err))
		}
		if tag.String() != tt.tag {
			t.Errorf("%s: tag %q, want %q", tt.sql, tag, tt.tag)
		}
	}
	for sql, want := range map[string]string{
		"SELECT id, name, amt, doc, at = DATE_TRUNC('second', at) FROM s.t ORDER BY id": "5,X,0.00,[1],t|10,a'b,7.00,NULL,t",
		"SELECT n, amt FROM c ORDER BY amt":                                             "X,0.00|a'b,7.00",
		"SELECT DISTINCT more FROM s.kopie":                                             "new",
		"SELECT column_name, data_type, column_default, is_nullable FROM svv_columns WHERE table_name = 't' ORDER BY ordinal_position LIMIT 4": "id,bigint,identity,NO|name,character varying,'a''b',YES|amt,numeric,0,NO|at,timestamp without time zone,GETDATE(),YES",
	} {
		var lines []string
		for _, r := range table(t, c, sql) {
			lines = append(lines, strings.Join(r, ","))
		}
		if got := strings.Join(lines, "|"); got != want {
			t.Errorf("%s\n got %s\nwant %s", sql, got, want)
		}
	}
}
