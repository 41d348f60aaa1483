package runstore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
)

const target = "payroll.events"

// open returns a store in a new folder, and the folder.
func open(t *testing.T) (*runstore.Store, string) {
	t.Helper()
	dir := t.TempDir()
	uri, err := objstore.ParseURI("file://" + dir + "/staging")
	if err != nil {
		t.Fatal(err)
	}
	objects, err := objstore.Open(t.Context(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return runstore.New(objects, uri), filepath.Join(dir, "staging")
}

func head(run string) *runplan.Head {
	return &runplan.Head{
		Run: runplan.RunID(run), Attempt: runstore.NewAttempt(), Target: target, Archive: "s3://archive/topics",
		Dataset: runplan.Dataset{Name: "payroll_events", Digest: "d", Text: "name: payroll_events"},
		Window:  kafka.Window{From: 0, To: 86400e6}, Converter: runplan.Converter, Version: "1.0",
		Sealed: time.Date(2024, 3, 2, 1, 2, 3, 456, time.UTC),
		Slices: []runplan.Slice{{DayFrom: 0, DayTo: 1, Window: kafka.Window{From: 0, To: 86400e6}}},
	}
}

func chunks(n int) []runplan.Chunk {
	var inputs []runplan.Input
	for i := range n {
		inputs = append(inputs, runplan.Input{
			Partition: kafka.TopicPartition{Topic: "t"},
			ObjectRef: runplan.ObjectRef{Key: fmt.Sprintf("t/%07d.json", i), Size: 10, ETag: fmt.Sprint("e", i), First: kafka.Offset(i * 10), Ordered: true},
		})
	}
	return runplan.Cut(inputs, 10, runplan.Basis{})
}

func seal(t *testing.T, s *runstore.Store, run string, list []runplan.Chunk) (*runplan.Head, string) {
	t.Helper()
	h := head(run)
	key, err := s.Seal(t.Context(), h, list)
	if err != nil {
		t.Fatal(err)
	}
	return h, key
}

// fails checks the code of an error, that it has a hint, and what it says.
func fails(t *testing.T, err error, code fail.Code, says ...string) {
	t.Helper()
	if err == nil || fail.CodeOf(err) != code {
		t.Fatalf("%v, want code %s", err, code)
	}
	if fail.HintOf(err) == "" {
		t.Errorf("%v: no hint", err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%q does not say %q", err, s)
		}
	}
}

// edit changes a file of the staging folder.
func edit(t *testing.T, dir, key string, change func([]byte) []byte) {
	t.Helper()
	name := filepath.Join(dir, key)
	body, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := change(slices.Clone(body))
	if bytes.Equal(changed, body) {
		t.Fatalf("%s was not changed", key)
	}
	if err := os.WriteFile(name, changed, 0o600); err != nil {
		t.Fatal(err)
	}
}

func replace(old, text string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(text), 1) }
}

func TestSealAndRead(t *testing.T) {
	s, _ := open(t)
	want := chunks(12_001)
	h, key := seal(t, s, "r1", want)
	if key != "targets/payroll.events/plans/000000000001.json" || runstore.KeyOf(h) != key {
		t.Errorf("sealed as %s", key)
	}
	if h.Seq != 1 || h.Format != runplan.Format || h.Chunks != 12_001 || len(h.Segments) != 3 {
		t.Errorf("sealed as seq %d, format %d, %d chunks in %d segments", h.Seq, h.Format, h.Chunks, len(h.Segments))
	}
	back, err := s.Plan(t.Context(), key)
	if err != nil || !reflect.DeepEqual(back, h) {
		t.Errorf("%+v, %v\nwant %+v", back, err, h)
	}
	got, err := s.Chunks(t.Context(), back)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%d chunks, %v, want %d", len(got), err, len(want))
	}
	ids, err := s.ChunkIDs(t.Context(), back)
	if err != nil || len(ids) != len(want) || ids[0] != want[0].ID || ids[12_000] != want[12_000].ID {
		t.Errorf("%d ids, %v, want %d", len(ids), err, len(want))
	}
}

