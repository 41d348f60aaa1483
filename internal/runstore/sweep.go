package runstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// Runs and a gc at work keep out of one another's way by what they write first.
// A process writes that it uses something (it seals a plan, or claims an old one)
// and then looks whether a gc is at work; a gc writes that it is, and then looks
// who uses what. Whatever the order, one of them sees the other: either the gc
// leaves the thing alone, or the process takes another one.

const (
	// Margin is the least age of what is removed because nothing names it: a
	// process that writes it may be about to.
	Margin = 48 * time.Hour
	// AttemptLimit is how long an attempt at a chunk may take from its first file
	// to its receipt, so that it is younger than Margin.
	AttemptLimit = 24 * time.Hour
	// SweepLimit is how long a gc removes at most.
	SweepLimit = 12 * time.Hour
	// sweepEnds is the age from which the word of a gc stands for nothing: it was killed.
	sweepEnds = 2 * SweepLimit
	// claimFrom is the age from which a plan is claimed by who uses it. Younger ones
	// are never abandoned.
	claimFrom = 24 * time.Hour

	quarantineName = "quarantine.jsonl.zst"
	placesName     = "quarantine.places.jsonl.zst"

	maxSwept = 1 << 20
)

// Sweep is a gc at work.
type Sweep struct {
	store *Store
	key   string
}

// BeginSweep writes that a gc is at work: what is used from now on by others may
// not be seen by it.
func (s *Store) BeginSweep(ctx context.Context) (*Sweep, error) {
	w := &Sweep{store: s, key: "sweeping/" + NewAttempt() + ".json"}
	return w, s.putOwn(ctx, w.key, []byte("{}\n"))
}

// End takes the word back.
func (w *Sweep) End(ctx context.Context) error { return w.store.objects.Delete(ctx, w.key) }

// Sweeping reports whether a gc is at work.
func (s *Store) Sweeping(ctx context.Context, now time.Time) (bool, error) {
	at := false
	err := s.objects.List(ctx, "sweeping/", func(o objstore.Object) error {
		at = at || now.Sub(o.Modified) < sweepEnds
		return nil
	})
	return at, err
}

// SweepEnded reports whether a word of a gc stands for nothing.
func SweepEnded(it Item, now time.Time) bool { return now.Sub(it.Modified) >= sweepEnds }

// Claim writes that a process uses the plan, if it is so old that a gc could take
// it for abandoned, and reports whether one has removed it or may have begun to:
// it is not to be gone on with.
func (s *Store) Claim(ctx context.Context, head *runplan.Head, now time.Time) (removed bool, err error) {
	o, err := s.objects.Head(ctx, KeyOf(head))
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || now.Sub(o.Modified) < claimFrom { // by the store's clock, as a gc reckons
		return false, err
	}
	key := fmt.Sprintf("%s/claims/%012d/%s", targetKey(head.Target), head.Seq, NewAttempt())
	if err := s.putOwn(ctx, key, nil); err != nil {
		return false, err
	}
	mark, err := s.Aborted(ctx, head)
	if err != nil || mark != nil && mark.Removed {
		return true, err
	}
	return s.Sweeping(ctx, now)
}

func sweptKey(basis string) string { return "swept/" + basis + ".json" }

// PutSwept writes that Parquet of the basis goes; the first word stays.
func (s *Store) PutSwept(ctx context.Context, basis string, w runplan.Swept) error {
	w.Format = runplan.Format
	body, _, err := encode(w)
	if err == nil {
		_, err = s.objects.PutNew(ctx, sweptKey(basis), body)
	}
	return err
}

