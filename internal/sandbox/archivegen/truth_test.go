package archivegen

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// everything plants all faults at once.
func everything() Faults {
	f := DefaultFaults()
	f.OffsetGaps, f.DamagedObjects, f.NullTail, f.NoFinalNewline = 5, 2, 4, 4
	f.DuplicateObjects, f.OverlapObjects, f.WindowEdges = 5, 6, 2
	f.LateRecords, f.SupersededVersions = 90, 120
	f.BadValues, f.MalformedJSON, f.Undatable = 2*len(badValues), 2*len(malformations), 2*len(undatables)
	f.BigDigits, f.ExponentSpelling, f.NumberSpelling, f.NullFields, f.ShuffledKeys = 0.2, 0.2, 0.3, 0.2, 0.2
	f.MultiMember = 0.5
	return f
}

// TestTruthAgainstSlowReader reads the archives again with encoding/json and math/big, and expects to find
// what the truth says.
func TestTruthAgainstSlowReader(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Options)
	}{
		{"no faults", func(*Options) {}},
		{"demo mix", func(o *Options) { o.Faults = DefaultFaults(); o.BodyOffsets = true }},
		{"everything, gzip", func(o *Options) { o.Faults = everything() }},
		{"everything, zstd, body offsets", func(o *Options) { o.Faults, o.Codec, o.BodyOffsets = everything(), CodecZstd, true }},
		{"everything, mixed, tiny objects", func(o *Options) {
			o.Faults, o.Codec, o.BodyOffsets, o.EventsPerObject = everything(), CodecMixed, true, 7
		}},
		{"everything, plain, one object", func(o *Options) {
			o.Faults, o.Codec, o.EventsPerObject, o.Partitions = everything(), CodecNone, 100_000, 1
			o.Faults.DamagedObjects = 0
		}},
		{"one event", func(o *Options) { o.Events, o.Faults = 1, everything() }},
		{"no days around", func(o *Options) { o.DaysAround, o.Faults = -1, everything() }},
		{"one day of 23 hours", func(o *Options) {
			o.From, o.To = time.Date(2026, 3, 8, 8, 0, 0, 0, time.UTC), time.Date(2026, 3, 9, 7, 0, 0, 0, time.UTC)
			o.Events, o.Faults = 60, everything()
		}},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			o := march(uint64(i))
			c.change(&o)
			m, truth := generate(t, o)
			compare(t, read(t, m, truth), m, truth)
		})
	}
}

// TestAnyOptions draws options and compares again, on small archives where faults crowd each other.
func TestAnyOptions(t *testing.T) {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		count := func(name string) int { return rapid.IntRange(0, 5).Draw(t, name) }
		share := func(name string) float64 { return rapid.Float64Range(0, 1).Draw(t, name) }
		first := rapid.IntRange(1, 31).Draw(t, "first day")
		o := Options{
			Seed: rapid.Uint64().Draw(t, "seed"), Events: rapid.IntRange(1, 40).Draw(t, "events"), Zone: zone,
			From:       time.Date(2026, 3, first, 0, 0, 0, 0, loc),
			To:         time.Date(2026, 3, first+rapid.IntRange(1, 3).Draw(t, "days"), 0, 0, 0, 0, loc),
			DaysAround: rapid.SampledFrom([]int{-1, 1}).Draw(t, "days around"),
			Partitions: rapid.IntRange(1, 3).Draw(t, "partitions"), EventsPerObject: rapid.IntRange(1, 20).Draw(t, "per object"),
			Codec:       rapid.SampledFrom([]string{CodecNone, CodecGzip, CodecMixed}).Draw(t, "codec"),
			BodyOffsets: rapid.Bool().Draw(t, "body offsets"),
			Faults: Faults{
				DuplicateObjects: count("duplicates"), OverlapObjects: count("overlaps"), OffsetGaps: count("gaps"),
				DamagedObjects: count("damaged"), NullTail: count("null tail"), NoFinalNewline: count("unended"),
				LateRecords: count("late"), FutureRecords: count("future"), WindowEdges: count("edges"),
				SupersededVersions: count("versions"), MalformedJSON: count("malformed"), Tombstones: count("tombstones"),
				Undatable: count("undatable"), BadValues: count("bad"),
				FilteredTypes: share("filtered") / 2, Unicode: share("unicode"), Negative: share("negative"),
				BigDigits: share("big"), NumberSpelling: share("number"), ExponentSpelling: share("exponent"),
				LocalOffsets: share("local"), ExtraKeys: share("extra"), ShuffledKeys: share("shuffled"),
				NullFields: share("null"), MultiMember: share("members"),
			},
		}
		m := newMemory(t)
		truth, err := Generate(context.Background(), o, m)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, read(t, m, truth), m, truth)
	})
}

