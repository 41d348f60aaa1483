package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/pflag"
)

// shownModules are the engines of the stand-ins.
var shownModules = map[string]string{
	"github.com/versity/versitygw":   "S3 gateway",
	"github.com/duckdb/duckdb-go/v2": "warehouse engine",
	"github.com/jackc/pgx/v5":        "wire protocol",
}

func versionCommand() command {
	return command{
		name: "version", line: "print the version of this program and of the engines inside",
		teaches: "Prints the version of this program and of the engines inside.",
		bind: func(*pflag.FlagSet) func(context.Context, process, []string) error {
			return func(_ context.Context, p process, args []string) error {
				if len(args) > 0 {
					return usagef("version takes no arguments, got %q", args[0])
				}
				return writeVersion(p)
			}
		},
	}
}

func writeVersion(p process) error {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return fmt.Errorf("this program was built without module information")
	}
	version := info.Main.Version
	if version == "" {
		version = "(devel)"
	}
	fmt.Fprintf(p.stdout, "sandbox %s (%s, %s/%s)\n", version, info.GoVersion, runtime.GOOS, runtime.GOARCH)
	for _, m := range info.Deps {
		if role, ok := shownModules[m.Path]; ok {
			fmt.Fprintf(p.stdout, "  %-16s %s %s\n", role, m.Path, m.Version)
		}
	}
	return nil
}
