// Package lenses writes as the S3 sink of Lenses Stream Reactor does: the last offset stands in the name.
package lenses

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
	"backfill/internal/sandbox/formats"
)

// Layouts lists what the sink can be set to. Not here: CSV, which has no nested fields, and BYTES.
func Layouts() []archiver.Layout {
	layout := func(name, line string, open func(archiver.Config) (archiver.Archiver, error)) archiver.Layout {
		return archiver.Layout{Name: name, Line: line, Open: open}
	}
	return []archiver.Layout{
		layout("lenses-json", "Lenses, STOREAS JSON", plain("json")),
		layout("lenses-text", "Lenses, STOREAS TEXT of values that are JSON", plain("text")),
		layout("lenses-avro", "Lenses, STOREAS AVRO", plain("avro")),
		layout("lenses-parquet", "Lenses, STOREAS PARQUET", plain("parquet")),
		layout("lenses-partitionby-json", "Lenses, PARTITIONBY currency STOREAS JSON", partitioned),
		layout("lenses-envelope-json", "Lenses, store.envelope with JSON", envelope("json")),
		layout("lenses-envelope-avro", "Lenses, store.envelope without headers, with Avro", envelope("avro")),
		layout("lenses-envelope-parquet", "Lenses, store.envelope without headers, with Parquet", envelope("parquet")),
	}
}

const exactlyOnce = "by its default, exactly-once delivery, the sink writes no record twice"

const sameName = "the same records have the same name, so a retry replaces the object"

func base(c archiver.Config, format string) (*batch.Batches, error) {
	b := &batch.Batches{Size: c.Size, Checked: format == "avro" || format == "parquet"}
	b.About = archiver.Facts{
		Identity: batch.IdentityOf(c, archiver.Derived), Root: c.Prefix, Archive: batch.Auto("lenses"),
		Cannot: batch.Cannot(batch.Whole(), batch.NoCopies(sameName), batch.NoOverlaps(exactlyOnce)),
	}
	if b.Checked {
		b.About.Fixed = batch.FixedBySchema
	}
	ext := "." + format
	own := []batch.Codec{{Name: archiver.None}}
	if format == "json" {
		own = append(own, batch.Codec{Name: archiver.Gzip, Ext: ".gz"})
	}
	var err error
	if b.Codec, err = batch.Choose(c.Codec, own...); err != nil {
		return nil, err
	}
	if b.Codec.Ext != "" {
		ext = b.Codec.Ext // the format's is gone
	}
	b.Key = func(u batch.Upload) string {
		first, last := timestamps(u)
		return fmt.Sprintf("%s/%s/%d/%012d_%d_%d%s", c.Prefix, c.Topic, u.Last().Partition, u.Last().Offset, first, last, ext)
	}
	return b, nil
}

// timestamps returns the least and the greatest Kafka time. A record without one has that of its arrival: a broker
// gives it one.
func timestamps(u batch.Upload) (first, last int64) {
	for i, r := range u.Records {
		at := r.Timestamp
		if at < 0 {
			at = r.Arrived
		}
		if i == 0 {
			first, last = at, at
		}
		first, last = min(first, at), max(last, at)
	}
	return first, last
}

func plain(format string) func(archiver.Config) (archiver.Archiver, error) {
	return func(c archiver.Config) (archiver.Archiver, error) {
		b, err := base(c, format)
		if err != nil {
			return nil, err
		}
		b.Body = batch.Lines("\n", batch.Value)
		tombstones := batch.NoTombstones("without an envelope the sink fails on a null value")
		switch format {
		case "avro":
			b.Body = batch.Avro(formats.AvroNull, batch.PaymentSchema, batch.Payment)
			tombstones = batch.Cannot(tombstones, batch.Typed())
		case "parquet":
			b.Body = batch.Parquet("snappy", batch.PaymentSchema, batch.Payment)
			tombstones = batch.Cannot(tombstones, batch.Typed())
		}
		b.About.Cannot = batch.Cannot(b.About.Cannot, tombstones)
		return b, nil
	}
}

