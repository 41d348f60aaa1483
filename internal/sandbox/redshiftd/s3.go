package redshiftd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
)

// objectStore reads the objects that COPY names.
type objectStore struct {
	client *s3.Client
	region string
	iam    IAM
	role   string // whose rights count; empty: all
}

const maxManifest = 64 << 20 // bytes

func newObjectStore(c S3, iam IAM) *objectStore {
	if c.Region == "" {
		c.Region = "us-east-1"
	}
	o := s3.Options{Region: c.Region, UsePathStyle: c.PathStyle, AppID: "Redshift",
		Credentials: credentials.NewStaticCredentialsProvider(c.AccessKey, c.SecretKey, ""),
		HTTPClient:  awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) { t.DisableKeepAlives = true })}
	if c.Endpoint != "" {
		o.BaseEndpoint = aws.String(c.Endpoint)
	}
	return &objectStore{client: s3.New(o), region: c.Region, iam: iam}
}

// splitS3 cuts s3://bucket/key.
func splitS3(u string) (bucket, key string, ok bool) {
	rest, ok := strings.CutPrefix(u, "s3://")
	if !ok {
		return "", "", false
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, bucket != ""
}

// url is an object's address as error texts show it.
func (o *objectStore) url(bucket, key string) string {
	return fmt.Sprintf("https://s3.%s.amazonaws.com/%s/%s", o.region, bucket, strings.ReplaceAll(key, "=", "%3D"))
}

func (o *objectStore) size(ctx context.Context, bucket, key string) (int64, error) {
	if err := o.mayRead(bucket, key); err != nil {
		return 0, err
	}
	h, err := o.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return 0, o.missing(bucket, err)
	}
	return aws.ToInt64(h.ContentLength), nil
}

// small reads an object whole.
func (o *objectStore) small(ctx context.Context, bucket, key string) ([]byte, error) {
	var b bytes.Buffer
	_, err := o.read(ctx, bucket, key, maxManifest+1, func() (io.Writer, error) { b.Reset(); return &b, nil })
	if err != nil {
		return nil, err
	}
	if b.Len() > maxManifest {
		return nil, strict("a manifest of more than %d bytes is not supported", maxManifest)
	}
	return b.Bytes(), nil
}

// download writes an object to a file and gives its size.
func (o *objectStore) download(ctx context.Context, bucket, key, path string) (n int64, err error) {
	f, err := os.Create(path)
	if err != nil {
		return 0, err
	}
	n, err = o.read(ctx, bucket, key, math.MaxInt64, func() (io.Writer, error) {
		if err := f.Truncate(0); err != nil {
			return nil, err
		}
		_, err := f.Seek(0, io.SeekStart)
		return f, err
	})
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return n, err
}

// maxReads is how often a body that breaks off is read, as Redshift does it.
const maxReads = 5

// read copies at most limit bytes of an object to what begin gives, which is asked anew for every try.
func (o *objectStore) read(ctx context.Context, bucket, key string, limit int64, begin func() (io.Writer, error)) (n int64, err error) {
	if err := o.mayRead(bucket, key); err != nil {
		return 0, err
	}
	for range maxReads {
		g, gerr := o.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		if gerr != nil {
			return 0, o.missing(bucket, gerr)
		}
		w, werr := begin()
		if werr != nil {
			return 0, errors.Join(werr, g.Body.Close())
		}
		n, err = io.Copy(w, io.LimitReader(g.Body, limit))
		_ = g.Body.Close() // what matters has been read
		if err == nil || ctx.Err() != nil {
			return n, err
		}
	}
	return n, err
}

const maxListed = 100_000

// list gives the keys below a prefix.
func (o *objectStore) list(ctx context.Context, bucket, prefix string) ([]string, error) {
	if err := o.mayList(bucket); err != nil {
		return nil, err
	}
	var keys []string
	pages := s3.NewListObjectsV2Paginator(o.client, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range p.Contents {
			keys = append(keys, aws.ToString(c.Key))
		}
		if len(keys) > maxListed {
			return nil, strict("more than %d objects under a prefix are not supported", maxListed)
		}
	}
	return keys, nil
}

// s3Text is an S3 error as Redshift's messages carry it.
func s3Text(err error) (status int, text string) {
	code, message := "RequestError", err.Error()
	var api smithy.APIError
	if errors.As(err, &api) {
		code, message = api.ErrorCode(), api.ErrorMessage()
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		status = resp.HTTPStatusCode()
	}
	var denied *errDenied
	if errors.As(err, &denied) {
		status = http.StatusForbidden
	}
	switch {
	case status == http.StatusForbidden:
		code, message = "AccessDenied", "Access Denied"
	case code == "NoSuchBucket":
		message = "The specified bucket does not exist"
	case status == http.StatusNotFound:
		code, message = "NoSuchKey", "The specified key does not exist."
	case status == http.StatusMovedPermanently:
		code, message = "PermanentRedirect", "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future requests to this endpoint."
	}
	return status, fmt.Sprintf("S3ServiceException:%s,Status %d,Error %s,Rid 0000000000000000,CanRetry 0", message, status, code)
}
