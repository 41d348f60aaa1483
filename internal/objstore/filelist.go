package objstore

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"backfill/internal/fail"
)

// maxEntries bounds one folder, which is held in memory to sort it.
const maxEntries = 1_000_000

// list walks the folders in the order of keys: a folder sorts as its name with
// a slash, as in S3. Links to files are listed; links to folders, devices and
// other things are refused, since skipping them would hide data.
func (s *fileStore) list(ctx context.Context, prefix string, fn func(Object) error) error {
	start := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		start = prefix[:i]
	}
	if start != "." && !fs.ValidPath(start) {
		return nil // no key begins so
	}
	err := s.within(ctx, prefix, func(root *os.Root) error {
		w := &walk{ctx: ctx, store: s, root: root, prefix: prefix, fn: fn}
		return w.folder(start)
	})
	var stop *callbackError
	if errors.As(err, &stop) {
		return stop.err
	}
	if isMissing(err) {
		return nil
	}
	return err
}

// callbackError carries the caller's own error past the classification.
type callbackError struct{ err error }

func (e *callbackError) Error() string { return e.err.Error() }

type walk struct {
	ctx    context.Context
	store  *fileStore
	root   *os.Root
	prefix string
	fn     func(Object) error
}

// level lists one folder as list walks it.
func (s *fileStore) level(ctx context.Context, dir string, object func(Object) error, folder func(string) error) error {
	start := "."
	if dir != "" {
		start = strings.TrimSuffix(dir, "/")
	}
	if !fs.ValidPath(start) {
		return nil // no key begins so
	}
	err := s.within(ctx, dir, func(root *os.Root) error {
		w := &walk{ctx: ctx, store: s, root: root, fn: object}
		entries, err := w.read(start)
		if err != nil {
			return err
		}
		for _, e := range entries {
			key := path.Join(start, e.Name())
			if !e.IsDir() {
				err = w.entry(key, e)
			} else if err = folder(key + "/"); err != nil {
				err = &callbackError{err}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	var stop *callbackError
	if errors.As(err, &stop) {
		return stop.err
	}
	if isMissing(err) {
		return nil
	}
	return err
}

type entry struct {
	fs.DirEntry
	sort string // the name, with a slash for folders
}

func (w *walk) folder(dir string) error {
	entries, err := w.read(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := w.ctx.Err(); err != nil {
			return classify(listing, w.store.uri(dir), err)
		}
		if err := w.entry(path.Join(dir, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) entry(key string, e entry) error {
	if e.IsDir() {
		below := key + "/"
		if strings.HasPrefix(below, w.prefix) || strings.HasPrefix(w.prefix, below) {
			if err := w.folder(key); !isMissing(err) { // a folder removed meanwhile is empty
				return err
			}
		}
		return nil
	}
	if !strings.HasPrefix(key, w.prefix) || strings.HasPrefix(e.Name(), tempPrefix) {
		return nil
	}
	info, err := w.root.Stat(key)
	link := e.Type()&fs.ModeSymlink != 0
	switch {
	case errors.Is(err, fs.ErrNotExist) && !link:
		return nil // removed meanwhile
	case errors.Is(err, fs.ErrNotExist), err == nil && !info.Mode().IsRegular():
		return fail.New(fail.Usage, "it is neither a file nor a link to one").At("%s", w.store.uri(key)).Try("replace it by a file, or move it out of the folder")
	case err != nil:
		return classifyFile(w.store.uri(key), err)
	}
	if err := w.fn(w.store.object(key, info)); err != nil {
		return &callbackError{err}
	}
	return nil
}

func (w *walk) read(dir string) (entries []entry, err error) {
	at := w.store.uri(dir)
	file, err := w.root.Open(dir)
	if err != nil {
		return nil, classifyFile(at, err)
	}
	defer func() {
		if e := file.Close(); err == nil && e != nil {
			err = classifyFile(at, e)
		}
	}()
	for len(entries) <= maxEntries {
		batch, err := file.ReadDir(1000)
		for _, e := range batch {
			sort := e.Name()
			if e.IsDir() {
				sort += "/"
			}
			entries = append(entries, entry{e, sort})
		}
		if errors.Is(err, io.EOF) {
			slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.sort, b.sort) })
			return entries, nil
		}
		if err != nil {
			return nil, classifyFile(at, err)
		}
	}
	return nil, fail.New(fail.Usage, "the folder holds more than %d files", maxEntries).At("%s", at).Try("spread the files over folders")
}
