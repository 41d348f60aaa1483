package redshiftd

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// once gives an action at the first operation of a kind and phase.
func once(kind string, phase Phase, action Action) func(Op) Action {
	var o sync.Once
	return func(op Op) (a Action) {
		if op.Kind == kind && op.Phase == phase {
			o.Do(func() { a = action })
		}
		return a
	}
}

// TestNamedErrors shows each error as the client meets it, and that the block it struck is undone.
func TestNamedErrors(t *testing.T) {
	var hook atomic.Pointer[func(Op) Action]
	none := func(Op) Action { return Continue }
	hook.Store(&none)
	s := startServer(t, func(c *Config) { c.Hook = func(op Op) Action { return (*hook.Load())(op) } })
	check := dial(t, s, "")
	execAll(t, check, "CREATE TABLE t (a INT)")
	for _, tt := range []struct {
		action             Action
		code, text, detail string
	}{
		{Fail, "XX000", "injected fault", ""},
		{Conflict, "XX000", "1023", "Serializable isolation violation on table - "},
		{Deadlock, "40P01", "deadlock detected", ""},
		{RetriesExceeded, "XX000", "Spectrum Scan Error", "context:   Retries exceeded\n"},
		{Throttled, "XX000", "Spectrum Scan Error", "context:   Access throttled by S3. "},
		{DiskFull, "XX000", "Disk Full", ""},
		{Shutdown, "57P01", "terminating connection due to administrator command", ""},
		{Canceled, "57014", ") cancelled on user's request", ""},
		{Resize, "XX000", "Cannot execute write query because system is in resize mode", ""},
		{ExpiredToken, "XX000", "S3ServiceException:The provided token has expired.,Status 400,Error ExpiredToken", "code:      8001"},
	} {
		for _, phase := range []Phase{Before, After} {
			next := once("INSERT", phase, tt.action)
			hook.Store(&next)
			c := dial(t, s, "")
			execAll(t, c, "BEGIN")
			_, err := c.Exec(t.Context(), "INSERT INTO t VALUES (1)")
			pg := wantError(t, err, tt.code)
			if !strings.Contains(pg.Message, tt.text) || !strings.Contains(pg.Detail, tt.detail) || strings.Contains(pg.Message+pg.Detail, "%!") {
				t.Errorf("%v: %s", tt.action, describeError(pg))
			}
			if ended := tt.action == Shutdown; c.IsClosed() != ended {
				t.Errorf("%v: closed %v", tt.action, c.IsClosed())
			} else if !ended {
				_, err := c.Exec(t.Context(), "SELECT 1")
				wantError(t, err, "25P02")
			}
			c.Close(t.Context())
			execAll(t, check, "BEGIN", "LOCK TABLE t")
			if got := table(t, check, "SELECT COUNT(*) FROM t"); got[0][0] != "0" {
				t.Errorf("%v: %v rows", tt.action, got)
			}
			execAll(t, check, "COMMIT")
		}
	}
}

func TestCopyTwice(t *testing.T) {
	s, store := copyServer(t, func(c *Config) { c.Hook = once("COPY", Before, LoadTwice) })
	store.manifest(parquetFile(t, events(1, 2)), parquetFile(t, events(3, 2)))
	c := dial(t, s, "")
	execAll(t, c, eventTable, eventCopy)
	if got := table(t, c, "SELECT COUNT(*), COUNT(DISTINCT id), pg_last_copy_count() FROM e GROUP BY 3"); got[0][0] != "8" || got[0][1] != "4" || got[0][2] != "8" {
		t.Error(got)
	}
	execAll(t, c, eventCopy)
	if got := table(t, c, "SELECT COUNT(*) FROM e"); got[0][0] != "12" {
		t.Error("the second COPY is not as usual", got)
	}
}

