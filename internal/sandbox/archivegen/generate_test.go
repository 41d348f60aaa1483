package archivegen

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// TestSameBytesWhateverParallelIs covers every codec: compressors must not carry anything from one
// object to the next.
func TestSameBytesWhateverParallelIs(t *testing.T) {
	for _, codec := range []string{CodecGzip, CodecZstd, CodecMixed} {
		o := march(11)
		o.Codec, o.BodyOffsets, o.EventsPerObject, o.Faults = codec, true, 20, everything()
		o.Parallel = 1
		first, truth := generate(t, o)
		for _, parallel := range []int{2, 7} {
			o.Parallel = parallel
			m, again := generate(t, o)
			if !maps.EqualFunc(m.objects, first.objects, bytes.Equal) {
				t.Errorf("%s: objects differ at parallel %d", codec, parallel)
			}
			if !reflect.DeepEqual(again, truth) {
				t.Errorf("%s: the truth differs at parallel %d", codec, parallel)
			}
		}
	}
}

func TestSeedChangesTheArchive(t *testing.T) {
	a, first := generate(t, march(1))
	b, second := generate(t, march(2))
	if maps.EqualFunc(a.objects, b.objects, bytes.Equal) {
		t.Error("seeds 1 and 2 give the same archive")
	}
	if first.Dispositions.Rows != second.Dispositions.Rows {
		t.Error("the seed changed how many events there are")
	}
}

// failing is a sink whose n-th put fails.
type failing struct {
	n   int64
	err error
}

func (f *failing) Put(context.Context, string, []byte) error {
	if atomic.AddInt64(&f.n, -1) == 0 {
		return f.err
	}
	return nil
}

func TestSinkErrorStops(t *testing.T) {
	full := errors.New("the disk is full")
	_, err := Generate(t.Context(), march(1), &failing{n: 3, err: full})
	if !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "putting topics/payroll.events/partition=") {
		t.Errorf("got %v", err)
	}
}

func TestCancelStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Generate(ctx, march(1), counting{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	cases := []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Events = 0 }, "events is 0: want 1 to 1000000000"},
		{func(o *Options) { o.Partitions = 1001 }, "partitions is 1001: want 1 to 1000"},
		{func(o *Options) { o.EventsPerObject = -1 }, "events per object is -1: want at least 1"},
		{func(o *Options) { o.Codec = "lz4" }, `codec is "lz4": want none, gzip, zstd or mixed`},
		{func(o *Options) { o.Topic = "pay roll" }, `topic is "pay roll": want 1 to 249 of`},
		{func(o *Options) { o.Prefix = "/topics/" }, `prefix is "/topics/": want folders of`},
		{func(o *Options) { o.To = o.From }, "the window is empty: from 2026-03-01T00:00:00-08:00"},
		{func(o *Options) { o.From = o.From.Add(time.Hour) }, "2026-03-01T01:00:00-08:00 is not midnight in America/Los_Angeles"},
		{func(o *Options) { o.Zone = "Mars/Olympus" }, "unknown time zone Mars/Olympus"},
		{func(o *Options) { o.To = o.From.AddDate(2, 0, 0) }, "longer than 400 days"},
		{func(o *Options) { o.DaysAround = 40 }, "days around is 40: want at most 31"},
		{func(o *Options) { o.Faults.Tombstones = -1 }, "tombstones is -1: want 0 to 200000"},
		{func(o *Options) { o.Faults.Tombstones, o.Faults.BadValues = 150_000, 150_000 }, "the faults' counts add up to 300000: want at most 200000"},
		{func(o *Options) { o.Faults.Unicode = 1.5 }, "unicode is 1.5: want a share from 0 to 1"},
		{func(o *Options) { o.Faults.FilteredTypes = 0.95 }, "filtered types is 0.95: want at most 0.9"},
		{func(o *Options) { o.Events, o.EventsPerObject = 20_000_000, 1 }, "more than 1000000 objects: raise events per object"},
	}
	for _, c := range cases {
		o := march(1)
		c.change(&o)
		_, err := Generate(t.Context(), o, counting{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	_, err := Generate(t.Context(), Options{Codec: "lz4"}, counting{})
	want := `reading the options: events is 0: want 1 to 1000000000; codec is "lz4": want none, gzip, zstd or mixed; ` +
		"the window is empty: from 0001-01-01T00:00:00Z to 0001-01-01T00:00:00Z"
	if err == nil || err.Error() != want {
		t.Errorf("all mistakes should be named at once, got %v", err)
	}
}

// TestAllocationsStayFlat holds the hot path to a fraction of an allocation per event, start-up aside.
func TestAllocationsStayFlat(t *testing.T) {
	allocs := func(events int) float64 {
		o := march(1)
		o.Events, o.EventsPerObject, o.Parallel, o.Faults = events, 100_000, 1, DefaultFaults()
		o.BodyOffsets, o.Codec = true, CodecNone
		return testing.AllocsPerRun(1, func() {
			if _, err := Generate(context.Background(), o, counting{}); err != nil {
				t.Fatal(err)
			}
		})
	}
	if grown := allocs(11_000) - allocs(6000); grown > 250 {
		t.Errorf("5000 more events take %.0f more allocations", grown)
	}
}

func TestDatasetYAML(t *testing.T) {
	o := march(1)
	o.Faults, o.BodyOffsets = DefaultFaults(), true
	text := DatasetYAML(o)
	for _, want := range []string{
		"  uri: \"{{archive}}/topics/payroll.events\"\n", "calendar: America/Los_Angeles\n", "staging: {uri: \"{{staging}}\"}\n",
		"  offset: value._kafka.offset\n", "quarantine: {max_records: 100, max_rate: 0.065000}\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the dataset lacks %q:\n%s", want, text)
		}
	}
	var file struct {
		Records map[string]string
		Columns []struct{ Name, Type, From, Const string }
		Table   struct {
			Key      []string
			LatestBy []string `yaml:"latest_by"`
		}
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Columns) != 14 || file.Columns[13].Const != "payroll" || file.Table.Key[0] != "event_id" || file.Table.LatestBy[0] != "version" {
		t.Errorf("parsed as %+v", file)
	}
	if file.Records["where"] != `value.type in ["payment.settled", "payment.reversed"]` {
		t.Errorf("where is %q", file.Records["where"])
	}
	o.BodyOffsets = false
	if strings.Contains(DatasetYAML(o), "_kafka") {
		t.Error("without body offsets the dataset must not name them")
	}
}

// TestGolden pins what is written, and the dataset file, for a few events; UPDATE_GOLDEN=1 rewrites them.
// A change here changes every archive.
func TestGolden(t *testing.T) {
	o := Options{ // one day, nothing around it
		Seed: 7, Events: 6, DaysAround: -1, Zone: zone, Partitions: 1, Codec: CodecNone, BodyOffsets: true,
		From: time.Date(2026, 3, 15, 7, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 16, 7, 0, 0, 0, time.UTC),
		Faults: Faults{
			LateRecords: 1, FutureRecords: 1, SupersededVersions: 1, MalformedJSON: 1, Tombstones: 1, Undatable: 1, BadValues: 1,
			FilteredTypes: 0.2, Unicode: 0.3, Negative: 1, LocalOffsets: 0.2, NumberSpelling: 0.2, ExponentSpelling: 0.2,
		},
	}
	m, truth := generate(t, o)
	var written bytes.Buffer
	if err := WriteTruth(&written, truth); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]byte{
		"events.jsonl": m.objects[truth.Objects[0].Key],
		"truth.json":   written.Bytes(),
		"dataset.yaml": []byte(DatasetYAML(o)),
	} {
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE_GOLDEN") != "" {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s changed; got\n%s", name, got)
		}
	}
}
