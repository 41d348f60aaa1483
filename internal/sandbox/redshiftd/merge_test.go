package redshiftd

import (
	"reflect"
	"strings"
	"testing"
)

func TestMerge(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE t (id INT NOT NULL, v VARCHAR(9), n INT DEFAULT 7)", "CREATE TABLE s (id INT, v VARCHAR(9))", "CREATE TEMP TABLE tmp (id INT, v VARCHAR(9), n INT)")
	for _, tt := range []struct {
		sql  string
		want string // rows of t as "id v n;…"
	}{
		{"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v, n = t.n + 1 WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)",
			"1 one 1;2 two' 3;3 new 7;3 new 7"},
		{"MERGE INTO t USING s AS x ON t.id = x.id WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (v, id, n) VALUES (x.v, x.id, DEFAULT)",
			"1 one 1;3 new 7;3 new 7"},
		{"MERGE INTO t USING (SELECT id, MAX(v) AS v FROM s GROUP BY id) x ON t.id = x.id WHEN MATCHED THEN UPDATE SET v = DEFAULT WHEN NOT MATCHED THEN INSERT VALUES (id, UPPER(v), 0)",
			"1 one 1;2 NULL 2;3 NEW 0"},
		{"MERGE INTO t USING tmp ON t.id = tmp.id REMOVE DUPLICATES", "1 one 1;2 tmp 9;5 tmp 9"},
	} {
		execAll(t, c, "DELETE FROM t", "DELETE FROM s", "DELETE FROM tmp", "INSERT INTO t VALUES (1,'one',1), (2,'two',2)",
			"INSERT INTO s VALUES (2,'two'''), (3,'new'), (3,'new')", "INSERT INTO tmp VALUES (2,'tmp',9), (5,'tmp',9)")
		tag, err := c.Exec(t.Context(), tt.sql)
		if err != nil || tag.String() != "MERGE" {
			t.Errorf("%s: %v %s", tt.sql, tag, describeError(err))
			continue
		}
		var lines []string
		for _, row := range table(t, c, "SELECT id, v, n FROM t ORDER BY 1, 2") {
			lines = append(lines, strings.Join(row, " "))
		}
		if got := strings.Join(lines, ";"); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.sql, got, tt.want)
		}
	}
}

func TestMergeRefused(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE t (id INT NOT NULL, v VARCHAR(3))", "CREATE TABLE s (id INT, v VARCHAR(9))", "CREATE TABLE s3 (id INT, v VARCHAR(3), n INT)",
		"INSERT INTO t VALUES (1,'a')", "INSERT INTO s VALUES (1,'b'), (1,'c')")
	both := " WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)"
	for _, tt := range []struct{ sql, code, text string }{
		{"MERGE INTO t AS x USING s ON x.id = s.id" + both, "42601", `syntax error at or near "AS"`},
		{"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED AND t.id > 1 THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id)", "42601", `near "AND"`},
		{"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE", "0A000", "MERGE statement with a single WHEN clause is not enabled."},
		{"MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id)", "0A000", "MERGE statement with a single WHEN clause is not enabled."},
		{"MERGE INTO t USING s ON t.id = s.id WHEN NOT MATCHED THEN INSERT VALUES (s.id) WHEN MATCHED THEN DELETE", "42601", `near "WHEN"`},
		{"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.id)", "42601", ""},
		{"MERGE INTO t USING s ON t.id = s.id", "42601", ""},
		{"WITH x AS (SELECT 1 AS id) MERGE INTO t USING x ON t.id = x.id" + both, "42601", ""},
		{"MERGE INTO t USING s ON t.id = s.id" + both, "XX000", "Found multiple matches to update the same tuple."},
		{"MERGE INTO t USING s ON t.id = s.id REMOVE DUPLICATES", "XX000", "Found multiple matches to update the same tuple."},
		{"MERGE INTO t USING s3 ON t.id = s3.id REMOVE DUPLICATES", "42601", "same number of columns"},
		{"MERGE INTO t USING t AS s ON t.id = s.id" + both, "0A000", ""},
		{"MERGE INTO t USING (SELECT id, v FROM t) s ON t.id = s.id" + both, "0A000", "Source view/subquery in Merge statement cannot reference target table."},
		{"MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (t.id, s.v)", "42P01", ""},
		{"MERGE INTO svv_tables USING s ON true" + both, "42501", ""},
		{"MERGE INTO nope USING s ON true" + both, "42P01", ""},
		{"MERGE INTO t USING (SELECT 2 AS id, 'long'::varchar AS v) s ON t.id = s.id" + both, "22001", "value too long"},
		{"MERGE INTO t USING (SELECT 2 AS id, NULL::int AS v) s ON t.id = s.v WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (s.v)", "XX000", "Cannot insert a NULL value into column id"},
	} {
		_, err := readTable(c, tt.sql)
		if pg := wantError(t, err, tt.code); !strings.Contains(pg.Message, tt.text) {
			t.Errorf("%s: %s", tt.sql, pg.Message)
		}
	}
	if got := table(t, c, "SELECT id, v FROM t"); !reflect.DeepEqual(got, [][]string{{"1", "a"}}) {
		t.Errorf("refused statements changed the table: %q", got)
	}
	_, err := c.Exec(t.Context(), "MERGE INTO t USING (SELECT id, v FROM s WHERE id = $1) s ON t.id = s.id"+both, 1)
	wantError(t, err, "XX000")
}
