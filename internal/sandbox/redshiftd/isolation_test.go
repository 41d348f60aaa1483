package redshiftd

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestIsolation plays two sessions, a and b, through the known anomalies. A step is "session: statement", with "=> text" what
// it gives: the first value, or the error's message.
func TestIsolation(t *testing.T) {
	for _, tt := range []struct {
		name, steps string
		profiles    []Profile
	}{
		{"dirty read", `a: BEGIN; a: UPDATE t SET n = 9; b: SELECT n FROM t => 1; a: ROLLBACK; b: SELECT n FROM t => 1`, nil},
		{"unrepeatable read", `a: BEGIN; a: SELECT n FROM t => 1; b: UPDATE t SET n = 9; a: SELECT n FROM t => 1; a: COMMIT; a: SELECT n FROM t => 9`, nil},
		{"phantom", `a: BEGIN; a: SELECT COUNT(*) FROM t => 1; b: INSERT INTO t VALUES (2); a: SELECT COUNT(*) FROM t => 1; a: COMMIT; a: SELECT COUNT(*) FROM t => 2`, nil},
		{"snapshot begins with the first read", `a: BEGIN; b: UPDATE t SET n = 9; a: SELECT n FROM t => 9; a: UPDATE t SET n = n + 1; a: COMMIT; b: SELECT n FROM t => 10`, nil},
		{"lost update", `a: BEGIN; a: SELECT n FROM t => 1; b: UPDATE t SET n = n + 1; a: UPDATE t SET n = 2 => 1023; a: ROLLBACK; a: SELECT n FROM t => 2`, nil},
		{"lost update without a read", `a: BEGIN; a: SELECT n FROM u => 1; b: UPDATE t SET n = 5; a: UPDATE t SET n = 7 => 1023; a: ROLLBACK; b: SELECT n FROM t => 5`, nil},
		{"insert after another's insert", `a: BEGIN; a: SELECT n FROM u => 1; b: INSERT INTO t VALUES (2); a: INSERT INTO t VALUES (3); a: COMMIT; b: SELECT COUNT(*) FROM t => 3`, nil},
		{"read only", `a: BEGIN; a: SELECT n FROM t => 1; a: SELECT n FROM u => 1; b: UPDATE t SET n = 2; b: UPDATE u SET n = 2; a: SELECT n FROM u => 1; a: COMMIT`, nil},
		{"one way", `a: BEGIN; a: SELECT n FROM t => 1; b: UPDATE t SET n = 2; a: UPDATE u SET n = 2; a: COMMIT; b: SELECT n FROM u => 2`, nil},
		{"write skew", `a: BEGIN; b: BEGIN; a: SELECT n FROM t => 1; b: SELECT n FROM u => 1; a: UPDATE u SET n = 2; b: UPDATE t SET n = 2; a: COMMIT;
			b: COMMIT => 1023; b: SELECT n FROM t => 1; b: SELECT n FROM u => 2`, []Profile{Provisioned}},
		{"write skew", `a: BEGIN; b: BEGIN; a: SELECT n FROM t => 1; b: SELECT n FROM u => 1; a: UPDATE u SET n = 2; b: UPDATE t SET n = 2; a: COMMIT;
			b: COMMIT; b: SELECT n FROM t => 2; b: SELECT n FROM u => 2`, []Profile{Serverless}},
	} {
		profiles := tt.profiles
		if profiles == nil {
			profiles = []Profile{Serverless, Provisioned}
		}
		for _, p := range profiles {
			t.Run(tt.name+" "+string(p), func(t *testing.T) { playIsolation(t, p, tt.steps) })
		}
	}
}

func playIsolation(t *testing.T, p Profile, steps string) {
	s := startServer(t, func(c *Config) { c.Profile = p })
	a, b := dial(t, s, ""), dial(t, s, "")
	execAll(t, a, "CREATE TABLE t (n INT)", "CREATE TABLE u (n INT)", "INSERT INTO t VALUES (1)", "INSERT INTO u VALUES (1)")
	for step := range strings.SplitSeq(steps, ";") {
		who, rest, _ := strings.Cut(strings.TrimSpace(step), ": ")
		sql, want, _ := strings.Cut(rest, " => ")
		conn := a
		if who == "b" {
			conn = b
		}
		rows, err := readTable(conn, sql)
		got := ""
		var pg *pgconn.PgError
		switch {
		case errors.As(err, &pg):
			got = pg.Message
			if got == "1023" && !strings.HasPrefix(pg.Detail, "Serializable isolation violation on table - 1") {
				t.Errorf("%s: detail %q", step, pg.Detail)
			}
		case err != nil:
			t.Fatal(err)
		case len(rows) > 0:
			got = rows[0][0]
		}
		if got != want {
			t.Fatalf("%s: got %q", step, got)
		}
	}
}

func TestCommitLogForgets(t *testing.T) {
	l := newCommitLog()
	set := func(names ...string) map[string]bool { return wordSet(strings.Join(names, " ")) }
	done := func() error { return nil }
	for range maxRecent + 5 {
		if err := l.commit(done, commit{reads: set("t"), writes: set("t")}, l.seq, true); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.recent) != maxRecent {
		t.Errorf("%d commits are kept", len(l.recent))
	}
	if err := l.commit(done, commit{reads: set("u"), writes: set("v")}, 0, true); err == nil {
		t.Error("a snapshot older than all that is known may commit")
	}
	if err := l.commit(done, commit{reads: set("u"), writes: set("v")}, 0, false); err != nil {
		t.Error(err)
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range []Profile{Serverless, Provisioned} {
		s, store := copyServer(t, func(c *Config) { c.Profile = p })
		store.manifest(parquetFile(t, events(1, 2)))
		c := dial(t, s, "")
		execAll(t, c, eventTable, eventCopy)
		store.manifest([]byte("PAR1 but not really"))
		_, err := c.Exec(t.Context(), eventCopy)
		wantError(t, err, "XX000")
		for _, view := range []string{"stl_load_commits", "stl_load_errors"} {
			rows, err := readTable(c, "SELECT * FROM "+view)
			if p == Serverless {
				if pg := wantError(t, err, "42501"); pg.Message != "permission denied for relation "+view {
					t.Error(pg.Message)
				}
			} else if err != nil || len(rows) != 1 {
				t.Errorf("%s: %q %v", view, rows, err)
			}
		}
		_, err = c.Exec(t.Context(), "SELECT * FROM stv_slices")
		wantError(t, err, map[Profile]string{Serverless: "42501", Provisioned: "0A000"}[p])
	}
	c := testConfig(t.TempDir())
	c.Profile = "dense"
	if _, err := Start(t.Context(), c); err == nil || err.Error() != `starting redshift stand-in: unknown profile "dense"` {
		t.Error(err)
	}
}

func TestLoadLag(t *testing.T) {
	for _, lag := range []time.Duration{0, time.Hour} {
		s, store := copyServer(t, func(c *Config) { c.LoadLag = lag })
		store.manifest(parquetFile(t, events(1, 2)))
		c := dial(t, s, "")
		execAll(t, c, eventTable, eventCopy)
		want := map[time.Duration]string{0: "1", time.Hour: "0"}[lag]
		for _, view := range []string{"sys_load_history", "sys_load_detail"} {
			if got := table(t, c, "SELECT COUNT(*) FROM "+view); got[0][0] != want {
				t.Errorf("lag %v: %s has %s rows", lag, view, got[0][0])
			}
		}
	}
}
