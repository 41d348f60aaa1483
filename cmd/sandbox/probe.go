package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/spf13/pflag"

	"backfill/internal/sandbox/probe"
)

const defaultWarehousePort = "5439"

type probeOptions struct {
	envFile string
	url     string
	role    string
	staging string
	tls     string
	caFile  string
	only    string
	output  string
	list    bool
	yes     bool
}

func probeCommand() command {
	return command{
		name: "probe", line: "compare a Redshift endpoint with the stand-in", usage: " --url URL --iam-role ARN --staging s3://BUCKET/PREFIX --yes",
		teaches: `
Asks an endpoint some 150 questions, one session each: what Redshift must accept, what it refuses, and what no source
settles. The same questions go to a fresh stand-in, and every difference is printed. Run it once against a test cluster
or workgroup before you rely on the sandbox, and keep the answers (--output json).

  export BACKFILL_WAREHOUSE_PASSWORD=…          # or PGPASSWORD
  sandbox probe --url redshift://me@wg.000000000000.eu-west-1.redshift-serverless.amazonaws.com/dev \
    --iam-role arn:aws:iam::000000000000:role/copy --staging s3://my-test-bucket/tmp --yes

It creates the schema probe_<random>, some small tables in it, and small objects below <staging>/probe-<random>/, and
removes all of them at the end, also after an error or Ctrl-C. The login needs CREATE on the database; S3 is reached
with the AWS environment's own credentials; COPY reads with --iam-role. Without --yes nothing is written.

Secrets, signatures and names are taken out of answers before they are shown. Flags that are left out come from the
environment that sandbox serve describes. The exit code is 1 if an answer differs.`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var o probeOptions
			flags.StringVar(&o.envFile, "env-file", "", "file that sandbox serve wrote, to probe that (default: the environment)")
			flags.StringVar(&o.url, "url", "", "redshift://USER@HOST[:PORT]/DATABASE (default $BACKFILL_WAREHOUSE_URL)")
			flags.StringVar(&o.role, "iam-role", "", "ARN of the role that COPY uses (default $BACKFILL_WAREHOUSE_IAM_ROLE)")
			flags.StringVar(&o.staging, "staging", "", "s3://BUCKET/PREFIX that the probe may write to (default $BACKFILL_STAGING_URI)")
			flags.StringVar(&o.tls, "tls", "", "on, which verifies certificate and name, or off for this host only (default $BACKFILL_WAREHOUSE_TLS, or on)")
			flags.StringVar(&o.caFile, "ca-file", "", "certificates to trust instead of the system's (default $PGSSLROOTCERT)")
			flags.StringVar(&o.only, "only", "", "ask only questions whose section or name matches this regular expression, like ^9.5")
			flags.StringVar(&o.output, "output", "text", "text (differences) or json (every answer)")
			flags.BoolVar(&o.list, "list", false, "print the questions and do nothing")
			flags.BoolVar(&o.yes, "yes", false, "agree that the probe writes what is described above")
			return func(ctx context.Context, p process, args []string) error {
				if len(args) > 0 {
					return usagef("probe takes no arguments, got %q", args[0])
				}
				if o.output != "text" && o.output != "json" {
					return usagef("--output is text or json, got %q", o.output)
				}
				return runProbe(ctx, p, o)
			}
		},
	}
}

func runProbe(ctx context.Context, p process, o probeOptions) (err error) {
	cases, err := chooseCases(o.only)
	if err != nil {
		return err
	}
	if o.list {
		for _, c := range cases {
			fmt.Fprintf(p.stdout, "%-7s %s\n", c.Section, c.Name)
		}
		return nil
	}
	env, err := openEnvironment(o.envFile, p.getenv)
	if err != nil {
		return err
	}
	target, err := probeTarget(ctx, env, o)
	if err != nil {
		return err
	}
	if !o.yes {
		return usagef("the probe creates a schema in %s at %s and objects below s3://%s, and removes them afterwards: add --yes to agree",
			target.Login.Database, target.Login.Host, strings.TrimSuffix(target.Bucket+"/"+target.Prefix, "/"))
	}
	dir, err := os.MkdirTemp("", "sandbox-probe-")
	if err != nil {
		return fmt.Errorf("creating a folder for the stand-in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	findings, err := probe.Compare(ctx, target, dir, cases, func(i int) {
		_, _ = fmt.Fprintf(p.stderr, "\r%d of %d", i+1, len(cases)) // progress; nobody misses it
	})
	if findings != nil {
		_, _ = fmt.Fprintln(p.stderr)
		err = errors.Join(err, printFindings(p, o.output, findings))
	}
	return err
}

func chooseCases(only string) ([]probe.Case, error) {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return nil, usagef("--only %q is not a regular expression: %v", only, err)
	}
	var chosen []probe.Case
	for _, c := range probe.Cases() {
		if pattern.MatchString(c.Section) || pattern.MatchString(c.Name) {
			chosen = append(chosen, c)
		}
	}
	if len(chosen) == 0 {
		return nil, usagef("--only %q matches no question; --list shows them", only)
	}
	return chosen, nil
}

