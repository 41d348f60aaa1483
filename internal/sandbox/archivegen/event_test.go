package archivegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestMoneyIsSpelledExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-largestAmount, largestAmount).Draw(t, "hundredths")
		if small := rapid.Int64Range(0, 19).Draw(t, "digits"); small < 18 {
			n %= new(big.Int).Exp(big.NewInt(10), big.NewInt(small+1), nil).Int64()
		}
		e := event{style: rapid.Uint64().Draw(t, "style")}
		e.traits = rapid.SampledFrom([]trait{0, traitNumber, traitExponent, traitNumber | traitExponent}).Draw(t, "traits")
		var v any
		dec := json.NewDecoder(bytes.NewReader(appendMoney(nil, &e, n)))
		dec.UseNumber()
		if err := dec.Decode(&v); err != nil {
			t.Fatal(err)
		}
		got, ok := new(big.Rat).SetString(fmt.Sprint(v))
		if !ok || got.Cmp(big.NewRat(n, 100)) != 0 {
			t.Fatalf("%d hundredths are written %v", n, v)
		}
	})
}

func TestSpellings(t *testing.T) {
	cases := []struct {
		e    event
		n    int64
		want string
	}{
		{event{}, 123450, `"1234.50"`},
		{event{}, -5, `"-0.05"`},
		{event{}, largestAmount, `"9999999999999999.99"`},
		{event{negativeZero: true}, 0, `"-0.00"`},
		{event{traits: traitNumber}, 123450, `1234.50`},
		{event{traits: traitExponent}, 123450, `"1.2345e3"`},
		{event{traits: traitExponent, style: 1 << 50}, 123450, `"1.2345E+3"`},
		{event{traits: traitExponent | traitNumber}, -7, `-7e-2`},
	}
	for _, c := range cases {
		if got := string(appendMoney(nil, &c.e, c.n)); got != c.want {
			t.Errorf("%d: got %s, want %s", c.n, got, c.want)
		}
	}
}

func TestTimesAgreeWithThePackageTime(t *testing.T) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{cal: &calendar{loc: loc}, dateDay: -1 << 62}
	rapid.Check(t, func(t *rapid.T) {
		micros := rapid.Int64Range(-2_000_000_000_000_000, 253_402_300_799_999_999).Draw(t, "micros")
		at := time.UnixMicro(micros).UTC()
		if got, want := string(w.appendTime(nil, micros, false)), at.Format(`"2006-01-02T15:04:05.000000Z"`); got != want {
			t.Fatalf("UTC: got %s, want %s", got, want)
		}
		if at.Year() < 2000 || at.Year() > 2100 {
			return
		}
		if got, want := string(w.appendTime(nil, micros, true)), at.In(loc).Format(`"2006-01-02T15:04:05.000000-07:00"`); got != want {
			t.Fatalf("local: got %s, want %s", got, want)
		}
	})
}

func TestWideSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		amounts := rapid.SliceOfN(rapid.Int64Range(-largestAmount, largestAmount), 0, 60).Draw(t, "amounts")
		var got, other money
		want := new(big.Int)
		for i, n := range amounts {
			e := event{gross: n}
			if got.add(&e); i%2 == 0 {
				other.add(&e)
				continue
			}
			want.Add(want, big.NewInt(n))
		}
		left := got.less(other)
		if text := new(big.Rat).SetFrac(want, big.NewInt(100)).FloatString(2); left.gross.decimal() != text {
			t.Fatalf("got %s, want %s", left.gross.decimal(), text)
		}
		if int(left.rows) != len(amounts)/2 {
			t.Fatalf("%d rows left of %d", left.rows, len(amounts))
		}
	})
}

