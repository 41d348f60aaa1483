package objstore_test

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

func TestFileChangesWhileRead(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	for name, change := range map[string]func(path string) error{
		"grows":      func(path string) error { return os.WriteFile(path, []byte(long+"more"), 0o600) },
		"shrinks":    func(path string) error { return os.Truncate(path, 50_000) },
		"is touched": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			s := openFolder(t, folder)
			planned := mustPut(t, s, "key", long)
			body, err := s.Get(t.Context(), "key", planned)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			if err := change(filepath.Join(folder, "key")); err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, body)
			wantCode(t, err, fail.ArchiveChanged)
			if err := body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFileReplacedWhileRead shows that the planned bytes stay readable: the
// open file is still the planned one.
func TestFileReplacedWhileRead(t *testing.T) {
	folder := t.TempDir()
	s := openFolder(t, folder)
	planned := mustPut(t, s, "key", "planned")
	body, err := s.Get(t.Context(), "key", planned)
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, s, "other", "replaced")
	if err := os.Rename(filepath.Join(folder, "other"), filepath.Join(folder, "key")); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(body); string(text) != "planned" || err != nil {
		t.Errorf("read %q, %v", text, err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
	_, err = s.Get(t.Context(), "key", planned)
	wantCode(t, err, fail.ArchiveChanged)
}

func TestLinks(t *testing.T) {
	outside, folder := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret")
	write(t, filepath.Join(folder, "real"), "real")
	s := openFolder(t, folder)
	link := func(target, name string) func() {
		t.Helper()
		path := filepath.Join(folder, name)
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Remove(path) }
	}

	remove := link("real", "inside")
	if got := keys(t, s, ""); !slices.Equal(got, []string{"inside", "real"}) {
		t.Errorf("listed %q", got)
	}
	if got, err := read(s, "inside", objstore.Object{}); got != "real" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	remove()

	for name, target := range map[string]string{
		"absolute": filepath.Join(outside, "secret"), "folder": outside, "relative": "../" + filepath.Base(outside) + "/secret", "dangling": "nowhere", "loop": "loop", "here": ".",
	} {
		t.Run(name, func(t *testing.T) {
			defer link(target, name)()
			err := s.List(t.Context(), "", func(objstore.Object) error { return nil })
			wantCode(t, err, fail.Usage)
			if err == nil || !strings.HasPrefix(err.Error(), s.URI(name).String()+": ") || fail.HintOf(err) == "" {
				t.Errorf("got %v (%s)", err, fail.HintOf(err))
			}
			if text, err := read(s, name, objstore.Object{}); err == nil {
				t.Errorf("read %q through the link", text)
			}
			if text, err := read(s, name+"/secret", objstore.Object{}); err == nil {
				t.Errorf("read %q through the link", text)
			}
			if _, err := s.PutNew(t.Context(), name+"/new", nil); err == nil && name != "here" {
				t.Error("wrote through the link")
			}
		})
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside: %v, %v", entries, err)
	}
}

func TestFileKeys(t *testing.T) {
	s := openFolder(t, t.TempDir())
	mustPut(t, s, "a", "object")
	for _, key := range []string{"/a", "a/", "a//b", "./a", "../a", "b/../a", ".", ".backfill-partial-1", "b/.backfill-partial-1/c"} {
		_, err := s.PutNew(t.Context(), key, nil)
		wantCode(t, err, fail.Usage)
		_, err = s.Get(t.Context(), key, objstore.Object{})
		wantCode(t, err, fail.Usage)
	}
	// A key can't be both an object and the folder of others.
	_, err := s.PutNew(t.Context(), "a/b", nil)
	if err == nil {
		t.Error("an object became a folder")
	}
	mustPut(t, s, "folder/b", "object")
	if created, err := s.PutNew(t.Context(), "folder", nil); created {
		t.Errorf("a folder became an object: %v", err)
	}
	for _, key := range []string{"folder", "a/b"} {
		_, err := s.Head(t.Context(), key)
		wantCode(t, err, fail.NotFoundInput)
		_, err = s.Get(t.Context(), key, objstore.Object{})
		wantCode(t, err, fail.NotFoundInput)
		if err := s.Delete(t.Context(), key); err != nil {
			t.Errorf("Delete(%q): %v", key, err)
		}
	}
}

func TestUnfinishedFilesAreNotListed(t *testing.T) {
	folder := t.TempDir()
	s := openFolder(t, folder)
	write(t, filepath.Join(folder, ".backfill-partial-LEFTBEHIND"), "half")
	write(t, filepath.Join(folder, ".hidden"), "data")
	if got := keys(t, s, ""); !slices.Equal(got, []string{".hidden"}) {
		t.Errorf("listed %q", got)
	}
}

func TestFilePermission(t *testing.T) {
	folder := t.TempDir()
	s := openFolder(t, filepath.Join(folder, "file", "below"))
	write(t, filepath.Join(folder, "file"), "not a folder")
	if _, err := s.PutNew(t.Context(), "key", nil); err == nil {
		t.Error("wrote below a file")
	}
	if got := keys(t, s, ""); got != nil {
		t.Errorf("listed %q", got)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
