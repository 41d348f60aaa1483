// Package objstore is the one seam to object storage: S3 through
// aws-sdk-go-v2, and local folders with the same semantics for trials and tests.
//
// Three promises carry the rest of the program. An object is read as the
// version that was planned, or the read fails with fail.ArchiveChanged. A body
// that breaks is resumed, so that a short body never looks like its end. A key
// is created at most once by PutNew, and a lost answer never looks like success.
//
// It must not know what the objects hold, which keys exist, or what a run is,
// and it neither logs nor keeps global state. archive, runstore, scan and the
// jobs call it; it imports only fail.
package objstore

import (
	"context"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"backfill/internal/fail"
)

// Object is what a listing, a HEAD or a write says about one object.
type Object struct {
	Key          string    // relative to the root of the store that returned it
	Size         int64     // bytes
	ETag         string    // without quotes; opaque: compare it, never compute it
	Version      string    // version id; "" where the store does not tell it, as in listings
	Modified     time.Time // UTC; zero after a write to S3
	StorageClass string    // "" stands for the standard class
	Encryption   string    // AES256, aws:kms, or "aws:kms KEY" with the key's ARN, as HEAD tells it; "" elsewhere
	Cold         *Cold     // what an archive storage class says; nil: it can be read at once, as far as was told
}

// Options says how a Store talks to its backend. Zero fields take the default
// in brackets.
type Options struct {
	Region      string        // [the AWS environment] region of the bucket
	MaxAttempts int           // [5] tries of one request, and resumptions of one body
	MaxBackoff  time.Duration // [20 s] longest pause between two tries
	PartBytes   int           // [5 MiB] part of a multipart upload, at least 5 MiB; an Upload holds at most two
	Concurrency int           // [32] idle connections kept; callers bound what runs at once, since a limit here could deadlock a reader that waits for a writer
	Connect     time.Duration // [10 s] limit for a TCP connection, and again for TLS
	KMSKey      string        // [the bucket's default] by which S3 encrypts what is written: id, alias/NAME or the ARN of either
	Silence     time.Duration // [2 min] limit without a single byte from the server, before a body and within it
}

// Limits of S3 that are checked before a request is sent.
const (
	minPartBytes = 5 << 20
	maxKeyBytes  = 1024
)

func (o Options) withDefaults() (Options, error) {
	if o.MaxAttempts < 0 || o.MaxBackoff < 0 || o.PartBytes < 0 || o.Concurrency < 0 || o.Connect < 0 || o.Silence < 0 {
		return o, fail.New(fail.Usage, "an object store option is negative")
	}
	o.MaxAttempts = orDefault(o.MaxAttempts, 5)
	o.MaxBackoff = orDefault(o.MaxBackoff, 20*time.Second)
	o.PartBytes = orDefault(o.PartBytes, minPartBytes)
	o.Concurrency = orDefault(o.Concurrency, 32)
	o.Connect = orDefault(o.Connect, 10*time.Second)
	o.Silence = orDefault(o.Silence, 2*time.Minute)
	if o.PartBytes < minPartBytes {
		return o, fail.New(fail.Usage, "an upload part of %d bytes is too small", o.PartBytes).Try("use at least %d bytes, the minimum of S3", minPartBytes)
	}
	return o, nil
}

func orDefault[T int | time.Duration](value, standard T) T {
	if value == 0 {
		return standard
	}
	return value
}

// backend does the work for one scheme. Keys are relative and already checked.
type backend interface {
	list(ctx context.Context, prefix string, fn func(Object) error) error
	level(ctx context.Context, dir string, object func(Object) error, folder func(string) error) error
	head(ctx context.Context, key string) (Object, error)
	get(ctx context.Context, key string, match Object) (io.ReadCloser, Object, error)
	putNew(ctx context.Context, key string, body []byte) (bool, error)
	create(ctx context.Context, key string) (uploader, error)
	remove(ctx context.Context, key string) error
	removeAll(ctx context.Context, keys []string) error
	uploads(ctx context.Context, fn func(Pending) error) error
	abortUpload(ctx context.Context, p Pending) error
	restore(ctx context.Context, key string, r Restore) (Restoring, error)
	checkKey(key string) error
}

// Store reads and writes the objects under one root. Every key it takes and
// returns is relative to that root, so that a store can't reach beyond it. It
// is safe for concurrent use.
type Store struct {
	root    URI
	backend backend
}

// Open returns the store under the URI. It sends no request: a missing bucket
// or wrong credentials show at the first use. A missing region is fail.Usage.
func Open(ctx context.Context, uri URI, o Options) (*Store, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	if o.KMSKey != "" && uri.Scheme != SchemeS3 {
		return nil, fail.New(fail.Usage, "a KMS key is for S3").At("%s", uri).Try("take the key away: files are not encrypted")
	}
	root := uri
	root.Key = strings.TrimRight(uri.Key, "/")
	switch uri.Scheme {
	case SchemeS3:
		b, err := openS3(ctx, root, o)
		if err != nil {
			return nil, err
		}
		return &Store{root: root, backend: b}, nil
	case SchemeFile:
		return &Store{root: root, backend: &fileStore{root: root}}, nil
	}
	return nil, fail.New(fail.Usage, "URI scheme %q is not supported", uri.Scheme)
}

// Root returns the URI of the store, without a slash at its end.
func (s *Store) Root() URI { return s.root }

// URI returns the full name of a key.
func (s *Store) URI(key string) URI { return s.root.Join(key) }

