package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/pflag"
)

// Exit codes.
const (
	exitOK    = 0
	exitFault = 1 // the command failed
	exitUsage = 2 // the command line is wrong; nothing was done
)

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// command is one subcommand. bind declares its flags and returns what runs once they are parsed.
type command struct {
	name    string
	line    string // one line for the list of commands
	usage   string // what stands behind "sandbox <name>"
	teaches string // the text of --help above the flags
	bind    func(*pflag.FlagSet) func(context.Context, process, []string) error
}

func commands() []command {
	return []command{serveCommand(), sqlCommand(), generateCommand(), registryCommand(), faultCommand(), coldCommand(), profileCommand(), probeCommand(), versionCommand()}
}

// run carries out one command line and returns the exit code. Errors end as one sentence on stderr.
func run(ctx context.Context, p process, args []string) int {
	out := &checkedWriter{w: p.stdout}
	p.stdout = out
	err := dispatch(ctx, p, args)
	if err == nil && out.err != nil {
		err = fmt.Errorf("writing the output: %w", out.err)
	}
	var usage *usageError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(p.stderr, "sandbox: %v\n", err) // nobody is left to tell if stderr is gone
		return exitUsage
	default:
		_, _ = fmt.Fprintf(p.stderr, "sandbox: %v\n", err)
		return exitFault
	}
}

func dispatch(ctx context.Context, p process, args []string) error {
	if len(args) == 0 {
		return usagef("a command is missing: %s; sandbox --help explains them", commandNames())
	}
	switch args[0] {
	case "help", "--help", "-h":
		if len(args) == 1 {
			return writeOverview(p.stdout)
		}
		args = []string{args[1], "--help"}
	case "--version":
		args = []string{"version"}
	}
	for _, c := range commands() {
		if c.name == args[0] {
			return c.run(ctx, p, args[1:])
		}
	}
	return usagef("unknown command %q: it is one of %s", args[0], commandNames())
}

func (c command) run(ctx context.Context, p process, args []string) error {
	flags := pflag.NewFlagSet(c.name, pflag.ContinueOnError)
	flags.SetOutput(io.Discard) // help and errors are written here, once
	flags.SortFlags = false
	action := c.bind(flags)
	switch err := flags.Parse(args); {
	case errors.Is(err, pflag.ErrHelp):
		return c.writeHelp(p.stdout, flags)
	case err != nil:
		return usagef("%v; sandbox %s --help explains the flags", err, c.name)
	}
	return action(ctx, p, flags.Args())
}

func (c command) writeHelp(w io.Writer, flags *pflag.FlagSet) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Usage: sandbox %s%s\n\n%s\n", c.name, c.usage, strings.TrimSpace(c.teaches))
	if flags.HasFlags() {
		fmt.Fprintf(&b, "\nFlags:\n%s", flags.FlagUsages())
	}
	_, err := b.WriteTo(w)
	return err
}

func commandNames() string {
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return strings.Join(names, ", ")
}

func writeOverview(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString(`Usage: sandbox COMMAND [flags]

A payroll archive in S3 and a warehouse like Redshift, on this machine alone.

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-10s %s\n", c.name, c.line)
	}
	b.WriteString(`
A first round, in two terminals:
  sandbox serve --dir ./sandbox --env-file ./sandbox.env

  . ./sandbox.env
  sandbox generate --seed 1 --events 100000 --from 2026-10-01 --to 2026-11-01 --truth truth.json --dataset payroll.yaml
  sandbox sql 'SELECT COUNT(*) FROM payroll.events'

Exit codes: 0 done, 1 failed, 2 wrong command line. sandbox COMMAND --help tells more.
`)
	_, err := b.WriteTo(w)
	return err
}

// checkedWriter keeps the first error, so that every Fprint to stdout need not be checked where it stands.
type checkedWriter struct {
	w   io.Writer
	err error
}

func (c *checkedWriter) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	c.err = err
	return n, err
}
