package runstore_test

import (
	"context"
	"fmt"
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
	"backfill/internal/runplan"
	"backfill/internal/runstore"
)

func TestFirstReceiptWins(t *testing.T) {
	s, _ := open(t)
	if r, err := s.ChunkReceipt(t.Context(), "c1"); r != nil || err != nil {
		t.Errorf("a chunk that is not converted: %v, %v", r, err)
	}
	const n = 8
	stands, errs := make([]*runplan.ChunkReceipt, n), make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			stands[i], errs[i] = s.PutChunkReceipt(context.Background(), receipt("c1", fmt.Sprint("a", i), 5))
		})
	}
	all.Wait()
	kept, err := s.ChunkReceipt(t.Context(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range stands {
		if errs[i] != nil || r.Attempt != kept.Attempt || r.Counts.Tally != kept.Counts.Tally {
			t.Errorf("writer %d was told %+v, %v; the receipt is of attempt %s", i, r, errs[i], kept.Attempt)
		}
	}
	if kept.Format != runplan.Format {
		t.Errorf("format %d", kept.Format)
	}
	again, err := s.PutChunkReceipt(t.Context(), receipt("c1", kept.Attempt, 5))
	if err != nil || again.Attempt != kept.Attempt {
		t.Errorf("writing the same again: %+v, %v", again, err)
	}
}

func TestDamagedChunkReceipt(t *testing.T) {
	cases := []struct {
		name   string
		change func([]byte) []byte
		says   string
	}{
		{"format", replace(`"format": 1`, `"format": 9`), "format 9 is not the format 1 of this program"},
		{"another chunk", replace(`"chunk": "c1"`, `"chunk": "c2"`), `the receipt belongs to chunk "c2"`},
		{"no counts", replace(`"counts"`, `"count"`), "the receipt counts nothing"},
		{"tally", replace(`"parquet_rows": 5`, `"parquet_rows": 6`), "dispositions add up to 6, records read are 5"},
		{"cut off", func(b []byte) []byte { return b[:20] }, "can't be read"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s, dir := open(t)
			if _, err := s.PutChunkReceipt(t.Context(), receipt("c1", "a", 5)); err != nil {
				t.Fatal(err)
			}
			edit(t, dir, "chunks/c1/receipt.json", c.change)
			_, err := s.ChunkReceipt(t.Context(), "c1")
			fails(t, err, fail.Corrupt, c.says, s.URI("chunks/c1/receipt.json"))
			_, err = s.PutChunkReceipt(t.Context(), receipt("c1", "b", 5))
			fails(t, err, fail.Corrupt, c.says)
		})
	}
}

func slice(attempt string) *runplan.SliceReceipt {
	c := &account.Cell{Rows: 2, Sums: []account.Int128{account.FromInt64(-150)}, Counts: []int64{2}}
	cells := account.Cells{{Topic: "t", Day: 1, Group: "EUR"}: c}
	return &runplan.SliceReceipt{
		Run: "r", Seq: 7, Attempt: attempt, Target: target, Slice: runplan.Slice{Index: 3, DayFrom: 1, DayTo: 2},
		Stage: cells, Inserted: cells, Deleted: account.Cells{}, Queries: []string{"SELECT 1 WHERE a < b"},
	}
}

func TestSliceReceipt(t *testing.T) {
	s, dir := open(t)
	want := slice("a")
	key, digest, err := s.PutSlice(t.Context(), want)
	if err != nil {
		t.Fatal(err)
	}
	if ok, _ := filepath.Match("targets/payroll.events/loads/000000000007/slice-00003-*.json", key); !ok || len(digest) != 64 {
		t.Errorf("key %s, digest %s", key, digest)
	}
	other, _, err := s.PutSlice(t.Context(), slice("a"))
	if err != nil || other == key {
		t.Errorf("a second attempt writes to %s, %v", other, err)
	}
	got, err := s.Slice(t.Context(), key, digest)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
	if body, err := os.ReadFile(filepath.Join(dir, key)); err != nil || !strings.Contains(string(body), "WHERE a < b") {
		t.Errorf("SQL is not readable in %s, %v", body, err)
	}

	edit(t, dir, key, replace(`"-150"`, `"-151"`))
	_, err = s.Slice(t.Context(), key, digest)
	fails(t, err, fail.Corrupt, "the slice receipt was changed after its commit", s.URI(key))
	if err := os.Remove(filepath.Join(dir, key)); err != nil {
		t.Fatal(err)
	}
	_, err = s.Slice(t.Context(), key, digest)
	fails(t, err, fail.Corrupt, "the slice receipt of a ledger row is gone from staging")
}

