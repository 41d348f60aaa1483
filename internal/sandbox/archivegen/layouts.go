package archivegen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/aiven"
	"backfill/internal/sandbox/archiver/camel"
	"backfill/internal/sandbox/archiver/confluent"
	"backfill/internal/sandbox/archiver/firehose"
	"backfill/internal/sandbox/archiver/fluent"
	"backfill/internal/sandbox/archiver/lenses"
	"backfill/internal/sandbox/archiver/logstash"
	"backfill/internal/sandbox/archiver/msk"
	"backfill/internal/sandbox/archiver/redpanda"
	"backfill/internal/sandbox/archiver/secor"
	"backfill/internal/sandbox/archiver/vector"
	"backfill/internal/sandbox/archiver/wix"
)

// maxLayoutEvents bounds what a layout other than the default one writes: it holds the log of a partition,
// about 2 KiB a record.
const maxLayoutEvents = 2_000_000

// Layouts returns the layouts that Options.Layout can name, in the order of help.
func Layouts() []archiver.Layout {
	return slices.Concat(
		confluent.Layouts(), lenses.Layouts(), aiven.Layouts(), firehose.Layouts(), msk.Layouts(), secor.Layouts(), wix.Layouts(),
		vector.Layouts(), fluent.Layouts(), logstash.Layouts(), redpanda.Layouts(), camel.Layouts(),
	)
}

// LayoutNames returns the names of Layouts.
func LayoutNames() []string {
	var names []string
	for _, l := range Layouts() {
		names = append(names, l.Name)
	}
	return names
}

// Impossible returns the faults that the layout of o can't show, by their names in the JSON of Faults, and
// why not. The default layout shows all. It fails on a layout or on settings that there are not.
func Impossible(o Options) (map[string]string, error) {
	_, s, err := o.withDefaults().facts()
	return s.facts.Cannot, err
}

// Root returns the folder of the keys of o, without a slash at its end; "" is the bucket itself.
func Root(o Options) (string, error) {
	root, _, err := o.withDefaults().facts()
	return root, err
}

// open returns the archiver of o, defaults applied. Options.Layout must be set.
func (o Options) open() (archiver.Archiver, error) {
	all := Layouts()
	i := slices.IndexFunc(all, func(l archiver.Layout) bool { return l.Name == o.Layout })
	if i < 0 {
		return nil, fmt.Errorf("there is no layout %q; there are %s", o.Layout, strings.Join(LayoutNames(), ", "))
	}
	settings := maps.Clone(all[i].Settings)
	for _, name := range slices.Sorted(maps.Keys(o.Settings)) {
		if _, ok := settings[name]; !ok {
			return nil, fmt.Errorf("layout %s has no setting %q; it has %s", o.Layout, name,
				strings.Join(slices.Sorted(maps.Keys(settings)), ", "))
		}
		settings[name] = o.Settings[name]
	}
	a, err := all[i].Open(archiver.Config{
		Topic: o.Topic, Prefix: o.Prefix, Zone: o.Zone, Size: o.EventsPerObject, Codec: o.Codec,
		BodyOffsets: o.BodyOffsets, Seed: o.Seed, Settings: settings,
	})
	if err != nil {
		return nil, fmt.Errorf("layout %s: %w", o.Layout, err)
	}
	return a, nil
}

// leftOut returns the kinds of records and gaps that stay out of the log. It refuses faults that are asked
// for, cannot be planted, and are not left out.
func (o Options) leftOut(cannot map[string]string) (map[FaultKind]bool, error) {
	asked := make(map[string]bool)
	for name, on := range o.Faults.asked() {
		asked[name] = on
	}
	out := make(map[FaultKind]bool)
	for _, name := range o.LeaveOut {
		if _, ok := asked[name]; !ok {
			return nil, fmt.Errorf("there is no fault %q to leave out", name)
		}
		out[kindsByName[name]] = true
	}
	var wrong []string
	for _, name := range slices.Sorted(maps.Keys(cannot)) {
		if asked[name] && !slices.Contains(o.LeaveOut, name) {
			wrong = append(wrong, fmt.Sprintf("layout %s cannot show %s: %s", o.Layout, name, cannot[name]))
		}
	}
	if len(wrong) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(wrong, "; "))
	}
	return out, nil
}

// kindsByName are the faults that are records, or missing ones, by their names in the JSON of Faults.
var kindsByName = map[string]FaultKind{
	"offset_gaps": OffsetGap, "null_tail": NullTail, "late_records": LateRecord, "future_records": FutureRecord,
	"window_edges": WindowEdge, "malformed_json": MalformedJSON, "tombstones": Tombstone, "undatable": Undatable,
	"bad_values": BadValue, "deletes": Deleted,
}

// asked says of every fault, by its name in JSON, whether any is asked for.
func (f Faults) asked() map[string]bool {
	asked := make(map[string]bool)
	for _, c := range f.counts() {
		asked[jsonName(c.name)] = c.n > 0
	}
	for _, s := range f.shares() {
		asked[jsonName(s.name)] = s.share > 0
	}
	return asked
}

func jsonName(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "_") }
