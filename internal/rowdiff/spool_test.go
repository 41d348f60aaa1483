package rowdiff

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"backfill/internal/fail"
)

// numbered returns an entry of so many bytes that falls into a part by its number.
func numbered(n uint64, bytes int) entry {
	e := make(entry, bytes)
	binary.BigEndian.PutUint64(e[8:], n)
	return e
}

// TestSpool gives back what went to files and what stayed in memory, and leaves
// no file behind.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := newSpool(dir, 1<<20, 1<<20, 4<<20)
	const entries = 20_000
	for n := range uint64(entries) {
		if err := s.add(numbered(n, 100)); err != nil {
			t.Fatal(err)
		}
	}
	if s.spilled.Load() == 0 {
		t.Error("nothing went to files")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("files have names: %v, %v", left, err)
	}
	seen, buf := map[uint64]bool{}, []byte(nil)
	for n := range s.parts {
		var list []entry
		var err error
		if list, buf, err = s.read(n, buf); err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			seen[binary.BigEndian.Uint64(e[8:])] = len(e) == 100
		}
	}
	if len(seen) != entries {
		t.Errorf("%d entries came back, want %d", len(seen), entries)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
}

// TestSpoolKeepsToItsDisk: a pod is told before its files would have it evicted.
func TestSpoolKeepsToItsDisk(t *testing.T) {
	s := newSpool(t.TempDir(), 1<<20, 1<<20, 1<<20)
	var err error
	for n := uint64(0); err == nil && n < 50_000; n++ {
		err = s.add(numbered(n, 100))
	}
	if !fail.Is(err, fail.DiskSetting) || !strings.Contains(err.Error(), "more than the 1 MiB of files that --disk allows") || fail.ExitOf(err) != fail.ExitUsage {
		t.Errorf("%v", err)
	}
	var held int64
	for i := range s.parts {
		held += s.parts[i].written
	}
	if held > 1<<20 {
		t.Errorf("the files hold %d bytes", held)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	gone := newSpool("/nowhere", 1<<20, 1<<20, 0)
	err = nil
	for n := uint64(0); err == nil && n < 50_000; n++ {
		err = gone.add(numbered(n, 100))
	}
	if !fail.Is(err, fail.Disk) || !strings.Contains(fail.HintOf(err), "TMPDIR") {
		t.Errorf("a folder that is not there: %v", err)
	}
}
