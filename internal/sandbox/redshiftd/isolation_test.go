package redshiftd

import (
	"strings"
	"testing"
	"time"
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
		{"write skew", skew + `b: COMMIT => 1023; b: SELECT n FROM t => 1; b: SELECT n FROM u => 2`, []Profile{Provisioned}},
		{"write skew", skew + `b: COMMIT; b: SELECT n FROM t => 2; b: SELECT n FROM u => 2`, []Profile{Serverless}},
		{"write skew by phantoms", phantoms + `b: COMMIT => 1023; b: SELECT COUNT(*) FROM u => 1`, []Profile{Provisioned}},
		{"write skew by phantoms", phantoms + `b: COMMIT; b: SELECT COUNT(*) FROM u => 2`, []Profile{Serverless}},
		{"circle of three", three + `c: COMMIT => 1023; c: SELECT n FROM t => 1`, []Profile{Provisioned}},
		{"circle of three", three + `c: COMMIT; c: SELECT n FROM t => 2`, []Profile{Serverless}},
		{"circle through a commit", `a: BEGIN; a: SELECT n FROM t => 1; b: BEGIN; b: SELECT n FROM u => 1; b: UPDATE t SET n = 2; b: COMMIT; c: UPDATE v SET n = 2;
			a: UPDATE u SET n = 2; a: COMMIT => 1023`, []Profile{Provisioned}},
		{"reader completes a circle", reader + `a: COMMIT => 1023; b: SELECT n FROM t => 1`, []Profile{Provisioned}},
		{"reader completes a circle", reader + `a: COMMIT; b: SELECT n FROM t => 9`, []Profile{Serverless}},
		{"reader is the last", `a: BEGIN; a: SELECT n FROM u => 1; b: UPDATE u SET n = 2; c: BEGIN; c: SELECT n FROM u => 2; a: UPDATE t SET n = 9; a: COMMIT; c: SELECT n FROM t => 1;
			c: COMMIT => 1023`, []Profile{Provisioned}},
		{"a waiting writer sees what it waited for", `a: BEGIN; a: UPDATE t SET n = 5; b& UPDATE t SET n = n + 1; a: COMMIT; b? ; b: SELECT n FROM t => 6`, nil},
		{"a waiting writer that has read", `b: BEGIN; b: SELECT n FROM t => 1; a: BEGIN; a: UPDATE t SET n = 5; b& UPDATE t SET n = n + 1; a: COMMIT; b? => 1023`, nil},
		{"appenders wait", `a: BEGIN; a: INSERT INTO t VALUES (2); b& INSERT INTO t VALUES (3); a: ROLLBACK; b? ; b: SELECT COUNT(*) FROM t => 2`, []Profile{Provisioned}},
		{"appenders share", `a: BEGIN; a: INSERT INTO t VALUES (2); b: INSERT INTO t VALUES (3); a: COMMIT; b: SELECT COUNT(*) FROM t => 3`, []Profile{Serverless}},
		{"deadlock of appenders that update", `a: BEGIN; b: BEGIN; a: INSERT INTO t VALUES (2); b: INSERT INTO t VALUES (3); a& UPDATE t SET n = 0; b: UPDATE t SET n = 0 => deadlock detected;
			a? ; a: COMMIT; b: ROLLBACK; b: SELECT COUNT(*) FROM t => 2`, []Profile{Serverless}},
		{"deadlock", `a: BEGIN; b: BEGIN; a: UPDATE t SET n = 2; b: UPDATE u SET n = 2; a& UPDATE u SET n = 3; b: UPDATE t SET n = 3 => deadlock detected; a?; a: COMMIT; b: ROLLBACK;
			b: SELECT n FROM u => 3`, nil},
		{"deadlock of three", `a: BEGIN; b: BEGIN; c: BEGIN; a: LOCK t; b: LOCK u; c: LOCK v; a& LOCK u; b& LOCK v; c: LOCK t => deadlock detected; b?; b: COMMIT; a?; a: COMMIT`, nil},
		{"LOCK first", `a: BEGIN; a: LOCK t; b: BEGIN; b& LOCK t; a: UPDATE t SET n = 2; a: COMMIT; b?; b: UPDATE t SET n = n + 1; b: COMMIT; a: SELECT n FROM t => 3`, nil},
		{"LOCK after a read", `b: BEGIN; b: SELECT n FROM t => 1; a: UPDATE t SET n = 2; b: LOCK t; b: UPDATE t SET n = n + 1 => 1023`, nil},
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

// The beginnings of plays that end differently.
const (
	skew = `a: BEGIN; b: BEGIN; a: SELECT n FROM t => 1; b: SELECT n FROM u => 1; a: UPDATE u SET n = 2; b: UPDATE t SET n = 2; a: COMMIT; `
	// Each counts the rows of one table and adds one to the other.
	phantoms = `a: BEGIN; b: BEGIN; a: SELECT COUNT(*) FROM u => 1; b: SELECT COUNT(*) FROM t => 1; a: INSERT INTO t VALUES (2); b: INSERT INTO u VALUES (2); a: COMMIT; `
	three    = `a: BEGIN; b: BEGIN; c: BEGIN; a: SELECT n FROM t => 1; b: SELECT n FROM u => 1; c: SELECT n FROM v => 1;
		a: UPDATE u SET n = 2; b: UPDATE v SET n = 2; c: UPDATE t SET n = 2; a: COMMIT; b: COMMIT; `
	// a has seen u before b changed it; c sees b's change, but not what a will write.
	reader = `a: BEGIN; a: SELECT n FROM u => 1; b: UPDATE u SET n = 2; c: BEGIN; c: SELECT n FROM u => 2; c: SELECT n FROM t => 1; c: COMMIT; a: UPDATE t SET n = 9; `
)

func playIsolation(t *testing.T, p Profile, steps string) {
	s := startServer(t, func(c *Config) { c.Profile = p })
	sessions := map[string]clientSession{}
	for _, name := range []string{"a", "b", "c"} {
		c := openPgx(t, s)
		defer c.close()
		sessions[name] = c
	}
	execAll(t, dial(t, s, ""), "CREATE TABLE t (n INT)", "CREATE TABLE u (n INT)", "CREATE TABLE v (n INT)", "INSERT INTO t VALUES (1)", "INSERT INTO u VALUES (1)", "INSERT INTO v VALUES (1)")
	blocked := 0
	for step := range strings.SplitSeq(steps, ";") {
		step = strings.TrimSpace(step)
		call, want, judged := strings.Cut(step, " => ")
		c, how, sql := sessions[call[:1]], call[1], strings.TrimSpace(call[2:])
		switch how {
		case '&':
			c.start(sql)
			blocked++
			waiting(t, s, blocked)
			continue
		case '?':
			blocked--
		default:
			c.start(sql)
		}
		got := c.finish()
		first, detail, _ := strings.Cut(got.text, "\n")
		if first == "1023" && !strings.HasPrefix(detail, "Serializable isolation violation on table - 1") {
			t.Errorf("%s: detail %q", step, detail)
		}
		if judged && first != want || !judged && got.code != "" {
			t.Fatalf("%s: got %q", step, got)
		}
	}
}

// TestCommitLogForgets shows that the log keeps what an open transaction may still meet, up to its limit, and nothing else.
func TestCommitLogForgets(t *testing.T) {
	l := newCommitLog()
	set := func(names ...string) map[string]bool { return wordSet(strings.Join(names, " ")) }
	done := func() error { return nil }
	run := func(reads, writes map[string]bool) error {
		snapshot, _, err := l.begin(done)
		if err != nil {
			return err
		}
		defer l.end(snapshot)
		return l.commit(done, &commit{snapshot: snapshot, reads: reads, writes: writes}, true)
	}
	for range 10 {
		if err := run(set("t"), set("t")); err != nil || len(l.recent) > 0 {
			t.Fatal(err, len(l.recent))
		}
	}
	old, _, _ := l.begin(done)
	for range maxRecent + 5 {
		if err := run(set("t"), set("t")); err != nil {
			t.Fatal(err)
		}
	}
	if len(l.recent) != maxRecent {
		t.Errorf("%d commits are kept", len(l.recent))
	}
	if err := l.commit(done, &commit{snapshot: old, reads: set("u"), writes: set("v")}, true); err == nil {
		t.Error("a snapshot older than all that is known may commit")
	}
	if err := l.commit(done, &commit{snapshot: old, reads: set("u"), writes: set("v")}, false); err != nil {
		t.Error(err)
	}
	l.end(old)
	if len(l.recent) > 0 || len(l.active) > 0 {
		t.Errorf("%d commits and %d snapshots are kept for nobody", len(l.recent), len(l.active))
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
