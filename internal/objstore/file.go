package objstore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"backfill/internal/fail"
)

// tempPrefix begins the names of files that are being written. They are never
// listed, and a key can't have such a name.
const tempPrefix = ".backfill-partial-"

// fileStore keeps objects as files below a folder. The folder is opened for
// each operation through os.Root, so that no symbolic link leads out of it.
//
// An ETag is made of size, modification time and inode: it sees every change
// that a program can make without setting clocks back, and needs no reading.
type fileStore struct{ root URI }

func (s *fileStore) uri(key string) URI { return s.root.Join(key) }

func (s *fileStore) folder() string { return "/" + s.root.Key }

// checkKey refuses keys that are not one plain path below the root.
func (s *fileStore) checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." {
		return fail.New(fail.Usage, "key %q is not a plain path", key).At("%s", s.root).Try("leave out empty segments, . and ..")
	}
	for segment := range strings.SplitSeq(key, "/") {
		if strings.HasPrefix(segment, tempPrefix) {
			return fail.New(fail.Usage, "key %q has a name kept for unfinished files", key).At("%s", s.root)
		}
	}
	return nil
}

func (s *fileStore) object(key string, info fs.FileInfo) Object {
	var inode uint64
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		inode = stat.Ino
	}
	return Object{
		Key: key, Size: info.Size(), Modified: info.ModTime().UTC(),
		ETag: fmt.Sprintf("%x-%x-%x", info.Size(), info.ModTime().UnixNano(), inode),
	}
}

// within runs fn with the open root.
func (s *fileStore) within(ctx context.Context, key string, fn func(root *os.Root) error) (err error) {
	if err := ctx.Err(); err != nil {
		return classify(getting, s.uri(key), err)
	}
	root, err := os.OpenRoot(s.folder())
	if err != nil {
		return classifyFile(s.uri(key), err)
	}
	defer func() {
		if e := root.Close(); err == nil && e != nil {
			err = classifyFile(s.uri(key), e)
		}
	}()
	return fn(root)
}

func (s *fileStore) head(ctx context.Context, key string) (o Object, err error) {
	err = s.within(ctx, key, func(root *os.Root) error {
		info, err := root.Stat(key)
		if err == nil && info.IsDir() {
			err = syscall.ENOENT // as in S3, a folder is no object
		}
		if err != nil {
			return classifyFile(s.uri(key), err)
		}
		o = s.object(key, info)
		return nil
	})
	return o, err
}

func (s *fileStore) get(ctx context.Context, key string, match Object) (body io.ReadCloser, o Object, err error) {
	err = s.within(ctx, key, func(root *os.Root) error {
		file, err := root.Open(key)
		if err != nil {
			return classifyFile(s.uri(key), err)
		}
		info, err := file.Stat()
		if err == nil && info.IsDir() {
			err = syscall.ENOENT
		}
		if err != nil {
			return errors.Join(classifyFile(s.uri(key), err), file.Close())
		}
		o = s.object(key, info)
		if match.ETag != "" && match.ETag != o.ETag {
			return errors.Join(changed(s.uri(key), errors.New("its size, time or inode differs")), file.Close())
		}
		body = &fileBody{ctx: ctx, store: s, file: file, object: o, left: o.Size}
		return nil
	})
	if isMissing(err) && match.ETag != "" {
		err = changed(s.uri(key), causeOf(err))
	}
	return body, o, err
}

// fileBody reads exactly the file that was opened, and looks once more after
// the last byte whether it stayed the same.
type fileBody struct {
	ctx    context.Context
	store  *fileStore
	file   *os.File
	object Object
	left   int64
}

// Read gives io.EOF only after the last byte of an unchanged file.
func (b *fileBody) Read(p []byte) (int, error) {
	if err := b.ctx.Err(); err != nil {
		return 0, classify(getting, b.store.uri(b.object.Key), err)
	}
	if b.left > 0 {
		n, err := b.file.Read(p[:min(int64(len(p)), b.left)])
		b.left -= int64(n)
		switch {
		case err == nil: // the URI is made for errors only
			return n, nil
		case errors.Is(err, io.EOF):
			return n, changed(b.store.uri(b.object.Key), fmt.Errorf("%d bytes are missing at its end", b.left))
		}
		return n, classifyFile(b.store.uri(b.object.Key), err)
	}
	at := b.store.uri(b.object.Key)
	info, err := b.file.Stat()
	if err != nil {
		return 0, classifyFile(at, err)
	}
	if b.store.object(b.object.Key, info).ETag != b.object.ETag {
		return 0, changed(at, errors.New("its size or time changed while it was read"))
	}
	return 0, io.EOF
}

// Close closes the file.
func (b *fileBody) Close() error {
	return classifyFile(b.store.uri(b.object.Key), b.file.Close())
}

func (s *fileStore) putNew(ctx context.Context, key string, body []byte) (created bool, err error) {
	up, err := s.start(ctx, key)
	if err != nil {
		return false, err
	}
	if _, err := up.write(body); err != nil {
		return false, errors.Join(err, up.abort(ctx))
	}
	if err := up.close(); err != nil {
		return false, errors.Join(err, up.abort(ctx))
	}
	err = up.root.Link(up.temp, key)
	created = err == nil
	if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	return created, errors.Join(classifyFile(s.uri(key), err), up.abort(ctx))
}

