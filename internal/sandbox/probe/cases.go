package probe

// Cases is every question: what Redshift must accept (9.2), what it refuses (9.3), and what is not known (9.5).
func Cases() []Case {
	var all []Case
	for _, part := range [][]Case{loginCases(), statementCases(), functionCases(), refusedCases(), blockCases(), copyCases(), copyRefusedCases(), openCases()} {
		all = append(all, part...)
	}
	return all
}

func loginCases() []Case {
	return []Case{
		{Name: "startup client_encoding and application_name", Section: "9.2.1", Startup: map[string]string{"client_encoding": "UTF8", "application_name": "probe"}, Want: Want{Text: "connected"}},
		{Name: "startup standard_conforming_strings", Section: "9.3.1", Startup: map[string]string{"standard_conforming_strings": "on"},
			Want: Want{State: "42704", Text: `unrecognized configuration parameter "standard_conforming_strings"`}},
		{Name: "startup unknown parameter", Section: "9.3.1", Startup: map[string]string{"no_such_parameter": "1"}, Want: Want{State: "42704", Text: "no_such_parameter"}},
		{Name: "set standard_conforming_strings", Section: "9.3.2", SQL: "SET standard_conforming_strings TO on", Want: Want{State: "42704", Text: "standard_conforming_strings"}},
		{Name: "set query_group", Section: "9.2.3", SQL: "SET query_group TO 'probe'", Want: Want{Text: "SET"}},
		{Name: "set statement_timeout", Section: "9.2.3", SQL: "SET statement_timeout TO 60000", Want: Want{Text: "SET"}},
		{Name: "version", Section: "9.2.7", SQL: "SELECT version() LIKE '%Redshift 1.0.%'", Want: Want{Text: "t"}},
		{Name: "extended protocol with parameters", Section: "9.2.2", SQL: "SELECT $1::INTEGER + 1", Args: []string{"41"}, Want: Want{Text: "42"}},
		{Name: "several statements in one string", Section: "9.2.2", SQL: "SELECT 1; SELECT 2", Want: Want{Text: "2"}},
	}
}

const twoColumns = "CREATE TABLE {t} (a INTEGER, v VARCHAR(3))"

