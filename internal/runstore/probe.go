package runstore

import (
	"context"
	"fmt"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

// Probe tries the staging store with objects of its own, below probes/. What it
// wrote is in no plan; Remove takes it away.
type Probe struct {
	store *Store
	name  string
	keys  []string
}

// NewProbe returns a probe under a name of its own.
func (s *Store) NewProbe() *Probe { return &Probe{store: s, name: "probes/" + NewAttempt()} }

// URI is the folder of what the probe writes.
func (p *Probe) URI() string { return p.store.URI(p.name) }

// Create writes a document twice under one key: the second time must be refused,
// since plans and receipts rest on that. It returns the object as the store says
// it stands. A store that takes both is fail.BadDataset.
func (p *Probe) Create(ctx context.Context) (o objstore.Object, err error) {
	key := p.name + "/created-once"
	p.keys = append(p.keys, key)
	for try := range 2 {
		created, err := p.store.objects.PutNew(ctx, key, fmt.Appendf(nil, "try %d\n", try+1))
		if err != nil {
			return o, err
		}
		if created != (try == 0) {
			return o, Unconditional(p.store.URI(""))
		}
	}
	return p.store.objects.Head(ctx, key)
}

// Unconditional is the error of a staging store that ignores If-None-Match.
func Unconditional(at string) error {
	return fail.New(fail.BadDataset, "the staging store ignores the condition of a write: two pods could both be first").At("%s", at).
		Try("stage in Amazon S3, or in a store that honours If-None-Match: *")
}

// Read reads the document of Create back.
func (p *Probe) Read(ctx context.Context) error {
	body, _, err := p.store.objects.ReadAll(ctx, p.name+"/created-once", 1<<10)
	if err != nil {
		return err
	}
	if string(body) != "try 1\n" {
		return fail.New(fail.Corrupt, "the staging store gave back %q for what was written first", body).At("%s", p.URI()).Try("use another staging store: this one does not keep what it took")
	}
	return nil
}

// List finds the document of Create by listing.
func (p *Probe) List(ctx context.Context) error {
	found := false
	err := p.store.objects.List(ctx, p.name+"/", func(o objstore.Object) error {
		found = found || o.Key == p.name+"/created-once"
		return nil
	})
	if err == nil && !found {
		return fail.New(fail.Service, "a listing does not show what was just written").At("%s", p.URI()).Try("use a staging store whose listings are consistent, as those of Amazon S3 are")
	}
	return err
}

// PutParquet writes a Parquet file and the COPY manifest that names it, and
// returns the manifest's URI.
func (p *Probe) PutParquet(ctx context.Context, body []byte) (manifestURI string, err error) {
	file := p.name + "/probe.parquet"
	text, _, err := encode(manifest{Entries: []manifestEntry{{URL: p.store.URI(file), Mandatory: true, Meta: manifestMeta{ContentLength: int64(len(body))}}}})
	if err != nil {
		return "", err
	}
	key := p.name + "/manifest.json"
	p.keys = append(p.keys, file, key)
	if err := p.store.putOwn(ctx, file, body); err != nil {
		return "", err
	}
	return p.store.URI(key), p.store.putOwn(ctx, key, text)
}

// Remove deletes what the probe wrote.
func (p *Probe) Remove(ctx context.Context) error {
	for _, key := range p.keys {
		if err := p.store.objects.Delete(ctx, key); err != nil {
			return err
		}
	}
	p.keys = nil
	return nil
}
