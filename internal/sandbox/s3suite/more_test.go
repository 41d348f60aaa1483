package s3suite

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const preconditionText = "At least one of the pre-conditions you specified did not hold"

func conditionChecks() []check {
	return []check{
		{"PUT If-None-Match creates once", createOnce},
		{"PUT If-None-Match has one winner of many", oneWinner},
		{"PUT If-Match replaces what it names", replaceNamed},
		{"GET and HEAD If-Match refuse another version", readNamed},
		{"GET and HEAD If-None-Match say 304", notModified},
	}
}

func onlyNew(in *s3.PutObjectInput) { in.IfNoneMatch = aws.String("*") }

func createOnce(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("first"), onlyNew); err != nil {
		return err
	}
	_, err := b.put(ctx, "k", []byte("second"), onlyNew)
	if err := all(refused(err, http.StatusPreconditionFailed, "PreconditionFailed", preconditionText), b.holds(ctx, "k", []byte("first"))); err != nil {
		return err
	}
	if _, err := b.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("k")}); err != nil {
		return err
	}
	_, err = b.put(ctx, "k", []byte("third"), onlyNew)
	return err
}

func oneWinner(ctx context.Context, b *bucket) error {
	won := make([]bool, 16)
	var group errgroup.Group
	for i := range won {
		group.Go(func() error {
			_, err := b.put(ctx, "k", fmt.Appendf(nil, "attempt %d", i), onlyNew)
			if won[i] = err == nil; won[i] {
				return nil
			}
			if refused(err, http.StatusConflict, "ConditionalRequestConflict", "") == nil { // while another one is under way
				return nil
			}
			return refused(err, http.StatusPreconditionFailed, "PreconditionFailed", "")
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	winner := slices.Index(won, true)
	if winner < 0 || slices.Contains(won[winner+1:], true) {
		return fmt.Errorf("not one has won: %v", won)
	}
	return b.holds(ctx, "k", fmt.Appendf(nil, "attempt %d", winner))
}

func replaceNamed(ctx context.Context, b *bucket) error {
	one, err := b.put(ctx, "k", []byte("one"), nil)
	if err != nil {
		return err
	}
	if _, err = b.put(ctx, "k", []byte("two"), func(in *s3.PutObjectInput) { in.IfMatch = one.ETag }); err != nil {
		return err
	}
	_, stale := b.put(ctx, "k", []byte("three"), func(in *s3.PutObjectInput) { in.IfMatch = one.ETag })
	_, gone := b.put(ctx, "gone", []byte("x"), func(in *s3.PutObjectInput) { in.IfMatch = one.ETag })
	return all(refused(stale, http.StatusPreconditionFailed, "PreconditionFailed", preconditionText), b.holds(ctx, "k", []byte("two")),
		refused(gone, http.StatusNotFound, "NoSuchKey", ""))
}

func readNamed(ctx context.Context, b *bucket) error {
	one, err := b.put(ctx, "k", []byte("one"), nil)
	if err != nil {
		return err
	}
	if _, _, err := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch = one.ETag }); err != nil {
		return err
	}
	if _, err := b.put(ctx, "k", []byte("two"), nil); err != nil {
		return err
	}
	_, _, get := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch = one.ETag })
	_, _, part := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfMatch, in.Range = one.ETag, aws.String("bytes=1-") })
	_, head := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("k"), IfMatch: one.ETag})
	return all(refused(get, http.StatusPreconditionFailed, "PreconditionFailed", preconditionText), refused(part, http.StatusPreconditionFailed, "PreconditionFailed", ""),
		refused(head, http.StatusPreconditionFailed, "", ""))
}

func notModified(ctx context.Context, b *bucket) error {
	one, err := b.put(ctx, "k", []byte("one"), nil)
	if err != nil {
		return err
	}
	_, _, get := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.IfNoneMatch = one.ETag })
	_, head := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("k"), IfNoneMatch: one.ETag})
	return all(refused(get, http.StatusNotModified, "", ""), refused(head, http.StatusNotModified, "", ""))
}

