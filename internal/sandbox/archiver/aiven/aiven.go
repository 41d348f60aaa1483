// Package aiven writes as Aiven's S3 sink does: the first offset stands in the name, gzip is the default.
package aiven

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
	"backfill/internal/sandbox/formats"
)

// layout is one setting of the sink.
type layout struct {
	name, line string
	format     string // of format.output.type
	fields     bool   // key, value, offset, timestamp and headers; else the value alone
	template   string // of file.name.template below the prefix; "" for its default
}

var layouts = []layout{
	{"aiven-jsonl", "Aiven, JSON lines of the value, default names", "jsonl", false, ""},
	{"aiven-json", "Aiven, JSON arrays of the value, default names", "json", false, ""},
	{"aiven-csv", "Aiven, CSV of the value in base64, default names", "csv", false, ""},
	{"aiven-avro", "Aiven, Avro of the value, default names", "avro", false, ""},
	{"aiven-parquet", "Aiven, Parquet of the value, default names", "parquet", false, ""},
	{"aiven-fields-jsonl", "Aiven, JSON lines of key, value, offset, timestamp and headers", "jsonl", true, ""},
	{"aiven-fields-json", "Aiven, JSON arrays of key, value, offset, timestamp and headers", "json", true, ""},
	{"aiven-fields-csv", "Aiven, CSV of key, value, offset, timestamp and headers", "csv", true, ""},
	{"aiven-fields-avro", "Aiven, Avro of key, value, offset and timestamp", "avro", true, ""},
	{"aiven-fields-parquet", "Aiven, Parquet of key, value, offset and timestamp", "parquet", true, ""},
	{"aiven-time-jsonl", "Aiven, JSON lines in folders of the day they were written", "jsonl", false, timed},
	{"aiven-key-jsonl", "Aiven, JSON lines, one object per key and flush", "jsonl", false, keyed},
}

const (
	timed = "{{topic}}/{{timestamp:unit=yyyy}}/{{timestamp:unit=MM}}/{{timestamp:unit=dd}}/{{topic}}-{{partition}}-{{start_offset:padding=true}}"
	keyed = "{{topic}}/{{key}}-{{partition}}-{{start_offset}}"
)

// Layouts lists what the sink can be set to. Not here: templates that compact, which keep the last record of a key,
// and values in CSV without base64, which no reader can split.
func Layouts() []archiver.Layout {
	var out []archiver.Layout
	for _, l := range layouts {
		out = append(out, archiver.Layout{Name: l.name, Line: l.line, Open: l.open})
	}
	return out
}

func (l layout) open(c archiver.Config) (archiver.Archiver, error) {
	codec, err := batch.Choose(c.Codec,
		batch.Codec{Name: archiver.Gzip, Ext: ".gz"}, batch.Codec{Name: archiver.None},
		batch.Codec{Name: batch.SnappyXerial, Ext: ".snappy"}, batch.Codec{Name: archiver.Zstd, Ext: ".zst"})
	if err != nil {
		return nil, err
	}
	ext := codec.Ext
	if l.format == "avro" {
		ext = ".avro" + ext
	}
	b := &batch.Batches{Size: c.Size, Codec: codec, Checked: l.format == "avro" || l.format == "parquet"}
	b.About = archiver.Facts{
		Identity: batch.IdentityOf(c, l.identity()), Root: c.Prefix, Archive: l.archive(ext), Records: []string{"envelope: aiven"},
		Cannot: batch.Cannot(batch.Whole(), l.cannot()),
	}
	if l.format == "csv" {
		b.About.Records = append(b.About.Records, "unpack: base64")
	}
	if l.fields {
		b.About.Identity = archiver.Body
		if !c.BodyOffsets { // else the dataset names the value's own
			b.About.Records = append(b.About.Records, "offset: envelope.offset")
		}
	}
	if b.Checked {
		b.About.Fixed = batch.FixedBySchema
	} else {
		b.About.Bytes = true
	}
	l.body(b)
	b.Key = l.key(c, ext)
	switch l.template {
	case timed:
		b.Group = batch.Day
	case keyed:
		b.Group = func(r archiver.Record) string { return keyText(r.Key) }
	}
	return b, nil
}

func (l layout) identity() archiver.Identity {
	if l.template != "" {
		return archiver.Unproven
	}
	return archiver.Derived
}

func (l layout) archive(ext string) []string {
	lines := batch.Auto("aiven")
	if l.template != "" {
		lines = batch.Auto(fmt.Sprintf("{aiven: {template: %q}}", l.template+ext))
	}
	if l.format == "csv" {
		columns := "value"
		if l.fields {
			columns = "key, value, offset, timestamp, headers"
		}
		lines[1] = "format: {csv: {columns: [" + columns + "]}}"
	}
	return lines
}

