package writers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

func TestMain(m *testing.M) {
	// Inside the S3 gateway fasthttp keeps a clock for ever and ends its workers' cleaner some seconds after the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"))
}

const (
	role   = "arn:aws:iam::000000000000:role/copy"
	secret = "sandbox-secret"
)

// warehouse is the stand-in with one session, and the bucket it loads from.
type warehouse struct {
	conn   *pgconn.PgConn
	client *s3.Client
}

func start(t *testing.T) *warehouse {
	t.Helper()
	dir := t.TempDir()
	objects, err := s3d.Start(t.Context(), s3d.Config{Dir: filepath.Join(dir, "s3"), AccessKey: "AK", SecretKey: secret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, objects.Close()) })
	if err := objects.CreateBucket(t.Context(), "lake"); err != nil {
		t.Fatal(err)
	}
	server, err := redshiftd.Start(context.Background(), redshiftd.Config{Dir: filepath.Join(dir, "warehouse"), Listen: "127.0.0.1:0", Database: "dev",
		Users: map[string]string{"u": secret}, Roles: []string{role},
		S3: redshiftd.S3{Endpoint: objects.Endpoint(), AccessKey: "AK", SecretKey: secret, PathStyle: true}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, server.Close()) })
	w := &warehouse{client: s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String(objects.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("AK", secret, "")})}
	if w.conn, err = pgconn.Connect(t.Context(), "postgres://u:"+secret+"@"+server.Addr()+"/dev?sslmode=disable"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, w.conn.Close(context.Background())) })
	return w
}

func closed(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

func (w *warehouse) exec(t *testing.T, sql string) *pgconn.Result {
	t.Helper()
	results, err := w.conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return results[0]
}

// load copies a file, alone in its manifest, into a new table. The error is the server's.
func (w *warehouse) load(t *testing.T, columns string, body []byte) error {
	t.Helper()
	w.exec(t, "DROP TABLE IF EXISTS x")
	w.exec(t, "CREATE TABLE x ("+columns+")")
	manifest := fmt.Sprintf(`{"entries":[{"url":"s3://lake/f.parquet","mandatory":true,"meta":{"content_length":%d}}]}`, len(body))
	for key, b := range map[string][]byte{"f.parquet": body, "manifest.json": []byte(manifest)} {
		if _, err := w.client.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: bytes.NewReader(b)}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := w.conn.Exec(t.Context(), "COPY x FROM 's3://lake/manifest.json' IAM_ROLE '"+role+"' FORMAT AS PARQUET MANIFEST SERIALIZETOJSON").ReadAll()
	return err
}

// sorted puts lines in order: a table has none.
func sorted(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// rows is a query's result as golden texts have it.
func (w *warehouse) rows(t *testing.T, query string) string {
	t.Helper()
	var b strings.Builder
	for _, row := range w.exec(t, query).Rows {
		for i, v := range row {
			if i > 0 {
				b.WriteByte('|')
			}
			if v == nil {
				v = []byte(`\N`)
			}
			b.Write(bytes.TrimRight(v, " ")) // CHARs are padded
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// refused checks that an error is the server's, of SQLSTATE XX000, and says why; and that nothing was loaded.
func (w *warehouse) refused(t *testing.T, err error, why string) {
	t.Helper()
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		t.Fatalf("the file was loaded, or the session broke: %v", err)
	}
	if text := pg.Message + "\n" + pg.Detail; pg.Code != "XX000" || !strings.Contains(text, why) {
		t.Errorf("%s %s\nwant %s", pg.Code, text, why)
	}
	if n := w.rows(t, "SELECT * FROM x"); n != "" {
		t.Errorf("rows were loaded:\n%s", n)
	}
}

func TestFiles(t *testing.T) {
	w := start(t)
	tried := map[string]bool{}
	for _, c := range cases() {
		tried[c.file] = true
		t.Run(c.file, func(t *testing.T) {
			body, err := os.ReadFile(filepath.Join("testdata", c.file+".parquet"))
			if err != nil {
				t.Fatal(err)
			}
			err = w.load(t, c.columns, body)
			if c.refused != "" {
				w.refused(t, err, c.refused)
				return
			}
			if err != nil {
				var pg *pgconn.PgError
				if errors.As(err, &pg) {
					t.Fatalf("%s %s", pg.Message, pg.Detail)
				}
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", c.file+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			query := "SELECT * FROM x"
			if c.file == "pyarrow/large-row-group" {
				query = "SELECT COUNT(*), SUM(v), MIN(v), MAX(v), COUNT(DISTINCT v) FROM x"
			}
			if got, want := sorted(w.rows(t, query)), sorted(string(want)); got != want {
				t.Errorf("got\n%.2000s\nits writer reads\n%.2000s", got, want)
			}
		})
	}
	err := filepath.WalkDir("testdata", func(path string, _ fs.DirEntry, err error) error {
		name, isFile := strings.CutSuffix(path, ".parquet")
		if name = strings.TrimPrefix(name, "testdata/"); isFile && !tried[name] {
			t.Errorf("%s has no case", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
