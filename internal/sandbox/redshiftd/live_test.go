package redshiftd

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestWhoHoldsALock shows the holder and the waiter of a lock, and what ends either.
func TestWhoHoldsALock(t *testing.T) {
	for _, p := range []Profile{Serverless, Provisioned} {
		t.Run(string(p), func(t *testing.T) {
			s := startServer(t, func(c *Config) {
				c.Profile = p
				c.Users["other"] = "secret"
			})
			holder, waiter, look := openPgx(t, s), openPgx(t, s), dial(t, s, "")
			defer holder.close()
			defer waiter.close()
			say := func(c clientSession, sql string) reply {
				c.start(sql)
				return c.finish()
			}
			pid := say(holder, "SELECT pg_backend_pid()").text
			execAll(t, look, "CREATE TABLE t (a INT)", "INSERT INTO t VALUES (1)")
			for _, q := range []string{"BEGIN", "SELECT * FROM t", "LOCK t"} {
				if got := say(holder, q); got.code != "" {
					t.Fatal(got)
				}
			}
			waiter.start("DELETE FROM t")
			waiting(t, s, 1)
			got := table(t, look, "SELECT pid = "+pid+", lock_mode, lockable_object_type, relation = (SELECT table_id FROM svv_table_info WHERE \"table\" = 't'), granted, txn_owner, txn_db FROM svv_transactions WHERE xid < (SELECT MAX(xid) FROM svv_transactions) ORDER BY 1 DESC, 3, 2")
			if want := [][]string{
				{"t", "AccessExclusiveLock", "relation", "t", "t", "loader", "analytics"},
				{"t", "ExclusiveLock", "transactionid", "NULL", "t", "loader", "analytics"},
				{"f", "ShareRowExclusiveLock", "relation", "t", "f", "loader", "analytics"},
				{"f", "ExclusiveLock", "transactionid", "NULL", "t", "loader", "analytics"},
			}; !reflect.DeepEqual(got, want) {
				t.Errorf("%q", got)
			}
			for _, view := range []string{"stv_locks", "stv_recents", "stv_inflight", "stv_sessions", "stv_partitions"} {
				_, err := readTable(look, "SELECT * FROM "+view)
				if p == Serverless {
					if pg := wantError(t, err, "42501"); pg.Message != "permission denied for relation "+view {
						t.Error(pg.Message)
					}
				} else if err != nil {
					t.Errorf("%s: %s", view, describeError(err))
				}
			}
			if p == Provisioned {
				for query, want := range map[string]string{
					"SELECT TRIM(lock_status), lock_owner_pid = " + pid + " FROM stv_locks ORDER BY 2 DESC": "Holding write lock,t|Waiting for write lock,f",
					"SELECT TRIM(query) FROM stv_recents WHERE status = 'Running' ORDER BY starttime":       "DELETE FROM t|SELECT TRIM(query) FROM stv_recents WHERE status = 'Running' ORDER BY starttime",
					"SELECT TRIM(text) FROM stv_inflight WHERE pid <> pg_backend_pid()":                     "DELETE FROM t",
					"SELECT COUNT(*) FROM stv_sessions":                                                     "3",
					"SELECT mode, granted FROM pg_locks ORDER BY 2 DESC":                                    "AccessExclusiveLock,t|ShareRowExclusiveLock,f",
					"SELECT used > 0 AND used < capacity FROM stv_partitions":                               "t",
				} {
					var lines []string
					for _, row := range table(t, look, query) {
						lines = append(lines, strings.Join(row, ","))
					}
					if got := strings.Join(lines, "|"); got != want {
						t.Errorf("%s: %s", query, got)
					}
				}
			}
			other, err := connectAs(t.Context(), s, "other", "secret", "")
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close(t.Context())
			if got := table(t, other, "SELECT COUNT(*) FROM svv_transactions WHERE txn_owner <> 'other'"); got[0][0] != "0" {
				t.Error("another user's transactions show", got)
			}
			_, err = readTable(other, "SELECT pg_terminate_backend("+pid+")")
			wantError(t, err, "42501")
			if got := table(t, look, "SELECT pg_terminate_backend("+pid+")"); got[0][0] != "1" {
				t.Error(got)
			}
			if got := waiter.finish(); got.text != "DELETE 1" {
				t.Error(got)
			}
			if got := say(holder, "SELECT 1"); got.code != "57P01" && got.code != "lost" {
				t.Error("the terminated session goes on", got)
			}
		})
	}
}

// TestCancelByAnother cancels a waiting statement in each of the ways.
func TestCancelByAnother(t *testing.T) {
	s := startServer(t, nil)
	c, look := openPgx(t, s), dial(t, s, "")
	defer c.close()
	c.start("SELECT pg_backend_pid()")
	pid := c.finish().text
	execAll(t, look, "CREATE TABLE t (a INT)", "BEGIN", "LOCK t")
	for _, tt := range []struct{ sql, code, want string }{
		{"SELECT pg_cancel_backend(%s)", "57014", ") cancelled on user's request"},
		{"CANCEL %s", "57014", ") cancelled on user's request"},
		{"CANCEL %s 'month end first'", "57014", "month end first"},
		{"SELECT pg_terminate_backend(%s)", "57P01", "terminating connection due to administrator command"},
	} {
		c.start("SELECT * FROM t")
		waiting(t, s, 1)
		execAll(t, look, fmt.Sprintf(tt.sql, pid))
		if got := c.finish(); got.code != tt.code || !strings.Contains(got.text, tt.want) {
			t.Errorf("%s: %q", tt.sql, got)
		}
	}
	if got := table(t, look, "SELECT pg_cancel_backend(1), pg_terminate_backend(2)"); !reflect.DeepEqual(got, [][]string{{"0", "0"}}) {
		t.Error(got)
	}
	_, err := readTable(look, "SELECT pg_cancel_backend(1) FROM t")
	wantError(t, err, "0A000")
}

