// Package firehose writes as Amazon Data Firehose does: values alone, of all partitions, in folders of the hour in UTC
// when the oldest record of an object arrived. Not modelled: the buffering interval of at most 15 minutes; a batch
// ends with its size and with the day.
package firehose

import (
	"encoding/base64"
	"fmt"
	"strings"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the forms of a delivery stream.
func Layouts() []archiver.Layout {
	return []archiver.Layout{
		{Name: "firehose-json", Line: "Firehose, values without separators", Open: open(batch.Lines("", batch.Value), false, false)},
		{Name: "firehose-lines", Line: "Firehose, values with the new line delimiter", Open: open(batch.Lines("\n", batch.Value), true, false)},
		{Name: "firehose-parquet", Line: "Firehose, format conversion to Parquet",
			Open: open(batch.Parquet("snappy", batch.PaymentSchema, batch.Payment), false, true)},
		{Name: "firehose-msk-envelope", Line: "Firehose, lines of MSK's event for a function, key and value in base64", Open: openEvents},
	}
}

func open(body func(batch.Upload) ([]byte, error), lines, parquet bool) func(archiver.Config) (archiver.Archiver, error) {
	return func(c archiver.Config) (archiver.Archiver, error) {
		own := []batch.Codec{{Name: archiver.None}}
		if !parquet {
			own = append(own, batch.Codec{Name: archiver.Gzip, Ext: ".gz"}, batch.Codec{Name: batch.SnappyXerial, Ext: ".snappy"},
				batch.Codec{Name: batch.SnappyHadoop, Ext: ".snappy"}, batch.Codec{Name: batch.ZipCodec, Ext: ".zip"})
		}
		codec, err := batch.Choose(c.Codec, own...)
		if err != nil {
			return nil, err
		}
		cannot := batch.Whole()
		switch {
		case parquet:
			codec.Ext = ".parquet"
			cannot = batch.Cannot(cannot, batch.Typed())
		case !lines:
			cannot = batch.Cannot(cannot, batch.NoMalformed("without separators what is no JSON takes its neighbours along"))
		}
		root := c.Prefix + "/" + c.Topic
		fixed := ""
		if parquet {
			fixed = batch.FixedBySchema
		}
		return &batch.Batches{
			Size: c.Size, Until: batch.Day, Codec: codec, Body: body, Checked: parquet,
			Key: func(u batch.Upload) string {
				at := u.Arrived()
				return fmt.Sprintf("%s/%s/%s-1-%s-%s%s", root, at.Format("2006/01/02/15"), c.Topic, at.Format("2006-01-02-15-04-05"),
					batch.UUID(c.Seed, "firehose", u.Number), codec.Ext)
			},
			About: archiver.Facts{
				Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root,
				Archive: batch.Auto("firehose", "topic: "+c.Topic, "partition: 0"), Lost: batch.Tombstone, Cannot: cannot, Fixed: fixed,
			},
		}, nil
	}
}

func openEvents(c archiver.Config) (archiver.Archiver, error) {
	a, err := open(batch.Lines("\n", event), true, false)(c)
	if err != nil {
		return nil, err
	}
	b := a.(*batch.Batches)
	b.About.Identity, b.About.Bytes = archiver.Body, true
	// Dynamic partitioning with !{partitionKeyFromQuery:topic}/!{partitionKeyFromQuery:partition}/ in the prefix.
	b.About.Root, b.About.Together = c.Prefix, false
	b.About.Archive = batch.Auto(`{key_pattern: '(?P<topic>[^/]+)/(?P<partition>\d+)/.*'}`)
	b.Key = func(u batch.Upload) string {
		at, in := u.Arrived(), fmt.Sprintf("%s/%s/%d", c.Prefix, c.Topic, u.First().Partition)
		return fmt.Sprintf("%s/%s/%s-1-%s-%s%s", in, at.Format("2006/01/02/15"), c.Topic, at.Format("2006-01-02-15-04-05"),
			batch.UUID(c.Seed, "firehose "+in, u.Number), b.Codec.Ext)
	}
	b.About.Records = []string{"envelope: msk", "unpack: base64"}
	return b, nil
}

// event is a record of MSK's event: the bytes of headers are signed numbers.
func event(r archiver.Record) []byte {
	out := fmt.Appendf(nil, `{"topic":%s,"partition":%d,"offset":%d`, batch.Text([]byte(r.Topic)), r.Partition, r.Offset)
	if r.Timestamp >= 0 {
		out = fmt.Appendf(out, `,"timestamp":%d,"timestampType":"CREATE_TIME"`, r.Timestamp)
	}
	if r.Key != nil {
		out = fmt.Appendf(out, `,"key":"%s"`, base64.StdEncoding.EncodeToString(r.Key))
	}
	out = fmt.Appendf(out, `,"value":"%s","headers":[`, base64.StdEncoding.EncodeToString(r.Value))
	for i, h := range r.Headers {
		if i > 0 {
			out = append(out, ',')
		}
		signed := make([]int8, len(h.Value))
		for k := range signed {
			signed[k] = int8(h.Value[k])
		}
		list := strings.ReplaceAll(fmt.Sprint(signed), " ", ",")
		out = fmt.Appendf(out, `{%s:%s}`, batch.Text([]byte(h.Key)), list)
	}
	return append(out, "]}"...)
}
