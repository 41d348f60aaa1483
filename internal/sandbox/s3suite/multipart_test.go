package s3suite

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func multipartChecks() []check {
	return []check{
		{"parts may come in any order, the last one may be tiny", partsInAnyOrder},
		{"CompleteMultipartUpload If-None-Match creates once", completeOnce},
		{"a small part that is not the last is refused", smallPart},
		{"an aborted upload leaves nothing", aborted},
	}
}

// upload sends parts by their numbers in the given order and completes them in ascending order.
func (b *bucket) upload(ctx context.Context, key string, parts [][]byte, order []int, condition *string) (*s3.CompleteMultipartUploadOutput, error) {
	created, err := b.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, err
	}
	done := make([]types.CompletedPart, len(parts))
	for _, i := range order {
		number := int32(i + 1)
		part, err := b.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &key, UploadId: created.UploadId, PartNumber: &number, Body: bytes.NewReader(parts[i])})
		if err != nil {
			return nil, err
		}
		done[i] = types.CompletedPart{ETag: part.ETag, PartNumber: &number}
	}
	return b.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: created.UploadId, IfNoneMatch: condition,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}})
}

func partsInAnyOrder(ctx context.Context, b *bucket) error {
	body := pattern(10<<20 + 1)
	out, err := b.upload(ctx, "k", [][]byte{body[:5<<20], body[5<<20 : 10<<20], body[10<<20:]}, []int{2, 0, 1}, nil)
	if err != nil {
		return err
	}
	if etag := aws.ToString(out.ETag); len(etag) != 36 || !strings.HasSuffix(etag, `-3"`) {
		return fmt.Errorf("the ETag is %s", etag)
	}
	return b.holds(ctx, "k", body)
}

func completeOnce(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("first"), nil); err != nil {
		return err
	}
	_, err := b.upload(ctx, "k", [][]byte{[]byte("second")}, []int{0}, aws.String("*"))
	return all(refused(err, http.StatusPreconditionFailed, "PreconditionFailed", ""), b.holds(ctx, "k", []byte("first")))
}

func smallPart(ctx context.Context, b *bucket) error {
	_, err := b.upload(ctx, "k", [][]byte{[]byte("tiny"), []byte("last")}, []int{0, 1}, nil)
	return refused(err, http.StatusBadRequest, "EntityTooSmall", "")
}

func aborted(ctx context.Context, b *bucket) error {
	created, err := b.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: aws.String("k")})
	if err != nil {
		return err
	}
	if _, err := b.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: aws.String("k"), UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")}); err != nil {
		return err
	}
	abort := &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: aws.String("k"), UploadId: created.UploadId}
	if _, err := b.AbortMultipartUpload(ctx, abort); err != nil {
		return err
	}
	_, again := b.AbortMultipartUpload(ctx, abort)
	names, err := b.names(ctx, s3.ListObjectsV2Input{})
	if err != nil {
		return err
	}
	uploads, err := b.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name})
	if err != nil {
		return err
	}
	if len(names) != 0 || len(uploads.Uploads) != 0 {
		return fmt.Errorf("%q and %d uploads are left", names, len(uploads.Uploads))
	}
	return refused(again, http.StatusNotFound, "NoSuchUpload", "")
}
