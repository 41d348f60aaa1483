package archive_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"backfill/internal/archive"
	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// lister is a store that lists what it is told to.
type lister struct {
	root    objstore.URI
	objects []objstore.Object
	err     error
	asked   []string // requests
}

func (l *lister) URI(key string) objstore.URI { return l.root.Join(key) }

func (l *lister) List(_ context.Context, prefix string, fn func(objstore.Object) error) error {
	l.asked = append(l.asked, "all of "+prefix)
	for _, o := range l.objects {
		if strings.HasPrefix(o.Key, prefix) {
			if err := fn(o); err != nil {
				return err
			}
		}
	}
	return l.err
}

func (l *lister) Folder(_ context.Context, dir string, object func(objstore.Object) error, folder func(string) error) error {
	l.asked = append(l.asked, dir)
	seen := map[string]bool{}
	for _, o := range l.objects {
		rest, in := strings.CutPrefix(o.Key, dir)
		if !in {
			continue
		}
		name, _, deeper := strings.Cut(rest, "/")
		switch {
		case !deeper:
			if err := object(o); err != nil {
				return err
			}
		case !seen[name]:
			seen[name] = true
			if err := folder(dir + name + "/"); err != nil {
				return err
			}
		}
	}
	return l.err
}

// listerOf makes objects whose size is the length of the key; keys that end in
// a slash are empty.
func listerOf(keys ...string) *lister {
	l := &lister{root: objstore.URI{Scheme: "s3", Bucket: "bucket", Key: "topics"}}
	for _, key := range keys {
		o := objstore.Object{Key: key, Size: int64(len(key)), ETag: "etag of " + key}
		if strings.HasSuffix(key, "/") {
			o.Size = 0
		}
		l.objects = append(l.objects, o)
	}
	return l
}

