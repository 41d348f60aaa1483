package redshiftd

import (
	"reflect"
	"testing"
)

// TestTrailingBlanks groups texts as Redshift does: 'a' and 'a ' are one value, and one of the two is shown.
func TestTrailingBlanks(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE b (v VARCHAR(5), n INT, c CHAR(3))", "INSERT INTO b VALUES ('a', 1, 'x'), ('a ', 2, 'x '), ('a  ', 3, 'x'), ('b', 4, 'y'), (NULL, 5, NULL), (NULL, 6, NULL)")
	for _, tt := range []struct {
		sql  string
		want [][]string
	}{
		{"SELECT RTRIM(v), SUM(n) FROM b GROUP BY v ORDER BY 2", [][]string{{"b", "4"}, {"a", "6"}, {"NULL", "11"}}},
		{"SELECT SUM(n) FROM b GROUP BY v ORDER BY 1", [][]string{{"4"}, {"6"}, {"11"}}},
		{"SELECT COUNT(*), SUM(OCTET_LENGTH(v)) FROM (SELECT v FROM b GROUP BY 1) x", [][]string{{"3", "2"}}},
		{"SELECT v = 'a', COUNT(*) FROM b x GROUP BY x.v HAVING x.v = 'a' ORDER BY MAX(n)", [][]string{{"t", "3"}}},
		{"SELECT SUM(n), RTRIM(v || ' ') FROM b GROUP BY v || ' ', 2 ORDER BY 1", [][]string{{"4", "b"}, {"6", "a"}, {"11", "NULL"}}},
		{"SELECT RTRIM(k), n FROM (SELECT v || '  ' AS k, SUM(n) AS n FROM b GROUP BY 1) x ORDER BY n", [][]string{{"b", "4"}, {"a", "6"}, {"NULL", "11"}}},
		{"SELECT RTRIM(k), n FROM (SELECT v AS k, SUM(n) AS n FROM b GROUP BY k) x ORDER BY n", [][]string{{"b", "4"}, {"a", "6"}, {"NULL", "11"}}},
		{"SELECT SUM(OCTET_LENGTH(v)) FROM b GROUP BY v ORDER BY 1", [][]string{{"1"}, {"6"}, {"NULL"}}},
		{"SELECT c, COUNT(*) FROM b GROUP BY c ORDER BY 2, 1", [][]string{{"y  ", "1"}, {"NULL", "2"}, {"x  ", "3"}}},
		{"SELECT COUNT(*), COUNT(k) FROM (SELECT DISTINCT v AS k FROM b) x", [][]string{{"3", "2"}}},
		{"SELECT COUNT(*) FROM (SELECT DISTINCT v, c, 1 FROM b) x", [][]string{{"3"}}},
		{"SELECT COUNT(*) FROM (SELECT DISTINCT v, COUNT(*) FROM b GROUP BY v, n) x", [][]string{{"3"}}},
		{"SELECT COUNT(*) FROM (SELECT DISTINCT * FROM b) x", [][]string{{"6"}}},
		{"SELECT DISTINCT RTRIM(v) FROM b ORDER BY 1", [][]string{{"a"}, {"b"}, {"NULL"}}},
		{"SELECT RTRIM(v), SUM(COUNT(*)) OVER (PARTITION BY v) FROM b GROUP BY v, n ORDER BY 1, 2 LIMIT 1", [][]string{{"a", "3"}}},
	} {
		got, err := readTable(c, tt.sql)
		if err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %q %v", tt.sql, got, describeError(err))
		}
	}
}
