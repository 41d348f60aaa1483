package runstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"backfill/internal/objstore"
	"backfill/internal/runplan"
)

// maxWork bounds how many records of processes are listed of one run, and
// maxWorkBytes what is read of one.
const (
	maxWork      = 1000
	maxWorkBytes = 1 << 20
)

// WorkName is the record of what a process did, in its folder.
const WorkName = "work.json"

// NewWork returns the key of a folder for what a process leaves of its work on a
// run: where its time went, and profiles. Names sort by time.
func NewWork(target string, run runplan.RunID, began time.Time, command string) string {
	return fmt.Sprintf("%s/work/%s/%s-%s-%s", targetKey(target), run, began.UTC().Format("20060102T150405.000Z"), strings.ReplaceAll(command, " ", "-"), NewAttempt())
}

// PutWork keeps a file in a folder of NewWork and returns its URI.
func (s *Store) PutWork(ctx context.Context, folder, name string, body []byte) (string, error) {
	key := folder + "/" + name
	return s.URI(key), s.putOwn(ctx, key, body)
}

// Work reads the newest records of processes that worked on the run, at most n,
// newest first. One that vanishes meanwhile is left out.
func (s *Store) Work(ctx context.Context, target string, run runplan.RunID, n int) ([][]byte, error) {
	var keys []string
	err := s.objects.List(ctx, fmt.Sprintf("%s/work/%s/", targetKey(target), run), func(o objstore.Object) error {
		if strings.HasSuffix(o.Key, "/"+WorkName) {
			if keys = append(keys, o.Key); len(keys) > maxWork { // the oldest ones go
				keys = slices.Delete(keys, 0, 1)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(keys)
	slices.Reverse(keys)
	var list [][]byte
	for _, key := range keys[:min(n, len(keys))] {
		body, _, err := s.objects.ReadAll(ctx, key, maxWorkBytes)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, body)
	}
	return list, nil
}
