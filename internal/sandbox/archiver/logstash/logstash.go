// Package logstash writes as Logstash's s3 output does with the codec json_lines.
package logstash

import (
	"fmt"
	"time"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the one form.
func Layouts() []archiver.Layout {
	return []archiver.Layout{{Name: "logstash-json", Line: "Logstash, json_lines codec", Open: open}}
}

func open(c archiver.Config) (archiver.Archiver, error) {
	codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.None, Ext: ".txt"}, batch.Codec{Name: archiver.Gzip, Ext: ".txt.gz"})
	if err != nil {
		return nil, err
	}
	root := c.Prefix + "/" + c.Topic
	return &batch.Batches{
		Size: c.Size, Until: batch.Day, Codec: codec, Body: batch.Lines("\n", event),
		Key: func(u batch.Upload) string {
			return fmt.Sprintf("%s/ls.s3.%s.%s.part%d%s", root, batch.UUID(c.Seed, "logstash", u.Number),
				u.Arrived().Format("2006-01-02T15.04"), u.Number, codec.Ext)
		},
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root, Archive: batch.Unnamed(c), Lost: batch.Tombstone,
			Cannot: batch.Cannot(batch.Whole(), batch.NoMalformed("the codec makes another event of what is no JSON")),
		},
	}, nil
}

// event puts the two fields that every event has in front of the value's own.
func event(r archiver.Record) []byte {
	at := time.UnixMilli(r.Arrived).UTC().Format("2006-01-02T15:04:05.000Z")
	return append(fmt.Appendf(nil, `{"@timestamp":%q,"@version":"1",`, at), r.Value[1:]...)
}
