package redshiftd

import (
	"fmt"
	"strings"
	"testing"
)

// TestExpressions pins values and result types of expressions, as "value oid typmod".
func TestExpressions(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	for _, tt := range []struct{ sql, want string }{
		{"1", "1 23 -1"},
		{"-9223372036854775808", "-9223372036854775808 20 -1"},
		{"7/2", "3 23 -1"},
		{"-7/2", "-3 23 -1"},
		{"7%4", "3 23 -1"},
		{"1.50", "1.50 1700 196614"},
		{"2.0/3", "0.666666666666 1700 851984"},
		{"1.5*2.25", "3.375 1700 393223"},
		{"1::smallint + 1::smallint", "2 21 -1"},
		{"1 + 1.25", "2.25 1700 851974"},
		{"2.5::double precision", "2.5 701 -1"},
		{"1e30::float8", "1e+30 701 -1"},
		{"0.1::real", "0.1 700 -1"},
		{"'abc'", "abc 1043 65539"},
		{`'it''s \\ \n' || 'x'`, "it's \\ \nx 1043 13"},
		{"'ab'::char(4)", "ab   1042 8"},
		{"'ab'::char(4) || 'x'", "abx 1043 9"},
		{"'abcdef'::varchar(3)", "abc 1043 7"},
		{"'héllo'::varchar(2)", "h 1043 6"},
		{"1.5::decimal(18,2)::varchar(20)", "1.50 1043 24"},
		{"(-0.05)::decimal(2,2)::varchar", "-0.05 1043 260"},
		{"(0.05)::decimal(2,2)", "0.05 1700 131078"},
		{"12.345::decimal(10,2)", "12.35 1700 655366"},
		{"TIMESTAMP '2024-01-02 03:04:05.500'", "2024-01-02 03:04:05.5 1114 -1"},
		{"TIMESTAMP '2024-01-02 03:04:05'", "2024-01-02 03:04:05 1114 -1"},
		{"DATE '2024-02-29' + 1", "2024-03-01 1082 -1"},
		{"DATE '2024-03-01' - DATE '2024-02-01'", "29 20 -1"},
		{"TIMESTAMP '2024-01-31 00:00:00' + INTERVAL '1 day'", "2024-02-01 00:00:00 1114 -1"},
		{"true", "t 16 -1"},
		{"NULL IS NULL", "t 16 -1"},
		{"'a ' = 'a'", "t 16 -1"},
		{"'a'::char(3) = 'a  '", "t 16 -1"},
		{"NULLIF('a ','a')", "NULL 1043 6"},
		{"NVL(NULL, 3)", "3 23 -1"},
		{"COALESCE(NULL, 'x', 'yy')", "x 1043 6"},
		{"DECODE(2, 1, 'one', 2, 'two', 'many')", "two 1043 8"},
		{"DECODE(NULL, NULL, 'none', 'some')", "none 1043 8"},
		{"CASE WHEN 1=1 THEN 1 ELSE 2.5 END", "1.0 1700 720901"},
		{"CASE 2 WHEN 1 THEN 'a' END", "NULL 1043 5"},
		{"LEN('héllo')", "5 23 -1"},
		{"OCTET_LENGTH('héllo')", "6 23 -1"},
		{"OCTET_LENGTH('ab  ')", "4 23 -1"},
		{"OCTET_LENGTH('ab'::char(9))", "2 23 -1"},
		{"SUBSTRING('caterpillar', 6, 4)", "pill 1043 15"},
		{"SUBSTRING('caterpillar' FROM 1 FOR 3)", "cat 1043 15"},
		{"SUBSTRING('caterpillar', -2, 6)", "cat 1043 15"},
		{"LEFT('abcdef',2)||RIGHT('abcdef',2)", "abef 1043 16"},
		{"LPAD('7', 3, '0')", "007 1043 65539"},
		{"TRIM('  x ')", "x 1043 8"},
		{"BTRIM('xxaxx','x')", "a 1043 9"},
		{"TRIM(BOTH 'x' FROM 'xax')", "a 1043 7"},
		{"UPPER('ä')", "Ä 1043 6"},
		{"POSITION('b' IN 'abc')", "2 23 -1"},
		{"CHARINDEX('c','abc')", "3 23 -1"},
		{"REPLACE('aXbX','X','-')", "a-b- 1043 65539"},
		{"CONCAT('a', 1)", "a1 1043 69"},
		{"ABS(-5)", "5 23 -1"},
		{"MOD(-7,3)", "-1 23 -1"},
		{"ROUND(2.345,2)", "2.35 1700 262150"},
		{"FLOOR(-1.5)", "-2 1700 131076"},
		{"CEIL(1.2)", "2 1700 131076"},
		{"GREATEST(1,3,2)", "3 23 -1"},
		{"LEAST('b','a')", "a 1043 5"},
		{"DATEDIFF(day, '2024-01-01 23:59:59', '2024-01-02 00:00:01')", "1 20 -1"},
		{"DATEDIFF(month, DATE '2024-01-31', DATE '2024-02-01')", "1 20 -1"},
		{"DATEDIFF(microsecond, TIMESTAMP '1970-01-01', TIMESTAMP '2024-01-02 03:04:05.000007')", "1704164645000007 20 -1"},
		{"DATEADD(day, 1, DATE '2024-02-28')", "2024-02-29 00:00:00 1114 -1"},
		{"DATEADD(month, 1, '2024-01-31')", "2024-02-29 00:00:00 1114 -1"},
		{"DATEADD('hour', -1, TIMESTAMP '2024-01-01')", "2023-12-31 23:00:00 1114 -1"},
		{"DATE_TRUNC('month', TIMESTAMP '2024-05-17 01:02:03')", "2024-05-01 00:00:00 1114 -1"},
		{"EXTRACT(epoch FROM TIMESTAMP '1970-01-02')", "86400 20 -1"},
		{"DATE_PART(year, DATE '2024-05-17')", "2024 23 -1"},
		{"CONVERT_TIMEZONE('UTC','America/Los_Angeles', TIMESTAMP '2024-03-10 10:00:00')", "2024-03-10 03:00:00 1114 -1"},
		{"TO_CHAR(TIMESTAMP '2024-03-10 15:04:05.123456', 'YYYY-MM-DD HH24:MI:SS.US')", "2024-03-10 15:04:05.123456 1043 260"},
		{"MD5('Amazon Redshift')", "f7415e33f972c03abd4f3fed36748f7a 1043 36"},
		{"SHA2('abc', 256)", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 1043 132"},
		{"CRC32('Amazon Redshift')", "f2726906 1043 12"},
		{"FARMFINGERPRINT64('Amazon Redshift')", "8085098817162212970 20 -1"},
		{"FNV_HASH(1::smallint)", "589727492704079044 20 -1"},
		{"FNV_HASH(1)", "-5968735742475085980 20 -1"},
		{"FNV_HASH(1::bigint)", "-8517097267634966620 20 -1"},
		{"FNV_HASH('Amazon Redshift')", "7783490368944507294 20 -1"},
		{"FNV_HASH('Amazon Redshift', FNV_HASH(1))", "-2202602717770968555 20 -1"},
		{"FNV_HASH('abcd')", "-281581062704388899 20 -1"},
		{"STRTOL('abcd1234',16)", "2882343476 20 -1"},
		{`JSON_SERIALIZE(JSON_PARSE('{"a": [1, 2.50]}'))`, `{"a":[1,2.50]} 1043 65539`},
		{`JSON_PARSE('{"a": 1}')`, `{"a":1} 4000 -1`},
		{`JSON_EXTRACT_PATH_TEXT('{"a":{"b":"x"}}','a','b')`, "x 1043 65539"},
		{"IS_VALID_JSON('{')", "f 16 -1"},
		{"'abc' LIKE 'a%'", "t 16 -1"},
		{`'a%c' LIKE 'a\\%c'`, "t 16 -1"},
		{"'ABC' ILIKE 'a_c'", "t 16 -1"},
		{"3 BETWEEN 1 AND 5", "t 16 -1"},
		{"2 IN (1,2)", "t 16 -1"},
		{"2 NOT IN (1, NULL)", "NULL 16 -1"},
		{"EXISTS (SELECT 1)", "t 16 -1"},
		{"(SELECT MAX(x) FROM (SELECT 1 AS x UNION ALL SELECT 2) q)", "2 23 -1"},
		{"current_database()", "analytics 1043 13"},
		{"current_user", "loader 1043 10"},
		{"'12'::int + 1", "13 23 -1"},
		{"' 1.25 '::decimal(5,1)", "1.3 1700 327685"},
		{"'t'::boolean", "t 16 -1"},
	} {
		results, err := c.PgConn().Exec(t.Context(), "SELECT "+tt.sql+" AS x").ReadAll()
		if err != nil {
			t.Errorf("%s: %s", tt.sql, describeError(err))
			continue
		}
		r := results[0]
		value := "NULL"
		if v := r.Rows[0][0]; v != nil {
			value = string(v)
		}
		f := r.FieldDescriptions[0]
		if got := fmt.Sprintf("%s %d %d", value, f.DataTypeOID, f.TypeModifier); got != tt.want {
			t.Errorf("%s\n got %q\nwant %q", tt.sql, got, tt.want)
		}
	}
}

// TestQueries runs whole statements over small tables. Rows are joined by "|" and columns by ",".
func TestQueries(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE SCHEMA payroll",
		"CREATE TABLE payroll.e (id BIGINT NOT NULL, k VARCHAR(20), amt DECIMAL(18,2), d DATE, ts TIMESTAMP, PRIMARY KEY (id)) DISTSTYLE KEY DISTKEY(id) SORTKEY(ts)",
		`INSERT INTO payroll.e VALUES (1,'a',1.25,'2024-01-01','2024-01-01 10:00:00'),(2,'a ',2.5,'2024-01-02','2024-01-02'),(3,'b',-3,NULL,NULL),(1,'c',NULL,NULL,NULL)`,
		"CREATE TABLE k (k VARCHAR(5), name VARCHAR(MAX))", "INSERT INTO k SELECT 'a', 'first' UNION ALL SELECT 'b', NULL")
	for _, tt := range []struct{ sql, want string }{
		{"SELECT id, k FROM payroll.e WHERE k = 'a' ORDER BY id", "1,a|2,a "},
		{"SELECT COUNT(*), SUM(amt), MIN(d), MAX(ts), AVG(id), COUNT(DISTINCT k) FROM payroll.e", "4,0.75,2024-01-01,2024-01-02 00:00:00,1,3"},
		{"SELECT AVG(amt) FROM payroll.e", "0.25"},
		{"SELECT SUM(id::DECIMAL(38,0)) FROM payroll.e", "7"},
		{"SELECT SUM(x::DECIMAL(38,0)) FROM (SELECT 9223372036854775807 AS x UNION ALL SELECT 9223372036854775807) q", "18446744073709551614"},
		{"SELECT e.id, k.name FROM payroll.e JOIN k ON e.k = k.k ORDER BY 1", "1,first|2,first|3,NULL"},
		{"SELECT e.id, n.name FROM payroll.e AS e LEFT JOIN k n USING (k) ORDER BY e.id DESC, n.name", "3,NULL|2,first|1,first|1,NULL"},
		{"SELECT id FROM payroll.e QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY amt DESC NULLS LAST) = 1 ORDER BY id", "1|2|3"},
		{"WITH a AS (SELECT id, COUNT(*) AS n FROM payroll.e GROUP BY 1 HAVING COUNT(*) > 1) SELECT * FROM a", "1,2"},
		{"SELECT id*2 AS twice, twice+1 AS more FROM payroll.e WHERE id = 2", "4,5"},
		{"SELECT id FROM payroll.e WHERE id IN (SELECT MAX(id) FROM payroll.e)", "3"},
		{"SELECT id FROM payroll.e x WHERE NOT EXISTS (SELECT 1 FROM k WHERE k.k = x.k) ORDER BY id", "1"},
		{"SELECT k FROM payroll.e WHERE (id, k) IN (SELECT 3, 'b')", "b"},
		{"SELECT LISTAGG(k, ',') WITHIN GROUP (ORDER BY id) FROM k, (SELECT 1 AS id) q", "a,b"},
		{"SELECT 1 AS x UNION ALL SELECT NULL ORDER BY x", "1|NULL"},
		{"SELECT id FROM payroll.e MINUS SELECT 1 ORDER BY 1 DESC LIMIT 1 OFFSET 1", "2"},
		{"SELECT k, COUNT(*) OVER (PARTITION BY k) FROM payroll.e WHERE id < 3 ORDER BY 1", "a,2|a ,2|c,1"},
		{"SELECT TOP 1 id FROM payroll.e ORDER BY id DESC", "3"},
		{"SELECT id FROM payroll.e WHERE d IS NULL AND amt IS NOT NULL", "3"},
		{"SELECT id FROM payroll.e ORDER BY amt DESC LIMIT 1", "1"},
		{"SELECT column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable FROM svv_columns WHERE table_schema = 'payroll' ORDER BY ordinal_position",
			"id,bigint,NULL,64,0,NO|k,character varying,20,NULL,NULL,YES|amt,numeric,NULL,18,2,YES|d,date,NULL,NULL,NULL,YES|ts,timestamp without time zone,NULL,NULL,NULL,YES"},
		{"SELECT table_schema, table_name FROM svv_tables ORDER BY 1, 2", "payroll,e|public,k"},
		{"SELECT tablename, \"column\", type, \"notnull\" FROM pg_table_def ORDER BY 2", "k,k,character varying(5),f|k,name,character varying(65535),f"},
		{"SHOW query_group", "unset"},
	} {
		var lines []string
		rows, err := readTable(c, tt.sql)
		if err != nil {
			t.Errorf("%s: %s", tt.sql, describeError(err))
			continue
		}
		for _, r := range rows {
			lines = append(lines, strings.Join(r, ","))
		}
		if got := strings.Join(lines, "|"); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.sql, got, tt.want)
		}
	}
}
