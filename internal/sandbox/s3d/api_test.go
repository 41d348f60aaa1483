package s3d_test

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"backfill/internal/sandbox/s3d"
)

func TestObjectRoundTrip(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	for _, size := range []int{0, 1, 1 << 10, 1<<20 - 1, 1 << 20, 1<<20 + 1, 5 << 20} {
		key, body := fmt.Sprintf("size/%d", size), randomBytes(size)
		sum := md5.Sum(body)
		etag := put(t, c, key, body)
		if want := `"` + hex.EncodeToString(sum[:]) + `"`; etag != want {
			t.Errorf("size %d: ETag %s, want %s", size, etag, want)
		}
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{
			Bucket: aws.String(bucket), Key: &key, IfMatch: &etag, ChecksumMode: types.ChecksumModeEnabled,
		})
		if err != nil {
			t.Fatalf("size %d: %v", size, err)
		}
		got, err := io.ReadAll(out.Body) // the SDK compares the CRC32 at the end
		if err != nil || !bytes.Equal(got, body) {
			t.Errorf("size %d: got %d bytes, error %v", size, len(got), err)
		}
		if aws.ToString(out.ChecksumCRC32) == "" {
			t.Errorf("size %d: the CRC32 sent by default is not given back", size)
		}
		head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: &key})
		if err != nil || aws.ToInt64(head.ContentLength) != int64(size) || aws.ToString(head.ETag) != etag {
			t.Errorf("size %d: HEAD says %+v, %v", size, head, err)
		}
		if head != nil && head.LastModified == nil {
			t.Errorf("size %d: HEAD without Last-Modified", size)
		}
	}
}

func TestRange(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	body := randomBytes(3 << 20)
	put(t, c, "k", body)
	for _, test := range []struct {
		header     string
		from, to   int
		wantStatus int
	}{
		{"bytes=0-0", 0, 1, 0},
		{"bytes=100-1999", 100, 2000, 0},
		{"bytes=-7", len(body) - 7, len(body), 0},
		{fmt.Sprintf("bytes=%d-", 1<<20), 1 << 20, len(body), 0},
		{fmt.Sprintf("bytes=%d-", len(body)), 0, 0, http.StatusRequestedRangeNotSatisfiable},
	} {
		out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), Range: &test.header})
		if status(err) != test.wantStatus {
			t.Errorf("%s: %v, want status %d", test.header, err, test.wantStatus)
		}
		if err != nil {
			continue
		}
		got, err := io.ReadAll(out.Body)
		if err != nil || !bytes.Equal(got, body[test.from:test.to]) {
			t.Errorf("%s: got %d bytes, %v", test.header, len(got), err)
		}
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	keys := []string{
		"plain", "with space", "topics/payroll.events/partition=0/payroll.events+0+0000000042.json.gz",
		"a+b=c(d).json", "percent%20literal", "percent%", "quote'\"s", "tab\there", "üñí/Ωmega/日本語.parquet", "semi;colon,comma",
		"amper&sand?question#hash", "tilde~under_score-dash.dot", "at@colon:dollar$bang!star*", "back\\slash", "[brackets]{braces}",
		strings.Repeat("long/", 150) + "end",
	}
	for _, key := range keys {
		put(t, c, key, []byte(key))
	}
	for _, key := range keys {
		if got, err := get(t.Context(), c, key); err != nil || string(got) != key {
			t.Errorf("getting %q: %q, %v", key, got, err)
		}
	}
	slices.Sort(keys)
	if got := list(t, c, &s3.ListObjectsV2Input{}); !slices.Equal(got, keys) {
		t.Errorf("listed %q, want %q", got, keys)
	}
}

func TestConditionalPut(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	create := func(ctx context.Context, body string) error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{
			Bucket: aws.String(bucket), Key: aws.String("receipt"), Body: strings.NewReader(body), IfNoneMatch: aws.String("*"),
		})
		return err
	}
	var mu sync.Mutex
	var winners []string
	var group errgroup.Group
	for i := range 16 {
		group.Go(func() error {
			body := fmt.Sprintf("attempt %d", i)
			err := create(t.Context(), body)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				winners = append(winners, body)
			} else if status(err) != http.StatusPreconditionFailed || code(err) != "PreconditionFailed" {
				return err
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(winners) != 1 {
		t.Fatalf("%d of 16 creations won: %q", len(winners), winners)
	}
	if got, err := get(t.Context(), c, "receipt"); err != nil || string(got) != winners[0] {
		t.Errorf("stored %q (%v), but the winner wrote %q", got, err, winners[0])
	}
	if err := create(t.Context(), "late"); err == nil || !strings.Contains(err.Error(), "At least one of the pre-conditions you specified did not hold") {
		t.Errorf("a late creation: %v", err)
	}
	if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String("receipt")}); err != nil {
		t.Fatal(err)
	}
	if err := create(t.Context(), "again"); err != nil {
		t.Errorf("creation after a delete: %v", err)
	}
}

