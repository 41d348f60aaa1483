package objstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"sync"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// conform runs the test on every backend, in a new and empty store whose root
// is not the whole bucket.
func conform(t *testing.T, test func(t *testing.T, s *objstore.Store)) {
	t.Run("s3", func(t *testing.T) { test(t, newFake(t).open("s3://archive/a root/", quick)) })
	t.Run("file", func(t *testing.T) { test(t, openFolder(t, t.TempDir()+"/a root")) })
}

func openFolder(t *testing.T, folder string) *objstore.Store {
	t.Helper()
	u, err := objstore.ParseURI("file://" + folder)
	if err != nil {
		t.Fatal(err)
	}
	s, err := objstore.Open(t.Context(), u, quick)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustPut(t *testing.T, s *objstore.Store, key, body string) objstore.Object {
	t.Helper()
	if created, err := s.PutNew(t.Context(), key, []byte(body)); err != nil || !created {
		t.Fatalf("PutNew(%q) = %v, %v", key, created, err)
	}
	o, err := s.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func keys(t *testing.T, s *objstore.Store, prefix string) []string {
	t.Helper()
	var list []string
	if err := s.List(t.Context(), prefix, func(o objstore.Object) error {
		list = append(list, o.Key)
		return nil
	}); err != nil {
		t.Fatalf("List(%q): %v", prefix, err)
	}
	return list
}

func read(s *objstore.Store, key string, match objstore.Object) (string, error) {
	body, err := s.Get(context.Background(), key, match)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(body)
	return string(text), errors.Join(err, body.Close())
}

func wantCode(t *testing.T, err error, code fail.Code) {
	t.Helper()
	if !fail.Is(err, code) {
		t.Errorf("got %v (%s), want code %s", err, fail.CodeOf(err), code)
	}
}

func TestListing(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		if got := keys(t, s, ""); got != nil {
			t.Errorf("an empty store lists %q", got)
		}
		all := []string{"a", "b-c", "b.d", "b/1", "b/1+2", "b/x=1/y z", "b/x=10/ü(%2B)", "b0", "t/partition=0/t+0+0000000000.json", "z"}
		for _, key := range slices.Backward(all) {
			mustPut(t, s, key, key)
		}
		for prefix, want := range map[string][]string{
			"":        all,
			"b":       all[1:8],
			"b/":      all[3:7],
			"b/x=1":   all[5:7],
			"b/x=1/":  all[5:6],
			"b/1":     all[3:5],
			"nothing": nil,
			"a/":      nil,
			"../":     nil,
			"z":       all[9:],
		} {
			if got := keys(t, s, prefix); !slices.Equal(got, want) {
				t.Errorf("List(%q) = %q, want %q", prefix, got, want)
			}
		}
		stop, seen := errors.New("enough"), 0
		err := s.List(t.Context(), "", func(objstore.Object) error {
			if seen++; seen == 2 {
				return stop
			}
			return nil
		})
		if err != stop || seen != 2 {
			t.Errorf("the callback's error came back as %v after %d objects", err, seen)
		}
	})
}

func TestFolders(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		for _, key := range []string{"a", "b-c", "b/1", "b/1+2", "b/x=1/y z", "b/x=1/z", "b/x=10/deep/key", "b/x=2/k", "b/x=3/k", "b0", "c/k"} {
			mustPut(t, s, key, key)
		}
		for dir, want := range map[string]string{
			"":         "a b-c b0 | b/ c/",
			"b/":       "b/1 b/1+2 | b/x=1/ b/x=10/ b/x=2/ b/x=3/",
			"b/x=1/":   "b/x=1/y z b/x=1/z |",
			"b/x=10/":  "| b/x=10/deep/",
			"nothing/": "|",
			"../":      "|",
		} {
			var objects, folders []string
			err := s.Folder(t.Context(), dir,
				func(o objstore.Object) error { objects = append(objects, o.Key); return nil },
				func(dir string) error { folders = append(folders, dir); return nil })
			got := strings.TrimSpace(strings.Join(objects, " ") + " | " + strings.Join(folders, " "))
			if err != nil || got != want {
				t.Errorf("Folder(%q) = %q, %v, want %q", dir, got, err, want)
			}
		}
		stop := errors.New("enough")
		if err := s.Folder(t.Context(), "", func(objstore.Object) error { return nil }, func(string) error { return stop }); err != stop {
			t.Errorf("the callback's error came back as %v", err)
		}
		wantCode(t, s.Folder(t.Context(), "b", nil, nil), fail.Internal)
	})
}

