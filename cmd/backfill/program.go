package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"go.uber.org/zap"

	"backfill/internal/fail"
	"backfill/internal/pod"
)

// gcPercent makes the collector run early. Converting allocates next to nothing
// a row, so that costs 1 to 2 %, and the peak doesn't drift with the run's length.
const gcPercent = 30

// program is the process as its commands see it.
type program struct {
	env            func(string) string
	stdout, stderr io.Writer
	log            *zap.Logger
	flags          flags
	result         result
}

// command is one subcommand.
type command struct {
	name, does string
	arg        string // the one argument it takes; "": none
	flags      func(*flags, *pflag.FlagSet)
	run        func(context.Context, *program) error
	examples   []string
}

// main runs one command and returns the exit code. It is the only place that
// prints an error.
func (p *program) main(ctx context.Context, args []string) fail.Exit {
	if len(args) == 0 || args[0] == "help" || args[0] == "--help" || args[0] == "-h" {
		p.usage()
		if len(args) == 0 {
			return fail.ExitUsage
		}
		return fail.ExitDone
	}
	cmd, ok := find(args[0])
	set := p.flagSet(cmd)
	p.flags.output = wantedOutput(args) // also for errors before the flags are read
	if !ok {
		return p.finish(ctx, command{name: args[0]}, fail.New(fail.Usage, "there is no command %q", args[0]).Try("`backfill help` lists them"))
	}
	if err := p.parse(cmd, set, args[1:]); err != nil {
		if err == pflag.ErrHelp {
			p.help(cmd, set)
			return fail.ExitDone
		}
		return p.finish(ctx, cmd, fail.Wrap(err, fail.Usage, "reading the flags").Try("`backfill %s --help` shows them", cmd.name))
	}
	p.log = newLogger(p.stderr, p.flags.logFormat, p.flags.logLevel)
	debug.SetGCPercent(gcPercent)
	if limit := p.memory(); limit > 0 {
		debug.SetMemoryLimit(limit * 8 / 10)
	}
	return p.finish(ctx, cmd, recovered(ctx, p, cmd))
}

// wantedOutput looks for --output without reading the other flags.
func wantedOutput(args []string) string {
	for i, a := range args {
		if a == "--output=json" || (a == "--output" && i+1 < len(args) && args[i+1] == "json") {
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

// finish reports the outcome on every channel and returns the exit code.
func (p *program) finish(ctx context.Context, cmd command, err error) fail.Exit {
	exit := exitOf(ctx, err)
	p.result.Command, p.result.Exit, p.result.Version = cmd.name, int(exit), version
	if err != nil {
		p.result.Code, p.result.Error, p.result.Hint = string(fail.CodeOf(err)), err.Error(), fail.HintOf(err)
		if exit == fail.ExitInterrupted || exit == fail.ExitTerminated {
			p.result.Code = "stopped"
			p.result.Error = context.Cause(ctx).Error() + "; work so far is kept"
			p.result.Hint = "run the same command again: it goes on from here"
		}
		if p.result.Hint == "" && exit.Retryable() {
			p.result.Hint = "run the same command again: it asks what is done and goes on from there"
		}
		p.complain()
	}
	if p.flags.output == "json" {
		p.printJSON()
	}
	short := p.result
	short.Ledger, short.Status = nil, p.result.Status.Short()
	if werr := pod.WriteXCom(orDefault(p.flags.xcomFile, pod.XComFile), short); werr != nil {
		fmt.Fprintf(p.stderr, "WARNING %v\n", werr)
	}
	if err != nil {
		message := p.result.Error
		if p.result.Hint != "" {
			message += " (" + p.result.Hint + ")"
		}
		if werr := pod.WriteTermination(orDefault(p.flags.terminationLog, pod.TerminationFile), message); werr != nil {
			fmt.Fprintf(p.stderr, "WARNING %v\n", werr)
		}
	}
	return exit
}

// complain prints the error for people: level first, one record a line.
func (p *program) complain() {
	for i, line := range strings.Split(strings.TrimRight(p.result.Error, "\n"), "\n") {
		if i == 0 {
			line = p.result.Code + ": " + line
		}
		fmt.Fprintf(p.stderr, "ERROR %s\n", line)
	}
	if p.result.Hint != "" {
		fmt.Fprintf(p.stderr, "ERROR what to do: %s\n", strings.ReplaceAll(p.result.Hint, "\n", " "))
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
	return pod.MemoryLimit()
}

func (p *program) usage() {
	fmt.Fprint(p.stdout, "backfill rebuilds a window of a Redshift table from archived Kafka events and proves the result.\n\nCommands:\n")
	for _, c := range commands() {
		fmt.Fprintf(p.stdout, "  %-10s %s\n", c.name, c.does)
	}
	fmt.Fprint(p.stdout, `
Every flag has an environment twin: --slice-days is BACKFILL_SLICE_DAYS.
Exit codes: 0 done, 1 internal error, 2 bad usage or dataset, 3 environment failed (retry), 4 data at fault,
5 NOT RECONCILED, 6 INCOMPLETE, 99 nothing to do, 130 and 143 stopped by a signal (retry).
`)
}

func (p *program) help(cmd command, set *pflag.FlagSet) {
	fmt.Fprintf(p.stdout, "backfill %s: %s\n\n", cmd.name, cmd.does)
	for _, e := range cmd.examples {
		fmt.Fprintf(p.stdout, "  %s\n", e)
	}
	fmt.Fprintf(p.stdout, "\nFlags:\n%s", set.FlagUsages())
}

func now() time.Time { return time.Now() }