func listChecks() []check {
	return []check{
		{"lists page, group and start in byte order", lists},
		{"a page tells sizes, times and ETags", page},
		{"many objects are listed once each, in order", longList},
	}
}

func lists(ctx context.Context, b *bucket) error {
	var keys []string
	for _, topic := range []string{"a", "a-b", "a.b", "b", "ü"} {
		for i := range 7 {
			keys = append(keys, fmt.Sprintf("topics/%s/%02d.json", topic, i))
		}
	}
	if err := b.server.plant(ctx, b, keys); err != nil {
		return err
	}
	slices.Sort(keys) // "topics/a-b/" is before "topics/a/"
	folders := []string{"topics/a-b/", "topics/a.b/", "topics/a/", "topics/b/", "topics/ü/"}
	compare := func(what string, in s3.ListObjectsV2Input, want []string) error {
		got, err := b.names(ctx, in)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("%s: %q, want %q", what, got, want)
		}
		return err
	}
	for _, size := range []int32{1, 2, 3, 7, 34, 35, 36, 1000} {
		what := fmt.Sprintf("pages of %d", size)
		if err := all(compare(what, s3.ListObjectsV2Input{MaxKeys: &size}, keys),
			compare(what+" in groups", s3.ListObjectsV2Input{MaxKeys: &size, Delimiter: aws.String("/"), Prefix: aws.String("topics/")}, folders)); err != nil {
			return err
		}
	}
	return all(
		compare("a folder", s3.ListObjectsV2Input{Prefix: aws.String("topics/a/")}, keys[14:21]),
		compare("a prefix inside of a name", s3.ListObjectsV2Input{Prefix: aws.String("topics/a")}, keys[:21]),
		compare("a prefix of nothing", s3.ListObjectsV2Input{Prefix: aws.String("topics/z")}, nil),
		compare("from the middle", s3.ListObjectsV2Input{StartAfter: aws.String(keys[19])}, keys[20:]),
		compare("from a key that is not there", s3.ListObjectsV2Input{StartAfter: aws.String("topics/a/99"), Prefix: aws.String("topics/")}, keys[21:]))
}

func page(ctx context.Context, b *bucket) error {
	for _, key := range []string{"a", "b"} {
		if _, err := b.put(ctx, key, []byte("xyz"), nil); err != nil {
			return err
		}
	}
	out, err := b.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &b.name, MaxKeys: aws.Int32(1)})
	if err != nil {
		return err
	}
	o := out.Contents[0]
	if !aws.ToBool(out.IsTruncated) || aws.ToInt32(out.KeyCount) != 1 || aws.ToString(out.Name) != b.name || aws.ToInt64(o.Size) != 3 ||
		time.Since(aws.ToTime(o.LastModified)).Abs() > time.Hour || aws.ToString(o.ETag) != `"d16fb36f0911f878998c136191af705e"` {
		return fmt.Errorf("page %+v, first entry %+v", out, o)
	}
	return nil
}

func longList(ctx context.Context, b *bucket) error {
	var keys []string
	for i := range b.server.many {
		keys = append(keys, fmt.Sprintf("topics/payroll.events/partition=%d/payroll.events+%d+%010d.json", i%12, i%12, i))
	}
	if err := b.server.plant(ctx, b, keys); err != nil {
		return err
	}
	slices.Sort(keys) // partition=1/ is behind partition=11/
	got, err := b.names(ctx, s3.ListObjectsV2Input{Prefix: aws.String("topics/")})
	if err != nil {
		return err
	}
	for i := range max(len(got), len(keys)) {
		if i >= len(got) || i >= len(keys) || got[i] != keys[i] {
			return fmt.Errorf("%d of %d keys are listed, the first wrong one is at %d", len(got), len(keys), i)
		}
	}
	return nil
}

