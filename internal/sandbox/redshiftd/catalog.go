package redshiftd

import (
	"context"
	"database/sql"
	"fmt"
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
