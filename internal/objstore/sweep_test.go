package objstore_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

func TestDeleteAll(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		var all, some []string
		for i := range 25 {
			key := fmt.Sprintf("d/ä %02d", i)
			mustPut(t, s, key, "x")
			if all = append(all, key); i%2 == 0 {
				some = append(some, key)
			}
		}
		for range 2 { // what is gone is no error
			if err := s.DeleteAll(t.Context(), append(some, "d/never")); err != nil {
				t.Fatal(err)
			}
		}
		left := keys(t, s, "d/")
		if want := slices.DeleteFunc(all, func(k string) bool { return slices.Contains(some, k) }); !slices.Equal(left, want) {
			t.Errorf("left %q, want %q", left, want)
		}
		if err := s.DeleteAll(t.Context(), nil); err != nil {
			t.Error(err)
		}
		if err := s.DeleteAll(t.Context(), make([]string, objstore.MaxDelete+1)); fail.CodeOf(err) != fail.Internal {
			t.Errorf("too many: %v", err)
		}
		if err := s.DeleteAll(t.Context(), []string{left[0], ""}); fail.CodeOf(err) != fail.Usage {
			t.Errorf("an empty key: %v", err)
		}
		if now := keys(t, s, "d/"); !slices.Equal(now, left) {
			t.Errorf("a refused call deleted: %q", now)
		}
	})
}

// What S3 says of a single key, in an answer that is well as a whole.
func TestDeleteAllOfAnObjectThatStays(t *testing.T) {
	cases := []struct {
		code string
		want fail.Code
		says string
	}{
		{"AccessDenied", fail.Permission, "s3:DeleteObject on arn:aws:s3:::archive/a/2 is not allowed"},
		{"InternalError", fail.Service, "S3 failed to delete the object"},
		{"SlowDown", fail.Throttled, "S3 asks to slow down"},
		{"NoSuchKey", "", ""},
	}
	for _, c := range cases {
		t.Run(c.code, func(t *testing.T) {
			f := newFake(t)
			s := f.open("s3://archive/a", quick)
			for _, key := range []string{"1", "2", "3"} {
				mustPut(t, s, key, "x")
			}
			f.kept["a/2"] = c.code
			err := s.DeleteAll(t.Context(), []string{"1", "2", "3"})
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if fail.CodeOf(err) != c.want || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), "s3://archive/a/2") || fail.HintOf(err) == "" {
				t.Errorf("%s: %v (%s)", fail.CodeOf(err), err, fail.HintOf(err))
			}
			if left := keys(t, s, ""); !slices.Equal(left, []string{"2"}) {
				t.Errorf("left %q", left)
			}
		})
	}
}

