package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// lane is a pair of stand-ins that one case at a time has for itself, so that
// a case can count operations and go back to a state that was saved.
type lane struct {
	*harness
	mu        sync.Mutex
	reader    *pgx.Conn // looks at what is committed; its statements count for nothing
	readerPID atomic.Int64
}

// newLane starts a lane with an empty table in it.
func newLane(t *testing.T) *lane {
	t.Helper()
	dir, err := os.MkdirTemp(shared.dir, "lane-")
	if err != nil {
		t.Fatal(err)
	}
	h, err := startHarness(dir, shared.binary, "300MB")
	if err != nil {
		t.Fatal(err)
	}
	l := &lane{harness: h}
	t.Cleanup(func() {
		if err := l.close(); err != nil {
			t.Error(err)
		}
	})
	l.sql(t, "CREATE SCHEMA payroll", "CREATE TABLE payroll.events ("+worldColumns+")")
	return l
}

// save keeps the warehouse and the staging store, as they are, under a name.
func (l *lane) save(t *testing.T, name string) {
	t.Helper()
	l.stopWarehouse(t)
	saved := l.saved(name)
	l.copy(t, l.warehouseDir(), filepath.Join(saved, "warehouse"))
	l.copy(t, l.staging(), filepath.Join(saved, "staging"))
	l.restartWarehouse(t)
}

// restore goes back to what save kept.
func (l *lane) restore(t *testing.T, name string) {
	t.Helper()
	l.unwatch()
	l.stopWarehouse(t)
	l.copy(t, filepath.Join(l.saved(name), "warehouse"), l.warehouseDir())
	l.copy(t, filepath.Join(l.saved(name), "staging"), l.staging())
	l.restartWarehouse(t)
}

// saved is the same folder for all lanes: what one saves all can restore.
func (l *lane) saved(name string) string { return filepath.Join(shared.dir, "saved", name) }
func (l *lane) staging() string          { return filepath.Join(l.dir, "s3", "staging") }

// copy makes to a copy of from, with the extended attributes in which the
// store keeps ETags.
func (l *lane) copy(t *testing.T, from, to string) {
	t.Helper()
	if err := os.RemoveAll(to); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o750); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "--archive", from, to).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func (l *lane) stopWarehouse(t *testing.T) {
	t.Helper()
	if l.reader != nil {
		_ = l.reader.Close(context.Background()) // the server ends next
		l.reader = nil
		l.readerPID.Store(0) // the next server counts from the start again
	}
	if err := l.warehouse.Close(); err != nil {
		t.Fatal(err)
	}
}

// restartWarehouse serves the folder on a port of its own: the one it had
// before may be somebody else's by now.
func (l *lane) restartWarehouse(t *testing.T) {
	t.Helper()
	if err := l.startWarehouse(); err != nil {
		t.Fatal(err)
	}
}

// committed returns the table as any session sees it now. It may be called
// while the worker has a transaction open.
func (l *lane) committed() ([]string, error) { return l.read(worldRows) }

func (l *lane) read(query string) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.reader == nil {
		conn, err := l.connect()
		if err != nil {
			return nil, err
		}
		l.reader = conn
		l.readerPID.Store(int64(conn.PgConn().PID()))
	}
	rows, err := l.reader.Query(context.Background(), query, pgx.QueryResultFormats{pgx.TextFormatCode})
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var b strings.Builder
		for _, v := range rows.RawValues() {
			if v == nil {
				b.WriteString("NULL|")
				continue
			}
			fmt.Fprintf(&b, "%s|", v)
		}
		lines = append(lines, b.String())
	}
	return lines, rows.Err()
}

// files returns the objects of the staging store by key.
func (l *lane) files(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	root := l.staging()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, root+"/")] = body
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// isReader tells whether a session is the one that looks.
func (l *lane) isReader(session int) bool { return l.readerPID.Load() == int64(session) }

// startHeld starts the worker; the stand-ins answer it only when ready is
// closed, so that a test can get hold of the process first.
func (l *lane) startHeld(t *testing.T, ready <-chan struct{}, args ...string) (cmd *exec.Cmd, wait func() outcome) {
	t.Helper()
	if f := l.onS3.Load(); f != nil {
		held := func(op s3d.Op) s3d.Action { <-ready; return (*f)(op) }
		l.onS3.Store(&held)
	}
	if f := l.onSQL.Load(); f != nil {
		held := func(op redshiftd.Op) redshiftd.Action { <-ready; return (*f)(op) }
		l.onSQL.Store(&held)
	}
	return l.start(t, l.env(), args...)
}

// again runs the worker once more and returns how it ended.
func (l *lane) again(t *testing.T, args []string) outcome {
	t.Helper()
	_, wait := l.start(t, l.env(), args...)
	return wait()
}
