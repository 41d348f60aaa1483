package kafka_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"

	"backfill/internal/kafka"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func instant(t testing.TB, text string) kafka.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return kafka.InstantOf(at)
}

func day(t testing.TB, text string) (d kafka.Day) {
	t.Helper()
	if err := d.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return d
}

// TestDays shows where days begin and how long they are where clocks change.
func TestDays(t *testing.T) {
	cases := []struct {
		zone, day, start string
		hours            float64
	}{
		{"UTC", "2024-02-29", "2024-02-29T00:00:00Z", 24},
		{"UTC", "1969-12-31", "1969-12-31T00:00:00Z", 24},
		{"America/Los_Angeles", "2024-03-10", "2024-03-10T08:00:00Z", 23},
		{"America/Los_Angeles", "2024-11-03", "2024-11-03T07:00:00Z", 25},
		{"Europe/Berlin", "2024-03-31", "2024-03-30T23:00:00Z", 23},
		{"Europe/Berlin", "2024-10-27", "2024-10-26T22:00:00Z", 25},
		{"Asia/Kathmandu", "2024-01-01", "2023-12-31T18:15:00Z", 24},
		{"Australia/Lord_Howe", "2024-10-06", "2024-10-05T13:30:00Z", 23.5},
		{"America/Sao_Paulo", "2018-11-04", "2018-11-04T03:00:00Z", 23}, // midnight is skipped: the day begins at 01:00
		{"America/Sao_Paulo", "2018-11-03", "2018-11-03T03:00:00Z", 24},
		{"America/Sao_Paulo", "2018-02-17", "2018-02-17T02:00:00Z", 25}, // 23:00 to 24:00 comes twice
		{"America/Sao_Paulo", "2018-02-18", "2018-02-18T03:00:00Z", 24},
		{"America/Havana", "2018-03-11", "2018-03-11T05:00:00Z", 23}, // midnight is skipped
		{"America/Havana", "2018-11-04", "2018-11-04T04:00:00Z", 25}, // midnight comes twice: the first one
		{"Asia/Beirut", "2022-03-27", "2022-03-26T22:00:00Z", 23},
		{"America/St_Johns", "2010-11-07", "2010-11-07T02:30:00Z", 25}, // left again at 00:01 for the day before
		{"America/St_Johns", "2010-11-06", "2010-11-06T02:30:00Z", 24},
		{"Pacific/Apia", "2011-12-29", "2011-12-29T10:00:00Z", 24},
		{"Pacific/Apia", "2011-12-30", "2011-12-30T10:00:00Z", 0}, // never was
		{"Pacific/Apia", "2011-12-31", "2011-12-30T10:00:00Z", 24},
		{"Asia/Manila", "1844-12-30", "1844-12-30T15:56:08Z", 24}, // the last day with 16 hours behind
	}
	for _, c := range cases {
		t.Run(c.zone+" "+c.day, func(t *testing.T) {
			cal := kafka.NewCalendar(zone(t, c.zone))
			d := day(t, c.day)
			start, end := cal.Start(d), cal.Start(d+1)
			if start != instant(t, c.start) {
				t.Errorf("starts at %s, want %s", start, c.start)
			}
			if got := time.Duration(end-start) * time.Microsecond; c.zone != "Asia/Manila" && got.Hours() != c.hours {
				t.Errorf("takes %s, want %v hours", got, c.hours)
			}
			if c.hours == 0 {
				return
			}
			for i, want := range map[kafka.Instant]kafka.Day{start: d, end - 1: d, start + (end-start)/2: d} {
				if got := cal.DayOf(i); got != want {
					t.Errorf("%s lies in %s, want %s", i, got, want)
				}
			}
			if got := cal.DayOf(start - 1); got >= d {
				t.Errorf("the instant before the start lies in %s", got)
			}
		})
	}
}

// TestDaysPartitionTime checks that days follow each other without gap or
// overlap, and that they agree with the date on the wall.
func TestDaysPartitionTime(t *testing.T) {
	zones := []string{
		"UTC", "America/Los_Angeles", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "America/Scoresbysund", "Asia/Beirut",
		"Asia/Tehran", "Africa/Casablanca", "Pacific/Apia", "Pacific/Kwajalein", "Antarctica/Troll", "Australia/Lord_Howe",
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(zones).Draw(t, "zone")
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		cal, fresh := kafka.NewCalendar(z), kafka.NewCalendar(z)
		base := rapid.Int64Range(-2e15, 4e15).Draw(t, "micros") // 1906 to 2096
		for range 4 {
			i := kafka.Instant(base + rapid.Int64Range(-90e9, 90e9).Draw(t, "step"))
			d := cal.DayOf(i)
			if again := fresh.DayOf(i); again != d {
				t.Fatalf("%s: %s, from a fresh calendar %s", i, d, again)
			}
			fresh = kafka.NewCalendar(z)
			if i < cal.Start(d) || i >= cal.Start(d+1) {
				t.Fatalf("%s in %s: %s reaches from %s to %s", i, name, d, cal.Start(d), cal.Start(d+1))
			}
			wall := i.Time().In(z).Format(time.DateOnly)
			if wall != d.String() && name != "America/St_Johns" && name != "America/Scoresbysund" {
				t.Fatalf("%s in %s: day %s, the wall shows %s", i, name, d, wall)
			}
			if wall > d.String() {
				t.Fatalf("%s in %s: day %s, the wall already shows %s", i, name, d, wall)
			}
		}
	})
}

