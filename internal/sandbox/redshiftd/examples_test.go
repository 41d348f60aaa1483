package redshiftd

import "testing"

// TestDocumentedExamples evaluates the examples that the Database Developer Guide gives for the functions that are here.
func TestDocumentedExamples(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	for _, tt := range []struct{ sql, want string }{
		{"SPLIT_PART('abc$def$ghi','$',2)", "def"},
		{"SPLIT_PART('abc$def$ghi','$',4)", ""},
		{"SPLIT_PART('abc$def$ghi','#',1)", "abc$def$ghi"},
		{"TRANSLATE('mint tea', 'inea', 'osin')", "most tin"},
		{"REVERSE('ABCDE')", "EDCBA"},
		{"REPEAT('3', 3)", "333"},
		{"INITCAP('nibh.enim@egestas.ca')", "Nibh.Enim@Egestas.Ca"},
		{"ASCII('amazon')", "97"},
		{"SUBSTRING('caterpillar', 6, 4)", "pill"},
		{"SUBSTRING('caterpillar', 6, 8)", "pillar"},
		{"SUBSTRING('caterpillar' FROM 6)", "pillar"},
		{"STRPOS('dogfish', 'fish')", "4"},
		{"CHARINDEX('fish', 'dogfish')", "4"},
		{"POSITION('fish' IN 'dogfish')", "4"},
		{"LEN('français')", "8"},
		{"OCTET_LENGTH('français')", "9"},
		{"LEN('cat')", "3"},
		{"LEN('cat   ')", "6"},
		{"BTRIM('     abc     ')", "abc"},
		{"BTRIM('xyzaxyzbxyzcxyz', 'xyz')", "axyzbxyzc"},
		{"TRIM('    dog    ')", "dog"},
		{"TRIM(BOTH 'ab' FROM 'abcab')", "c"},
		{"LTRIM('www.tickit.com', 'w.')", "tickit.com"},
		{"LPAD('cat', 7)", "    cat"},
		{"RPAD('cat', 7, 'xy')", "catxyxy"},
		{"'December 25, 2008' || ''", "December 25, 2008"},
		{"CONCAT('December 25, ', '2008')", "December 25, 2008"},
		{"UPPER('Shows')", "SHOWS"},
		{"REPLACE('Shows', 'Show', 'Theatre')", "Theatres"},
		{"STRTOL('0xf', 16)", "15"},
		{"STRTOL('abcd1234', 16)", "2882343476"},
		{"STRTOL('1234567', 10)", "1234567"},
		{"STRTOL('1234567', 8)", "342391"},
		{"STRTOL('110101', 2)", "53"},
		{"CRC32('Amazon Redshift')", "f2726906"},
		{"MD5('Amazon Redshift')", "f7415e33f972c03abd4f3fed36748f7a"},
		{"FARMFINGERPRINT64('Amazon Redshift')", "8085098817162212970"},
		{"FNV_HASH('Amazon Redshift')", "7783490368944507294"},
		{"NVL2(NULL, 'a', 'b')", "b"},
		{"NVL2(1, 'a', 'b')", "a"},
		{"NVL(NULL, NULL, 'x')", "x"},
		{"COALESCE(NULL, 12, NULL)", "12"},
		{"NULLIF('first', 'second')", "first"},
		{"NULLIF('first', 'first')", "NULL"},
		{"DECODE('2008-06-01'::DATE, '2008-06-01'::DATE, 'June 1st, 2008', 'unknown')", "June 1st, 2008"},
		{"GREATEST(3, 5, NULL, 4)", "5"},
		{"LEAST('c', 'a', 'b')", "a"},
		{"DATEDIFF(qtr, '1998-07-01', '2008-07-01')", "40"},
		{"DATEDIFF(day, '2009-01-01', '2009-12-31')", "364"},
		{"DATEDIFF(hour, '2023-01-01', '2023-01-03 05:04:03')", "53"},
		{"DATEDIFF(day, '2023-01-01', '2023-01-03 05:04:03')", "2"},
		{"DATEADD(month, 18, '2008-02-28')", "2009-08-28 00:00:00"},
		{"DATEADD(m, 18, '2008-02-28')", "2008-02-28 00:18:00"},
		{"DATEADD(month, 1, '2008-04-30'::DATE)", "2008-05-30 00:00:00"},
		{"DATEADD(year, 1, '2008-02-29'::DATE)", "2009-02-28 00:00:00"},
		{"ADD_MONTHS('2008-04-30', 1)", "2008-05-31 00:00:00"},
		{"ADD_MONTHS('2008-03-31', -1)", "2008-02-29 00:00:00"},
		{"ADD_MONTHS('2008-02-28', 1)", "2008-03-28 00:00:00"},
		{"LAST_DAY('2008-02-05'::DATE)", "2008-02-29"},
		{"DATE_TRUNC('minute', TIMESTAMP '20200430 04:05:06.789')", "2020-04-30 04:05:00"},
		{"DATE_TRUNC('hour', TIMESTAMP '20200430 04:05:06.789')", "2020-04-30 04:00:00"},
		{"DATE_TRUNC('day', TIMESTAMP '20200430 04:05:06.789')", "2020-04-30 00:00:00"},
		{"DATE_TRUNC('week', TIMESTAMP '20220430 04:05:06.789')", "2022-04-25 00:00:00"},
		{"DATE_TRUNC('year', TIMESTAMP '20200430 04:05:06.789')", "2020-01-01 00:00:00"},
		{"CONVERT_TIMEZONE('America/New_York', '2013-02-01 08:00:00')", "2013-02-01 03:00:00"},
		{"EXTRACT(minute FROM TIMESTAMP '2009-09-09 12:08:43')", "8"},
		{"EXTRACT(ms FROM TIMESTAMP '2009-09-09 12:08:43.101')", "101"},
		{"TO_CHAR(TIMESTAMP '2009-12-31 23:15:59', 'HH24:MI:SS')", "23:15:59"},
		{"ROUND(28.05)", "28"},
		{"ROUND(28.05, 1)", "28.1"},
		{"FLOOR(28.05)", "28"},
		{"CEILING(28.05)", "29"},
		{"MOD(10, 4)", "2"},
		{`JSON_SERIALIZE(JSON_PARSE('[10001,10002,"abc"]'))`, `[10001,10002,"abc"]`},
		{`JSON_TYPEOF(JSON_PARSE('[10001,10002,"abc"]'))`, "array"},
		{`JSON_TYPEOF(JSON_PARSE('{"a":1}'))`, "object"},
		{`JSON_TYPEOF(JSON_PARSE('null'))`, "null"},
		{`JSON_TYPEOF(JSON_PARSE('1.5'))`, "number"},
		{`JSON_ARRAY_LENGTH('[11,12,13,{"f1":21,"f2":[25,26]},14]')`, "5"},
		{"JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[111,112,113]', 2)", "113"},
		{"JSON_EXTRACT_ARRAY_ELEMENT_TEXT('[111,112,113]', 3)", "NULL"},
		{`JSON_EXTRACT_PATH_TEXT('{"f2":{"f3":1},"f4":{"f5":99,"f6":"star"}}','f4', 'f6')`, "star"},
		{"IS_VALID_JSON('{\"a\":1')", "f"},
		{"10 / 4", "2"},
		{"1::DECIMAL", "1"},
		{"'abc '::CHAR(5) = 'abc'", "t"},
		{"LEN('abc'::CHAR(9))", "3"},
	} {
		got, err := readTable(c, "SELECT "+tt.sql)
		if err != nil || got[0][0] != tt.want {
			t.Errorf("%s: %q %s, want %q", tt.sql, got, describeError(err), tt.want)
		}
	}
}