func compare(t failer, rd reading, m *memory, truth Truth) {
	t.Helper()
	if rd.counts != truth.Dispositions {
		t.Errorf("dispositions\nread  %+v\ntruth %+v", rd.counts, truth.Dispositions)
	}
	if !maps.Equal(rd.filtered, truth.FilteredTypes) {
		t.Errorf("filtered types: read %v, truth %v", rd.filtered, truth.FilteredTypes)
	}
	if !maps.Equal(rd.outOfWindow, truth.OutOfWindowDays) {
		t.Errorf("days out of window: read %v, truth %v", rd.outOfWindow, truth.OutOfWindowDays)
	}
	compareMoney(t, rd, truth)
	comparePlaces(t, rd, m, truth)
}

func compareMoney(t failer, rd reading, truth Truth) {
	t.Helper()
	last := latest(rd.rows)
	if n := int64(len(last)); n != truth.TableRows || truth.Superseded != int64(len(rd.rows))-n {
		t.Errorf("read %d keys in %d rows; truth has %d table rows, %d superseded", n, len(rd.rows), truth.TableRows, truth.Superseded)
	}
	for _, c := range []struct {
		name   string
		byDay  bool
		totals []Total
	}{{"days", true, truth.Days}, {"totals", false, truth.Totals}} {
		before, after := map[[2]string]Money{}, map[[2]string]Money{}
		for _, d := range c.totals {
			before[[2]string{d.Day, d.Currency}] = d.Before
			if d.After.Rows > 0 {
				after[[2]string{d.Day, d.Currency}] = d.After
			}
		}
		if got := totals(rd.rows, c.byDay); !maps.Equal(got, before) {
			t.Errorf("%s before superseding\nread  %v\ntruth %v", c.name, got, before)
		}
		if got := totals(last, c.byDay); !maps.Equal(got, after) {
			t.Errorf("%s after superseding\nread  %v\ntruth %v", c.name, got, after)
		}
	}
}

// comparePlaces checks objects, offsets and the coordinates of the planted records.
func comparePlaces(t failer, rd reading, m *memory, truth Truth) {
	t.Helper()
	if len(truth.Objects) != len(m.objects) {
		t.Errorf("truth lists %d objects, %d were put", len(truth.Objects), len(m.objects))
	}
	var sum Dispositions
	for _, ob := range truth.Objects {
		if n := int64(len(m.objects[ob.Key])); n != ob.Bytes {
			t.Errorf("%s has %d bytes, truth says %d", ob.Key, n, ob.Bytes)
		}
		if ob.Damaged {
			continue
		}
		if rd.records[ob.Key] != ob.Records || ob.Dispositions.RecordsRead != ob.Records {
			t.Errorf("%s has %d records, truth says %d and adds up to %d", ob.Key, rd.records[ob.Key], ob.Records, ob.Dispositions.RecordsRead)
		}
		sum.RecordsRead += ob.Dispositions.RecordsRead
		sum.Rows += ob.Dispositions.Rows
		sum.DuplicateOffset += ob.Dispositions.DuplicateOffset
	}
	if d := truth.Dispositions; sum != (Dispositions{RecordsRead: d.RecordsRead, Rows: d.Rows, DuplicateOffset: d.DuplicateOffset}) {
		t.Errorf("objects add up to %+v, the archive to %+v", sum, d)
	}
	for _, p := range truth.Partitions {
		want := mergeRanges(p.Gaps, p.Damaged)
		if got := missing(rd.offsets[p.Partition], p.FirstOffset, p.LastOffset); !slices.Equal(got, want) {
			t.Errorf("partition %d: offsets missing %v, truth says %v", p.Partition, got, want)
		}
	}
	planted := map[string]map[int64]int64{}
	for key := range rd.lines {
		planted[key] = map[int64]int64{}
	}
	for _, p := range truth.Planted {
		switch p.Kind {
		case MalformedJSON, Tombstone, NullTail, Undatable, BadValue:
			planted[p.Key][p.Row] = p.Offset
		}
	}
	for key, lines := range rd.lines {
		if !maps.Equal(lines, planted[key]) {
			t.Errorf("%s: rows that cannot become rows %v, planted %v", key, lines, planted[key])
		}
	}
}