func TestListingTellsWhatHeadTells(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		want := mustPut(t, s, "folder/key", "twelve bytes")
		if want.Key != "folder/key" || want.Size != 12 || want.ETag == "" || strings.Contains(want.ETag, `"`) || want.Modified.IsZero() || want.Modified.Location().String() != "UTC" {
			t.Errorf("Head = %+v", want)
		}
		if err := s.List(t.Context(), "", func(o objstore.Object) error {
			o.StorageClass = ""
			if o != want {
				t.Errorf("List = %+v, Head = %+v", o, want)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

func TestReading(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		for _, body := range []string{"", "x", strings.Repeat("0123456789", 50_000)} {
			key := fmt.Sprintf("size %d", len(body))
			o := mustPut(t, s, key, body)
			for _, match := range []objstore.Object{{}, o} {
				if got, err := read(s, key, match); got != body || err != nil {
					t.Errorf("%s: got %d bytes, %v", key, len(got), err)
				}
			}
			text, all, err := s.ReadAll(t.Context(), key, int64(len(body)))
			if string(text) != body || all.ETag != o.ETag || all.Size != o.Size || err != nil {
				t.Errorf("ReadAll(%s) = %d bytes, %+v, %v", key, len(text), all, err)
			}
			if len(body) > 0 {
				_, _, err = s.ReadAll(t.Context(), key, int64(len(body)-1))
				wantCode(t, err, fail.Damaged)
			}
		}
	})
}

func TestMissing(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		gone := mustPut(t, s, "gone", "once")
		if err := s.Delete(t.Context(), "gone"); err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), "gone"); err != nil {
			t.Errorf("the second Delete: %v", err)
		}
		_, headErr := s.Head(t.Context(), "gone")
		_, getErr := s.Get(t.Context(), "gone", objstore.Object{})
		_, _, allErr := s.ReadAll(t.Context(), "gone", 10)
		for _, err := range []error{headErr, getErr, allErr} {
			wantCode(t, err, fail.NotFoundInput)
			if !errors.Is(err, fs.ErrNotExist) || fail.HintOf(err) == "" || !strings.HasPrefix(err.Error(), s.URI("gone").String()+": ") {
				t.Errorf("a missing object gives %v (hint %q)", err, fail.HintOf(err))
			}
		}
		// A planned object that vanished is another matter.
		_, err := s.Get(t.Context(), "gone", gone)
		wantCode(t, err, fail.ArchiveChanged)
	})
}

func TestChangedObject(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		planned := mustPut(t, s, "key", "one")
		if err := s.Delete(t.Context(), "key"); err != nil {
			t.Fatal(err)
		}
		now := mustPut(t, s, "key", "other")
		if now.ETag == planned.ETag {
			t.Fatal("the ETag did not change")
		}
		_, err := s.Get(t.Context(), "key", planned)
		wantCode(t, err, fail.ArchiveChanged)
		if want := s.URI("key").String() + ": the object changed or vanished after it was planned"; !strings.HasPrefix(err.Error(), want) || !strings.Contains(fail.HintOf(err), "--replan") {
			t.Errorf("got %q, hint %q", err, fail.HintOf(err))
		}
		if got, err := read(s, "key", now); got != "other" || err != nil {
			t.Errorf("the new version reads %q, %v", got, err)
		}
	})
}

func TestPutNewKeepsTheFirst(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		mustPut(t, s, "receipt", "first")
		created, err := s.PutNew(t.Context(), "receipt", []byte("second"))
		if created || err != nil {
			t.Errorf("the second PutNew = %v, %v", created, err)
		}
		if got, err := read(s, "receipt", objstore.Object{}); got != "first" || err != nil {
			t.Errorf("it holds %q, %v", got, err)
		}
		if got := keys(t, s, ""); !slices.Equal(got, []string{"receipt"}) {
			t.Errorf("the store holds %q", got)
		}
	})
}

