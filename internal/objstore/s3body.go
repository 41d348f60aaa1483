package objstore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"backfill/internal/fail"
)

func (s *s3Store) get(ctx context.Context, key string, match Object) (io.ReadCloser, Object, error) {
	out, err := s.getFrom(ctx, key, match, 0, 0)
	if err != nil {
		return nil, Object{}, err
	}
	o := Object{
		Key: key, Size: -1, ETag: unquote(out.ETag), Version: aws.ToString(out.VersionId),
		Modified: aws.ToTime(out.LastModified).UTC(), StorageClass: string(out.StorageClass),
	}
	switch {
	case out.ContentLength != nil:
		o.Size = *out.ContentLength
	case match.ETag != "":
		o.Size = match.Size
	}
	return &s3Body{ctx: ctx, store: s, object: o, end: o.Size, body: out.Body}, o, nil
}

// getPart opens the bytes [from, to) of the planned object. Only whole objects
// come with a checksum.
func (s *s3Store) getPart(ctx context.Context, planned Object, from, to int64) (io.ReadCloser, error) {
	out, err := s.getFrom(ctx, planned.Key, planned, from, to)
	if err != nil {
		return nil, err
	}
	return &s3Body{ctx: ctx, store: s, object: planned, offset: from, end: to, part: true, body: out.Body}, nil
}

// getFrom asks for the object from the offset to its end, or to a place before
// it that is not 0, on condition that it is still the one in match.
func (s *s3Store) getFrom(ctx context.Context, key string, match Object, offset, end int64) (*s3.GetObjectOutput, error) {
	bucket, full := s.name(key)
	input := &s3.GetObjectInput{Bucket: bucket, Key: full, ChecksumMode: types.ChecksumModeEnabled}
	planned := match.ETag != "" || match.Version != ""
	if match.ETag != "" {
		input.IfMatch = aws.String(`"` + match.ETag + `"`)
	}
	if match.Version != "" {
		input.VersionId = aws.String(match.Version)
	}
	switch {
	case end > 0:
		input.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, end-1))
	case offset > 0:
		input.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	out, err := s.client.GetObject(ctx, input)
	if err != nil {
		err = classify(getting, s.uri(key), err)
		if errors.Is(err, errPrecondition) || planned && isMissing(err) {
			return nil, changed(s.uri(key), causeOf(err))
		}
		return nil, err
	}
	// A server that ignores a condition or a range must not pass for one that
	// checked it.
	if got := unquote(out.ETag); match.ETag != "" && got != match.ETag {
		err = changed(s.uri(key), fmt.Errorf("its ETag is %q, %q was planned", got, match.ETag))
	} else if input.Range != nil && !strings.HasPrefix(aws.ToString(out.ContentRange), fmt.Sprintf("bytes %d-", offset)) {
		err = fail.New(fail.Service, "asked for bytes from %d on, got range %q", offset, aws.ToString(out.ContentRange)).At("%s", s.uri(key))
	}
	if err != nil {
		return nil, errors.Join(err, out.Body.Close())
	}
	return out, nil
}

// causeOf takes off what the classification said, where more is said instead.
func causeOf(err error) error {
	var e *fail.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// changed says that the object is not the planned one any more.
func changed(at URI, cause error) error {
	return fail.Wrap(cause, fail.ArchiveChanged, "the object changed or vanished after it was planned").At("%s", at).
		Try("find out who writes to the archive, then plan again with --replan")
}

// s3Body reads one version of an object and resumes after a broken connection
// with a ranged GET of the same version.
type s3Body struct {
	ctx     context.Context
	store   *s3Store
	object  Object // Size is -1 when the server did not tell it
	body    io.ReadCloser
	offset  int64
	end     int64 // offset behind the last byte wanted; -1 when that is not known
	part    bool  // end is before the object's own
	resumed int
	err     error // final
}

// Read gives io.EOF only after the last byte of the object.
func (b *s3Body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for b.err == nil {
		n, err := b.body.Read(p)
		b.offset += int64(n)
		if err != nil {
			b.err = b.settle(err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, b.err
}

// settle decides what the end of a body means: nil after a resumption, io.EOF
// at the end of the object, otherwise the error to report.
func (b *s3Body) settle(err error) error {
	at := b.store.uri(b.object.Key)
	if b.offset == b.end || b.end < 0 && errors.Is(err, io.EOF) {
		if errors.Is(err, io.EOF) {
			return io.EOF
		}
		// All bytes came, and then the SDK's checksum objected: they were
		// already handed out, so only reading again from the start can help.
		return fail.Wrap(err, fail.Network, "the bytes received do not fit the stored checksum").At("%s", at).Try("run the same command again; if it fails here again, the object is damaged")
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if b.resumed >= b.store.options.MaxAttempts {
		return classify(getting, at, fmt.Errorf("broken at byte %d of %d, %d resumptions used up: %w", b.offset, b.end, b.resumed, err))
	}
	if cause := b.ctx.Err(); cause != nil {
		return classify(getting, at, cause)
	}
	b.resumed++
	// The first resumption is prompt: most breaks are single resets.
	if b.resumed > 1 {
		if err := b.pause(err); err != nil {
			return classify(getting, at, err)
		}
	}
	_ = b.body.Close() // it is broken: its error says nothing new
	end := int64(0)
	if b.part {
		end = b.end
	}
	out, again := b.store.getFrom(b.ctx, b.object.Key, b.object, b.offset, end)
	if again != nil {
		b.body = io.NopCloser(strings.NewReader(""))
		return again
	}
	b.body = out.Body
	return nil
}

func (b *s3Body) pause(cause error) error {
	delay, err := b.store.retryer.RetryDelay(b.resumed, cause)
	if err != nil {
		return err
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-b.ctx.Done():
		return b.ctx.Err()
	}
}

// Close releases the connection. Closing before the end drops it.
func (b *s3Body) Close() error {
	if b.err == nil {
		b.err = fail.New(fail.Internal, "reading a body that was closed")
	}
	_ = b.body.Close() // what was read is already proven by Read's own results
	return nil
}
