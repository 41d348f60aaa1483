// Command duckdb is DuckDB as a contender of the benchmark, and the reader
// that checks what all contenders wrote. It is a program of its own so that it
// is measured as a whole process.
//
//	duckdb copy -spec DIR -out DIR [-each] [-memory 300MB] [-threads N]
//	duckdb check -spec DIR -files GLOB
//	duckdb version
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2"

	"backfill/cmd/bench/data"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "duckdb: %v\n", err)
		os.Exit(1)
	}
}

type options struct {
	spec, out, files, memory string
	each                     bool
	threads                  int
}

func run(ctx context.Context, args []string) error {
	var o options
	flags := flag.NewFlagSet("duckdb", flag.ContinueOnError)
	flags.StringVar(&o.spec, "spec", "", "folder of the archive")
	flags.StringVar(&o.out, "out", "", "folder for Parquet files")
	flags.StringVar(&o.files, "files", "", "glob of the Parquet files to check")
	flags.StringVar(&o.memory, "memory", "", "DuckDB's memory_limit; its own default if empty")
	flags.BoolVar(&o.each, "each", false, "one COPY per object, on as many connections as threads")
	flags.IntVar(&o.threads, "threads", runtime.GOMAXPROCS(0), "threads")
	if len(args) == 0 {
		return fmt.Errorf("say copy, check or version")
	}
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return err
	}
	defer db.Close() // an in-memory database has nothing to lose
	for _, s := range o.settings() {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	if args[0] == "version" {
		var version string
		err := db.QueryRowContext(ctx, "SELECT version()").Scan(&version)
		fmt.Println(version)
		return err
	}
	spec, err := data.Read(o.spec)
	if err != nil {
		return err
	}
	switch args[0] {
	case "copy":
		if o.each {
			return copyEach(ctx, db, spec, o)
		}
		return copyAll(ctx, db, spec, o)
	case "check":
		return check(ctx, db, spec, o.files)
	}
	return fmt.Errorf("%q: say copy, check or version", args[0])
}

// settings are those under which DuckDB was found fastest here.
func (o options) settings() []string {
	list := []string{fmt.Sprintf("SET threads = %d", o.threads), "SET preserve_insertion_order = false"}
	if o.memory != "" {
		list = append(list, "SET memory_limit = "+quote(o.memory))
	}
	if o.out != "" {
		list = append(list, "SET temp_directory = "+quote(o.out+"/spill"))
	}
	return list
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func name(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
