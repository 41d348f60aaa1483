package redshiftd

import (
	"reflect"
	"strings"
	"testing"
)

func TestAlterTableAppend(t *testing.T) {
	s := startServer(t, nil)
	c := dial(t, s, "")
	execAll(t, c, "CREATE TABLE t (a INT, b VARCHAR(9) DEFAULT 'none') SORTKEY (a)", "CREATE TABLE same (b VARCHAR(9), a INT) SORTKEY (a)",
		"CREATE TABLE more (a INT, b VARCHAR(9), c DATE) SORTKEY (a)", "CREATE TABLE less (a INT) SORTKEY (a)", "CREATE TABLE other (a BIGINT, b VARCHAR(9)) SORTKEY (a)",
		"CREATE TABLE unsorted (a INT, b VARCHAR(9))", "CREATE TABLE strictly (a INT NOT NULL, b VARCHAR(9)) SORTKEY (a)", "CREATE TEMP TABLE tmp (a INT, b VARCHAR(9))",
		"INSERT INTO t VALUES (0,'t')", "INSERT INTO same VALUES ('s',1)", "INSERT INTO more VALUES (2,'m','2026-01-01')", "INSERT INTO less VALUES (3)")
	for _, tt := range []struct{ sql, code, text string }{
		{"ALTER TABLE t APPEND FROM more", "0A000", `no column "c"; use IGNOREEXTRA`},
		{"ALTER TABLE t APPEND FROM less", "0A000", `no column "b"; use FILLTARGET`},
		{"ALTER TABLE t APPEND FROM other", "0A000", `column "a" of the source differs`},
		{"ALTER TABLE t APPEND FROM strictly", "0A000", `column "a" of the source differs`},
		{"ALTER TABLE t APPEND FROM unsorted", "0A000", "differ in distribution"},
		{"ALTER TABLE t APPEND FROM tmp", "0A000", "temporary"},
		{"ALTER TABLE t APPEND FROM t", "0A000", "itself"},
		{"ALTER TABLE t APPEND FROM nope", "42P01", ""},
		{"ALTER TABLE t APPEND FROM same IGNOREEXTRA FILLTARGET", "42601", ""},
		{"ALTER TABLE t APPEND FROM same; SELECT 1", "25001", "ALTER TABLE APPEND cannot run inside a transaction block"},
	} {
		_, err := readTable(c, tt.sql)
		if pg := wantError(t, err, tt.code); !strings.Contains(pg.Message, tt.text) {
			t.Errorf("%s: %s", tt.sql, pg.Message)
		}
	}
	execAll(t, c, "BEGIN")
	_, err := c.Exec(t.Context(), "ALTER TABLE t APPEND FROM same")
	wantError(t, err, "25001")
	execAll(t, c, "ROLLBACK", "ALTER TABLE t APPEND FROM same", "ALTER TABLE t APPEND FROM more IGNOREEXTRA", "ALTER TABLE t APPEND FROM less FILLTARGET")
	if got := table(t, dial(t, s, ""), "SELECT a, b FROM t ORDER BY a"); !reflect.DeepEqual(got, [][]string{{"0", "t"}, {"1", "s"}, {"2", "m"}, {"3", "none"}}) {
		t.Error(got)
	}
	for _, n := range []string{"same", "more", "less"} {
		if got := table(t, c, "SELECT COUNT(*) FROM "+n); got[0][0] != "0" {
			t.Errorf("%s keeps %s rows", n, got[0][0])
		}
	}
}