func multipartChecks() []check {
	return []check{
		{"parts may come in any order, the last one may be tiny", partsInAnyOrder},
		{"CompleteMultipartUpload If-None-Match creates once", completeOnce},
		{"a small part that is not the last is refused", smallPart},
		{"an aborted upload leaves nothing", aborted},
	}
}

// upload sends parts by their numbers in the given order and completes them in ascending order.
func (b *bucket) upload(ctx context.Context, key string, parts [][]byte, order []int, condition *string) (*s3.CompleteMultipartUploadOutput, error) {
	created, err := b.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: &key})
	if err != nil {
		return nil, err
	}
	done := make([]types.CompletedPart, len(parts))
	for _, i := range order {
		number := int32(i + 1)
		part, err := b.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: &key, UploadId: created.UploadId, PartNumber: &number, Body: bytes.NewReader(parts[i])})
		if err != nil {
			return nil, err
		}
		done[i] = types.CompletedPart{ETag: part.ETag, PartNumber: &number}
	}
	return b.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &b.name, Key: &key, UploadId: created.UploadId, IfNoneMatch: condition,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: done}})
}

func partsInAnyOrder(ctx context.Context, b *bucket) error {
	body := pattern(10<<20 + 1)
	out, err := b.upload(ctx, "k", [][]byte{body[:5<<20], body[5<<20 : 10<<20], body[10<<20:]}, []int{2, 0, 1}, nil)
	if err != nil {
		return err
	}
	if etag := aws.ToString(out.ETag); len(etag) != 36 || !strings.HasSuffix(etag, `-3"`) {
		return fmt.Errorf("the ETag is %s", etag)
	}
	return b.holds(ctx, "k", body)
}

func completeOnce(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("first"), nil); err != nil {
		return err
	}
	_, err := b.upload(ctx, "k", [][]byte{[]byte("second")}, []int{0}, aws.String("*"))
	return all(refused(err, http.StatusPreconditionFailed, "PreconditionFailed", ""), b.holds(ctx, "k", []byte("first")))
}

func smallPart(ctx context.Context, b *bucket) error {
	_, err := b.upload(ctx, "k", [][]byte{[]byte("tiny"), []byte("last")}, []int{0, 1}, nil)
	return refused(err, http.StatusBadRequest, "EntityTooSmall", "")
}

func aborted(ctx context.Context, b *bucket) error {
	created, err := b.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.name, Key: aws.String("k")})
	if err != nil {
		return err
	}
	if _, err := b.UploadPart(ctx, &s3.UploadPartInput{Bucket: &b.name, Key: aws.String("k"), UploadId: created.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")}); err != nil {
		return err
	}
	abort := &s3.AbortMultipartUploadInput{Bucket: &b.name, Key: aws.String("k"), UploadId: created.UploadId}
	if _, err := b.AbortMultipartUpload(ctx, abort); err != nil {
		return err
	}
	_, again := b.AbortMultipartUpload(ctx, abort)
	names, err := b.names(ctx, s3.ListObjectsV2Input{})
	if err != nil {
		return err
	}
	uploads, err := b.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &b.name})
	if err != nil {
		return err
	}
	if len(names) != 0 || len(uploads.Uploads) != 0 {
		return fmt.Errorf("%q and %d uploads are left", names, len(uploads.Uploads))
	}
	return refused(again, http.StatusNotFound, "NoSuchUpload", "")
}

func refusalChecks() []check {
	return []check{
		{"what is missing is 404", missing},
		{"wrong keys and regions are refused", wrongKeys},
		{"a clock that is twenty minutes off is refused", skewed},
		{"a body with a trailing checksum is stored without its frames", trailing},
	}
}