// List calls fn for every object whose key begins with prefix, in byte order
// of the keys, a page at a time. The prefix is plain text, not a folder; "" is
// everything under the root. A root that does not exist yet is empty. fn's
// error stops the listing and is returned unchanged.
func (s *Store) List(ctx context.Context, prefix string, fn func(Object) error) error {
	return s.backend.list(ctx, prefix, fn)
}

// Folder lists one level: object is called for every object right below dir,
// folder for every folder there, whose name ends with a slash and goes back into
// Folder or List. dir is "" for the root or ends with a slash. Objects and
// folders each come in byte order. An error of a callback stops the listing and is
// returned unchanged; a callback must not list.
func (s *Store) Folder(ctx context.Context, dir string, object func(Object) error, folder func(dir string) error) error {
	if dir != "" && !strings.HasSuffix(dir, "/") {
		return fail.New(fail.Internal, "the folder %q has no slash at its end", dir)
	}
	return s.backend.level(ctx, dir, object, folder)
}

// Head returns what is known about the object. A missing object is
// fail.NotFoundInput and matches fs.ErrNotExist.
func (s *Store) Head(ctx context.Context, key string) (Object, error) {
	if err := s.check(key); err != nil {
		return Object{}, err
	}
	return s.backend.head(ctx, key)
}

// Get opens the object for reading. match is an Object of List, Head or a
// plan: its ETag and, if set, its Version must still hold, otherwise Get or a
// later Read fails with fail.ArchiveChanged, also when the object is gone. The
// zero Object takes whatever version is there and keeps to it. The reader gives
// io.EOF only after the last byte; close it in any case.
func (s *Store) Get(ctx context.Context, key string, match Object) (io.ReadCloser, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	body, _, err := s.backend.get(ctx, key, match)
	return body, err
}

// ReadAll returns a whole small object. More than limit bytes is fail.Damaged; a
// missing object is fail.NotFoundInput and matches fs.ErrNotExist.
func (s *Store) ReadAll(ctx context.Context, key string, limit int64) (text []byte, o Object, err error) {
	if err := s.check(key); err != nil {
		return nil, Object{}, err
	}
	body, o, err := s.backend.get(ctx, key, Object{})
	if err != nil {
		return nil, Object{}, err
	}
	defer func() {
		if e := body.Close(); err == nil {
			err = e
		}
	}()
	if o.Size <= limit {
		text, err = io.ReadAll(io.LimitReader(body, limit+1))
	}
	if err != nil {
		return nil, Object{}, err
	}
	if o.Size > limit || int64(len(text)) > limit {
		return nil, Object{}, fail.New(fail.Damaged, "the object is larger than the limit of %d bytes", limit).At("%s", s.URI(key))
	}
	return text, o, nil
}

// PutNew writes the object unless the key exists. created is false when it
// does, also when it was this very call whose answer was lost and that was
// repeated: the caller reads the object back and compares its attempt id.
func (s *Store) PutNew(ctx context.Context, key string, body []byte) (created bool, err error) {
	if err := s.check(key); err != nil {
		return false, err
	}
	return s.backend.putNew(ctx, key, body)
}

// Create starts an upload to a key that nobody else uses; an object that is
// there is replaced at Commit. The context also governs the uploads that Write
// starts. End it with Commit or Abort.
func (s *Store) Create(ctx context.Context, key string) (*Upload, error) {
	if err := s.check(key); err != nil {
		return nil, err
	}
	u, err := s.backend.create(ctx, key)
	if err != nil {
		return nil, err
	}
	return &Upload{uploader: u}, nil
}

// Delete removes the object; one that is not there is no error.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.check(key); err != nil {
		return err
	}
	return s.backend.remove(ctx, key)
}

func (s *Store) check(key string) error {
	switch {
	case key == "":
		return fail.New(fail.Usage, "the key is empty").At("%s", s.root)
	case !utf8.ValidString(key) || strings.ContainsRune(key, 0):
		return fail.New(fail.Usage, "key %q is not valid UTF-8 text", key).At("%s", s.root)
	case len(s.URI(key).Key) > maxKeyBytes:
		return fail.New(fail.Usage, "key %.40q… is longer than %d bytes", key, maxKeyBytes).At("%s", s.root)
	}
	return s.backend.checkKey(key)
}

type uploader interface {
	write(p []byte) (int, error)
	commit(ctx context.Context) (Object, error)
	abort(ctx context.Context) error
}

// Upload is a streaming write. Nothing is visible under its key before Commit.
// It is not safe for concurrent use.
type Upload struct {
	uploader uploader
	ended    bool
}

// Write appends p and keeps no reference to it. It blocks while a part is on
// its way; an error is final.
func (u *Upload) Write(p []byte) (int, error) {
	if u.ended {
		return 0, fail.New(fail.Internal, "writing to an upload that has ended")
	}
	return u.uploader.write(p)
}

// Commit publishes the object. After an error it may or may not exist, and
// Abort is still due.
func (u *Upload) Commit(ctx context.Context) (Object, error) {
	if u.ended {
		return Object{}, fail.New(fail.Internal, "committing an upload that has ended")
	}
	o, err := u.uploader.commit(ctx)
	if err != nil {
		return Object{}, err
	}
	u.ended = true
	return o, nil
}

// Abort drops what was written, even when ctx is already cancelled. After a
// Commit that succeeded, or a second time, it does nothing, so that it can be
// deferred.
func (u *Upload) Abort(ctx context.Context) error {
	if u.ended {
		return nil
	}
	u.ended = true
	return u.uploader.abort(ctx)
}
