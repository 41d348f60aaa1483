package redshiftd

import (
	"context"
	"reflect"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestSmoke(t *testing.T) {
	s := startServer(t, nil)
	c := dial(t, s, "")
	execAll(t, c, "CREATE TABLE t (a INT NOT NULL, b VARCHAR(10), d DECIMAL(18,2) DEFAULT 1.5, c CHAR(3))",
		"INSERT INTO t VALUES (1,'x',2.5,'ab'), (2,NULL,DEFAULT,NULL)", "BEGIN", "LOCK TABLE t", "DELETE FROM t WHERE a = 2", "COMMIT")
	if got := table(t, c, "SELECT * FROM t"); !reflect.DeepEqual(got, [][]string{{"1", "x", "2.50", "ab "}}) {
		t.Fatal(got)
	}
	for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeCacheStatement, pgx.QueryExecModeExec, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeCacheDescribe} {
		var a int
		var b string
		if err := c.QueryRow(context.Background(), "SELECT a, b FROM t WHERE a = $1 AND b = $2", mode, 1, "x").Scan(&a, &b); err != nil {
			t.Fatal(mode, describeError(err))
		}
	}
}
