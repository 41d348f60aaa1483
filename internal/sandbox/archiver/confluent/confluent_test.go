package confluent

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/twmb/avro/ocf"

	"backfill/internal/sandbox/archiver"
)

// clocks are instants around both changes of clocks in New York in 2026: 02:00 to 03:00 of March 8 is missing,
// 01:00 to 02:00 of November 1 comes twice.
var clocks = []string{
	"2026-03-08T06:30:00Z", "2026-03-08T06:59:59.999Z", "2026-03-08T07:00:00Z", "2026-03-08T07:30:00Z",
	"2026-11-01T04:59:00Z", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z", "2026-11-01T07:00:00Z",
}

// sample is a log of one partition: an event at each of clocks, an older one that comes late, and two tombstones
// in a row behind the fifth.
func sample(t *testing.T) []archiver.Record {
	t.Helper()
	var log []archiver.Record
	add := func(at, event string, value bool) {
		stamp, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		occurred, err := time.Parse(time.RFC3339, event)
		if err != nil {
			t.Fatal(err)
		}
		n := len(log)
		r := archiver.Record{
			Topic: "pay", Partition: 3, Offset: int64(100 + n), Timestamp: stamp.UnixMilli(), Arrived: stamp.UnixMilli() + 2000,
			Key: fmt.Appendf(nil, "%d", 7000+n), Headers: []archiver.Header{{Key: "h", Value: "a"}, {Key: "h", Value: `"b"`}},
		}
		if value {
			r.Event, r.HasEvent = occurred.UnixMicro(), true
			r.Value = fmt.Appendf(nil, `{"event_id":"e%d","type":"t","occurred_at":"%s","version":1,"company_id":%d,"currency":"%s","gross_amount":"-1.50"}`,
				n, event, 7000+n, []string{"USD", "EUR"}[n%2])
		}
		log = append(log, r)
	}
	for i, at := range clocks {
		add(at, at, true)
		if i == 4 {
			add(at, at, false)
			add(at, at, false)
		}
	}
	add("2026-11-01T07:10:00Z", "2026-03-08T06:45:00Z", true)
	return log
}

// layoutNamed opens a layout with settings changed.
func layoutNamed(t *testing.T, name string, changes archiver.Settings) (archiver.Archiver, error) {
	t.Helper()
	layouts := Layouts()
	i := slices.IndexFunc(layouts, func(l archiver.Layout) bool { return l.Name == name })
	if i < 0 {
		t.Fatalf("there is no layout %s", name)
	}
	settings := maps.Clone(layouts[i].Settings)
	maps.Copy(settings, changes)
	return layouts[i].Open(archiver.Config{Topic: "pay", Prefix: "topics", Zone: "UTC", Size: 6, Settings: settings})
}

