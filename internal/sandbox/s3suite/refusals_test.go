package s3suite

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

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
