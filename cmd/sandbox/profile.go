package main

import (
	"context"
	"fmt"

	"github.com/spf13/pflag"
)

func profileCommand() command {
	return command{
		name: "profile", line: "what the running sandbox holds now, to find its leaks", usage: " goroutine | heap | …",
		teaches: `
Prints a profile of the running sandbox as text: a line with the totals, then the stacks, the most frequent first.
  goroutine  what goes on; one of them answers this command
  heap       what Go's memory holds; DuckDB's is not in it
and the others of Go's runtime/pprof.`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var envFile string
			flags.StringVar(&envFile, "env-file", "", "file that sandbox serve wrote (default: the environment)")
			return func(ctx context.Context, p process, args []string) error {
				if len(args) != 1 {
					return usagef("profile takes the name of one profile, got %d", len(args))
				}
				client, err := dialSandbox(p, envFile)
				if err != nil {
					return err
				}
				defer client.Close()
				text, err := client.Profile(ctx, args[0])
				if err != nil {
					return err
				}
				fmt.Fprint(p.stdout, text)
				return nil
			}
		},
	}
}