// TestTimeZones reads and writes times in the session's zone. The zone of the engine stays UTC.
func TestTimeZones(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	execAll(t, c, "CREATE TABLE z (tz TIMESTAMPTZ, ts TIMESTAMP)", "INSERT INTO z VALUES ('2024-07-01 12:00:00+00', '2024-07-01 12:00:00')", "SET timezone TO 'America/New_York'",
		"INSERT INTO z VALUES ('2024-01-01 12:00:00', '2024-01-01 12:00:00'), ('2024-03-10 01:59:59.5-05', NULL)")
	for _, tt := range []struct{ sql, want string }{
		{"SELECT tz FROM z ORDER BY tz", "2024-01-01 12:00:00-05|2024-03-10 01:59:59.5-05|2024-07-01 08:00:00-04"},
		{"SELECT tz::VARCHAR(40) FROM z ORDER BY tz", "2024-01-01 12:00:00-05|2024-03-10 01:59:59.5-05|2024-07-01 08:00:00-04"},
		{"SELECT tz::TIMESTAMP FROM z ORDER BY tz", "2024-01-01 12:00:00|2024-03-10 01:59:59.5|2024-07-01 08:00:00"},
		{"SELECT tz::DATE FROM z WHERE tz = '2024-07-01 12:00:00+00'", "2024-07-01"},
		{"SELECT ts::TIMESTAMPTZ FROM z WHERE ts IS NOT NULL ORDER BY ts", "2024-01-01 12:00:00-05|2024-07-01 12:00:00-04"},
		{"SELECT COUNT(*) FROM z WHERE tz = ts", "1"},
		{"SELECT s::TIMESTAMPTZ FROM (SELECT '2024-07-01 12:00:00'::VARCHAR(30) AS s UNION ALL SELECT '2024-07-01 12:00:00+00' UNION ALL SELECT '2024-07-01' UNION ALL SELECT NULL) x ORDER BY s",
			"2024-07-01 00:00:00-04|2024-07-01 08:00:00-04|2024-07-01 12:00:00-04|NULL"},
		{"SELECT DATE_TRUNC('day', tz) FROM z ORDER BY tz", "2024-01-01 00:00:00-05|2024-03-10 00:00:00-05|2024-07-01 00:00:00-04"},
		{"SELECT DATEADD(day, 1, tz) FROM z WHERE ts IS NULL", "2024-03-11 01:59:59.5-04"},
		{"SELECT tz + INTERVAL '1 day' FROM z WHERE ts IS NULL", "2024-03-11 01:59:59.5-04"},
		{"SELECT EXTRACT(hour FROM tz) FROM z ORDER BY tz", "12|1|8"},
		{"SELECT DATEDIFF(hour, GETDATE(), CONVERT_TIMEZONE('UTC', 'America/New_York', SYSDATE)) BETWEEN -6 AND -3", "t"},
		{"SHOW timezone", "America/New_York"},
	} {
		var lines []string
		for _, row := range table(t, c, tt.sql) {
			lines = append(lines, strings.Join(row, ","))
		}
		if got := strings.Join(lines, "|"); got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.sql, got, tt.want)
		}
	}
	if got := c.PgConn().ParameterStatus("TimeZone"); got != "America/New_York" {
		t.Error(got)
	}
	execAll(t, c, "SET TIME ZONE 'Asia/Kolkata'")
	if got := table(t, c, "SELECT MAX(tz) FROM z"); got[0][0] != "2024-07-01 17:30:00+05:30" {
		t.Error(got)
	}
	execAll(t, c, "RESET timezone")
	if got := c.PgConn().ParameterStatus("TimeZone"); got != "UTC" {
		t.Error(got)
	}
}

// TestSettingsInBlocks shows what SET and SET LOCAL leave behind.
func TestSettingsInBlocks(t *testing.T) {
	c := dial(t, startServer(t, nil), "")
	for _, tt := range []struct{ steps, want string }{
		{"BEGIN; SET query_group TO 'a'; COMMIT", "a"},
		{"BEGIN; SET query_group TO 'b'; ROLLBACK", "a"},
		{"BEGIN; SET LOCAL query_group TO 'c'; COMMIT", "a"},
		{"BEGIN; SET LOCAL query_group TO 'c'; SET SESSION query_group TO 'd'; COMMIT", "d"},
		{"BEGIN; RESET query_group; ROLLBACK", "d"},
		{"BEGIN; RESET query_group; COMMIT", "unset"},
	} {
		for step := range strings.SplitSeq(tt.steps, "; ") {
			execAll(t, c, step)
		}
		if got := table(t, c, "SHOW query_group"); got[0][0] != tt.want {
			t.Errorf("%s: %v", tt.steps, got)
		}
	}
}
