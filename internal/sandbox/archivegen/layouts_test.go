package archivegen

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// fall is a small archive of the days around the end of daylight saving time in New York.
func fall(layout string) Options {
	o := march(5)
	o.Zone, o.Layout = "America/New_York", layout
	o.From, o.To = midnightOf("2026-10-30", o.Zone), midnightOf("2026-11-03", o.Zone)
	o.DaysAround, o.Events, o.Partitions, o.EventsPerObject = 1, 300, 2, 40
	o.Faults = DefaultFaults()
	o.Faults.SupersededVersions = 12
	return o
}

// lenient leaves out what the layout can't show.
func lenient(t testing.TB, o Options) Options {
	t.Helper()
	cannot, err := Impossible(o)
	if err != nil {
		t.Fatal(err)
	}
	o.LeaveOut = slices.Sorted(maps.Keys(cannot))
	return o
}

func afterwards(t Truth) (after []Total) {
	for _, total := range slices.Concat(t.Totals, t.Days) {
		total.Before = Money{}
		after = append(after, total)
	}
	return after
}

// TestEveryLayoutHoldsTheSameEvents compares what every layout's archive must come to with that of the default one.
func TestEveryLayoutHoldsTheSameEvents(t *testing.T) {
	_, want := generate(t, fall(""))
	for _, l := range Layouts() {
		t.Run(l.Name, func(t *testing.T) {
			m, got := generate(t, lenient(t, fall(l.Name)))
			if got.TableRows != want.TableRows || !reflect.DeepEqual(afterwards(got), afterwards(want)) {
				t.Errorf("%d rows of the table, want %d; totals %v, want %v", got.TableRows, want.TableRows, afterwards(got), afterwards(want))
			}
			if len(m.objects) != len(got.Objects) {
				t.Errorf("%d objects, the truth lists %d", len(m.objects), len(got.Objects))
			}
			t.Logf("%d objects, %v", len(m.objects), got.PlantedCounts)
		})
	}
}

func TestUnknownLayout(t *testing.T) {
	_, err := Generate(t.Context(), fall("kafka-dump"), counting{})
	if err == nil || !strings.HasPrefix(err.Error(), `reading the options: there is no layout "kafka-dump"; there are confluent-json, `) {
		t.Errorf("got %v", err)
	}
}

// TestDamagedObjectsOfLayouts reads objects cut in half, and expects the truth to leave their records out.
func TestDamagedObjectsOfLayouts(t *testing.T) {
	for _, name := range []string{"confluent-json", "confluent-avro", "confluent-parquet"} {
		o := fall(name)
		o.Faults = Faults{DamagedObjects: 1}
		m, truth := generate(t, o)
		var read, damaged int64
		for _, ob := range truth.Objects {
			if !ob.Damaged {
				read += ob.Records
				continue
			}
			damaged++
			_, err := unpack(m.objects[ob.Key])
			switch name {
			case "confluent-avro":
				_, err = readAvro(m.objects[ob.Key])
			case "confluent-parquet":
				_, err = readParquet(m.objects[ob.Key])
			}
			if err == nil {
				t.Errorf("%s reads well", ob.Key)
			}
		}
		if damaged != 1 || truth.PlantedCounts[DamagedObject] != 1 || truth.Dispositions.RecordsRead != read {
			t.Errorf("%s: %d damaged, %d records read, want %d", name, damaged, truth.Dispositions.RecordsRead, read)
		}
	}
	o := fall("confluent-json")
	o.Faults, o.Codec = Faults{DamagedObjects: 1}, CodecNone
	if _, err := Generate(t.Context(), o, counting{}); err == nil || !strings.Contains(err.Error(), "cannot show damaged_objects: half of an uncompressed object reads well") {
		t.Errorf("got %v", err)
	}
}
