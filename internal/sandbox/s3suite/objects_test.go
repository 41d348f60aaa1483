package s3suite

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func checks() []check {
	return slices.Concat(objectChecks(), conditionChecks(), listChecks(), multipartChecks(), refusalChecks(), classChecks(), encryptionChecks())
}

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func objectChecks() []check {
	return []check{
		{"objects of every size come back, under the MD5 of their bytes", sizes},
		{"ranges", ranges},
		{"odd and Unicode keys", oddKeys},
		{"user metadata and content headers come back", metadata},
		{"checksums of every algorithm are kept and checked", checksums},
		{"copies take the content and the metadata, or new metadata", copies},
		{"deletes, of one and of many, don't mind what is missing", deletes},
		{"a quiet delete of many tells errors alone", quietDelete},
		{"a presigned GET works without keys, until it expires", presigned},
	}
}

func sizes(ctx context.Context, b *bucket) error {
	for _, size := range []int{0, 1, 1 << 10, 1<<20 + 1, 5 << 20} {
		key, body := fmt.Sprintf("size/%d", size), pattern(size)
		sum := md5.Sum(body)
		etag := `"` + hex.EncodeToString(sum[:]) + `"`
		put, err := b.put(ctx, key, body, nil)
		if err != nil {
			return err
		}
		head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: &key})
		if err != nil {
			return err
		}
		if aws.ToString(put.ETag) != etag || aws.ToString(head.ETag) != etag || aws.ToInt64(head.ContentLength) != int64(size) || time.Since(aws.ToTime(head.LastModified)).Abs() > time.Hour {
			return fmt.Errorf("%d bytes: PUT gives %s, HEAD %s and %d, want %s", size, aws.ToString(put.ETag), aws.ToString(head.ETag), aws.ToInt64(head.ContentLength), etag)
		}
		if err := b.holds(ctx, key, body); err != nil {
			return err
		}
	}
	return nil
}

func ranges(ctx context.Context, b *bucket) error {
	body := pattern(1 << 20)
	if _, err := b.put(ctx, "k", body, nil); err != nil {
		return err
	}
	for header, want := range map[string][2]int{"bytes=0-0": {0, 1}, "bytes=100-1999": {100, 2000}, "bytes=-7": {len(body) - 7, len(body)}, "bytes=1048570-": {1048570, len(body)},
		"bytes=1048570-9999999": {1048570, len(body)}} {
		got, out, err := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.Range = &header })
		if err != nil {
			return fmt.Errorf("%s: %w", header, err)
		}
		if !bytes.Equal(got, body[want[0]:want[1]]) || aws.ToString(out.ContentRange) != fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, len(body)) {
			return fmt.Errorf("%s: %d bytes, Content-Range %s", header, len(got), aws.ToString(out.ContentRange))
		}
	}
	_, _, err := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.Range = aws.String("bytes=1048576-") })
	return refused(err, http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable")
}

func oddKeys(ctx context.Context, b *bucket) error {
	keys := []string{"plain", "with space", "topics/payroll.events/partition=0/payroll.events+0+0000000042.json.gz", "a+b=c(d).json", "percent%20literal", "percent%",
		"quote'\"s", "tab\there", "üñí/Ωmega/日本語.parquet", "semi;colon,comma", "amper&sand?question#hash", "tilde~under_score-dash.dot", "at@colon:dollar$bang!star*",
		"back\\slash", "[brackets]{braces}", "emoji/💶", strings.Repeat("long/", 150) + "end"}
	for _, key := range keys {
		if _, err := b.put(ctx, key, []byte(key), nil); err != nil {
			return err
		}
	}
	for _, key := range keys {
		if err := b.holds(ctx, key, []byte(key)); err != nil {
			return err
		}
	}
	slices.Sort(keys)
	names, err := b.names(ctx, s3.ListObjectsV2Input{})
	if err == nil && !slices.Equal(names, keys) {
		err = fmt.Errorf("listed %q, want %q", names, keys)
	}
	return err
}

