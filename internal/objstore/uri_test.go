package objstore_test

import (
	"strings"
	"testing"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

func TestParseURI(t *testing.T) {
	for text, want := range map[string]objstore.URI{
		"s3://bucket":                      {"s3", "bucket", ""},
		"s3://bucket/a/b":                  {"s3", "bucket", "a/b"},
		"s3://my.Old_Bucket/a b+c%2B=(ü)?": {"s3", "my.Old_Bucket", "a b+c%2B=(ü)?"},
		"s3://bucket//a/../b//":            {"s3", "bucket", "/a/../b//"},
		"s3://bucket/#x":                   {"s3", "bucket", "#x"},
		"file:///data/topics":              {"file", "", "data/topics"},
		"file:///":                         {"file", "", ""},
		"file:///a%20b":                    {"file", "", "a%20b"},
	} {
		got, err := objstore.ParseURI(text)
		if err != nil || got != want {
			t.Errorf("ParseURI(%q) = %+v, %v", text, got, err)
		}
		if got.String() != text {
			t.Errorf("%q became %q", text, got)
		}
	}
}

func TestParseURIRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                             `"" is not a URI`,
		"/data/topics":                 `"/data/topics" is not a URI`,
		"s3:/bucket":                   `"s3:/bucket" is not a URI`,
		"s3://":                        `URI "s3://" names no valid bucket`,
		"s3:///key":                    `URI "s3:///key" names no valid bucket`,
		"s3://b?x/key":                 `URI "s3://b?x/key" names no valid bucket`,
		"s3://AKIA:secret@bucket/k":    "an s3 URI must not hold a user or a secret",
		"s3a://bucket/k":               `URI "s3a://bucket/k" has a Hadoop scheme`,
		"gs://bucket/k":                `URI scheme "gs" is not supported`,
		"file://relative/path":         `URI "file://relative/path" is not an absolute path`,
		"file:///a/../b":               `URI "file:///a/../b" holds a relative step`,
		"s3://bucket/\xff":             `URI "s3://bucket/\xff" is not valid UTF-8 text`,
		"s3://arn:aws:s3:::accesspt/k": `URI "s3://arn:aws:s3:::accesspt/k" names no valid bucket`,
	} {
		_, err := objstore.ParseURI(text)
		wantCode(t, err, fail.Usage)
		if err == nil || err.Error() != want {
			t.Errorf("ParseURI(%q): %v, want %s", text, err, want)
		}
	}
}

func TestJoin(t *testing.T) {
	for _, c := range []struct {
		root  string
		parts []string
		want  string
	}{
		{"s3://bucket", []string{"a"}, "s3://bucket/a"},
		{"s3://bucket/", []string{"a", "b/c"}, "s3://bucket/a/b/c"},
		{"s3://bucket/a/", []string{"b+%2F"}, "s3://bucket/a/b+%2F"},
		{"s3://bucket/a", nil, "s3://bucket/a"},
		{"s3://bucket/a", []string{""}, "s3://bucket/a/"},
		{"file:///", []string{"data", "x"}, "file:///data/x"},
	} {
		u, err := objstore.ParseURI(c.root)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.Join(c.parts...).String(); got != c.want {
			t.Errorf("%s joined with %q is %s, want %s", c.root, c.parts, got, c.want)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	for _, seed := range []string{"s3://bucket/a%2Bb", "file:///x y", "s3://", "file://", "s3://a@b", "://", "s3://bucket/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := objstore.ParseURI(text)
		if err != nil {
			wantCode(t, err, fail.Usage)
			return
		}
		// Nothing was decoded or cleaned; only the slash after a bare bucket goes.
		if got := u.String(); got != text && got+"/" != text {
			t.Errorf("%q became %q", text, got)
		}
		if again, err := objstore.ParseURI(u.String()); err != nil || again != u {
			t.Errorf("%q was read back as %+v, %v", u, again, err)
		}
		if joined := u.Join("child"); !strings.HasSuffix(joined.String(), "/child") {
			t.Errorf("joined: %q", joined)
		}
	})
}
