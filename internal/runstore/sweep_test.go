package runstore_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"backfill/internal/fail"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
)

// everything writes one object of every kind and returns what kind each is.
func everything(t *testing.T, s *runstore.Store, dir string) map[string]runstore.Kind {
	t.Helper()
	ctx := t.Context()
	h, key := seal(t, s, "r1", chunks(1))
	want := map[string]runstore.Kind{key: runstore.KindPlan, h.Segments[0].Key: runstore.KindSegment}
	fatal := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.PutAbort(ctx, h, runplan.Abort{By: "ana"}); err != nil {
		t.Fatal(err)
	}
	_, err := s.PutChunkReceipt(ctx, receipt("c1", "A", 1))
	fatal(err)
	_, _, err = s.PutManifest(ctx, h, nil)
	fatal(err)
	slice, _, err := s.PutSlice(ctx, &runplan.SliceReceipt{Target: target, Seq: h.Seq})
	fatal(err)
	_, err = s.PutReport(ctx, runstore.NewReport(target, "r1", h.Sealed), runstore.SealName, []byte("{}"))
	fatal(err)
	_, err = s.PutWork(ctx, runstore.NewWork(target, "r1", h.Sealed, "quarantine replay"), runstore.WorkName, []byte("{}"))
	fatal(err)
	schemas, err := s.PutSchemas(ctx, []byte("{}"), 1)
	fatal(err)
	fatal(s.PutSuppressions(ctx, "ab", []byte("x")))
	_, err = s.NewProbe().Create(ctx)
	fatal(err)
	_, err = s.Claim(ctx, h, time.Now().Add(48*time.Hour))
	fatal(err)
	fatal(s.PutSwept(ctx, h.Basis().ID(), runplan.Swept{}))
	_, err = s.BeginSweep(ctx)
	fatal(err)
	up, parquet, err := s.NewParquet(ctx, "c1", "A", 0)
	fatal(err)
	_, err = up.Commit(ctx)
	fatal(err)
	up, quarantine, err := s.NewQuarantine(ctx, "c2", "B")
	fatal(err)
	_, err = up.Commit(ctx)
	fatal(err)
	places := filepath.Dir(quarantine) + "/quarantine.places.jsonl.zst"
	for _, name := range []string{places, "README", "targets/t/plans/1.json", "targets/t/marks/x", "targets/t/loads/1/aborted.json", "targets/t/x", "chunks/c1/other", "swept/a/b"} {
		fatal(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o750))
		fatal(os.WriteFile(filepath.Join(dir, name), nil, 0o600))
		want[name] = runstore.KindOther
	}
	want[places], want[slice], want[schemas.Key], want["suppressions/ab.txt"] = runstore.KindPlaces, runstore.KindSlice, runstore.KindSchemas, runstore.KindSuppressions
	want["chunks/c1/receipt.json"], want[parquet], want[quarantine] = runstore.KindReceipt, runstore.KindParquet, runstore.KindQuarantine
	want["swept/"+h.Basis().ID()+".json"], want["targets/"+target+"/loads/000000000001/aborted.json"] = runstore.KindSwept, runstore.KindAbort
	for part, kind := range map[string]runstore.Kind{"/marks/0": runstore.KindMark, "/manifest.json": runstore.KindManifest, "/seal.json": runstore.KindReport, "/work/": runstore.KindWork,
		"/claims/": runstore.KindClaim, "probes/": runstore.KindProbe, "sweeping/": runstore.KindSweep} {
		want[part] = kind // by a part: their names are random
	}
	return want
}

// Walk knows every key that the store writes, and no other.
func TestWalkKnowsEveryKey(t *testing.T) {
	s, dir := open(t)
	want := everything(t, s, dir)
	seen := map[string]bool{}
	look := func(it runstore.Item) error {
		kind, known := want[it.Key]
		id := it.Key
		for part, k := range want {
			if !known && strings.Contains(it.Key, part) {
				kind, id = k, part
			}
		}
		if it.Kind != kind {
			t.Errorf("%s is %q, want %q", it.Key, it.Kind, kind)
		}
		seen[id] = true
		switch it.Kind {
		case runstore.KindPlan, runstore.KindMark, runstore.KindClaim, runstore.KindManifest, runstore.KindSlice, runstore.KindAbort:
			if it.Seq != 1 || it.Target != target {
				t.Errorf("%s is of plan %d of %q", it.Key, it.Seq, it.Target)
			}
		case runstore.KindReport, runstore.KindWork:
			if it.Run != "r1" || !strings.HasPrefix(it.Key, it.Folder+"/") {
				t.Errorf("%s is of run %q in %q", it.Key, it.Run, it.Folder)
			}
		case runstore.KindParquet:
			if it.Chunk != "c1" || it.Attempt != "A" {
				t.Errorf("%s is of %s, attempt %s", it.Key, it.Chunk, it.Attempt)
			}
		}
		return nil
	}
	if err := s.WalkRest(t.Context(), look); err != nil {
		t.Fatal(err)
	}
	if seen["chunks/c1/receipt.json"] {
		t.Error("the rest holds chunks")
	}
	if err := s.Walk(t.Context(), runstore.WalkChunks, look); err != nil {
		t.Fatal(err)
	}
	for id := range want {
		if !seen[id] {
			t.Errorf("%s was not seen", id)
		}
	}
}

