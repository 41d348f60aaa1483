package archivegen

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

// shape is values in a layout that holds them.
type shape struct {
	layout, values string
	settings       map[string]string
}

func (s shape) name() string {
	name := s.values + " in " + s.layout
	for k, v := range s.settings {
		name += " " + k + "=" + v
	}
	return name
}

func set(pairs ...string) map[string]string {
	m := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

var shapes = []shape{
	{"confluent-json", "debezium", nil},
	{"firehose-json", "debezium", set("decimal.handling.mode", "string", "value.converter.schemas.enable", "true")},
	{"aiven-fields-jsonl", "debezium", set("decimal.handling.mode", "string", "column.type", "timestamp")},
	{"confluent-schedule", "debezium", set("decimal.handling.mode", "string", "value.converter.schemas.enable", "true", "column.type", "timestamp")},
	{"confluent-daily", "cloudevents", nil},
	{"lenses-envelope-json", "cloudevents", set("content.mode", "binary")},
	{"confluent-sides", "cloudevents", set("content.mode", "binary")},
	{"confluent-json", "connect", nil},
	{"aiven-jsonl", "connect", set("schemas.enable", "true")},
	{"vector-json", "connect", set("decimal.format", "NUMERIC")},
	{"confluent-bytes", "confluent-avro", nil},
	{"aiven-csv", "confluent-avro", nil},
	{"secor-sequence", "confluent-avro", nil},
	{"confluent-sides", "confluent-avro", set("value.schema.id.serializer", "HeaderSchemaIdSerializer")},
	{"lenses-envelope-json", "confluent-avro", set("value.schema.id.serializer", "HeaderSchemaIdSerializer")},
	{"confluent-bytes", "confluent-json", nil},
	{"confluent-bytes", "confluent-protobuf", nil},
	{"aiven-fields-jsonl", "confluent-protobuf", nil},
	{"confluent-bytes", "glue", nil},
	{"confluent-json", "glue", set("compressionType", "ZLIB")},
	{"firehose-msk-envelope", "glue", set("compressionType", "NONE")},
}

func (s shape) options() Options {
	o := fall(s.layout)
	o.Values, o.ValueSettings = s.values, s.settings
	return o
}

// TestEveryShapeHoldsTheSameEvents compares what archives of other values must come to with that of the default one, and
// that the same options give the same bytes.
func TestEveryShapeHoldsTheSameEvents(t *testing.T) {
	_, want := generate(t, fall(""))
	for _, s := range shapes {
		t.Run(s.name(), func(t *testing.T) {
			o := lenient(t, s.options())
			m, got := generate(t, o)
			if got.TableRows != want.TableRows || !reflect.DeepEqual(afterwards(got), afterwards(want)) {
				t.Errorf("%d rows of the table, want %d; totals %v, want %v", got.TableRows, want.TableRows, afterwards(got), afterwards(want))
			}
			schemas := 0
			for key := range m.objects {
				if strings.HasPrefix(key, "topics.schemas/payroll.events-value/") {
					schemas++
				}
			}
			if wanted := map[bool]int{true: 2}[strings.Contains(DatasetYAML(o), "registry:")]; schemas != wanted || len(m.objects) != len(got.Objects)+wanted {
				t.Errorf("%d objects, %d of them schemas; the truth lists %d", len(m.objects), schemas, len(got.Objects))
			}
			again, _ := generate(t, o)
			for key, body := range m.objects {
				if !bytes.Equal(body, again.objects[key]) {
					t.Fatalf("%s differs when it is generated again", key)
				}
			}
		})
	}
}

// TestDeletes plants deletions: each is a row that takes the place of the event's, and a tombstone where the archive keeps
// them.
func TestDeletes(t *testing.T) {
	for layout, tombstones := range map[string]int64{"confluent-json": 0, "aiven-fields-jsonl": 5, "firehose-lines": 0} {
		o := shape{layout: layout, values: "debezium"}.options()
		o.Faults = Faults{}
		_, want := generate(t, o)
		o.Faults.Deletes = 5
		_, got := generate(t, o)
		if got.TableRows != want.TableRows || got.Dispositions.Rows != want.Dispositions.Rows+5 || got.Superseded != 5 || got.Dispositions.Tombstone != tombstones ||
			got.PlantedCounts[Deleted] != 5 || !reflect.DeepEqual(afterwards(got), afterwards(want)) {
			t.Errorf("%s: %+v, %d rows of the table, want %d", layout, got.Dispositions, got.TableRows, want.TableRows)
		}
		if text := DatasetYAML(o); !strings.Contains(text, "mode: upsert\n  deleted: gone\n") || !strings.Contains(text, "{name: gone,         type: boolean,         from: value.__deleted}") {
			t.Error(text)
		}
	}
	for layout, want := range map[string]string{"confluent-json": "envelope.payload.source.lsn", "aiven-jsonl": "envelope.value.payload.source.lsn", "confluent-sides": "envelope.value.payload.source.lsn"} {
		o := shape{layout, "debezium", set("value.converter.schemas.enable", "true")}.options()
		o.Faults = Faults{Deletes: 1}
		if text := DatasetYAML(o); !strings.Contains(text, "from: "+want+", required: true}") {
			t.Error(text)
		}
	}
	for want, o := range map[string]Options{
		"deletes need a layout": {Faults: Faults{Deletes: 1}},
		"layout confluent-json cannot show deletes: values plain tell no deletion": {Layout: "confluent-json", Faults: Faults{Deletes: 1}},
	} {
		f := fall(o.Layout)
		f.Values, f.Faults = o.Values, o.Faults
		if _, err := Generate(t.Context(), f, counting{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestDamagedMoney counts the events whose amounts a double can't keep as rejected, and all others as before.
func TestDamagedMoney(t *testing.T) {
	s := shape{"confluent-json", "debezium", set("decimal.handling.mode", "double")}
	o := s.options()
	o.Faults = Faults{BigDigits: 0.1}
	_, got := generate(t, o)
	o.ValueSettings = nil
	_, want := generate(t, o)
	lost := want.Dispositions.Rows - got.Dispositions.Rows
	if lost < 5 || got.Dispositions.Rejected != lost || want.Dispositions.Rejected != 0 {
		t.Errorf("%+v, want %+v without what is damaged", got.Dispositions, want.Dispositions)
	}
}

func TestShapesThatDoNotFit(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"values debezium need a layout": func(o *Options) { o.Layout, o.Values = "", "debezium" },
		"layout confluent-avro does not go with values debezium: AvroFormat holds values of its schema":                        func(o *Options) { o.Layout, o.Values = "confluent-avro", "debezium" },
		"layout firehose-lines does not go with values glue: these values are bytes, and the layout archives text":             func(o *Options) { o.Layout, o.Values = "firehose-lines", "glue" },
		"layout vector-json does not go with values debezium: the layout's envelope is read by a path":                         func(o *Options) { o.Layout, o.Values = "vector-json", "debezium" },
		"layout confluent-delims does not go with values glue: the schemas would lie in the archive, whose root is the bucket": func(o *Options) { o.Layout, o.Values = "confluent-delims", "glue" },
		"layout confluent-json does not go with values cloudevents: a part of them is in headers":                              func(o *Options) { o.Values, o.ValueSettings = "cloudevents", set("content.mode", "binary") },
		"layout confluent-json does not go with values connect: the place in Kafka is put into plain events only":              func(o *Options) { o.Values, o.BodyOffsets = "connect", true },
		"there are no values \"json5\"; there are plain, debezium, cloudevents, connect, confluent-avro":                       func(o *Options) { o.Values = "json5" },
		"values connect have no setting \"scale\"; they have decimal.format, schemas.enable":                                   func(o *Options) { o.Values, o.ValueSettings = "connect", set("scale", "2") },
		"values connect: decimal.format is \"HEX\": want BASE64, NUMERIC":                                                      func(o *Options) { o.Values, o.ValueSettings = "connect", set("decimal.format", "HEX") },
		"plain values have no settings": func(o *Options) { o.ValueSettings = set("a", "b") },
		"layout confluent-json cannot show bad_values: the columns of the table hold no such values":            func(o *Options) { o.Values, o.Faults = "debezium", Faults{BadValues: 1} },
		"layout confluent-field does not go with values cloudevents: the partitioner reads fields of the value": func(o *Options) { o.Layout, o.Values = "confluent-field", "cloudevents" },
	} {
		o := fall("confluent-json")
		o.Faults = Faults{}
		change(&o)
		if _, err := Generate(t.Context(), o, counting{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