func metadata(ctx context.Context, b *bucket) error {
	_, err := b.put(ctx, "k", []byte("x"), func(in *s3.PutObjectInput) {
		in.Metadata = map[string]string{"run": "2026-03", "attempt": "a b"}
		in.ContentType, in.CacheControl, in.ContentEncoding = aws.String("application/json"), aws.String("no-store"), aws.String("gzip")
	})
	if err != nil {
		return err
	}
	head, err := b.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &b.name, Key: aws.String("k")})
	if err != nil {
		return err
	}
	if m := head.Metadata; len(m) != 2 || m["run"] != "2026-03" || m["attempt"] != "a b" || aws.ToString(head.ContentType) != "application/json" ||
		aws.ToString(head.CacheControl) != "no-store" || aws.ToString(head.ContentEncoding) != "gzip" {
		return fmt.Errorf("HEAD gives %v, %s, %s, %s", m, aws.ToString(head.ContentType), aws.ToString(head.CacheControl), aws.ToString(head.ContentEncoding))
	}
	return nil
}

func checksums(ctx context.Context, b *bucket) error {
	body := pattern(100_000)
	for _, algorithm := range []types.ChecksumAlgorithm{types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
		types.ChecksumAlgorithmCrc64nvme} {
		if _, err := b.put(ctx, "k", body, func(in *s3.PutObjectInput) { in.ChecksumAlgorithm = algorithm }); err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
		// The SDK compares what it is given with what it reads.
		_, out, err := b.get(ctx, "k", func(in *s3.GetObjectInput) { in.ChecksumMode = types.ChecksumModeEnabled })
		if err != nil {
			return fmt.Errorf("%s: %w", algorithm, err)
		}
		kept := map[types.ChecksumAlgorithm]*string{types.ChecksumAlgorithmCrc32: out.ChecksumCRC32, types.ChecksumAlgorithmCrc32c: out.ChecksumCRC32C,
			types.ChecksumAlgorithmSha1: out.ChecksumSHA1, types.ChecksumAlgorithmSha256: out.ChecksumSHA256, types.ChecksumAlgorithmCrc64nvme: out.ChecksumCRC64NVME}[algorithm]
		if kept == nil {
			return fmt.Errorf("the %s is not given back", algorithm)
		}
	}
	wrong := base64.StdEncoding.EncodeToString(make([]byte, 4))
	_, err := b.put(ctx, "wrong", body, func(in *s3.PutObjectInput) { in.ChecksumCRC32 = &wrong })
	if err := refused(err, http.StatusBadRequest, "BadDigest", ""); err != nil {
		return fmt.Errorf("a wrong CRC32: %w", err)
	}
	sum := md5.Sum([]byte("something else"))
	_, err = b.put(ctx, "wrong", body, func(in *s3.PutObjectInput) { in.ContentMD5 = aws.String(base64.StdEncoding.EncodeToString(sum[:])) })
	if err := refused(err, http.StatusBadRequest, "BadDigest", ""); err != nil {
		return fmt.Errorf("a wrong MD5: %w", err)
	}
	_, _, err = b.get(ctx, "wrong", nil)
	return refused(err, http.StatusNotFound, "NoSuchKey", "")
}

func copies(ctx context.Context, b *bucket) error {
	put, err := b.put(ctx, "from/ü a+b", []byte("content"), func(in *s3.PutObjectInput) { in.Metadata = map[string]string{"run": "1"} })
	if err != nil {
		return err
	}
	source := b.name + "/" + strings.ReplaceAll(url.QueryEscape("from/ü a+b"), "+", "%20")
	out, err := b.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &b.name, Key: aws.String("to"), CopySource: &source})
	if err != nil {
		return err
	}
	if aws.ToString(out.CopyObjectResult.ETag) != aws.ToString(put.ETag) || out.CopyObjectResult.LastModified == nil {
		return fmt.Errorf("COPY gives %+v, want the ETag %s", out.CopyObjectResult, aws.ToString(put.ETag))
	}
	_, err = b.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &b.name, Key: aws.String("new"), CopySource: &source, MetadataDirective: types.MetadataDirectiveReplace,
		Metadata: map[string]string{"run": "2"}})
	if err != nil {
		return err
	}
	for key, run := range map[string]string{"to": "1", "new": "2"} {
		body, got, err := b.get(ctx, key, nil)
		if err != nil {
			return err
		}
		if string(body) != "content" || got.Metadata["run"] != run {
			return fmt.Errorf("%s: %q, %v", key, body, got.Metadata)
		}
	}
	copyOf := func(source, key string, change func(*s3.CopyObjectInput)) error {
		in := &s3.CopyObjectInput{Bucket: &b.name, Key: &key, CopySource: aws.String(b.name + "/" + source)}
		if change != nil {
			change(in)
		}
		_, err := b.CopyObject(ctx, in)
		return err
	}
	return all(
		refused(copyOf("gone", "x", nil), http.StatusNotFound, "NoSuchKey", ""),
		refused(copyOf("to", "to", nil), http.StatusBadRequest, "InvalidRequest", ""),
		refused(copyOf("to", "x", func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = aws.String(`"other"`) }), http.StatusPreconditionFailed, "PreconditionFailed", ""))
}

