package runstore

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

const (
	segmentChunks  = 5000
	maxSegment     = 256 << 20
	maxSealTries   = 100
	maxPlansLooked = 1000 // newest plans that are looked through for a run
)

// Seal writes the chunks as compressed segments and then the head under the
// next free seq of the target. It completes head (Seq, Segments, Chunks) and
// returns the head's key. When another plan takes the seq first, the next is
// tried: plans never overwrite each other.
func (s *Store) Seal(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) (string, error) {
	if err := s.putSegments(ctx, head, chunks); err != nil {
		return "", err
	}
	newest, err := s.newestSeq(ctx, head.Target)
	if err != nil {
		return "", err
	}
	for try := range maxSealTries {
		head.Seq = newest + 1 + runplan.Seq(try)
		key := planKey(head.Target, head.Seq)
		body, _, err := encode(head)
		if err != nil {
			return "", err
		}
		there, err := s.putNew(ctx, key, body)
		if err != nil {
			return "", err
		}
		if bytes.Equal(there, body) {
			return key, nil
		}
	}
	return "", fail.New(fail.Conflict, "%d plans took the next numbers of %s first", maxSealTries, head.Target).Try("run again")
}

func (s *Store) putSegments(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) error {
	head.Segments, head.Chunks = nil, len(chunks)
	for start := 0; start < len(chunks); start += segmentChunks {
		part := chunks[start:min(start+segmentChunks, len(chunks))]
		body, err := packSegment(part)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("%s/segments/%s/%05d.jsonl.zst", targetKey(head.Target), head.Attempt, len(head.Segments))
		if _, err := s.putNew(ctx, key, body); err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		head.Segments = append(head.Segments, runplan.Segment{
			Key: key, Chunks: len(part), Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	return nil
}

func packSegment(chunks []runplan.Chunk) ([]byte, error) {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, fail.Wrap(err, fail.Internal, "starting zstd")
	}
	lines := json.NewEncoder(w)
	for i := range chunks {
		if err := lines.Encode(&chunks[i]); err != nil {
			return nil, fail.Wrap(err, fail.Internal, "encoding a chunk")
		}
	}
	if err := w.Close(); err != nil {
		return nil, fail.Wrap(err, fail.Internal, "compressing chunks")
	}
	return out.Bytes(), nil
}

// Plan reads a sealed head by its key.
func (s *Store) Plan(ctx context.Context, key string) (*runplan.Head, error) {
	body, _, err := s.objects.ReadAll(ctx, key, maxHead)
	if err != nil {
		return nil, err
	}
	var head runplan.Head
	if err := s.decode(key, body, &head, &head.Format); err != nil {
		return nil, err
	}
	if planKey(head.Target, head.Seq) != key {
		return nil, fail.New(fail.Corrupt, "the plan says it is number %d of %s", head.Seq, head.Target).At("%s", s.URI(key)).
			Try("plans can't be moved or renamed; plan again")
	}
	return &head, nil
}

// PlanKey turns a plan's URI, as plan prints it, into its key.
func (s *Store) PlanKey(uri string) (string, error) {
	root := s.uri.String()
	key, ok := strings.CutPrefix(uri, strings.TrimSuffix(root, "/")+"/")
	if !ok || !strings.Contains(key, "/plans/") {
		return "", fail.New(fail.Usage, "%s is not a plan below %s", uri, root).
			Try("give --plan the URI that `backfill plan` printed")
	}
	return key, nil
}

// KeyOf returns the key of a sealed head.
func KeyOf(head *runplan.Head) string { return planKey(head.Target, head.Seq) }

// Chunks reads a plan's chunks, in plan order.
func (s *Store) Chunks(ctx context.Context, head *runplan.Head) ([]runplan.Chunk, error) {
	chunks := make([]runplan.Chunk, 0, head.Chunks)
	for _, seg := range head.Segments {
		body, _, err := s.objects.ReadAll(ctx, seg.Key, maxSegment)
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != seg.SHA256 {
			return nil, fail.New(fail.Corrupt, "a plan segment was changed after sealing").At("%s", s.URI(seg.Key)).Try("plan again with --replan")
		}
		if chunks, err = unpackSegment(chunks, body); err != nil {
			return nil, fail.Wrap(err, fail.Corrupt, "a plan segment can't be read").At("%s", s.URI(seg.Key)).Try("plan again with --replan")
		}
	}
	if len(chunks) != head.Chunks {
		return nil, fail.New(fail.Corrupt, "the plan's segments hold %d chunks, not %d", len(chunks), head.Chunks).At("%s", s.URI(KeyOf(head)))
	}
	return chunks, nil
}

func unpackSegment(chunks []runplan.Chunk, body []byte) ([]runplan.Chunk, error) {
	r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	lines := json.NewDecoder(bufio.NewReader(r))
	for {
		var c runplan.Chunk
		if err := lines.Decode(&c); err == io.EOF {
			return chunks, nil
		} else if err != nil {
			return nil, err
		}
		chunks = append(chunks, c)
	}
}

func (s *Store) planKeys(ctx context.Context, target string) ([]string, error) {
	var keys []string
	err := s.objects.List(ctx, planPrefix(target), func(o objstore.Object) error {
		keys = append(keys, o.Key)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(keys)
	slices.Reverse(keys)
	return keys, nil
}

func (s *Store) newestSeq(ctx context.Context, target string) (runplan.Seq, error) {
	keys, err := s.planKeys(ctx, target)
	if err != nil || len(keys) == 0 {
		return 0, err
	}
	head, err := s.Plan(ctx, keys[0])
	if err != nil {
		return 0, err
	}
	return head.Seq, nil
}

// Newest looks through the target's plans, newest first, and returns the first
// that accept takes; nil when none does.
func (s *Store) Newest(ctx context.Context, target string, accept func(*runplan.Head) bool) (*runplan.Head, error) {
	keys, err := s.planKeys(ctx, target)
	if err != nil {
		return nil, err
	}
	for i, key := range keys {
		if i == maxPlansLooked {
			break
		}
		head, err := s.Plan(ctx, key)
		if err != nil {
			return nil, err
		}
		if accept(head) {
			return head, nil
		}
	}
	return nil, nil
}

// ReadPlan reads a sealed head by its URI, below the staging URI it names.
func ReadPlan(ctx context.Context, staging, uri string) (*runplan.Head, error) {
	root, err := objstore.ParseURI(staging)
	if err != nil {
		return nil, err
	}
	objects, err := objstore.Open(ctx, root, objstore.Options{})
	if err != nil {
		return nil, err
	}
	s := New(objects, root)
	key, err := s.PlanKey(uri)
	if err != nil {
		return nil, err
	}
	return s.Plan(ctx, key)
}
