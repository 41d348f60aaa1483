package s3d_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"backfill/internal/sandbox/s3d"
)

// fault fails one operation by its key and phase, once.
type fault struct {
	mu     sync.Mutex
	key    string
	phase  s3d.Phase
	action s3d.Action
	left   int
}

func (f *fault) hook(op s3d.Op) s3d.Action {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.left > 0 && op.Key == f.key && op.Phase == f.phase {
		f.left--
		return f.action
	}
	return s3d.Continue
}

func TestFailedPut(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		phase  s3d.Phase
		action s3d.Action
		status int
		code   string
		stored bool
	}{
		{s3d.Before, s3d.Fail500, 500, "InternalError", false},
		{s3d.After, s3d.Fail500, 500, "InternalError", true},
		{s3d.Before, s3d.SlowDown503, 503, "SlowDown", false},
		{s3d.After, s3d.SlowDown503, 503, "SlowDown", true},
		{s3d.Before, s3d.Cut, 0, "", false},
		{s3d.After, s3d.Cut, 0, "", true},
		{s3d.Before, s3d.CutBody, 0, "", true},
	} {
		t.Run(test.phase.String()+" "+test.action.String(), func(t *testing.T) {
			t.Parallel()
			f := &fault{key: "k", phase: test.phase, action: test.action, left: 1}
			c := client(t, start(t, f.hook))
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader(strings.Repeat("x", 3<<20)),
			})
			if err == nil || status(err) != test.status || code(err) != test.code {
				t.Errorf("PUT: %v", err)
			}
			if test.status == 0 && !lost(err) {
				t.Errorf("PUT: %v, want a reset connection", err)
			}
			if got := exists(t, c, "k"); got != test.stored {
				t.Errorf("stored %v, want %v", got, test.stored)
			}
		})
	}
}

// A lost answer to a conditional create is what makes the SDK's own retry see a 412 for its own object.
func TestLostAnswerTurnsRetryInto412(t *testing.T) {
	t.Parallel()
	f := &fault{key: "receipt", phase: s3d.After, action: s3d.Cut, left: 1}
	s := start(t, f.hook)
	c := client(t, s, withRetries)
	_, err := c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("receipt"), Body: strings.NewReader("attempt 1"), IfNoneMatch: aws.String("*"),
	})
	if code(err) != "PreconditionFailed" {
		t.Errorf("retried create: %v", err)
	}
	if got, err := get(t.Context(), c, "receipt"); err != nil || string(got) != "attempt 1" {
		t.Errorf("stored %q, %v", got, err)
	}
	if s.Operations() != 3 {
		t.Errorf("%d operations, want PUT, PUT and GET", s.Operations())
	}
}

func TestCutBody(t *testing.T) {
	t.Parallel()
	for _, size := range []int{2, 1000, 1 << 20, 4 << 20} {
		for _, phase := range []s3d.Phase{s3d.Before, s3d.After} {
			f := &fault{key: "k", phase: phase, action: s3d.CutBody}
			c := client(t, start(t, f.hook))
			put(t, c, "k", randomBytes(size))
			f.left = 1
			out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
			if err != nil {
				t.Fatalf("size %d: headers must arrive: %v", size, err)
			}
			if aws.ToInt64(out.ContentLength) != int64(size) {
				t.Errorf("size %d: promised %d", size, aws.ToInt64(out.ContentLength))
			}
			n, err := io.Copy(io.Discard, out.Body)
			if err == nil || n > int64(size/2) {
				t.Errorf("size %d, %v: %d bytes, error %v", size, phase, n, err)
			}
			if got, err := get(t.Context(), c, "k"); err != nil || len(got) != size {
				t.Errorf("size %d: the next GET: %d bytes, %v", size, len(got), err)
			}
		}
	}
}