func statementCases() []Case {
	table := []string{twoColumns, "INSERT INTO {t} VALUES (1, 'x'), (2, 'y')"}
	two := append(table[:2:2], "CREATE TABLE {u} (a INTEGER, v VARCHAR(3))", "INSERT INTO {u} VALUES (2, 'z'), (3, 'n')")
	return []Case{
		{Name: "create with keys and encodings", Section: "9.2.4", Want: Want{Text: "CREATE TABLE"},
			SQL: "CREATE TABLE {t} (a INTEGER NOT NULL ENCODE az64 DISTKEY, v VARCHAR(3) ENCODE zstd, PRIMARY KEY (a)) DISTSTYLE KEY COMPOUND SORTKEY (a)"},
		{Name: "create with identity", Section: "9.2.4", SQL: "CREATE TABLE {t} (id BIGINT IDENTITY(1,1), v VARCHAR(3) DEFAULT 'x')", Want: Want{Text: "CREATE TABLE"}},
		{Name: "create temp like", Section: "9.2.4", Setup: table, SQL: "CREATE TEMP TABLE probe_stage (LIKE {t} INCLUDING DEFAULTS)", Want: Want{Text: "CREATE TABLE"}},
		{Name: "create #temp", Section: "9.2.4", SQL: "CREATE TABLE #probe_stage (a INTEGER)", Want: Want{Text: "CREATE TABLE"}},
		{Name: "create table as", Section: "9.2.4", Setup: table, SQL: "CREATE TABLE {u} AS SELECT a, COUNT(*) AS n FROM {t} GROUP BY a", Want: Want{Text: "SELECT"}},
		{Name: "primary key is not enforced", Section: "9.2.4", Setup: []string{"CREATE TABLE {t} (a INTEGER NOT NULL PRIMARY KEY)", "INSERT INTO {t} VALUES (1), (1)"},
			SQL: "SELECT COUNT(*) FROM {t}", Want: Want{Text: "2"}},
		{Name: "quoted names fold to lower case", Section: "9.2.4", Setup: []string{`CREATE TABLE {t} ("Mixed" INTEGER)`}, SQL: "SELECT mixed FROM {t}", Want: Want{Text: "SELECT"}},
		{Name: "tag of INSERT", Section: "9.2.3", Setup: table[:1], SQL: "INSERT INTO {t} VALUES (1, 'x'), (2, 'y')", Want: Want{Text: "INSERT 0 2"}},
		{Name: "tag of SELECT", Section: "9.2.3", SQL: "SELECT 1", Want: Want{Text: "SELECT"}},
		{Name: "tag of TRUNCATE", Section: "9.2.3", Setup: table, SQL: "TRUNCATE {t}", Want: Want{Text: "TRUNCATE"}},
		{Name: "delete using", Section: "9.2.6", Setup: two, SQL: "DELETE FROM {t} USING {u} WHERE {t}.a = {u}.a", Want: Want{Text: "DELETE 1"}},
		{Name: "update from", Section: "9.2.6", Setup: two, SQL: "UPDATE {t} SET v = s.v FROM {u} s WHERE {t}.a = s.a", Want: Want{Text: "UPDATE 1"}},
		{Name: "insert select with qualify", Section: "9.2.6", Setup: two, Want: Want{Text: "INSERT 0 2"},
			SQL: "INSERT INTO {t} SELECT a, v FROM {u} QUALIFY ROW_NUMBER() OVER (PARTITION BY a ORDER BY v) = 1"},
		{Name: "merge", Section: "9.2.6", Setup: two, Want: Want{Text: "MERGE"},
			SQL: "MERGE INTO {t} USING {u} s ON {t}.a = s.a WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.a, s.v)"},
		{Name: "lock in a block", Section: "9.2.6", Setup: append(table[:2:2], "BEGIN"), SQL: "LOCK TABLE {t}", Want: Want{Text: "LOCK TABLE"}},
		{Name: "truncate commits", Section: "9.2.6", Setup: append(table[:2:2], "BEGIN", "TRUNCATE {t}", "ROLLBACK"), SQL: "SELECT COUNT(*) FROM {t}", Want: Want{Text: "0"}},
		{Name: "analyze", Section: "9.2.6", Setup: table, SQL: "ANALYZE {t}", Want: Want{Text: "ANALYZE"}},
		{Name: "vacuum outside a block", Section: "9.2.6", Setup: table, SQL: "VACUUM {t}", Want: Want{Text: "VACUUM"}},
		{Name: "append outside a block", Section: "9.2.6", Setup: two, SQL: "ALTER TABLE {t} APPEND FROM {u}", Want: Want{Text: "ALTER TABLE"}},
		{Name: "blank-padded comparison", Section: "9.2.8", SQL: "SELECT 'a'::VARCHAR(3) = 'a  '::VARCHAR(3)", Want: Want{Text: "t"}},
		{Name: "backslash is an escape", Section: "9.2.2", SQL: `SELECT OCTET_LENGTH('a\'b')`, Want: Want{Text: "3"}},
		{Name: "data types as svv_columns spells them", Section: "9.2.8", Setup: []string{"CREATE TABLE {t} (a VARCHAR(3), b TIMESTAMP, c DECIMAL(18,2), d SUPER, e CHAR(2))"},
			SQL:  "SELECT TRIM(data_type), character_maximum_length, numeric_precision, numeric_scale FROM svv_columns WHERE table_schema || '.' || table_name = '{t}' ORDER BY ordinal_position",
			Want: Want{Text: "character varying|3|"}},
	}
}

// value is a case of one expression.
func value(expression, want string) Case {
	return Case{Name: expression, Section: "9.2.7", SQL: "SELECT " + expression, Want: Want{Text: want}}
}

