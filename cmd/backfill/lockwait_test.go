package main

import (
	"bufio"
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestWhoHoldsTheLock holds the ledger's lock until the worker says who does.
func TestWhoHoldsTheLock(t *testing.T) {
	h := shared
	_, args := small(t, h, "lock_held", "--slice-days", "31")
	h.run(t, 0, append([]string{"run"}, args...)...)
	conn, err := h.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var pid string
	if err := conn.QueryRow(context.Background(), "SELECT pg_backend_pid()::VARCHAR").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	for _, sql := range []string{"BEGIN", "LOCK TABLE payroll.lock_held__backfill_ledger"} {
		if _, err := conn.Exec(context.Background(), sql); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(h.binary, append([]string{"run", "--replan"}, args...)...)
	cmd.Env, cmd.Dir = h.env(), t.TempDir()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer stop.Stop()
	told := ""
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "WARNING waiting for the lock") {
			told = lines.Text()
			if _, err := conn.Exec(context.Background(), "ROLLBACK"); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(told, "payroll.lock_held__backfill_ledger for 3s") || !strings.Contains(told, "held by session "+pid+" of backfill since ") {
		t.Errorf("told %q; the holder is session %s", told, pid)
	}
}
