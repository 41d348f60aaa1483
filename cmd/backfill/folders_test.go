package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/md5"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/sandbox/s3d"
)

// TestDatedFolders loads a day on which New York sets its clocks back from hourly
// folders: the same rows as with all folders listed and read, by a few of them.
func TestDatedFolders(t *testing.T) {
	h := shared
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	// Each hour one object of each partition; records come up to two hours late.
	first := time.Date(2025, 11, 1, 0, 0, 0, 0, zone)
	objects := map[string]string{}
	for n := range 72 * 4 {
		event := first.Add(time.Duration(n) * 15 * time.Minute)
		folder := event.Add(time.Duration(n%9) * 15 * time.Minute).In(zone).Format("year=2006/month=01/day=02/hour=15")
		key := fmt.Sprintf("dated/ledger/%s/ledger+%d+", folder, n%2)
		objects[key] += fmt.Sprintf(`{"id":%d,"at":%q}`+"\n", n, event.UTC().Format(time.RFC3339))
	}
	var inventory strings.Builder
	for i, prefix := range slices.Sorted(maps.Keys(objects)) {
		key, body := fmt.Sprintf("%s%010d.json", prefix, i), []byte(objects[prefix])
		if err := h.put(context.Background(), "archive", key, body); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&inventory, "%q,%q,%q,%q,%q,%q\n", "archive", url.QueryEscape(key), fmt.Sprint(len(body)), "2025-11-05T00:00:00.000Z", fmt.Sprintf("%x", md5.Sum(body)), "STANDARD")
	}
	putInventory(t, h, inventory.String())
	load := func(table, folders string) (rows []string, lists []string, reads int) {
		text := `version: 1
name: ledger
archive: {uri: s3://archive/dated/ledger, layout: confluent, lateness: 2h` + folders + `}
records: {event_time: value.at}
calendar: America/New_York
columns:
  - {name: id, type: bigint, from: value.id, required: true}
  - {name: at, type: timestamp, from: value.at, required: true}
table: {name: payroll.` + table + `, mode: replace_window, scope: all, window_column: at, key: [id], latest_by: [at], provenance: true}
staging: {uri: s3://staging/` + table + `}
`
		file := filepath.Join(t.TempDir(), "dataset.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		watch := func(op s3d.Op) s3d.Action {
			mu.Lock()
			defer mu.Unlock()
			if op.Phase == s3d.Before && op.Bucket == "archive" {
				q, _ := url.ParseQuery(op.Query)
				switch op.Kind {
				case "ListObjectsV2":
					lists = append(lists, strings.TrimPrefix(q.Get("prefix"), "dated/ledger/"))
				case "GetObject":
					reads++
				}
			}
			return s3d.Continue
		}
		h.onS3.Store(&watch)
		defer h.onS3.Store(nil)
		o := h.run(t, 0, "plan", "--dataset", file, "--from", "2025-11-02", "--to", "2025-11-03", "--create-table")
		mu.Lock()
		planned := slices.Clone(lists)
		mu.Unlock()
		h.run(t, 0, "run", "--dataset", file, "--from", "2025-11-02", "--to", "2025-11-03")
		if text := o.stderr + o.stdout; folders != "" && !strings.Contains(folders, "inventory") && !strings.Contains(text, "dated folders were listed as a whole") {
			t.Errorf("the plan does not say what it left out: %s", text)
		}
		return h.rows(t, "SELECT id, at FROM payroll."+table+" ORDER BY id"), planned, reads
	}
	rows, lists, reads := load("dated_few", ", folder_time: {clock: record, zone: America/New_York}")
	all, whole, everything := load("dated_all", "")
	if len(rows) != 100 || !slices.Equal(rows, all) { // the day has 25 hours
		t.Errorf("%d rows by folders, %d by all", len(rows), len(all))
	}
	// The root, the year, the month, two days with an hour before and the hours up to 03 behind; the day itself is one.
	want := []string{"", "year=2025/", "year=2025/month=11/", "year=2025/month=11/day=01/", "year=2025/month=11/day=01/hour=23/", "year=2025/month=11/day=02/",
		"year=2025/month=11/day=03/", "year=2025/month=11/day=03/hour=00/", "year=2025/month=11/day=03/hour=01/", "year=2025/month=11/day=03/hour=02/"}
	if !slices.Equal(lists, want) {
		t.Errorf("listed %q, want %q", lists, want)
	}
	if len(whole) != 1 || reads*2 > everything {
		t.Errorf("read %d objects of %d, by %d listings where one is all", reads, everything, len(whole))
	}

	// The same from an inventory: two days later no folder of the window is newer.
	reported, lists, again := load("dated_report", ", folder_time: {clock: record, zone: America/New_York}, inventory: {uri: s3://staging/inventories/archive/daily}")
	if !slices.Equal(reported, all) || again != reads || !slices.Equal(lists, []string{""}) {
		t.Errorf("by the inventory %d rows from %d objects, listed %q", len(reported), again, lists)
	}
	t.Logf("%d requests, %d objects read; without folder_time %d and %d", len(lists), reads, len(whole), everything)
}

// putInventory writes an inventory of the bucket as S3 does.
func putInventory(t *testing.T, h *harness, rows string) {
	t.Helper()
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	if _, err := w.Write([]byte(rows)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	const folder = "inventories/archive/daily/"
	manifest := fmt.Appendf(nil, `{"sourceBucket":"archive","destinationBucket":"arn:aws:s3:::staging","version":"2016-11-30","creationTimestamp":"%d","fileFormat":"CSV",
"fileSchema":"Bucket, Key, Size, LastModifiedDate, ETag, StorageClass","files":[{"key":"%sdata/1.csv.gz","size":%d,"MD5checksum":"%x"}]}`,
		time.Now().Add(48*time.Hour).UnixMilli(), folder, packed.Len(), md5.Sum(packed.Bytes()))
	for name, body := range map[string][]byte{"data/1.csv.gz": packed.Bytes(), "2025-11-10T01-00Z/manifest.json": manifest,
		"2025-11-10T01-00Z/manifest.checksum": fmt.Appendf(nil, "%x", md5.Sum(manifest))} {
		if err := h.put(context.Background(), "staging", folder+name, body); err != nil {
			t.Fatal(err)
		}
	}
}
