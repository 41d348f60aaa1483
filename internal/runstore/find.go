package runstore

import (
	"context"
	"errors"
	"io/fs"
	"strconv"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/runplan"
)

// Find returns the plan of the target that a person names: by its number, by a
// run's id (the run's newest plan) or by the plan's URI. A key stands for the URI.
func (s *Store) Find(ctx context.Context, target, name string) (*runplan.Head, error) {
	missing := func(cause error) error {
		return fail.Wrap(cause, fail.NotFoundInput, "there is no plan or run %q of %s", name, target).
			Try("give a plan's number or URI, or a run's id; `backfill status --dataset F` lists them")
	}
	if strings.Contains(name, "/") {
		key, err := s.PlanKey(name)
		if err != nil {
			return nil, err
		}
		return s.planOr(ctx, key)
	}
	if n, err := strconv.ParseInt(name, 10, 64); err == nil && n > 0 {
		head, err := s.Plan(ctx, planKey(target, runplan.Seq(n)))
		if errors.Is(err, fs.ErrNotExist) {
			if known := s.gone(ctx, target, runplan.Seq(n), err); known != err {
				return nil, known
			}
			return nil, missing(err)
		}
		return head, err
	}
	head, err := s.Newest(ctx, target, func(m runplan.Mark) bool { return string(m.Run) == name })
	if err == nil && head == nil {
		err = missing(nil)
	}
	return head, err
}

// PutAbort marks the plan as stopped and returns the mark that stands: the
// first one wins.
func (s *Store) PutAbort(ctx context.Context, head *runplan.Head, a runplan.Abort) (*runplan.Abort, error) {
	a.Format, a.Seq = runplan.Format, head.Seq
	body, _, err := encode(a)
	if err != nil {
		return nil, err
	}
	key := abortKey(head)
	there, err := s.putNew(ctx, key, body)
	if err != nil {
		return nil, err
	}
	return s.readAbort(key, there)
}

// Aborted returns the mark of a plan that a person stopped, nil when nobody did.
func (s *Store) Aborted(ctx context.Context, head *runplan.Head) (*runplan.Abort, error) {
	key := abortKey(head)
	body, _, err := s.objects.ReadAll(ctx, key, maxReceipt)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.readAbort(key, body)
}

func (s *Store) readAbort(key string, body []byte) (*runplan.Abort, error) {
	var a runplan.Abort
	return &a, s.decode(key, body, &a, &a.Format)
}

func abortKey(head *runplan.Head) string { return abortKeyOf(head.Target, head.Seq) }

func abortKeyOf(target string, seq runplan.Seq) string { return loadKey(target, seq) + "/aborted.json" }
