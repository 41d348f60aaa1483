package objstore

import (
	"bytes"
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"backfill/internal/fail"
)

const (
	maxParts     = 10_000 // S3's own limit
	abortTimeout = 30 * time.Second
)

// s3Upload sends small bodies as one PutObject and larger ones in parts. It
// holds two buffers: one is filled while the other is on its way.
type s3Upload struct {
	ctx    context.Context // of Create
	cancel context.CancelFunc
	store  *s3Store
	key    string
	buffer []byte // at most PartBytes
	spare  []byte // the buffer in flight, or free
	size   int64
	id     string // of the multipart upload, "" before the first part
	parts  []types.CompletedPart
	flight chan partResult // nil when no part is on its way
	err    error           // final
}

type partResult struct {
	part types.CompletedPart
	err  error
}

func (s *s3Store) create(ctx context.Context, key string) (uploader, error) {
	ctx, cancel := context.WithCancel(ctx)
	return &s3Upload{ctx: ctx, cancel: cancel, store: s, key: key}, nil
}

func (u *s3Upload) write(p []byte) (int, error) {
	written := 0
	for written < len(p) && u.err == nil {
		// A full buffer is sent only when more follows, so that a body of
		// exactly one part needs no multipart upload.
		if len(u.buffer) == u.store.options.PartBytes {
			u.send()
			continue
		}
		u.grow(len(p) - written)
		n := copy(u.buffer[len(u.buffer):cap(u.buffer)], p[written:])
		u.buffer = u.buffer[:len(u.buffer)+n]
		u.size += int64(n)
		written += n
	}
	return written, u.err
}

// grow makes room for at least one more byte, at most up to a whole part.
func (u *s3Upload) grow(more int) {
	if len(u.buffer) < cap(u.buffer) {
		return
	}
	room := min(max(2*cap(u.buffer), len(u.buffer)+more, 64<<10), u.store.options.PartBytes)
	larger := make([]byte, len(u.buffer), room)
	copy(larger, u.buffer)
	u.buffer = larger
}

// send puts the full buffer on its way, after the one before it has arrived.
func (u *s3Upload) send() {
	u.wait()
	if u.err == nil && u.id == "" {
		u.err = u.begin()
	}
	if u.err == nil && len(u.parts) == maxParts {
		u.err = fail.New(fail.Usage, "the upload needs more than %d parts of %d bytes", maxParts, u.store.options.PartBytes).At("%s", u.store.uri(u.key)).Try("write smaller files or set larger parts")
	}
	if u.err != nil {
		return
	}
	body, number, flight := u.buffer, int32(len(u.parts)+1), make(chan partResult, 1)
	u.flight = flight
	u.buffer, u.spare = u.spare[:0], body
	go func() { flight <- u.sendPart(number, body) }()
}

func (u *s3Upload) begin() error {
	bucket, full := u.store.name(u.key)
	method, kmsKey := u.store.encryption()
	out, err := u.store.client.CreateMultipartUpload(u.ctx, &s3.CreateMultipartUploadInput{
		Bucket: bucket, Key: full, ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ServerSideEncryption: method, SSEKMSKeyId: kmsKey,
	})
	if err != nil {
		return classify(putting, u.store.uri(u.key), err)
	}
	u.id = aws.ToString(out.UploadId)
	return nil
}

func (u *s3Upload) sendPart(number int32, body []byte) partResult {
	bucket, full := u.store.name(u.key)
	out, err := u.store.client.UploadPart(u.ctx, &s3.UploadPartInput{
		Bucket: bucket, Key: full, UploadId: aws.String(u.id), PartNumber: aws.Int32(number),
		Body: bytes.NewReader(body), ContentLength: aws.Int64(int64(len(body))), ChecksumAlgorithm: types.ChecksumAlgorithmCrc32,
	})
	if err != nil {
		return partResult{err: classify(putting, u.store.uri(u.key), err)}
	}
	return partResult{part: types.CompletedPart{PartNumber: aws.Int32(number), ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32}}
}

// wait takes the result of the part in flight, if there is one.
func (u *s3Upload) wait() {
	if u.flight == nil {
		return
	}
	result := <-u.flight // bounded: the request ends with its context
	u.flight = nil
	switch {
	case result.err == nil:
		u.parts = append(u.parts, result.part)
	case u.err == nil:
		u.err = result.err
	}
}

func (u *s3Upload) commit(ctx context.Context) (Object, error) {
	if u.err == nil && u.id == "" {
		return u.put(ctx)
	}
	if u.err == nil && len(u.buffer) > 0 {
		u.send()
	}
	u.wait()
	if u.err != nil {
		return Object{}, u.err
	}
	return u.complete(ctx)
}

func (u *s3Upload) put(ctx context.Context) (Object, error) {
	bucket, full := u.store.name(u.key)
	method, kmsKey := u.store.encryption()
	out, err := u.store.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: bucket, Key: full, Body: bytes.NewReader(u.buffer), ContentLength: aws.Int64(u.size),
		ChecksumAlgorithm: types.ChecksumAlgorithmCrc32, ServerSideEncryption: method, SSEKMSKeyId: kmsKey,
	})
	if err != nil {
		return Object{}, classify(putting, u.store.uri(u.key), err)
	}
	u.release()
	return Object{Key: u.key, Size: u.size, ETag: unquote(out.ETag), Version: aws.ToString(out.VersionId)}, nil
}

func (u *s3Upload) complete(ctx context.Context) (Object, error) {
	bucket, full := u.store.name(u.key)
	out, err := u.store.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: bucket, Key: full, UploadId: aws.String(u.id),
		MultipartUpload: &types.CompletedMultipartUpload{Parts: u.parts},
	})
	if err == nil {
		u.release()
		return Object{Key: u.key, Size: u.size, ETag: unquote(out.ETag), Version: aws.ToString(out.VersionId)}, nil
	}
	// The upload is unknown once it is complete: the answer to the first try
	// may have been lost. Nobody else writes this key, so an object of the
	// right size is ours.
	if codeOf(err) == codeNoSuchUpload {
		if o, again := u.store.head(ctx, u.key); again == nil && o.Size == u.size {
			u.release()
			return o, nil
		}
	}
	return Object{}, classify(putting, u.store.uri(u.key), err)
}

func (u *s3Upload) abort(ctx context.Context) error {
	u.cancel()
	u.wait()
	id := u.id
	u.release()
	if id == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	bucket, full := u.store.name(u.key)
	_, err := u.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: full, UploadId: aws.String(id)})
	if codeOf(err) == codeNoSuchUpload {
		return nil
	}
	return classify(aborting, u.store.uri(u.key), err)
}

// release drops the buffers and the context; no part may be in flight.
func (u *s3Upload) release() {
	u.cancel()
	u.buffer, u.spare = nil, nil
}
