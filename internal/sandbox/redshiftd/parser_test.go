package redshiftd

import (
	"errors"
	"strings"
	"testing"
)

// FuzzParse wants no panic, and an error with a SQLSTATE for whatever is refused.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"SELECT a.b, 'x\\'y', \"Q\"::varchar(3) FROM t AS a LEFT JOIN (SELECT 1) x ON a = b WHERE a IN (1,2) ORDER BY 1 DESC",
		"COPY t (a,b) FROM 's3://b/k' IAM_ROLE 'r' FORMAT AS PARQUET MANIFEST", "CREATE TABLE t (a INT IDENTITY(1,1) ENCODE zstd DEFAULT 1) DISTKEY(a)",
		"INSERT INTO t VALUES (1,DEFAULT),(NULL,$1)", "BEGIN; LOCK t; END", "SELECT /* a /* b */ c */ -- d\n 1", "WITH q AS (SELECT 1) DELETE FROM t USING q WHERE t.a = q.b",
		"SET a TO 'b', c", "ALTER TABLE t ADD COLUMN a DECIMAL(18,2) NOT NULL", "SELECT SUM(x) OVER (PARTITION BY y ORDER BY z ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) QUALIFY 1=1",
		"SELECT '\\0", "SELECT \\", "((((", "$1$2", "\xff", "#a", "GRANT x TO", "SELECT TOP 1 * FROM a, b c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		tokens, err := lex(sql)
		if err == nil {
			for _, part := range splitStatements(tokens) {
				if _, err = parse(sql, part); err != nil {
					break
				}
			}
		}
		var pg *pgError
		if err != nil && (!errors.As(err, &pg) || len(pg.code) != 5) {
			t.Errorf("%q: %v has no SQLSTATE", sql, err)
		}
	})
}

func TestLex(t *testing.T) {
	for _, tt := range []struct{ sql, want string }{
		{`a "B" #C 'x''y\'z\\\101' 1.5e3 .5 $1 a::b<>c`, `a b #c x'y'z\A 1.5e3 .5 1 a :: b <> c `},
		{"a/*x/*y*/z*/b--c\n+d", "a b + d "},
		{`"` + strings.Repeat("ä", 70) + `"`, strings.Repeat("ä", 63) + " "},
	} {
		tokens, err := lex(tt.sql)
		if err != nil {
			t.Errorf("%s: %v", tt.sql, err)
			continue
		}
		var words []string
		for _, x := range tokens {
			words = append(words, x.text)
		}
		if got := strings.Join(words, " "); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.sql, got, tt.want)
		}
	}
	for _, sql := range []string{"'a", `"a`, "/* a", "a\x00b", "\xff", `""`, `'\377'`, "`a`", "1a"} {
		if _, err := lex(sql); err == nil {
			t.Errorf("%q is accepted", sql)
		}
	}
}