func (l layout) cannot() map[string]string {
	out := batch.NoCopies("the same records have the same name, so a retry replaces the object")
	if l.template == keyed {
		out = batch.Cannot(out, batch.NoOverlaps("of the objects of a retry some have a name that is there already, and replace it"))
	}
	switch l.format {
	case "avro", "parquet":
		return batch.Cannot(out, batch.Typed(), batch.NoTombstones("the sink fails on a record without the value's schema"))
	case "csv":
		return batch.Cannot(out, batch.NoTombstones("in CSV a null and an empty value look the same"))
	}
	return batch.Cannot(out, batch.NoMalformed("the converter fails on what is no JSON"))
}

func (l layout) key(c archiver.Config, ext string) func(batch.Upload) string {
	return func(u batch.Upload) string {
		head := u.Head
		switch l.template {
		case timed:
			return fmt.Sprintf("%s/%s/%s/%s-%d-%020d%s", c.Prefix, c.Topic, strings.ReplaceAll(u.Group, "-", "/"), c.Topic, head.Partition, head.Offset, ext)
		case keyed:
			return fmt.Sprintf("%s/%s/%s-%d-%d%s", c.Prefix, c.Topic, u.Group, head.Partition, u.First().Offset, ext)
		}
		return fmt.Sprintf("%s/%s-%d-%d%s", c.Prefix, c.Topic, head.Partition, head.Offset, ext)
	}
}

func keyText(key []byte) string {
	if key == nil {
		return "null"
	}
	return string(key)
}

func (l layout) body(b *batch.Batches) {
	switch l.format {
	case "json":
		b.Body = batch.Joined("[\n", ",\n", "\n]", l.line0)
	case "jsonl":
		b.Body = batch.Joined("", "\n", "", l.line0)
	case "csv":
		b.Body = batch.Joined("", "\n", "", l.row)
	case "avro":
		b.Body = batch.Avro(formats.AvroNull, l.schema, l.datum)
	case "parquet":
		// The setting is the codec of the pages, and the name follows it all the same.
		pages := map[string]string{archiver.Gzip: "gzip", archiver.None: "none", batch.SnappyXerial: "snappy", archiver.Zstd: "zstd"}
		b.Body = batch.Parquet(pages[b.Codec.Name], l.schema, l.datum)
		b.Codec.Name = archiver.None
	}
}

// line0 is the envelope in JSON. Its fields are in the order of a hash map, not of the setting.
func (l layout) line0(r archiver.Record) []byte {
	out := []byte("{")
	if l.fields {
		out = fmt.Appendf(out, `"headers":%s,"offset":%d,`, headers(r), r.Offset)
		if r.Timestamp >= 0 {
			at := time.UnixMilli(r.Timestamp).UTC()
			text := at.Format("2006-01-02T15:04:05.000Z07:00")
			if r.Timestamp%1000 == 0 {
				text = at.Format(time.RFC3339)
			}
			out = fmt.Appendf(out, `"timestamp":%q,`, text)
		}
		out = fmt.Appendf(out, `"key":%s,`, batch.TextOrNull(r.Key))
	}
	return append(append(append(out, `"value":`...), batch.Value(r)...), '}')
}

func headers(r archiver.Record) string {
	var parts []string
	for _, h := range r.Headers {
		parts = append(parts, fmt.Sprintf(`{"key":%s,"value":%s}`, batch.Text([]byte(h.Key)), batch.Text([]byte(batch.HeaderText(h)))))
	}
	return "[" + strings.Join(parts, ",") + "]"
}

// row is one of CSV: nothing in it needs a quote.
func (l layout) row(r archiver.Record) []byte {
	value := base64.StdEncoding.EncodeToString(r.Value)
	if !l.fields {
		return []byte(value)
	}
	out := base64.StdEncoding.EncodeToString(r.Key) + "," + value + "," + strconv.FormatInt(r.Offset, 10) + ","
	if r.Timestamp >= 0 {
		out += strconv.FormatInt(r.Timestamp, 10)
	}
	out += ","
	for _, h := range r.Headers {
		out += base64.StdEncoding.EncodeToString([]byte(h.Key)) + ":" + base64.StdEncoding.EncodeToString([]byte(h.Value)) + ";"
	}
	return []byte(out)
}

func (l layout) schema(batch.Upload) string {
	space := "io.aiven." + l.format + ".output.schema"
	value := "value " + formats.PaymentSchema
	if !l.fields {
		return formats.RecordSchema("connector_records", space, value)
	}
	return formats.RecordSchema("connector_records", space, "key "+batch.NullableText, value, `offset "long"`, "timestamp "+formats.Nullable(`"long"`))
}

func (l layout) datum(r archiver.Record) (map[string]any, error) {
	value, err := formats.Payment(r.Value)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"value": value}
	if !l.fields {
		return out, nil
	}
	out["offset"] = r.Offset
	if r.Key != nil {
		out["key"] = string(r.Key)
	}
	if r.Timestamp >= 0 {
		out["timestamp"] = r.Timestamp
	}
	return out, nil
}
