package s3suite

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func classChecks() []check {
	return []check{
		{"storage classes are kept, told by HEAD and by lists, and STANDARD by lists alone", classesKept},
		{"an unknown storage class is refused", classUnknown},
		{"what is in GLACIER or DEEP_ARCHIVE can't be read before it is restored", archivedUnread},
		{"an archived object can't be copied", archivedUncopied},
		{"only what is archived is restored", restoreRefused},
		{"Expedited is not for DEEP_ARCHIVE", restoreDeep},
		{"a restore is accepted and told", restoreBegun},
	}
}

func ofClass(class types.StorageClass) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) { in.StorageClass = class }
}

func classesKept(ctx context.Context, b *bucket) error {
	for _, class := range []types.StorageClass{"STANDARD", "STANDARD_IA", "ONEZONE_IA", "GLACIER_IR", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE"} {
		if _, err := b.put(ctx, string(class), []byte("x"), ofClass(class)); err != nil {
			return err
		}
		head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String(string(class))})
		if err != nil {
			return err
		}
		if told := head.StorageClass; told != class && (class != "STANDARD" || told != "") || head.Restore != nil {
			return fmt.Errorf("HEAD of %s tells %q, restore %q", class, told, aws.ToString(head.Restore))
		}
	}
	page, err := b.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name})
	if err != nil {
		return err
	}
	for _, o := range page.Contents {
		if string(o.StorageClass) != *o.Key {
			return fmt.Errorf("the list tells %q of %s", o.StorageClass, *o.Key)
		}
	}
	return nil
}

func classUnknown(ctx context.Context, b *bucket) error {
	_, err := b.put(ctx, "k", []byte("x"), ofClass("FROZEN"))
	return refused(err, http.StatusBadRequest, "InvalidStorageClass", "The storage class you specified is not valid")
}

func archivedUnread(ctx context.Context, b *bucket) error {
	for _, class := range []types.StorageClass{"GLACIER", "DEEP_ARCHIVE"} {
		if _, err := b.put(ctx, "k", []byte("x"), ofClass(class)); err != nil {
			return err
		}
		_, _, err := b.get(ctx, "k", nil)
		if err := refused(err, http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class"); err != nil {
			return err
		}
		var state *types.InvalidObjectState
		if !errors.As(err, &state) || state.StorageClass != class {
			return fmt.Errorf("the refusal names the class %q, want %s", state.StorageClass, class)
		}
	}
	return nil
}

func archivedUncopied(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), ofClass("GLACIER")); err != nil {
		return err
	}
	_, err := b.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &b.name, Key: aws.String("copy"), CopySource: aws.String(b.name + "/k")})
	return refused(err, http.StatusForbidden, "", "") // S3 says InvalidObjectState or ObjectNotInActiveTierError
}

func (b *bucket) restore(ctx context.Context, tier types.Tier) error {
	_, err := b.RestoreObject(ctx, &s3.RestoreObjectInput{Bucket: &b.name, Key: aws.String("k"),
		RestoreRequest: &types.RestoreRequest{Days: aws.Int32(7), GlacierJobParameters: &types.GlacierJobParameters{Tier: tier}}})
	return err
}

func restoreRefused(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), nil); err != nil {
		return err
	}
	return refused(b.restore(ctx, "Bulk"), http.StatusForbidden, "InvalidObjectState", "")
}

func restoreDeep(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), ofClass("DEEP_ARCHIVE")); err != nil {
		return err
	}
	return refused(b.restore(ctx, "Expedited"), http.StatusBadRequest, "InvalidArgument", "")
}

func restoreBegun(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), ofClass("GLACIER")); err != nil {
		return err
	}
	if err := b.restore(ctx, "Standard"); err != nil {
		return err
	}
	head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("k")})
	if err != nil {
		return err
	}
	if told := aws.ToString(head.Restore); told != `ongoing-request="true"` {
		return fmt.Errorf("HEAD tells the restore %q", told)
	}
	return refused(b.restore(ctx, "Standard"), http.StatusConflict, "RestoreAlreadyInProgress", "")
}
