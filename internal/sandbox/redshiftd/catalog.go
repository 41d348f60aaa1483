package redshiftd

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// The catalog is kept in tables of the engine, so that DDL and its catalog rows commit or roll back together.
// Temporary tables have the same two tables in the session's own temporary database.
const (
	tableColumns  = `(oid BIGINT, sch VARCHAR, name VARCHAR, owner VARCHAR, diststyle VARCHAR, sortkey VARCHAR)`
	columnColumns = `(oid BIGINT, ord INTEGER, name VARCHAR, type VARCHAR, p INTEGER, s INTEGER, not_null BOOLEAN,
		default_sql VARCHAR, sequence VARCHAR, by_default BOOLEAN, encode VARCHAR, distkey BOOLEAN, sortkey INTEGER)`
)

var catalogSchema = []string{
	"CREATE SCHEMA IF NOT EXISTS rs_internal",
	"CREATE SEQUENCE IF NOT EXISTS rs_internal.oids START 100001",
	"CREATE TABLE IF NOT EXISTS rs_internal.schemas (name VARCHAR)",
	"INSERT INTO rs_internal.schemas SELECT 'public' WHERE NOT EXISTS (SELECT 1 FROM rs_internal.schemas WHERE name='public')",
	"CREATE SCHEMA IF NOT EXISTS public",
	"CREATE TABLE IF NOT EXISTS rs_internal.tables " + tableColumns,
	"CREATE TABLE IF NOT EXISTS rs_internal.columns " + columnColumns,
	`CREATE TABLE IF NOT EXISTS rs_internal.load_history (user_id INTEGER, query_id BIGINT, transaction_id BIGINT, session_id INTEGER,
		database_name VARCHAR, status VARCHAR, table_name VARCHAR, start_time TIMESTAMP, end_time TIMESTAMP, duration BIGINT,
		data_source VARCHAR, file_format VARCHAR, loaded_rows BIGINT, loaded_bytes BIGINT, source_file_count INTEGER,
		source_file_bytes BIGINT, file_count_scanned INTEGER, file_bytes_scanned BIGINT, error_count BIGINT, copy_job_id BIGINT)`,
	`CREATE TABLE IF NOT EXISTS rs_internal.load_detail (user_id INTEGER, query_id BIGINT, file_name VARCHAR, bytes_scanned BIGINT,
		lines_scanned BIGINT, record_time TIMESTAMP, splits_scanned INTEGER, start_time TIMESTAMP, end_time TIMESTAMP)`,
	`CREATE TABLE IF NOT EXISTS rs_internal.load_error (user_id INTEGER, query_id BIGINT, transaction_id BIGINT, session_id INTEGER,
		database_name VARCHAR, table_id BIGINT, start_time TIMESTAMP, file_name VARCHAR, line_number BIGINT, column_name VARCHAR,
		column_type VARCHAR, column_length VARCHAR, "position" INTEGER, error_code INTEGER, error_message VARCHAR)`,
}

// sessionSchema is made in every new session.
var sessionSchema = []string{
	"CREATE TEMP TABLE rs_tables " + tableColumns,
	"CREATE TEMP TABLE rs_columns " + columnColumns,
}

// querier is the part of *sql.Conn that catalog reads need.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// catalogTables names the catalog of permanent or of temporary tables.
func catalogTables(temp bool) (tables, columns string) {
	if temp {
		return "temp.main.rs_tables", "temp.main.rs_columns"
	}
	return "rs_internal.tables", "rs_internal.columns"
}

func engineName(temp bool, schema, name string) string {
	if temp {
		return "temp.main." + quoteIdent("t_"+name)
	}
	return engineDatabase + "." + quoteIdent(schema) + "." + quoteIdent(name)
}

