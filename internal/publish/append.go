package publish

import (
	"context"
	"fmt"
	"strconv"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
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
	err = c.eachObject(ctx, s, func(uri, etag string, _ int64) error {
		loaded[uri] = etag
		return nil
	})
	return loaded, err
}

// eachObject calls f for every object that was appended under an overlapping scope.
func (t *target) eachObject(ctx context.Context, s Session, f func(uri, etag string, seq int64) error) error {
	n := 0
	err := s.Query(ctx, t.selectObjectsSQL(), func(sc redshift.Scanner) error {
		var uri, etag, scope string
		var seq int64
		if err := sc.Scan(&uri, &etag, &scope, &seq); err != nil {
			return fail.Wrap(err, fail.Internal, "reading a row")
		}
		if n++; n > maxKnownObjects {
			return fail.New(fail.Memory, "more than %d objects", maxKnownObjects)
		}
		if !scopesOverlap(scope, t.scope()) {
			return nil
		}
		return f(uri, etag, seq)
	})
	if err != nil {
		return fmt.Errorf("reading the loaded objects: %w", err)
	}
	return nil
}

// append inserts all staged rows, once: no object may have been appended
// before. Rows with the same key are kept.
func (p *publisher) append(ctx context.Context, c *change) error {
	if err := p.checkObjects(ctx); err != nil {
		return err
	}
	before, sql, err := p.t.readTable(ctx, p.s, kafka.Window{}, nil)
	if err != nil {
		return err
	}
	c.queries = append(c.queries, sql)
	if err := p.insert(ctx, c, kafka.Window{}); err != nil {
		return err
	}
	after, _, err := p.t.readTable(ctx, p.s, kafka.Window{}, nil)
	if err != nil {
		return err
	}
	want := account.Cells{}
	for _, cells := range []account.Cells{before, c.source} {
		if err := want.Merge(cells); err != nil {
			return fail.Wrap(err, fail.Internal, "adding the rows before and the new ones")
		}
	}
	if err := p.prove(c, want, after); err != nil {
		return err
	}
	c.inserted, c.deleted = c.source, account.Cells{}
	if p.keeper != nil {
		c.aside = &runplan.PutAside{Table: p.t.Schema + "." + p.keeper.name, Replaced: account.Cells{}}
	}
	if err := p.keepWritten(ctx, c); err != nil {
		return err
	}
	return p.insertObjects(ctx)
}

// checkObjects refuses objects that another plan has appended, under the lock
// of the ledger.
func (p *publisher) checkObjects(ctx context.Context) error {
	mine := make(map[string]string, len(p.l.Objects))
	for _, o := range p.l.Objects {
		if _, twice := mine[o.URI]; twice {
			return fail.New(fail.Internal, "the plan names an object twice").At("%s", o.URI)
		}
		mine[o.URI] = o.ETag
	}
	return p.t.eachObject(ctx, p.s, func(uri, etag string, seq int64) error {
		own, planned := mine[uri]
		switch {
		case !planned:
			return nil
		case own == etag:
			return fail.New(fail.Stale, "plan %d has appended the object already", seq).At("%s", uri).
				Try("run the command again: it seals a plan of the objects that are left")
		}
		return fail.New(fail.ArchiveChanged, "plan %d has appended the object with other content (ETag %s, now %s)", seq, etag, own).
			At("%s", uri).Try("its rows can't be told from others any more: reload the table, or restore the object")
	})
}

func (p *publisher) insertObjects(ctx context.Context) error {
	for start := 0; start < len(p.l.Objects); start += objectsPerInsert {
		part := p.l.Objects[start:min(start+objectsPerInsert, len(p.l.Objects))]
		args := make([]any, 0, 2*len(part)+3)
		for _, o := range part {
			args = append(args, o.URI, o.ETag)
		}
		args = append(args, p.t.scope(), strconv.FormatInt(int64(p.l.Head.Seq), 10), string(p.l.Head.Run))
		rows, err := p.s.Exec(ctx, p.t.insertObjectsSQL(len(part)), args...)
		if err != nil {
			return fmt.Errorf("writing the loaded objects: %w", err)
		}
		if rows != int64(len(part)) {
			return fail.New(fail.Internal, "writing %d loaded objects changed %d rows", len(part), rows)
		}
	}
	return nil
}
