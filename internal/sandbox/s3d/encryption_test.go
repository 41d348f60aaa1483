package s3d_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"backfill/internal/sandbox/s3d"
)

func putEncrypted(t *testing.T, c *s3.Client, key string, method types.ServerSideEncryption, kms string, options ...func(*s3.Options)) (*s3.PutObjectOutput, error) {
	t.Helper()
	in := &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: strings.NewReader("x"), ServerSideEncryption: method}
	if kms != "" {
		in.SSEKMSKeyId = &kms
	}
	return c.PutObject(t.Context(), in, options...)
}

func header(name, value string) func(*s3.Options) {
	return func(o *s3.Options) { o.APIOptions = append(o.APIOptions, smithyhttp.SetHeaderValue(name, value)) }
}

func TestEncryptionIsKept(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	c := client(t, s)
	const arn = "arn:aws:kms:" + region + ":000000000000:key/"
	for form, want := range map[string]string{"": arn + "aws-s3", "1-2": arn + "1-2", arn + "9": arn + "9", "alias/pay": arn + "pay",
		"arn:aws:kms:" + region + ":123456789012:alias/pay": "arn:aws:kms:" + region + ":123456789012:key/pay"} {
		key := "k" + strings.NewReplacer("/", "-", ":", "-").Replace(form)
		out, err := putEncrypted(t, c, key, types.ServerSideEncryptionAwsKms, form, header("X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "true"))
		if err != nil || aws.ToString(out.SSEKMSKeyId) != want || !aws.ToBool(out.BucketKeyEnabled) {
			t.Fatalf("%q: %+v, %v", form, out, err)
		}
		cool(t, s, s3d.Cooling{Prefix: key, Class: "STANDARD_IA"}) // lifecycle rules leave it alone
		if h := head(t, c, key); aws.ToString(h.SSEKMSKeyId) != want || h.ServerSideEncryption != types.ServerSideEncryptionAwsKms || !aws.ToBool(h.BucketKeyEnabled) ||
			aws.ToString(h.ETag) != aws.ToString(out.ETag) || h.StorageClass != types.StorageClassStandardIa {
			t.Errorf("%q: %+v", form, h)
		}
	}
	again := client(t, startIn(t, dir, nil))
	if h := head(t, again, "k1-2"); aws.ToString(h.SSEKMSKeyId) != arn+"1-2" {
		t.Errorf("after a restart: %+v", h)
	}
	put(t, again, "k1-2", []byte("new")) // a new object has nothing of the old one
	if h := head(t, again, "k1-2"); h.SSEKMSKeyId != nil || h.ServerSideEncryption != types.ServerSideEncryptionAes256 {
		t.Errorf("replaced: %+v", h)
	}
}

func TestEncryptionRefuses(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	const name = "X-Amz-Server-Side-Encryption"
	for _, test := range []struct {
		method     types.ServerSideEncryption
		kms        string
		option     func(*s3.Options)
		code, text string
	}{
		{types.ServerSideEncryptionAwsKms, "no key", nil, "KMS.NotFoundException", "Invalid keyId 'no key'"},
		{types.ServerSideEncryptionAwsKms, "arn:aws:kms:us-west-2:000000000000:key/1", nil, "KMS.NotFoundException", "Invalid arn us-west-2"},
		{types.ServerSideEncryptionAwsKmsDsse, "", nil, "NotImplemented", "aws:kms:dsse"},
		{types.ServerSideEncryptionAes256, "", header(name+"-Context", "e30="), "InvalidArgument", "requires HTTP header x-amz-server-side-encryption : aws:kms"},
		{types.ServerSideEncryptionAwsKms, "", header(name+"-Context", "e30="), "NotImplemented", "Context"},
		{"", "", header(name+"-Customer-Algorithm", "AES256"), "NotImplemented", "Customer-Algorithm"},
	} {
		var options []func(*s3.Options)
		if test.option != nil {
			options = append(options, test.option)
		}
		_, err := putEncrypted(t, c, "k", test.method, test.kms, options...)
		if code(err) != test.code || !strings.Contains(err.Error(), test.text) {
			t.Errorf("%+v: %v", test, err)
		}
		if exists(t, c, "k") {
			t.Fatalf("%+v: the object is there", test)
		}
	}
	put(t, c, "k", []byte("x"))
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")}
	if _, err := c.GetObject(t.Context(), in, header(name, "AES256")); code(err) != "InvalidArgument" {
		t.Errorf("a read that asks for encryption: %v", err)
	}
}

// A bucket policy that denies what is not encrypted by a key, as a hook plays it.
func TestEncryptionIsTold(t *testing.T) {
	t.Parallel()
	s := start(t, func(op s3d.Op) s3d.Action {
		if op.Phase == s3d.Before && op.Encryption != "" && op.Encryption != "aws:kms mine" {
			return s3d.Denied403
		}
		return s3d.Continue
	})
	c := client(t, s)
	for _, ask := range [][2]string{{"", ""}, {"AES256", ""}, {"aws:kms", ""}, {"aws:kms", "other"}} {
		if _, err := putEncrypted(t, c, "k", types.ServerSideEncryption(ask[0]), ask[1]); code(err) != "AccessDenied" || status(err) != 403 {
			t.Errorf("%q: %v", ask, err)
		}
	}
	if _, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("k")}); code(err) != "AccessDenied" {
		t.Errorf("an upload: %v", err)
	}
	if _, err := putEncrypted(t, c, "k", "aws:kms", "mine"); err != nil || !exists(t, c, "k") {
		t.Errorf("the key of the policy: %v", err)
	}
}