// The load views lag behind; a closing server writes what is due.
func TestLoadViewsLag(t *testing.T) {
	dir := t.TempDir()
	s, store := copyServer(t, func(c *Config) { c.Dir = dir; c.Hook = once("COPY", Before, LagViews(time.Hour)) })
	store.manifest(parquetFile(t, events(1, 2)))
	c := dial(t, s, "")
	execAll(t, c, eventTable, eventCopy)
	if got := table(t, c, "SELECT COUNT(*), (SELECT COUNT(*) FROM sys_load_history) FROM e"); got[0][0] != "2" || got[0][1] != "0" {
		t.Error(got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := startServer(t, func(c *Config) { c.Dir = dir })
	if got := table(t, dial(t, again, ""), "SELECT COUNT(*) FROM sys_load_history"); got[0][0] != "1" {
		t.Error(got)
	}
	for d, want := range map[time.Duration]time.Duration{-1: 0, time.Second: time.Second, 48 * time.Hour: 24 * time.Hour} {
		if got := LagViews(d).viewLag(); got != want {
			t.Errorf("%v: %v", d, got)
		}
	}
}

// A hook that waits is ended by statement_timeout, and by the server's end.
func TestHookGivesUp(t *testing.T) {
	entered := make(chan struct{}, 2)
	s := startServer(t, func(c *Config) {
		c.Hook = func(op Op) Action {
			if strings.Contains(op.SQL, "42") && op.Phase == Before {
				entered <- struct{}{}
				<-op.Done
			}
			return Continue
		}
	})
	c := dial(t, s, "")
	execAll(t, c, "SET statement_timeout TO 500")
	_, err := c.Exec(t.Context(), "SELECT 42")
	wantError(t, err, "57014")
	execAll(t, c, "SET statement_timeout TO 0", "SELECT 1")
	<-entered
	done := async(c, "SELECT 42")
	<-entered
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("the statement ended well")
	}
}

const chained = "arn:aws:iam::999999999999:role/other-account"

// TestIAM runs COPY under roles with different rights; the texts are S3's as Redshift hands them on.
func TestIAM(t *testing.T) {
	type right struct{ role, action string }
	const denied = "S3ServiceException:Access Denied,Status 403,Error AccessDenied"
	// One COPY runs at a time, so that the tables below are at rest meanwhile.
	var rights []right
	keys := map[string]string{}
	s, store := copyServer(t, func(c *Config) {
		c.IAM.Allows = func(role, action, _ string) bool { return slices.Contains(rights, right{role, action}) }
		c.IAM.Keys = keys
	})
	store.manifest(parquetFile(t, events(1, 2)))
	c := dial(t, s, "")
	execAll(t, c, eventTable)
	all := []right{{testRole, "s3:ListBucket"}, {testRole, "s3:GetObject"}, {testRole, "kms:Decrypt"}}
	for _, tt := range []struct {
		name    string
		rights  []right
		key     string // of the bucket
		from    string // what replaces the manifest
		role    string
		message string // empty: loads
		text    string
	}{
		{name: "all rights", rights: all, key: "arn:aws:kms:eu-west-1:000000000000:key/1"},
		{name: "no s3:GetObject", rights: all[:1], message: "Problem reading manifest file - " + denied},
		{name: "no kms:Decrypt", rights: all[:2], key: "arn:aws:kms:eu-west-1:000000000000:key/1", message: "Problem reading manifest file - " + denied},
		{name: "no kms:Decrypt, no key", rights: all[:2]},
		{name: "no s3:ListBucket, objects named", rights: all[1:]},
		{name: "no s3:ListBucket, missing manifest", rights: all[1:], from: "nowhere", message: "Problem reading manifest file - " + denied},
		{name: "missing manifest", rights: all, from: "nowhere", message: "Problem reading manifest file - S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey"},
		{name: "chain", rights: []right{{testRole, "sts:AssumeRole"}, {chained, "s3:GetObject"}}, role: testRole + "," + chained},
		{name: "chain not allowed", rights: all, role: testRole + "," + chained, message: "UnauthorizedException", text: "User " + testRole + " is not authorized to assume IAM Role " + chained},
		{name: "not associated", rights: all, role: chained, message: "UnauthorizedException", text: "is not authorized to assume IAM Role " + chained},
	} {
		t.Run(tt.name, func(t *testing.T) {
			rights = tt.rights
			keys["lake"] = tt.key
			query := eventCopy
			if tt.from != "" {
				query = strings.Replace(query, "m.json", tt.from, 1)
			}
			if tt.role != "" {
				query = strings.Replace(query, testRole, tt.role, 1)
			}
			_, err := c.Exec(t.Context(), query)
			if tt.message == "" {
				if err != nil {
					t.Error(describeError(err))
				}
				return
			}
			var pg *pgconn.PgError
			if !errors.As(err, &pg) || !strings.HasPrefix(pg.Message, tt.message) || !strings.Contains(pg.Detail, tt.text) {
				t.Errorf("%s: %v", query, err)
			}
		})
	}
}
