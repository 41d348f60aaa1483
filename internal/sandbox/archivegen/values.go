package archivegen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
	"backfill/internal/sandbox/producer"
)

// ValuesPlain names the values that are the events themselves.
const ValuesPlain = "plain"

// ValueShapes returns the shapes that Options.Values can name beside ValuesPlain, in the order of help.
func ValueShapes() []producer.Shape { return producer.Shapes() }

// shaped are an archiver and a producer that go together. The producer is nil for plain values.
type shaped struct {
	archiver archiver.Archiver
	producer producer.Producer
	facts    archiver.Facts // what the archive cannot show is what either of them can't
	values   producer.Facts
}

func (o Options) plainValues() bool { return o.Values == "" || o.Values == ValuesPlain }

// openShaped opens the layout and the values of o, defaults applied, and refuses what does not go together.
func (o Options) openShaped() (s shaped, err error) {
	if o.plainValues() {
		if len(o.ValueSettings) > 0 {
			return s, fmt.Errorf("plain values have no settings")
		}
		if s.archiver, err = o.open(); err == nil {
			s.facts = s.archiver.Facts()
			s.facts.Cannot = batch.Cannot(s.facts.Cannot)
			s.forbidDeletes(ValuesPlain)
		}
		return s, err
	}
	if s.producer, err = producer.Open(o.Values, o.ValueSettings, producer.Config{Topic: o.Topic, Seed: o.Seed}); err != nil {
		return s, err
	}
	s.values = s.producer.Facts()
	if s.archiver, err = o.separated(s.values.Bytes).open(); err != nil {
		return s, err
	}
	s.facts = s.archiver.Facts()
	if why := o.misfit(s.facts, s.values); why != "" {
		return s, fmt.Errorf("layout %s does not go with values %s: %s", o.Layout, o.Values, why)
	}
	s.facts.Cannot = batch.Cannot(s.facts.Cannot, s.values.Cannot)
	s.forbidDeletes(o.Values)
	return s, nil
}

// forbidDeletes says where deletions can't be planted.
func (s *shaped) forbidDeletes(values string) {
	if s.values.Position == "" {
		s.facts.Cannot["deletes"] = "values " + values + " tell no deletion"
	}
}

// position is the path to the source's position of a change. A deletion has the version of what it deletes, so that only
// the position tells which is newer.
func (s shaped) position() string {
	path := "envelope."
	if slices.ContainsFunc(s.facts.Archive, func(line string) bool { return strings.HasPrefix(line, "join:") }) {
		path += "value."
	}
	for _, layer := range s.layers() {
		switch layer {
		case "debezium":
			return path + s.values.Position
		case "connect":
			path += "payload."
		default:
			path += "value."
		}
	}
	return path + s.values.Position
}

// layers are the envelopes around the value, from the outside in.
func (s shaped) layers() []string {
	for _, line := range s.facts.Records {
		if name, ok := strings.CutPrefix(line, "envelope: "); ok && name != "none" {
			return append([]string{name}, s.values.Layers...)
		}
	}
	return s.values.Layers
}

// deletes tells whether deletions are archived.
func (o Options) deletes() bool {
	return o.Faults.Deletes > 0 && !slices.Contains(o.LeaveOut, "deletes")
}

// The setting of what ends a value in files of bytes, and the one that people choose who have binary values.
const (
	separatorSetting = "format.bytearray.separator"
	separatorOfBytes = `\r\n--\r\n`
)

// separated chooses a separator that no binary value holds, unless one was chosen.
func (o Options) separated(bytes bool) Options {
	if _, chosen := o.Settings[separatorSetting]; bytes && !chosen && strings.HasPrefix(o.Layout, "confluent-") {
		o.Settings = maps.Clone(o.Settings)
		if o.Settings == nil {
			o.Settings = make(map[string]string)
		}
		o.Settings[separatorSetting] = separatorOfBytes
	}
	return o
}

// misfit says why an archive can't hold values, or why no dataset can read them there; "": it can.
func (o Options) misfit(a archiver.Facts, v producer.Facts) string {
	own := slices.ContainsFunc(a.Records, func(line string) bool { return strings.HasPrefix(line, "envelope: {") })
	switch {
	case a.Fixed != "":
		return a.Fixed
	case v.Bytes && !a.Bytes:
		return "these values are bytes, and the layout archives text"
	case v.Headers && a.Headers == "":
		return "a part of them is in headers, and the layout archives none that can be read by name"
	case len(v.Layers) > 0 && own:
		return "the layout's envelope is read by a path, which takes no other envelope inside"
	case v.Framing != "" && a.Root == "":
		return "the schemas would lie in the archive, whose root is the bucket"
	case o.BodyOffsets:
		return "the place in Kafka is put into plain events only"
	}
	return ""
}

// schemaFolder is where the schemas of framed values are exported to, beside the archive.
func (o Options) schemaFolder() string { return o.Prefix + ".schemas" }

// putSchemas exports the schemas.
func (w *archiving) putSchemas(files []producer.File) error {
	for _, f := range files {
		key := w.o.schemaFolder() + "/" + f.Name
		if err := w.sink.Put(w.ctx, key, f.Body); err != nil {
			return fmt.Errorf("putting %s: %w", key, err)
		}
	}
	return nil
}

// lines are those of the dataset's records section for values in an archive.
func (s shaped) lines(o Options) []string {
	layers, v := s.layers(), s.values
	var out []string
	for _, line := range s.facts.Records {
		if name, _, _ := strings.Cut(line, ": "); name != "envelope" && (name != "unpack" || v.Framing == "") {
			out = append(out, line)
		}
	}
	envelope := "envelope: none"
	switch len(layers) {
	case 0:
	case 1:
		envelope = "envelope: " + layers[0]
	default:
		envelope = "envelope: [" + strings.Join(layers, ", ") + "]"
	}
	out = slices.Concat([]string{envelope}, out, v.Records)
	if v.Framing != "" {
		registry := fmt.Sprintf("folder: %q, framing: %s", "{{archive}}/"+o.schemaFolder(), v.Framing)
		if v.Headers {
			registry += ", headers: " + s.facts.Headers
		}
		out = append(out, "registry: {"+registry+"}")
	}
	return out
}

// reshape makes a producer's value of a record, and notes where amounts did not survive.
func (s shaped) reshape(r *archiver.Record, from *origin, later bool) error {
	e := producer.Event{
		JSON: r.Value, Delete: from.kind() == Deleted, Update: from.kind() == Superseding || from.kind() == Stale, Committed: r.Timestamp - 5, Partition: r.Partition, Offset: r.Offset, Later: later,
	}
	if r.Timestamp < 0 {
		e.Committed = r.Arrived
	}
	v, err := s.producer.Value(e)
	if err != nil {
		return fmt.Errorf("the value of partition %d, offset %d: %w", r.Partition, r.Offset, err)
	}
	if s.values.Damages != nil {
		if from.damaged, err = s.values.Damages(e); err != nil {
			return err
		}
	}
	if v.Key != nil {
		r.Key = v.Key
	}
	r.Value, r.Bytes = v.Bytes, s.values.Bytes
	r.Headers = append(slices.Clone(r.Headers), v.Headers...)
	return nil
}
