package objstore

import (
	"context"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"backfill/internal/fail"
)

// maxPages bounds one listing; a page holds up to 1,000 objects.
const maxPages = 100_000

func (s *s3Store) list(ctx context.Context, prefix string, fn func(Object) error) error {
	return s.pages(ctx, prefix, "", fn, nil)
}

func (s *s3Store) level(ctx context.Context, dir string, object func(Object) error, folder func(string) error) error {
	return s.pages(ctx, dir, "/", object, folder)
}

// pages lists page after page. With a delimiter, keys that hold it behind the
// prefix are told as the folder that they lie in.
func (s *s3Store) pages(ctx context.Context, prefix, delimiter string, object func(Object) error, folder func(string) error) error {
	base := ""
	if s.root.Key != "" {
		base = s.root.Key + "/"
	}
	input := &s3.ListObjectsV2Input{Bucket: aws.String(s.root.Bucket), Prefix: aws.String(base + prefix), MaxKeys: aws.Int32(1000),
		OptionalObjectAttributes: []types.OptionalObjectAttributes{types.OptionalObjectAttributesRestoreStatus}}
	if delimiter != "" {
		input.Delimiter = aws.String(delimiter)
	}
	var objects, folders order
	for range maxPages {
		page, err := s.client.ListObjectsV2(ctx, input)
		if err != nil {
			return classify(listing, s.uri(prefix), err)
		}
		for i := range page.Contents {
			full := aws.ToString(page.Contents[i].Key)
			if err := objects.next(full, base+prefix, s.uri(prefix)); err != nil {
				return err
			}
			if err := object(listed(full[len(base):], &page.Contents[i])); err != nil {
				return err
			}
		}
		for _, common := range page.CommonPrefixes {
			full := aws.ToString(common.Prefix)
			if err := folders.next(full, base+prefix, s.uri(prefix)); err != nil {
				return err
			}
			if folder == nil || !strings.HasSuffix(full, "/") {
				return fail.New(fail.Service, "the listing has a folder %q that was not asked for", full).At("%s", s.uri(prefix))
			}
			if err := folder(full[len(base):]); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		next := aws.ToString(page.NextContinuationToken)
		if next == "" || next == aws.ToString(input.ContinuationToken) {
			return fail.New(fail.Service, "the listing stopped in the middle").At("%s", s.uri(prefix))
		}
		input.ContinuationToken = aws.String(next)
	}
	return fail.New(fail.Usage, "the prefix holds more than %d pages of objects", maxPages).At("%s", s.uri(prefix)).Try("choose a narrower prefix")
}

// order holds the last name of a listing: pages continue by name, so that out
// of order names may be missing.
type order struct{ last string }

func (o *order) next(name, prefix string, at URI) error {
	if !strings.HasPrefix(name, prefix) || name <= o.last && o.last != "" {
		return fail.New(fail.Service, "the listing is out of order: %q after %q", name, o.last).At("%s", at).
			Try("use a general purpose bucket; directory buckets are not listed in order")
	}
	o.last = name
	return nil
}

func listed(key string, o *types.Object) Object {
	var restoring bool
	var until *time.Time
	if r := o.RestoreStatus; r != nil {
		restoring, until = aws.ToBool(r.IsRestoreInProgress), r.RestoreExpiryDate
	}
	return Object{
		Cold: coldOf(Class(o.StorageClass), restoring, until),
		Key:  key, Size: aws.ToInt64(o.Size), ETag: unquote(o.ETag),
		Modified: aws.ToTime(o.LastModified).UTC(), StorageClass: string(o.StorageClass),
	}
}
