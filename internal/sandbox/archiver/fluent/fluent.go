// Package fluent writes as the S3 outputs of Fluent Bit and Fluentd do.
package fluent

import (
	"fmt"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists both programs' forms. Not here: Fluentd's default lines of time, tag and JSON between tabs.
func Layouts() []archiver.Layout {
	return []archiver.Layout{
		{Name: "fluentbit-json", Line: "Fluent Bit, kafka input", Open: bit},
		{Name: "fluentd-json", Line: "Fluentd, json formatter", Open: fluentd},
	}
}

// parts is how many pieces Fluent Bit uploads an object in, each compressed by itself.
const parts = 3

func bit(c archiver.Config) (archiver.Archiver, error) {
	codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.None}, batch.Codec{Name: archiver.Gzip}, batch.Codec{Name: archiver.Zstd})
	if err != nil {
		return nil, err
	}
	root := c.Prefix + "/fluent-bit-logs/" + c.Topic
	return &batch.Batches{
		Size: c.Size, Until: batch.Day, Codec: codec, Body: batch.Lines("\n", event), Parts: parts,
		Key: func(u batch.Upload) string {
			return fmt.Sprintf("%s/%s-object%s", root, u.Arrived().Format("2006/01/02/15/04/05"), batch.Hex(c.Seed, "fluent bit", u.Number, 8))
		},
		About: archiver.Facts{
			// Partition and offset stand in the body, but a dataset of keys that say nothing has one partition.
			Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root, Archive: batch.Unnamed(c),
			Records: []string{"envelope: {value: payload}", "unpack: text"},
			Cannot:  batch.Cannot(batch.Whole(), batch.NoTombstones("what Fluent Bit makes of a null value is not documented")),
		},
	}, nil
}

func event(r archiver.Record) []byte {
	return fmt.Appendf(nil, `{"date":%d.%03d,"topic":%s,"partition":%d,"offset":%d,"error":null,"key":%s,"payload":%s}`,
		r.Arrived/1000, r.Arrived%1000, batch.Text([]byte(r.Topic)), r.Partition, r.Offset, batch.TextOrNull(r.Key), batch.Text(r.Value))
}

func fluentd(c archiver.Config) (archiver.Archiver, error) {
	codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.Gzip, Ext: ".gz"}, batch.Codec{Name: archiver.None, Ext: ".json"})
	if err != nil {
		return nil, err
	}
	root := c.Prefix + "/" + c.Topic
	return &batch.Batches{
		Size: c.Size, Until: batch.Day, Codec: codec, Body: batch.Lines("\n", batch.Value),
		Key: func(u batch.Upload) string {
			return fmt.Sprintf("%s/%s_%d%s", root, u.Arrived().Format("20060102"), u.Number, codec.Ext)
		},
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root, Archive: batch.Unnamed(c), Lost: batch.Tombstone,
			Cannot: batch.Cannot(batch.Whole(), batch.NoMalformed("the input drops what is no JSON")),
		},
	}, nil
}
