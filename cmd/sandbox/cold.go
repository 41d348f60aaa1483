package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/sandbox/s3d"
)

type coldOptions struct {
	envFile string
	output  string
	cooling s3d.Cooling
}

func coldCommand() command {
	return command{
		name: "cold", line: "give objects storage classes, and end their restores", usage: " [PREFIX] [--class CLASS [--tier TIER]] [--finish] [--expire]",
		teaches: `
Changes how the objects below PREFIX are stored, as lifecycle rules and time do it in S3, and then lists those that are
not of the class STANDARD. Without flags it only lists.

  sandbox cold topics/ --class GLACIER          # can't be read before RestoreObject
  sandbox cold topics/ --class INTELLIGENT_TIERING --tier DEEP_ARCHIVE_ACCESS
  sandbox cold --finish                         # restores that go on end now
  sandbox cold --expire                         # restored copies come to the end of their days

No restore ends by itself. Classes: STANDARD, STANDARD_IA, ONEZONE_IA, GLACIER_IR, INTELLIGENT_TIERING, GLACIER, DEEP_ARCHIVE;
tiers of INTELLIGENT_TIERING that can't be read: ARCHIVE_ACCESS, DEEP_ARCHIVE_ACCESS.
Restores that fail: sandbox fault add 's3 RestoreObject fail=no-expedited' or fail=denied.`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var o coldOptions
			flags.StringVar(&o.cooling.Bucket, "bucket", archiveBucket, "bucket of the objects")
			flags.StringVar(&o.cooling.Class, "class", "", "storage class that the objects get; what was restored is forgotten")
			flags.StringVar(&o.cooling.Tier, "tier", "", "archive tier, with --class INTELLIGENT_TIERING")
			flags.BoolVar(&o.cooling.Finish, "finish", false, "end the restores that go on")
			flags.BoolVar(&o.cooling.Expire, "expire", false, "take restored copies away")
			flags.StringVar(&o.envFile, "env-file", "", "file that sandbox serve wrote (default: the environment)")
			flags.StringVar(&o.output, "output", "table", "table or json")
			return func(ctx context.Context, p process, args []string) error {
				if len(args) > 1 {
					return usagef("cold takes one prefix at most, got %d arguments", len(args))
				}
				if len(args) == 1 {
					o.cooling.Prefix = args[0]
				}
				if err := o.cooling.Check(); err != nil {
					return usagef("%v", err)
				}
				if o.output != "table" && o.output != "json" {
					return usagef("--output is table or json, got %q", o.output)
				}
				return runCold(ctx, p, o)
			}
		},
	}
}

func runCold(ctx context.Context, p process, o coldOptions) error {
	client, err := dialSandbox(p, o.envFile)
	if err != nil {
		return err
	}
	defer client.Close()
	cooled, err := client.Cool(ctx, o.cooling)
	if err != nil {
		return err
	}
	if o.output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(cooled); err != nil {
			return fmt.Errorf("writing the list: %w", err)
		}
		return nil
	}
	out := &tablePrinter{w: p.stdout, maxRows: len(cooled) + 1}
	if err := out.begin([]column{{"key", 0}, {"class", 0}, {"tier", 0}, {"restore", 0}}); err != nil {
		return err
	}
	for _, c := range cooled {
		if err := out.row([][]byte{[]byte(c.Key), []byte(c.Class), []byte(c.Tier), []byte(restoreText(c))}); err != nil {
			return err
		}
	}
	return out.end("")
}

func restoreText(c s3d.Cooled) string {
	switch {
	case c.Restoring:
		return "going on"
	case !c.Until.IsZero():
		return "until " + c.Until.UTC().Format(time.RFC3339)
	}
	return ""
}
