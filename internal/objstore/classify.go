package objstore

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"regexp"
	"syscall"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"backfill/internal/fail"
)

// errPrecondition is the cause of an answer 412: a condition did not hold.
var errPrecondition = errors.New("the condition of the request did not hold")

// codeNoSuchUpload is the answer for a multipart upload that has ended.
const codeNoSuchUpload = "NoSuchUpload"

// action is what was tried, by the name that IAM policies use.
type action string

const (
	listing   action = "s3:ListBucket"
	getting   action = "s3:GetObject"
	heading   action = "s3:GetObject (HEAD)"
	putting   action = "s3:PutObject"
	aborting  action = "s3:AbortMultipartUpload"
	deleting  action = "s3:DeleteObject"
	restoring action = "s3:RestoreObject"

	listingUploads action = "s3:ListBucketMultipartUploads"
)

// missing is the cause when an object is not there; it matches fs.ErrNotExist.
type missing struct{ err error }

func (m *missing) Error() string   { return m.err.Error() }
func (m *missing) Unwrap() []error { return []error{fs.ErrNotExist, m.err} }

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// classify gives an error of the SDK its code, its place and its remedy. It is
// the only place that knows the names of S3's errors. nil stays nil.
func classify(a action, at URI, err error) error {
	if err == nil {
		return nil
	}
	var known *fail.Error
	if errors.As(err, &known) {
		return err // already classified below
	}
	// The caller stopped: left without a code, so that it ends as a stop.
	if errors.Is(err, context.Canceled) {
		return &stopped{action: a, at: at, err: err}
	}
	err = brief(err)
	e := byCredentials(err)
	if e == nil {
		e = byCode(a, at, err)
	}
	if e == nil {
		e = byStatus(a, at, err)
	}
	if e == nil {
		e = byTransport(err)
	}
	// What is unknown is not retryable; the whole text is kept.
	if e == nil {
		e = fail.Wrap(err, fail.Internal, "unknown error of %s", a)
	}
	return e.At("%s", at)
}

// stopped is a request that the caller's context ended.
type stopped struct {
	action action
	at     URI
	err    error
}

func (s *stopped) Error() string { return s.at.String() + ": " + string(s.action) + " was stopped" }
func (s *stopped) Unwrap() error { return s.err }

func byCredentials(err error) *fail.Error {
	// No credentials at all, or their source (role, web identity) refused.
	if ce := (*credentialsError)(nil); errors.As(err, &ce) {
		return fail.Wrap(briefError{ce.Error(), err}, fail.Credentials, "no usable AWS credentials").
			Try("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or a role for the pod's service account")
	}
	return nil
}

// codeOf returns the name of S3's error, "" when there is none.
func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func byCode(a action, at URI, err error) *fail.Error {
	switch codeOf(err) {
	case "NoSuchKey", "NoSuchVersion":
		// The object itself is missing, the bucket is there.
		return fail.Wrap(&missing{err}, fail.NotFoundInput, "the object does not exist").Try("check the spelling, case included")
	case "NoSuchBucket":
		// The bucket is missing; never taken for a missing object.
		return fail.Wrap(err, fail.NotFoundInput, "bucket %q does not exist", at.Bucket).Try("check the bucket's name and the AWS account or endpoint")
	case "InvalidBucketName":
		// S3 accepts no such name.
		return fail.Wrap(err, fail.Usage, "%q is not a bucket name", at.Bucket).Try("check the URI")
	case "AccessDenied", "AllAccessDisabled", "AccountProblem":
		// A policy says no, be it IAM, bucket, KMS key or organization.
		return denied(a, at, err)
	case "KMS.NotFoundException", "KMS.DisabledException", "KMS.InvalidStateException", "KMS.KMSInvalidStateException", "KMS.InvalidKeyUsageException", "KMS.KeyUnavailableException":
		// The key of the bucket or of staging.kms_key: gone, disabled, for something else, or of another region.
		return fail.Wrap(err, fail.Permission, "the KMS key can't be used: %s", kmsWords(err)).Try("check that the key exists in the bucket's region, is enabled and encrypts symmetrically, and its name in staging.kms_key")
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "InvalidSecurity", "InvalidClientTokenId", "UnrecognizedClientException":
		// The login itself is wrong.
		return fail.Wrap(err, fail.Credentials, "S3 refused the credentials").Try("check the access key, the secret and the session token, and that they belong to this endpoint")
	case "ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired":
		// The login was right and is over.
		return fail.Wrap(err, fail.Credentials, "the AWS credentials have expired").Try("renew them, or use a role that renews itself")
	case "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException", "BandwidthLimitExceeded":
		// The SDK has already tried with pauses.
		return throttled(err)
	case "PreconditionFailed":
		// Not an error by itself: the callers say what it means.
		return fail.Wrap(errPrecondition, fail.ArchiveChanged, "the object is not as expected")
	case "ConditionalRequestConflict", "OperationAborted":
		// Other writers to the same key kept it busy over all tries.
		return fail.Wrap(err, fail.Service, "other requests to the same key did not end").Try("run the same command again")
	case "InvalidObjectState":
		// Glacier and Deep Archive keep objects offline.
		return fail.Wrap(err, fail.Cold, "the object is in an archive storage class and can't be read").Try("restore it first: backfill plan --restore with the same dataset and window, then run the same command again")
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		// The bucket lives elsewhere.
		return wrongRegion(at, err)
	case "RequestTimeTooSkewed", "RequestExpired":
		// Signatures carry the time.
		return fail.Wrap(err, fail.Credentials, "the clock of this machine is wrong").Try("set the clock (NTP): S3 allows a difference of 15 minutes")
	case "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch":
		// The request did not arrive whole.
		return fail.Wrap(err, fail.Network, "the request did not arrive whole").Try("run the same command again")
	case codeNoSuchUpload:
		// Somebody else, or a lifecycle rule, ended the upload: a new try begins a new one.
		return fail.Wrap(err, fail.Service, "the upload was ended by somebody else").Try("run the same command again")
	}
	return nil
}

