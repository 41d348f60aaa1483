package fault_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"backfill/internal/sandbox/fault"
)

// caller makes one call of each kind on the object "k", as the worker does: with the SDK's own retries, but not its waits.
type caller struct {
	*s3.Client
	content []byte
}

func (p *pair) caller() *caller {
	return &caller{content: bytes.Repeat([]byte("0123456789abcdef"), 10_000), Client: s3.New(p.client.Options(), func(o *s3.Options) {
		o.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxBackoff = time.Millisecond })
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
	})}
}

func (c *caller) call(ctx context.Context, kind string) error {
	bucket, key := aws.String("lake"), aws.String("k")
	switch kind {
	case "put", "create":
		in := &s3.PutObjectInput{Bucket: bucket, Key: key, Body: bytes.NewReader(c.content)}
		if kind == "create" {
			in.IfNoneMatch = aws.String("*")
		}
		out, err := c.PutObject(ctx, in)
		if sum := md5.Sum(c.content); err == nil && aws.ToString(out.ETag) != `"`+hex.EncodeToString(sum[:])+`"` {
			return errOtherETag
		}
		return err
	case "get":
		out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: key})
		if err != nil {
			return err
		}
		defer out.Body.Close()
		body, err := io.ReadAll(out.Body)
		if err == nil && !bytes.Equal(body, c.content) {
			return errShort
		}
		return err
	case "head":
		_, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: key})
		return err
	case "list":
		_, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket})
		return err
	case "upload":
		created, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
		if err != nil {
			return err
		}
		part, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(c.content)})
		if err != nil {
			return err
		}
		_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: created.UploadId,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
		return err
	}
	return fmt.Errorf("no call is named %s", kind)
}

var (
	errOtherETag = errors.New("the answer names another object")
	errShort     = errors.New("the body is not whole")
)

// outcome is how a call ended: nothing, S3's error code, or the kind of what else went wrong.
func outcome(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errOtherETag), errors.Is(err, errShort):
		return err.Error()
	case errors.Is(err, context.Canceled):
		return "given up"
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return "broken"
}

// faultSeen is a rule, a call that meets it, and what the caller then sees.
type faultSeen struct {
	rule, call string
	want       string
	operations int64 // of this call
	stored     bool  // afterwards
}

func faultsSeen() []faultSeen {
	return []faultSeen{
		// Once: what the SDK tries again goes well.
		{"s3 PutObject fail=throttled", "put", "", 2, true},
		{"s3 PutObject fail=internal", "put", "", 2, true},
		{"s3 PutObject fail=unavailable", "put", "", 2, true},
		{"s3 PutObject fail=timeout", "put", "", 2, true},
		{"s3 PutObject cut", "put", "", 2, true},
		{"s3 PutObject lost", "put", "", 2, true},
		{"s3 GetObject fail=throttled", "get", "", 2, true},
		{"s3 GetObject cut", "get", "", 2, true},
		{"s3 ListObjectsV2 fail=throttled", "list", "", 2, false},
		{"s3 HeadObject fail=internal", "head", "", 2, true},
		{"s3 CompleteMultipartUpload fail=late", "upload", "", 4, true},
		{"s3 CompleteMultipartUpload fail=throttled", "upload", "", 4, true},
		{"s3 UploadPart lost", "upload", "", 4, true},
		// For good: three tries, and the last error.
		{"s3 PutObject fail=throttled times=all", "put", "SlowDown", 3, false},
		{"s3 PutObject fail=internal times=all", "put", "InternalError", 3, false},
		{"s3 PutObject fail=unavailable times=all", "put", "ServiceUnavailable", 3, false},
		{"s3 PutObject fail=timeout times=all", "put", "RequestTimeout", 3, false},
		{"s3 PutObject cut times=all", "put", "broken", 3, false},
		{"s3 PutObject lost times=all", "put", "broken", 3, true},
		{"s3 CompleteMultipartUpload fail=late times=all", "upload", "InternalError", 5, false},
		// What another try does not help is tried once.
		{"s3 PutObject fail=denied", "put", "AccessDenied", 1, false},
		{"s3 PutObject fail=disk-full", "put", "InsufficientStorage", 1, false},
		{"s3 PutObject fail=expired-token", "put", "ExpiredToken", 1, false},
		{"s3 PutObject fail=clock-skew", "put", "RequestTimeTooSkewed", 1, false},
		{"s3 PutObject fail=conflict", "create", "ConditionalRequestConflict", 1, false},
		// The answer of a conditional PUT is lost: its own second try finds the object there.
		{"s3 PutObject lost", "create", "PreconditionFailed", 2, true},
		{"s3 PutObject after fail=internal", "create", "PreconditionFailed", 2, true},
		// Bodies that end too early are not read again by the SDK; its checksum finds those that look whole.
		{"s3 GetObject cut-body", "get", "broken", 1, true},
		{"s3 GetObject short-body", "get", "broken", 1, true},
		{"s3 PutObject after wrong-etag", "put", "the answer names another object", 1, true},
		// Time.
		{"s3 GetObject slow=1MiB", "get", "", 1, true},
		{"s3 PutObject delay=10ms", "put", "", 1, true},
		{"s3 GetObject hang", "get", "given up", 1, true},
		{"s3 PutObject after hang", "put", "given up", 1, true},
		{"s3 GetObject slow=500 times=all", "get", "given up", 1, true},
		// By number.
		{"s3 PutObject nth=2 fail=denied", "put", "", 1, true},
		{"s3 * note times=all", "put", "", 1, true},
	}
}