func TestConditionalGet(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	old := put(t, c, "k", []byte("old"))
	put(t, c, "k", []byte("new"))
	_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfMatch: &old})
	if status(err) != http.StatusPreconditionFailed || code(err) != "PreconditionFailed" {
		t.Errorf("GET If-Match of a replaced object: %v", err)
	}
	_, err = c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("k"), IfMatch: &old})
	if status(err) != http.StatusPreconditionFailed {
		t.Errorf("HEAD If-Match of a replaced object: %v", err)
	}
	_, err = c.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("newer"), IfMatch: &old,
	})
	if status(err) != http.StatusPreconditionFailed {
		t.Errorf("PUT If-Match of a replaced object: %v", err)
	}
}

func TestMultipart(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	body := randomBytes(11 << 20)
	upload := func(key string, algorithm types.ChecksumAlgorithm, condition *string) (*s3.CompleteMultipartUploadOutput, error) {
		created, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
			Bucket: aws.String(bucket), Key: &key, ChecksumAlgorithm: algorithm,
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := aws.ToString(created.Bucket); got != bucket {
			t.Errorf("CreateMultipartUpload names bucket %q", got)
		}
		var parts []types.CompletedPart
		for number, rest := int32(1), body; len(rest) > 0; number++ {
			n := min(len(rest), 5<<20)
			part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{
				Bucket: aws.String(bucket), Key: &key, UploadId: created.UploadId, PartNumber: &number, Body: bytes.NewReader(rest[:n]),
			})
			if err != nil {
				t.Fatal(err)
			}
			done := types.CompletedPart{ETag: part.ETag, PartNumber: &number}
			if algorithm != "" { // part checksums belong to uploads that were created with an algorithm
				done.ChecksumCRC32 = part.ChecksumCRC32
			}
			parts = append(parts, done)
			rest = rest[n:]
		}
		listed, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: aws.String(bucket), Key: &key, UploadId: created.UploadId})
		if err != nil || len(listed.Parts) != 3 || aws.ToString(listed.Bucket) != bucket {
			t.Errorf("ListParts: %+v, %v", listed, err)
		}
		return c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{
			Bucket: aws.String(bucket), Key: &key, UploadId: created.UploadId, IfNoneMatch: condition,
			MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	for _, algorithm := range []types.ChecksumAlgorithm{"", types.ChecksumAlgorithmCrc32} {
		key := "big" + string(algorithm)
		done, err := upload(key, algorithm, aws.String("*"))
		if err != nil {
			t.Fatal(err)
		}
		if etag := aws.ToString(done.ETag); !strings.HasSuffix(etag, `-3"`) || aws.ToString(done.Bucket) != bucket {
			t.Errorf("CompleteMultipartUpload: ETag %s, bucket %s", etag, aws.ToString(done.Bucket))
		}
		if got, err := get(t.Context(), c, key); err != nil || !bytes.Equal(got, body) {
			t.Errorf("read back %d bytes, %v", len(got), err)
		}
	}
	if _, err := upload("big", "", aws.String("*")); status(err) != http.StatusPreconditionFailed {
		t.Errorf("completing over an object with If-None-Match: %v", err)
	}
}

func TestAbortedUploadLeavesNothing(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	created, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("k")})
	if err != nil {
		t.Fatal(err)
	}
	uploads, err := c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	if err != nil || len(uploads.Uploads) != 1 || aws.ToString(uploads.Bucket) != bucket {
		t.Errorf("uploads under way: %+v, %v", uploads, err)
	}
	abort := &s3.AbortMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("k"), UploadId: created.UploadId}
	if _, err := c.AbortMultipartUpload(t.Context(), abort); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AbortMultipartUpload(t.Context(), abort); code(err) != "NoSuchUpload" {
		t.Errorf("aborting twice: %v", err)
	}
	if keys := list(t, c, &s3.ListObjectsV2Input{}); len(keys) != 0 {
		t.Errorf("keys %q after an abort", keys)
	}
}