// kmsWords is what KMS says of a key.
func kmsWords(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorMessage()
	}
	return err.Error()
}

// kmsAction is the right on a KMS key that S3 says is missing, "" for others: S3
// uses the key with the caller's rights.
var kmsAction = regexp.MustCompile(`kms:[A-Za-z]+`)

func denied(a action, at URI, err error) *fail.Error {
	if right := kmsAction.FindString(kmsWords(err)); right != "" {
		return fail.Wrap(err, fail.Permission, "%s of the KMS key is not allowed, so that %s on %s is refused", right, a, arn(a, at)).
			Try("allow kms:GenerateDataKey and kms:Decrypt on the key to the role in use, in IAM and in the key's policy")
	}
	e := fail.Wrap(err, fail.Permission, "%s on %s is not allowed", a, arn(a, at))
	if a == getting || a == heading {
		return e.Try("allow it to the role in use; without s3:ListBucket on arn:aws:s3:::%s a missing object looks the same", at.Bucket)
	}
	if a == putting {
		return e.Try("allow it to the role in use, in IAM, in the bucket policy and for the KMS key; a bucket that takes only encrypted objects needs staging.kms_key in the dataset")
	}
	return e.Try("allow it to the role in use, in IAM, in the bucket policy and for the KMS key")
}

func throttled(err error) *fail.Error {
	return fail.Wrap(err, fail.Throttled, "S3 asks to slow down").Try("run the same command again with fewer workers or shards")
}

// expectedRegion is the bucket's region in what S3 says of a signature for another one.
var expectedRegion = regexp.MustCompile(`expecting ['"]([a-z0-9-]+)['"]`)

func wrongRegion(at URI, err error) *fail.Error {
	e := fail.Wrap(err, fail.Usage, "bucket %q is in another region", at.Bucket)
	var answer *smithyhttp.ResponseError
	if errors.As(err, &answer) && answer.Response != nil {
		if region := answer.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			return e.Try("set AWS_REGION=%s", region)
		}
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if said := expectedRegion.FindStringSubmatch(api.ErrorMessage()); said != nil {
			return e.Try("set AWS_REGION=%s", said[1])
		}
	}
	return e.Try("set AWS_REGION to the region of the bucket")
}

// byStatus reads answers without a known code: HEAD has no body, and proxies
// have their own.
func byStatus(a action, at URI, err error) *fail.Error {
	var answer *smithyhttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil {
		return nil
	}
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusNotFound:
		// HEAD does not tell a missing object from a missing bucket.
		return fail.Wrap(&missing{err}, fail.NotFoundInput, "the object or its bucket does not exist").Try("check the spelling, case included")
	case status == http.StatusMethodNotAllowed && (a == getting || a == heading):
		// The version asked for is a delete marker.
		return fail.Wrap(&missing{err}, fail.NotFoundInput, "the object is deleted").Try("restore the version that was planned")
	case status == http.StatusForbidden:
		return denied(a, at, err)
	case status == http.StatusUnauthorized:
		return fail.Wrap(err, fail.Credentials, "S3 refused the credentials").Try("check the credentials and the endpoint")
	case status == http.StatusPreconditionFailed:
		return fail.Wrap(errPrecondition, fail.ArchiveChanged, "the object is not as expected")
	case status == http.StatusMovedPermanently || status == http.StatusTemporaryRedirect:
		return wrongRegion(at, err)
	case status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests:
		return throttled(err)
	case status == http.StatusRequestTimeout:
		return fail.Wrap(err, fail.Network, "the request timed out").Try("run the same command again")
	case status == http.StatusInsufficientStorage:
		// A store that is not Amazon's; waiting frees nothing, a person may.
		return fail.Wrap(err, fail.Disk, "the store's disk is full").Try("free space in the store, or stage in another: staging.uri; then run the same command again")
	case status >= 500:
		// The service failed, also over the SDK's tries.
		return fail.Wrap(err, fail.Service, "S3 failed with status %d", status).Try("run the same command again")
	}
	return nil
}

func byTransport(err error) *fail.Error {
	var (
		dns     *net.DNSError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		expired x509.CertificateInvalidError
		network net.Error
		silence *awshttp.ResponseTimeoutError
		send    *smithyhttp.RequestSendError
	)
	switch {
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &expired):
		// Somebody else answers, or the image lacks the authority.
		return fail.Wrap(err, fail.Network, "the server's certificate is not trusted").Try("check the endpoint and the CA certificates of the image (AWS_CA_BUNDLE)")
	case errors.As(err, &dns):
		// No address: a wrong region or endpoint, or no name server.
		return fail.Wrap(err, fail.Network, "host %q is not known", dns.Name).Try("check the region, the endpoint and the name server")
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &silence), errors.As(err, &network) && network.Timeout():
		// Nothing came in time.
		return fail.Wrap(err, fail.Network, "the connection to S3 timed out").Try("check the network path (VPC endpoint, proxy), then run the same command again")
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE),
		errors.Is(err, syscall.ECONNREFUSED), errors.As(err, &network), errors.As(err, &send):
		// Resets, refusals, broken bodies.
		return fail.Wrap(err, fail.Network, "the connection to S3 broke").Try("check the endpoint and the network, then run the same command again")
	}
	return nil
}
