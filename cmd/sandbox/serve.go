package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/sandbox/redshiftd"
)

type serveOptions struct {
	dir              string
	envFile          string
	s3Listen         string
	warehouseListen  string
	awsListen        string
	memoryLimit      string
	logLimit         string
	profile          string
	loadLag          time.Duration
	tls              bool
	cleartext        bool
	copyPolicy       string
	kmsBuckets       []string
	lifetime         time.Duration
	untilStdinCloses bool
}

func serveCommand() command {
	return command{
		name: "serve", line: "serve S3 and the Redshift stand-in until Ctrl-C", usage: " --dir DIR [--env-file FILE] [flags]",
		teaches: `
Serves S3 and a Redshift stand-in on loopback, with everything kept in DIR: stop it, start it again, the objects and
tables are still there. Passwords are random and belong to DIR.

When both answer, FILE is written (whole, never half): shell lines that tell the worker, the AWS CLI and psql where
they are. It disappears when the sandbox stops, so a script may wait for it:

  sandbox serve --dir ./sandbox --env-file ./sandbox.env &
  until [ -f ./sandbox.env ]; do sleep 0.2; done
  . ./sandbox.env
  psql -c 'SELECT version()'

There are two buckets, archive and staging. COPY may use the role in $BACKFILL_WAREHOUSE_IAM_ROLE and no other.
Database credentials come from the AWS calls, too: redshift GetClusterCredentials[WithIAM] for the cluster "sandbox",
redshift-serverless GetCredentials for the workgroup "sandbox" (DescribeClusters and GetWorkgroup tell where it is),
secretsmanager GetSecretValue of "sandbox/warehouse"; sts AssumeRole of
` + callerARN + ` mints access keys that S3 takes, too.
With --tls, psql and Go programs verify the warehouse by a test authority kept in DIR/tls.
sandbox fault makes S3 and the warehouse fail in ways you choose.
Ctrl-C or SIGTERM (kill $SANDBOX_PID) ends it in good order. The stand-in refuses what Redshift refuses; where
Redshift's behaviour is not known it refuses too, and says that this is its own strictness.`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var o serveOptions
			flags.StringVar(&o.dir, "dir", "", "folder that keeps objects, tables and secrets; created if missing (required)")
			flags.StringVar(&o.envFile, "env-file", "", "file to write when both servers answer (default DIR/env)")
			flags.StringVar(&o.s3Listen, "s3-listen", "127.0.0.1:0", "address of S3; port 0 picks one")
			flags.StringVar(&o.warehouseListen, "warehouse-listen", "127.0.0.1:0", "address of the warehouse; port 0 picks one")
			flags.StringVar(&o.awsListen, "aws-listen", "127.0.0.1:0", "address of the AWS calls that mint credentials; port 0 picks one")
			flags.BoolVar(&o.tls, "tls", false, "serve the warehouse over TLS and refuse plaintext; FILE then names the test authority to trust")
			flags.BoolVar(&o.cleartext, "cleartext-password", false, "ask for the password itself at login, instead of its MD5 digest")
			flags.StringVar(&o.copyPolicy, "copy-policy", "", "IAM policy document (JSON) of COPY's role (default: everything is allowed)")
			flags.StringArrayVar(&o.kmsBuckets, "kms-bucket", nil, "bucket whose objects need kms:Decrypt on "+keyARN+", too; repeatable")
			flags.DurationVar(&o.lifetime, "credentials-lifetime", 0, "longest life of minted credentials, to see them expire (default: as asked for)")
			flags.StringVar(&o.memoryLimit, "memory-limit", "1300MB", "memory that the warehouse may use before it spills into DIR")
			flags.StringVar(&o.logLimit, "log-limit", "256MB", "changes that the warehouse keeps in memory and in a log before it writes them into its file")
			flags.StringVar(&o.profile, "profile", string(redshiftd.Serverless), "kind of warehouse: serverless (SNAPSHOT, no stl_*, stv_*) or provisioned (SERIALIZABLE)")
			flags.DurationVar(&o.loadLag, "load-lag", 0, "how long after a COPY sys_load_* show it")
			flags.BoolVar(&o.untilStdinCloses, "until-stdin-closes", false, "end also when stdin closes, so that no server outlives the program that started it")
			return func(ctx context.Context, p process, args []string) error {
				if len(args) > 0 {
					return usagef("serve takes no arguments, got %q", args[0])
				}
				if o.lifetime < 0 {
					return usagef("--credentials-lifetime must not be negative, got %s", o.lifetime)
				}
				if p := redshiftd.Profile(o.profile); p != redshiftd.Serverless && p != redshiftd.Provisioned {
					return usagef("--profile is serverless or provisioned, got %q", o.profile)
				}
				if o.loadLag < 0 {
					return usagef("--load-lag must not be negative, got %s", o.loadLag)
				}
				if o.dir == "" {
					return usagef("serve needs a folder: --dir DIR")
				}
				if o.envFile == "" {
					o.envFile = filepath.Join(o.dir, "env")
				}
				return serve(ctx, p, o)
			}
		},
	}
}

