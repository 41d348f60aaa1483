package runstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// ChunkReceipt returns the receipt of a chunk, or nil when it is not converted yet.
func (s *Store) ChunkReceipt(ctx context.Context, id runplan.ChunkID) (*runplan.ChunkReceipt, error) {
	r, _, err := s.ChunkReceiptFile(ctx, id)
	return r, err
}

// ChunkReceiptFile is ChunkReceipt with what identifies the bytes that were read.
func (s *Store) ChunkReceiptFile(ctx context.Context, id runplan.ChunkID) (*runplan.ChunkReceipt, Digest, error) {
	key := receiptKey(id)
	body, _, err := s.objects.ReadAll(ctx, key, maxReceipt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, Digest{}, nil
	}
	if err != nil {
		return nil, Digest{}, err
	}
	r, err := s.readChunkReceipt(key, id, body)
	return r, digestOf(key, body), err
}

func (s *Store) readChunkReceipt(key string, id runplan.ChunkID, body []byte) (*runplan.ChunkReceipt, error) {
	var r runplan.ChunkReceipt
	if err := s.decode(key, body, &r, &r.Format); err != nil {
		return nil, err
	}
	if r.Chunk != id {
		return nil, fail.New(fail.Corrupt, "the receipt belongs to chunk %q", r.Chunk).At("%s", s.URI(key)).Try("remove the object and convert again")
	}
	if r.Counts == nil {
		return nil, fail.New(fail.Corrupt, "the receipt counts nothing").At("%s", s.URI(key)).Try("remove the object and convert again")
	}
	return &r, nil
}

// PutChunkReceipt publishes a receipt and returns the one that stands: the
// first writer of a chunk wins, and both outputs are equal.
func (s *Store) PutChunkReceipt(ctx context.Context, r *runplan.ChunkReceipt) (*runplan.ChunkReceipt, error) {
	r.Format = runplan.Format
	body, _, err := encode(r)
	if err != nil {
		return nil, err
	}
	key := receiptKey(r.Chunk)
	there, err := s.putNew(ctx, key, body)
	if err != nil {
		return nil, err
	}
	if bytes.Equal(there, body) {
		return r, nil
	}
	return s.readChunkReceipt(key, r.Chunk, there)
}

// NewParquet starts the n-th Parquet file of an attempt at a chunk.
func (s *Store) NewParquet(ctx context.Context, id runplan.ChunkID, attempt string, n int) (*objstore.Upload, string, error) {
	key := fmt.Sprintf("%s/%s/part-%05d.parquet", chunkKey(id), attempt, n)
	up, err := s.objects.Create(ctx, key)
	return up, key, err
}

// NewQuarantine starts the quarantine file of an attempt at a chunk.
func (s *Store) NewQuarantine(ctx context.Context, id runplan.ChunkID, attempt string) (*objstore.Upload, string, error) {
	key := fmt.Sprintf("%s/%s/%s", chunkKey(id), attempt, quarantineName)
	up, err := s.objects.Create(ctx, key)
	return up, key, err
}

type manifest struct {
	Entries []manifestEntry `json:"entries"`
}

type manifestEntry struct {
	URL       string       `json:"url"`
	Mandatory bool         `json:"mandatory"`
	Meta      manifestMeta `json:"meta"`
}

type manifestMeta struct {
	ContentLength int64 `json:"content_length"`
}

// PutManifest writes the COPY manifest of all receipts' Parquet files and
// returns its URI and the rows it holds.
func (s *Store) PutManifest(ctx context.Context, head *runplan.Head, receipts []*runplan.ChunkReceipt) (uri string, rows int64, err error) {
	m := manifest{Entries: []manifestEntry{}}
	for _, r := range receipts {
		for _, f := range r.Parquet {
			m.Entries = append(m.Entries, manifestEntry{URL: s.URI(f.Key), Mandatory: true, Meta: manifestMeta{ContentLength: f.Size}})
			rows += f.Rows
		}
	}
	body, _, err := encode(m)
	if err != nil {
		return "", 0, err
	}
	key := fmt.Sprintf("%s/%s/manifest.json", loadKey(head.Target, head.Seq), NewAttempt())
	if err := s.putOwn(ctx, key, body); err != nil {
		return "", 0, err
	}
	return s.URI(key), rows, nil
}

// PutSlice writes a slice receipt under a key of its attempt and returns the
// key and the hex SHA-256 that the ledger row names.
func (s *Store) PutSlice(ctx context.Context, r *runplan.SliceReceipt) (key, digest string, err error) {
	r.Format = runplan.Format
	body, digest, err := encode(r)
	if err != nil {
		return "", "", err
	}
	key = fmt.Sprintf("%s/slice-%05d-%s.json", loadKey(r.Target, r.Seq), r.Slice.Index, NewAttempt())
	if err := s.putOwn(ctx, key, body); err != nil {
		return "", "", err
	}
	return key, digest, nil
}

// Slice reads a slice receipt that the ledger names, and proves that it was
// not changed since.
func (s *Store) Slice(ctx context.Context, key, digest string) (*runplan.SliceReceipt, error) {
	body, err := s.named(ctx, key, maxReceipt, "the slice receipt of a ledger row")
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != digest {
		return nil, fail.New(fail.Corrupt, "the slice receipt was changed after its commit").At("%s", s.URI(key)).
			Try("restore the object from the bucket's versions; the ledger names its SHA-256")
	}
	var r runplan.SliceReceipt
	if err := s.decode(key, body, &r, &r.Format); err != nil {
		return nil, err
	}
	return &r, nil
}
