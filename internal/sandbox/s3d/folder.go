package s3d

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// folder is the gateway's backend: versitygw's POSIX backend, told every bucket by its absolute path.
//
// The POSIX backend by itself takes buckets as paths relative to the process's working directory, and changes that
// directory. A process could then hold one gateway only, and every relative path of its other code would break.
// With absolute paths neither is so. Paths are turned back into names in results and errors.
// Operations that are not listed here are refused as NotImplemented by the embedded type.
type folder struct {
	backend.BackendUnsupported
	posix  *posix.Posix
	dir    string
	region string           // of the KMS keys
	now    func() time.Time // by which restored copies expire
	states sync.Mutex       // held while a change of how an object is stored is read and written
}

// newFolder opens dir, an absolute path.
func newFolder(dir, region string, now func() time.Time) (*folder, error) {
	if err := (meta.XattrMeta{}).Test(dir); err != nil {
		return nil, fmt.Errorf("folder %s has no extended attributes, which keep ETags and checksums; "+
			"choose one on ext4, xfs, btrfs or a recent tmpfs: %w", dir, err)
	}
	// "." makes the backend's own change of directory one to where the process already is.
	p, err := posix.New(".", meta.XattrMeta{}, posix.PosixOpts{
		ForceNoObjLockFile: true, // one process owns the folder; lock files would land in the working directory
		Concurrency:        maxRequests,
		IOBufferSize:       256 << 10,
	})
	if err != nil {
		return nil, fmt.Errorf("opening the POSIX backend: %w", err)
	}
	return &folder{posix: p, dir: dir, region: region, now: now}, nil
}

func (f *folder) path(bucket *string) *string {
	p := filepath.Join(f.dir, *bucket)
	return &p
}

// named puts the bucket's name into an error that carries its path.
func named(err error, bucket string) error {
	var bucketErr s3err.BucketError
	if errors.As(err, &bucketErr) {
		bucketErr.BucketName = bucket
		return bucketErr
	}
	return err
}

func (f *folder) String() string { return "folder " + f.dir }

func (f *folder) Shutdown() { f.posix.Shutdown() }

func (f *folder) NormalizeObjectKey(bucket, object string) string {
	return f.posix.NormalizeObjectKey(*f.path(&bucket), object)
}

func (f *folder) ListBuckets(_ context.Context, in s3response.ListBucketsInput) (s3response.ListAllMyBucketsResult, error) {
	out := s3response.ListAllMyBucketsResult{Owner: s3response.CanonicalUser{ID: in.Owner}, Prefix: in.Prefix}
	entries, err := os.ReadDir(f.dir) // sorted by name
	if err != nil {
		return out, fmt.Errorf("listing buckets: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), in.Prefix) || e.Name() <= in.ContinuationToken {
			continue
		}
		if n := len(out.Buckets.Bucket); n > 0 && n == int(in.MaxBuckets) {
			out.ContinuationToken = out.Buckets.Bucket[n-1].Name
			break
		}
		info, err := e.Info()
		if err != nil {
			continue // removed since ReadDir
		}
		out.Buckets.Bucket = append(out.Buckets.Bucket, s3response.ListAllMyBucketsEntry{
			Name: e.Name(), CreationDate: info.ModTime(),
		})
	}
	return out, nil
}

func (f *folder) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.HeadBucket(ctx, &at)
	return out, named(err, *in.Bucket)
}

func (f *folder) CreateBucket(ctx context.Context, in *s3.CreateBucketInput, acl []byte) error {
	at := *in
	at.Bucket = f.path(in.Bucket)
	return named(f.posix.CreateBucket(ctx, &at, acl), *in.Bucket)
}

func (f *folder) DeleteBucket(ctx context.Context, bucket string) error {
	return named(f.posix.DeleteBucket(ctx, *f.path(&bucket)), bucket)
}

func (f *folder) GetBucketAcl(ctx context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	at := *in
	at.Bucket = f.path(in.Bucket)
	out, err := f.posix.GetBucketAcl(ctx, &at)
	return out, named(err, *in.Bucket)
}

func (f *folder) GetBucketPolicy(ctx context.Context, bucket string) ([]byte, error) {
	out, err := f.posix.GetBucketPolicy(ctx, *f.path(&bucket))
	return out, named(err, bucket)
}

func (f *folder) GetBucketCors(ctx context.Context, bucket string) ([]byte, error) {
	out, err := f.posix.GetBucketCors(ctx, *f.path(&bucket))
	return out, named(err, bucket)
}

func (f *folder) GetBucketOwnershipControls(ctx context.Context, bucket string) (types.ObjectOwnership, error) {
	out, err := f.posix.GetBucketOwnershipControls(ctx, *f.path(&bucket))
	return out, named(err, bucket)
}

func (f *folder) GetObjectLockConfiguration(ctx context.Context, bucket string) ([]byte, error) {
	out, err := f.posix.GetObjectLockConfiguration(ctx, *f.path(&bucket))
	return out, named(err, bucket)
}

// GetBucketVersioning answers that the bucket was never versioned.
func (f *folder) GetBucketVersioning(ctx context.Context, bucket string) (s3response.GetBucketVersioningOutput, error) {
	_, err := f.posix.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: f.path(&bucket)})
	return s3response.GetBucketVersioningOutput{}, named(err, bucket)
}
