// Command bench compares the product's convert with its peers, as whole
// processes on the same archives, and measures what the product promises about
// memory, cores, S3 and the whole job.
//
//	archives (data) ─▶ contenders in turn, A B A B … (measure) ─▶ all Parquet agrees? ─▶ table, RESULTS.md
//	                                                               └─ no: no ratio, exit 1
//
// It calls bin/backfill and bin/sandbox as anyone would and imports nothing of
// either. Archives and peers' programs are made once and kept.
//
// # The tables that count, on a quiet machine
//
// Nothing else may run: the results say so themselves where the load was high.
// Archives are made by the first call and kept; the times are those of two cores.
// Each call writes what it measured into RESULTS.md and keeps the rest.
//
//	make bench                                                                                      # 15 minutes: all of it, on a small month
//	make bench BENCH_ROWS=1000000 BENCH_PAIRS=5 BENCH_WORKLOADS=gzip,zstd BENCH_TARGETS=none \
//	    BENCH_PEERS=duckdb,plain,python,python-orjson                                               # 8 minutes: the ratios
//	make bench BENCH_WORKLOADS=none BENCH_ROWS=2000000 BENCH_PAIRS=5 BENCH_TARGETS=cores,s3         # 5 minutes
//	make bench BENCH_WORKLOADS=none BENCH_TARGETS=peak BENCH_FLAGS=--full                           # 15 minutes and 6 GB: the peak at 50 million rows
//	make bench BENCH_WORKLOADS=none BENCH_TARGETS=job BENCH_FLAGS=--full                            # 30 minutes and 12 GB: the whole job on 20 million rows
//	make bench BENCH_ROWS=2000000 BENCH_WORKLOADS=objects,object BENCH_PAIRS=1 BENCH_TARGETS=memory \
//	    BENCH_FLAGS=--full                                                                          # 20 minutes and 12 GB: 100,000 objects, one of 4 GiB
//
// CPU seconds can be compared between versions on a busy machine, too, if the
// runs are in turn; wall times, cores and rows a second can't.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/pflag"

	"backfill/cmd/bench/data"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends it at once
	err := run(ctx, os.Args[1:])
	stop()
	if errors.Is(err, pflag.ErrHelp) {
		return
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	dir, source, backfill, sandbox, results string
	workloads, peers, targets               []string
	rows                                    int64
	jobRows                                 int64
	pairs                                   int
	full, keep                              bool
	seed                                    uint64
	make                                    string
}

// What lists may say instead of names.
const (
	all  = "all"
	none = "none"
)

func parse(args []string) (options, error) {
	var o options
	s := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	s.SortFlags = false
	s.StringVar(&o.dir, "dir", "", "where archives, peers and outputs are kept (default: backfill-bench in the user's cache folder)")
	s.StringVar(&o.source, "source", "cmd/bench", "folder of this program's source")
	s.StringVar(&o.backfill, "backfill", "bin/backfill", "the product")
	s.StringVar(&o.sandbox, "sandbox", "bin/sandbox", "the sandbox")
	s.StringVar(&o.results, "results", "cmd/bench/RESULTS.md", "Markdown file to write")
	s.StringSliceVar(&o.workloads, "workloads", []string{all}, "of "+strings.Join(names(data.Workloads(data.Size{Rows: 1})), ", "))
	s.StringSliceVar(&o.peers, "peers", nil, "all, none, or names of peers (default: all on gzip, DuckDB's best and plain Go on the others)")
	s.StringSliceVar(&o.targets, "targets", []string{all}, "of "+strings.Join(targetNames(), ", ")+", or none")
	s.Int64Var(&o.rows, "rows", 500_000, "rows of the month; the other workloads scale with it")
	s.Int64Var(&o.jobRows, "job-rows", 0, "rows of the whole job (default: --rows)")
	s.IntVar(&o.pairs, "pairs", 3, "pairs of runs for each peer")
	s.BoolVar(&o.full, "full", false, "100,000 small objects, one object of 4 GiB, memory at 50 million rows, the job on 20 million")
	s.BoolVar(&o.keep, "keep", false, "keep plans and last outputs, to look at them or to profile: backfill convert --plan FILE")
	s.Uint64Var(&o.seed, "seed", 1, "of the archives")
	s.StringVar(&o.make, "make", "", "make this one archive and end; the benchmark calls itself so, to stay small")
	if err := s.Parse(args); err != nil {
		return o, err
	}
	if s.NArg() > 0 || o.rows < 1 || o.pairs < 1 {
		return o, fmt.Errorf("unexpected arguments; --rows and --pairs are at least 1")
	}
	if o.jobRows == 0 {
		o.jobRows = o.rows
		if o.full {
			o.jobRows = 20_000_000
		}
	}
	return o, o.absolute()
}

// absolute makes all paths absolute: programs run in other folders.
func (o *options) absolute() (err error) {
	if o.dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return fmt.Errorf("--dir is not given: %w", err)
		}
		o.dir = filepath.Join(cache, "backfill-bench")
	}
	for _, p := range []*string{&o.dir, &o.source, &o.backfill, &o.sandbox, &o.results} {
		if *p, err = filepath.Abs(*p); err != nil {
			return err
		}
	}
	return nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	if o.make != "" {
		w, err := o.workload(o.make)
		if err != nil {
			return err
		}
		_, err = data.Make(ctx, o.archives(), w)
		return err
	}
	b, err := newBench(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(b.all(ctx), b.close())
}

func (o options) archives() string { return filepath.Join(o.dir, "archives") }

func (o options) size() data.Size { return data.Size{Rows: o.rows, Full: o.full, Seed: o.seed} }

// workload returns the workload of that name, one of the targets' included.
func (o options) workload(name string) (data.Workload, error) {
	for _, w := range append(data.Workloads(o.size()), targetWorkloads(o)...) {
		if w.Name == name {
			return w, nil
		}
	}
	return data.Workload{}, fmt.Errorf("there is no workload %q", name)
}

// chosen returns the workloads to run, in their order.
func (o options) chosen() ([]data.Workload, error) {
	known := data.Workloads(o.size())
	if len(o.workloads) == 1 && o.workloads[0] == all {
		return known, nil
	}
	var list []data.Workload
	for _, name := range o.workloads {
		if name == none {
			continue
		}
		w, err := o.workload(name)
		if err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, nil
}

// python says whether a peer in Python may be run.
func (o options) python() bool {
	for _, name := range o.peers {
		if name == all || name == "polars" || strings.HasPrefix(name, "python") {
			return true
		}
	}
	return len(o.peers) == 0
}

func names(list []data.Workload) []string {
	var out []string
	for _, w := range list {
		out = append(out, w.Name)
	}
	return out
}