func deletes(ctx context.Context, b *bucket) error {
	for _, key := range []string{"a", "b", "c", "ü"} {
		if _, err := b.put(ctx, key, []byte("x"), nil); err != nil {
			return err
		}
	}
	for range 2 {
		if _, err := b.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.name, Key: aws.String("a")}); err != nil {
			return err
		}
	}
	out, err := b.deleteMany(ctx, false, "b", "c", "ü", "missing")
	if err != nil {
		return err
	}
	if len(out.Deleted) != 4 || len(out.Errors) != 0 {
		return fmt.Errorf("4 keys: %d deleted, %d errors", len(out.Deleted), len(out.Errors))
	}
	names, err := b.names(ctx, s3.ListObjectsV2Input{})
	if err == nil && len(names) != 0 {
		err = fmt.Errorf("%q are left", names)
	}
	return err
}

func (b *bucket) deleteMany(ctx context.Context, quiet bool, keys ...string) (*s3.DeleteObjectsOutput, error) {
	var list []types.ObjectIdentifier
	for _, k := range keys {
		list = append(list, types.ObjectIdentifier{Key: &k})
	}
	return b.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &b.name, Delete: &types.Delete{Objects: list, Quiet: &quiet}})
}

func quietDelete(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "a", []byte("x"), nil); err != nil {
		return err
	}
	out, err := b.deleteMany(ctx, true, "a")
	if err == nil && len(out.Deleted) != 0 {
		err = errors.New("what was deleted quietly is told")
	}
	return err
}

// presigned is how COPY's readers get at objects.
func presigned(ctx context.Context, b *bucket) error {
	if _, err := b.put(ctx, "dir/ü a+b=1.parquet", []byte("content"), nil); err != nil {
		return err
	}
	ask := func(c *s3.Client, expires time.Duration, change func(string) string) (int, string, error) {
		signed, err := s3.NewPresignClient(c).PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &b.name, Key: aws.String("dir/ü a+b=1.parquet")}, s3.WithPresignExpires(expires))
		if err != nil {
			return 0, "", err
		}
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, change(signed.URL), nil)
		if err != nil {
			return 0, "", err
		}
		res, err := b.server.http.Do(r)
		if err != nil {
			return 0, "", err
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		return res.StatusCode, string(body), err
	}
	same := func(u string) string { return u }
	status, body, err := ask(b.Client, time.Hour, same)
	if err != nil || status != http.StatusOK || body != "content" {
		return errors.Join(fmt.Errorf("the URL gives %d %.200s", status, body), err)
	}
	wrong := b.server.client(func(o *s3.Options) { o.Credentials = credentials.NewStaticCredentialsProvider(accessKey, "no", "") })
	if status, body, err = ask(wrong, time.Hour, same); err != nil || status != http.StatusForbidden || !strings.Contains(body, "<Code>SignatureDoesNotMatch</Code>") {
		return errors.Join(fmt.Errorf("signed by another key: %d %.200s", status, body), err)
	}
	old := func(u string) string { // a day ago: the signature is wrong, too, but the date is looked at first
		date := time.Now().UTC().Format("20060102")
		return strings.ReplaceAll(u, date, time.Now().UTC().Add(-24*time.Hour).Format("20060102"))
	}
	if status, body, err = ask(b.Client, time.Hour, old); err != nil || status != http.StatusForbidden || !strings.Contains(body, "Request has expired") {
		return errors.Join(fmt.Errorf("expired: %d %.200s", status, body), err)
	}
	return nil
}
