package objstore

import (
	"strings"
	"unicode/utf8"

	"backfill/internal/fail"
)

// The schemes of a URI.
const (
	SchemeS3   = "s3"
	SchemeFile = "file"
)

// URI names an object, a prefix or the root of a store. Its text form is never
// percent-encoded or decoded: a key holds `+`, `%`, `=`, `?` and spaces as they
// are. A file URI has no bucket, and its key is the absolute path without the
// leading slash.
type URI struct {
	Scheme string
	Bucket string
	Key    string
}

// ParseURI reads s3://bucket[/key] or file:///path. Anything else is
// fail.Usage.
func ParseURI(text string) (URI, error) {
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return URI{}, fail.New(fail.Usage, "%q is not a URI", text).Try("write s3://bucket/prefix or file:///absolute/path")
	}
	if !utf8.ValidString(rest) || strings.ContainsRune(rest, 0) {
		return URI{}, fail.New(fail.Usage, "URI %q is not valid UTF-8 text", text)
	}
	switch scheme {
	case SchemeS3:
		bucket, key, _ := strings.Cut(rest, "/")
		if strings.Contains(bucket, "@") {
			// The part before the @ may be a secret: not repeated.
			return URI{}, fail.New(fail.Usage, "an s3 URI must not hold a user or a secret").Try("leave out everything before the bucket; credentials come from the AWS environment")
		}
		if !isBucket(bucket) {
			return URI{}, fail.New(fail.Usage, "URI %q names no valid bucket", text).Try("write s3://bucket/prefix; access points are named by their alias")
		}
		return URI{Scheme: SchemeS3, Bucket: bucket, Key: key}, nil
	case SchemeFile:
		path, absolute := strings.CutPrefix(rest, "/")
		if !absolute {
			return URI{}, fail.New(fail.Usage, "URI %q is not an absolute path", text).Try("write file:///absolute/path, with three slashes")
		}
		for segment := range strings.SplitSeq(path, "/") {
			if segment == "." || segment == ".." {
				return URI{}, fail.New(fail.Usage, "URI %q holds a relative step", text).Try("write the path without . and ..")
			}
		}
		return URI{Scheme: SchemeFile, Key: path}, nil
	case "s3a", "s3n":
		return URI{}, fail.New(fail.Usage, "URI %q has a Hadoop scheme", text).Try("write s3:// instead of %s://", scheme)
	}
	return URI{}, fail.New(fail.Usage, "URI scheme %q is not supported", scheme).Try("write s3://bucket/prefix or file:///absolute/path")
}

// isBucket accepts the characters of bucket names and access point aliases,
// old upper-case names included.
func isBucket(name string) bool {
	if len(name) < 3 || len(name) > 255 {
		return false
	}
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_':
		default:
			return false
		}
	}
	return true
}

// String gives the text that ParseURI reads.
func (u URI) String() string {
	if u.Scheme == SchemeFile {
		return "file:///" + u.Key
	}
	if u.Key == "" {
		return u.Scheme + "://" + u.Bucket
	}
	return u.Scheme + "://" + u.Bucket + "/" + u.Key
}

// Join appends the parts to the key, one slash before each. Nothing is cleaned
// or encoded; slashes at the end of the key are dropped first.
func (u URI) Join(parts ...string) URI {
	for _, part := range parts {
		if key := strings.TrimRight(u.Key, "/"); key != "" {
			u.Key = key + "/" + part
		} else {
			u.Key = part
		}
	}
	return u
}
