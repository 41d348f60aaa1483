package folder_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"backfill/internal/folder"
	"backfill/internal/kafka"
)

func timeOf(t testing.TB, path, zone string) *folder.Time {
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

// span walks the key's folders and tells what is known of the last.
func span(f *folder.Time, dir string) string {
	var at folder.Place
	for name := range strings.SplitSeq(dir, "/") {
		at = f.Path.Enter(at, name)
	}
	s, known := f.Span(at)
	if !known {
		return "unknown"
	}
	text := s.From.String() + " " + s.To.String()
	if f.Path.Below(at) {
		text += " whole"
	}
	return text
}

const hourly = "'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH"

func TestSpans(t *testing.T) {
	tests := []struct{ path, zone, dir, want string }{
		{hourly, "UTC", "pay", "unknown"},
		{hourly, "UTC", "pay/year=2026", "2026-01-01T00:00:00Z 2027-01-01T00:00:00Z"},
		{hourly, "UTC", "pay/year=2026/month=12", "2026-12-01T00:00:00Z 2027-01-01T00:00:00Z"},
		{hourly, "UTC", "pay/year=2026/month=02/day=28", "2026-02-28T00:00:00Z 2026-03-01T00:00:00Z"},
		{hourly, "UTC", "pay/year=2026/month=02/day=28/hour=23", "2026-02-28T23:00:00Z 2026-03-01T00:00:00Z whole"},
		{hourly, "UTC", "pay/year=2026/month=02/day=28/hour=23/deeper", "2026-02-28T23:00:00Z 2026-03-01T00:00:00Z whole"},
		{hourly, "UTC", "pay/year=2026/month=02/day=29", "unknown"}, // there is none
		{hourly, "UTC", "pay/year=2026/month=13", "unknown"},
		{hourly, "UTC", "pay/year=2026/other", "unknown"},
		{hourly, "UTC", "pay/year=2026/other/month=01", "unknown"},
		{hourly, "UTC", "pay/year=26", "unknown"},
		// New York sets its clocks back at 06:00 UTC: hour 01 is two hours long.
		{hourly, "America/New_York", "pay/year=2026/month=11/day=01/hour=01", "2026-11-01T05:00:00Z 2026-11-01T07:00:00Z whole"},
		{hourly, "America/New_York", "pay/year=2026/month=11/day=01/hour=00", "2026-11-01T04:00:00Z 2026-11-01T05:00:00Z whole"},
		{hourly, "America/New_York", "pay/year=2026/month=11/day=01/hour=02", "2026-11-01T07:00:00Z 2026-11-01T08:00:00Z whole"},
		{hourly, "America/New_York", "pay/year=2026/month=11/day=01", "2026-11-01T04:00:00Z 2026-11-02T05:00:00Z"},
		// And forward at 07:00 UTC: hour 02 never is.
		{hourly, "America/New_York", "pay/year=2026/month=03/day=08/hour=02", "unknown"},
		{hourly, "America/New_York", "pay/year=2026/month=03/day=08/hour=03", "2026-03-08T07:00:00Z 2026-03-08T08:00:00Z whole"},
		{hourly, "America/New_York", "pay/year=2026/month=03/day=08", "2026-03-08T05:00:00Z 2026-03-09T04:00:00Z"},
		{hourly, "Asia/Kathmandu", "pay/year=2026/month=03/day=08/hour=00", "2026-03-07T18:15:00Z 2026-03-07T19:15:00Z whole"},
		// Bare numbers: one alone may be something else.
		{"yyyy/MM/dd/HH", "UTC", "2026", "unknown"},
		{"yyyy/MM/dd/HH", "UTC", "2026/03", "2026-03-01T00:00:00Z 2026-04-01T00:00:00Z"},
		{"yyyy/MM/dd/HH", "UTC", "logs/2026/03/05/17", "2026-03-05T17:00:00Z 2026-03-05T18:00:00Z whole"},
		{"yyyy/MM/dd/HH", "UTC", "2026/3", "unknown"},
		{"yyyy/M/d/H", "UTC", "2026/3/5/7", "2026-03-05T07:00:00Z 2026-03-05T08:00:00Z whole"},
		{"'dt='yyyy-MM-dd/'hr='HH", "UTC", "dt=2026-03-05", "2026-03-05T00:00:00Z 2026-03-06T00:00:00Z"},
		{"'dt='yyyyMMdd", "UTC", "dt=20260305", "2026-03-05T00:00:00Z 2026-03-06T00:00:00Z whole"},
		{"'dt='yyyyMMdd", "UTC", "dt=20260305x", "unknown"},
		{"'o''clock='yyyy", "UTC", "o'clock=2026", "2026-01-01T00:00:00Z 2027-01-01T00:00:00Z whole"},
		{"/'a'/yyyy/", "UTC", "a/2026", "2026-01-01T00:00:00Z 2027-01-01T00:00:00Z whole"},
		{"dd-MM-yyyy/HH:mm", "UTC", "05-03-2026/17:30", "2026-03-05T17:30:00Z 2026-03-05T17:31:00Z whole"},
	}
	for _, test := range tests {
		if got := span(timeOf(t, test.path, test.zone), test.dir); got != test.want {
			t.Errorf("%s in %s, %s: %s, want %s", test.path, test.zone, test.dir, got, test.want)
		}
	}
}

// A folder may stand for longer than its finest unit: partition.duration.ms.
func TestDuration(t *testing.T) {
	f := timeOf(t, "yyyy/MM/dd/HH", "UTC")
	f.Duration = 6 * time.Hour
	if got := span(f, "2026/03/05/18"); got != "2026-03-05T18:00:00Z 2026-03-06T00:00:00Z whole" {
		t.Error(got)
	}
	if got := span(f, "2026/03/05"); got != "2026-03-05T00:00:00Z 2026-03-06T06:00:00Z" {
		t.Error(got)
	}
	if f.Granule() != 6*time.Hour || timeOf(t, "yyyy/MM/dd/HH/mm", "UTC").Granule() != 15*time.Minute || timeOf(t, "yyyy", "UTC").Granule() < 366*24*time.Hour {
		t.Error("granules are wrong")
	}
}

func TestPathsThatCantBeRead(t *testing.T) {
	for path, want := range map[string]string{
		"":                         "empty folder",
		"yyyy//MM":                 "empty folder",
		"MM/dd":                    "no year",
		"yyyy/dd":                  "skips a unit",
		"yyyy/MM/dd/mm":            "skips a unit",
		"yyyy/MM/dd/hh":            "mornings and evenings",
		"yyyy/MM/DD":               "day of the year",
		"xxxx/ww":                  "year of weeks",
		"yyyy/ww":                  "week of the year",
		"yyyy/MMM":                 "MMM can't be read",
		"yy/MM":                    "yy can't be read",
		"year=yyyy":                "single quotes",
		"'year=yyyy":               "not closed",
		"yyyy/MM/yyyy":             "twice",
		"yyyyM":                    "without anything between",
		"'year'=YYYY/'month'=MM/E": "E is no unit",
	} {
		if _, err := folder.Parse(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", path, err, want)
		}
	}
}

// TestEveryInstantLiesInItsFolder walks to the folder that an archiver gives a
// record, whatever zone and clock change.
func TestEveryInstantLiesInItsFolder(t *testing.T) {
	zones := []string{"UTC", "America/New_York", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "Antarctica/Troll", "Africa/Casablanca"}
	forms := map[string]string{hourly: "year=2006/month=01/day=02/hour=15", "'dt='yyyy-MM-dd": "dt=2006-01-02", "yyyy/MM/dd/HH/mm": "2006/01/02/15/04"}
	rapid.Check(t, func(rt *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(rt, "zone")
		path := rapid.SampledFrom([]string{hourly, "'dt='yyyy-MM-dd", "yyyy/MM/dd/HH/mm"}).Draw(rt, "path")
		f := timeOf(t, path, zone)
		at := time.UnixMicro(rapid.Int64Range(1e15, 2e15).Draw(rt, "micros"))
		var place folder.Place
		for name := range strings.SplitSeq("topic/"+at.In(f.Zone).Format(forms[path]), "/") {
			place = f.Path.Enter(place, name)
			if s, known := f.Span(place); known && !s.Contains(kafka.InstantOf(at)) {
				rt.Fatalf("%s in %s: folder %s stands for %s", at.UTC(), zone, name, s)
			}
		}
		s, known := f.Span(place)
		if !known || time.Duration(s.To-s.From)*time.Microsecond > 26*time.Hour {
			rt.Fatalf("%s in %s: %s, %v", at.UTC(), zone, s, known)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, path := range []string{hourly, "yyyy/M/d/H", "'dt='yyyy-MM-dd", "'", "''''yyyy", "yyyy'/'MM"} {
		f.Add(path, "2026/03/05")
	}
	f.Fuzz(func(t *testing.T, path, dir string) {
		p, err := folder.Parse(path)
		if err != nil {
			return
		}
		f2 := &folder.Time{Path: p, Zone: time.UTC}
		var at folder.Place
		for name := range strings.SplitSeq(dir, "/") {
			at = p.Enter(at, name)
			if s, known := f2.Span(at); known && s.From >= s.To {
				t.Errorf("%q: %q stands for %s", path, dir, s)
			}
		}
	})
}
