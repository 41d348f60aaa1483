package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"backfill/internal/fail"
	"backfill/internal/pod"
	"backfill/internal/progress"
	"backfill/internal/timing"
	"backfill/jobs/workspace"
)

// program is the process as its commands see it.
type program struct {
	env            func(string) string
	stdout, stderr io.Writer
	log            *zap.Logger
	flags          flags
	result         result

	signals  <-chan os.Signal
	exit     func(int) // ends the process
	args     []string  // the command line, command first
	started  time.Time
	halt     *workspace.Halt
	pulse    *progress.Pulse
	labels   atomic.Pointer[labels]                   // of logs and metrics; nil before anything is known
	profiler *profiler                                // nil: no profiles were asked for
	screen   *progress.Screen                         // nil: nobody sits at a terminal
	terminal *os.File                                 // the one that stdout is; nil: it is none
	measured atomic.Pointer[func(fail.Exit, *result)] // sends the last metrics; nil: the command has not begun
	times    *timing.Times
	space    *workspace.Workspace // the one that was opened; nil: none was
	ended    chan struct{}        // closed when the command has returned
	reported sync.Once
}

// command is one subcommand.
type command struct {
	name, does string
	arg        string // the one argument it takes; "": none
	flags      func(*flags, *pflag.FlagSet)
	run        func(context.Context, *program) error
	spools     bool // rows to files
	works      bool // so that where its time went is kept
	talks      bool // says something and does no work: no word about memory
	finishes   bool // what it has begun when it is told to stop; others are cancelled at once
	examples   []string
}

// main runs one command and returns the exit code. It is the only place that
// prints an error.
func (p *program) main(ctx context.Context, args []string) fail.Exit {
	if len(args) > 1 && args[0] == "help" {
		args = append(slices.Clone(args[1:]), "--help")
	}
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		p.usage()
		if len(args) == 0 {
			return fail.ExitUsage
		}
		return fail.ExitDone
	}
	if len(args) > 1 { // a command of two words
		if _, ok := find(args[0] + " " + args[1]); ok {
			args = append([]string{args[0] + " " + args[1]}, args[2:]...)
		}
	}
	cmd, ok := find(args[0])
	p.args = args
	set := p.flagSet(cmd)
	p.flags.output, p.flags.logFormat = wanted(args, "--output"), wanted(args, "--log-format") // also for errors before the flags are read
	if !ok {
		return p.finish(ctx, command{name: args[0]}, fail.New(fail.Usage, "there is no command %q", args[0]).Try("`backfill help` lists them"), p.result)
	}
	if err := p.parse(cmd, set, args[1:]); err != nil {
		if err == pflag.ErrHelp {
			p.help(cmd)
			return fail.ExitDone
		}
		return p.finish(ctx, cmd, fail.Wrap(err, fail.Usage, "reading the flags").Try("`backfill %s --help` shows them", cmd.name), p.result)
	}
	p.openScreen()
	p.log = p.newLogger(cmd)
	p.settle(cmd)
	p.halt, p.ended = workspace.NewHalt(), make(chan struct{})
	p.times = timing.New(now, timing.ReadAllocs)
	p.pulse = progress.NewPulse(now, func(line string) { p.log.Info(line) })
	p.pulse.Step("%s", cmd.name)
	ctx, done := p.heed(ctx, cmd)
	defer done()
	rest := p.watch(ctx, cmd)
	defer rest()
	measured := p.measure(ctx, cmd)
	p.measured.Store(&measured)
	p.profiles(cmd)
	err := recovered(ctx, p, cmd)
	rest()
	measured(exitOf(ctx, err), &p.result)
	p.account(ctx, cmd, exitOf(ctx, err))
	close(p.ended)
	return p.finish(ctx, cmd, err, p.result)
}

// gcPercent makes the collector run early, so that less memory waits for it.
const gcPercent = 30

