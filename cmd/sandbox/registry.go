package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"backfill/internal/sandbox/registryd"
)

// envRegistryPassword is where the password of the registry's user stands.
const envRegistryPassword = "SANDBOX_REGISTRY_PASSWORD"

type registryOptions struct {
	folder string
	listen string
	user   string
	closes bool
}

func registryCommand() command {
	return command{
		name: "registry", line: "serve an export of schemas as a schema registry does", usage: " --folder DIR [flags]",
		teaches: `
Serves the schemas below DIR with the API of Confluent's registry, for reading alone, until Ctrl-C. Every .json file there
is the saved answer of GET /subjects/S/versions/V, or a list of such, as generate --values confluent-avro writes them:

  sandbox generate … --dir ./archive --layout confluent-bytes --values confluent-avro
  SANDBOX_REGISTRY_PASSWORD=secret sandbox registry --folder ./archive/topics.schemas --user reader

With --user it demands a login; the password stands in ` + envRegistryPassword + `.`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var o registryOptions
			flags.StringVar(&o.folder, "folder", "", "folder of the schemas (required)")
			flags.StringVar(&o.listen, "listen", "127.0.0.1:0", "address to serve on; port 0 picks one")
			flags.StringVar(&o.user, "user", "", "user that has to log in (default: nobody)")
			flags.BoolVar(&o.closes, "until-stdin-closes", false, "end also when stdin closes")
			return func(ctx context.Context, p process, args []string) error {
				if len(args) > 0 {
					return usagef("registry takes no arguments, got %q", args[0])
				}
				if o.folder == "" {
					return usagef("registry needs a folder of schemas: --folder DIR")
				}
				if o.user != "" && p.getenv(envRegistryPassword) == "" {
					return usagef("--user %s needs a password in %s", o.user, envRegistryPassword)
				}
				return serveRegistry(ctx, p, o)
			}
		},
	}
}

func serveRegistry(ctx context.Context, p process, o registryOptions) (err error) {
	schemas, err := registryd.Load(o.folder)
	if err != nil {
		return err
	}
	s, err := registryd.Start(ctx, registryd.Config{Listen: o.listen, User: o.user, Password: p.getenv(envRegistryPassword)}, schemas)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	fmt.Fprintf(p.stdout, "The registry is up, with %d schemas: %s\n", len(schemas), s.Endpoint())
	if o.closes {
		ctx = untilClosed(ctx, p.stdin)
	}
	<-ctx.Done()
	return nil
}
