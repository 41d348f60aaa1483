// Package msk writes as the data delivery of MSK's Express brokers does: the first offset stands in the name, in a
// folder of the hour.
package msk

import (
	"fmt"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the one form whose bytes are known well enough.
func Layouts() []archiver.Layout {
	return []archiver.Layout{{Name: "msk-delivery", Line: "MSK data delivery, JSON lines", Open: open}}
}

func open(c archiver.Config) (archiver.Archiver, error) {
	codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.None}, batch.Codec{Name: archiver.Gzip, Ext: ".gz"},
		batch.Codec{Name: archiver.Zstd, Ext: ".zst"})
	if err != nil {
		return nil, err
	}
	channel := batch.Hex(c.Seed, "msk channel", 0, 12)
	return &batch.Batches{
		Size: c.Size, Until: batch.Day, Codec: codec, Body: batch.Lines("\n", batch.Value),
		Key: func(u batch.Upload) string {
			r := u.First()
			return fmt.Sprintf("%s/%s/%s/%s/%s+%d+%018d-%06d-%s%s", c.Prefix, channel, c.Topic,
				u.Arrived().Format("year=2006/month=01/day=02/hour=15"), c.Topic, r.Partition, r.Offset, 0,
				batch.Hex(c.Seed, "msk object "+fmt.Sprint(r.Partition), u.Number, 11), codec.Ext)
		},
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Unproven), Root: c.Prefix, Archive: batch.Auto("msk"),
			Cannot: batch.Cannot(batch.Whole(), batch.NoTombstones("what the service makes of a null value is not documented")),
		},
	}, nil
}