// The refusal must arrive although the gateway knows it long before it has read the body.
func TestLargeBodyRefused(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	good := client(t, s)
	wrongSecret := client(t, s, func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "no", "") })
	put(t, good, "taken", nil)
	body := randomBytes(12 << 20)
	for range 5 {
		for _, test := range []struct {
			c           *s3.Client
			bucket, key string
			want        string
		}{
			{good, bucket, "taken", "PreconditionFailed"},
			{good, "nowhere", "k", "NoSuchBucket"},
			{wrongSecret, bucket, "k", "SignatureDoesNotMatch"},
		} {
			_, err := test.c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: &test.bucket, Key: &test.key, Body: bytes.NewReader(body), IfNoneMatch: aws.String("*"),
			})
			if code(err) != test.want {
				t.Errorf("%s/%s: %v, want %s", test.bucket, test.key, err, test.want)
			}
		}
	}
}

// With its checksum after the body, as the SDK sends a stream over TLS, the body travels in frames of its own.
func TestTrailingChecksum(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	body := randomBytes(3 << 20)
	send := func(key, sum string, n int) (int, string) {
		var framed bytes.Buffer
		for rest := body[:n]; len(rest) > 0; {
			size := min(len(rest), 1<<20)
			fmt.Fprintf(&framed, "%x\r\n%s\r\n", size, rest[:size])
			rest = rest[size:]
		}
		fmt.Fprintf(&framed, "0\r\nx-amz-checksum-crc32:%s\r\n\r\n", sum)
		const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		res, err := signedPut(t, s, key, payload, &framed, int64(framed.Len()), http.Header{
			"Content-Encoding":             {"aws-chunked"},
			"X-Amz-Trailer":                {"x-amz-checksum-crc32"},
			"X-Amz-Decoded-Content-Length": {fmt.Sprint(len(body))},
		})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(text)
	}
	sum := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(body))
	good := base64.StdEncoding.EncodeToString(sum)
	if status, text := send("k", good, len(body)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if got, err := get(t.Context(), client(t, s), "k"); err != nil || !bytes.Equal(got, body) {
		t.Errorf("stored %d bytes, %v", len(got), err)
	}
	if status, text := send("bad", "AAAAAA==", len(body)); status != http.StatusBadRequest || !strings.Contains(text, "BadDigest") {
		t.Errorf("wrong trailer: %d %s", status, text)
	}
	if status, text := send("short", good, len(body)/2); status != http.StatusBadRequest {
		t.Errorf("half of the frames: %d %s", status, text)
	}
	if c := client(t, s); exists(t, c, "bad") || exists(t, c, "short") {
		t.Error("a refused upload left an object")
	}
}

