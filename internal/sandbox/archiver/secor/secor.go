// Package secor writes as Pinterest's Secor does: folders of the event's day, and in the name the offset that was
// committed when the file was opened. Not modelled: files of several partitions, and _SUCCESS.
package secor

import (
	"bytes"
	"fmt"
	"time"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
	"backfill/internal/sandbox/formats"
)

// Layouts lists Secor's formats.
func Layouts() []archiver.Layout {
	return []archiver.Layout{
		{Name: "secor-delimited", Line: "Secor, text of one value a line", Open: delimited},
		{Name: "secor-sequence", Line: "Secor, sequence files from offset to value, compressed in blocks", Open: sequence(true, false)},
		{Name: "secor-sequence-plain", Line: "Secor, sequence files from offset to value, without compression", Open: sequence(false, false)},
		{Name: "secor-msgpack", Line: "Secor, sequence files with MessagePack keys", Open: sequence(false, true)},
	}
}

func base(c archiver.Config, own ...batch.Codec) (*batch.Batches, error) {
	codec, err := batch.Choose(c.Codec, own...)
	if err != nil {
		return nil, err
	}
	return &batch.Batches{
		Size: c.Size, Codec: codec, Body: batch.Lines("\n", batch.Value), Group: day,
		Key: func(u batch.Upload) string {
			return fmt.Sprintf("%s/%s/dt=%s/1_%d_%020d%s", c.Prefix, c.Topic, u.Group, u.Head.Partition, u.Head.Offset, codec.Ext)
		},
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Unproven), Root: c.Prefix, Archive: batch.Auto("secor"),
			Cannot: batch.Cannot(batch.Whole(), batch.NoCopies("the same records have the same name, so a retry replaces the object"),
				batch.NoTombstones("a null value becomes an empty one, which may also have been sent")),
		},
	}, nil
}

// day is the event's in UTC, and the record's where the message parser finds none.
func day(r archiver.Record) string {
	if r.HasEvent {
		return time.UnixMicro(r.Event).UTC().Format(time.DateOnly)
	}
	return batch.Day(r)
}

func delimited(c archiver.Config) (archiver.Archiver, error) {
	return base(c, batch.Codec{Name: archiver.None}, batch.Codec{Name: archiver.Gzip, Ext: ".gz"},
		batch.Codec{Name: batch.SnappyHadoop, Ext: ".snappy"})
}

func sequence(blocks, msgpack bool) func(archiver.Config) (archiver.Archiver, error) {
	return func(c archiver.Config) (archiver.Archiver, error) {
		b, err := base(c, batch.Codec{Name: archiver.None})
		if err != nil {
			return nil, err
		}
		b.About.Identity, b.About.Bytes = archiver.Body, true
		b.About.Records = []string{"envelope: secor", "unpack: base64"}
		b.Body = func(u batch.Upload) ([]byte, error) { return file(u, blocks, msgpack) }
		return b, nil
	}
}

func file(u batch.Upload, blocks, msgpack bool) ([]byte, error) {
	class := formats.LongWritable
	if msgpack {
		class = formats.BytesWritable
	}
	var sync [16]byte
	copy(sync[:], batch.Hex(uint64(u.First().Offset), "secor sync", u.First().Partition, 16))
	var out bytes.Buffer
	f, err := formats.NewSequenceFile(&out, class, blocks, sync)
	if err != nil {
		return nil, err
	}
	for _, r := range u.Records {
		if msgpack {
			err = f.AppendBytes(formats.SecorKey(r.Offset, r.Key, r.Timestamp), r.Value)
		} else {
			err = f.AppendLong(r.Offset, r.Value)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