// A young plan is not claimed; an old one is, and its claim tells whether a gc is
// at work or has said that the plan goes.
func TestClaim(t *testing.T) {
	s, dir := open(t)
	h, key := seal(t, s, "r", nil)
	now := time.Now()
	claims := func() int {
		names, err := os.ReadDir(filepath.Join(dir, "targets", target, "claims", "000000000001"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return len(names)
	}
	claim := func(at time.Time, removed bool, count int) {
		t.Helper()
		got, err := s.Claim(t.Context(), h, at)
		if err != nil || got != removed || claims() != count {
			t.Errorf("removed %v, %v, %d claims; want %v, %d claims", got, err, claims(), removed, count)
		}
	}
	claim(now.Add(23*time.Hour), false, 0)
	old := now.Add(-25 * time.Hour)
	if err := os.Chtimes(filepath.Join(dir, key), old, old); err != nil {
		t.Fatal(err)
	}
	claim(now, false, 1)
	sweep, err := s.BeginSweep(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	claim(now, true, 2)
	if at, err := s.Sweeping(t.Context(), time.Now().Add(25*time.Hour)); err != nil || at {
		t.Errorf("a gc that was killed a day ago is at work: %v, %v", at, err)
	}
	if err := sweep.End(t.Context()); err != nil {
		t.Fatal(err)
	}
	claim(now, false, 3)
	if err := s.PutRemoved(t.Context(), target, h.Seq, runplan.Abort{By: "backfill gc", Reason: "nobody uses it", At: now}); err != nil {
		t.Fatal(err)
	}
	claim(now, true, 4)
	if err := s.Remove(t.Context(), []string{key}, nil); err != nil {
		t.Fatal(err)
	}
	claim(now, true, 4)
}

// Who asks for a plan that gc removed is told when and why; one that a person had
// stopped before keeps that word.
func TestPlanThatIsGone(t *testing.T) {
	s, dir := open(t)
	h, key := seal(t, s, "r", nil)
	at := time.Date(2026, 3, 2, 1, 2, 3, 0, time.UTC)
	for range 2 {
		if err := s.PutRemoved(t.Context(), target, h.Seq, runplan.Abort{By: "backfill gc", Reason: "nobody uses it", At: at}); err != nil {
			t.Fatal(err)
		}
		at = at.Add(time.Hour)
	}
	if err := s.Remove(t.Context(), []string{key}, nil); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"1", s.URI(key)} {
		_, err := s.Find(t.Context(), target, name)
		fails(t, err, fail.NotFoundInput, "plan 1 was removed from staging by backfill gc at 2026-03-02T01:02:03Z: nobody uses it; it is gone from staging")
	}
	_, err := runstore.ReadPlan(t.Context(), "file://"+dir, s.URI(key))
	fails(t, err, fail.NotFoundInput, "removed from staging by backfill gc")
	_, err = s.Find(t.Context(), target, "2")
	fails(t, err, fail.NotFoundInput, `there is no plan or run "2"`)
	if found, err := s.Newest(t.Context(), target, byRun("r")); err != nil || found != nil {
		t.Errorf("the newest plan is %+v, %v", found, err)
	}
}

// A quarantine file is replaced by what is left of it, which is then what its
// receipt opens; a failure in between leaves the file.
func TestStripQuarantine(t *testing.T) {
	s, dir := open(t)
	up, key, err := s.NewQuarantine(t.Context(), "c1", "A")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := up.Write([]byte("secret")); err != nil {
		t.Fatal(err)
	}
	o, err := up.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := &runplan.File{Key: key, Size: 6, ETag: o.ETag}
	read := func() string {
		t.Helper()
		body, err := s.OpenQuarantine(t.Context(), file)
		if err != nil {
			t.Fatal(err)
		}
		defer body.Close()
		text, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	var it runstore.Item
	if err := s.Walk(t.Context(), runstore.WalkChunks, func(i runstore.Item) error { it = i; return nil }); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	if err := s.StripQuarantine(t.Context(), it, func(io.Reader, io.Writer) error { return broken }); !errors.Is(err, broken) || read() != "secret" {
		t.Errorf("%v, and the file holds %q", err, read())
	}
	strip := func(r io.Reader, w io.Writer) error {
		text, err := io.ReadAll(r)
		_, e := w.Write(bytes.ReplaceAll(text, []byte("secret"), []byte("gone")))
		return errors.Join(err, e)
	}
	for range 2 { // another gc may be at it, too
		if err := s.StripQuarantine(t.Context(), it, strip); err != nil || read() != "gone" {
			t.Errorf("%v, and %q is left", err, read())
		}
	}
	if names, err := filepath.Glob(filepath.Join(dir, "chunks/c1/A/*")); err != nil || len(names) != 1 {
		t.Errorf("left %q, %v", names, err)
	}
}
