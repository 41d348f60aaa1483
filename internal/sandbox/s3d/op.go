package s3d

import (
	"net/http"
	"net/url"
	"strings"
)

// Phase says when, within an operation, the hook is called.
type Phase int

const (
	Before Phase = iota // the request's headers have arrived, nothing is done yet
	After               // the gateway did it, the client has not seen a byte of the answer
)

func (p Phase) String() string {
	if p == After {
		return "After"
	}
	return "Before"
}

// Op describes one request. Both phases of a request carry the same Number.
type Op struct {
	Number int64 // from 1, in order of arrival
	Phase  Phase
	Method string
	Bucket string // empty for ListBuckets
	Key    string // decoded; empty for operations on a bucket
	Query  string // as sent, undecoded
	Kind   string // the S3 action: "PutObject", "ListObjectsV2", …; "Unknown" if there is none
	Status int    // After: the gateway's HTTP status, so that a hook can tell a success from a refusal; Before: 0
	Agent  string // the User-Agent header, which tells readers apart
	// Encryption is what a new object asks for, "none", "AES256", "aws:kms" or "aws:kms KEY" as a bucket policy would see
	// it; empty for operations that make no object.
	Encryption string
	// Done is closed when the client has gone (as far as that shows) and when the server closes: a hook that waits must
	// give up then.
	Done <-chan struct{}
}

// describe names a request the way the S3 API does (path style only).
func describe(r *http.Request) Op {
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	op := Op{Method: r.Method, Bucket: bucket, Key: key, Query: r.URL.RawQuery, Agent: r.UserAgent()}
	query := r.URL.Query()
	switch {
	case bucket == "":
		op.Kind = lookup(serviceKinds, r.Method, query)
	case key == "":
		op.Kind = lookup(bucketKinds, r.Method, query)
	default:
		op.Kind = lookup(objectKinds, r.Method, query)
		if r.Method == http.MethodPut && r.Header.Get("X-Amz-Copy-Source") != "" {
			op.Kind = map[string]string{"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}[op.Kind]
		}
	}
	switch op.Kind {
	case "":
		op.Kind = "Unknown"
	case "PutObject", "CopyObject", "CreateMultipartUpload":
		op.Encryption = encryptionOf(r.Header)
	}
	return op
}

// encryptionOf is the encryption that a request names, right or wrong.
func encryptionOf(h http.Header) string {
	method, key := h.Get(encryptionHeader), h.Get(keyHeader)
	if method == "" {
		method = "none"
	}
	return strings.TrimSpace(method + " " + key)
}

// kind is one row of a table: a request with this method and this query parameter is that action.
type kind struct{ method, parameter, name string }

// The rows are tried in order; the row without a parameter is the default of its method and stands last.
var (
	serviceKinds = []kind{{http.MethodGet, "", "ListBuckets"}}
	bucketKinds  = []kind{
		{http.MethodGet, "list-type", "ListObjectsV2"},
		{http.MethodGet, "uploads", "ListMultipartUploads"},
		{http.MethodGet, "versions", "ListObjectVersions"},
		{http.MethodGet, "location", "GetBucketLocation"},
		{http.MethodGet, "versioning", "GetBucketVersioning"},
		{http.MethodGet, "policy", "GetBucketPolicy"},
		{http.MethodGet, "acl", "GetBucketAcl"},
		{http.MethodGet, "tagging", "GetBucketTagging"},
		{http.MethodGet, "object-lock", "GetObjectLockConfiguration"},
		{http.MethodGet, "", "ListObjects"},
		{http.MethodHead, "", "HeadBucket"},
		{http.MethodPut, "versioning", "PutBucketVersioning"},
		{http.MethodPut, "policy", "PutBucketPolicy"},
		{http.MethodPut, "acl", "PutBucketAcl"},
		{http.MethodPut, "tagging", "PutBucketTagging"},
		{http.MethodPut, "object-lock", "PutObjectLockConfiguration"},
		{http.MethodPut, "", "CreateBucket"},
		{http.MethodPost, "delete", "DeleteObjects"},
		{http.MethodDelete, "policy", "DeleteBucketPolicy"},
		{http.MethodDelete, "tagging", "DeleteBucketTagging"},
		{http.MethodDelete, "", "DeleteBucket"},
	}
	objectKinds = []kind{
		{http.MethodGet, "uploadId", "ListParts"},
		{http.MethodGet, "attributes", "GetObjectAttributes"},
		{http.MethodGet, "tagging", "GetObjectTagging"},
		{http.MethodGet, "acl", "GetObjectAcl"},
		{http.MethodGet, "", "GetObject"},
		{http.MethodHead, "", "HeadObject"},
		{http.MethodPut, "uploadId", "UploadPart"},
		{http.MethodPut, "tagging", "PutObjectTagging"},
		{http.MethodPut, "acl", "PutObjectAcl"},
		{http.MethodPut, "", "PutObject"},
		{http.MethodPost, "uploads", "CreateMultipartUpload"},
		{http.MethodPost, "uploadId", "CompleteMultipartUpload"},
		{http.MethodPost, "select", "SelectObjectContent"},
		{http.MethodPost, "restore", "RestoreObject"},
		{http.MethodDelete, "uploadId", "AbortMultipartUpload"},
		{http.MethodDelete, "tagging", "DeleteObjectTagging"},
		{http.MethodDelete, "", "DeleteObject"},
	}
)

func lookup(table []kind, method string, query url.Values) string {
	for _, k := range table {
		if k.method == method && (k.parameter == "" || query.Has(k.parameter)) {
			return k.name
		}
	}
	return ""
}
