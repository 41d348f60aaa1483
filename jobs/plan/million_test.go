package plan

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/publish"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// crowd is an S3 that lists n objects of 64 partitions, and holds none of them.
type crowd struct{ n int }

func (c crowd) key(i int) string {
	per := (c.n + 63) / 64
	return fmt.Sprintf("topics/payroll.events/partition=%02d/payroll.events+%d+%010d.json.gz", i/per, i/per, i%per*1000)
}

func (c crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start, _ := strconv.Atoi(r.URL.Query().Get("continuation-token"))
	end := min(start+1000, c.n)
	b := make([]byte, 0, 400_000)
	b = fmt.Appendf(b, "<ListBucketResult><IsTruncated>%t</IsTruncated>", end < c.n)
	if end < c.n {
		b = fmt.Appendf(b, "<NextContinuationToken>%d</NextContinuationToken>", end)
	}
	for i := start; i < end; i++ {
		b = fmt.Appendf(b, "<Contents><Key>%s</Key><LastModified>2026-03-05T10:00:00.000Z</LastModified><ETag>&quot;%032x&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>", c.key(i), i*7919, 100_000+i%1000)
	}
	_, _ = w.Write(append(b, "</ListBucketResult>"...))
}

// emptyTable is a warehouse in which nothing was ever loaded.
type emptyTable struct{ publish.Session }

func (emptyTable) Query(_ context.Context, _ string, scan func(redshift.Scanner) error, _ ...any) error {
	return scan(zero{})
}

type zero struct{}

func (zero) Scan(to ...any) error {
	*to[0].(*int64) = 0
	return nil
}

// BenchmarkMillion lists, cuts and seals 1,000,000 objects, then compares the
// sealed plan with a listing in which one object changed. It tells the peak of
// the process's memory, which holds the benchmark's server, too.
func BenchmarkMillion(b *testing.B) {
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(409 << 20)) // as with --memory 512MiB
	defer debug.SetGCPercent(debug.SetGCPercent(30))            // as the program
	server := httptest.NewServer(crowd{1_000_000})
	defer server.Close()
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		b.Setenv(name, value)
	}
	text := "version: 1\nname: x\narchive: {uri: 's3://bucket/topics', layout: confluent}\nrecords: {event_time: value.at}\n" +
		"columns: [{name: id, type: bigint, from: value.id, required: true}, {name: at, type: timestamp, from: value.at, required: true}]\n" +
		"table: {name: a.b, mode: replace_window, scope: all, window_column: at, key: [id]}\nwarehouse: {url: redshift://u@h/d}\n"
	ds, err := dataset.Compile("x.yaml", []byte(text), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	open := func(text string) (*objstore.Store, objstore.URI) {
		uri, err := objstore.ParseURI(text)
		if err != nil {
			b.Fatal(err)
		}
		s, err := objstore.Open(context.Background(), uri, objstore.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s, uri
	}
	for b.Loop() {
		w := &workspace.Workspace{Dataset: ds}
		w.Archive, _ = open(ds.Archive.URI)
		staging, uri := open("file://" + b.TempDir())
		w.Runs, w.Now = runstore.New(staging, uri), time.Now
		o := Options{ChunkBytes: 64 << 20, SliceDays: 7, Window: kafka.Window{From: 1, To: 86_400_000_000}}
		p := &planner{w: w, s: emptyTable{}, o: o, run: runplan.NewRunID(ds.Digest, o.Window)}
		if p.now, err = w.List(b.Context(), o.Window); err != nil {
			b.Fatal(err)
		}
		b.Logf("listed: %s", peak())
		r, err := p.seal(b.Context(), nil, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("sealed %d objects in %d chunks: %s", r.Head.Objects, len(r.Chunks), peak())
		r.Chunks = nil
		chunks, err := w.Runs.Chunks(b.Context(), r.Head)
		if err != nil {
			b.Fatal(err)
		}
		p.now.Objects[500_000].ETag = "another"
		p.now.ID = "another"
		d, err := p.diff(b.Context(), r.Head, chunks)
		if err != nil || len(d.Changed) != 1 || len(d.Added)+len(d.Vanished) > 0 {
			b.Fatalf("%s: %v", d, err)
		}
		b.Logf("compared: %s", peak())
	}
}

func peak() string {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	text, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(text), "VmHWM:")
	line, _, _ := strings.Cut(rest, "\n")
	return fmt.Sprintf("peak resident %s, heap in use %d MiB of %d MiB", strings.TrimSpace(line), m.HeapInuse>>20, m.Sys>>20)
}
