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
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

const (
	segmentChunks  = 5000
	segmentObjects = 500_000 // a segment is closed when it lists so many, so that it stays far below maxSegment
	maxSegment     = 256 << 20
	maxSealTries   = 100
)

// Seal writes the chunks as compressed segments and then the head under the
// next free seq of the target. It completes head (Format, Seq, Segments,
// Chunks, Seal) and returns the head's key. When another plan takes the seq first, the next is
// tried: plans never overwrite each other.
func (s *Store) Seal(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) (string, error) {
	head.Format = runplan.Format
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
		body, err := sealed(head)
		if err != nil {
			return "", err
		}
		there, err := s.putNew(ctx, key, body)
		if err != nil {
			return "", err
		}
		if bytes.Equal(there, body) {
			if err := s.conditional(ctx, key, body); err != nil {
				return "", err
			}
			return key, s.mark(ctx, head)
		}
	}
	return "", fail.New(fail.Conflict, "%d plans took the next numbers of %s first", maxSealTries, head.Target).Try("run again")
}

// conditional writes the same bytes once more, which must be refused: all
// that keeps two pods apart rests on that.
func (s *Store) conditional(ctx context.Context, key string, body []byte) error {
	created, err := s.objects.PutNew(ctx, key, body)
	if err == nil && created {
		return Unconditional(s.URI(""))
	}
	return err
}

func (s *Store) putSegments(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) error {
	head.Segments, head.Chunks = nil, len(chunks)
	for part := nextSegment(chunks); len(part) > 0; part = nextSegment(chunks) {
		chunks = chunks[len(part):]
		body, err := packSegment(part)
		if err != nil {
			return err
		}
		key := fmt.Sprintf("%s/segments/%s/%05d.jsonl.zst", targetKey(head.Target), head.Attempt, len(head.Segments))
		if err := s.putOwn(ctx, key, body); err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		head.Segments = append(head.Segments, runplan.Segment{
			Key: key, Chunks: len(part), Bytes: int64(len(body)), SHA256: hex.EncodeToString(sum[:]),
		})
	}
	return nil
}

// nextSegment returns the first chunks that make one segment.
func nextSegment(chunks []runplan.Chunk) []runplan.Chunk {
	objects := 0
	for i := range chunks {
		if i == segmentChunks || objects >= segmentObjects {
			return chunks[:i]
		}
		objects += len(chunks[i].Objects) + len(chunks[i].Following)
	}
	return chunks
}

// sealed completes the head's Seal and returns its bytes.
func sealed(head *runplan.Head) ([]byte, error) {
	head.Seal = ""
	_, digest, err := encode(head)
	if err != nil {
		return nil, err
	}
	head.Seal = digest
	body, _, err := encode(head)
	return body, err
}

// unbroken reports whether the bytes are those that were sealed.
func unbroken(body []byte, seal string) bool {
	if seal == "" {
		return false
	}
	// Over the bytes, not the fields: a later version may have more of them.
	sum := sha256.Sum256(bytes.Replace(body, []byte(`"seal": "`+seal+`"`), []byte(`"seal": ""`), 1))
	return hex.EncodeToString(sum[:]) == seal
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
	head, _, err := s.PlanFile(ctx, key)
	return head, err
}

// PlanFile is Plan with what identifies the bytes that were read.
func (s *Store) PlanFile(ctx context.Context, key string) (*runplan.Head, Digest, error) {
	body, _, err := s.objects.ReadAll(ctx, key, maxHead)
	if err != nil {
		return nil, Digest{}, err
	}
	head, err := s.readPlan(key, body)
	return head, digestOf(key, body), err
}

func (s *Store) readPlan(key string, body []byte) (*runplan.Head, error) {
	var head runplan.Head
	if err := s.decode(key, body, &head, &head.Format); err != nil {
		return nil, err
	}
	if !unbroken(body, head.Seal) {
		return nil, fail.New(fail.Corrupt, "the plan was changed after sealing").At("%s", s.URI(key)).
			Try("restore the object from the bucket's versions, or plan again with --replan under another staging URI")
	}
	if planKey(head.Target, head.Seq) != key {
		return nil, fail.New(fail.Corrupt, "the plan says it is number %d of %s", head.Seq, head.Target).At("%s", s.URI(key)).
			Try("plans can't be moved or renamed; plan again")
	}
	return &head, nil
}

