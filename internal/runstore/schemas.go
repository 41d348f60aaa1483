package runstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"backfill/internal/fail"
	"backfill/internal/runplan"
)

// maxSchemas bounds a set of schemas that is read back.
const maxSchemas = 512 << 20

// PutSchemas keeps an encoded set of schemas under its digest and returns how a
// plan names it. Equal sets are one object.
func (s *Store) PutSchemas(ctx context.Context, text []byte, count int) (*runplan.Schemas, error) {
	sum := sha256.Sum256(text)
	named := &runplan.Schemas{SHA256: hex.EncodeToString(sum[:]), Count: count}
	named.Key = "schemas/" + named.SHA256 + ".json"
	return named, s.putOwn(ctx, named.Key, text)
}

// Schemas reads the set that a plan names.
func (s *Store) Schemas(ctx context.Context, named *runplan.Schemas) ([]byte, error) {
	text, err := s.named(ctx, named.Key, maxSchemas, "the set of schemas")
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(text); hex.EncodeToString(sum[:]) != named.SHA256 {
		return nil, fail.New(fail.Corrupt, "the schemas are not those that the plan sealed").At("%s", s.URI(named.Key)).
			Try("restore the object from the bucket's versions, or plan again with --replan")
	}
	return text, nil
}