func TestUploadsAreListedAndDropped(t *testing.T) {
	conform(t, func(t *testing.T, s *objstore.Store) {
		began := map[string]*objstore.Upload{}
		for _, key := range []string{"u/one", "u/two", "v/three"} {
			up, err := s.Create(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := up.Write(bytes.Repeat([]byte("x"), 5<<20+1)); err != nil {
				t.Fatal(err)
			}
			began[key] = up
		}
		// S3 begins an upload in the background: a write that must wait for the first part ends that.
		for _, up := range began {
			if _, err := up.Write(bytes.Repeat([]byte("x"), 5<<20)); err != nil {
				t.Fatal(err)
			}
		}
		list := func() (found []objstore.Pending) {
			t.Helper()
			if err := s.Uploads(t.Context(), func(p objstore.Pending) error { found = append(found, p); return nil }); err != nil {
				t.Fatal(err)
			}
			return found
		}
		found := list()
		if len(found) != 3 {
			t.Fatalf("%+v", found)
		}
		for _, p := range found {
			if p.Began.IsZero() || p.Began.After(time.Now().Add(time.Hour)) || !strings.HasPrefix(p.Key, "u/") && !strings.HasPrefix(p.Key, "v/") {
				t.Errorf("%+v", p)
			}
			for range 2 {
				if err := s.AbortUpload(t.Context(), p); err != nil {
					t.Fatal(err)
				}
			}
		}
		if left := list(); len(left) > 0 {
			t.Errorf("left %+v", left)
		}
		for key, up := range began {
			if _, err := up.Commit(t.Context()); err == nil {
				t.Errorf("%s could be committed", key)
			}
			_ = up.Abort(t.Context()) // what it had begun is gone
		}
		mine := errors.New("mine")
		up, err := s.Create(t.Context(), "w")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := up.Write(bytes.Repeat([]byte("x"), 10<<20+1)); err != nil {
			t.Fatal(err)
		}
		if err := s.Uploads(t.Context(), func(objstore.Pending) error { return mine }); !errors.Is(err, mine) {
			t.Errorf("the callback's error came back as %v", err)
		}
		if err := up.Abort(t.Context()); err != nil {
			t.Error(err)
		}
		if objects := keys(t, s, ""); len(objects) > 0 {
			t.Errorf("objects %q", objects)
		}
	})
}

func TestUploadsOfNothing(t *testing.T) {
	s := openFolder(t, t.TempDir()+"/never made")
	if err := s.Uploads(t.Context(), func(objstore.Pending) error { return errors.New("there is one") }); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestUploadsDenied(t *testing.T) {
	f := newFake(t)
	f.denied["Uploads"] = [3]string{"403", "AccessDenied", ""}
	err := f.open("s3://archive/a", quick).Uploads(t.Context(), func(objstore.Pending) error { return nil })
	if fail.CodeOf(err) != fail.Permission || !strings.Contains(err.Error(), "s3:ListBucketMultipartUploads on arn:aws:s3:::archive is not allowed") {
		t.Error(err)
	}
}

// Every way to write asks for the key, and what HEAD tells of it comes back.
func TestWritesAreEncrypted(t *testing.T) {
	for _, key := range []string{"", "alias/staging"} {
		f := newFake(t)
		o := quick
		o.KMSKey = key
		s := f.open("s3://archive/a", o)
		mustPut(t, s, "new", "x")
		for _, size := range []int{1, 11 << 20} {
			up, err := s.Create(t.Context(), fmt.Sprint("up ", size))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := up.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			if _, err := up.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		want := map[string]int{"Put ": 2, "Begin ": 1}
		if key != "" {
			want = map[string]int{"Put aws:kms alias/staging": 2, "Begin aws:kms alias/staging": 1}
		}
		if !maps.Equal(f.asked, want) {
			t.Errorf("key %q: asked for %v, want %v", key, f.asked, want)
		}
	}
	u, err := objstore.ParseURI("file:///tmp")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := objstore.Open(t.Context(), u, objstore.Options{KMSKey: "k"}); fail.CodeOf(err) != fail.Usage {
		t.Errorf("a key for files: %v", err)
	}
}

func TestKMSRefusals(t *testing.T) {
	cases := []struct{ code, message, says string }{
		{"AccessDenied", "User: arn:aws:iam::1:user/x is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/k", "kms:GenerateDataKey of the KMS key is not allowed, so that s3:PutObject on arn:aws:s3:::archive/a/x is refused"},
		{"KMS.DisabledException", "arn:aws:kms:eu-west-1:1:key/k is disabled.", "the KMS key can't be used: arn:aws:kms:eu-west-1:1:key/k is disabled."},
		{"AccessDenied", "Access Denied", "s3:PutObject on arn:aws:s3:::archive/a/x is not allowed"},
	}
	for _, c := range cases {
		f := newFake(t)
		f.denied["Put"] = [3]string{"403", c.code, ""}
		f.message = c.message
		_, err := f.open("s3://archive/a", quick).PutNew(t.Context(), "x", nil)
		if fail.CodeOf(err) != fail.Permission || !strings.Contains(err.Error(), c.says) || !strings.Contains(fail.HintOf(err), "key") {
			t.Errorf("%s %s: %v (%s)", c.code, c.message, err, fail.HintOf(err))
		}
	}
}