// findTable reads a table from the catalog; nil if there is none. schema is ignored for temporary tables.
func findTable(ctx context.Context, q querier, temp bool, schema, name string) (*relation, error) {
	tables, columns := catalogTables(temp)
	rows, err := q.QueryContext(ctx, `SELECT t.oid, t.sch, c.name, c.type, c.p, c.s, c.not_null, c.default_sql, c.sequence, c.by_default
		FROM `+tables+` t JOIN `+columns+` c ON c.oid = t.oid WHERE t.name = `+quoteText(name)+
		" AND (t.sch = "+quoteText(schema)+" OR "+fmt.Sprint(temp)+") ORDER BY c.ord")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var rel *relation
	for rows.Next() {
		r := relation{name: name, temp: temp}
		c, kindName := columnInfo{}, ""
		if err := rows.Scan(&r.oid, &r.schema, &c.name, &kindName, &c.t.p, &c.t.s, &c.notNull, &c.defaultSQL, &c.sequence, &c.byDefault); err != nil {
			return nil, err
		}
		c.t = columnType(kindName, c.t.p, c.t.s)
		if rel == nil {
			rel = &r
			rel.sql = engineName(temp, r.schema, name)
		}
		rel.columns = append(rel.columns, c)
	}
	return rel, rows.Err()
}

func schemaExists(ctx context.Context, q querier, name string) (bool, error) {
	n, err := count(ctx, q, "SELECT count(*) FROM rs_internal.schemas WHERE name = "+quoteText(name))
	return n > 0, err
}

// count runs a query that gives one number.
func count(ctx context.Context, q querier, query string) (n int64, err error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			return 0, err
		}
	}
	return n, rows.Err()
}

// systemTable gives a system view of that name; nil if there is none, an error if it may not be read.
func systemTable(n tableName) (*relation, error) {
	name := n.name
	switch n.schema {
	case "", "pg_catalog":
	case "information_schema":
		name = "information_schema." + n.name
	default:
		return nil, nil
	}
	if v, ok := systemViews[name]; ok {
		r := &relation{schema: "pg_catalog", name: n.name, system: true, sql: "(" + v.sql + ")"}
		for _, c := range strings.Split(v.columns, ",") {
			col, kindName, _ := strings.Cut(strings.TrimSpace(c), " ")
			t := typeNames[kindName]
			if size, ok := strings.CutPrefix(kindName, "char"); ok {
				t = typ{kind: kChar}
				if _, err := fmt.Sscan(size, &t.p); err != nil {
					return nil, err
				}
			}
			if kindName == "text" {
				t = varchar(1024)
			}
			r.columns = append(r.columns, columnInfo{name: col, t: t})
		}
		return r, nil
	}
	for _, prefix := range []string{"stl_", "stv_", "svl_", "svcs_"} {
		if strings.HasPrefix(n.name, prefix) {
			return nil, errorf("42501", "permission denied for relation %s", n.name)
		}
	}
	return nil, nil
}

