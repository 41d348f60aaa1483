package objstore

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"backfill/internal/fail"
)

// MaxDelete is the most keys that one DeleteAll takes, the limit of S3.
const MaxDelete = 1000

// Pending is an upload that was begun and neither committed nor aborted. Its
// parts take room, and no listing of objects shows them.
type Pending struct {
	Key   string
	Began time.Time // UTC
	id    string    // of the backend
}

// DeleteAll removes the objects, at most MaxDelete of them, in one request where
// the backend can; those that are not there are no error. When it fails some are
// gone, and the error names the first that is not; the caller may repeat it.
func (s *Store) DeleteAll(ctx context.Context, keys []string) error {
	if len(keys) > MaxDelete {
		return fail.New(fail.Internal, "%d objects to delete at once, the most is %d", len(keys), MaxDelete).At("%s", s.root)
	}
	for _, key := range keys {
		if err := s.check(key); err != nil {
			return err
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return s.backend.removeAll(ctx, keys)
}

// Uploads calls fn for every unfinished upload below the root, in no order. fn's error
// stops the listing and is returned unchanged.
func (s *Store) Uploads(ctx context.Context, fn func(Pending) error) error {
	return s.backend.uploads(ctx, fn)
}

// AbortUpload drops an unfinished upload with its parts; one that has ended is no
// error. The process that writes it, if there is one, fails at its next part.
func (s *Store) AbortUpload(ctx context.Context, p Pending) error {
	if err := s.check(p.Key); err != nil {
		return err
	}
	return s.backend.abortUpload(ctx, p)
}

func (s *s3Store) removeAll(ctx context.Context, keys []string) error {
	list := make([]types.ObjectIdentifier, len(keys))
	for i, key := range keys {
		list[i].Key = aws.String(s.uri(key).Key)
	}
	out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
		Bucket: aws.String(s.root.Bucket), Delete: &types.Delete{Objects: list, Quiet: aws.Bool(true)}, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return classify(deleting, s.uri(keys[0]), err)
	}
	for _, e := range out.Errors {
		at, code := s.root, aws.ToString(e.Code)
		at.Key = aws.ToString(e.Key)
		switch code {
		case "NoSuchKey":
			continue
		case "InternalError", "ServiceUnavailable": // of one key; a whole answer like that was repeated
			return fail.Wrap(&smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)}, fail.Service, "S3 failed to delete the object").At("%s", at).Try("run the same command again")
		}
		return classify(deleting, at, &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)})
	}
	return nil
}

func (s *s3Store) uploads(ctx context.Context, fn func(Pending) error) error {
	base := ""
	if s.root.Key != "" {
		base = s.root.Key + "/"
	}
	input := &s3.ListMultipartUploadsInput{Bucket: aws.String(s.root.Bucket), Prefix: aws.String(base), MaxUploads: aws.Int32(1000)}
	for range maxPages {
		page, err := s.client.ListMultipartUploads(ctx, input)
		if err != nil {
			return classify(listingUploads, s.root, err)
		}
		for _, u := range page.Uploads {
			key, below := strings.CutPrefix(aws.ToString(u.Key), base)
			if !below || key == "" {
				return fail.New(fail.Service, "the listing has an upload of %q that was not asked for", aws.ToString(u.Key)).At("%s", s.root)
			}
			if err := fn(Pending{Key: key, Began: aws.ToTime(u.Initiated).UTC(), id: aws.ToString(u.UploadId)}); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		input.KeyMarker, input.UploadIdMarker = page.NextKeyMarker, page.NextUploadIdMarker
	}
	return fail.New(fail.Usage, "more than %d pages of unfinished uploads", maxPages).At("%s", s.root)
}

func (s *s3Store) abortUpload(ctx context.Context, p Pending) error {
	bucket, full := s.name(p.Key)
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: full, UploadId: aws.String(p.id)})
	if codeOf(err) == codeNoSuchUpload {
		return nil
	}
	return classify(aborting, s.uri(p.Key), err)
}

func (s *fileStore) removeAll(ctx context.Context, keys []string) error {
	for _, key := range keys {
		if err := s.remove(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// uploads finds the temporary files that listings leave out.
func (s *fileStore) uploads(ctx context.Context, fn func(Pending) error) error {
	err := s.within(ctx, "", func(root *os.Root) error {
		return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // removed meanwhile
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil || d.IsDir() || !strings.HasPrefix(d.Name(), tempPrefix) {
				return err
			}
			info, err := d.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return classifyFile(s.uri(name), err)
			}
			if err := fn(Pending{Key: path.Join(path.Dir(name), "unfinished"), Began: info.ModTime().UTC(), id: name}); err != nil {
				return &callbackError{err}
			}
			return nil
		})
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

func (s *fileStore) abortUpload(ctx context.Context, p Pending) error {
	return s.remove(ctx, p.id)
}
