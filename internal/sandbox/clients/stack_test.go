package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/parquet-go/parquet-go"

	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

const (
	region    = "eu-west-1"
	account   = "000000000000"
	bucket    = "lake"
	accessKey = "SANDBOXKEY"
	secretKey = "sandbox-secret"
	password  = "pass'word"
	copyRole  = "arn:aws:iam::" + account + ":role/copy"
	podRole   = "arn:aws:iam::" + account + ":role/pod"
)

// stack is the three stand-ins, as sandbox serve runs them.
type stack struct {
	objects   *s3d.Server
	warehouse *redshiftd.Server
	aws       *awsd.Server
	caFile    string
}

func start(t *testing.T, change func(*redshiftd.Config, *awsd.Config)) *stack {
	t.Helper()
	return startAt(t, time.Now, change)
}

// startAt starts the stand-ins under one clock.
func startAt(t *testing.T, now func() time.Time, change func(*redshiftd.Config, *awsd.Config)) *stack {
	t.Helper()
	s, dir := &stack{}, t.TempDir()
	var err error
	if s.objects, err = s3d.Start(t.Context(), s3d.Config{Dir: filepath.Join(dir, "s3"), AccessKey: accessKey, SecretKey: secretKey, Region: region, Now: now}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s.objects.Close()) })
	if err := s.objects.CreateBucket(t.Context(), bucket); err != nil {
		t.Fatal(err)
	}
	w := redshiftd.Config{Dir: filepath.Join(dir, "warehouse"), Listen: "127.0.0.1:0", Database: "analytics", Users: map[string]string{"backfill": password},
		Roles: []string{copyRole}, RequireTLS: true, Now: now,
		S3: redshiftd.S3{Endpoint: s.objects.Endpoint(), Region: region, AccessKey: accessKey, SecretKey: secretKey, PathStyle: true}}
	if w.TLS, s.caFile, err = redshiftd.IssueCertificate(filepath.Join(dir, "tls"), "127.0.0.1", "localhost"); err != nil {
		t.Fatal(err)
	}
	a := awsd.Config{Region: region, Account: account, Objects: s.objects, Now: now,
		Keys:      []awsd.Key{{ID: accessKey, User: "admin", Policy: awsd.Everything()}},
		Roles:     []awsd.Role{{ARN: copyRole, Policy: awsd.Everything()}, {ARN: podRole, Policy: awsd.Everything()}},
		Warehouse: awsd.Warehouse{Cluster: "main", Workgroup: "serve", Namespace: "ns", Database: "analytics", RequireTLS: true},
		Secrets:   map[string]string{"warehouse": `{"username":"backfill"}`}}
	if change != nil {
		change(&w, &a)
	}
	w.IAM.Allows = a.Allows
	if s.warehouse, err = redshiftd.Start(context.Background(), w); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s.warehouse.Close()) })
	a.Login, a.Warehouse.Address = s.warehouse, s.warehouse.Addr()
	if s.aws, err = awsd.Start(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s.aws.Close()) })
	return s
}

func closed(t *testing.T, err error) {
	if err != nil {
		t.Error(err)
	}
}

// env is what clients need to know; later entries win.
func (s *stack) env(more ...string) []string {
	host, port, _ := net.SplitHostPort(s.warehouse.Addr())
	return append([]string{"PGHOST=" + host, "PGPORT=" + port, "PGDATABASE=analytics", "PGUSER=backfill", "PGPASSWORD=" + password,
		"PGSSLMODE=verify-full", "PGSSLROOTCERT=" + s.caFile, "SSL_CERT_FILE=" + s.caFile,
		"AWS_ENDPOINT_URL_S3=" + s.objects.Endpoint(), "AWS_ENDPOINT_URL_REDSHIFT=" + s.aws.Endpoint(),
		"AWS_ENDPOINT_URL_REDSHIFT_SERVERLESS=" + s.aws.Endpoint(), "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + s.aws.Endpoint(), "AWS_ENDPOINT_URL_STS=" + s.aws.Endpoint(),
		"AWS_ACCESS_KEY_ID=" + accessKey, "AWS_SECRET_ACCESS_KEY=" + secretKey, "AWS_REGION=" + region, "AWS_DEFAULT_REGION=" + region,
		"AWS_EC2_METADATA_DISABLED=true", "BUCKET=" + bucket, "ROLE=" + copyRole, "POD_ROLE=" + podRole}, more...)
}

