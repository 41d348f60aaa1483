package objstore_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"backfill/internal/fail"
	"backfill/internal/objstore"
)

func TestMain(m *testing.M) {
	// Idle connections of the SDK's clients end by themselves.
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreTopFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"))
}

// TestRetries plants faults by request number into calls that must succeed.
func TestRetries(t *testing.T) {
	const part = 5 << 20
	large := string(bytes.Repeat([]byte("0123456789abcdef"), 2*part/16+1000))
	for name, c := range map[string]struct {
		faults map[string]map[int]fault
		call   func(t *testing.T, s *objstore.Store)
		counts map[string]int
	}{
		"a page after 503 and a reset": {
			map[string]map[int]fault{"List": {2: slowDown, 3: reset, 4: internal}}, wantList, map[string]int{"List": 6},
		},
		"a HEAD after a lost answer": {
			map[string]map[int]fault{"Head": {1: lost}}, wantHead, map[string]int{"Head": 2},
		},
		"a GET after a reset before the body": {
			map[string]map[int]fault{"Get": {1: reset, 2: slowDown}}, wantBody, map[string]int{"Get": 3},
		},
		"a body cut three times": {
			map[string]map[int]fault{"Get": {1: cut, 2: cut, 3: cut}}, wantBody, map[string]int{"Get": 4},
		},
		"a cut body whose resumption is throttled": {
			map[string]map[int]fault{"Get": {1: cut, 2: slowDown, 3: reset}}, wantBody, map[string]int{"Get": 4},
		},
		"a body that falls silent": {
			map[string]map[int]fault{"Get": {1: silent}}, wantBody, map[string]int{"Get": 2},
		},
		"a conditional PUT after conflicts": {
			map[string]map[int]fault{"Put": {1: conflict, 2: conflict, 3: internal}}, wantCreated(true), map[string]int{"Put": 4},
		},
		"a conditional PUT whose request was lost": {
			map[string]map[int]fault{"Put": {1: reset}}, wantCreated(true), map[string]int{"Put": 2},
		},
		"a conditional PUT whose answer was lost": {
			map[string]map[int]fault{"Put": {1: lost}}, wantCreated(false), map[string]int{"Put": 2},
		},
		"an upload through faults": {
			map[string]map[int]fault{"Begin": {1: reset}, "Part": {1: slowDown, 3: lost, 5: internal}, "Complete": {1: internal}}, wantUpload(large),
			map[string]int{"Begin": 2, "Part": 6, "Complete": 2, "Put": 0},
		},
		"a completion whose answer was lost": {
			map[string]map[int]fault{"Complete": {1: lost}}, wantUpload(large), map[string]int{"Complete": 2, "Head": 1},
		},
		"a small upload whose answer was lost": {
			map[string]map[int]fault{"Put": {1: lost}}, wantUpload("small"), map[string]int{"Put": 2, "Begin": 0},
		},
		"a DELETE whose answer was lost": {
			map[string]map[int]fault{"Delete": {1: lost}}, func(t *testing.T, s *objstore.Store) {
				if err := s.Delete(t.Context(), "k1"); err != nil {
					t.Error(err)
				}
			}, map[string]int{"Delete": 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			for i := range 7 {
				f.put(fmt.Sprintf("root/k%d", i), bytes.Repeat([]byte{byte('a' + i)}, 100_000))
			}
			f.fail(c.faults)
			o := quick
			o.Silence = time.Minute // so that a slow machine is not taken for a silent server
			if name == "a body that falls silent" {
				o.Silence = 2 * time.Second
			}
			c.call(t, f.open("s3://archive/root", o))
			for op, want := range c.counts {
				if got := f.count(op); got != want {
					t.Errorf("%d requests of %s, want %d", got, op, want)
				}
			}
			if len(f.uploads) > 0 {
				t.Errorf("%d uploads are left open", len(f.uploads))
			}
		})
	}
}

func wantList(t *testing.T, s *objstore.Store) {
	if got := keys(t, s, ""); len(got) != 7 {
		t.Errorf("listed %q", got)
	}
}

func wantHead(t *testing.T, s *objstore.Store) {
	if o, err := s.Head(t.Context(), "k1"); err != nil || o.Size != 100_000 {
		t.Errorf("Head = %+v, %v", o, err)
	}
}

func wantBody(t *testing.T, s *objstore.Store) {
	if got, err := read(s, "k1", objstore.Object{}); err != nil || got != strings.Repeat("b", 100_000) {
		t.Errorf("read %d bytes, %v", len(got), err)
	}
}