func TestPutNewHasOneWinner(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		const writers = 8
		var won [writers]bool
		var group sync.WaitGroup
		for i := range writers {
			group.Go(func() {
				created, err := s.PutNew(t.Context(), "seq/1", []byte{byte('0' + i)})
				if err != nil {
					t.Error(err)
				}
				won[i] = created
			})
		}
		group.Wait()
		got, err := read(s, "seq/1", objstore.Object{})
		if err != nil || len(got) != 1 {
			t.Fatalf("it holds %q, %v", got, err)
		}
		for i, w := range won {
			if w != (got[0] == byte('0'+i)) {
				t.Errorf("writer %d was told %v, the object is %q", i, w, got)
			}
		}
	})
}

func TestUpload(t *testing.T) {
	const part = 5 << 20
	conform(t, func(t *testing.T, s *objstore.Store) {
		for _, size := range []int{0, 1, part, part + 1, 2*part + 12345} {
			for _, step := range []int{1 << 16, 3*part + 1} {
				body := bytes.Repeat([]byte("0123456789abcdefg"), size/17+1)[:size]
				key := fmt.Sprintf("parquet/%d-%d", size, step)
				up, err := s.Create(t.Context(), key)
				if err != nil {
					t.Fatal(err)
				}
				for rest := body; len(rest) > 0; {
					n, err := up.Write(rest[:min(step, len(rest))])
					if err != nil {
						t.Fatal(err)
					}
					rest = rest[n:]
				}
				if _, err := s.Head(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s is visible before Commit: %v", key, err)
				}
				o, err := up.Commit(t.Context())
				if err != nil || o.Size != int64(size) || o.Key != key {
					t.Fatalf("Commit(%s) = %+v, %v", key, o, err)
				}
				if err := up.Abort(t.Context()); err != nil {
					t.Errorf("Abort after Commit: %v", err)
				}
				if got, err := read(s, key, o); got != string(body) || err != nil {
					t.Errorf("%s holds %d bytes, %v", key, len(got), err)
				}
			}
		}
	})
}

func TestAbortLeavesNothing(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		for _, size := range []int{0, 10, 11 << 20} {
			ctx, cancel := context.WithCancel(t.Context())
			up, err := s.Create(ctx, "unfinished")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := up.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if got := keys(t, s, ""); got != nil {
				t.Errorf("an unfinished upload is listed: %q", got)
			}
			cancel()
			if err := up.Abort(ctx); err != nil {
				t.Errorf("Abort under a cancelled context: %v", err)
			}
			if err := up.Abort(ctx); err != nil {
				t.Errorf("the second Abort: %v", err)
			}
			_, err = up.Write([]byte("x"))
			wantCode(t, err, fail.Internal)
			_, err = up.Commit(t.Context())
			wantCode(t, err, fail.Internal)
		}
		if got := keys(t, s, ""); got != nil {
			t.Errorf("left behind: %q", got)
		}
	})
}

func TestCancelledContext(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		mustPut(t, s, "key", "body")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, headErr := s.Head(ctx, "key")
		_, getErr := s.Get(ctx, "key", objstore.Object{})
		_, putErr := s.PutNew(ctx, "new", nil)
		listErr := s.List(ctx, "", func(objstore.Object) error { return nil })
		for i, err := range []error{headErr, getErr, putErr, listErr, s.Delete(ctx, "key")} {
			if !errors.Is(err, context.Canceled) || fail.ExitOf(err) != fail.ExitTerminated {
				t.Errorf("call %d gives %v, exit %d", i, err, fail.ExitOf(err))
			}
		}
	})
}

func TestBadKeys(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		for _, key := range []string{"", "a\x00b", "a\xffb", strings.Repeat("k", 1025)} {
			_, err := s.PutNew(t.Context(), key, nil)
			wantCode(t, err, fail.Usage)
			_, err = s.Create(t.Context(), key)
			wantCode(t, err, fail.Usage)
			_, err = s.Get(t.Context(), key, objstore.Object{})
			wantCode(t, err, fail.Usage)
			wantCode(t, s.Delete(t.Context(), key), fail.Usage)
		}
	})
}
