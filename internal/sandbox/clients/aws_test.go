package clients

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"backfill/internal/sandbox/awsd"
	"backfill/internal/sandbox/redshiftd"
)

const (
	lifetime = 5 * time.Minute // of minted credentials: shorter than the skew that signatures may have
	copyKey  = "arn:aws:kms:" + region + ":" + account + ":key/1"
)

func role(t *testing.T, name, statements string) awsd.Role {
	t.Helper()
	p, err := awsd.ParsePolicy([]byte(`{"Version":"2012-10-17","Statement":[` + statements + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return awsd.Role{ARN: "arn:aws:iam::" + account + ":role/" + name, Policy: p}
}

// boto3 mints every kind of credentials and uses them until their end; COPY does what its role's policy lets it.
func TestCredentials(t *testing.T) {
	interpreter := interpreterOf(t, warehouseClients)
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	const (
		list    = `{"Effect":"Allow","Action":"s3:ListBucket","Resource":"arn:aws:s3:::lake"}`
		read    = `{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::lake/*"}`
		decrypt = `{"Effect":"Allow","Action":"kms:Decrypt","Resource":"` + copyKey + `"}`
	)
	s := startAt(t, now, func(w *redshiftd.Config, a *awsd.Config) {
		a.Lifetime = lifetime
		a.Roles = []awsd.Role{
			role(t, "pod", `{"Effect":"Allow","Action":"redshift-serverless:GetCredentials","Resource":"*"}`),
			role(t, "copy", list+","+read+","+decrypt),
			role(t, "one-file", `{"Effect":"Allow","Action":"s3:GetObject","Resource":["arn:aws:s3:::lake/manifest.json","arn:aws:s3:::lake/one*"]},`+decrypt),
			role(t, "no-key", list+","+read),
			role(t, "nothing", ""),
		}
		w.Roles = nil
		for _, r := range a.Roles[1:] {
			w.Roles = append(w.Roles, r.ARN)
		}
		w.IAM.Keys = map[string]string{bucket: copyKey}
	})
	env := s.env("MANIFEST="+s.load(t), "CREATE="+createEverything, "KEPT="+filepath.Join(t.TempDir(), "kept.json"))
	program := filepath.Join("testdata", "with_boto3.py")
	got := settled(run(t, env, interpreter, program, "mint"))
	ahead.Store(int64(lifetime + time.Second))
	compare(t, "with_boto3.golden", got+settled(run(t, env, interpreter, program, "later")))
}