func TestDaysOfWindow(t *testing.T) {
	cases := []struct {
		name, zone, from, to string
		want                 string
	}{
		{"one day", "UTC", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z", "2024-02-29"},
		{"parts of two days", "UTC", "2024-02-29T23:59:59.999999Z", "2024-03-01T00:00:00.000001Z", "2024-02-29 2024-03-01"},
		{"a 25-hour day is one", "America/Los_Angeles", "2024-11-03T07:00:00Z", "2024-11-04T08:00:00Z", "2024-11-03"},
		{"its last hour", "America/Los_Angeles", "2024-11-04T07:30:00Z", "2024-11-04T08:00:00Z", "2024-11-03"},
		{"over a skipped midnight", "America/Sao_Paulo", "2018-11-04T02:59:59Z", "2018-11-04T03:00:01Z", "2018-11-03 2018-11-04"},
		{"over a date that never was", "Pacific/Apia", "2011-12-29T10:00:00Z", "2011-12-31T10:00:00Z", "2011-12-29 2011-12-31"},
		{"empty", "UTC", "2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z", ""},
		{"reversed", "UTC", "2024-02-29T12:00:00Z", "2024-02-28T12:00:00Z", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range kafka.NewCalendar(zone(t, c.zone)).Days(kafka.Window{From: instant(t, c.from), To: instant(t, c.to)}) {
				got = append(got, d.String())
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%q, want %q", s, c.want)
			}
		})
	}
	if days := kafka.NewCalendar(time.UTC).Days(kafka.Window{}); days != nil {
		t.Errorf("all time has days: %v", days)
	}
}

func TestDayText(t *testing.T) {
	for _, text := range []string{"2024-02-29", "1970-01-01", "0001-01-01", "0000-12-31", "9999-12-31", "10000-01-01", "-0001-03-01", "all"} {
		d := day(t, text)
		if d.String() != text {
			t.Errorf("%s comes back as %s", text, d)
		}
	}
	for _, text := range []string{"", "2024", "2024-2-29", "2023-02-29", "2024-13-01", "02024-01-01", "+2024-01-01", "2024-01-01T00", "99999999-01-01", "-", "--01-01"} {
		var d kafka.Day
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q was read as %s", text, d)
		} else if !strings.Contains(err.Error(), "YYYY-MM-DD") {
			t.Errorf("%q: %v", text, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := map[kafka.Day]int64{kafka.Day(rapid.Int32().Draw(t, "day")): 1}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := map[kafka.Day]int64{}
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		for d := range want {
			if got[d] != 1 {
				t.Fatalf("%d comes back from %s as %v", d, text, got)
			}
		}
	})
}

func TestWindow(t *testing.T) {
	w := kafka.Window{From: 100, To: 200}
	for i, want := range map[kafka.Instant]bool{99: false, 100: true, 199: true, 200: false} {
		if w.Contains(i) != want {
			t.Errorf("contains %d: %v", i, !want)
		}
		if !(kafka.Window{}).Contains(i) {
			t.Errorf("all time does not contain %d", i)
		}
	}
	for other, want := range map[kafka.Window]bool{
		{From: 0, To: 100}: false, {From: 0, To: 101}: true, {From: 199, To: 300}: true, {From: 200, To: 300}: false, {From: 120, To: 130}: true, {}: true,
	} {
		if w.Overlaps(other) != want || other.Overlaps(w) != want {
			t.Errorf("%s overlaps %s: %v", w, other, !want)
		}
	}
	text, err := json.Marshal(w)
	if err != nil || string(text) != `{"from":100,"to":200}` {
		t.Errorf("%s, %v", text, err)
	}
	if got := w.String(); got != "[1970-01-01T00:00:00.0001Z, 1970-01-01T00:00:00.0002Z)" {
		t.Error(got)
	}
	if got := (kafka.Window{}).String(); got != "all time" {
		t.Error(got)
	}
}

func TestInstantRoundsDown(t *testing.T) {
	if got := kafka.InstantOf(time.Unix(0, -1)); got != -1 {
		t.Errorf("a nanosecond before 1970 is %d, want -1", got)
	}
	if got := kafka.InstantOf(time.Unix(0, 1999)); got != 1 {
		t.Errorf("1999 ns is %d, want 1", got)
	}
}

func TestTopicPartitionOrder(t *testing.T) {
	a, b, c := kafka.TopicPartition{Topic: "a", Partition: 10}, kafka.TopicPartition{Topic: "b", Partition: 2}, kafka.TopicPartition{Topic: "b", Partition: 10}
	if !a.Less(b) || !b.Less(c) || c.Less(b) || a.Less(a) {
		t.Error("not ordered by topic, then partition number")
	}
	if c.String() != "b/10" {
		t.Error(c.String())
	}
}