// lengths writes a catalog column of the type's facts for the engine.
const (
	allTables  = "(SELECT *, false AS temp FROM rs_internal.tables UNION ALL SELECT *, true FROM temp.main.rs_tables)"
	allColumns = "(SELECT * FROM rs_internal.columns UNION ALL SELECT * FROM temp.main.rs_columns)"
	charLength = "CASE WHEN c.type IN ('character','character varying') THEN c.p END"
	numPrec    = "CASE c.type WHEN 'numeric' THEN c.p WHEN 'smallint' THEN 16 WHEN 'integer' THEN 32 WHEN 'bigint' THEN 64 END"
	numScale   = "CASE c.type WHEN 'numeric' THEN c.s WHEN 'smallint' THEN 0 WHEN 'integer' THEN 0 WHEN 'bigint' THEN 0 END"
	fullType   = `CASE c.type WHEN 'numeric' THEN 'numeric('||c.p||','||c.s||')' WHEN 'character' THEN 'character('||c.p||')'
		WHEN 'character varying' THEN 'character varying('||c.p||')' ELSE c.type END`
	identityText = `CASE WHEN c.sequence<>'' THEN 'identity' ELSE nullif(c.default_sql,'') END`
	columnsSQL   = `SELECT '` + engineDatabaseMark + `' AS table_catalog, t.sch AS table_schema, t.name AS table_name, c.name AS column_name,
		c.ord AS ordinal_position, ` + identityText + ` AS column_default, CASE WHEN c.not_null THEN 'NO' ELSE 'YES' END AS is_nullable,
		c.type AS data_type, ` + charLength + ` AS character_maximum_length, ` + numPrec + ` AS numeric_precision,
		` + numScale + ` AS numeric_scale, NULL::INTEGER AS datetime_precision, '' AS remarks FROM ` + allTables + ` t JOIN ` + allColumns + ` c ON c.oid=t.oid`
	columnsNames = `table_catalog text, table_schema text, table_name text, column_name text, ordinal_position int, column_default text,
		is_nullable text, data_type text, character_maximum_length int, numeric_precision int, numeric_scale int, datetime_precision int, remarks text`
	tablesSQL = `SELECT '` + engineDatabaseMark + `' AS table_catalog, t.sch AS table_schema, t.name AS table_name,
		CASE WHEN t.temp THEN 'LOCAL TEMPORARY' ELSE 'BASE TABLE' END AS table_type, '' AS remarks FROM ` + allTables + ` t`
	tablesNames = "table_catalog text, table_schema text, table_name text, table_type text, remarks text"
	// engineDatabaseMark stands for the database's name, which the binder puts in.
	engineDatabaseMark = "\x01database\x01"
)

// systemViews are the catalog and load views: their columns with types, and what they read.
var systemViews = map[string]struct{ columns, sql string }{
	"svv_columns":                {columnsNames, columnsSQL},
	"svv_all_columns":            {columnsNames, columnsSQL},
	"information_schema.columns": {columnsNames, columnsSQL},
	"svv_tables":                 {tablesNames, tablesSQL},
	"information_schema.tables":  {tablesNames, tablesSQL},
	"pg_namespace":               {"oid bigint, nspname text", "SELECT row_number() OVER () AS oid, name AS nspname FROM rs_internal.schemas"},
	"pg_table_def": {"schemaname text, tablename text, column text, type text, encoding text, distkey bool, sortkey int, notnull bool",
		`SELECT t.sch AS schemaname, t.name AS tablename, c.name AS "column", ` + fullType + ` AS type, c.encode AS encoding, c.distkey, c.sortkey,
		c.not_null AS "notnull" FROM ` + allTables + ` t JOIN ` + allColumns + ` c ON c.oid=t.oid WHERE t.temp OR t.sch=` + "'\x01schema\x01'"},
	"sys_load_history": {`user_id int, query_id bigint, transaction_id bigint, session_id int, database_name text, status text, table_name text,
		start_time timestamp, end_time timestamp, duration bigint, data_source text, file_format text, loaded_rows bigint, loaded_bytes bigint,
		source_file_count int, source_file_bytes bigint, file_count_scanned int, file_bytes_scanned bigint, error_count bigint, copy_job_id bigint`,
		"SELECT * FROM rs_internal.load_history"},
	"sys_load_detail": {`user_id int, query_id bigint, file_name char256, bytes_scanned bigint, lines_scanned bigint, record_time timestamp,
		splits_scanned int, start_time timestamp, end_time timestamp`, "SELECT * FROM rs_internal.load_detail"},
	"sys_load_error_detail": {`user_id int, query_id bigint, transaction_id bigint, session_id int, database_name char64, table_id bigint,
		start_time timestamp, file_name char256, line_number bigint, column_name char127, column_type char10, column_length char10, position int,
		error_code int, error_message char512`, "SELECT * FROM rs_internal.load_error"},
	"svv_transactions": {"txn_owner text, txn_db text, xid bigint, pid int, lock_mode text",
		"SELECT ''::VARCHAR AS txn_owner, ''::VARCHAR AS txn_db, 0::BIGINT AS xid, 0 AS pid, ''::VARCHAR AS lock_mode WHERE false"},
}
