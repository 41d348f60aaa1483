package redshiftd

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestSnippets(t *testing.T) {
	text, err := os.ReadFile("testdata/snippets.sql")
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, startServer(t, nil), "")
	legal, all := 0, 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "--") {
			continue
		}
		i := strings.LastIndex(line, "; -- ")
		if i < 0 {
			t.Fatalf("no expectation: %s", line)
		}
		sql, want := line[:i+1], line[i+len("; -- "):]
		_, err := c.PgConn().Exec(t.Context(), sql).ReadAll()
		got := "ok"
		var pg *pgconn.PgError
		if errors.As(err, &pg) {
			got = pg.Code
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s\n got %s %v", line, got, err)
		}
		if all++; want == "ok" {
			legal++
		}
		if c.PgConn().TxStatus() != 'I' {
			execAll(t, c, "ROLLBACK")
		}
	}
	if all != 300 || legal != 150 {
		t.Errorf("%d statements, %d of them legal", all, legal)
	}
}
