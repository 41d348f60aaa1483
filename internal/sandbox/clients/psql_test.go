package clients

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// psql, by the simple protocol: its results and errors in the order in which a person sees them.
func TestPsql(t *testing.T) {
	program, err := exec.LookPath("psql")
	if err != nil {
		t.Fatalf("%v: install the postgresql-client package", err)
	}
	s := start(t, nil)
	manifest := s.load(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, program, "-X", "-A", "-t", "-f", filepath.Join("testdata", "session.sql"),
		"-v", "create="+createEverything, "-v", "manifest="+manifest, "-v", "role="+copyRole)
	c.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "LC_ALL=C.UTF-8", "PGCLIENTENCODING=UTF8"}, s.env()...)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		t.Fatalf("%v\n%s", err, out.Bytes())
	}
	compare(t, "psql.golden", settled(out.String()))
}