func missing(ctx context.Context, b *bucket) error {
	_, _, key := b.get(ctx, "gone", nil)
	_, head := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("gone")})
	nowhere := &bucket{Client: b.Client, server: b.server, name: "nowhere"}
	_, _, get := nowhere.get(ctx, "k", nil)
	_, put := nowhere.put(ctx, "k", []byte("x"), nil)
	_, list := nowhere.names(ctx, s3.ListObjectsV2Input{})
	const text = "The specified bucket does not exist"
	return all(refused(key, http.StatusNotFound, "NoSuchKey", "The specified key does not exist."), refused(head, http.StatusNotFound, "NotFound", ""),
		refused(get, http.StatusNotFound, "NoSuchBucket", text), refused(put, http.StatusNotFound, "NoSuchBucket", text), refused(list, http.StatusNotFound, "NoSuchBucket", text))
}

func wrongKeys(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), nil); err != nil {
		return err
	}
	with := func(change func(*s3.Options)) error {
		other := &bucket{Client: b.server.client(change), server: b.server, name: b.name}
		_, _, err := other.get(ctx, "k", nil)
		return err
	}
	return all(
		refused(with(func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "no", "") }), http.StatusForbidden, "SignatureDoesNotMatch", ""),
		refused(with(func(o *s3.Options) {
			o.Credentials = credentials.NewStaticCredentialsProvider("AKIANOBODY", secretKey, "")
		}), http.StatusForbidden, "InvalidAccessKeyId", ""),
		refused(with(func(o *s3.Options) { o.Region = "us-west-2" }), http.StatusBadRequest, "AuthorizationHeaderMalformed", ""))
}

// skewed signs by a clock that is wrong; S3 bears with fifteen minutes.
func skewed(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "k", []byte("x"), nil); err != nil {
		return err
	}
	const nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" // SHA-256 of an empty body
	for minutes, want := range map[time.Duration]int{-20: http.StatusForbidden, -10: http.StatusOK, 10: http.StatusOK, 20: http.StatusForbidden} {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.server.endpoint+"/"+b.name+"/k", nil)
		if err != nil {
			return err
		}
		r.Header.Set("X-Amz-Content-Sha256", nothing)
		at := time.Now().Add(minutes * time.Minute)
		if err := v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, r, nothing, "s3", region, at); err != nil {
			return err
		}
		res, err := b.server.http.Do(r)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(res.Body)
		if err := errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		if res.StatusCode != want || want == http.StatusForbidden && !strings.Contains(string(text), "<Code>RequestTimeTooSkewed</Code>") {
			return fmt.Errorf("%d minutes off: %d %.200s", minutes, res.StatusCode, text)
		}
	}
	return nil
}

// trailing sends a body as the SDK does over TLS: in frames of its own, with the checksum behind it.
func trailing(ctx context.Context, b *bucket) error {
	body := pattern(70_000)
	send := func(key string, sum uint32) (int, string, error) {
		trailer := base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
		framed := fmt.Sprintf("%x\r\n%s\r\n0\r\nx-amz-checksum-crc32:%s\r\n\r\n", len(body), body, trailer)
		r, err := http.NewRequestWithContext(ctx, http.MethodPut, b.server.endpoint+"/"+b.name+"/"+key, strings.NewReader(framed))
		if err != nil {
			return 0, "", err
		}
		const payload = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
		for name, value := range map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": fmt.Sprint(len(body)),
			"X-Amz-Content-Sha256": payload} {
			r.Header.Set(name, value)
		}
		if err := v4.NewSigner().SignHTTP(ctx, aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, r, payload, "s3", region, time.Now()); err != nil {
			return 0, "", err
		}
		res, err := b.server.http.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return res.StatusCode, string(text), err
	}
	if status, text, err := send("good", crc32.ChecksumIEEE(body)); err != nil || status != http.StatusOK {
		return errors.Join(fmt.Errorf("PUT gives %d %.200s", status, text), err)
	}
	if err := b.holds(ctx, "good", body); err != nil {
		return err
	}
	if status, text, err := send("bad", 0); err != nil || status != http.StatusBadRequest || !strings.Contains(text, "BadDigest") {
		return errors.Join(fmt.Errorf("a wrong checksum: %d %.200s", status, text), err)
	}
	_, _, err := b.get(ctx, "bad", nil)
	return refused(err, http.StatusNotFound, "NoSuchKey", "")
}