func TestDroppedUploadLeavesNoObject(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	const length = 2 << 20
	for _, sent := range []int{0, 1, 100_000, length - 1} {
		key := fmt.Sprintf("after %d", sent)
		broken := io.MultiReader(bytes.NewReader(randomBytes(sent)), failingReader{})
		_, err := signedPut(t, s, url.PathEscape(key), "UNSIGNED-PAYLOAD", broken, length, nil)
		if !errors.Is(err, errDisk) {
			t.Fatalf("after %d bytes: %v", sent, err)
		}
	}
	// Close waits for the broken requests; what they left shows in the folder that the next server serves.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	c := client(t, startIn(t, dir, nil))
	if keys := list(t, c, &s3.ListObjectsV2Input{}); len(keys) != 0 {
		t.Errorf("broken uploads left %q", keys)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	c := client(t, start(t, nil))
	var all []string
	for _, topic := range []string{"a", "a-b", "a.b", "b"} {
		for i := range 7 {
			all = append(all, fmt.Sprintf("topics/%s/%02d.json", topic, i))
		}
	}
	for _, key := range all {
		put(t, c, key, []byte("x"))
	}
	slices.Sort(all) // "topics/a-b/" sorts before "topics/a/"
	for _, size := range []int32{1, 2, 3, 5, 7, 27, 28, 29, 1000} {
		if got := list(t, c, &s3.ListObjectsV2Input{MaxKeys: &size}); !slices.Equal(got, all) {
			t.Errorf("pages of %d: %q", size, got)
		}
		got := list(t, c, &s3.ListObjectsV2Input{MaxKeys: &size, Delimiter: aws.String("/"), Prefix: aws.String("topics/")})
		if want := []string{"topics/a-b/", "topics/a.b/", "topics/a/", "topics/b/"}; !slices.Equal(got, want) {
			t.Errorf("pages of %d with a delimiter: %q, want %q", size, got, want)
		}
	}
	for _, test := range []struct {
		name  string
		input s3.ListObjectsV2Input
		want  []string
	}{
		{"prefix of a folder", s3.ListObjectsV2Input{Prefix: aws.String("topics/a/")}, filter(all, "topics/a/")},
		{"prefix in a name", s3.ListObjectsV2Input{Prefix: aws.String("topics/a")}, filter(all, "topics/a")},
		{"prefix without match", s3.ListObjectsV2Input{Prefix: aws.String("topics/z")}, nil},
		{"start after", s3.ListObjectsV2Input{StartAfter: aws.String(all[19])}, all[20:]},
		{"start after with prefix", s3.ListObjectsV2Input{StartAfter: aws.String("topics/a/03.json"), Prefix: aws.String("topics/a/")},
			[]string{"topics/a/04.json", "topics/a/05.json", "topics/a/06.json"}},
	} {
		if got := list(t, c, &test.input); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
	out, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String(bucket), MaxKeys: aws.Int32(3)})
	if err != nil {
		t.Fatal(err)
	}
	first := out.Contents[0]
	if aws.ToString(out.Name) != bucket || !aws.ToBool(out.IsTruncated) || aws.ToInt32(out.KeyCount) != 3 ||
		aws.ToInt64(first.Size) != 1 || first.LastModified == nil || aws.ToString(first.ETag) == "" {
		t.Errorf("page %+v, first entry %+v", out, first)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	good := client(t, s)
	wrongSecret := client(t, s, func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "no", "") })
	wrongKey := client(t, s, func(o *s3.Options) {
		o.Credentials = credentials.NewStaticCredentialsProvider("AKIANOBODY", secretKey, "")
	})
	wrongRegion := client(t, s, func(o *s3.Options) { o.Region = "us-west-2" })
	put(t, good, "here", nil)
	getFrom := func(c *s3.Client, bucket, key string) error {
		_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
		return err
	}
	_, tagErr := good.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String(bucket), Key: aws.String("here")})
	_, listErr := good.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("nowhere")})
	_, putErr := good.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("nowhere"), Key: aws.String("k"), Body: strings.NewReader("x")})
	_, sumErr := good.PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String("k"), Body: strings.NewReader("x"), ChecksumCRC32: aws.String("AAAAAA=="),
	})
	_, headErr := good.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String("gone")})
	for _, test := range []struct {
		name, code, text string
		err              error
		status           int
	}{
		{"missing key", "NoSuchKey", "The specified key does not exist.", getFrom(good, bucket, "gone"), 404},
		{"missing bucket", "NoSuchBucket", "The specified bucket does not exist", getFrom(good, "nowhere", "k"), 404},
		{"missing bucket, list", "NoSuchBucket", "The specified bucket does not exist", listErr, 404},
		{"missing bucket, put", "NoSuchBucket", "The specified bucket does not exist", putErr, 404},
		{"missing key, head", "NotFound", "", headErr, 404},
		{"wrong secret", "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", getFrom(wrongSecret, bucket, "here"), 403},
		{"unknown key ID", "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", getFrom(wrongKey, bucket, "here"), 403},
		{"wrong region", "AuthorizationHeaderMalformed", "The authorization header is malformed; the region", getFrom(wrongRegion, bucket, "here"), 400},
		{"wrong checksum", "BadDigest", "", sumErr, 400},
		{"not offered", "NotImplemented", "A header you provided implies functionality that is not implemented.", tagErr, 501},
	} {
		if code(test.err) != test.code || status(test.err) != test.status || !strings.Contains(fmt.Sprint(test.err), test.text) {
			t.Errorf("%s: %v; want %d %s %q", test.name, test.err, test.status, test.code, test.text)
		}
		if strings.Contains(fmt.Sprint(test.err), t.TempDir()[:8]) {
			t.Errorf("%s shows a path of the machine: %v", test.name, test.err)
		}
	}
}

func TestErrorBodyNamesBucketNotPath(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	var body []byte
	c := client(t, s, func(o *s3.Options) {
		o.HTTPClient = roundTripper(func(r *http.Request) (*http.Response, error) {
			res, err := http.DefaultTransport.RoundTrip(r)
			if err != nil {
				return nil, err
			}
			body, err = io.ReadAll(res.Body)
			res.Body = io.NopCloser(bytes.NewReader(body))
			return res, err
		})
	})
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	_, err := c.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("nowhere")})
	if err == nil || !bytes.Contains(body, []byte("<BucketName>nowhere</BucketName>")) || bytes.Contains(body, []byte(dir)) {
		t.Errorf("error %v, body %s", err, body)
	}
}

