// Package camel writes as Camel's aws2-s3 producer does in streaming upload: bodies without separators.
package camel

import (
	"fmt"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the one form. Not here: an object per record.
func Layouts() []archiver.Layout {
	return []archiver.Layout{{Name: "camel-streaming", Line: "Camel, streaming upload", Open: open}}
}

func open(c archiver.Config) (archiver.Archiver, error) {
	codec, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.None})
	if err != nil {
		return nil, err
	}
	root := c.Prefix + "/" + c.Topic
	return &batch.Batches{
		Size: c.Size, Until: batch.Day, Codec: codec, Body: batch.Lines("", batch.Value),
		Key: func(u batch.Upload) string {
			return fmt.Sprintf("%s/%s-%s.json", root, c.Topic, batch.UUID(c.Seed, "camel", u.Number))
		},
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Unproven), Together: true, Root: root, Archive: batch.Unnamed(c), Lost: batch.Tombstone,
			Cannot: batch.Cannot(batch.Whole(), batch.NoMalformed("without separators what is no JSON takes its neighbours along")),
		},
	}, nil
}
