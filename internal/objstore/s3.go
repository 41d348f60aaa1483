package objstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"backfill/internal/fail"
)

type s3Store struct {
	client  *s3.Client
	retryer aws.Retryer
	root    URI
	options Options
}

func openS3(ctx context.Context, root URI, o Options) (*s3Store, error) {
	retryer := newRetryer(o)
	cfg, err := config.LoadDefaultConfig(ctx,
		config.WithHTTPClient(newHTTPClient(o)),
		config.WithRetryer(func() aws.Retryer { return retryer }),
	)
	if err != nil {
		return nil, fail.Wrap(err, fail.Usage, "reading the AWS settings").Try("check the AWS_* variables and the files under ~/.aws")
	}
	if o.Region != "" {
		cfg.Region = o.Region
	}
	if cfg.Credentials != nil {
		cfg.Credentials = credentials{cfg.Credentials}
	}
	client := s3.NewFromConfig(cfg, func(so *s3.Options) {
		so.Retryer, so.RetryMaxAttempts = retryer, 0
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenSupported
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenSupported
		so.DisableLogOutputChecksumValidationSkipped = true
		// An S3-compatible server seldom has a host name per bucket.
		so.UsePathStyle = so.BaseEndpoint != nil
		if so.Region == "" && so.BaseEndpoint != nil {
			so.Region = "us-east-1"
		}
	})
	if client.Options().Region == "" {
		return nil, fail.New(fail.Usage, "no AWS region is set").At("%s", root).Try("set AWS_REGION to the region of the bucket")
	}
	return &s3Store{client: client, retryer: retryer, root: root, options: o}, nil
}

// newRetryer leaves out the SDK's token bucket, which gives up early when many
// workers are throttled together; the number of tries bounds each request.
func newRetryer(o Options) aws.Retryer {
	return retry.NewStandard(func(so *retry.StandardOptions) {
		so.MaxAttempts = o.MaxAttempts
		so.MaxBackoff = o.MaxBackoff
		so.Backoff = retry.NewExponentialJitterBackoff(o.MaxBackoff)
		so.RateLimiter = ratelimit.None
		// Two conditional writes met: neither may have won, so ask again.
		so.Retryables = append(so.Retryables, retry.RetryableErrorCode{Codes: map[string]struct{}{
			"ConditionalRequestConflict": {}, "OperationAborted": {},
		}})
	})
}

func newHTTPClient(o Options) *awshttp.BuildableClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = o.Connect }).
		WithTransportOptions(func(t *http.Transport) {
			t.TLSHandshakeTimeout = o.Connect
			t.ResponseHeaderTimeout = o.Silence
			t.MaxIdleConns, t.MaxIdleConnsPerHost = o.Concurrency, o.Concurrency
			t.MaxConnsPerHost = 0
			// The read timeout runs on idle connections, too: closing those
			// earlier leaves a new request at least half of it.
			t.IdleConnTimeout = o.Silence / 2
			// Bodies are read as stored: a transparent gunzip would break
			// sizes, ranges and checksums.
			t.DisableCompression = true
		}).
		WithReadTimeout(o.Silence)
}

// credentials marks the errors of the credential chain, which have no type of
// their own.
type credentials struct{ provider aws.CredentialsProvider }

type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// Retrieve asks the chain.
func (c credentials) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := c.provider.Retrieve(ctx)
	if err != nil {
		return found, &credentialsError{err}
	}
	return found, nil
}

func (s *s3Store) checkKey(string) error { return nil }

func (s *s3Store) uri(key string) URI { return s.root.Join(key) }

func (s *s3Store) name(key string) (bucket, full *string) {
	return aws.String(s.root.Bucket), aws.String(s.uri(key).Key)
}

func unquote(etag *string) string { return strings.Trim(aws.ToString(etag), `"`) }

func (s *s3Store) head(ctx context.Context, key string) (Object, error) {
	bucket, full := s.name(key)
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: full})
	if err != nil {
		return Object{}, classify(heading, s.uri(key), err)
	}
	return Object{
		Cold: coldHead(out),
		Key:  key, Size: aws.ToInt64(out.ContentLength), ETag: unquote(out.ETag), Version: aws.ToString(out.VersionId),
		Modified: aws.ToTime(out.LastModified).UTC(), StorageClass: string(out.StorageClass),
		Encryption: strings.TrimSpace(string(out.ServerSideEncryption) + " " + aws.ToString(out.SSEKMSKeyId)),
	}, nil
}

// encryption is what requests for new objects ask for; both empty: what the bucket does.
func (s *s3Store) encryption() (types.ServerSideEncryption, *string) {
	if s.options.KMSKey == "" {
		return "", nil
	}
	return types.ServerSideEncryptionAwsKms, aws.String(s.options.KMSKey)
}

func (s *s3Store) putNew(ctx context.Context, key string, body []byte) (bool, error) {
	bucket, full := s.name(key)
	method, kmsKey := s.encryption()
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: full, Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))),
		IfNoneMatch: aws.String("*"), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
		ServerSideEncryption: method, SSEKMSKeyId: kmsKey,
	})
	if err == nil {
		return true, nil
	}
	err = classify(putting, s.uri(key), err)
	if errors.Is(err, errPrecondition) {
		return false, nil
	}
	return false, err
}

func (s *s3Store) remove(ctx context.Context, key string) error {
	bucket, full := s.name(key)
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: full})
	if err = classify(deleting, s.uri(key), err); isMissing(err) {
		return nil
	}
	return err
}

// arn names what a policy must allow.
func arn(a action, at URI) string {
	if a == listing || a == listingUploads || at.Key == "" {
		return fmt.Sprintf("arn:aws:s3:::%s", at.Bucket)
	}
	return fmt.Sprintf("arn:aws:s3:::%s/%s", at.Bucket, at.Key)
}
