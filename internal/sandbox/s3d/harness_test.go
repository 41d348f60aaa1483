package s3d_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"go.uber.org/goleak"

	"backfill/internal/sandbox/s3d"
)

const (
	bucket    = "archive"
	region    = "eu-west-1"
	accessKey = "AKIASANDBOX"
	secretKey = "sandbox-secret"
)

func TestMain(m *testing.M) {
	// Inside the gateway fasthttp keeps a clock for ever and ends its workers' cleaner some seconds after the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

// start runs a server with one bucket for the length of a test.
func start(t *testing.T, hook func(s3d.Op) s3d.Action) *s3d.Server {
	t.Helper()
	return startIn(t, t.TempDir(), hook)
}

func startIn(t *testing.T, dir string, hook func(s3d.Op) s3d.Action) *s3d.Server {
	t.Helper()
	s, err := s3d.Start(t.Context(), s3d.Config{Dir: dir, AccessKey: accessKey, SecretKey: secretKey, Region: region, Hook: hook})
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
	return s
}

// client talks to s as the worker does: path style, the SDK's default checksums; retries are off unless asked for.
func client(t *testing.T, s *s3d.Server, options ...func(*s3.Options)) *s3.Client {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return s3.New(s3.Options{
		Region:       region,
		BaseEndpoint: aws.String(s.Endpoint()),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		HTTPClient:   &http.Client{Transport: transport},
		Retryer:      aws.NopRetryer{},
		// What config.LoadDefaultConfig sets: CRC32 with every upload, checked on every download.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	}, options...)
}

func put(t *testing.T, c *s3.Client, key string, body []byte) string {
	t.Helper()
	out, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		t.Fatalf("putting %q: %v", key, err)
	}
	return aws.ToString(out.ETag)
}

func get(ctx context.Context, c *s3.Client, key string) ([]byte, error) {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key})
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(out.Body)
	return body, errors.Join(err, out.Body.Close())
}

func exists(t *testing.T, c *s3.Client, key string) bool {
	t.Helper()
	_, err := get(t.Context(), c, key)
	if err != nil && code(err) != "NoSuchKey" {
		t.Fatalf("getting %q: %v", key, err)
	}
	return err == nil
}

// code returns the S3 error code of err, or "" if it has none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func status(err error) int {
	var res interface{ HTTPStatusCode() int }
	if errors.As(err, &res) {
		return res.HTTPStatusCode()
	}
	return 0
}

// signedPut sends one PUT by hand, where the SDK would not send such a body. The key is in its URL form.
func signedPut(t *testing.T, s *s3d.Server, key, payload string, body io.Reader, length int64, header http.Header) (*http.Response, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.Endpoint()+"/"+bucket+"/"+key, io.NopCloser(body))
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = length
	maps.Copy(r.Header, header)
	r.Header.Set("X-Amz-Content-Sha256", payload)
	keys := aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}
	raw := func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }
	if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, payload, "s3", region, time.Now(), raw); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport.RoundTrip(r)
}

var errDisk = errors.New("the disk is gone")

// failingReader breaks a body off.
type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errDisk }