// settle tells the runtime how much memory it may use, and the log what the
// process goes by. A GOMEMLIMIT that is set is kept if it is lower.
func (p *program) settle(cmd command) {
	debug.SetGCPercent(gcPercent)
	limit := p.memory()
	if cmd.talks {
		return
	}
	if limit == 0 {
		p.log.Debug("no memory limit is known: give --memory")
		return
	}
	heap := min(limit*8/10, debug.SetMemoryLimit(-1))
	debug.SetMemoryLimit(heap)
	from := "--memory"
	if p.flags.memory == 0 {
		from = "the cgroup"
	}
	p.log.Info(fmt.Sprintf("memory limit %d MiB from %s, GOMEMLIMIT %d MiB, %d processors; %s", limit>>20, from, heap>>20, runtime.GOMAXPROCS(0), p.diskUse(cmd)))
}

// diskUse says what the command writes to disk: rows to compare that do not fit
// in memory, and archived Parquet objects.
func (p *program) diskUse(cmd command) string {
	if !cmd.spools {
		return "nothing is written to disk"
	}
	if p.flags.disk == 0 {
		return "files go below " + os.TempDir() + " without a limit: give --disk"
	}
	return fmt.Sprintf("files below %s hold %d MiB at most", os.TempDir(), int64(p.flags.disk)/4*3>>20)
}

// wanted looks for a flag that says text or json without reading the other flags.
func wanted(args []string, flag string) string {
	for i, a := range args {
		if a == flag+"=json" || (a == flag && i+1 < len(args) && args[i+1] == "json") {
			return "json"
		}
	}
	return "text"
}

// recovered runs the command and turns a panic into an internal error, so that
// the scheduler always gets a result.
func recovered(ctx context.Context, p *program, cmd command) (err error) {
	defer func() {
		if r := recover(); r != nil {
			stack := strings.ReplaceAll(string(debug.Stack()), "\n", " | ")
			err = fail.New(fail.Internal, "panic: %v", r).At("%s", stack).Try("report this line with the version; the same command can be run again safely")
		}
	}()
	return cmd.run(ctx, p)
}

// finish reports the outcome on every channel, once, and returns the exit code.
func (p *program) finish(ctx context.Context, cmd command, err error, r result) fail.Exit {
	exit := exitOf(ctx, err)
	if p.log == nil { // it ended before its flags were read
		p.log = p.newLogger(cmd)
	}
	p.reported.Do(func() {
		r.Command, r.Exit, r.Version = cmd.name, int(exit), version
		if err != nil {
			r.failed(ctx, err, exit)
		}
		p.report(r)
	})
	return exit
}

// failed says what went wrong and what to do.
func (r *result) failed(ctx context.Context, err error, exit fail.Exit) {
	r.Code, r.Error, r.Hint = string(fail.CodeOf(err)), err.Error(), fail.HintOf(err)
	if s, ok := stopOf(ctx, err); ok {
		r.Code, r.Error, r.Hint = "stopped", s.Error()+"; work so far is kept", "run the same command again: it goes on from here"
	}
	if r.Hint == "" {
		r.Hint = remedy(err, exit)
	}
}

// remedy is what to do about an error that says nothing about it: what its code
// says in general.
func remedy(err error, exit fail.Exit) string {
	if exit.Retryable() && fail.Is(err, fail.Internal) { // it was stopped
		return "run the same command again: it asks what is done and goes on from there"
	}
	m, _ := fail.CodeOf(err).Meaning()
	first, size := utf8.DecodeRuneInString(m.Do)
	return string(unicode.ToLower(first)) + strings.TrimSuffix(m.Do[size:], ".")
}