func TestPlantedCountsMatchTheList(t *testing.T) {
	o := march(3)
	o.Faults = everything()
	_, truth := generate(t, o)
	got := map[FaultKind]int64{}
	for _, p := range truth.Planted {
		if !p.Copy {
			got[p.Kind]++
		}
	}
	if !maps.Equal(got, truth.PlantedCounts) {
		t.Errorf("listed %v, counted %v", got, truth.PlantedCounts)
	}
	f := o.Faults
	want := map[FaultKind]int64{
		DuplicateObject: int64(f.DuplicateObjects), OverlapObject: int64(f.OverlapObjects), OffsetGap: int64(f.OffsetGaps),
		DamagedObject: int64(f.DamagedObjects), NullTail: 1 + 2 + 3 + 1, NoFinalNewline: int64(f.NoFinalNewline),
		LateRecord: int64(f.LateRecords), FutureRecord: int64(f.FutureRecords), WindowEdge: int64(4 * f.WindowEdges),
		Superseding: 90, Stale: 30, MalformedJSON: int64(f.MalformedJSON), Tombstone: int64(f.Tombstones),
		Undatable: int64(f.Undatable), BadValue: int64(f.BadValues),
	}
	if !maps.Equal(got, want) {
		t.Errorf("planted %v, asked for %v", got, want)
	}
}

// TestEachFaultAlone switches one fault on and looks at the rungs of the ladder that it moves.
func TestEachFaultAlone(t *testing.T) {
	base := march(5)
	_, clean := generate(t, base)
	cases := []struct {
		name   string
		faults Faults
		want   func(d Dispositions) Dispositions // of the clean ladder
	}{
		{"malformed", Faults{MalformedJSON: 7}, func(d Dispositions) Dispositions { d.RecordsRead += 7; d.Unreadable = 7; return d }},
		{"tombstones", Faults{Tombstones: 3}, func(d Dispositions) Dispositions { d.RecordsRead += 3; d.Tombstone = 3; return d }},
		{"null tail", Faults{NullTail: 2}, func(d Dispositions) Dispositions { d.RecordsRead += 3; d.Tombstone = 3; return d }},
		{"undatable", Faults{Undatable: 5}, func(d Dispositions) Dispositions { d.RecordsRead += 5; d.Undatable = 5; return d }},
		{"bad values", Faults{BadValues: 40}, func(d Dispositions) Dispositions { d.RecordsRead += 40; d.Rejected = 40; return d }},
		{"future", Faults{FutureRecords: 9}, func(d Dispositions) Dispositions { d.RecordsRead += 9; d.OutOfWindow += 9; return d }},
		{"edges", Faults{WindowEdges: 2}, func(d Dispositions) Dispositions { d.RecordsRead += 8; d.OutOfWindow += 4; d.Rows += 4; return d }},
		{"versions", Faults{SupersededVersions: 50}, func(d Dispositions) Dispositions { d.RecordsRead += 50; d.Rows += 50; return d }},
		{"gaps", Faults{OffsetGaps: 4}, func(d Dispositions) Dispositions { return d }},
		{"no final newline", Faults{NoFinalNewline: 4}, func(d Dispositions) Dispositions { return d }},
		{"multi member", Faults{MultiMember: 1}, func(d Dispositions) Dispositions { return d }},
		{"spelling", Faults{Unicode: 1, Negative: 1, BigDigits: 1, NumberSpelling: 0.5, ExponentSpelling: 1, LocalOffsets: 1,
			ExtraKeys: 1, ShuffledKeys: 1, NullFields: 1}, func(d Dispositions) Dispositions { return d }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := base
			o.Faults = c.faults
			m, truth := generate(t, o)
			if want := c.want(clean.Dispositions); truth.Dispositions != want {
				t.Errorf("got  %+v\nwant %+v", truth.Dispositions, want)
			}
			compare(t, read(t, m, truth), m, truth)
		})
	}
	t.Run("filtered types", func(t *testing.T) {
		o := base
		o.Faults.FilteredTypes = 0.25
		_, truth := generate(t, o)
		if d := truth.Dispositions; d.Rows < 1100 || d.Rows > 1300 || d.Rows+d.Filtered != 1600 {
			t.Errorf("of 1600 events %d are rows and %d filtered: want about 1200 and 400", d.Rows, d.Filtered)
		}
	})
	t.Run("late", func(t *testing.T) {
		o := base
		o.Faults.LateRecords = 30
		_, truth := generate(t, o)
		if d := truth.Dispositions; d.RecordsRead != clean.Dispositions.RecordsRead+30 || d.Rows < clean.Dispositions.Rows+20 {
			t.Errorf("got %+v, clean %+v", d, clean.Dispositions)
		}
	})
}