func mustList(t *testing.T, l archive.Lister) *archive.Listing {
	t.Helper()
	listing, err := archive.List(t.Context(), l, archive.Confluent(), archive.Wanted{}, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return listing
}

func TestListOrder(t *testing.T) {
	listing := mustList(t, listerOf(
		"",
		"b/partition=0/b+0+5.json",
		"a/",
		"a/partition=10/a+10+0000000000.json",
		"a/partition=2/a+2+10000000000.json",
		"a/partition=2/a+2+9999999999.json",
		"a/partition=2/a+2+0000000007.json.gz",
		"a/partition=2/a+2+0000000007.json",
		"a/partition=2/_SUCCESS",
		"b/_SUCCESS",
		"a/partition=2/x.crc",
		"a.b/day=01/a.b+1+3.json",
	))
	var got []string
	for o := range listing.All() {
		if o.ETag != "etag of "+o.Key {
			t.Errorf("%+v", o)
		}
		got = append(got, fmt.Sprintf("%s %d %v %s", o.Name, o.Name.FirstOffset, o.Name.Ordered, o.Key))
	}
	want := `a/2 7 true a/partition=2/a+2+0000000007.json
a/2 7 true a/partition=2/a+2+0000000007.json.gz
a/2 9999999999 true a/partition=2/a+2+9999999999.json
a/2 10000000000 true a/partition=2/a+2+10000000000.json
a/10 0 true a/partition=10/a+10+0000000000.json
a.b/1 3 false a.b/day=01/a.b+1+3.json
b/0 5 true b/partition=0/b+0+5.json`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
	if want := map[string]int{"folder marker": 2, "job marker": 2, "checksum file": 1}; !maps.Equal(listing.Ignored, want) {
		t.Errorf("ignored %v, want %v", listing.Ignored, want)
	}
}

func TestEmptyObjectsAreData(t *testing.T) {
	l := listerOf("a/partition=0/a+0+5.json")
	l.objects[0].Size = 0
	if listing := mustList(t, l); listing.Len() != 1 {
		t.Errorf("%+v", listing)
	}
	if listing := mustList(t, listerOf()); listing.Len() != 0 || len(listing.Ignored) != 0 {
		t.Errorf("an empty archive gives %+v", listing)
	}
}

func TestUnknownKeysAreRefused(t *testing.T) {
	l := listerOf("a/partition=0/a+0+5.json", "a/partition=0/a+0+5.keys.avro", "readme", "folder/", "x1", "x2", "x3")
	l.objects[3].Size = 7 // a folder marker with content is none
	_, err := archive.List(t.Context(), l, archive.Confluent(), archive.Wanted{}, archive.Limits{})
	want := "s3://bucket/topics/: 6 of 7 keys fit no layout: " +
		"s3://bucket/topics/a/partition=0/a+0+5.keys.avro (a .keys side file is not read; to read such files with their values: archive.join: [keys], to leave them out: archive.ignore: [keys]), " +
		"s3://bucket/topics/readme (the name is not <topic>+<partition>+<offset>.<extension>), " +
		"s3://bucket/topics/folder/ (the name is not <topic>+<partition>+<offset>.<extension>), and 3 more"
	if !fail.Is(err, fail.BadLayout) || err.Error() != want || !strings.Contains(fail.HintOf(err), "move these objects") {
		t.Errorf("got  %v (%s)\nwant %s", err, fail.HintOf(err), want)
	}
	// The pattern decides otherwise: everything is data.
	layout, err := archive.Pattern(regexp.MustCompile(`.`), "pay", partition(0))
	if err != nil {
		t.Fatal(err)
	}
	listing, err := archive.List(t.Context(), l, layout, archive.Wanted{}, archive.Limits{})
	if err != nil || listing.Len() != 7 {
		t.Errorf("%+v, %v", listing, err)
	}
}

func TestListLimits(t *testing.T) {
	l := listerOf("a/partition=0/a+0+5.json", "a/partition=0/a+0+6.json", "a/_SUCCESS")
	if _, err := archive.List(t.Context(), l, archive.Confluent(), archive.Wanted{}, archive.Limits{Objects: 2}); err != nil {
		t.Error(err)
	}
	_, err := archive.List(t.Context(), l, archive.Confluent(), archive.Wanted{}, archive.Limits{Objects: 1})
	if !fail.Is(err, fail.Memory) || err.Error() != "s3://bucket/topics/: the archive holds more than 1 data objects" {
		t.Errorf("got %v", err)
	}
	l.err = errors.New("the store failed")
	if _, err := archive.List(t.Context(), l, archive.Confluent(), archive.Wanted{}, archive.Limits{}); err != l.err {
		t.Errorf("got %v", err)
	}
}

// TestMemory measures what one object costs.
func TestMemory(t *testing.T) {
	const n = 50_000
	l := &endless{n: n}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	listing := mustList(t, l)
	per := (heap() - before) / n
	t.Logf("%d bytes per object with keys of %d bytes", per, len(slices.Collect(listing.All())[0].Key))
	// A million objects must fit into 1 GiB while the slice grows, too.
	if per > 450 {
		t.Errorf("one object takes %d bytes", per)
	}
	runtime.KeepAlive(listing)
}

// endless makes its objects while it lists them, as a real store does.
type endless struct{ n int }

func (e *endless) URI(key string) objstore.URI {
	return objstore.URI{Scheme: "s3", Bucket: "acme-kafka-archive", Key: "topics/" + key}
}

func (e *endless) Folder(context.Context, string, func(objstore.Object) error, func(string) error) error {
	return errors.New("not asked for")
}

func (e *endless) List(_ context.Context, _ string, fn func(objstore.Object) error) error {
	for i := range e.n {
		o := objstore.Object{
			Key:  fmt.Sprintf("payroll.events/partition=%d/payroll.events+%d+%010d.json.gz", i%64, i%64, i*1000),
			ETag: fmt.Sprintf("%032x", i), StorageClass: strings.Clone("STANDARD"), Size: 1 << 20,
		}
		if err := fn(o); err != nil {
			return err
		}
	}
	return nil
}

func BenchmarkList(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := archive.List(b.Context(), &endless{n: 100_000}, archive.Confluent(), archive.Wanted{}, archive.Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}
