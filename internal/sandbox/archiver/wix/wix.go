// Package wix writes as the S3 connectors of DeviantArt, Wix and their forks do: gzip in blocks, an index beside it,
// in a folder of the day of the upload. Not modelled: the forks' binary form.
package wix

import (
	"bytes"
	"encoding/json"
	"fmt"

	"backfill/internal/sandbox/archiver"
	"backfill/internal/sandbox/archiver/batch"
)

// Layouts lists the one form.
func Layouts() []archiver.Layout {
	return []archiver.Layout{{Name: "wix-text", Line: "Wix and its forks, text in gzip blocks with an index", Open: open}}
}

// blockRecords is the length of a block; the connector's are 64 MiB.
const blockRecords = 1000

// object writes one upload; its blocks must be members of their own, whole lines each.
type object struct{ batch.Batches }

func open(c archiver.Config) (archiver.Archiver, error) {
	if _, err := batch.Choose(c.Codec, batch.Codec{Name: archiver.Gzip}); err != nil {
		return nil, err
	}
	key := func(u batch.Upload) string {
		at := u.Last().Arrived
		return fmt.Sprintf("%s/%s/%s-%05d-%012d", c.Prefix, batch.Day(archiver.Record{Arrived: at}), c.Topic, u.First().Partition, u.First().Offset)
	}
	return &object{batch.Batches{
		Size: c.Size, Until: batch.Day, Checked: true, Codec: batch.Codec{Name: archiver.None},
		Key:  func(u batch.Upload) string { return key(u) + ".gz" },
		Body: func(u batch.Upload) ([]byte, error) { body, _, err := blocks(u); return body, err },
		Sides: func(u batch.Upload) []archiver.Object {
			_, index, err := blocks(u)
			if err != nil {
				return nil // writing the object itself failed, too
			}
			return []archiver.Object{{Key: key(u) + ".index.json", Body: index, Codec: archiver.None, Members: 1}}
		},
		About: archiver.Facts{
			Identity: batch.IdentityOf(c, archiver.Derived), Root: c.Prefix, Archive: batch.Auto("wix"),
			Cannot: batch.Cannot(batch.Whole(), batch.NoCopies("the same records have the same name, so a retry replaces the object"),
				batch.NoTombstones("the connector does not write null values")),
		},
	}}, nil
}

// Archive says what the bytes are, which the connector packs by itself.
func (o *object) Archive(log []archiver.Record, r archiver.Retries, put func(archiver.Object) error) error {
	return o.Batches.Archive(log, r, func(ob archiver.Object) error {
		if ob.Rows != nil {
			ob.Codec, ob.Members = archiver.Gzip, (len(ob.Rows)+blockRecords-1)/blockRecords
		}
		return put(ob)
	})
}

type chunk struct {
	First    int64 `json:"first_record_offset"`
	Records  int   `json:"num_records"`
	Offset   int   `json:"byte_offset"`
	Length   int   `json:"byte_length"`
	Unpacked int   `json:"byte_length_uncompressed"`
}

func blocks(u batch.Upload) (body, index []byte, err error) {
	var list []chunk
	for from := 0; from < len(u.Records); from += blockRecords {
		part := u.Records[from:min(from+blockRecords, len(u.Records))]
		var text bytes.Buffer
		for _, r := range part {
			text.Write(batch.Value(r))
			text.WriteByte('\n')
		}
		packed, err := archiver.Pack(archiver.Gzip, text.Bytes())
		if err != nil {
			return nil, nil, err
		}
		list = append(list, chunk{part[0].Offset, len(part), len(body), len(packed), text.Len()})
		body = append(body, packed...)
	}
	index, err = json.Marshal(map[string]any{"chunks": list})
	return body, index, err
}
