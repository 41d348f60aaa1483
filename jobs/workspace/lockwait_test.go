package workspace

import (
	"errors"
	"testing"
	"time"

	"backfill/internal/redshift"
)

func TestWaitText(t *testing.T) {
	now := time.Date(2026, 4, 1, 3, 0, 0, 0, time.UTC)
	tests := []struct {
		name    string
		holders []redshift.LockHolder
		err     error
		want    string
	}{
		{"seen", []redshift.LockHolder{{PID: 77, User: "backfill", Since: now.Add(-90 * time.Second)}}, nil,
			`waiting for the lock of "a"."b" for 3s (at most 10m0s a try); exclusive locks are held by session 77 of backfill since 2026-04-01T02:58:30Z (1m30s); ` +
				"another slice of this table ends by itself, a stuck session ends with SELECT pg_terminate_backend(77)"},
		{"not visible", nil, nil, `waiting for the lock of "a"."b" for 3s (at most 10m0s a try); this login can't see who holds it: another login's session, ` +
			"or none any more; an administrator sees all in svv_transactions"},
		{"no answer", nil, errors.New("permission denied"), `waiting for the lock of "a"."b" for 3s (at most 10m0s a try); ` +
			"the warehouse does not tell who holds it (permission denied): ask an administrator for svv_transactions"},
	}
	for _, test := range tests {
		if got := waitText(`"a"."b"`, 3*time.Second, 10*time.Minute, test.holders, test.err, now); got != test.want {
			t.Errorf("%s: got  %s\nwant %s", test.name, got, test.want)
		}
	}
}
