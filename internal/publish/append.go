package publish

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
)

// LoadedObjects returns the archived objects, by URI, that appends with an
// overlapping scope have loaded into the table, and their ETags; none when
// nothing was ever appended.
func LoadedObjects(ctx context.Context, s Session, t Target) (map[string]string, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if exists, err := tableExists(ctx, s, t.Schema, t.Table+ObjectsSuffix); err != nil || !exists {
		return map[string]string{}, err
	}
	loaded := map[string]string{}
	err = c.eachObject(ctx, s, func(o knownObject) error {
		loaded[o.uri] = o.etag
		return nil
	})
	return loaded, err
}

// knownObject is a row of the table of objects: an object that was appended,
// and a range of its offsets.
type knownObject struct {
	uri, etag string
	seq       int64
	partition kafka.TopicPartition
	offsets   account.Range // empty: not proven
}

// eachObject calls f for every row that was appended under an overlapping scope.
func (t *target) eachObject(ctx context.Context, s Session, f func(knownObject) error) error {
	n := 0
	err := s.Query(ctx, t.selectObjectsSQL(), func(sc redshift.Scanner) error {
		var o knownObject
		var scope string
		var topic *string
		var partition, first, last *int64
		if err := sc.Scan(&o.uri, &o.etag, &scope, &o.seq, &topic, &partition, &first, &last); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		if n++; n > maxKnownObjects {
			return fail.New(fail.Memory, "more than %d objects", maxKnownObjects)
		}
		if !scopesOverlap(scope, t.scope()) {
			return nil
		}
		if topic != nil && partition != nil && first != nil && last != nil {
			o.partition = kafka.TopicPartition{Topic: *topic, Partition: kafka.Partition(*partition)}
			o.offsets = account.Range{From: kafka.Offset(*first), To: kafka.Offset(*last) + 1}
		}
		return f(o)
	})
	if err != nil {
		return fmt.Errorf("reading the loaded objects: %w", err)
	}
	return nil
}

// append inserts all staged rows, once: no object may have been appended
// before, and no offset. Rows with the same key are kept.
func (p *publisher) append(ctx context.Context, c *change) error {
	loaded, err := p.checkObjects(ctx)
	if err != nil {
		return err
	}
	source, err := p.repeated(ctx, c, loaded)
	if err != nil {
		return err
	}
	before, sql, err := p.t.readTable(ctx, p.s, kafka.Window{}, nil)
	if err != nil {
		return err
	}
	c.queries = append(c.queries, sql)
	c.deleted = account.Cells{}
	if err := p.insert(ctx, c, source); err != nil {
		return err
	}
	if c.after, _, err = p.t.readTable(ctx, p.s, kafka.Window{}, nil); err != nil {
		return err
	}
	want, err := sumCells(before, c.inserted)
	if err != nil {
		return err
	}
	if err := p.prove(c, want, c.after); err != nil {
		return err
	}
	if err := p.doubledKeys(ctx, c); err != nil {
		return err
	}
	if err := p.doubledOffsets(ctx, c); err != nil {
		return err
	}
	if err := p.keepWritten(ctx, c, source); err != nil {
		return err
	}
	return p.insertObjects(ctx)
}

// checkObjects refuses objects that another plan has appended, under the lock
// of the ledger, and returns the offsets that were appended of the partitions
// of this plan.
func (p *publisher) checkObjects(ctx context.Context) (offsets, error) {
	mine, loaded := make(map[string]string, len(p.l.Objects)), offsets{}
	for _, o := range p.l.Objects {
		if _, twice := mine[o.URI]; twice {
			return nil, fail.New(fail.Internal, "the plan names an object twice").At("%s", o.URI)
		}
		mine[o.URI] = o.ETag
		loaded[o.Partition] = nil
	}
	return loaded, p.t.eachObject(ctx, p.s, func(o knownObject) error {
		if ranges, concerned := loaded[o.partition]; concerned && o.offsets.From < o.offsets.To {
			loaded[o.partition] = append(ranges, o.offsets)
		}
		own, planned := mine[o.uri]
		switch {
		case !planned:
			return nil
		case own == o.etag:
			return fail.New(fail.Stale, "plan %d has appended the object already", o.seq).At("%s", o.uri).
				Try("run the command again: it seals a plan of the objects that are left")
		}
		return fail.New(fail.ArchiveChanged, "plan %d has appended the object with other content (ETag %s, now %s)", o.seq, o.etag, own).
			At("%s", o.uri).Try("its rows can't be told from others any more: reload the table, or restore the object")
	})
}

// insertObjects writes a row for each range of offsets of each object, and one
// without offsets where they are not proven.
func (p *publisher) insertObjects(ctx context.Context) error {
	var rows [][]any
	for _, o := range p.l.Objects {
		if len(o.Ranges) == 0 {
			rows = append(rows, []any{o.URI, o.ETag, nil, nil, nil, nil})
		}
		for _, r := range o.Ranges {
			rows = append(rows, []any{o.URI, o.ETag, o.Partition.Topic, strconv.Itoa(int(o.Partition.Partition)),
				strconv.FormatInt(int64(r.From), 10), strconv.FormatInt(int64(r.To-1), 10)})
		}
	}
	for part := range slices.Chunk(rows, objectsPerInsert) {
		args := append(slices.Concat(part...), p.t.scope(), strconv.FormatInt(int64(p.l.Head.Seq), 10), string(p.l.Head.Run))
		changed, err := p.s.Exec(ctx, p.t.insertObjectsSQL(len(part)), args...)
		if err != nil {
			return fmt.Errorf("writing the loaded objects: %w", err)
		}
		if changed != int64(len(part)) {
			return fail.New(fail.Internal, "writing %d loaded objects changed %d rows", len(part), changed)
		}
	}
	return nil
}
