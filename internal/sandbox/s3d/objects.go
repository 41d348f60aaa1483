package s3d

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/s3response"
)

func (f *folder) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	as, err := f.asked(ctx)
	if err != nil {
		return s3response.PutObjectOutput{}, err
	}
	bucket := *in.Bucket
	in.Bucket = f.path(in.Bucket)
	in.Body = whole(in.Body, in.ContentLength)
	out, err := f.posix.PutObject(ctx, in)
	if err != nil {
		return out, named(err, bucket)
	}
	if out.ETag, err = f.opaque(bucket, *in.Key, out.ETag, as.Encrypted); err != nil {
		return out, err
	}
	return out, f.keep(ctx, bucket, *in.Key, as)
}

func (f *folder) GetObjectAttributes(ctx context.Context, in *s3.GetObjectAttributesInput) (s3response.GetObjectAttributesResponse, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.GetObjectAttributes(ctx, &at)
	if err != nil {
		return out, named(err, *in.Bucket)
	}
	s, err := f.stored(*in.Bucket, *in.Key)
	out.StorageClass = s.Class
	return out, err
}

func (f *folder) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.ListObjects(ctx, &at)
	out.Name = in.Bucket
	if err != nil {
		return out, named(err, *in.Bucket)
	}
	return out, f.tellStored(*in.Bucket, out.Contents, false)
}

func (f *folder) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.ListObjectsV2(ctx, &at)
	out.Name = in.Bucket
	if err != nil {
		return out, named(err, *in.Bucket)
	}
	return out, f.tellStored(*in.Bucket, out.Contents, wantsRestores(ctx))
}

func (f *folder) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.DeleteObject(ctx, &at)
	return out, named(err, *in.Bucket)
}

func (f *folder) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (s3response.DeleteResult, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.DeleteObjects(ctx, &at)
	return out, named(err, *in.Bucket)
}

func (f *folder) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	as, err := f.asked(ctx)
	if err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	bucket := *in.Bucket
	in.Bucket = f.path(in.Bucket)
	out, err := f.posix.CreateMultipartUpload(ctx, in)
	out.Bucket = bucket
	if err != nil {
		return out, named(err, bucket)
	}
	return out, f.keep(ctx, bucket, uploadKey(*in.Key, out.UploadId), as)
}

func (f *folder) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := unasked(ctx); err != nil {
		return nil, err
	}
	upload, err := f.stored(*in.Bucket, uploadKey(*in.Key, *in.UploadId))
	if err != nil {
		return nil, err
	}
	at := *in
	at.Bucket = f.path(in.Bucket)
	at.Body = whole(in.Body, in.ContentLength)
	out, err := f.posix.UploadPart(ctx, &at)
	if err == nil {
		tell(ctx, encryptionValue, upload.Encrypted)
	}
	return out, named(err, *in.Bucket)
}

func (f *folder) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	if err := unasked(ctx); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	as, err := f.stored(*in.Bucket, uploadKey(*in.Key, *in.UploadId))
	if err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, version, err := f.posix.CompleteMultipartUpload(ctx, &at)
	out.Bucket = in.Bucket
	if err != nil {
		return out, version, named(err, *in.Bucket)
	}
	etag, err := f.opaque(*in.Bucket, *in.Key, *out.ETag, as.Encrypted)
	if err != nil {
		return out, version, err
	}
	out.ETag = &etag
	return out, version, f.keep(ctx, *in.Bucket, *in.Key, as)
}

func (f *folder) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	at := *in
	at.Bucket = f.path(in.Bucket)
	return named(f.posix.AbortMultipartUpload(ctx, &at), *in.Bucket)
}

func (f *folder) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.ListMultipartUploads(ctx, &at)
	out.Bucket = *in.Bucket
	return out, named(err, *in.Bucket)
}

func (f *folder) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.ListParts(ctx, &at)
	out.Bucket = *in.Bucket
	return out, named(err, *in.Bucket)
}