func TestBuckets(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	c := client(t, s)
	for range 2 {
		if err := s.CreateBucket(t.Context(), "staging"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.CreateBucket(t.Context(), "No_Bucket"); err == nil || !strings.Contains(err.Error(), "creating bucket No_Bucket") {
		t.Errorf("a bucket with a bad name: %v", err)
	}
	out, err := c.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil || len(out.Buckets) != 2 || aws.ToString(out.Buckets[0].Name) != bucket || aws.ToString(out.Buckets[1].Name) != "staging" {
		t.Errorf("buckets: %+v, %v", out, err)
	}
	if _, err := c.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: aws.String("staging")}); err != nil {
		t.Error(err)
	}
	if s.Operations() != 2 {
		t.Errorf("%d operations counted, want the 2 of the client", s.Operations())
	}
}

func TestRestartKeepsObjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := s3d.Start(t.Context(), s3d.Config{Dir: dir, AccessKey: "first", SecretKey: "first", Region: region})
	if err != nil {
		t.Fatal(err)
	}
	if err := first.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	c := client(t, first, func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider("first", "first", "") })
	etag := put(t, c, "folder/k", []byte("kept"))
	for range 2 {
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
	}
	c = client(t, startIn(t, dir, nil)) // other keys, the same folder
	out, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String("folder/k"), IfMatch: &etag})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(out.Body); err != nil || string(got) != "kept" {
		t.Errorf("after a restart: %q, %v", got, err)
	}
}

func TestServersShareNothing(t *testing.T) {
	t.Parallel()
	before, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	one, two := start(t, nil), start(t, nil)
	put(t, client(t, one), "k", []byte("one"))
	if exists(t, client(t, two), "k") {
		t.Error("an object of one server shows in another")
	}
	if after, err := os.Getwd(); err != nil || after != before {
		t.Errorf("the working directory moved from %s to %s (%v)", before, after, err)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	file := t.TempDir() + "/file"
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for _, test := range []struct {
		config s3d.Config
		want   string
	}{
		{s3d.Config{}, "s3d needs a folder (Config.Dir)"},
		{s3d.Config{Dir: t.TempDir(), AccessKey: "a"}, "s3d needs an access key and a secret key"},
		{s3d.Config{Dir: file, AccessKey: "a", SecretKey: "s"}, "creating the folder of the buckets: "},
		{s3d.Config{Dir: t.TempDir(), AccessKey: "a", SecretKey: "s", Listen: taken.Addr().String()}, "listening for S3 requests: "},
		{s3d.Config{Dir: "/proc/self", AccessKey: "a", SecretKey: "s"}, "has no extended attributes, which keep ETags and checksums"},
	} {
		if _, err := s3d.Start(t.Context(), test.config); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.config, err, test.want)
		}
	}
}

func TestTenThousandObjectsListQuickly(t *testing.T) {
	t.Parallel()
	const objects = 10_000
	dir := t.TempDir()
	s := startIn(t, dir, nil)
	// Planted past the API, as links of one object: making ten thousand files would take longer than all the rest.
	put(t, client(t, s), "one", []byte("x"))
	for p := range 10 {
		folder := fmt.Sprintf("%s/%s/topics/payroll.events/partition=%d", dir, bucket, p)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range objects / 10 {
			if err := os.Link(dir+"/"+bucket+"/one", fmt.Sprintf("%s/payroll.events+%d+%010d.json", folder, p, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	before := s.Operations()
	got := list(t, client(t, s), &s3.ListObjectsV2Input{Prefix: aws.String("topics/")})
	if len(got) != objects || !slices.IsSorted(got) {
		t.Errorf("listed %d keys", len(got))
	}
	if pages := s.Operations() - before; pages != objects/1000 {
		t.Errorf("%d pages, want %d", pages, objects/1000)
	}
}

func list(t *testing.T, c *s3.Client, in *s3.ListObjectsV2Input) []string {
	t.Helper()
	in.Bucket = aws.String(bucket)
	var names []string
	for pages := s3.NewListObjectsV2Paginator(c, in); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range page.Contents {
			names = append(names, aws.ToString(o.Key))
		}
		for _, p := range page.CommonPrefixes {
			names = append(names, aws.ToString(p.Prefix))
		}
	}
	return names
}

func filter(keys []string, prefix string) []string {
	var out []string
	for _, k := range keys {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	return out
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	random := rand.NewChaCha8([32]byte{1})
	_, _ = random.Read(b)
	return b
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) Do(r *http.Request) (*http.Response, error) { return f(r) }