// TestEventsLookAsMeant looks at the lines of an archive as a person would.
func TestEventsLookAsMeant(t *testing.T) {
	o := march(4)
	o.Events = 3000
	o.Codec, o.BodyOffsets = CodecNone, true
	o.Faults = DefaultFaults()
	m, _ := generate(t, o)
	var lines, size int
	seen := map[string]int{}
	for _, body := range m.objects {
		for line := range strings.Lines(string(body)) {
			lines++
			size += len(line)
			for _, mark := range []string{
				`"payment.settled"`, `"payment.reversed"`, `"payroll.previewed"`, `"profile.viewed"`, `"payment.scheduled"`,
				`"gross_amount":"-`, `-07:00"`, `\ud83d`, `美咲`, `"trace_id"`, `"pay_run_id":null`, `"tax_amount":null`,
				`"bank_account":null`, `"details":null`, `{"_kafka"`, `"_kafka"`, `"currency":"USD"`, `"currency":"JPY"`,
			} {
				if strings.Contains(line, mark) {
					seen[mark]++
				}
			}
		}
	}
	if average := (size - blobBytes) / lines; average < 450 || average > 700 {
		t.Errorf("an event has %d bytes on average", average)
	}
	if len(seen) != 18 {
		t.Errorf("seen only %v", seen)
	}
	if n := seen[`"payment.reversed"`]; n < lines/20 || n > lines/8 {
		t.Errorf("%d of %d events are reversals", n, lines)
	}
}

func TestVolumeFollowsTheCalendar(t *testing.T) {
	_, truth := generate(t, march(1))
	rows := map[string]int64{}
	for _, d := range truth.Days {
		rows[d.Day] += d.Before.Rows
	}
	if len(rows) != 31 {
		t.Errorf("%d days have rows", len(rows))
	}
	workday, weekend := rows["2026-03-10"], rows["2026-03-14"]
	for _, payday := range []string{"2026-03-15", "2026-03-31"} {
		if rows[payday] < 8*workday {
			t.Errorf("%s has %d rows, a working day %d", payday, rows[payday], workday)
		}
	}
	if weekend*5 > workday {
		t.Errorf("a Saturday has %d rows, a working day %d", weekend, workday)
	}
}

func TestInstantsIncreaseAndStayInTheirDay(t *testing.T) {
	c, err := newCalendar(march(1).withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.days {
		d := &c.days[i]
		const n = 1000
		var all []int64
		for k := range int64(n) {
			all = append(all, c.instant(d, k, n, 0), c.instant(d, k, n, 1<<32-1))
		}
		if !slices.IsSorted(all) || all[0] != d.start || all[len(all)-1] >= d.end || all[len(all)-1] < d.end-dayMicros/24 {
			t.Errorf("%s: instants from %d to %d in [%d, %d)", d.name, all[0], all[len(all)-1], d.start, d.end)
		}
	}
}

func TestDaysOfTheCalendar(t *testing.T) {
	cases := []struct {
		zone, from, to string
		hours          []int64 // of the days of the window
	}{
		{"America/Los_Angeles", "2026-03-07", "2026-03-10", []int64{24, 23, 24}},
		{"America/Los_Angeles", "2026-10-31", "2026-11-03", []int64{24, 25, 24}},
		{"UTC", "2024-02-28", "2024-03-01", []int64{24, 24}},
		{"America/Santiago", "2025-09-06", "2025-09-09", []int64{24, 23, 24}}, // midnight is skipped
		{"America/Havana", "2025-11-01", "2025-11-04", []int64{24, 25, 24}},   // midnight is repeated
	}
	for _, c := range cases {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		instant := func(date string) time.Time {
			d, err := time.Parse(time.DateOnly, date)
			if err != nil {
				t.Fatal(err)
			}
			return startOfDay(d.Year(), d.Month(), d.Day(), loc)
		}
		o := Options{Zone: c.zone, From: instant(c.from), To: instant(c.to)}
		cal, err := newCalendar(o.withDefaults())
		if err != nil {
			t.Errorf("%s: %v", c.zone, err)
			continue
		}
		var hours []int64
		for _, d := range cal.days[cal.from:cal.to] {
			hours = append(hours, (d.end-d.start)/hourMicros)
		}
		if !slices.Equal(hours, c.hours) || len(cal.days) != len(hours)+6 || cal.days[cal.from].name != c.from {
			t.Errorf("%s from %s: hours %v of %d days, want %v", c.zone, c.from, hours, len(cal.days), c.hours)
		}
	}
}
