package archive_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"backfill/internal/archive"
	"backfill/internal/folder"
	"backfill/internal/kafka"
	"backfill/internal/objstore"
)

const hourly = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"

func foldersOf(t testing.TB, path, zone string) *folder.Time {
	t.Helper()
	p, err := folder.Parse(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	return &folder.Time{Path: p, Zone: z}
}

func window(t testing.TB, from, to string) kafka.Window {
	t.Helper()
	var w kafka.Window
	for text, at := range map[string]*kafka.Instant{from: &w.From, to: &w.To} {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		*at = kafka.InstantOf(parsed)
	}
	return w
}

// keysIn lists with what is wanted and returns keys and requests.
func keysIn(t testing.TB, l *lister, wanted archive.Wanted) (keys []string, listing *archive.Listing) {
	t.Helper()
	listing, err := archive.List(t.Context(), l, archive.Confluent(), wanted, archive.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	for o := range listing.All() {
		keys = append(keys, o.Key)
	}
	slices.Sort(keys)
	return keys, listing
}

func TestOnlyTheWindowsFoldersAreListed(t *testing.T) {
	l := listerOf(
		"pay/_SUCCESS",
		"pay/tombstones/pay+0+5.json",
		"pay/year=2025/month=12/day=31/hour=23/pay+0+1.json",
		"pay/year=2026/month=03/day=05/hour=11/pay+0+10.json",
		"pay/year=2026/month=03/day=05/hour=12/pay+0+11.json",
		"pay/year=2026/month=03/day=05/hour=13/pay+0+12.json",
		"pay/year=2026/month=03/day=05/hour=13/deeper/pay+0+13.json",
		"pay/year=2026/month=03/day=05/hour=14/pay+0+14.json",
		"pay/year=2026/month=03/day=05/hour=15/pay+0+15.json",
		"pay/year=2026/month=03/day=05/hour=16/pay+0+16.json",
		"pay/year=2026/month=03/day=05/pay+0+17.json",
		"pay/year=2026/month=03/day=06/hour=00/pay+0+18.json",
		"pay/year=2026/month=03/unsorted/hour=00/pay+0+19.json",
		"pay/year=2026/month=04/day=01/hour=00/pay+0+20.json",
	)
	wanted := archive.Wanted{
		Windows: []kafka.Window{window(t, "2026-03-05T13:00:00Z", "2026-03-05T14:00:00Z")}, Folders: foldersOf(t, hourly, "UTC"), Lateness: 30 * time.Minute,
	}
	keys, listing := keysIn(t, l, wanted)
	want := []string{
		"pay/tombstones/pay+0+5.json",                         // no date
		"pay/year=2026/month=03/day=05/hour=12/pay+0+11.json", // a folder before
		"pay/year=2026/month=03/day=05/hour=13/deeper/pay+0+13.json",
		"pay/year=2026/month=03/day=05/hour=13/pay+0+12.json",
		"pay/year=2026/month=03/day=05/hour=14/pay+0+14.json",   // a folder behind
		"pay/year=2026/month=03/day=05/hour=15/pay+0+15.json",   // half an hour later
		"pay/year=2026/month=03/day=05/pay+0+17.json",           // no hour
		"pay/year=2026/month=03/unsorted/hour=00/pay+0+19.json", // no day
	}
	if !slices.Equal(keys, want) {
		t.Errorf("listed\n%s\nwant\n%s", strings.Join(keys, "\n"), strings.Join(want, "\n"))
	}
	requests := []string{"", "pay/", "pay/tombstones/", "pay/year=2026/", "pay/year=2026/month=03/", "pay/year=2026/month=03/day=05/",
		"all of pay/year=2026/month=03/day=05/hour=12/", "all of pay/year=2026/month=03/day=05/hour=13/", "all of pay/year=2026/month=03/day=05/hour=14/",
		"all of pay/year=2026/month=03/day=05/hour=15/", "all of pay/year=2026/month=03/unsorted/"}
	if !slices.Equal(l.asked, requests) {
		t.Errorf("asked for\n%s\nwant\n%s", strings.Join(l.asked, "\n"), strings.Join(requests, "\n"))
	}
	if listing.Folders != (archive.Folders{Listed: 5, Skipped: 5}) || listing.Ignored["job marker"] != 1 {
		t.Errorf("%+v, %v", listing.Folders, listing.Ignored)
	}

	// A whole month is one request, and two windows are one listing.
	l.asked = nil
	wanted.Windows = []kafka.Window{window(t, "2026-02-01T00:00:00Z", "2026-04-02T00:00:00Z"), window(t, "2025-12-31T22:00:00Z", "2026-01-01T00:00:00Z")}
	if keys, _ := keysIn(t, l, wanted); len(keys) != 13 || !slices.Contains(l.asked, "all of pay/year=2026/month=03/") {
		t.Errorf("%d keys by %q", len(keys), l.asked)
	}
	// All time is everything.
	for _, windows := range [][]kafka.Window{nil, {{}}} {
		wanted.Windows = windows
		if keys, listing := keysIn(t, l, wanted); len(keys) != 13 || listing.Folders.Skipped > 0 {
			t.Errorf("%v: %d keys", windows, len(keys))
		}
	}
}

// TestNoRecordOfAWindowIsSkipped archives random records by a random clock in
// zones whose clocks change, and looks for each that the window holds.
func TestNoRecordOfAWindowIsSkipped(t *testing.T) {
	forms := map[string]string{hourly: "year=2006/month=01/day=02/hour=15", "yyyy/MM/dd": "2006/01/02", "'dt='yyyy-MM-dd/HH/mm": "dt=2006-01-02/15/04"}
	zones := []string{"UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "America/St_Johns"}
	changes := []time.Time{time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC), time.Date(2026, 4, 4, 15, 0, 0, 0, time.UTC), time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	rapid.Check(t, func(rt *rapid.T) {
		path := rapid.SampledFrom(slices.Sorted(maps.Keys(forms))).Draw(rt, "path")
		f := foldersOf(t, path, rapid.SampledFrom(zones).Draw(rt, "zone"))
		late, early := time.Duration(rapid.IntRange(0, 2880).Draw(rt, "late"))*time.Minute, time.Duration(rapid.IntRange(0, 90).Draw(rt, "early"))*time.Minute
		base := rapid.SampledFrom(changes).Draw(rt, "change")
		minutes := func(name string, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(rt, name)) * time.Minute
		}
		from := base.Add(minutes("from", -2000, 2000))
		w := kafka.Window{From: kafka.InstantOf(from), To: kafka.InstantOf(from.Add(minutes("length", 1, 3000)))}
		l := &lister{root: objstore.URI{Scheme: "s3", Bucket: "b"}}
		events := map[string]bool{} // key to whether the window holds it
		for i := range rapid.IntRange(1, 60).Draw(rt, "records") {
			event := base.Add(minutes("event", -8000, 8000))
			archived := event.Add(minutes("shift", -int(early/time.Minute), int(late/time.Minute)))
			key := fmt.Sprintf("pay/%s/pay+0+%d.json", archived.In(f.Zone).Format(forms[path]), i)
			l.objects = append(l.objects, objstore.Object{Key: key, Modified: archived.Truncate(time.Second)})
			events[key] = w.Contains(kafka.InstantOf(event))
		}
		keys, _ := keysIn(t, l, archive.Wanted{Windows: []kafka.Window{w}, Folders: f, Lateness: late, Earliness: early, Modified: rapid.Bool().Draw(rt, "modified")})
		for key, in := range events {
			if in && !slices.Contains(keys, key) {
				rt.Fatalf("%s of %s was not listed", key, w)
			}
		}
	})
}

func TestObjectsBeforeTheWindow(t *testing.T) {
	at := func(text string) time.Time {
		m, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	l := &lister{root: objstore.URI{Scheme: "s3", Bucket: "b"}}
	for key, modified := range map[string]string{
		"pay/partition=0/pay+0+0.json":  "2026-03-01T00:00:00Z",
		"pay/partition=0/pay+0+5.json":  "2026-03-04T22:59:58Z",
		"pay/partition=0/pay+0+10.json": "2026-03-04T22:59:59Z", // may be of the next second
		"pay/partition=0/pay+0+20.json": "2026-03-01T00:00:00Z", // behind one that stays
		"pay/partition=1/pay+1+0.json":  "2026-03-01T00:00:00Z",
		"pay/partition=1/pay+1+7.json":  "2026-03-02T00:00:00Z", // shows how long it is silent
		"pay/day=1/pay+2+0.json":        "2026-03-01T00:00:00Z",
		"pay/day=2/pay+2+9.json":        "2026-03-06T00:00:00Z",
		"pay/day=3/pay+2+7.json":        "2026-03-01T00:00:00Z",
		"pay/day=1/pay+3+0.json":        "2026-03-02T00:00:00Z",
		"pay/day=2/pay+3+9.json":        "2026-03-01T00:00:00Z",
	} {
		l.objects = append(l.objects, objstore.Object{Key: key, Modified: at(modified)})
	}
	wanted := archive.Wanted{Windows: []kafka.Window{window(t, "2026-03-05T00:00:00Z", "2026-03-06T00:00:00Z")}, Earliness: time.Hour}
	if keys, _ := keysIn(t, l, wanted); len(keys) != 11 {
		t.Errorf("%q", keys)
	}
	wanted.Modified = true
	keys, listing := keysIn(t, l, wanted)
	want := []string{"pay/day=1/pay+3+0.json", "pay/day=2/pay+2+9.json", "pay/partition=0/pay+0+10.json", "pay/partition=0/pay+0+20.json", "pay/partition=1/pay+1+7.json"}
	if !slices.Equal(keys, want) || listing.Ignored["written before the window"] != 6 {
		t.Errorf("kept %q, ignored %v", keys, listing.Ignored)
	}
}

// inventory is an earlier listing.
type inventory struct {
	objects []objstore.Object
	sure    time.Time
}

func (i *inventory) Sure() time.Time { return i.sure }

func (i *inventory) List(_ context.Context, fn func(objstore.Object) error) error {
	for _, o := range i.objects {
		if err := fn(o); err != nil {
			return err
		}
	}
	return nil
}

// TestInventoryAndNewerFolders: an inventory and the folders that may be newer
// give what a listing gives, whatever was written when, and no object twice.
func TestInventoryAndNewerFolders(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := foldersOf(t, hourly, "America/New_York")
		base := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
		minutes := func(name string, from, to int) time.Duration {
			return time.Duration(rapid.IntRange(from, to).Draw(rt, name)) * time.Minute
		}
		late := minutes("late", 0, 600)
		report := &inventory{sure: base.Add(minutes("sure", -3000, 3000))}
		l := &lister{root: objstore.URI{Scheme: "s3", Bucket: "b"}}
		for i := range rapid.IntRange(0, 60).Draw(rt, "objects") {
			at := base.Add(minutes("at", -5000, 5000))
			written := at.Add(minutes("written", 0, int(late/time.Minute)))
			form := rapid.SampledFrom([]string{"year=2006/month=01/day=02/hour=15", "year=2006/month=01/day=02", "year=2006/odd", "odd"}).Draw(rt, "form")
			o := objstore.Object{Key: fmt.Sprintf("pay/%s/pay+0+%d.json", at.In(f.Zone).Format(form), i), Modified: written}
			l.objects = append(l.objects, o)
			if written.Before(report.sure) || rapid.Bool().Draw(rt, "already there") {
				report.objects = append(report.objects, o)
			}
		}
		wanted := archive.Wanted{Folders: f, Lateness: late, Archived: late}
		if rapid.Bool().Draw(rt, "window") {
			from := base.Add(minutes("from", -3000, 3000))
			wanted.Windows = []kafka.Window{{From: kafka.InstantOf(from), To: kafka.InstantOf(from.Add(minutes("length", 1, 3000)))}}
		}
		want, _ := keysIn(t, l, wanted)
		wanted.Inventory = report
		l.asked = nil
		got, listing := keysIn(t, l, wanted)
		if !slices.Equal(got, want) {
			rt.Fatalf("of an inventory sure until %s\n%s\nlisted\n%s", report.sure, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if !listing.AsOf.IsZero() {
			rt.Fatal("the listing is not of now")
		}
	})
}

func TestInventoryAlone(t *testing.T) {
	l := listerOf("pay/partition=0/pay+0+0.json", "pay/partition=0/pay+0+7.json")
	report := &inventory{objects: l.objects[:1], sure: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)}
	keys, listing := keysIn(t, l, archive.Wanted{Inventory: report, Windows: []kafka.Window{window(t, "2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z")}})
	if len(keys) != 1 || listing.AsOf != report.sure || l.asked != nil {
		t.Errorf("%q as of %s, asked %q", keys, listing.AsOf, l.asked)
	}
}