// TestManifest: COPY takes what stands there and nothing else, each file with
// its size, mandatory.
func TestManifest(t *testing.T) {
	s, dir := open(t)
	a, b, none := receipt("c1", "a", 5), receipt("c2", "a", 4), receipt("c3", "a", 0)
	a.Parquet = []runplan.File{{Key: "chunks/c1/a/part-00000.parquet", Size: 100, Rows: 3}, {Key: "chunks/c1/a/part-00001.parquet", Size: 90, Rows: 2}}
	b.Parquet = []runplan.File{{Key: "chunks/c2/a/part & <0>.parquet", Size: 5956875000, Rows: 4}}
	h := head("r")
	h.Seq = 12
	uri, rows, err := s.PutManifest(t.Context(), h, []*runplan.ChunkReceipt{a, none, b})
	if err != nil || rows != 9 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	if ok, _ := filepath.Match("file://"+dir+"/targets/payroll.events/loads/000000000012/*/manifest.json", uri); !ok {
		t.Errorf("the manifest stands at %s", uri)
	}
	want := `{
 "entries": [
  {
   "url": "file://DIR/chunks/c1/a/part-00000.parquet",
   "mandatory": true,
   "meta": {
    "content_length": 100
   }
  },
  {
   "url": "file://DIR/chunks/c1/a/part-00001.parquet",
   "mandatory": true,
   "meta": {
    "content_length": 90
   }
  },
  {
   "url": "file://DIR/chunks/c2/a/part & <0>.parquet",
   "mandatory": true,
   "meta": {
    "content_length": 5956875000
   }
  }
 ]
}
`
	body, err := os.ReadFile(strings.TrimPrefix(uri, "file://"))
	if got := strings.ReplaceAll(string(body), dir, "DIR"); err != nil || got != want {
		t.Errorf("%s, %v\nwant %s", got, err, want)
	}
	empty, rows, err := s.PutManifest(t.Context(), h, []*runplan.ChunkReceipt{none})
	if err != nil || rows != 0 || empty == uri {
		t.Errorf("%s with %d rows, %v", empty, rows, err)
	}
	if body, err := os.ReadFile(strings.TrimPrefix(empty, "file://")); err != nil || string(body) != "{\n \"entries\": []\n}\n" {
		t.Errorf("%s, %v", body, err)
	}
}

func TestUploads(t *testing.T) {
	s, dir := open(t)
	up, key, err := s.NewParquet(t.Context(), "c1", "att", 2)
	if err != nil || key != "chunks/c1/att/part-00002.parquet" {
		t.Fatalf("%s, %v", key, err)
	}
	q, qkey, err := s.NewQuarantine(t.Context(), "c1", "att")
	if err != nil || qkey != "chunks/c1/att/quarantine.jsonl.zst" {
		t.Fatalf("%s, %v", qkey, err)
	}
	if err := q.Abort(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := up.Write([]byte("PAR1")); err != nil {
		t.Fatal(err)
	}
	if _, err := up.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if body, err := os.ReadFile(filepath.Join(dir, key)); err != nil || string(body) != "PAR1" {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := os.Stat(filepath.Join(dir, qkey)); !os.IsNotExist(err) {
		t.Errorf("an aborted upload is there: %v", err)
	}
}

func TestReports(t *testing.T) {
	s, _ := open(t)
	day := func(n int) time.Time { return time.Date(2024, 3, n, 0, 0, 0, 0, time.UTC) }
	var folders []string
	for _, n := range []int{2, 1, 3} {
		folder := runstore.NewReport(target, "r1", day(n))
		folders = append(folders, folder)
		if _, err := s.PutReport(t.Context(), folder, runstore.ReportName, []byte(folder)); err != nil {
			t.Fatal(err)
		}
		if n == 3 {
			continue // died before the seal
		}
		if _, err := s.PutReport(t.Context(), folder, runstore.SealName, []byte("{}")); err != nil {
			t.Fatal(err)
		}
	}
	other := runstore.NewReport(target, "r2", day(1))
	if _, err := s.PutReport(t.Context(), other, runstore.SealName, nil); err != nil {
		t.Fatal(err)
	}
	found, err := s.Reports(t.Context(), target, "r1")
	if want := []string{folders[1], folders[0]}; err != nil || !slices.Equal(found, want) {
		t.Errorf("%q, %v", found, err)
	}
	if body, err := s.ReadReport(t.Context(), found[1], runstore.ReportName); err != nil || string(body) != found[1] {
		t.Errorf("%s, %v", body, err)
	}
	if _, err := s.PutReport(t.Context(), found[0], runstore.ReportName, []byte("other")); fail.CodeOf(err) != fail.Internal {
		t.Errorf("another report under the same name: %v", err)
	}
	for _, uri := range []string{s.URI(found[0]), s.URI(found[0]) + "/", s.URI(found[0] + "/" + runstore.SealName)} {
		if folder, err := s.ReportFolder(uri); err != nil || folder != found[0] {
			t.Errorf("%s is the folder of %s, %v", folder, uri, err)
		}
	}
	for _, uri := range []string{"", "s3://elsewhere/targets/x/reports/r/n", s.URI("targets/x/plans/000000000001.json"), s.URI("targets/x/reports/../reports/n")} {
		if folder, err := s.ReportFolder(uri); fail.CodeOf(err) != fail.Usage {
			t.Errorf("%s is taken for the report %s, %v", uri, folder, err)
		}
	}
	sum, there, err := s.Digest(t.Context(), found[0]+"/"+runstore.ReportName)
	if err != nil || !there || len(sum.SHA256) != 64 {
		t.Errorf("%+v, %t, %v", sum, there, err)
	}
	if _, there, err := s.Digest(t.Context(), found[0]+"/nothing"); err != nil || there {
		t.Errorf("a file that is not there: %t, %v", there, err)
	}
}
