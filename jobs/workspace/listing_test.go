package workspace

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"backfill/internal/dataset"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
)

// bucket is an S3 that only lists; its keys are sorted.
type bucket struct {
	keys []string
	mu   sync.Mutex
	asks []string // prefix and delimiter of each request
}

type listedObject struct {
	Key, LastModified, ETag, StorageClass string
	Size                                  int64
}

func (b *bucket) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	prefix, delimiter := q.Get("prefix"), q.Get("delimiter")
	b.mu.Lock()
	b.asks = append(b.asks, prefix+" "+delimiter)
	b.mu.Unlock()
	page := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string         `xml:",omitempty"`
		Contents              []listedObject `xml:"Contents"`
		CommonPrefixes        []struct{ Prefix string }
	}{}
	names := 0
	for i := sort.SearchStrings(b.keys, max(prefix, q.Get("continuation-token"))); i < len(b.keys) && strings.HasPrefix(b.keys[i], prefix); {
		if names == 1000 {
			page.IsTruncated, page.NextContinuationToken = true, b.keys[i]
			break
		}
		names++
		key := b.keys[i]
		if at := strings.Index(key[len(prefix):], delimiter); delimiter != "" && at >= 0 {
			common := key[:len(prefix)+at+len(delimiter)]
			page.CommonPrefixes = append(page.CommonPrefixes, struct{ Prefix string }{common})
			i = sort.SearchStrings(b.keys, common+"\U0010ffff")
			continue
		}
		page.Contents = append(page.Contents, listedObject{key, "2026-03-05T10:00:00.000Z", fmt.Sprintf("%q", fmt.Sprintf("%032x", i)), "STANDARD", 1 << 20})
		i++
	}
	w.Header().Set("Content-Type", "application/xml")
	if err := xml.NewEncoder(w).Encode(page); err != nil {
		panic(err)
	}
}

// open returns a workspace of the archive section in the bucket.
func (b *bucket) open(t testing.TB, section string) *Workspace {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	for name, value := range map[string]string{"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s",
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null"} {
		t.Setenv(name, value)
	}
	text := "version: 1\nname: x\narchive: {uri: 's3://bucket/topics/pay', " + section + "}\nrecords: {event_time: value.at}\n" +
		"columns: [{name: id, type: bigint, from: value.id, required: true}, {name: at, type: timestamp, from: value.at, required: true}]\n" +
		"table: {name: a.b, mode: replace_window, scope: all, window_column: at, key: [id]}\n"
	ds, err := dataset.Compile("x.yaml", []byte(text), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	uri, err := objstore.ParseURI(ds.Archive.URI)
	if err != nil {
		t.Fatal(err)
	}
	store, err := objstore.Open(context.Background(), uri, objstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &Workspace{Dataset: ds, Archive: store}
}

// hours fills the bucket with perHour objects in each of n hourly folders of
// New York from the start on.
func (b *bucket) hours(t testing.TB, start time.Time, n, perHour int) {
	t.Helper()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	for h := range n {
		folder := start.Add(time.Duration(h) * time.Hour).In(zone).Format("year=2006/month=01/day=02/hour=15")
		for i := range perHour {
			b.keys = append(b.keys, fmt.Sprintf("topics/pay/%s/pay+%d+%010d.json.gz", folder, i%10, h*perHour+i))
		}
	}
	sort.Strings(b.keys)
}

// TestWindowListsItsFoldersOnly: of 100,000 objects in 1,000 hourly folders, over
// the day on which New York sets its clocks back, ten hours take no more requests
// than their folders and the way there.
func TestWindowListsItsFoldersOnly(t *testing.T) {
	b := &bucket{}
	start := time.Date(2026, 10, 20, 4, 0, 0, 0, time.UTC)
	b.hours(t, start, 1000, 100)
	w := b.open(t, "layout: confluent, lateness: 1h, folder_time: {clock: record, zone: America/New_York}")
	from := time.Date(2026, 11, 1, 1, 0, 0, 0, time.UTC) // the clocks are set back at 06:00
	window := kafka.Window{From: kafka.InstantOf(from), To: kafka.InstantOf(from.Add(10 * time.Hour))}
	l, err := w.List(t.Context(), window)
	if err != nil {
		t.Fatal(err)
	}
	// From an hour before to two hours behind: the folder's hour, and lateness.
	if len(l.Objects) != 13*100 {
		t.Errorf("%d objects, want 1300", len(l.Objects))
	}
	// The topic, the year, two months, two days; hour 01 comes twice in one folder.
	if len(b.asks) != 6+12 {
		t.Errorf("%d requests: %q", len(b.asks), b.asks)
	}
	if l.Folders.Listed != 12 || l.Folders.Skipped == 0 {
		t.Errorf("%+v", l.Folders)
	}
}

// TestDatesThatSayNothing lists everything, without folder_time or with a clock
// that nobody knows.
func TestDatesThatSayNothing(t *testing.T) {
	b := &bucket{}
	start := time.Date(2026, 10, 20, 4, 0, 0, 0, time.UTC)
	b.hours(t, start, 40, 50)
	window := kafka.Window{From: kafka.InstantOf(start), To: kafka.InstantOf(start.Add(time.Hour))}
	for _, section := range []string{"layout: confluent", "layout: confluent, folder_time: {clock: unknown}"} {
		b.asks = nil
		l, err := b.open(t, section).List(t.Context(), window)
		if err != nil || len(l.Objects) != 2000 || len(b.asks) != 2 {
			t.Errorf("%s: %d objects by %d requests: %v", section, len(l.Objects), len(b.asks), err)
		}
	}
}

// TestSettledByFolders: partitions that dates hide are not settled.
func TestSettledByFolders(t *testing.T) {
	b := &bucket{}
	at := func(text string) kafka.Instant {
		i, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return kafka.InstantOf(i)
	}
	window := kafka.Window{From: at("2026-03-05T00:00:00Z"), To: at("2026-03-06T00:00:00Z")}
	last := map[kafka.TopicPartition]kafka.Instant{{Topic: "pay", Partition: 2}: at("2026-03-06T01:00:00Z"), {Topic: "pay", Partition: 0}: at("2026-03-06T01:00:00Z")}
	for section, want := range map[string]string{
		"layout: confluent": "",
		"layout: confluent, folder_time: {clock: event, zone: UTC}":           "pay/1 has no object in the dated folders that were listed",
		"layout: confluent, idle: 2h, folder_time: {clock: event, zone: UTC}": "",
	} {
		w := b.open(t, section)
		w.Now = func() time.Time { return at("2026-04-01T00:00:00Z").Time() }
		err := w.Settled(window, last, time.Time{})
		if want == "" {
			if early := w.Settled(window, last, window.To.Time().Add(-time.Second)); early == nil || !strings.Contains(early.Error(), "the inventory that was read is complete up to 2026-03-05T23:59:59Z") {
				t.Errorf("an older inventory: %v", early)
			}
			if err == nil {
				err = w.Settled(window, last, window.To.Time())
			}
		}
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", section, err, want)
		}
	}
}