func (s *stack) put(t *testing.T, key string, body []byte) {
	t.Helper()
	c := s3.New(s3.Options{Region: region, BaseEndpoint: aws.String(s.objects.Endpoint()), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")})
	if _, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String(bucket), Key: &key, Body: bytes.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
}

// everything has a column of every type that Parquet can load.
type everything struct {
	ID      int32      `parquet:"id"`
	Small   *int16     `parquet:"small"`
	Big     *int64     `parquet:"big"`
	Flag    *bool      `parquet:"flag"`
	Amount  *int64     `parquet:"amount,decimal(2:18)"`
	Huge    *[16]byte  `parquet:"huge,decimal(10:38)"`
	Ratio   *float32   `parquet:"ratio"`
	Precise *float64   `parquet:"precise"`
	Code    *string    `parquet:"code"`
	Name    *string    `parquet:"name"`
	Day     *int32     `parquet:"day,date"`
	At      *time.Time `parquet:"at,timestamp(microsecond)"`
	Doc     *string    `parquet:"doc"`
	Tags    []int64    `parquet:"tags,list"`
}

const (
	createEverything = `CREATE TABLE everything (id integer NOT NULL PRIMARY KEY, small smallint, big bigint, flag boolean, amount decimal(18,2), huge decimal(38,10),
		ratio real, precise double precision, code char(3), name varchar(20), day date, at timestamp, doc super, tags super) DISTSTYLE EVEN SORTKEY (at)`
	columnsOfEverything = "id small big flag amount huge ratio precise code name day at doc tags"
)

// load puts two files of everything and a manifest of both, and gives the manifest's address.
func (s *stack) load(t *testing.T) string {
	t.Helper()
	minusOne := [16]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	at := time.Date(2026, 3, 8, 2, 30, 0, 1000, time.UTC)
	files := [][]everything{
		{{ID: 1, Small: new(int16(-32768)), Big: new(int64(-9223372036854775808)), Flag: new(true), Amount: new(int64(-12345678901234567)), Huge: &minusOne, Ratio: new(float32(1.5)),
			Precise: new(0.1), Code: new("EUR"), Name: new("Zürich 東京 '\\"), Day: new(int32(20520)), At: &at, Doc: new(`{"a": 1}`), Tags: []int64{1, 2}}},
		{{ID: 2}, {ID: 3, Small: new(int16(0)), Big: new(int64(0)), Flag: new(false), Amount: new(int64(1)), Huge: new([16]byte{15: 1}), Ratio: new(float32(0)), Precise: new(float64(1e300)),
			Code: new("a"), Name: new(""), Day: new(int32(-1)), At: new(time.Unix(-1, 0)), Doc: new("x"), Tags: []int64{-1}}},
	}
	var entries []any
	for i, rows := range files {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[everything](&b, parquet.DataPageVersion(1), parquet.Compression(&parquet.Snappy),
			parquet.DefaultEncodingFor(parquet.ByteArray, &parquet.Plain))
		_, err := w.Write(rows)
		if err := errors.Join(err, w.Close()); err != nil {
			t.Fatal(err)
		}
		key := []string{"one=1.parquet", "two=2.parquet"}[i]
		s.put(t, key, b.Bytes())
		entries = append(entries, map[string]any{"url": "s3://" + bucket + "/" + key, "mandatory": true, "meta": map[string]int{"content_length": b.Len()}})
	}
	text, err := json.Marshal(map[string]any{"entries": entries})
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, "manifest.json", text)
	return "s3://" + bucket + "/manifest.json"
}