func archive(t *testing.T, name string, changes archiver.Settings, r archiver.Retries) []archiver.Object {
	t.Helper()
	a, err := layoutNamed(t, name, changes)
	if err != nil {
		t.Fatal(err)
	}
	var objects []archiver.Object
	keys := map[string]bool{}
	err = a.Archive(sample(t), r, func(ob archiver.Object) error {
		if keys[ob.Key] {
			t.Errorf("%s was put twice", ob.Key)
		}
		keys[ob.Key] = true
		objects = append(objects, ob)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestKeys compares the keys and rows of every layout, with what a crash makes of them, with testdata/keys.txt.
func TestKeys(t *testing.T) {
	var b strings.Builder
	for _, l := range Layouts() {
		fmt.Fprintf(&b, "%s\n", l.Name)
		for _, ob := range archive(t, l.Name, nil, archiver.Retries{Duplicates: 1, Overlaps: 1}) {
			fmt.Fprintf(&b, "  %s %v\n", ob.Key, ob.Rows)
		}
	}
	path := filepath.Join("testdata", "keys.txt")
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the keys are not those of %s:\n%s", path, b.String())
	}
}

// TestFoldersAtClockChanges spells the hours out: the missing hour has no folder, the doubled one has one.
func TestFoldersAtClockChanges(t *testing.T) {
	want := []string{"01", "01", "03", "03", "00", "01", "01", "02"}
	for _, extractor := range []string{clockRecord, clockField} {
		a, err := layoutNamed(t, "confluent-hourly", archiver.Settings{setExtractor: extractor})
		if err != nil {
			t.Fatal(err)
		}
		p := a.(*sink).folders
		for i, at := range clocks {
			stamp, _ := time.Parse(time.RFC3339, at)
			r := archiver.Record{Timestamp: stamp.UnixMilli(), Event: stamp.UnixMicro(), HasEvent: true}
			folder, err := p.folder(&r, 0)
			if _, hour, _ := strings.Cut(folder, "/hour="); err != nil || hour != want[i] {
				t.Errorf("%s by %s lies in %s (%v), want hour %s", at, extractor, folder, err, want[i])
			}
		}
	}
}

// TestSideFiles reads the trio of files of one object and the tombstones' keys.
func TestSideFiles(t *testing.T) {
	objects := archive(t, "confluent-sides", archiver.Settings{setCompress: "none"}, archiver.Retries{})
	byKey := map[string]string{}
	for _, ob := range objects {
		byKey[ob.Key] = string(ob.Body)
	}
	for key, want := range map[string]string{
		"topics/pay/partition=3/pay+3+0000000100.keys.json": "\"7000\"\n\"7001\"\n\"7002\"\n\"7003\"\n\"7004\"\n",
		"topics/pay/tombstone/pay+3+0000000105.keys.json":   "\"7005\"\n\"7006\"\n",
	} {
		got := byKey[key]
		if got != want {
			t.Errorf("%s holds %q, want %q; there are %v", key, got, want, slices.Sorted(maps.Keys(byKey)))
		}
	}
	headers := byKey["topics/pay/partition=3/pay+3+0000000100.headers.json"]
	line := `{"headers":[{"key":"h","value":"a"},{"key":"h","value":"\"b\""}]}` + "\n"
	if headers != strings.Repeat(line, 5) {
		t.Errorf("the headers are %q", headers)
	}
	for key := range byKey {
		if strings.Contains(key, "tombstone") && !strings.Contains(key, ".keys") {
			t.Errorf("%s: tombstones have keys alone", key)
		}
	}
}

// TestAvroSideFiles reads the connector's default format of side files.
func TestAvroSideFiles(t *testing.T) {
	for _, ob := range archive(t, "confluent-sides-avro", nil, archiver.Retries{}) {
		if ob.Key != "topics/pay/partition=3/pay+3+0000000100.keys.avro" && ob.Key != "topics/pay/partition=3/pay+3+0000000100.headers.avro" {
			continue
		}
		r, err := ocf.NewReader(bytes.NewReader(ob.Body))
		if err != nil {
			t.Fatalf("%s: %v", ob.Key, err)
		}
		var rows []string
		for {
			var v any
			if err := r.Decode(&v); err == io.EOF {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", ob.Key, err)
			}
			rows = append(rows, fmt.Sprint(v))
		}
		want := "7002"
		if strings.Contains(ob.Key, ".headers") {
			want = `[map[key:h value:a] map[key:h value:"b"]]`
		}
		if len(rows) != 5 || rows[2] != want {
			t.Errorf("%s holds %q, want %s in row 2 of 5", ob.Key, rows, want)
		}
	}
}

// TestBytesWithSeparator looks for the separator behind every value.
func TestBytesWithSeparator(t *testing.T) {
	objects := archive(t, "confluent-bytes", archiver.Settings{setSeparator: "|#|", setExtension: ".dat"}, archiver.Retries{})
	r, err := gzip.NewReader(bytes.NewReader(objects[0].Body))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Split(string(body), "|#|")
	if len(values) != len(objects[0].Rows)+1 || values[len(values)-1] != "" || !strings.HasPrefix(values[0], `{"event_id":"e0"`) {
		t.Errorf("%s holds %q", objects[0].Key, body)
	}
	a, err := layoutNamed(t, "confluent-bytes", archiver.Settings{setSeparator: "|#|"})
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Join(a.Facts().Archive, "\n"); !strings.Contains(lines, `format: {bytes: {delimiter: "|#|"}}`) {
		t.Errorf("the dataset says %s", lines)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes archiver.Settings
		want    string
	}{
		{"confluent-json", archiver.Settings{setClass: "MyPartitioner"}, `partitioner.class is "MyPartitioner": want DefaultPartitioner, `},
		{"confluent-json", archiver.Settings{setCompress: "zstd"}, `s3.compression.type is "zstd": want none, gzip`},
		{"confluent-json", archiver.Settings{setNulls: "write"}, "behavior.on.null.values write needs store.kafka.keys"},
		{"confluent-json", archiver.Settings{setRotate: "1000"}, "rotate.interval.ms needs a partitioner by time"},
		{"confluent-json", archiver.Settings{setHeaders: "true", setHeadForm: formatBytes}, "ByteArrayFormat does not store headers"},
		{"confluent-time", archiver.Settings{setPath: "yyyy-DDD"}, `path.format: "DDD" is not modelled`},
		{"confluent-time", archiver.Settings{setPath: "'dt=yyyy"}, "has an open quote"},
		{"confluent-hourly", archiver.Settings{setZone: "New York"}, `timezone is "New York": want an IANA name`},
		{"confluent-field", archiver.Settings{setFields: "employee"}, "events have company_id, currency, type and version"},
		{"confluent-json", archiver.Settings{setPad: "x", setDirDelim: ""}, `filename.offset.zero.pad.width is "x": want 0 to 30; directory.delim and file.delim must not be blank`},
	} {
		_, err := layoutNamed(t, c.name, c.changes)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %v: got %v, want %q", c.name, c.changes, err, c.want)
		}
	}
}
