package redshiftd

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// The statements on the right are written so that the binder leaves them as they are.
func TestRewritesKeepMeaning(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE r (k varchar(8), v integer, d varchar(40), at timestamp, amount decimal(18,2), cur char(3))",
		`INSERT INTO r VALUES ('a', 1, 'x', '2026-01-01', 1.50, 'EUR'), ('a ', 2, 'ä|~', NULL, -0.05, 'US'), ('b', NULL, NULL, '1969-12-31 23:59:59.999999', NULL, NULL),
		(NULL, 1, '', '2026-01-02 03:04:05.6', 0, ''), (NULL, 3, 'z', '2026-01-01', 7, 'JPY'), ('c', 5, 'q', '2026-01-01', 1, 'EUR'), ('c', 5, 'p', '2026-01-01', 1, 'EUR')`)
	ranked := func(cond string) string {
		return `SELECT k, v, d FROM (SELECT k, v, d, ROW_NUMBER() OVER (PARTITION BY k ORDER BY v DESC NULLS LAST, d) AS n FROM r) AS x WHERE ` + cond + ` ORDER BY 1, 2, 3`
	}
	plain := `CASE WHEN k IS NOT NULL THEN OCTET_LENGTH(k)::VARCHAR || ':' || k ELSE '~' END || '|' || CASE WHEN amount IS NOT NULL THEN amount::VARCHAR ELSE '~' END || '|' ||
		CASE WHEN at IS NOT NULL THEN DATEDIFF(microsecond, TIMESTAMP '1970-01-01', at)::VARCHAR ELSE '~' END || '|' || CASE WHEN cur IS NOT NULL THEN RTRIM(cur::VARCHAR(3)) ELSE '~' END`
	rewritten := `CASE WHEN k IS NULL THEN '~' ELSE OCTET_LENGTH(k)::VARCHAR || ':' || k END || '|' || CASE WHEN amount IS NULL THEN '~' ELSE amount::VARCHAR END || '|' ||
		CASE WHEN at IS NULL THEN '~' ELSE DATEDIFF(microsecond, TIMESTAMP '1970-01-01', at)::VARCHAR END || '|' || CASE WHEN cur IS NULL THEN '~' ELSE RTRIM(cur::VARCHAR(3)) END`
	for _, q := range [][2]string{
		{ranked("n = 1"), ranked("n < 2")},
		{ranked("x.n = 1"), ranked("n <= 1 AND n > 0")},
		{strings.Replace(ranked("n = 1"), "FROM r)", "FROM r WHERE v > 1)", 1), strings.Replace(ranked("n < 2"), "FROM r)", "FROM r WHERE v > 1)", 1)},
		{"SELECT " + rewritten + " FROM r ORDER BY 1", "SELECT " + plain + " FROM r ORDER BY 1"},
		{"SELECT FARMFINGERPRINT64('#' || " + rewritten + "), FARMFINGERPRINT64(" + rewritten + ") FROM r ORDER BY 1",
			"SELECT FARMFINGERPRINT64('#' || " + plain + "), FARMFINGERPRINT64(" + plain + ") FROM r ORDER BY 1"},
		{"SELECT k || '-' || d FROM r ORDER BY 1", "SELECT CASE WHEN k IS NOT NULL AND d IS NOT NULL THEN CONCAT(CONCAT(k, '-'), d) END FROM r ORDER BY 1"},
		{"SELECT CASE WHEN k IS NULL THEN 'none' ELSE 'some' END, COUNT(*) FROM r GROUP BY 1 ORDER BY 1", "SELECT 'none', 2 UNION ALL SELECT 'some', 5 ORDER BY 1"},
		{"SELECT CASE WHEN k IS NULL THEN '~' ELSE k || d END FROM r ORDER BY 1", "SELECT CASE WHEN k IS NOT NULL THEN k || d ELSE '~' END FROM r ORDER BY 1"},
	} {
		if got, want := table(t, c, q[0]), table(t, c, q[1]); !reflect.DeepEqual(got, want) {
			t.Errorf("%s\n got %q\nwant %q", q[0], got, want)
		}
	}
}

// Wide rows make long chains of ||, which must not nest.
func TestWideConcatenation(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE w (a varchar(1))", "INSERT INTO w VALUES ('x'), (NULL)")
	q := "SELECT LEN(" + strings.Join(slices.Repeat([]string{"CASE WHEN a IS NULL THEN '' ELSE a END"}, 1600), " || '|' || ") + ") FROM w ORDER BY 1"
	if got := table(t, c, q); !reflect.DeepEqual(got, [][]string{{"1599"}, {"3199"}}) {
		t.Errorf("got %q", got)
	}
}

func TestCompactJSON(t *testing.T) {
	for s, want := range map[string]bool{
		`{}`: true, `[]`: true, `[1,-2.5,3e10,0.1E-2,0]`: true, `{"a":{"b":[true,false,null,"x\n\"é"]}}`: true, `"x"`: true, `7`: true,
		`{ }`: false, `[1, 2]`: false, ` 1`: false, `01`: false, `1.`: false, `-`: false, `[1,]`: false, `{"a"}`: false, `{"a":}`: false, `{1:2}`: false,
		`"a`: false, "\"\n\"": false, `"\x"`: false, `nul`: false, ``: false, `[1}`: false, `1 2`: false, `{"a":1,}`: false,
		strings.Repeat("[", 80) + strings.Repeat("]", 80): false, // valid, but left to the parser
	} {
		if got := compactJSON(s); got != want {
			t.Errorf("%.40q: %v", s, got)
		}
	}
}

func FuzzCompactJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.5e3,"x",null]}`, `[01]`, `"\u00e9"`, `{"a":1 }`, `[[[]]]`, `-0`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !compactJSON(s) {
			return
		}
		if !json.Valid([]byte(s)) {
			t.Fatalf("%q is not valid", s)
		}
		if got, err := jsonParse(s); err != nil || got != s {
			t.Fatalf("%q becomes %v, %v", s, got, err)
		}
	})
}
