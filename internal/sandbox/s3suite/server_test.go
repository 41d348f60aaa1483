package s3suite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

const (
	region    = "eu-west-1"
	accessKey = "AKIASANDBOX"
	secretKey = "sandbox-secret"
)

// server is a running S3 server.
type server struct {
	endpoint string
	plant    func(ctx context.Context, b *bucket, keys []string) error // makes many small objects at once
	many     int                                                       // objects that plant makes in bearable time
	http     *http.Client
}

// bucket is a check's own bucket, with a client that sees it.
type bucket struct {
	*s3.Client
	server *server
	name   string
}

// open makes a bucket for one check.
func (s *server) open(ctx context.Context, name string) (*bucket, error) {
	b := &bucket{Client: s.client(nil), server: s, name: name}
	_, err := b.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name,
		CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: types.BucketLocationConstraint(region)}})
	return b, err
}

// client talks as the worker does: path style, CRC32 with every upload, checked on every download. It never retries.
func (s *server) client(change func(*s3.Options)) *s3.Client {
	o := s3.Options{Region: region, BaseEndpoint: &s.endpoint, UsePathStyle: true, HTTPClient: s.http, Retryer: aws.NopRetryer{},
		Credentials:                credentials.NewStaticCredentialsProvider(accessKey, secretKey, ""),
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported, ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported}
	if change != nil {
		change(&o)
	}
	return s3.New(o)
}

func (b *bucket) put(ctx context.Context, key string, body []byte, change func(*s3.PutObjectInput)) (*s3.PutObjectOutput, error) {
	in := &s3.PutObjectInput{Bucket: &b.name, Key: &key, Body: bytes.NewReader(body)}
	if change != nil {
		change(in)
	}
	out, err := b.PutObject(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("PUT %q: %w", key, err)
	}
	return out, nil
}

func (b *bucket) get(ctx context.Context, key string, change func(*s3.GetObjectInput)) ([]byte, *s3.GetObjectOutput, error) {
	in := &s3.GetObjectInput{Bucket: &b.name, Key: &key}
	if change != nil {
		change(in)
	}
	out, err := b.GetObject(ctx, in)
	if err != nil {
		return nil, nil, fmt.Errorf("GET %q: %w", key, err)
	}
	body, err := io.ReadAll(out.Body)
	return body, out, errors.Join(err, out.Body.Close())
}

// holds checks an object's content.
func (b *bucket) holds(ctx context.Context, key string, want []byte) error {
	got, _, err := b.get(ctx, key, nil)
	if err == nil && !bytes.Equal(got, want) {
		err = fmt.Errorf("%q holds %d bytes (%.40q), want %d", key, len(got), got, len(want))
	}
	return err
}

// names lists keys and common prefixes, page after page.
func (b *bucket) names(ctx context.Context, in s3.ListObjectsV2Input) ([]string, error) {
	in.Bucket = &b.name
	var names []string
	for pages := s3.NewListObjectsV2Paginator(b, &in); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, o := range page.Contents {
			names = append(names, aws.ToString(o.Key))
		}
		for _, p := range page.CommonPrefixes {
			names = append(names, aws.ToString(p.Prefix))
		}
	}
	return names, nil
}

// refused checks that an error is S3's: its HTTP status, code and message; an empty code or text is not looked at.
func refused(err error, status int, code, text string) error {
	var response interface{ HTTPStatusCode() int }
	var api smithy.APIError
	switch {
	case err == nil:
		return fmt.Errorf("no error, want %d %s", status, code)
	case !errors.As(err, &response) || response.HTTPStatusCode() != status:
		return fmt.Errorf("want %d %s, got: %w", status, code, err)
	case code != "" && (!errors.As(err, &api) || api.ErrorCode() != code):
		return fmt.Errorf("want the code %s, got: %w", code, err)
	case text != "" && strings.TrimSuffix(api.ErrorMessage(), ".") != strings.TrimSuffix(text, "."): // S3 itself is not of one mind about full stops
		return fmt.Errorf("want the text %q, got %q", text, api.ErrorMessage())
	}
	return nil
}

// all is the first error.
func all(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// check is one thing that S3 does.
type check struct {
	name string
	run  func(context.Context, *bucket) error
}

const checkTime = 2 * time.Minute

// suite runs all checks on a server. Those named in exceptions have to fail with an error that holds the given text.
func suite(t *testing.T, s *server, exceptions map[string]string) {
	known := map[string]bool{}
	for i, c := range checks() {
		known[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), checkTime)
			defer cancel()
			b, err := s.open(ctx, fmt.Sprintf("check-%d", i))
			if err != nil {
				t.Fatal(err)
			}
			err = c.run(ctx, b)
			why, exempt := exceptions[c.name]
			switch {
			case exempt && err == nil:
				t.Error("this passes: it is no exception any more")
			case exempt && !strings.Contains(err.Error(), why):
				t.Errorf("this fails in another way than the exception says, %q: %v", why, err)
			case !exempt && err != nil:
				t.Error(err)
			}
		})
	}
	for name := range exceptions {
		if !known[name] {
			t.Errorf("the exception %q is of no check", name)
		}
	}
}
