package s3d

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// CopyObject reads the source and writes the target, both by the backend's own operations: its own copy takes the
// source's bucket for a path, which here is an absolute one and can't stand in a copy source.
func (f *folder) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (out s3response.CopyObjectOutput, err error) {
	bucket, key, version, err := backend.ParseCopySource(*in.CopySource)
	if err != nil {
		return out, err
	}
	if version != "" {
		return out, s3err.GetInvalidArgumentErr(s3err.InvalidArgVersionId, version)
	}
	replace := in.MetadataDirective == types.MetadataDirectiveReplace
	if bucket == *in.Bucket && key == *in.Key && !replace && in.StorageClass == "" {
		return out, s3err.GetAPIError(s3err.ErrInvalidCopyDest)
	}
	from, err := f.read(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, IfMatch: in.CopySourceIfMatch, IfNoneMatch: in.CopySourceIfNoneMatch,
		IfModifiedSince: in.CopySourceIfModifiedSince, IfUnmodifiedSince: in.CopySourceIfUnmodifiedSince})
	if err != nil {
		return out, notModified(err)
	}
	defer from.Body.Close()
	to := s3response.PutObjectInput{Bucket: in.Bucket, Key: in.Key, Body: from.Body, ContentLength: from.ContentLength, ChecksumAlgorithm: in.ChecksumAlgorithm,
		ContentType: from.ContentType, ContentEncoding: from.ContentEncoding, ContentDisposition: from.ContentDisposition, ContentLanguage: from.ContentLanguage,
		CacheControl: from.CacheControl, Expires: from.ExpiresString, Metadata: from.Metadata}
	if replace {
		to.ContentType, to.ContentEncoding, to.ContentDisposition, to.ContentLanguage = in.ContentType, in.ContentEncoding, in.ContentDisposition, in.ContentLanguage
		to.CacheControl, to.Expires, to.Metadata = in.CacheControl, in.Expires, in.Metadata
	}
	put, err := f.PutObject(ctx, to)
	if err != nil {
		return out, err
	}
	head, err := f.head(ctx, &s3.HeadObjectInput{Bucket: in.Bucket, Key: in.Key})
	if err != nil {
		return out, err
	}
	out.CopyObjectResult = &s3response.CopyObjectResult{ETag: &put.ETag, LastModified: head.LastModified}
	return out, nil
}

// notModified is what a copy makes of a condition that fails: always 412, where a GET may say 304.
func notModified(err error) error {
	var api s3err.APIError
	if errors.As(err, &api) && api.Code == s3err.GetAPIError(s3err.ErrNotModified).Code {
		return s3err.GetAPIError(s3err.ErrPreconditionFailed)
	}
	return err
}
