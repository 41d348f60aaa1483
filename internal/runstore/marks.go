package runstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"backfill/internal/kafka"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

const maxPlansRead = 1000 // newest plans without a mark that are read while looking for one

// A mark is an empty object whose key says of which run, dataset and window the
// plan of its number is, so that one listing tells what else a read of each plan
// would. It is written after the plan. A plan without one, of an earlier version
// or of a process that was killed in between, is read. A mark is never believed:
// the plan that it points to is read and asked again.

func markPrefix(target string) string { return targetKey(target) + "/marks/" }

func markKey(target string, m runplan.Mark) string {
	return fmt.Sprintf("%s%012d.%s.%s.%d.%d", markPrefix(target), m.Seq, m.Run, m.Dataset, m.Window.From, m.Window.To)
}

// markOf reads a mark out of its key; what is no mark of this form is none.
func markOf(target, key string) (m runplan.Mark, ok bool) {
	parts := strings.Split(strings.TrimPrefix(key, markPrefix(target)), ".")
	if len(parts) != 5 {
		return m, false
	}
	var numbers [3]int64
	for i, part := range []string{parts[0], parts[3], parts[4]} {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil {
			return m, false
		}
		numbers[i] = n
	}
	m = runplan.Mark{Seq: runplan.Seq(numbers[0]), Run: runplan.RunID(parts[1]), Dataset: parts[2],
		Window: kafka.Window{From: kafka.Instant(numbers[1]), To: kafka.Instant(numbers[2])}}
	return m, markKey(target, m) == key
}

// mark lets the plan be found without being read.
func (s *Store) mark(ctx context.Context, head *runplan.Head) error {
	return s.putOwn(ctx, markKey(head.Target, head.Mark()), nil)
}

// marks lists the target's marks by the number of their plan.
func (s *Store) marks(ctx context.Context, target string) (map[runplan.Seq]runplan.Mark, error) {
	marks := map[runplan.Seq]runplan.Mark{}
	err := s.objects.List(ctx, markPrefix(target), func(o objstore.Object) error {
		if m, ok := markOf(target, o.Key); ok {
			marks[m.Seq] = m
		}
		return nil
	})
	return marks, err
}

// listed lists both at a time: a mark that comes in between costs one read.
func (s *Store) listed(ctx context.Context, target string) (keys []string, marks map[runplan.Seq]runplan.Mark, err error) {
	both, ctx := errgroup.WithContext(ctx)
	both.Go(func() (err error) { keys, err = s.planKeys(ctx, target); return err })
	both.Go(func() (err error) { marks, err = s.marks(ctx, target); return err })
	return keys, marks, both.Wait()
}

// Newest looks through the target's plans, newest first, and returns the first
// that accept takes; nil when none does.
func (s *Store) Newest(ctx context.Context, target string, accept func(runplan.Mark) bool) (*runplan.Head, error) {
	heads, err := s.NewestFew(ctx, target, 1, accept)
	if err != nil || len(heads) == 0 {
		return nil, err
	}
	return heads[0], nil
}

// NewestFew returns the newest plans of the target that accept takes, at most
// most of them. It reads those, and at most the 1000 newest that have no mark.
func (s *Store) NewestFew(ctx context.Context, target string, most int, accept func(runplan.Mark) bool) ([]*runplan.Head, error) {
	keys, marks, err := s.listed(ctx, target)
	if err != nil {
		return nil, err
	}
	var heads []*runplan.Head
	for unmarked := 0; len(keys) > 0 && len(heads) < most; keys = keys[1:] {
		mark, marked := marks[seqOf(target, keys[0])]
		if marked && !accept(mark) {
			continue
		}
		if !marked {
			if unmarked++; unmarked > maxPlansRead {
				continue
			}
		}
		head, err := s.Plan(ctx, keys[0])
		if errors.Is(err, fs.ErrNotExist) { // removed since it was listed
			continue
		}
		if err != nil {
			return nil, err
		}
		if accept(head.Mark()) {
			heads = append(heads, head)
		}
	}
	return heads, nil
}
