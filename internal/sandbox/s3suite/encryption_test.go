package s3suite

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const keyARN = "arn:aws:kms:" + region + ":000000000000:key/12345678-1234-1234-1234-123456789012"

func encryptionChecks() []check {
	return []check{
		{"what no encryption is asked for is AES256", encryptedAnyway},
		{"AES256 and KMS keys are told by PUT, HEAD and GET", encryptionKept},
		{"a multipart upload has the encryption that its beginning asks for", uploadEncrypted},
		{"a copy has its own encryption", copyEncrypted},
		{"with a KMS key the ETag is not the MD5 of the content", etagOpaque},
		{"a key without aws:kms is refused", keyAlone},
		{"an unknown method of encryption is refused", methodUnknown},
		{"a key of another region is refused", keyElsewhere},
	}
}

func encryptedBy(method types.ServerSideEncryption, key string) func(*s3.PutObjectInput) {
	return func(in *s3.PutObjectInput) {
		if in.ServerSideEncryption = method; key != "" {
			in.SSEKMSKeyId = &key
		}
	}
}

// told compares what HEAD and GET tell of an object's encryption.
func (b *bucket) told(ctx context.Context, key string, method types.ServerSideEncryption, arn string) error {
	head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return err
	}
	_, get, err := b.get(ctx, key, nil)
	if err != nil {
		return err
	}
	if head.ServerSideEncryption != method || get.ServerSideEncryption != method || aws.ToString(head.SSEKMSKeyId) != arn || aws.ToString(get.SSEKMSKeyId) != arn {
		return fmt.Errorf("%s: HEAD tells %q %q, GET %q %q, want %q %q", key, head.ServerSideEncryption, aws.ToString(head.SSEKMSKeyId),
			get.ServerSideEncryption, aws.ToString(get.SSEKMSKeyId), method, arn)
	}
	return nil
}

func encryptedAnyway(ctx context.Context, b *bucket) error {
	out, err := b.put(ctx, "k", []byte("x"), nil)
	if err != nil {
		return err
	}
	if out.ServerSideEncryption != types.ServerSideEncryptionAes256 {
		return fmt.Errorf("PUT tells %q", out.ServerSideEncryption)
	}
	return b.told(ctx, "k", types.ServerSideEncryptionAes256, "")
}

func encryptionKept(ctx context.Context, b *bucket) error {
	for i, ask := range []struct {
		method types.ServerSideEncryption
		key    string
	}{{types.ServerSideEncryptionAes256, ""}, {types.ServerSideEncryptionAwsKms, keyARN}} {
		key := fmt.Sprint("k", i)
		out, err := b.put(ctx, key, []byte("x"), encryptedBy(ask.method, ask.key))
		if err != nil {
			return err
		}
		if out.ServerSideEncryption != ask.method || aws.ToString(out.SSEKMSKeyId) != ask.key {
			return fmt.Errorf("PUT tells %q %q, want %q %q", out.ServerSideEncryption, aws.ToString(out.SSEKMSKeyId), ask.method, ask.key)
		}
		if err := b.told(ctx, key, ask.method, ask.key); err != nil {
			return err
		}
	}
	return nil
}

func uploadEncrypted(ctx context.Context, b *bucket) error {
	key := "k"
	begun, err := b.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key,
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(keyARN)})
	if err != nil {
		return err
	}
	part, err := b.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &key, UploadId: begun.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
	if err != nil {
		return err
	}
	done, err := b.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: begun.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
	if err != nil {
		return err
	}
	for what, told := range map[string]string{"the beginning": string(begun.ServerSideEncryption) + " " + aws.ToString(begun.SSEKMSKeyId),
		"the end": string(done.ServerSideEncryption) + " " + aws.ToString(done.SSEKMSKeyId)} {
		if told != "aws:kms "+keyARN {
			return fmt.Errorf("%s tells %q", what, told)
		}
	}
	return b.told(ctx, key, types.ServerSideEncryptionAwsKms, keyARN)
}

func copyEncrypted(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), nil); err != nil {
		return err
	}
	if _, err := b.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &b.name, Key: aws.String("copy"), CopySource: aws.String(b.name + "/k"),
		ServerSideEncryption: types.ServerSideEncryptionAwsKms, SSEKMSKeyId: aws.String(keyARN)}); err != nil {
		return err
	}
	return b.told(ctx, "copy", types.ServerSideEncryptionAwsKms, keyARN)
}

func etagOpaque(ctx context.Context, b *bucket) error {
	body := []byte("content")
	out, err := b.put(ctx, "k", body, encryptedBy(types.ServerSideEncryptionAwsKms, keyARN))
	if err != nil {
		return err
	}
	if sum := md5.Sum(body); strings.Contains(*out.ETag, hex.EncodeToString(sum[:])) {
		return fmt.Errorf("the ETag is the MD5 %s", *out.ETag)
	}
	got, _, err := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch = out.ETag })
	if err == nil && !bytes.Equal(got, body) {
		err = fmt.Errorf("GET gives %q", got)
	}
	if err != nil {
		return err
	}
	_, err = b.put(ctx, "k", body, func(in *s3.PutObjectInput) { in.IfMatch = out.ETag })
	return err
}

func keyAlone(ctx context.Context, b *bucket) error {
	for _, method := range []types.ServerSideEncryption{"", types.ServerSideEncryptionAes256} {
		_, err := b.put(ctx, "k", []byte("x"), encryptedBy(method, keyARN))
		if err := refused(err, http.StatusBadRequest, "InvalidArgument", ""); err != nil {
			return fmt.Errorf("%q: %w", method, err)
		}
	}
	return nil
}

func methodUnknown(ctx context.Context, b *bucket) error {
	_, err := b.put(ctx, "k", []byte("x"), encryptedBy("rot13", ""))
	return refused(err, http.StatusBadRequest, "InvalidArgument", "The encryption method specified is not supported")
}

func keyElsewhere(ctx context.Context, b *bucket) error {
	_, err := b.put(ctx, "k", []byte("x"), encryptedBy(types.ServerSideEncryptionAwsKms, "arn:aws:kms:us-west-2:000000000000:key/1"))
	return refused(err, http.StatusBadRequest, "KMS.NotFoundException", "")
}
