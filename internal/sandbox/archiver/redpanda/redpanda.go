// Package redpanda writes as the aws_s3 output of Redpanda Connect does with an archive processor: a count and a time
// are all that names say. Not modelled: the processor's tar, zip and binary.
package redpanda

import (
	"fmt"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the processor's formats.
func Layouts() []archiver.Layout {
	return []archiver.Layout{
		{Name: "redpanda-lines", Line: "Redpanda Connect, archive format lines", Open: open(batch.Joined("", "\n", "", batch.Value), true)},
		{Name: "redpanda-concatenate", Line: "Redpanda Connect, archive format concatenate", Open: open(batch.Lines("", batch.Value), false)},
		{Name: "redpanda-json-array", Line: "Redpanda Connect, archive format json_array", Open: open(batch.Joined("[", ",", "]", batch.Value), false)},
	}
}

func open(body func(batch.Upload) ([]byte, error), lines bool) func(archiver.Config) (archiver.Archiver, error) {
	return func(c archiver.Config) (archiver.Archiver, error) {
		codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.None}, batch.Codec{Name: archiver.Gzip}, batch.Codec{Name: archiver.Zstd},
			batch.Codec{Name: batch.SnappyRaw})
		if err != nil {
			return nil, err
		}
		cannot := batch.Whole()
		if !lines {
			cannot = batch.Cannot(cannot, batch.NoMalformed("without lines what is no JSON takes its neighbours along"))
		}
		root := c.Prefix + "/" + c.Topic
		return &batch.Batches{
			Size: c.Size, Until: batch.Day, Codec: codec, Body: body,
			Key: func(u batch.Upload) string {
				return fmt.Sprintf("%s/%d-%d.txt", root, u.Number+1, u.Arrived().UnixNano())
			},
			About: archiver.Facts{
				Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root, Archive: batch.Unnamed(c),
				Lost: batch.Tombstone, Cannot: cannot,
			},
		}, nil
	}
}
