// Package runstore is the sole owner of the keys under the staging URI: plans,
// chunk receipts, Parquet, quarantine, manifests, slice receipts and reports.
//
//	targets/<table>/plans/<seq>.json          sealed plan heads, one per seq
//	targets/<table>/marks/<seq>.<run>.…       what a plan is looked for by; empty
//	targets/<table>/segments/<attempt>/…      compressed chunk lists
//	targets/<table>/loads/<seq>/…             manifests and slice receipts
//	targets/<table>/reports/<run>/<name>/…    a report, its evidence and its seal
//	targets/<table>/claims/<seq>/…            that a process uses an old plan; empty
//	targets/<table>/work/<run>/<process>/…    where the time of a process went, and its profiles
//	suppressions/<sha256>.txt                 lists of erased people that plans were sealed with
//	schemas/<digest>.json                     schemas of framed values, as a plan sealed them
//	sweeping/<name>.json                      that a gc is at work
//	swept/<basis>.json                        that Parquet of some chunks was removed
//	chunks/<id>/receipt.json                  what converting a chunk gave
//	chunks/<id>/<attempt>/…                   Parquet and quarantine of an attempt
//
// Everything is immutable and published last: a reader ignores what no plan or
// receipt names. Only a gc removes anything, see sweep.go. The package writes the types of runplan; jobs use it.
package runstore

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// Limits of what is read back into memory, in bytes.
const (
	maxHead    = 16 << 20
	maxReceipt = 64 << 20
)

// Store keeps the runs below one staging URI.
type Store struct {
	objects *objstore.Store
	uri     objstore.URI
}

// New returns the store below the URI that objects was opened with.
func New(objects *objstore.Store, uri objstore.URI) *Store {
	return &Store{objects: objects, uri: uri}
}

// URI returns the full URI of a key.
func (s *Store) URI(key string) string { return s.uri.Join(key).String() }

// NewAttempt returns a random name for one attempt at one step.
func NewAttempt() string { return rand.Text()[:16] }

func targetKey(target string) string       { return "targets/" + target }
func planPrefix(target string) string      { return targetKey(target) + "/plans/" }
func chunkKey(id runplan.ChunkID) string   { return "chunks/" + string(id) }
func receiptKey(id runplan.ChunkID) string { return chunkKey(id) + "/receipt.json" }
func planKey(target string, seq runplan.Seq) string {
	return fmt.Sprintf("%s%012d.json", planPrefix(target), seq)
}
func loadKey(target string, seq runplan.Seq) string {
	return fmt.Sprintf("%s/loads/%012d", targetKey(target), seq)
}

// encode gives the bytes of a small document and their hex SHA-256.
func encode(doc any) (body []byte, digest string, err error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", " ")
	e.SetEscapeHTML(false) // URIs and SQL are read by people
	if err := e.Encode(doc); err != nil {
		return nil, "", fail.Wrap(err, fail.Internal, "encoding a staging document")
	}
	body = b.Bytes()
	sum := sha256.Sum256(body)
	return body, hex.EncodeToString(sum[:]), nil
}

// decode reads a small document; format is its version as read.
func (s *Store) decode(key string, body []byte, doc any, format *int) error {
	if err := json.Unmarshal(body, doc); err != nil {
		return fail.Wrap(err, fail.Corrupt, "a staging document can't be read").At("%s", s.URI(key)).
			Try("restore the object from the bucket's versions, or run with another staging URI")
	}
	if *format != runplan.Format {
		return fail.New(fail.Corrupt, "format %d is not the format %d of this program", *format, runplan.Format).At("%s", s.URI(key)).
			Try("use the program version that wrote it, or another staging URI")
	}
	return nil
}

// putNew publishes a document under a key that decides between writers. It
// returns the bytes that stand there: ours, or those of the first writer.
func (s *Store) putNew(ctx context.Context, key string, body []byte) ([]byte, error) {
	created, err := s.objects.PutNew(ctx, key, body)
	if err != nil {
		return nil, err
	}
	if created {
		return body, nil
	}
	there, _, err := s.objects.ReadAll(ctx, key, maxReceipt)
	return there, err
}

// putOwn publishes a document under a key that only this attempt writes. Other
// bytes that stand there are an error, never taken for ours.
func (s *Store) putOwn(ctx context.Context, key string, body []byte) error {
	there, err := s.putNew(ctx, key, body)
	if err != nil {
		return err
	}
	if !bytes.Equal(there, body) {
		return fail.New(fail.Internal, "another document stands under the key of this attempt").At("%s", s.URI(key))
	}
	return nil
}

// named reads an object that a plan or the ledger names: it must be there.
func (s *Store) named(ctx context.Context, key string, limit int64, what string) ([]byte, error) {
	body, _, err := s.objects.ReadAll(ctx, key, limit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail.Wrap(err, fail.Corrupt, "%s is gone from staging", what).
			Try("restore the object from the bucket's versions, or plan again with --replan")
	}
	return body, err
}
