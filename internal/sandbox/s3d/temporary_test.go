package s3d_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/internal/sandbox/s3d"
)

// A temporary key does what the permanent one does, with its token, until it expires.
func TestTemporaryKey(t *testing.T) {
	t.Parallel()
	var skip atomic.Int64
	s, err := s3d.Start(t.Context(), s3d.Config{Dir: t.TempDir(), AccessKey: accessKey, SecretKey: secretKey, Region: region,
		Now: func() time.Time { return time.Now().Add(time.Duration(skip.Load())) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	if err := s.Admit(s3d.Temporary{AccessKey: "ASIA1", SecretKey: "secret", Token: "token", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	as := func(key, secret, token string) *s3.Client {
		return client(t, s, func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(key, secret, token) })
	}
	put(t, client(t, s), "permanent", []byte("x"))
	temporary := as("ASIA1", "secret", "token")
	put(t, temporary, "k", []byte("y"))
	if !exists(t, temporary, "permanent") || !exists(t, client(t, s), "k") {
		t.Error("the keys do not see the same objects")
	}
	if res, body := rawGet(t, temporary, "k", ""); res.StatusCode != 200 || string(body) != "y" {
		t.Errorf("presigned: %d %s", res.StatusCode, body)
	}
	for _, test := range []struct{ key, secret, token, code string }{
		{"ASIA1", "secret", "other", "InvalidToken"},
		{"ASIA1", "secret", "", "InvalidToken"},
		{"ASIA1", "wrong", "token", "SignatureDoesNotMatch"},
		{"ASIA2", "secret", "token", "InvalidAccessKeyId"},
		{accessKey, secretKey, "token", "InvalidToken"},
	} {
		if _, err := get(t.Context(), as(test.key, test.secret, test.token), "k"); code(err) != test.code {
			t.Errorf("%+v: %v", test, err)
		}
	}
	skip.Store(int64(time.Hour))
	_, err = temporary.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("late")})
	if status(err) != 400 || code(err) != "ExpiredToken" || exists(t, client(t, s), "late") {
		t.Error(err)
	}
	if err := errors.Join(s.Admit(s3d.Temporary{}), s.Admit(s3d.Temporary{AccessKey: accessKey, SecretKey: "x", Token: "x"})); err == nil {
		t.Error("keys without what they need are admitted")
	}
}