func TestFailedGetAndHead(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k"}
	c := client(t, start(t, f.hook))
	put(t, c, "k", []byte("x"))
	for _, test := range []struct {
		phase  s3d.Phase
		action s3d.Action
		status int
	}{
		{s3d.Before, s3d.SlowDown503, 503},
		{s3d.After, s3d.SlowDown503, 503},
		{s3d.Before, s3d.Fail500, 500},
		{s3d.After, s3d.Fail500, 500},
	} {
		f.phase, f.action, f.left = test.phase, test.action, 1
		if _, err := get(t.Context(), c, "k"); status(err) != test.status {
			t.Errorf("GET %v: %v", test, err)
		}
		f.left = 1
		_, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k")})
		if status(err) != test.status {
			t.Errorf("HEAD %v: %v", test, err)
		}
	}
}

// The SDK's retries get through a burst of SlowDown, as they do with S3.
func TestRetryRidesOutSlowDown(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k", action: s3d.SlowDown503, left: 2}
	c := client(t, start(t, f.hook), withRetries)
	put(t, c, "k", []byte("x"))
	if !exists(t, c, "k") {
		t.Error("not stored")
	}
}

func TestHookSeesOperations(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []s3d.Op
	s := start(t, func(op s3d.Op) s3d.Action {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, op)
		return s3d.Continue
	})
	c := client(t, s)
	b, key := aws.String(bucket), aws.String("a b/ü+=.json")
	put(t, c, *key, []byte("x"))
	_, _ = get(t.Context(), c, *key)
	_, _ = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b, Key: aws.String("gone")})
	_, _ = c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b, Prefix: aws.String("a")})
	created, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: b, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: b, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x"),
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
		Bucket: b, Key: key, UploadId: created.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: b, Key: key, UploadId: created.UploadId})
	_, _ = c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: b, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key}}}})
	_, _ = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: b, Key: key})
	_, _ = c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("other")})
	_, _ = c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	_, _ = c.CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: b, Key: key, CopySource: aws.String("archive/gone")})

	want := []struct {
		kind, bucket, key string
		status            int
	}{
		{"PutObject", bucket, *key, 200},
		{"GetObject", bucket, *key, 200},
		{"HeadObject", bucket, "gone", 404},
		{"ListObjectsV2", bucket, "", 200},
		{"CreateMultipartUpload", bucket, *key, 200},
		{"UploadPart", bucket, *key, 200},
		{"CompleteMultipartUpload", bucket, *key, 200},
		{"AbortMultipartUpload", bucket, *key, 404},
		{"DeleteObjects", bucket, "", 200},
		{"DeleteObject", bucket, *key, 204},
		{"CreateBucket", "other", "", 200},
		{"ListBuckets", "", "", 200},
		{"CopyObject", bucket, *key, 404},
	}
	if len(seen) != 2*len(want) || s.Operations() != int64(len(want)) {
		t.Fatalf("%d hook calls, %d operations, want %d operations", len(seen), s.Operations(), len(want))
	}
	for i, w := range want {
		before, after := seen[2*i], seen[2*i+1]
		if before.Phase != s3d.Before || after.Phase != s3d.After || before.Status != 0 || after.Status != w.status {
			t.Errorf("operation %d: phases %v %v, status %d, want %d", i+1, before.Phase, after.Phase, after.Status, w.status)
		}
		after.Phase, after.Status = before.Phase, before.Status
		if before != after || before.Number != int64(i+1) || before.Kind != w.kind || before.Bucket != w.bucket || before.Key != w.key {
			t.Errorf("operation %d: %+v and %+v, want %+v", i+1, before, after, w)
		}
	}
}

// withRetries gives a client the SDK's own judgement of what to retry, without its waits.
func withRetries(o *s3.Options) {
	o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxBackoff = time.Millisecond })
}

// lost says that err is a connection that ended without an answer, as net/http tells it while it is still sending.
func lost(err error) bool {
	return slices.ContainsFunc([]error{syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, io.EOF}, func(e error) bool { return errors.Is(err, e) })
}