// TestSealRace: plans that are sealed at the same moment never take one
// another's number, and all of them can be read.
func TestSealRace(t *testing.T) {
	s, _ := open(t)
	const n = 8
	keys, errs := make([]string, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { keys[i], errs[i] = s.Seal(context.Background(), head(fmt.Sprint("run", i)), chunks(i+1)) })
	}
	all.Wait()
	seqs := map[runplan.Seq]bool{}
	for i, key := range keys {
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		h, err := s.Plan(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if h.Run != runplan.RunID(fmt.Sprint("run", i)) || seqs[h.Seq] || h.Seq < 1 || h.Seq > n {
			t.Errorf("plan %d of run %s stands at %s", h.Seq, h.Run, key)
		}
		seqs[h.Seq] = true
		if list, err := s.Chunks(t.Context(), h); err != nil || len(list) != i+1 {
			t.Errorf("%d chunks, %v, want %d", len(list), err, i+1)
		}
	}
}

func TestNewest(t *testing.T) {
	s, dir := open(t)
	for _, run := range []string{"a", "b", "a", "c"} {
		seal(t, s, run, nil)
	}
	other := head("a")
	other.Target = "payroll.events2"
	if _, err := s.Seal(t.Context(), other, nil); err != nil || other.Seq != 1 {
		t.Fatalf("another target's first plan has seq %d, %v", other.Seq, err)
	}
	// What else may lie there is no plan.
	for _, name := range []string{"README", "000000000009.json.bak", "9.json", "00000000000x.json", "999999999999999.json.tmp"} {
		if err := os.WriteFile(filepath.Join(dir, "targets", target, "plans", name), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for run, seq := range map[string]runplan.Seq{"a": 3, "b": 2, "c": 4, "d": 0} {
		h, err := s.Newest(t.Context(), target, func(m runplan.Mark) bool { return string(m.Run) == run })
		if err != nil {
			t.Fatal(err)
		}
		if (h == nil) != (seq == 0) || (h != nil && h.Seq != seq) {
			t.Errorf("run %s: %+v, want plan %d", run, h, seq)
		}
	}
	if h, err := s.Newest(t.Context(), "payroll.nothing", func(runplan.Mark) bool { return true }); h != nil || err != nil {
		t.Errorf("a target without plans: %v, %v", h, err)
	}
	if h, _ := seal(t, s, "e", nil); h.Seq != 5 {
		t.Errorf("the next plan is %d, want 5", h.Seq)
	}
}

func TestDamagedPlan(t *testing.T) {
	plan := "targets/payroll.events/plans/000000000001.json"
	cases := []struct {
		name   string
		change func([]byte) []byte
		says   string
	}{
		{"a field", replace(`"to": 86400000000`, `"to": 86400000001`), "the plan was changed after sealing"},
		{"the dataset", replace("payroll_events", "payroll_evants"), "the plan was changed after sealing"},
		{"a segment's digest", replace(`"sha256": "`, `"sha256": "0`), "the plan was changed after sealing"},
		{"spaces", replace("\n ", "\n  "), "the plan was changed after sealing"},
		{"no seal", replace(`"seal"`, `"sael"`), "the plan was changed after sealing"},
		{"format", replace(`"format": 1`, `"format": 2`), "format 2 is not the format 1 of this program"},
		{"no format", replace(`"format"`, `"farmat"`), "format 0 is not the format 1"},
		{"cut off", func(b []byte) []byte { return b[:len(b)/2] }, "a staging document can't be read"},
		{"empty", func([]byte) []byte { return nil }, "a staging document can't be read"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, dir := open(t)
			seal(t, s, "r", chunks(1))
			edit(t, dir, plan, c.change)
			_, err := s.Plan(t.Context(), plan)
			fails(t, err, fail.Corrupt, c.says, s.URI(plan))
		})
	}
	t.Run("renamed", func(t *testing.T) {
		s, dir := open(t)
		seal(t, s, "r", chunks(1))
		moved := strings.Replace(plan, "001.json", "007.json", 1)
		if err := os.Rename(filepath.Join(dir, plan), filepath.Join(dir, moved)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Plan(t.Context(), moved)
		fails(t, err, fail.Corrupt, "the plan says it is number 1 of payroll.events", s.URI(moved))
	})
	t.Run("missing", func(t *testing.T) {
		s, _ := open(t)
		_, err := s.Plan(t.Context(), plan)
		if fail.CodeOf(err) != fail.NotFoundInput {
			t.Error(err)
		}
	})
}

func TestDamagedSegment(t *testing.T) {
	cases := []struct {
		name string
		do   func(t *testing.T, dir string, h *runplan.Head)
		says string
	}{
		{"a bit", func(t *testing.T, dir string, h *runplan.Head) {
			edit(t, dir, h.Segments[0].Key, func(b []byte) []byte { b[len(b)/2] ^= 1; return b })
		}, "a plan segment was changed after sealing"},
		{"cut off", func(t *testing.T, dir string, h *runplan.Head) {
			edit(t, dir, h.Segments[0].Key, func(b []byte) []byte { return b[:len(b)-1] })
		}, "a plan segment was changed after sealing"},
		{"gone", func(t *testing.T, dir string, h *runplan.Head) {
			if err := os.Remove(filepath.Join(dir, h.Segments[0].Key)); err != nil {
				t.Fatal(err)
			}
		}, "a segment of the plan is gone from staging"},
		{"fewer chunks than planned", func(t *testing.T, dir string, h *runplan.Head) { h.Chunks++ }, "the plan's segments hold 3 chunks, not 4"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, dir := open(t)
			h, _ := seal(t, s, "r", chunks(3))
			c.do(t, dir, h)
			_, err := s.Chunks(t.Context(), h)
			fails(t, err, fail.Corrupt, c.says)
		})
	}
}

// TestAttemptIsUnique: an attempt's name is never used for two plans; when it
// is, the second one is refused instead of naming the first one's chunks.
func TestAttemptIsUnique(t *testing.T) {
	s, _ := open(t)
	a, _ := seal(t, s, "a", chunks(1))
	b := head("b")
	b.Attempt = a.Attempt
	if _, err := s.Seal(t.Context(), b, chunks(2)); fail.CodeOf(err) != fail.Internal || !strings.Contains(err.Error(), "another document stands under the key") {
		t.Error(err)
	}
}

func TestPlanKey(t *testing.T) {
	s, _ := open(t)
	_, key := seal(t, s, "r", nil)
	if got, err := s.PlanKey(s.URI(key)); err != nil || got != key {
		t.Errorf("%s, %v, want %s", got, err, key)
	}
	for _, uri := range []string{
		"", "x", key, "/" + key, "s3://bucket/" + key, strings.Replace(s.URI(key), "/staging/", "/staging2/", 1), s.URI(""), s.URI("targets/payroll.events/plans/"),
		s.URI("targets/payroll.events/plans/1.json"), s.URI("targets/payroll.events/plans/000000000000.json"), s.URI(key) + ".bak",
		s.URI("targets/payroll.events/segments/x/00000.jsonl.zst"), s.URI("elsewhere/plans/000000000001.json"),
		s.URI("targets/../plans/x/plans/000000000001.json"),
	} {
		_, err := s.PlanKey(uri)
		fails(t, err, fail.Usage, uri+" is not a plan below file:///")
	}
}

func TestPlanKeyWithSlashesAtTheEnd(t *testing.T) {
	for _, root := range []string{"s3://bucket", "s3://bucket/", "s3://bucket/a", "s3://bucket/a/", "s3://bucket/a//", "file:///"} {
		uri, err := objstore.ParseURI(root)
		if err != nil {
			t.Fatal(err)
		}
		s := runstore.New(nil, uri)
		const key = "targets/a.b/plans/000000000012.json"
		if got, err := s.PlanKey(s.URI(key)); err != nil || got != key {
			t.Errorf("%s: %q, %v", root, got, err)
		}
	}
}

func TestReadPlan(t *testing.T) {
	s, dir := open(t)
	h, key := seal(t, s, "r", nil)
	for _, staging := range []string{"file://" + dir, "file://" + dir + "/"} {
		back, err := runstore.ReadPlan(t.Context(), staging, s.URI(key))
		if err != nil || !reflect.DeepEqual(back, h) {
			t.Errorf("%+v, %v", back, err)
		}
	}
	_, err := runstore.ReadPlan(t.Context(), "file://"+dir+"/elsewhere", s.URI(key))
	fails(t, err, fail.Usage, "is not a plan below")
	_, err = runstore.ReadPlan(t.Context(), "staging", s.URI(key))
	fails(t, err, fail.Usage, `"staging" is not a URI`)
	_, err = runstore.ReadPlan(t.Context(), "file://"+dir, s.URI("targets/payroll.events/plans/000000000002.json"))
	if fail.CodeOf(err) != fail.NotFoundInput || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestNamesAreRandom(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		a := runstore.NewAttempt()
		if len(a) != 16 || seen[a] {
			t.Fatalf("attempt %q", a)
		}
		seen[a] = true
	}
}

func receipt(id runplan.ChunkID, attempt string, rows int64) *runplan.ChunkReceipt {
	r := &runplan.ChunkReceipt{Chunk: id, Attempt: attempt, Counts: account.NewChunk(), Parquet: []runplan.File{}}
	r.Counts.Tally[account.Row] = rows
	return r
}