// Every fault of S3 by name shows through the SDK as the service's own would: under its code, tried again or not.
func TestS3FaultsThroughTheSDK(t *testing.T) {
	p := startPair(t)
	c := p.caller()
	for _, test := range faultsSeen() {
		t.Run(test.rule+" "+test.call, func(t *testing.T) {
			object := &s3.DeleteObjectInput{Bucket: aws.String("lake"), Key: aws.String("k")}
			if _, err := p.client.DeleteObject(t.Context(), object); err != nil {
				t.Fatal(err)
			}
			if test.call == "get" || test.call == "head" {
				if err := c.call(t.Context(), "put"); err != nil {
					t.Fatal(err)
				}
			}
			ids, err := p.faults.Add(test.rule)
			if err != nil {
				t.Fatal(err)
			}
			ctx, giveUp := context.WithCancel(t.Context())
			defer giveUp()
			if test.want == "given up" {
				go func() {
					if p.faults.Wait(ctx, ids[0], 1) == nil {
						giveUp()
					}
				}()
			}
			before := p.objects.Operations()
			got := outcome(c.call(ctx, test.call))
			if n := p.objects.Operations() - before; got != test.want || n != test.operations {
				t.Errorf("it ends with %q after %d operations, want %q after %d", got, n, test.want, test.operations)
			}
			if err := p.faults.Clear(ids...); err != nil {
				t.Error(err)
			}
			if stored := outcome(c.call(t.Context(), "get")) == ""; stored != test.stored {
				t.Errorf("the object is there: %v", stored)
			}
		})
	}
}

// A harness hears of each fault before the operation fails, so that it can end the worker at that moment.
func TestHarnessHears(t *testing.T) {
	p := startPair(t)
	events := make(chan fault.Event, 10)
	p.faults.Notify(events)
	ids, err := p.faults.Add("s3 PutObject key=k nth=2 hang")
	if err != nil {
		t.Fatal(err)
	}
	c := p.caller()
	if err := c.call(t.Context(), "put"); err != nil {
		t.Fatal(err)
	}
	ctx, kill := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.call(ctx, "put") }()
	if err := p.faults.Wait(t.Context(), ids[0], 1); err != nil {
		t.Fatal(err)
	}
	e := <-events
	if e.ID != ids[0] || e.Fired != 1 || e.Operation.Kind != "PutObject" || e.Operation.Key != "k" || e.Operation.Phase != "before" {
		t.Errorf("%+v", e)
	}
	select {
	case err := <-ended:
		t.Errorf("the call ended while it hangs: %v", err)
	default:
	}
	kill()
	if err := <-ended; err == nil {
		t.Error("a call that was given up succeeds")
	}
}