func wantCreated(want bool) func(t *testing.T, s *objstore.Store) {
	return func(t *testing.T, s *objstore.Store) {
		if created, err := s.PutNew(t.Context(), "new", []byte("attempt 1")); err != nil || created != want {
			t.Errorf("PutNew = %v, %v; want %v", created, err, want)
		}
		if got, err := read(s, "new", objstore.Object{}); got != "attempt 1" || err != nil {
			t.Errorf("read back %q, %v", got, err)
		}
	}
}

func wantUpload(body string) func(t *testing.T, s *objstore.Store) {
	return func(t *testing.T, s *objstore.Store) {
		up, err := s.Create(t.Context(), "upload")
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := up.Abort(t.Context()); err != nil {
				t.Error(err)
			}
		}()
		if _, err := io.WriteString(up, body); err != nil {
			t.Fatal(err)
		}
		o, err := up.Commit(t.Context())
		if err != nil || o.Size != int64(len(body)) || o.ETag == "" {
			t.Fatalf("Commit = %+v, %v", o, err)
		}
		if got, err := read(s, "upload", o); got != body || err != nil {
			t.Errorf("read back %d bytes, %v", len(got), err)
		}
	}
}

func TestBodyThatNeverEnds(t *testing.T) {
	f := newFake(t)
	f.put("k", bytes.Repeat([]byte("x"), 1<<20))
	f.hook = func(string, int) fault { return cut }
	o := quick
	o.MaxAttempts = 3
	got, err := read(f.open("s3://archive", o), "k", objstore.Object{})
	wantCode(t, err, fail.Network)
	if len(got) >= 1<<20 || f.count("Get") != 4 {
		t.Errorf("read %d bytes in %d requests", len(got), f.count("Get"))
	}
	if want := fmt.Sprintf("s3://archive/k: the connection to S3 broke: broken at byte %d of 1048576, 3 resumptions used up: unexpected EOF", len(got)); err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestObjectChangesBetweenResumptions(t *testing.T) {
	f := newFake(t)
	f.put("k", bytes.Repeat([]byte("x"), 1<<20))
	f.hook = func(op string, n int) fault {
		if n > 1 {
			f.put("k", bytes.Repeat([]byte("y"), 1<<20))
			return none
		}
		return cut
	}
	got, err := read(f.open("s3://archive", quick), "k", objstore.Object{})
	wantCode(t, err, fail.ArchiveChanged)
	if strings.Contains(got, "y") || len(got) == 1<<20 {
		t.Errorf("two versions were mixed: %d bytes", len(got))
	}
}

func TestServerThatIgnoresConditions(t *testing.T) {
	f := newFake(t)
	f.put("k", bytes.Repeat([]byte("x"), 1<<20))
	s := f.open("s3://archive", quick)
	f.hook = func(string, int) fault { return ignored }
	_, err := s.Get(t.Context(), "k", objstore.Object{ETag: "planned"})
	wantCode(t, err, fail.ArchiveChanged)
	if err == nil || !strings.Contains(err.Error(), `"planned" was planned`) {
		t.Errorf("got %v", err)
	}
	f.hook = func(op string, n int) fault {
		if n == 2 { // the first GET of the body below
			return cut
		}
		return ignored
	}
	_, err = read(s, "k", objstore.Object{})
	wantCode(t, err, fail.Service)
}

func TestCorruptBody(t *testing.T) {
	f := newFake(t)
	f.put("k", []byte("some bytes"))
	f.hook = func(string, int) fault { return corrupt }
	_, err := read(f.open("s3://archive", quick), "k", objstore.Object{})
	wantCode(t, err, fail.Network)
	if err == nil || !strings.HasPrefix(err.Error(), "s3://archive/k: the bytes received do not fit the stored checksum: ") {
		t.Errorf("got %v", err)
	}
}

func TestStopWhileReading(t *testing.T) {
	f := newFake(t)
	f.put("k", bytes.Repeat([]byte("x"), 1<<20))
	f.hook = func(string, int) fault { return silent }
	ctx, cancel := context.WithCancel(t.Context())
	body, err := f.open("s3://archive", quick).Get(ctx, "k", objstore.Object{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	cancel()
	_, err = io.Copy(io.Discard, body)
	if !errors.Is(err, context.Canceled) || fail.ExitOf(err) != fail.ExitTerminated {
		t.Errorf("got %v", err)
	}
	if err := body.Close(); err != nil {
		t.Error(err)
	}
}

// TestBodiesAreReadAsStored makes sure that nobody decompresses on the way.
func TestBodiesAreReadAsStored(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, "plain text")
	_ = z.Close()
	f := newFake(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("ETag", `"e"`)
		_, _ = w.Write(packed.Bytes())
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	if got, err := read(f.open("s3://archive", quick), "k.json.gz", objstore.Object{}); got != packed.String() || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
}

func TestFailedUploadIsAborted(t *testing.T) {
	f := newFake(t)
	f.hook = func(op string, n int) fault {
		if op == "Part" && n > 1 {
			return expired
		}
		return none
	}
	up, err := f.open("s3://archive", quick).Create(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	_, writeErr := up.Write(make([]byte, 25<<20))
	wantCode(t, writeErr, fail.Credentials)
	_, again := up.Write([]byte("more"))
	_, commitErr := up.Commit(t.Context())
	if again != writeErr || commitErr != writeErr {
		t.Errorf("the error is not final: %v, %v", again, commitErr)
	}
	if err := up.Abort(t.Context()); err != nil || len(f.uploads) > 0 {
		t.Errorf("Abort: %v, %d uploads are left", err, len(f.uploads))
	}
	if _, exists := f.get("k"); exists {
		t.Error("the object exists")
	}
}

// TestAnswers shows what becomes of each answer of S3.
func TestAnswers(t *testing.T) {
	const bucketDenied = "s3:ListBucket on arn:aws:s3:::archive is not allowed"
	for _, c := range []struct {
		op, status, code, region string
		want                     fail.Code
		text, hint               string
	}{
		{"List", "404", "NoSuchBucket", "", fail.NotFoundInput, `s3://archive/root/: bucket "archive" does not exist`, "check the bucket's name and the AWS account or endpoint"},
		{"Get", "404", "NoSuchKey", "", fail.NotFoundInput, "s3://archive/root/k: the object does not exist", "check the spelling, case included"},
		{"List", "403", "AccessDenied", "", fail.Permission, "s3://archive/root/: " + bucketDenied, "allow it to the role"},
		{"Get", "403", "AccessDenied", "", fail.Permission, "s3://archive/root/k: s3:GetObject on arn:aws:s3:::archive/root/k is not allowed", "without s3:ListBucket on arn:aws:s3:::archive"},
		{"Head", "403", "", "", fail.Permission, "s3://archive/root/k: s3:GetObject (HEAD) on arn:aws:s3:::archive/root/k is not allowed", "a missing object looks the same"},
		{"Put", "403", "AccessDenied", "", fail.Permission, "s3://archive/root/k: s3:PutObject on arn:aws:s3:::archive/root/k is not allowed", "KMS key"},
		{"Delete", "403", "AccessDenied", "", fail.Permission, "s3://archive/root/k: s3:DeleteObject on arn:aws:s3:::archive/root/k is not allowed", "bucket policy"},
		{"Get", "403", "InvalidAccessKeyId", "", fail.Credentials, "s3://archive/root/k: S3 refused the credentials", "access key"},
		{"Get", "403", "SignatureDoesNotMatch", "", fail.Credentials, "s3://archive/root/k: S3 refused the credentials", "the secret"},
		{"Get", "400", "ExpiredToken", "", fail.Credentials, "s3://archive/root/k: the AWS credentials have expired", "renew"},
		{"Get", "403", "RequestTimeTooSkewed", "", fail.Credentials, "s3://archive/root/k: the clock of this machine is wrong", "NTP"},
		{"Get", "503", "SlowDown", "", fail.Throttled, "s3://archive/root/k: S3 asks to slow down", "fewer workers"},
		{"Get", "503", "", "", fail.Throttled, "s3://archive/root/k: S3 asks to slow down", "fewer workers"},
		{"Get", "429", "", "", fail.Throttled, "s3://archive/root/k: S3 asks to slow down", "fewer workers"},
		{"Get", "500", "InternalError", "", fail.Service, "s3://archive/root/k: S3 failed with status 500", "again"},
		{"Get", "504", "", "", fail.Service, "s3://archive/root/k: S3 failed with status 504", "again"},
		{"Put", "409", "ConditionalRequestConflict", "", fail.Service, "s3://archive/root/k: other requests to the same key did not end", "again"},
		{"Get", "403", "InvalidObjectState", "", fail.Cold, "s3://archive/root/k: the object is in an archive storage class", "restore it first"},
		{"List", "301", "PermanentRedirect", "us-west-2", fail.Usage, `s3://archive/root/: bucket "archive" is in another region`, "set AWS_REGION=us-west-2"},
		{"List", "400", "AuthorizationHeaderMalformed", "", fail.Usage, `s3://archive/root/: bucket "archive" is in another region`, "set AWS_REGION to the region of the bucket"},
		{"Put", "400", "BadDigest", "", fail.Network, "s3://archive/root/k: the request did not arrive whole", "again"},
		{"List", "400", "InvalidBucketName", "", fail.Usage, `s3://archive/root/: "archive" is not a bucket name`, "URI"},
		{"Get", "405", "MethodNotAllowed", "", fail.NotFoundInput, "s3://archive/root/k: the object is deleted", "restore"},
		{"Get", "400", "KMS.Weird", "", fail.Internal, "s3://archive/root/k: unknown error of s3:GetObject: ", ""},
	} {
		t.Run(c.op+" "+c.status+" "+c.code, func(t *testing.T) {
			f := newFake(t)
			f.denied[c.op] = [3]string{c.status, c.code, c.region}
			o := quick
			o.MaxAttempts = 2
			s := f.open("s3://archive/root", o)
			err := call(t.Context(), s, c.op)
			wantCode(t, err, c.want)
			if err == nil || !strings.HasPrefix(err.Error(), c.text) || !strings.Contains(fail.HintOf(err), c.hint) {
				t.Errorf("got  %v (%s)\nwant %s (%s)", err, fail.HintOf(err), c.text, c.hint)
			}
			if missing := c.code == "NoSuchKey" || c.status == "405"; errors.Is(err, fs.ErrNotExist) != missing {
				t.Errorf("fs.ErrNotExist: %v", !missing)
			}
		})
	}
}

func call(ctx context.Context, s *objstore.Store, op string) error {
	var err error
	switch op {
	case "List":
		err = s.List(ctx, "", func(objstore.Object) error { return nil })
	case "Get":
		_, err = s.Get(ctx, "k", objstore.Object{})
	case "Head":
		_, err = s.Head(ctx, "k")
	case "Put":
		_, err = s.PutNew(ctx, "k", []byte("body"))
	case "Delete":
		err = s.Delete(ctx, "k")
	}
	return err
}

func TestNoCredentials(t *testing.T) {
	f := newFake(t)
	t.Setenv("AWS_ACCESS_KEY_ID", "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "")
	err := call(t.Context(), f.open("s3://archive", quick), "Get")
	wantCode(t, err, fail.Credentials)
	if err == nil || !strings.HasPrefix(err.Error(), "s3://archive/k: no usable AWS credentials: ") {
		t.Errorf("got %v", err)
	}
}

func TestNoServer(t *testing.T) {
	f := newFake(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", "http://"+address)
	err = call(t.Context(), f.open("s3://archive", quick), "Get")
	wantCode(t, err, fail.Network)
	if err == nil || !strings.HasPrefix(err.Error(), "s3://archive/k: the connection to S3 broke: ") {
		t.Errorf("got %v", err)
	}
}

func TestServerThatNeverAnswers(t *testing.T) {
	f := newFake(t)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
	o := quick
	o.Silence, o.MaxAttempts = 50*time.Millisecond, 2
	err := call(t.Context(), f.open("s3://archive", o), "Get")
	wantCode(t, err, fail.Network)
	if err == nil || !strings.HasPrefix(err.Error(), "s3://archive/k: the connection to S3 timed out: ") {
		t.Errorf("got %v", err)
	}
}

// TestListingThatStops makes sure that a broken page is never the end.
func TestListingThatStops(t *testing.T) {
	page := func(inside string) string { return "<ListBucketResult>" + inside + "</ListBucketResult>" }
	one := "<Contents><Key>root/b</Key></Contents>"
	for name, c := range map[string]struct{ body, want string }{
		"no token":     {page("<IsTruncated>true</IsTruncated>" + one), "the listing stopped in the middle"},
		"out of order": {page(one + "<Contents><Key>root/a</Key></Contents>"), `the listing is out of order: "root/a" after "root/b"`},
		"repeated":     {page(one + one), `the listing is out of order: "root/b" after "root/b"`},
		"elsewhere":    {page("<Contents><Key>other/a</Key></Contents>"), "the listing is out of order"},
		"same token":   {page("<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"), "the listing stopped in the middle"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, c.body) }))
			defer server.Close()
			t.Setenv("AWS_ENDPOINT_URL_S3", server.URL)
			err := call(t.Context(), f.open("s3://archive/root", quick), "List")
			wantCode(t, err, fail.Service)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	f := newFake(t)
	t.Setenv("AWS_REGION", "")
	f.open("s3://archive", quick) // an own endpoint needs no region
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	for name, c := range map[string]struct {
		options objstore.Options
		scheme  string
		want    string
	}{
		"no region":   {objstore.Options{}, "s3", "s3://archive: no AWS region is set"},
		"small parts": {objstore.Options{PartBytes: 1 << 20, Region: "eu-west-1"}, "s3", "an upload part of 1048576 bytes is too small"},
		"negative":    {objstore.Options{MaxAttempts: -1, Region: "eu-west-1"}, "s3", "an object store option is negative"},
		"scheme":      {objstore.Options{}, "ftp", `URI scheme "ftp" is not supported`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := objstore.Open(t.Context(), objstore.URI{Scheme: c.scheme, Bucket: "archive"}, c.options)
			wantCode(t, err, fail.Usage)
			if err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