// serve runs both servers until ctx ends, or stdin when that was asked for.
func serve(ctx context.Context, p process, o serveOptions) (err error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return fmt.Errorf("creating the sandbox folder: %w", err)
	}
	release, err := lockFolder(o.dir)
	if err != nil {
		return err
	}
	defer release()
	secret, err := loadSecrets(o.dir)
	if err != nil {
		return err
	}
	if o.envFile, err = filepath.Abs(o.envFile); err != nil { // "." looks a bare name up in $PATH
		return fmt.Errorf("resolving the environment file: %w", err)
	}
	if err := removeStale(o.envFile); err != nil {
		return err
	}
	stack, err := startStack(ctx, o, secret)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stack.close()) }()

	content := renderEnv(stack.environment(secret, p.pid))
	if err := writeFile(o.envFile, content, 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, removeOwn(o.envFile, content)) }()
	fmt.Fprintf(p.stdout, `The sandbox is up (process %d).
  S3         %s   buckets %s, %s
  warehouse  %s
  AWS calls  %s   cluster and workgroup %s, secret %s

In another terminal:
  . %s
  sandbox sql 'SELECT version()'        # or psql
  sandbox generate --help               # fill the archive
Stop it with Ctrl-C; %s keeps the data.
`, p.pid, stack.s3.Endpoint(), archiveBucket, stagingBucket, stack.warehouse.URL(user),
		stack.aws.Endpoint(), clusterID, secretName, shellQuote(o.envFile), o.dir)

	if o.untilStdinCloses {
		ctx = untilClosed(ctx, p.stdin)
	}
	<-ctx.Done()
	fmt.Fprintln(p.stdout, "The sandbox stops.")
	return nil
}

// lockFolder keeps a second sandbox off the folder. The lock goes with the process, however that ends.
func lockFolder(dir string) (release func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the folder's lock: %w", err)
	}
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, errors.Join(fmt.Errorf("another sandbox serves %s already: stop it, or choose another --dir", dir), f.Close())
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("locking the folder %s: %w", dir, err), f.Close())
	}
	return func() { _ = f.Close() }, nil // closing an unwritten file loses nothing, and gives the lock back
}

// removeStale removes what a sandbox that was killed left behind: it would send readers to ports that nobody serves.
func removeStale(path string) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the old environment file: %w", err)
	}
	if !bytes.HasPrefix(content, []byte(envHeader)) {
		return fmt.Errorf("%s exists and was not written by sandbox serve: remove it, or choose another --env-file", path)
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("removing the old environment file: %w", err)
	}
	return nil
}

// removeOwn removes the environment file unless another sandbox has put its own there.
func removeOwn(path string, content []byte) error {
	now, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Equal(now, content) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("removing the environment file: %w", err)
	}
	return nil
}

// untilClosed returns a context that ends with r, too. What r says is thrown away.
func untilClosed(ctx context.Context, r io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the process if r does not
		defer cancel()
		_, _ = io.Copy(io.Discard, r) // an error ends r as well as an EOF does
	}()
	return ctx
}