func functionCases() []Case {
	return []Case{
		value("FARMFINGERPRINT64('Amazon Redshift')", "8085098817162212970"),
		value("FNV_HASH('Amazon Redshift')", "7783490368944507294"),
		value("FNV_HASH(1::BIGINT)", "-8517097267634966620"),
		value("FNV_HASH('Amazon Redshift', FNV_HASH(1))", "-2202602717770968555"),
		value("CRC32('Amazon Redshift')", "f2726906"),
		value("MD5('Amazon Redshift')", "f7415e33f972c03abd4f3fed36748f7a"),
		value("SHA2('a', 256)", "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4fe9e1a1a1f5ff2f4f5d"[:8]),
		value("STRTOL('ff', 16)", "255"),
		value("NVL(NULL::INTEGER, 7)", "7"),
		value("DATEDIFF(day, '2024-02-28 23:59:59'::TIMESTAMP, '2024-03-01 00:00:00'::TIMESTAMP)", "2"),
		value("DATEDIFF(microsecond, TIMESTAMP '1970-01-01', TIMESTAMP '2024-01-01 00:00:00.000001')", "1704067200000001"),
		value("(-7) / 2", "-3"),
		value("(-7) % 2", "-1"),
		value("(-0.05)::DECIMAL(18,2)::VARCHAR", "-0.05"),
		value("1.005::DECIMAL(18,2)", "1.01"),
		value("OCTET_LENGTH('é'::VARCHAR(4))", "2"),
		value("JSON_SERIALIZE(JSON_PARSE('{\"a\": [1, 2]}'))", `{"a":[1,2]}`),
		value("SUM(h::DECIMAL(38,0)) FROM (SELECT 9223372036854775807 AS h UNION ALL SELECT 9223372036854775807) x", "18446744073709551614"),
		value("'2024-01-01 00:00:00.120'::TIMESTAMP", "2024-01-01 00:00:00.12"),
		value("pg_last_copy_count()", "0"),
		value("pg_last_copy_id()", "-1"),
		value("GETDATE() IS NOT NULL", "t"),
		value("LISTAGG(v, ',') WITHIN GROUP (ORDER BY v) FROM (SELECT 'a'::VARCHAR(2) AS v UNION ALL SELECT 'b') x", "a,b"),
	}
}

// refused is a case of a statement that is refused, on a table of two columns.
func refused(name, section, sql, state, text string) Case {
	return Case{Name: name, Section: section, Setup: []string{twoColumns}, SQL: sql, Want: Want{State: state, Text: text}}
}

