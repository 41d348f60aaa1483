package redshiftd

import (
	"fmt"
	"strings"
)

// systemTable gives a system view of that name; nil if there is none, an error if it may not be read.
func systemTable(n tableName, profile Profile) (*relation, error) {
	name := n.name
	switch n.schema {
	case "", "pg_catalog":
	case "information_schema":
		name = "information_schema." + n.name
	default:
		return nil, nil
	}
	v, ok := systemViews[name]
	if !ok && profile == Provisioned {
		v, ok = provisionedViews[name]
	}
	if ok {
		r, err := systemRelation(n.name, v.columns)
		if err == nil {
			r.sql = "(" + v.sql + ")"
		}
		return r, err
	}
	for _, prefix := range []string{"stl_", "stv_", "svl_", "svcs_"} {
		if strings.HasPrefix(n.name, prefix) {
			if profile == Provisioned {
				return nil, strict("system table %s is not modelled", n.name)
			}
			return nil, errorf("42501", "permission denied for relation %s", n.name)
		}
	}
	return nil, nil
}

// systemRelation is a view with columns of these names and types.
func systemRelation(name, columns string) (*relation, error) {
	r := &relation{schema: "pg_catalog", name: name, system: true}
	for c := range strings.SplitSeq(columns, ",") {
		col, kindName, _ := strings.Cut(strings.TrimSpace(c), " ")
		t := typeNames[kindName]
		if size, ok := strings.CutPrefix(kindName, "char"); ok {
			t = typ{kind: kChar}
			if _, err := fmt.Sscan(size, &t.p); err != nil {
				return nil, err
			}
		}
		switch kindName {
		case "text":
			t = varchar(1024)
		case "percent":
			t = numeric(10, 4)
		case "rows":
			t = numeric(38, 0)
		}
		r.columns = append(r.columns, columnInfo{name: col, t: t})
	}
	return r, nil
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
	// tableInfoSQL tells sizes as a cluster of two slices would have them: a block of a megabyte per column and slice at least. Empty tables don't show.
	tableInfoSQL = `SELECT '` + engineDatabaseMark + `' AS "database", t.sch AS "schema", CAST(t.oid AS INTEGER) AS table_id, t.name AS "table",
		CASE WHEN c.encodings>0 THEN 'Y' ELSE 'N' END AS encoded,
		CASE WHEN c.distkey IS NOT NULL THEN 'KEY('||c.distkey||')' WHEN t.diststyle IN ('','auto') THEN 'AUTO(EVEN)' ELSE upper(t.diststyle) END AS diststyle,
		c.sortkey1, c.max_varchar, c.sortkey1_enc, c.sortkey_num, CAST(2*(c.n+3)+(d.estimated_size*c.width)//1000000 AS BIGINT) AS size,
		CAST((2*(c.n+3)+(d.estimated_size*c.width)//1000000)*100.0/1048576 AS DECIMAL(10,4)) AS pct_used, CAST(0 AS BIGINT) AS "empty",
		CAST(NULL AS DECIMAL(10,4)) AS unsorted, CAST(0 AS DECIMAL(10,4)) AS stats_off, CAST(d.estimated_size AS DECIMAL(38,0)) AS tbl_rows,
		CAST(NULL AS DECIMAL(10,4)) AS skew_sortkey1, CAST(NULL AS DECIMAL(10,4)) AS skew_rows, CAST(d.estimated_size AS DECIMAL(38,0)) AS estimated_visible_rows,
		CAST(NULL AS VARCHAR) AS risk_event
		FROM rs_internal.tables t JOIN duckdb_tables() d ON d.database_name='` + engineDatabase + `' AND d.schema_name=t.sch AND d.table_name=t.name
		JOIN (SELECT oid, count(*) AS n, count(*) FILTER (encode<>'none') AS encodings, max(name) FILTER (distkey) AS distkey, max(name) FILTER (sortkey=1) AS sortkey1,
			max(encode) FILTER (sortkey=1) AS sortkey1_enc, CAST(count(*) FILTER (sortkey>0) AS INTEGER) AS sortkey_num,
			CAST(coalesce(max(p) FILTER (type='character varying'),0) AS INTEGER) AS max_varchar,
			sum(CASE WHEN type IN ('character','character varying','super') THEN 16 ELSE 8 END) AS width FROM rs_internal.columns GROUP BY oid) c ON c.oid=t.oid
		WHERE d.estimated_size>0`
	tablesNames = "table_catalog text, table_schema text, table_name text, table_type text, remarks text"
	// engineDatabaseMark stands for the database's name, which the binder puts in.
	engineDatabaseMark = "\x01database\x01"
	// shownMark stands for the time up to which loads show.
	shownMark = "\x01shown\x01"
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
		"SELECT * FROM rs_internal.load_history WHERE end_time <= " + shownMark},
	"sys_load_detail": {`user_id int, query_id bigint, file_name char256, bytes_scanned bigint, lines_scanned bigint, record_time timestamp,
		splits_scanned int, start_time timestamp, end_time timestamp`, "SELECT * FROM rs_internal.load_detail WHERE record_time <= " + shownMark},
	"sys_load_error_detail": {`user_id int, query_id bigint, transaction_id bigint, session_id int, database_name char64, table_id bigint,
		start_time timestamp, file_name char256, line_number bigint, column_name char127, column_type char10, column_length char10, position int,
		error_code int, error_message char512`, "SELECT * FROM rs_internal.load_error WHERE start_time <= " + shownMark},
	"svv_table_info": {`database text, schema text, table_id int, table text, encoded text, diststyle text, sortkey1 text, max_varchar int, sortkey1_enc char32,
		sortkey_num int, size bigint, pct_used percent, empty bigint, unsorted percent, stats_off percent, tbl_rows rows, skew_sortkey1 percent, skew_rows percent,
		estimated_visible_rows rows, risk_event text`, tableInfoSQL},
}

