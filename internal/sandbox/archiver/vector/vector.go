// Package vector writes as Vector's aws_s3 sink does behind its kafka source.
package vector

import (
	"fmt"
	"strings"
	"time"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the encodings.
func Layouts() []archiver.Layout {
	return []archiver.Layout{
		{Name: "vector-json", Line: "Vector, kafka source, json", Open: func(c archiver.Config) (archiver.Archiver, error) {
			b, err := base(c, event)
			if err != nil {
				return nil, err
			}
			b.About.Identity = archiver.Body
			b.About.Records = []string{"envelope: {value: message}", "unpack: text"}
			if !c.BodyOffsets {
				b.About.Records = append(b.About.Records, "offset: envelope.offset")
			}
			// A key_prefix with the fields topic and partition: the sink makes a batch for each.
			b.About.Root, b.About.Together = c.Prefix, false
			b.About.Archive = batch.Auto(`{key_pattern: '(?P<topic>[^/]+)/(?P<partition>\d+)/.*'}`)
			b.Key = key(c, b.Codec, func(r archiver.Record) string { return fmt.Sprintf("%s/%s/%d", c.Prefix, c.Topic, r.Partition) })
			return b, nil
		}},
		{Name: "vector-text", Line: "Vector, text", Open: func(c archiver.Config) (archiver.Archiver, error) {
			return base(c, batch.Value)
		}},
	}
}

func base(c archiver.Config, form func(archiver.Record) []byte) (*batch.Batches, error) {
	codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.Gzip, Ext: ".log.gz"}, batch.Codec{Name: archiver.None, Ext: ".log"},
		batch.Codec{Name: archiver.Zstd, Ext: ".log.zst"}, batch.Codec{Name: batch.SnappyRaw, Ext: ".log.snappy"})
	if err != nil {
		return nil, err
	}
	root := c.Prefix + "/" + c.Topic
	return &batch.Batches{
		Size: c.Size, Until: batch.Day, Codec: codec, Body: batch.Lines("\n", form),
		Key: key(c, codec, func(archiver.Record) string { return root }),
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root, Archive: batch.Unnamed(c),
			Lost: batch.Tombstone, Cannot: batch.Whole(),
		},
	}, nil
}

// key puts no slash between the prefix and the seconds, as the sink does.
func key(c archiver.Config, codec batch.Codec, folder func(archiver.Record) string) func(batch.Upload) string {
	return func(u batch.Upload) string {
		at, in := u.Arrived(), folder(u.First())
		return fmt.Sprintf("%s/date=%s%d-%s%s", in, at.Format(time.DateOnly), at.Unix(), batch.UUID(c.Seed, "vector "+in, u.Number), codec.Ext)
	}
}

func event(r archiver.Record) []byte {
	var headers []string
	for _, h := range r.Headers {
		headers = append(headers, batch.Text([]byte(h.Key))+":["+batch.Text([]byte(h.Value))+"]")
	}
	out := fmt.Appendf(nil, `{"headers":{%s},"message":%s,"message_key":%s,"offset":%d,"partition":%d,"source_type":"kafka"`,
		strings.Join(headers, ","), batch.Text(r.Value), batch.TextOrNull(r.Key), r.Offset, r.Partition)
	if r.Timestamp >= 0 {
		out = fmt.Appendf(out, `,"timestamp":%q`, time.UnixMilli(r.Timestamp).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	return fmt.Appendf(out, `,"topic":%s}`, batch.Text([]byte(r.Topic)))
}