func refusedCases() []Case {
	return []Case{
		refused("on conflict", "9.3.24", "INSERT INTO {t} VALUES (1, 'x') ON CONFLICT DO NOTHING", "42601", "syntax error"),
		refused("returning", "9.3.24", "INSERT INTO {t} VALUES (1, 'x') RETURNING a", "42601", "syntax error"),
		refused("serial", "9.3.24", "CREATE TABLE {u} (a SERIAL)", "4", ""),
		refused("distinct on", "9.3.24", "SELECT DISTINCT ON (a) a FROM {t}", anyError, ""),
		refused("array", "9.3.24", "CREATE TABLE {u} (a INTEGER[])", anyError, ""),
		refused("jsonb", "9.3.24", "SELECT '{}'::jsonb", "42704", `type "jsonb" does not exist`),
		refused("escape string", "9.3.24", "SELECT E'a'", "42704", `type "e" does not exist`),
		refused("savepoint", "9.3.24", "SAVEPOINT x", anyError, ""),
		refused("copy from stdin", "9.3.24", "COPY {t} FROM STDIN", anyError, ""),
		refused("writable cte", "9.3.24", "WITH d AS (DELETE FROM {t}) SELECT 1", "42601", "syntax error"),
		refused("filter", "9.3.24", "SELECT COUNT(*) FILTER (WHERE a = 1) FROM {t}", "42601", "syntax error"),
		refused("leader-node function with a table", "9.3.25", "SELECT now() FROM {t}", "0A000", "not supported on Redshift tables"),
		refused("generate_series with a table", "9.3.25", "SELECT g FROM generate_series(1, 3) g, {t}", "0A000", "not supported"),
		refused("merge with alias on the target", "9.3.26", "MERGE INTO {t} x USING {t} s ON x.a = s.a WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (1, 'x')", anyError, ""),
		refused("value too long", "9.3.33", "INSERT INTO {t} VALUES (1, 'abcd')", "22001", "value too long for type character varying(3)"),
		refused("value too long in bytes", "9.3.33", "INSERT INTO {t} VALUES (1, 'éé')", "22001", "value too long for type character varying(3)"),
		refused("bad integer", "9.3.33", "SELECT 'x'::INTEGER", "22P02", "invalid input syntax"),
		refused("varchar too wide", "9.3.34", "CREATE TABLE {u} (a VARCHAR(65536))", anyError, ""),
		refused("char too wide", "9.3.34", "CREATE TABLE {u} (a CHAR(4097))", anyError, ""),
		refused("decimal too wide", "9.3.34", "CREATE TABLE {u} (a DECIMAL(39,0))", anyError, ""),
		refused("system table of a provisioned cluster", "9.3.35", "SELECT * FROM stl_load_errors", anyError, ""),
		refused("deallocate all", "9.3.36", "DEALLOCATE ALL", anyError, ""),
		refused("pg_sleep", "9.3.36", "SELECT pg_sleep(1)", "42883", "does not exist"),
		refused("advisory lock", "9.3.36", "SELECT pg_advisory_lock(1)", "42883", "does not exist"),
		refused("missing table", "4.5", "SELECT * FROM {u}", "42P01", "does not exist"),
		refused("missing column", "4.5", "SELECT nope FROM {t}", "42703", "nope"),
		refused("not null column added without default", "4.5", "ALTER TABLE {t} ADD COLUMN n INTEGER NOT NULL", anyError, ""),
		refused("division by zero", "4.5", "SELECT a / 0 FROM (SELECT 1 AS a) x", "22012", "division by zero"),
		refused("sum overflows", "5.5", "SELECT SUM(h) FROM (SELECT 9223372036854775807 AS h UNION ALL SELECT 1) x", anyError, ""),
	}
}

func blockCases() []Case {
	failed := []string{twoColumns, "BEGIN"}
	return []Case{
		{Name: "append in a block", Section: "9.3.28", Setup: append(failed[:2:2], "CREATE TABLE {u} (LIKE {t})"), SQL: "ALTER TABLE {t} APPEND FROM {u}", Want: Want{State: "25001", Text: "cannot run inside a transaction block"}},
		{Name: "vacuum in a block", Section: "9.3.28", Setup: failed, SQL: "VACUUM {t}", Want: Want{State: "25001", Text: "cannot run inside a transaction block"}},
		{Name: "statement in an aborted block", Section: "9.3.29", SQL: "BEGIN; SELECT 1/0", Want: Want{State: "22012", Text: "division by zero"}},
		{Name: "nested begin", Section: "4.4", Setup: failed, SQL: "BEGIN", Want: Want{Text: "BEGIN"}},
		{Name: "stray commit", Section: "4.4", SQL: "COMMIT", Want: Want{Text: "COMMIT"}},
		{Name: "lock outside a block", Section: "4.5", Setup: failed[:1], SQL: "LOCK TABLE {t}", Want: Want{Open: true}},
		{Name: "ddl in a block rolls back", Section: "4.4", Setup: append(failed[:2:2], "CREATE TABLE {u} (a INTEGER)", "ROLLBACK"), SQL: "SELECT * FROM {u}", Want: Want{State: "42P01", Text: "does not exist"}},
	}
}