// provisionedViews are the system tables that a serverless warehouse keeps from its users.
var provisionedViews = map[string]struct{ columns, sql string }{
	"stl_load_errors": {`userid int, slice int, tbl int, starttime timestamp, session int, query int, filename char256, line_number bigint, colname char127,
		type char10, col_length char10, position int, raw_line char1024, raw_field_value char1024, err_code int, err_reason char100, is_partial int,
		start_offset bigint, copy_job_id bigint`,
		`SELECT user_id AS userid, 0 AS slice, CAST(table_id AS INTEGER) AS tbl, start_time AS starttime, session_id AS session, CAST(query_id AS INTEGER) AS query,
		file_name AS filename, line_number, column_name AS colname, column_type AS type, column_length AS col_length, "position", '' AS raw_line, '' AS raw_field_value,
		error_code AS err_code, left(error_message, 100) AS err_reason, 0 AS is_partial, CAST(0 AS BIGINT) AS start_offset, CAST(0 AS BIGINT) AS copy_job_id
		FROM rs_internal.load_error WHERE start_time <= ` + shownMark},
	"stl_load_commits": {`userid int, query int, slice int, name char256, filename char256, byte_offset int, lines_scanned int, errors int, curtime timestamp,
		status int, file_format char16, is_partial int, start_offset bigint, copy_job_id bigint`,
		`SELECT user_id AS userid, CAST(query_id AS INTEGER) AS query, 0 AS slice, '' AS name, file_name AS filename, 0 AS byte_offset,
		CAST(lines_scanned AS INTEGER) AS lines_scanned, 0 AS errors, record_time AS curtime, 1 AS status, 'Parquet' AS file_format, 0 AS is_partial,
		CAST(0 AS BIGINT) AS start_offset, CAST(0 AS BIGINT) AS copy_job_id FROM rs_internal.load_detail WHERE record_time <= ` + shownMark},
}
