package s3d_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"backfill/internal/sandbox/s3d"
)

func TestRefusalsByName(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k"}
	c := client(t, start(t, f.hook))
	put(t, c, "k", []byte("x"))
	for _, test := range []struct {
		action s3d.Action
		status int
		code   string
	}{
		{s3d.Unavailable503, 503, "ServiceUnavailable"},
		{s3d.Conflict409, 409, "ConditionalRequestConflict"},
		{s3d.Denied403, 403, "AccessDenied"},
		{s3d.ClockSkew403, 403, "RequestTimeTooSkewed"},
		{s3d.ExpiredToken, 400, "ExpiredToken"},
		{s3d.Timeout400, 400, "RequestTimeout"},
		{s3d.DiskFull507, 507, "InsufficientStorage"},
	} {
		for _, phase := range []s3d.Phase{s3d.Before, s3d.After} {
			f.phase, f.action, f.left = phase, test.action, 1
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader(test.action.String())})
			if status(err) != test.status || code(err) != test.code {
				t.Errorf("%v %v: %v", phase, test.action, err)
			}
			body, err := get(t.Context(), c, "k")
			if took := string(body) == test.action.String(); err != nil || took != (phase == s3d.After) {
				t.Errorf("%v %v: then %q, %v", phase, test.action, body, err)
			}
			put(t, c, "k", []byte("x"))
		}
	}
}

// rawGet reads an object without the SDK, which would find the fault.
func rawGet(t *testing.T, c *s3.Client, key, span string) (*http.Response, []byte) {
	t.Helper()
	in := &s3.GetObjectInput{Bucket: aws.String(bucket), Key: &key}
	if span != "" {
		in.Range = &span
	}
	signed, err := s3.NewPresignClient(c).PresignGetObject(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), signed.Method, signed.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = signed.SignedHeader
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	res, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, body
}

// A short body looks whole to a client that checks neither checksums nor its own idea of the length.
func TestShortBody(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k", action: s3d.ShortBody}
	c := client(t, start(t, f.hook))
	for _, size := range []int{2, 1001, 1 << 20, 4<<20 + 1} {
		body := randomBytes(size)
		put(t, c, "k", body)
		for _, phase := range []s3d.Phase{s3d.Before, s3d.After} {
			f.phase, f.left = phase, 1
			res, got := rawGet(t, c, "k", "")
			if res.StatusCode != 200 || res.ContentLength != int64(size/2) || !bytes.Equal(got, body[:size/2]) {
				t.Errorf("size %d %v: status %d, %d bytes of %d", size, phase, res.StatusCode, len(got), res.ContentLength)
			}
		}
	}
	f.left = 1
	if _, err := get(t.Context(), c, "k"); err == nil {
		t.Error("the SDK's checksum finds nothing")
	}
	f.left = 1
	if res, got := rawGet(t, c, "k", "bytes=10-19"); res.StatusCode != 206 || len(got) != 5 {
		t.Errorf("range: %d, %d bytes", res.StatusCode, len(got))
	}
	f.left, f.key = 1, "gone"
	if res, got := rawGet(t, c, "gone", ""); res.StatusCode != 404 || !bytes.HasSuffix(bytes.TrimSpace(got), []byte("</Error>")) {
		t.Errorf("an error's body is cut: %d %s", res.StatusCode, got)
	}
}

const wrongETag = `"00000000000000000000000000000000"`

func TestWrongETag(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k", phase: s3d.After, action: s3d.WrongETag}
	c := client(t, start(t, f.hook))
	b, key := aws.String(bucket), aws.String("k")
	f.left = 1
	if got := put(t, c, "k", []byte("x")); got != wrongETag {
		t.Errorf("PUT: %s", got)
	}
	f.left = 1
	head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b, Key: key})
	if err != nil || aws.ToString(head.ETag) != wrongETag {
		t.Errorf("HEAD: %v %v", aws.ToString(head.ETag), err)
	}
	created, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: b, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: b, Key: key, UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("y")})
	if err != nil {
		t.Fatal(err)
	}
	f.left = 1
	done, err := c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: b, Key: key, UploadId: created.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
	if err != nil || aws.ToString(done.ETag) != wrongETag {
		t.Errorf("complete: %v %v", aws.ToString(done.ETag), err)
	}
	f.left, f.key = 1, ""
	list, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: b})
	if err != nil || len(list.Contents) != 1 || aws.ToString(list.Contents[0].ETag) != wrongETag {
		t.Errorf("list: %+v %v", list, err)
	}
	f.left = 0
	if head, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: b, Key: key}); err != nil || aws.ToString(head.ETag) == wrongETag {
		t.Errorf("the object itself has changed: %v %v", aws.ToString(head.ETag), err)
	}
}

// A slow operation takes as long as its rate says, and gives every byte.
func TestSlow(t *testing.T) {
	t.Parallel()
	f := &fault{key: "k"}
	c := client(t, start(t, f.hook))
	for _, size := range []int{10_000, 2 << 20} {
		body := randomBytes(size)
		f.phase, f.action, f.left = s3d.Before, s3d.Slow(size*5), 1
		began := time.Now()
		put(t, c, "k", body)
		if took := time.Since(began); took < 190*time.Millisecond {
			t.Errorf("PUT of %d bytes took %v", size, took)
		}
		f.phase, f.left = s3d.After, 1
		began = time.Now()
		if got, err := get(t.Context(), c, "k"); err != nil || !bytes.Equal(got, body) {
			t.Errorf("GET: %d bytes, %v", len(got), err)
		}
		if took := time.Since(began); took < 190*time.Millisecond {
			t.Errorf("GET of %d bytes took %v", size, took)
		}
	}
}

// Hooks that wait end when the client leaves and when the server closes.
func TestHookGivesUp(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 2)
	s := start(t, func(op s3d.Op) s3d.Action {
		if op.Kind == "GetObject" && op.Phase == s3d.Before {
			entered <- struct{}{}
			<-op.Done
		}
		return s3d.Continue
	})
	c := client(t, s)
	done := make(chan error, 1)
	go func() {
		_, err := get(t.Context(), c, "k")
		done <- err
	}()
	<-entered
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; err == nil {
		t.Error("a GET of nothing succeeds")
	}
}

func TestSlowActions(t *testing.T) {
	t.Parallel()
	for rate, want := range map[int]string{-1: "Slow(1)", 0: "Slow(1)", 65536: "Slow(65536)"} {
		if got := s3d.Slow(rate).String(); got != want {
			t.Errorf("%d: %s", rate, got)
		}
	}
}
