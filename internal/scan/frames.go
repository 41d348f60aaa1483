package scan

import (
	"maps"
	"slices"

	"backfill/internal/account"
	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/registry"
)

// framing returns how values are framed, and checks that the schemas are there.
func framing(o Options) (*registry.Decoder, error) {
	r := o.Dataset.Records.Registry
	if r == nil {
		return nil, nil
	}
	if o.Schemas == nil {
		return nil, fail.New(fail.Internal, "values are framed, and no schemas are given")
	}
	kind := registry.Confluent
	if r.Framing == dataset.FramingGlue {
		kind = registry.Glue
	}
	return o.Schemas.NewDecoder(kind, o.RecordBytes), nil
}

// unframed opens the framed values of records.
func (p *pass) unframed(from decode.Records) decode.Records {
	ds := p.o.Dataset
	at := registry.Place{Value: ds.Records.Packed(), Headers: ds.Records.Resolve(ds.Records.Registry.Headers)}
	p.frames = registry.NewRecords(from, at, p.opener)
	return p.frames
}

// opened makes admit see how each record's value was framed.
func (p *pass) opened(admit func(*decode.Record) bool) func(*decode.Record) bool {
	if p.frames == nil {
		return admit
	}
	return func(r *decode.Record) bool {
		p.frame, _ = p.frames.Take(r.Row)
		return admit(r)
	}
}

// countSchema counts the record under the schema that its value names.
func (p *pass) countSchema(d account.Disposition, row int64, offset kafka.Offset) {
	if p.frame.ID == "" {
		return
	}
	id := p.frame.ID
	c := p.schemas[id]
	if c == nil && len(p.schemas) >= account.MaxSchemas {
		id = account.Other
		c = p.schemas[id]
	}
	if c == nil {
		c = &account.SchemaCount{ID: id, Object: p.object.Key, Row: row, Offset: offset}
		if s, ok := p.o.Schemas.Lookup(id); ok {
			c.Subject, c.Version, c.Kind = s.Subject, s.Version, string(s.Kind)
		}
		p.schemas[id] = c
	}
	c.Records++
	if d == account.Row {
		c.Rows++
	}
	if p.frame.Extra {
		c.Extra++
	}
}

// schemaCounts lists what countSchema counted.
func (p *pass) schemaCounts() []account.SchemaCount {
	var list []account.SchemaCount
	for _, id := range slices.Sorted(maps.Keys(p.schemas)) {
		list = append(list, *p.schemas[id])
	}
	return account.MergeSchemas(list)
}
