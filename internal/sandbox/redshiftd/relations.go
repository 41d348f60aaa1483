package redshiftd

import "context"

// relationCache keeps what a session has read from the catalog, as reading it costs more than most statements. It holds
// for one state of the catalog: that of the transaction's snapshot with its own changes, or the last one committed.
type relationCache struct {
	catalog int64 // the last change that it knows
	off     bool  // the running statement changes the catalog
	known   map[relationName]*relation
}

// relationName names a permanent or a temporary table; the latter have no schema.
type relationName struct {
	temp         bool
	schema, name string
}

// maxKnownRelations bounds a session's cache, which starts anew when it is full.
const maxKnownRelations = 500

// forget empties the cache.
func (c *relationCache) forget() { *c = relationCache{} }

// find reads a table from the catalog; nil if there is none.
func (s *session) find(ctx context.Context, n relationName) (*relation, error) {
	c := &s.relations
	if c.off {
		return findTable(ctx, s.db, n.temp, n.schema, n.name)
	}
	catalog := s.tx.catalog
	if !s.tx.open {
		catalog = s.srv.commits.catalogNow()
	}
	if c.known == nil || c.catalog != catalog || len(c.known) >= maxKnownRelations {
		*c = relationCache{catalog: catalog, known: map[relationName]*relation{}}
	}
	rel, ok := c.known[n]
	if !ok {
		var err error
		if rel, err = findTable(ctx, s.db, n.temp, n.schema, n.name); err != nil {
			return nil, err
		}
		if s.tx.open || s.srv.commits.catalogNow() == catalog { // no commit came between
			c.known[n] = rel
		}
	}
	if rel == nil {
		return nil, nil
	}
	own := *rel
	return &own, nil
}