// TestConstantsAreNotCut stores texts that are too long by every way that an INSERT has.
func TestConstantsAreNotCut(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE v (a VARCHAR(3), c CHAR(2))")
	for _, sql := range []string{
		"INSERT INTO v (a) VALUES ('abcd')",
		"INSERT INTO v (a) SELECT 'abcd'",
		"INSERT INTO v (a) SELECT x FROM (SELECT 'abcd' AS x) y",
		"INSERT INTO v (a) SELECT 'abcd' UNION ALL SELECT 'x'",
		"INSERT INTO v (c) SELECT 'abc'",
		"INSERT INTO v (a) WITH x AS (SELECT 'abcd' AS a) SELECT a FROM x",
		"INSERT INTO v (a) VALUES (CASE WHEN 1 = 1 THEN 'abcd' END)",
		"INSERT INTO v (a) VALUES (NVL(NULL, 'abcd'))",
	} {
		_, err := readTable(c, sql)
		if pg := wantError(t, err, "22001"); pg.Message[:18] != "value too long for" {
			t.Errorf("%s: %s", sql, pg.Message)
		}
	}
	execAll(t, c, "INSERT INTO v (a) SELECT 'abc   '", "INSERT INTO v (a) SELECT NULL", "INSERT INTO v (a) VALUES ('x')")
	_, err := readTable(c, "UPDATE v SET a = (SELECT 'abcd')")
	wantError(t, err, "22001")
	if got := table(t, c, "SELECT COUNT(*), MAX(LEN(a)) FROM v"); got[0][0] != "3" || got[0][1] != "3" {
		t.Error(got)
	}
}