// probeTarget gathers where to ask from flags and environment.
func probeTarget(ctx context.Context, env environment, o probeOptions) (t probe.Target, err error) {
	for _, f := range []struct {
		value      *string
		flag, name string
	}{{&o.url, "--url", "BACKFILL_WAREHOUSE_URL"}, {&o.role, "--iam-role", "BACKFILL_WAREHOUSE_IAM_ROLE"}, {&o.staging, "--staging", "BACKFILL_STAGING_URI"}} {
		if *f.value == "" {
			*f.value = env.get(f.name)
		}
		if *f.value == "" {
			return t, usagef("probe needs %s, or $%s", f.flag, f.name)
		}
	}
	t.Role = o.role
	staging, err := url.Parse(o.staging)
	if err != nil || staging.Scheme != "s3" || staging.Host == "" {
		return t, usagef("--staging %q is not of the form s3://BUCKET/PREFIX", o.staging)
	}
	t.Bucket, t.Prefix = staging.Host, strings.Trim(staging.Path, "/")
	if t.Login, err = probeLogin(env, o); err != nil {
		return t, err
	}
	t.S3, err = probeS3(ctx, env)
	return t, err
}

func probeLogin(env environment, o probeOptions) (*pgconn.Config, error) {
	at, err := url.Parse(o.url)
	if err != nil || at.Scheme != "redshift" || at.Hostname() == "" || at.User.Username() == "" || strings.Trim(at.Path, "/") == "" {
		return nil, usagef("--url is not of the form redshift://USER@HOST:PORT/DATABASE")
	}
	if _, inURL := at.User.Password(); inURL || at.RawQuery != "" {
		return nil, usagef("--url must hold neither a password nor parameters: the password comes from $BACKFILL_WAREHOUSE_PASSWORD or $PGPASSWORD")
	}
	mode, ca, password := o.tls, o.caFile, env.get("BACKFILL_WAREHOUSE_PASSWORD")
	for _, d := range []struct {
		value *string
		other string
	}{{&mode, env.get("BACKFILL_WAREHOUSE_TLS")}, {&mode, "on"}, {&ca, env.get(envPGSSLRoot)}, {&password, env.get(envPGPassword)}} {
		if *d.value == "" {
			*d.value = d.other
		}
	}
	settings := []string{"target_session_attrs=any", "sslmode=verify-full"}
	switch ip := net.ParseIP(at.Hostname()); {
	case mode == "off" && (at.Hostname() == "localhost" || ip != nil && ip.IsLoopback()):
		settings[1] = "sslmode=disable"
	case mode == "off":
		return nil, usagef("--tls off is for a warehouse on this host, not for %s", at.Hostname())
	case mode != "on":
		return nil, usagef("--tls is on or off, got %q", mode)
	case ca != "":
		settings = append(settings, "sslrootcert='"+conninfo.Replace(ca)+"'")
	}
	port := at.Port()
	if port == "" {
		port = defaultWarehousePort
	}
	for key, value := range map[string]string{"host": at.Hostname(), "port": port, "user": at.User.Username(), "dbname": strings.Trim(at.Path, "/"), "password": password} {
		settings = append(settings, key+"='"+conninfo.Replace(value)+"'")
	}
	login, err := pgconn.ParseConfig(strings.Join(settings, " "))
	if err != nil {
		return nil, errors.New("reading the warehouse's address: host, port, user or the certificates are not usable") // the driver's text may quote more
	}
	login.ConnectTimeout = connectTimeout
	return login, nil
}

// probeS3 reaches S3 as any AWS tool does in the environment; with an environment file, as that file says.
func probeS3(ctx context.Context, env environment) (*s3.Client, error) {
	if endpoint := env.get(envEndpoint); endpoint != "" {
		sink, err := newS3Sink(env, "")
		if err != nil {
			return nil, err
		}
		return sink.client, nil
	}
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the AWS configuration: %w", err)
	}
	if c.Region == "" {
		return nil, usagef("the AWS region of the staging bucket is not known: set $AWS_REGION")
	}
	return s3.NewFromConfig(c, func(o *s3.Options) { o.UsePathStyle = aws.ToString(o.BaseEndpoint) != "" }), nil
}

// printFindings shows what differs and returns an error if anything does.
func printFindings(p process, output string, findings []probe.Finding) error {
	different := 0
	for _, f := range findings {
		if !f.Same {
			different++
		}
	}
	if output == "json" {
		for _, f := range findings {
			if err := json.NewEncoder(p.stdout).Encode(f); err != nil {
				return fmt.Errorf("writing a finding: %w", err)
			}
		}
	} else {
		for _, f := range findings {
			if f.Same {
				continue
			}
			note := ""
			if !f.Known {
				note = "   (nor is it what the reference says)"
			}
			fmt.Fprintf(p.stdout, "%s %s%s\n  stand-in  %s\n  endpoint  %s\n", f.Section, f.Name, note, f.StandIn, f.Endpoint)
		}
		fmt.Fprintf(p.stdout, "%d questions, %d answered differently\n", len(findings), different)
	}
	if different > 0 {
		return fmt.Errorf("%d of %d answers differ from the stand-in's", different, len(findings))
	}
	return nil
}
