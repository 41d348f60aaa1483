package main

import (
	"encoding/json"
	"strings"
	"testing"

	"backfill/internal/sandbox/s3d"
)

// Objects get classes from another process, and lists show them.
func TestCold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serveIn(t, dir)
	mustExecute(t, dir, "generate", "--env-file", "env", "--seed", "1", "--events", "100", "--from", "2026-10-01", "--to", "2026-10-02", "--truth", "t", "--parallel", "1")
	cold := func(args ...string) string {
		return mustExecute(t, dir, append([]string{"cold", "--env-file", "env"}, args...)...)
	}
	if got := cold(); !strings.Contains(got, "(0 rows)\n") {
		t.Errorf("before: %s", got)
	}
	if got := cold("topics/", "--class", "INTELLIGENT_TIERING", "--tier", "ARCHIVE_ACCESS"); !strings.Contains(got, "  INTELLIGENT_TIERING  ARCHIVE_ACCESS\n") {
		t.Errorf("tiers: %s", got)
	}
	cold("--class", "GLACIER")
	var list []s3d.Cooled
	if err := json.Unmarshal([]byte(cold("--output", "json")), &list); err != nil || len(list) == 0 {
		t.Fatalf("%+v, %v", list, err)
	}
	for _, o := range list {
		if o != (s3d.Cooled{Key: o.Key, Class: "GLACIER"}) {
			t.Errorf("%+v", o)
		}
	}
	if got := cold("--finish", "--expire", "nothing/"); !strings.Contains(got, "(0 rows)\n") {
		t.Errorf("of no object: %s", got)
	}
	if got := execute(t, dir, "", "cold", "--env-file", "env", "--bucket", "none"); got.code != exitFault || !strings.Contains(got.stderr, "cooling objects: ") {
		t.Errorf("%+v", got)
	}
	_ = s.stdin.Close()
	s.ended(t)
}
