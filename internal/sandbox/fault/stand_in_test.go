package fault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/parquet-go/parquet-go"

	"backfill/internal/sandbox/fault"
	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

const (
	role   = "arn:aws:iam::000000000000:role/copy"
	secret = "sandbox-secret"
)

// pair is both stand-ins under one set of rules, with a manifest of one file of three rows.
type pair struct {
	faults    fault.Set
	objects   *s3d.Server
	warehouse *redshiftd.Server
	client    *s3.Client
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{}
	dir := t.TempDir()
	var err error
	if p.objects, err = s3d.Start(t.Context(), s3d.Config{Dir: dir + "/s3", AccessKey: "AK", SecretKey: secret, Hook: p.faults.S3}); err != nil {
		t.Fatal(err)
	}
	if err := p.objects.CreateBucket(t.Context(), "lake"); err != nil {
		t.Fatal(err)
	}
	p.warehouse, err = redshiftd.Start(context.Background(), redshiftd.Config{Dir: dir + "/warehouse", Listen: "127.0.0.1:0", Database: "dev",
		Users: map[string]string{"u": secret}, Roles: []string{role}, Hook: p.faults.SQL,
		S3: redshiftd.S3{Endpoint: p.objects.Endpoint(), AccessKey: "AK", SecretKey: secret, PathStyle: true}})
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := errors.Join(p.warehouse.Close(), p.objects.Close()); err != nil {
			t.Error(err)
		}
	})
	p.client = s3.New(s3.Options{Region: "us-east-1", BaseEndpoint: aws.String(p.objects.Endpoint()), UsePathStyle: true, HTTPClient: &http.Client{Transport: transport},
		Credentials: credentials.NewStaticCredentialsProvider("AK", secret, ""), Retryer: aws.NopRetryer{}})
	var b bytes.Buffer
	w := parquet.NewGenericWriter[struct{ A int32 }](&b, parquet.DataPageVersion(1))
	if _, err := w.Write(make([]struct{ A int32 }, 3)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	manifest := fmt.Sprintf(`{"entries":[{"url":"s3://lake/part","mandatory":true,"meta":{"content_length":%d}}]}`, b.Len())
	for key, body := range map[string]string{"part": b.String(), "manifest": manifest} {
		if err := p.put(key, body); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func (p *pair) put(key, body string) error {
	_, err := p.client.PutObject(context.Background(), &s3.PutObjectInput{Bucket: aws.String("lake"), Key: &key, Body: strings.NewReader(body)})
	return err
}

func (p *pair) sql(t *testing.T, statements ...string) (rows string, err error) {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), "postgres://u:"+secret+"@"+p.warehouse.Addr()+"/dev?sslmode=disable")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, q := range statements {
		results, err := conn.Exec(t.Context(), q).ReadAll()
		if err != nil {
			return "", err
		}
		for _, r := range results {
			for _, row := range r.Rows {
				rows += string(bytes.Join(row, []byte("|"))) + ";"
			}
		}
	}
	return rows, nil
}

// Each rule does to a COPY and to a client of S3 what it says; the next COPY is as usual.
func TestRulesReachTheStandIns(t *testing.T) {
	p := startPair(t)
	if _, err := p.sql(t, "CREATE TABLE t (a INTEGER)"); err != nil {
		t.Fatal(err)
	}
	const load = "COPY t FROM 's3://lake/manifest' IAM_ROLE '" + role + "' FORMAT AS PARQUET MANIFEST"
	for _, test := range []struct {
		rule string
		code string // of the COPY; empty: it loads; "lost": no answer
		text string
		rows string // afterwards
	}{
		{"s3 GetObject key=part agent=redshift cut-body times=2", "", "", "3"},
		{"s3 GetObject key=part agent=redshift cut-body times=all", "XX000", "Retries exceeded", "0"},
		{"s3 GetObject key=manifest agent=redshift cut-body times=all", "XX000", "Retries exceeded", "0"},
		{"s3 GetObject agent=another cut-body times=all", "", "", "3"},
		{"s3 HeadObject fail=denied", "XX000", "S3ServiceException:Access Denied,Status 403,Error AccessDenied", "0"},
		{"s3 GetObject key=manifest fail=expired-token", "XX000", "Status 400,Error ExpiredToken", "0"},
		{"s3 GetObject key=part short-body", "XX000", "", "0"},
		{"s3 GetObject slow=1KiB delay=1ms", "", "", "3"},
		{"sql COPY fail=throttled", "XX000", "Access throttled by S3", "0"},
		{"sql COPY twice", "", "", "6"},
		{"sql COPY during cut", "lost", "", "3"}, // outside a block it commits all the same
		{"sql COPY before cut", "lost", "", "0"},
		{"sql COPY lost", "lost", "", "3"},
		{"sql COPY during fail=57P01", "57P01", "terminating connection", "0"},
		{"sql COPY after delay=1ms fail=1023", "XX000", "1023", "0"},
		{"sql COPY lag=1h", "", "", "3"},
	} {
		ids, err := p.faults.Add(test.rule)
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.sql(t, load)
		var pg *pgconn.PgError
		switch {
		case test.code == "lost":
			if err == nil || errors.As(err, &pg) {
				t.Errorf("%s: %v, want a lost connection", test.rule, err)
			}
		case test.code == "":
			if err != nil {
				t.Errorf("%s: %v", test.rule, err)
			}
		case !errors.As(err, &pg) || pg.Code != test.code || !strings.Contains(pg.Message+pg.Detail, test.text):
			t.Errorf("%s: %v", test.rule, err)
		}
		if err := p.faults.Clear(ids...); err != nil {
			t.Error(err)
		}
		// The lock waits until a lost session has ended.
		if got, err := p.sql(t, "BEGIN", "LOCK TABLE t", "SELECT COUNT(*) FROM t", "DELETE FROM t", "COMMIT"); err != nil || got != test.rows+";" {
			t.Errorf("%s: %s rows, %v", test.rule, got, err)
		}
	}
	if _, err := p.faults.Add("s3 PutObject key=receipt lost"); err != nil {
		t.Fatal(err)
	}
	if err := p.put("receipt", "x"); err == nil {
		t.Error("the answer to the PUT came")
	}
	if _, err := p.client.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("lake"), Key: aws.String("receipt")}); err != nil {
		t.Errorf("the object is not there: %v", err)
	}
}
