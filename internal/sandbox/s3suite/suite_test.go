package s3suite

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"backfill/internal/sandbox/python"
	"backfill/internal/sandbox/s3d"
)

func TestMain(m *testing.M) {
	// Inside the S3 gateway fasthttp keeps a clock for ever and ends its workers' cleaner some seconds after the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

func newHTTP(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// The stand-in passes all checks but what its doc says it lacks.
func TestStandIn(t *testing.T) {
	dir := t.TempDir()
	objects, err := s3d.Start(t.Context(), s3d.Config{Dir: dir, AccessKey: accessKey, SecretKey: secretKey, Region: region})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := objects.Close(); err != nil {
			t.Error(err)
		}
	})
	// Links of a few objects, past the API: making so many files would take longer than all the rest.
	plant := func(ctx context.Context, b *bucket, keys []string) error {
		const linksOfOne = 30_000 // file systems have a limit
		for part := range slices.Chunk(keys, linksOfOne) {
			if _, err := b.put(ctx, "one", []byte("x"), nil); err != nil {
				return err
			}
			one := filepath.Join(dir, b.name, "one")
			for _, key := range part {
				path := filepath.Join(dir, b.name, key)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Link(one, path)); err != nil {
					return err
				}
			}
			if err := os.Remove(one); err != nil {
				return err
			}
		}
		return nil
	}
	suite(t, &server{endpoint: objects.Endpoint(), plant: plant, many: 100_000, http: newHTTP(t)}, map[string]string{
		"a quiet delete of many tells errors alone": "what was deleted quietly is told",
	})
}

// put makes objects through the API, some at a time.
func put(ctx context.Context, b *bucket, keys []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for _, key := range keys {
		group.Go(func() error {
			_, err := b.put(ctx, key, []byte("x"), nil)
			return err
		})
	}
	return group.Wait()
}

// moto passes all checks but these.
func TestMoto(t *testing.T) {
	if os.Getenv(python.Without) != "" {
		t.Skip("moto is skipped, because " + python.Without + " is set")
	}
	interpreter, err := python.Environment(t.Context(), filepath.Join("testdata", "requirements.txt"))
	if err != nil {
		t.Fatalf("%v\nmoto can't be run; to do without it set %s=1", err, python.Without)
	}
	suite(t, &server{endpoint: startMoto(t, interpreter), plant: put, many: 2500, http: newHTTP(t)}, map[string]string{
		// It looks at no signatures and compares no checksums.
		"checksums of every algorithm are kept and checked":            "a wrong CRC32: no error",
		"a presigned GET works without keys, until it expires":         "signed by another key: 200 content",
		"a clock that is twenty minutes off is refused":                "20 minutes off: 200",
		"wrong keys and regions are refused":                           "no error, want 403 SignatureDoesNotMatch",
		"a body with a trailing checksum is stored without its frames": "a wrong checksum: 200",

		"copies take the content and the metadata, or new metadata": "no error, want 412 PreconditionFailed",
		"a quiet delete of many tells errors alone":                 "what was deleted quietly is told",

		// It takes every encryption that is asked for and never refuses one.
		"what no encryption is asked for is AES256":             `PUT tells ""`,
		"with a KMS key the ETag is not the MD5 of the content": "the ETag is the MD5",
		"a key without aws:kms is refused":                      "no error, want 400 InvalidArgument",
		"an unknown method of encryption is refused":            "no error, want 400 InvalidArgument",
		"a key of another region is refused":                    "no error, want 400 KMS.NotFoundException",

		"Expedited is not for DEEP_ARCHIVE": "no error, want 400 InvalidArgument",
		"a restore is accepted and told":    `HEAD tells the restore "ongoing-request=\"false\"`, // it ends at once
	})
}

// startMoto runs moto's server in a process of its own, which ends when its input does.
func startMoto(t *testing.T, interpreter string) string {
	t.Helper()
	c := exec.Command(interpreter, filepath.Join("testdata", "serve.py"))
	c.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1"}
	c.Stderr = io.Discard // a line for every request
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(stdin.Close(), c.Wait()); err != nil {
			t.Error(err)
		}
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("moto did not tell where it listens: %v", err)
	}
	return strings.TrimSpace(line)
}
