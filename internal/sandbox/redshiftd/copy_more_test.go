package redshiftd

import (
	"strings"
	"testing"
)

// TestCopyVariants loads what must be accepted and looks at the table afterwards.
func TestCopyVariants(t *testing.T) {
	s, store := copyServer(t, nil)
	c := dial(t, s, "")
	type pair struct {
		A int32  `parquet:"zz"`
		B string `parquet:"aa"`
	}
	type nested struct {
		V struct {
			X int64    `parquet:"x"`
			L []string `parquet:"l,list"`
		} `parquet:"v"`
	}
	type stamp struct {
		V int64 `parquet:"v,timestamp"`
	}
	two := parquetFile(t, []pair{{1, "x"}, {2, "é  "}})
	size := map[string]any{"content_length": len(two), "record_count": 2}
	into := func(target, more string) string {
		return "COPY " + target + " FROM 's3://lake/m.json' CREDENTIALS 'aws_iam_role=" + testRole + "' MANIFEST FORMAT AS PARQUET " + more
	}
	nestedRow := nested{}
	nestedRow.V.X, nestedRow.V.L = 7, []string{"a"}
	for _, tt := range []struct {
		name, ddl string
		prepare   func()
		sql, want string
	}{
		{"by position", "a SMALLINT, b CHAR(4)", func() { store.manifest(parquetFile(t, []pair{{1, "x "}})) }, into("x", "STATUPDATE ON"), "1,x   "},
		{"column list", "b VARCHAR(9), n INT DEFAULT 7, a INT", func() { store.manifest(two) }, into("x (a, b)", ""), "x,7,1|é  ,7,2"},
		{"fillrecord", "a INT, b VARCHAR(9), c DATE", func() { store.manifest(two) }, into("x", "FILLRECORD"), "1,x,NULL|2,é  ,NULL"},
		{"twice", "a INT, b VARCHAR(9)", func() {
			store.manifest(two)
			store.entries(entry{"s3://lake/part-0.parquet", true, size}, entry{"s3://lake/part-0.parquet", true, size})
		}, into("x", ""), "1,x|1,x|2,é  |2,é  "},
		{"optional file missing", "a INT, b VARCHAR(9)", func() {
			store.manifest(two)
			store.entries(entry{"s3://lake/gone.parquet", false, size}, entry{"s3://lake/part-0.parquet", true, size})
		}, into("x", ""), "1,x|2,é  "},
		{"prefix", "a INT, b VARCHAR(9)", func() { store.put("lake/dir/1.parquet", two) }, "COPY x FROM 's3://lake/dir/' IAM_ROLE default PARQUET", "1,x|2,é  "},
		{"prefix without match", "a INT", func() {}, "COPY x FROM 's3://lake/none/' IAM_ROLE default PARQUET", ""},
		{"explicit ids", "id BIGINT IDENTITY(1,1), b VARCHAR(9)", func() {
			store.manifest(parquetFile(t, []struct {
				A int64
				B string
			}{{9, "x"}}))
		}, into("x", "EXPLICIT_IDS"), "9,x"},
		{"super scalar", "a INT, s SUPER", func() { store.manifest(two) }, into("x", "SERIALIZETOJSON"), `1,"x"|2,"é  "`},
		{"super struct", "s SUPER", func() { store.manifest(parquetFile(t, []nested{nestedRow})) }, into("x", "SERIALIZETOJSON"), `{"x":7,"l":["a"]}`},
		{"millis", "v TIMESTAMP", func() { store.manifest(parquetFile(t, []stamp{{1_700_000_000_123}})) }, into("x", ""), "2023-11-14 22:13:20.123"},
		{"fixed decimal", "v DECIMAL(18,2)", func() { store.manifest(fixedDecimalFile(t, 8)) }, into("x", ""), "1.25"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			execAll(t, c, "DROP TABLE IF EXISTS x", "CREATE TABLE x ("+tt.ddl+")")
			tt.prepare()
			execAll(t, c, tt.sql)
			var lines []string
			for _, r := range table(t, c, "SELECT * FROM x ORDER BY 1") {
				lines = append(lines, strings.Join(r, ","))
			}
			if got := strings.Join(lines, "|"); got != tt.want {
				t.Errorf("got %s\nwant %s", got, tt.want)
			}
		})
	}
}

// TestCopyCounts follows the session functions over loads that work and that fail.
func TestCopyCounts(t *testing.T) {
	s, store := copyServer(t, nil)
	c := dial(t, s, "")
	counts := func() string { return table(t, c, "SELECT pg_last_copy_count()")[0][0] }
	store.manifest(parquetFile(t, events(1, 3)))
	execAll(t, c, eventTable, eventCopy)
	if got := counts(); got != "3" {
		t.Error("after a load:", got)
	}
	_, err := c.Exec(t.Context(), strings.Replace(eventCopy, "MANIFEST", "MANIFEST REGION 'x'", 1))
	wantError(t, err, "0A000")
	if got := counts(); got != "3" {
		t.Error("after a refused option:", got)
	}
	_, err = c.Exec(t.Context(), strings.Replace(eventCopy, "COPY e", "COPY E ", 1)+" FILLRECORD ACCEPTINVCHARS AS '?'")
	if err != nil {
		t.Error(describeError(err))
	}
	store.manifest([]byte("damaged"))
	_, err = c.Exec(t.Context(), eventCopy)
	wantError(t, err, "XX000")
	if got := counts(); got != "0" {
		t.Error("after a failed load:", got)
	}
	if got := table(t, c, "SELECT status, loaded_rows FROM sys_load_history ORDER BY query_id DESC LIMIT 1")[0]; got[0] != "aborted" {
		t.Error(got)
	}
	execAll(t, c, "DROP TABLE e")
}
