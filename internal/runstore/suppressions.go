package runstore

import (
	"context"
	"errors"
	"io/fs"

	"backfill/internal/fail"
)

// maxSuppressions bounds a list of erased people, in bytes.
const maxSuppressions = 64 << 20

func suppressionsKey(sha256 string) string { return "suppressions/" + sha256 + ".txt" }

// PutSuppressions keeps a list of erased people under the SHA-256 of its bytes.
func (s *Store) PutSuppressions(ctx context.Context, sha256 string, body []byte) error {
	return s.putOwn(ctx, suppressionsKey(sha256), body)
}

// Suppressions reads a list back; false: no plan kept it.
func (s *Store) Suppressions(ctx context.Context, sha256 string) ([]byte, bool, error) {
	key := suppressionsKey(sha256)
	body, _, err := s.objects.ReadAll(ctx, key, maxSuppressions)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err == nil && digestOf(key, body).SHA256 != sha256 {
		err = fail.New(fail.Corrupt, "the suppression list that plans were sealed with was changed").At("%s", s.URI(key)).Try("restore the object from the bucket's versions")
	}
	return body, err == nil, err
}
