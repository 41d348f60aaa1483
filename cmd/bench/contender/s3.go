package contender

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"backfill/cmd/bench/data"
	"backfill/cmd/bench/measure"
)

// Remote is an archive in the sandbox's S3, with the dataset file that names it.
type Remote struct {
	p    *Product
	box  *Sandbox
	spec *data.Spec
	file string
}

// Upload copies an archive to the sandbox's bucket archive and makes its table.
func (p *Product) Upload(ctx context.Context, box *Sandbox, s *data.Spec) (*Remote, error) {
	objects, err := filepath.Glob(s.Pattern())
	if err != nil {
		return nil, err
	}
	client := box.client()
	for _, path := range objects {
		relative, err := filepath.Rel(s.Dir, path)
		if err != nil {
			return nil, err
		}
		if err := put(ctx, client, "archive", s.Name+"/"+filepath.ToSlash(relative), path); err != nil {
			return nil, err
		}
	}
	r := &Remote{p: p, box: box, spec: s, file: filepath.Join(p.f.Work, s.Name+"-s3.yaml")}
	if err := os.WriteFile(r.file, []byte(Dataset(s, "s3://archive/"+s.Name, "s3://staging/"+s.Name)), 0o644); err != nil {
		return nil, err
	}
	return r, box.SQL(ctx, "DROP TABLE IF EXISTS bench."+s.Name, Table(s))
}

func put(ctx context.Context, client *s3.Client, bucket, key, path string) (err error) {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("uploading: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: f}); err != nil {
		return fmt.Errorf("uploading %s: %w", path, err)
	}
	return nil
}

func (b *Sandbox) client() *s3.Client {
	env := func(name string) string {
		for _, line := range b.Env {
			if value, ok := strings.CutPrefix(line, name+"="); ok {
				return value
			}
		}
		return ""
	}
	return s3.New(s3.Options{
		Region: env("AWS_REGION"), BaseEndpoint: aws.String(env("AWS_ENDPOINT_URL_S3")), UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), ""),
	})
}

// Plan seals a plan under a staging prefix of its own.
func (r *Remote) Plan(ctx context.Context, staging string) (uri string, u measure.Usage, err error) {
	u, out, err := measure.Run(ctx, r.command("plan", "--dataset", r.file, "--from", r.spec.From, "--to", r.spec.To,
		"--set", "staging.uri=s3://staging/"+staging, "--output", "json"))
	if err != nil {
		return "", u, err
	}
	uri, err = planURI(out)
	return uri, u, err
}

// Convert converts a plan.
func (r *Remote) Convert(ctx context.Context, plan string) (measure.Usage, error) {
	u, _, err := measure.Run(ctx, r.command("convert", "--plan", plan))
	return u, err
}

// Load loads a plan and returns what the product logged about its steps.
func (r *Remote) Load(ctx context.Context, plan string) (measure.Usage, string, error) {
	return measure.Run(ctx, r.command("load", "--plan", plan))
}

// Reconcile compares all legs.
func (r *Remote) Reconcile(ctx context.Context, staging string) (measure.Usage, error) {
	u, _, err := measure.Run(ctx, r.command("reconcile", "--dataset", r.file, "--from", r.spec.From, "--to", r.spec.To, "--set", "staging.uri=s3://staging/"+staging))
	return u, err
}

func (r *Remote) command(args ...string) measure.Command {
	return measure.Command{Path: r.p.Binary, Args: args, Env: r.box.Env}
}