// report writes the result for people, for scripts, for Airflow and for
// Kubernetes.
func (p *program) report(r result) {
	if r.Exit != int(fail.ExitDone) {
		p.complain(r)
	}
	if p.flags.output == "json" {
		p.printJSON(r)
	}
	short := r
	short.Ledger, short.History, short.Quarantined, short.Preview, short.Status = nil, nil, nil, nil, r.Status.Short()
	short.Verification = r.Verification.Short()
	if err := pod.WriteXCom(orDefault(p.flags.xcomFile, pod.XComFile), short); err != nil {
		p.log.Warn(err.Error())
	}
	if message := r.termination(); message != "" {
		if err := pod.WriteTermination(orDefault(p.flags.terminationLog, pod.TerminationFile), message); err != nil {
			p.log.Warn(err.Error())
		}
	}
}

// termination is the one text that Kubernetes keeps of a container: the cause of
// a failure with what to do, or the URI of the plan for the pods that come after.
func (r *result) termination() string {
	switch {
	case r.Error != "" && r.Hint != "":
		return r.Error + " (" + r.Hint + ")"
	case r.Error != "":
		return r.Error
	case r.Command == "plan":
		return r.Plan
	}
	return ""
}

// complain prints the error: for people level first, one record a line; for
// machines one record.
func (p *program) complain(r result) {
	line := p.commandLine()
	if !fail.Exit(r.Exit).Retryable() {
		line = ""
	}
	if p.flags.logFormat == "json" {
		p.log.Error(r.Code+": "+r.Error, failure(r, line)...)
		return
	}
	for i, line := range strings.Split(strings.TrimRight(r.Error, "\n"), "\n") {
		if i == 0 {
			line = r.Code + ": " + line
		}
		fmt.Fprintf(p.stderr, "ERROR %s\n", line)
	}
	if r.Hint != "" {
		fmt.Fprintf(p.stderr, "ERROR what to do: %s\n", strings.Join(strings.Fields(r.Hint), " "))
	}
	if line != "" {
		fmt.Fprintf(p.stderr, "ERROR go on with: %s\n", line)
	}
}

func orDefault(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// memory returns the limit in bytes that --memory or the pod gives, 0 for none.
func (p *program) memory() int64 {
	if p.flags.memory != 0 {
		return int64(p.flags.memory)
	}
	return pod.MemoryLimit(orDefault(p.flags.systemRoot, "/"))
}

func (p *program) usage() {
	fmt.Fprint(p.stdout, "backfill rebuilds a window of a Redshift table from archived Kafka events and proves the result.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(p.stdout, "  %-18s%s\n", c.name, c.does)
	}
	fmt.Fprint(p.stdout, `
The main job, and what a person asks for most:
  backfill run --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01     the same command again goes on, or finds nothing to do
  backfill status --dataset payroll.yaml                                    what stands where, and the command that goes on
  backfill reconcile --dataset payroll.yaml --from 2026-03-01 --to 2026-04-01
  backfill explain rows_would_vanish                                        the code that an ERROR line begins with

Every flag has an environment twin: --slice-days is BACKFILL_SLICE_DAYS. backfill COMMAND --help shows a command's flags.
Exit codes: 0 done, 1 internal error, 2 bad usage or dataset, 3 environment failed (retry), 4 data at fault,
5 NOT RECONCILED, 6 INCOMPLETE, 99 nothing to do, 130 and 143 stopped by a signal (retry).
`)
}

// help prints a command's examples and flags; those that all commands have come last.
func (p *program) help(cmd command) {
	fmt.Fprintf(p.stdout, "backfill %s: %s\n\n", strings.TrimSpace(cmd.name+" "+cmd.arg), cmd.does)
	for _, e := range cmd.examples {
		fmt.Fprintf(p.stdout, "  %s\n", e)
	}
	own := pflag.NewFlagSet(cmd.name, pflag.ContinueOnError)
	own.SortFlags = false
	if cmd.flags != nil {
		cmd.flags(&p.flags, own)
	}
	if own.HasFlags() {
		fmt.Fprintf(p.stdout, "\nFlags:\n%s", own.FlagUsages())
	}
	fmt.Fprintf(p.stdout, "\nFlags of every command:\n%s", p.commonFlags(cmd.name).FlagUsages())
}

func now() time.Time { return time.Now() }
