package s3d

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/gofiber/fiber/v3"
	"github.com/valyala/fasthttp"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/s3err"
)

// The headers of server-side encryption.
const (
	encryptionHeader = "X-Amz-Server-Side-Encryption"
	keyHeader        = encryptionHeader + "-Aws-Kms-Key-Id"
	bucketKeyHeader  = encryptionHeader + "-Bucket-Key-Enabled"
	contextHeader    = encryptionHeader + "-Context"
	customerHeader   = encryptionHeader + "-Customer-Algorithm"
)

// managedKey is the key that aws:kms means when no key is named. Every key is of this account.
const (
	keyAccount = "000000000000"
	managedKey = "aws-s3"
)

// encryption is how an object's bytes are encrypted, as far as headers tell; the zero value is AES256, the default of
// every bucket. The bytes in the folder are plain.
type encryption struct {
	Key       string `json:"key,omitempty"` // ARN of the KMS key; empty with AES256
	BucketKey bool   `json:"bucket_key,omitempty"`
}

// set writes the headers that tell it.
func (e encryption) set(h *fasthttp.ResponseHeader) {
	if e.Key == "" {
		h.Set(encryptionHeader, string(types.ServerSideEncryptionAes256))
		return
	}
	h.Set(encryptionHeader, string(types.ServerSideEncryptionAwsKms))
	h.Set(keyHeader, e.Key)
	if e.BucketKey {
		h.Set(bucketKeyHeader, "true")
	}
}

// keyForm is a key by its id, its alias or the ARN of either.
var keyForm = regexp.MustCompile(`^(?:arn:aws:kms:([a-z0-9-]+):(\d{12}):)?(?:(?:key/)?([A-Za-z0-9-]+)|alias/([A-Za-z0-9/_-]+))$`)

// keyARN is the ARN of a key that a request names in any form. There is no KMS here: every well-formed key of the
// region exists, and alias/NAME is the key NAME.
func (f *folder) keyARN(name string) (string, error) {
	m := keyForm.FindStringSubmatch(name)
	switch {
	case m == nil, m[1] != "" && m[4] == "" && !strings.Contains(name, ":key/"), m[1] == "" && strings.HasPrefix(name, "key/"):
		return "", kmsNotFound("Invalid keyId '" + name + "'")
	case m[1] != "" && m[1] != f.region:
		return "", kmsNotFound("Invalid arn " + m[1])
	case m[2] == "":
		m[2] = keyAccount
	}
	return "arn:aws:kms:" + f.region + ":" + m[2] + ":key/" + m[3] + m[4], nil
}

func kmsNotFound(text string) error {
	return s3err.APIError{Code: "KMS.NotFoundException", Description: text, HTTPStatusCode: http.StatusBadRequest}
}

// encrypted is the encryption that a request for a new object asks for, or the refusal of what S3 refuses: a method
// that doesn't exist, and a key, a bucket key or a context without aws:kms. Customer keys, contexts and aws:kms:dsse
// exist in S3 and are refused as not implemented here.
func (f *folder) encrypted(h *fasthttp.RequestHeader) (encryption, error) {
	method, key := string(h.Peek(encryptionHeader)), string(h.Peek(keyHeader))
	bucketKey := strings.EqualFold(string(h.Peek(bucketKeyHeader)), "true")
	notHere := func(header string) error {
		return s3err.APIError{Code: "NotImplemented", Description: "A header you provided implies functionality that is not implemented: " + header,
			HTTPStatusCode: http.StatusNotImplemented}
	}
	switch types.ServerSideEncryption(method) {
	case types.ServerSideEncryptionAwsKms:
		if len(h.Peek(contextHeader)) > 0 {
			return encryption{}, notHere(contextHeader)
		}
	case types.ServerSideEncryptionAwsKmsDsse:
		return encryption{}, notHere(encryptionHeader + ": " + method)
	case "", types.ServerSideEncryptionAes256:
		if key != "" || len(h.Peek(contextHeader)) > 0 {
			return encryption{}, s3err.InvalidArgumentError{ArgumentName: strings.ToLower(encryptionHeader), ArgumentValue: method,
				Description: "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms"}
		}
		if len(h.Peek(customerHeader)) > 0 {
			return encryption{}, notHere(customerHeader)
		}
		return encryption{}, nil // a bucket key is of KMS alone, and S3 ignores the wish for one
	default:
		return encryption{}, s3err.InvalidArgumentError{ArgumentName: strings.ToLower(encryptionHeader), ArgumentValue: method,
			Description: "The encryption method specified is not supported"}
	}
	if key == "" {
		key = managedKey
	}
	arn, err := f.keyARN(key)
	return encryption{Key: arn, BucketKey: bucketKey}, err
}

// unasked refuses the encryption of a request that can't ask for one: a read, a part, the end of an upload.
func unasked(ctx context.Context) error {
	r, ok := ctx.(*fasthttp.RequestCtx)
	if !ok {
		return nil
	}
	for _, name := range [...]string{encryptionHeader, keyHeader} {
		if value := r.Request.Header.Peek(name); len(value) > 0 {
			return s3err.InvalidArgumentError{ArgumentName: strings.ToLower(name), ArgumentValue: string(value),
				Description: strings.ToLower(name) + " header is not supported for this operation."}
		}
	}
	return nil
}

// opaque replaces the ETag of an object that a KMS key encrypts: in S3 it is not the MD5 of the content then. It keeps
// its form, with the number of parts if there is one.
func (f *folder) opaque(bucket, key, etag string, e encryption) (string, error) {
	if e.Key == "" {
		return etag, nil
	}
	sum, parts, found := strings.Cut(strings.Trim(etag, `"`), "-")
	hash := md5.Sum([]byte(e.Key + "\x00" + sum))
	sum = hex.EncodeToString(hash[:])
	if found {
		sum += "-" + parts
	}
	// The gateway keeps ETags with their quotes.
	if etag != strings.Trim(etag, `"`) {
		sum = `"` + sum + `"`
	}
	if err := (meta.XattrMeta{}).StoreAttribute(nil, *f.path(&bucket), key, "etag", []byte(sum)); err != nil {
		return "", fmt.Errorf("keeping the ETag of %s: %w", key, err)
	}
	return sum, nil
}

const encryptionValue = "s3d-encryption"

// tellEncryption puts the encryption into an answer.
func tellEncryption(c fiber.Ctx) {
	r := c.RequestCtx()
	if e, ok := r.UserValue(encryptionValue).(encryption); ok {
		e.set(&r.Response.Header)
	}
}