func TestCleanArchive(t *testing.T) {
	_, truth := generate(t, march(1))
	if d := truth.Dispositions; d.Rows != 1200 || d.RecordsRead != d.Rows+d.OutOfWindow || truth.TableRows != 1200 {
		t.Errorf("a clean archive has the ladder %+v", d)
	}
	if len(truth.Planted)+len(truth.PlantedCounts) != 0 {
		t.Errorf("planted %v", truth.Planted)
	}
}

func TestCopiesAndOverlaps(t *testing.T) {
	o := march(8)
	o.Faults = Faults{DuplicateObjects: 4, OverlapObjects: 5}
	m, truth := generate(t, o)
	contents := map[string][]string{} // partition and offset → contents
	for key, body := range m.objects {
		base, _, _ := strings.Cut(key, ".json")
		content, err := unpack(body)
		if err != nil {
			t.Fatal(err)
		}
		contents[base] = append(contents[base], string(content))
	}
	copies, lies := 0, 0
	for base, c := range contents {
		for _, other := range c[1:] {
			copies++
			if other != c[0] {
				t.Errorf("copies of %s differ", base)
			}
		}
	}
	var repeated int64
	for _, ob := range truth.Objects {
		if !strings.HasSuffix(ob.Key, extension(ob.Codec)) {
			lies++
		}
		repeated += ob.Repeated
	}
	if copies != 4 || lies != 2 || repeated < 5 {
		t.Errorf("%d copies of which %d have a wrong extension, %d repeated records: want 4, 2, at least 5", copies, lies, repeated)
	}
	if d := truth.Dispositions; d.Rows != 1200 || d.DuplicateOffset == 0 {
		t.Errorf("dispositions %+v", d)
	}
}

func TestWriteTruth(t *testing.T) {
	o := march(2)
	o.Events, o.Faults = 500, DefaultFaults()
	_, truth := generate(t, o)
	var b bytes.Buffer
	if err := WriteTruth(&b, truth); err != nil {
		t.Fatal(err)
	}
	var back Truth
	if err := json.Unmarshal(b.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if back.Dispositions != truth.Dispositions || !slices.Equal(back.Days, truth.Days) || !slices.Equal(back.Planted, truth.Planted) {
		t.Error("the truth changed on its way through JSON")
	}
	for _, want := range []string{`"records_read": `, `"gross_amount": "`, `"kind": "window_edge"`, `"day": "2026-03-15"`} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing", want)
		}
	}
}
