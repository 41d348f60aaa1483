// Package batch is what archivers have in common: they gather records, group them, and upload each group as an
// object. What an object is called and how it is written is the archiver's own.
package batch

import (
	"fmt"
	"time"

	"backfill/internal/sandbox/archiver"
)

// Upload is one object to be written.
type Upload struct {
	Records []archiver.Record
	Group   string          // of Batches.Group
	Head    archiver.Record // first of the batch, whatever its group
	Number  int             // of the upload, from 0; no two have the same
	Again   bool            // the same batch was uploaded before
}

// First and Last are the ends of the upload.
func (u Upload) First() archiver.Record { return u.Records[0] }
func (u Upload) Last() archiver.Record  { return u.Records[len(u.Records)-1] }

// Arrived is the archiver's clock at the first record, in UTC.
func (u Upload) Arrived() time.Time { return time.UnixMilli(u.First().Arrived).UTC() }

// Batches is an archiver.
type Batches struct {
	About   archiver.Facts
	Size    int                            // records of a batch
	Until   func(archiver.Record) string   // a batch ends where it changes; nil: only by size
	Group   func(archiver.Record) string   // nil: one object per batch
	Key     func(Upload) string            // below the bucket
	Body    func(Upload) ([]byte, error)   // before compression
	Codec   Codec                          // of the whole body
	Parts   int                            // pieces that are compressed on their own and put together; 0 is 1
	Checked bool                           // of the body before compression
	Sides   func(Upload) []archiver.Object // side files; nil: none
}

// Facts implements archiver.Archiver.
func (b *Batches) Facts() archiver.Facts { return b.About }

// Archive implements archiver.Archiver.
func (b *Batches) Archive(log []archiver.Record, r archiver.Retries, put func(archiver.Object) error) error {
	kept := make([]int, 0, len(log))
	for i := range log {
		if b.About.Lost == nil || !b.About.Lost(log[i]) {
			kept = append(kept, i)
		}
	}
	number := 0
	for _, s := range b.cut(log, kept, r) {
		for _, rows := range b.groups(log, kept[s.from:s.to]) {
			u := Upload{Group: rows.group, Head: log[kept[s.from]], Number: number, Again: s.again}
			for _, i := range rows.rows {
				u.Records = append(u.Records, log[i])
			}
			number++
			if err := b.upload(u, rows.rows, put); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *Batches) upload(u Upload, rows []int, put func(archiver.Object) error) error {
	key := b.Key(u)
	body, err := b.Body(u)
	if err != nil {
		return fmt.Errorf("writing %s: %w", key, err)
	}
	packed, err := b.Codec.packParts(body, max(b.Parts, 1))
	if err != nil {
		return fmt.Errorf("compressing %s: %w", key, err)
	}
	members := 1
	if b.Codec.members() {
		members = max(b.Parts, 1)
	}
	ob := archiver.Object{
		Key: key, Body: packed, Rows: rows, Codec: b.Codec.Name, Members: members, Checked: b.Checked || b.Codec.Name == archiver.Gzip,
	}
	if err := put(ob); err != nil {
		return err
	}
	if b.Sides == nil {
		return nil
	}
	for _, side := range b.Sides(u) {
		if err := put(side); err != nil {
			return err
		}
	}
	return nil
}

type span struct {
	from, to int
	again    bool
}

// cut makes batches. The overlaps begin in the middle of the batch before, as after a crash; duplicates follow their
// batch at once.
func (b *Batches) cut(log []archiver.Record, kept []int, r archiver.Retries) []span {
	var spans []span
	for from := 0; from < len(kept); {
		to := min(from+b.Size, len(kept))
		if b.Until != nil {
			until := b.Until(log[kept[from]])
			for k := from + 1; k < to; k++ {
				if b.Until(log[kept[k]]) != until {
					to = k
				}
			}
		}
		spans = append(spans, span{from: from, to: to})
		from = to
	}
	var out []span
	for i, s := range spans {
		if i > 0 && r.Overlaps > 0 {
			before := spans[i-1]
			same := b.Until == nil || b.Until(log[kept[before.from]]) == b.Until(log[kept[s.from]])
			if n := (before.to - before.from) / 2; n > 0 && same {
				s.from -= n
				r.Overlaps--
			}
		}
		out = append(out, s)
		if r.Duplicates > 0 {
			r.Duplicates--
			s.again = true
			out = append(out, s)
		}
	}
	return out
}

type grouped struct {
	group string
	rows  []int
}

// groups keeps the order in which groups first appear.
func (b *Batches) groups(log []archiver.Record, rows []int) []grouped {
	if b.Group == nil {
		return []grouped{{rows: rows}}
	}
	var out []grouped
	at := make(map[string]int)
	for _, i := range rows {
		g := b.Group(log[i])
		k, ok := at[g]
		if !ok {
			k = len(out)
			at[g] = k
			out = append(out, grouped{group: g})
		}
		out[k].rows = append(out[k].rows, i)
	}
	return out
}

// Day is the UTC day of a record's arrival.
func Day(r archiver.Record) string { return time.UnixMilli(r.Arrived).UTC().Format(time.DateOnly) }

// Tombstone reports whether a record has no value.
func Tombstone(r archiver.Record) bool { return r.Value == nil }