// Swept returns the word on removed Parquet of the basis, nil when none was.
func (s *Store) Swept(ctx context.Context, b runplan.Basis) (*runplan.Swept, error) {
	key := sweptKey(b.ID())
	body, _, err := s.objects.ReadAll(ctx, key, maxSwept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var w runplan.Swept
	return &w, s.decode(key, body, &w, &w.Format)
}

// Missing counts the Parquet files that receipts name and staging does not hold.
func (s *Store) Missing(ctx context.Context, receipts []*runplan.ChunkReceipt) (int64, error) {
	var missing atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(16)
	for _, r := range receipts {
		if r == nil {
			continue
		}
		for _, f := range r.Parquet {
			group.Go(func() error {
				_, err := s.objects.Head(ctx, f.Key)
				if errors.Is(err, fs.ErrNotExist) {
					missing.Add(1)
					return nil
				}
				return err
			})
		}
	}
	err := group.Wait()
	return missing.Load(), err
}

// PutRemoved writes why a plan that nobody uses goes; a word that stands stays.
func (s *Store) PutRemoved(ctx context.Context, target string, seq runplan.Seq, a runplan.Abort) error {
	a.Format, a.Seq, a.Removed = runplan.Format, seq, true
	body, _, err := encode(a)
	if err == nil {
		_, err = s.objects.PutNew(ctx, abortKeyOf(target, seq), body)
	}
	return err
}

// gone says why there is no plan of that number, if it is known.
func (s *Store) gone(ctx context.Context, target string, seq runplan.Seq, missing error) error {
	if !errors.Is(missing, fs.ErrNotExist) {
		return missing
	}
	key := abortKeyOf(target, seq)
	body, _, err := s.objects.ReadAll(ctx, key, maxReceipt)
	if err != nil {
		return missing
	}
	mark, err := s.readAbort(key, body)
	if err != nil {
		return missing
	}
	return fail.Wrap(missing, fail.NotFoundInput, "%s; it is gone from staging", mark).At("%s", target).
		Try("run the window again: backfill run --dataset F --from A --to B seals a new plan")
}

// Remove deletes objects, those of first before those of then.
func (s *Store) Remove(ctx context.Context, first, then []string) error {
	for _, keys := range [][]string{first, then} {
		for len(keys) > 0 {
			n := min(len(keys), objstore.MaxDelete)
			if err := s.objects.DeleteAll(ctx, keys[:n]); err != nil {
				return err
			}
			keys = keys[n:]
		}
	}
	return nil
}

// Uploads calls fn for every upload to staging that was begun and not ended.
func (s *Store) Uploads(ctx context.Context, fn func(objstore.Pending) error) error {
	return s.objects.Uploads(ctx, fn)
}

// AbortUpload drops an unfinished upload.
func (s *Store) AbortUpload(ctx context.Context, p objstore.Pending) error {
	return s.objects.AbortUpload(ctx, p)
}

// OpenQuarantine opens a quarantine file as its receipt names it, or what is left
// of it when its raw bytes were removed.
func (s *Store) OpenQuarantine(ctx context.Context, f *runplan.File) (io.ReadCloser, error) {
	body, err := s.objects.Get(ctx, f.Key, objstore.Object{Key: f.Key, Size: f.Size, ETag: f.ETag})
	if err == nil || !errors.Is(err, fs.ErrNotExist) && !fail.Is(err, fail.ArchiveChanged) {
		return body, err
	}
	left, again := s.objects.Get(ctx, placesKey(f.Key), objstore.Object{})
	if errors.Is(again, fs.ErrNotExist) {
		return nil, err
	}
	return left, again
}

func placesKey(key string) string { return path.Dir(key) + "/" + placesName }

// StripQuarantine replaces a quarantine file by what rewrite makes of it: the
// bytes go after what is left of them stands.
func (s *Store) StripQuarantine(ctx context.Context, it Item, rewrite func(io.Reader, io.Writer) error) (err error) {
	body, err := s.objects.Get(ctx, it.Key, it.Object)
	if errors.Is(err, fs.ErrNotExist) || fail.Is(err, fail.ArchiveChanged) {
		return nil // another gc was first
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	up, err := s.objects.Create(ctx, placesKey(it.Key))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, up.Abort(ctx)) }()
	if err := rewrite(body, up); err != nil {
		return fmt.Errorf("rewriting %s: %w", s.URI(it.Key), err)
	}
	if _, err := up.Commit(ctx); err != nil {
		return err
	}
	return s.objects.Delete(ctx, it.Key)
}

// SealedReport returns the seal and the evidence of a report's folder.
func (s *Store) SealedReport(ctx context.Context, folder string) (seal, evidence []byte, err error) {
	if seal, err = s.read(ctx, folder+"/"+SealName); err != nil {
		return nil, nil, err
	}
	evidence, err = s.read(ctx, folder+"/"+EvidenceName)
	return seal, evidence, err
}

// ChunkOfReceipt returns the chunk whose receipt stands under the key, "" for others.
func ChunkOfReceipt(key string) runplan.ChunkID {
	id, ok := strings.CutSuffix(strings.TrimPrefix(key, "chunks/"), "/receipt.json")
	if !ok || receiptKey(runplan.ChunkID(id)) != key {
		return ""
	}
	return runplan.ChunkID(id)
}