// PlanKey turns a plan's URI, as plan prints it, into its key.
func (s *Store) PlanKey(uri string) (string, error) {
	root := strings.TrimSuffix(s.URI("-"), "-")
	key, ok := strings.CutPrefix(uri, root)
	if folder, _, found := strings.Cut(key, "/plans/"); !ok || !found || seqOf(strings.TrimPrefix(folder, targetKey("")), key) == 0 {
		return "", fail.New(fail.Usage, "%s is not a plan below %s", uri, root).
			Try("give --plan the URI that `backfill plan` printed")
	}
	return key, nil
}

// KeyOf returns the key of a sealed head.
func KeyOf(head *runplan.Head) string { return planKey(head.Target, head.Seq) }

// Chunks reads a plan's chunks, in plan order.
func (s *Store) Chunks(ctx context.Context, head *runplan.Head) ([]runplan.Chunk, error) {
	return unpackAll(ctx, s, head, func(c runplan.Chunk) runplan.Chunk { return c })
}

// ChunkIDs reads the ids of a plan's chunks, in plan order, and none of the objects.
func (s *Store) ChunkIDs(ctx context.Context, head *runplan.Head) ([]runplan.ChunkID, error) {
	type named struct {
		ID runplan.ChunkID `json:"id"`
	}
	return unpackAll(ctx, s, head, func(c named) runplan.ChunkID { return c.ID })
}

// unpackAll reads a plan's segments, of each chunk what it is decoded into.
func unpackAll[C, T any](ctx context.Context, s *Store, head *runplan.Head, of func(C) T) (list []T, err error) {
	for _, seg := range head.Segments {
		body, err := s.named(ctx, seg.Key, maxSegment, "a segment of the plan")
		if err != nil {
			return nil, err
		}
		if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != seg.SHA256 {
			return nil, fail.New(fail.Corrupt, "a plan segment was changed after sealing").At("%s", s.URI(seg.Key)).Try("plan again with --replan")
		}
		if list, err = unpackSegment(list, body, of); err != nil {
			return nil, fail.Wrap(err, fail.Corrupt, "a plan segment can't be read").At("%s", s.URI(seg.Key)).Try("plan again with --replan")
		}
	}
	if len(list) != head.Chunks {
		return nil, fail.New(fail.Corrupt, "the plan's segments hold %d chunks, not %d", len(list), head.Chunks).At("%s", s.URI(KeyOf(head))).
			Try("plan again with --replan")
	}
	return list, nil
}

func unpackSegment[C, T any](list []T, body []byte, of func(C) T) ([]T, error) {
	r, err := zstd.NewReader(bytes.NewReader(body), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(1<<30))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	lines := json.NewDecoder(bufio.NewReader(r))
	for {
		var c C
		if err := lines.Decode(&c); err == io.EOF {
			return list, nil
		} else if err != nil {
			return nil, err
		}
		list = append(list, of(c))
	}
}

// seqOf returns the number of the target's plan at key, 0 when the key is none.
func seqOf(target, key string) runplan.Seq {
	name := strings.TrimSuffix(strings.TrimPrefix(key, planPrefix(target)), ".json")
	n, err := strconv.ParseInt(name, 10, 64)
	if seq := runplan.Seq(n); err == nil && n > 0 && planKey(target, seq) == key {
		return seq
	}
	return 0
}

// planKeys lists the target's plans, newest first. Other objects that stand
// between them, such as the marks that consoles leave for folders, are ignored.
func (s *Store) planKeys(ctx context.Context, target string) ([]string, error) {
	var keys []string
	err := s.objects.List(ctx, planPrefix(target), func(o objstore.Object) error {
		if seqOf(target, o.Key) > 0 {
			keys = append(keys, o.Key)
		}
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
	return seqOf(target, keys[0]), nil
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
	return s.planOr(ctx, key)
}

// planOr reads a plan that a person names, or says why it is gone.
func (s *Store) planOr(ctx context.Context, key string) (*runplan.Head, error) {
	head, err := s.Plan(ctx, key)
	folder, _, _ := strings.Cut(key, "/plans/")
	target := strings.TrimPrefix(folder, targetKey(""))
	return head, s.gone(ctx, target, seqOf(target, key), err)
}
