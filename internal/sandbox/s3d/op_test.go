package s3d

import (
	"net/http/httptest"
	"testing"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, target, kind, bucket, key string }{
		{"GET", "/", "ListBuckets", "", ""},
		{"POST", "/", "Unknown", "", ""},
		{"GET", "/b", "ListObjects", "b", ""},
		{"GET", "/b/", "ListObjects", "b", ""},
		{"GET", "/b?list-type=2&prefix=x", "ListObjectsV2", "b", ""},
		{"GET", "/b?uploads", "ListMultipartUploads", "b", ""},
		{"GET", "/b?versions", "ListObjectVersions", "b", ""},
		{"GET", "/b?location", "GetBucketLocation", "b", ""},
		{"HEAD", "/b", "HeadBucket", "b", ""},
		{"PUT", "/b", "CreateBucket", "b", ""},
		{"PUT", "/b?versioning", "PutBucketVersioning", "b", ""},
		{"DELETE", "/b", "DeleteBucket", "b", ""},
		{"POST", "/b?delete", "DeleteObjects", "b", ""},
		{"PATCH", "/b", "Unknown", "b", ""},
		{"GET", "/b/a%20b/c%2Bd?x-id=GetObject", "GetObject", "b", "a b/c+d"},
		{"GET", "/b/a+b", "GetObject", "b", "a+b"},
		{"GET", "/b/k/", "GetObject", "b", "k/"},
		{"GET", "/b//k", "GetObject", "b", "/k"},
		{"GET", "/b/k?uploadId=1", "ListParts", "b", "k"},
		{"GET", "/b/k?attributes", "GetObjectAttributes", "b", "k"},
		{"HEAD", "/b/k", "HeadObject", "b", "k"},
		{"PUT", "/b/k", "PutObject", "b", "k"},
		{"PUT", "/b/k?partNumber=1&uploadId=1", "UploadPart", "b", "k"},
		{"PUT", "/b/k?tagging", "PutObjectTagging", "b", "k"},
		{"POST", "/b/k?uploads", "CreateMultipartUpload", "b", "k"},
		{"POST", "/b/k?uploadId=1", "CompleteMultipartUpload", "b", "k"},
		{"POST", "/b/k", "Unknown", "b", "k"},
		{"DELETE", "/b/k", "DeleteObject", "b", "k"},
		{"DELETE", "/b/k?uploadId=1", "AbortMultipartUpload", "b", "k"},
	} {
		r := httptest.NewRequest(test.method, test.target, nil)
		got := describe(r)
		want := Op{Method: test.method, Bucket: test.bucket, Key: test.key, Query: r.URL.RawQuery, Kind: test.kind}
		if test.kind == "PutObject" || test.kind == "CreateMultipartUpload" {
			want.Encryption = "none"
		}
		if got != want {
			t.Errorf("%s %s: %+v, want %+v", test.method, test.target, got, want)
		}
		if test.method == "PUT" && (test.kind == "PutObject" || test.kind == "UploadPart") {
			r.Header.Set("X-Amz-Copy-Source", "b/other")
			if got := describe(r).Kind; got != map[string]string{"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}[test.kind] {
				t.Errorf("%s %s with a copy source: %s", test.method, test.target, got)
			}
		}
	}
}

func TestActionNames(t *testing.T) {
	t.Parallel()
	for action, want := range map[Action]string{Continue: "Continue", SlowDown503: "SlowDown503", CutBody: "CutBody", -1: "Action(?)", 99: "Action(?)"} {
		if got := action.String(); got != want {
			t.Errorf("%d: %s, want %s", int(action), got, want)
		}
	}
}