func partitioned(c archiver.Config) (archiver.Archiver, error) {
	b, err := base(c, "json")
	if err != nil {
		return nil, err
	}
	ext := ".json"
	if b.Codec.Ext != "" {
		ext = b.Codec.Ext
	}
	b.About.Identity, b.About.Fixed = batch.IdentityOf(c, archiver.Unproven), "PARTITIONBY reads a field of the value"
	b.About.Cannot = batch.Cannot(b.About.Cannot, batch.NoTombstones("PARTITIONBY finds no field in a null value"),
		batch.NoMalformed("PARTITIONBY finds no field in what is no JSON"))
	b.Body = batch.Lines("\n", batch.Value)
	b.Group = func(r archiver.Record) string {
		var value struct{ Currency *json.RawMessage }
		var currency string
		if json.Unmarshal(r.Value, &value) != nil || value.Currency == nil || json.Unmarshal(*value.Currency, &currency) != nil || currency == "" {
			return "[missing]"
		}
		return strings.ReplaceAll(currency, "/", "-") // the code of a currency has none
	}
	b.Key = func(u batch.Upload) string {
		return fmt.Sprintf("%s/currency=%s/%s(%d_%012d)%s", c.Prefix, u.Group, c.Topic, u.Last().Partition, u.Last().Offset, ext)
	}
	return b, nil
}

func envelope(format string) func(archiver.Config) (archiver.Archiver, error) {
	return func(c archiver.Config) (archiver.Archiver, error) {
		b, err := base(c, format)
		if err != nil {
			return nil, err
		}
		b.About.Identity = archiver.Body
		b.About.Records = []string{"envelope: lenses"}
		b.About.Cannot = batch.Cannot(b.About.Cannot, batch.NoMalformed("the envelope holds a value that its converter could read"))
		switch format {
		case "avro":
			b.Body = batch.Avro(formats.AvroNull, envelopeSchema, envelopeDatum)
		case "parquet":
			b.Body = batch.Parquet("snappy", envelopeSchema, envelopeDatum)
		default:
			b.Body = batch.Lines("\n", envelopeLine)
			b.About.Bytes, b.About.Headers = true, "envelope.headers"
			return b, nil
		}
		b.About.Cannot = batch.Cannot(b.About.Cannot, batch.Typed())
		b.Until = variant
		return b, nil
	}
}

func envelopeLine(r archiver.Record) []byte {
	out := append([]byte(`{"key":`), batch.TextOrNull(r.Key)...)
	out = append(append(out, `,"value":`...), batch.Value(r)...)
	out = append(out, `,"headers":{`...)
	seen := make(map[string]bool)
	for i := len(r.Headers) - 1; i >= 0; i-- { // a map: the last of a name is left
		h := r.Headers[i]
		if seen[h.Key] {
			continue
		}
		if len(seen) > 0 {
			out = append(out, ',')
		}
		seen[h.Key] = true
		out = append(append(append(out, batch.Text([]byte(h.Key))...), ':'), batch.Text([]byte(batch.HeaderText(h)))...)
	}
	out = append(out, `},"metadata":{`...)
	if r.Timestamp >= 0 {
		out = append(strconv.AppendInt(append(out, `"timestamp":`...), r.Timestamp, 10), ',')
	}
	out = fmt.Appendf(out, `"topic":%s,"partition":%d,"offset":%d}`, batch.Text([]byte(r.Topic)), r.Partition, r.Offset)
	if r.Bytes && r.Value != nil {
		out = append(out, `,"valueIsArray":true`...)
	}
	return append(out, '}')
}

// variant changes where the schema of the envelope does: another one begins another file.
func variant(r archiver.Record) string {
	return fmt.Sprint(r.Key == nil, r.Value == nil)
}

func envelopeSchema(u batch.Upload) string {
	const space = "io.lenses"
	var parts []string
	if u.First().Key != nil {
		parts = append(parts, "key "+batch.NullableText)
	}
	if u.First().Value != nil {
		parts = append(parts, "value "+formats.Nullable(formats.PaymentSchema))
	}
	parts = append(parts, "metadata "+formats.RecordSchema("Metadata", space, "timestamp "+formats.Nullable(`"long"`),
		`topic "string"`, `partition "int"`, `offset "long"`))
	return formats.RecordSchema("Envelope", space, parts...)
}

func envelopeDatum(r archiver.Record) (map[string]any, error) {
	metadata := map[string]any{"topic": r.Topic, "partition": int64(r.Partition), "offset": r.Offset}
	if r.Timestamp >= 0 {
		metadata["timestamp"] = r.Timestamp
	}
	out := map[string]any{"metadata": metadata}
	if r.Key != nil {
		out["key"] = string(r.Key)
	}
	if r.Value != nil {
		value, err := formats.Payment(r.Value)
		if err != nil {
			return nil, err
		}
		out["value"] = value
	}
	return out, nil
}