func (s *fileStore) create(ctx context.Context, key string) (uploader, error) {
	return s.start(ctx, key)
}

// start makes the folders of the key and an empty temporary file beside it.
func (s *fileStore) start(ctx context.Context, key string) (*fileUpload, error) {
	if err := ctx.Err(); err != nil {
		return nil, classify(putting, s.uri(key), err)
	}
	if err := os.MkdirAll(s.folder(), 0o755); err != nil {
		return nil, classifyFile(s.uri(key), err)
	}
	root, err := os.OpenRoot(s.folder())
	if err != nil {
		return nil, classifyFile(s.uri(key), err)
	}
	temp := path.Join(path.Dir(key), tempPrefix+rand.Text())
	err = root.MkdirAll(path.Dir(key), 0o755)
	if err == nil {
		var file *os.File
		if file, err = root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); err == nil {
			return &fileUpload{ctx: ctx, store: s, root: root, file: file, key: key, temp: temp}, nil
		}
	}
	return nil, errors.Join(classifyFile(s.uri(key), err), root.Close())
}

// fileUpload writes a temporary file and renames it.
type fileUpload struct {
	ctx   context.Context
	store *fileStore
	root  *os.Root
	file  *os.File // nil once closed
	key   string
	temp  string
}

func (u *fileUpload) write(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, classify(putting, u.store.uri(u.key), err)
	}
	n, err := u.file.Write(p)
	if err != nil { // only then the URI is made
		err = classifyFile(u.store.uri(u.key), err)
	}
	return n, err
}

// close brings the bytes to the disk.
func (u *fileUpload) close() error {
	file := u.file
	u.file = nil
	err := file.Sync()
	if e := file.Close(); err == nil {
		err = e
	}
	return classifyFile(u.store.uri(u.key), err)
}

func (u *fileUpload) commit(ctx context.Context) (Object, error) {
	at := u.store.uri(u.key)
	if err := ctx.Err(); err != nil {
		return Object{}, classify(putting, at, err)
	}
	if u.file == nil {
		return Object{}, fail.New(fail.Internal, "committing an upload that has failed").At("%s", at)
	}
	if err := u.close(); err != nil {
		return Object{}, err
	}
	if err := u.root.Rename(u.temp, u.key); err != nil {
		return Object{}, classifyFile(at, err)
	}
	info, err := u.root.Stat(u.key)
	if err == nil {
		err = u.root.Close()
	}
	if err != nil {
		return Object{}, classifyFile(at, err)
	}
	return u.store.object(u.key, info), nil
}

func (u *fileUpload) abort(context.Context) error {
	var err error
	if u.file != nil {
		err = u.file.Close()
	}
	if e := u.root.Remove(u.temp); !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return classifyFile(u.store.uri(u.key), errors.Join(err, u.root.Close()))
}

func (s *fileStore) remove(ctx context.Context, key string) error {
	err := s.within(ctx, key, func(root *os.Root) error {
		info, err := root.Lstat(key)
		if err == nil && info.IsDir() {
			return nil
		}
		if err == nil {
			err = root.Remove(key)
		}
		return classifyFile(s.uri(key), err)
	})
	if isMissing(err) {
		return nil
	}
	return err
}

// classifyFile gives an error of the file system its code, place and remedy.
func classifyFile(at URI, err error) error {
	if err == nil {
		return nil
	}
	var errno syscall.Errno
	var e *fail.Error
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, fs.ErrExist):
		// A file on the way to the key means, as in S3, that the key is not there.
		e = fail.Wrap(&missing{err}, fail.NotFoundInput, "the file does not exist").Try("check the path, case included")
	case errors.Is(err, fs.ErrPermission):
		e = fail.Wrap(err, fail.Permission, "the file may not be used").Try("check owner and mode of the file and its folders")
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e = fail.Wrap(err, fail.Disk, "the disk is full").Try("free some space, then run the same command again")
	case errors.Is(err, syscall.EISDIR), errors.Is(err, fs.ErrExist):
		e = fail.Wrap(err, fail.Usage, "a folder stands where a file is needed, or the reverse").Try("a key can't be both an object and the folder of others in file://")
	case errors.Is(err, syscall.EIO), errors.Is(err, syscall.ESTALE), errors.Is(err, syscall.ETIMEDOUT):
		e = fail.Wrap(err, fail.Service, "the file system failed").Try("check the mount, then run the same command again")
	case errors.Is(err, syscall.ELOOP), !errors.As(err, &errno):
		// os.Root alone answers without a number: a link leads out.
		e = fail.Wrap(err, fail.Usage, "the path can't be followed inside the store").Try("replace symbolic links that lead out of the folder by the files")
	default:
		e = fail.Wrap(err, fail.Internal, "unknown error of the file system")
	}
	return e.At("%s", at)
}
