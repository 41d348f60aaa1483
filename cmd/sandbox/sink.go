package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// sink is where generate writes. Put may be called from several goroutines; keys are separated by slashes.
type sink interface {
	Put(ctx context.Context, key string, body []byte) error
	Empty(ctx context.Context, prefix string) (bool, error) // no key begins with prefix
	URI() string                                            // without a slash at the end
}

// s3Sink is a bucket of the running sandbox.
type s3Sink struct {
	client *s3.Client
	bucket string
}

func newS3Sink(env environment, bucket string) (*s3Sink, error) {
	values, err := env.require(envEndpoint, envAccessKey, envSecretKey, envRegion)
	if err != nil {
		return nil, err
	}
	return &s3Sink{bucket: bucket, client: s3.New(s3.Options{
		Region:       values[envRegion],
		BaseEndpoint: aws.String(values[envEndpoint]),
		UsePathStyle: true,
		Credentials:  credentials.NewStaticCredentialsProvider(values[envAccessKey], values[envSecretKey], ""),
		HTTPClient:   &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: connectTimeout}},
	})}, nil
}

func (s *s3Sink) URI() string { return "s3://" + s.bucket }

func (s *s3Sink) Put(ctx context.Context, key string, body []byte) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(body)})
	if err != nil {
		return fmt.Errorf("writing s3://%s/%s: %w", s.bucket, key, err)
	}
	return nil
}

func (s *s3Sink) Empty(ctx context.Context, prefix string) (bool, error) {
	page, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix, MaxKeys: aws.Int32(1)})
	if err != nil {
		return false, fmt.Errorf("listing s3://%s/%s: %w", s.bucket, prefix, err)
	}
	return len(page.Contents) == 0, nil
}

// dirSink is a local folder; a key becomes a path below it.
type dirSink struct{ dir string }

func newDirSink(dir string) (*dirSink, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolving the folder %s: %w", dir, err)
	}
	return &dirSink{dir: abs}, nil
}

func (d *dirSink) URI() string { return "file://" + d.dir }

func (d *dirSink) path(key string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(key)) {
		return "", fmt.Errorf("key %q leads out of the folder %s", key, d.dir)
	}
	return filepath.Join(d.dir, filepath.FromSlash(key)), nil
}

func (d *dirSink) Put(_ context.Context, key string, body []byte) error {
	path, err := d.path(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("creating the folder of %s: %w", key, err)
	}
	return writeFile(path, body, 0o644)
}

// Empty looks at the folder that prefix, which ends in a slash, names; without one, at all.
func (d *dirSink) Empty(_ context.Context, prefix string) (bool, error) {
	path, err := d.path(cmp.Or(prefix, "."))
	if err != nil {
		return false, err
	}
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("listing %s: %w", path, err)
	}
	return len(entries) == 0, nil
}
