package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/sandbox/fault"
)

type faultOptions struct {
	envFile string
	output  string
	times   int64
	timeout time.Duration
}

func faultCommand() command {
	return command{
		name: "fault", line: "make S3 or the warehouse fail in a chosen way", usage: " add RULE… | ls | wait ID | clear [ID…]",
		teaches: `
Changes the rules by which the running sandbox fails.

  add RULE…    puts rules in force and prints their numbers; each RULE is one argument
  ls           lists rules, how many operations matched, how often they fired
  wait ID      ends once the rule has fired --times times
  clear [ID…]  takes rules out of force, all without ID; what hangs goes on

A rule names a server and its operations, then conditions, a time, an effect, and how often:

  sandbox fault add 's3 PutObject key=/receipt.json lost'      # it took place, the answer is lost
  sandbox fault add "s3 GetObject key~'\.parquet\$' nth=3 every=5 times=all fail=throttled"
  sandbox fault add 's3 PutObject,CopyObject,CreateMultipartUpload bucket=staging encryption=none times=all fail=denied'
  sandbox fault add 'sql COPY during cut' 'sql INSERT text=ledger fail=conflict times=2'

  conditions  key=TEXT key~REGEXP bucket=NAME agent=TEXT (s3; COPY's own reads are agent=redshift), text=TEXT text~REGEXP (sql)
              encryption=none|AES256|aws:kms|'aws:kms KEY' encryption~REGEXP (s3: what a new object asks for)
  time        before (the default), after (it is done, the answer not sent), during (in the middle of sql COPY)
  effect      cut, lost (after cut), fail=NAME, delay=2s, hang (until clear), note (only counts)
              s3: cut-body, short-body, wrong-etag, slow=64KiB    sql COPY: twice, lag=30s (of sys_load_*)
  how often   from the nth=N match (1) on, at every=M-th (1), times=N (1) or times=all

fail=NAME, on S3 and in SQL:
` + nameList(fault.Names()) + `

To kill a program in the middle of something, hold it there:

  id=$(sandbox fault add 'sql COMMIT before hang cut')
  ./program & sandbox fault wait $id; kill -9 $!; sandbox fault clear $id`,
		bind: func(flags *pflag.FlagSet) func(context.Context, process, []string) error {
			var o faultOptions
			flags.StringVar(&o.envFile, "env-file", "", "file that sandbox serve wrote (default: the environment)")
			flags.StringVar(&o.output, "output", "table", "of ls: table or json")
			flags.Int64Var(&o.times, "times", 1, "of wait: how often the rule must have fired since it was added")
			flags.DurationVar(&o.timeout, "timeout", 0, "of wait: give up after this long (default: never)")
			return func(ctx context.Context, p process, args []string) error { return runFault(ctx, p, o, args) }
		},
	}
}

func nameList(lines []string) string { return "  " + strings.Join(lines, "\n  ") }

func runFault(ctx context.Context, p process, o faultOptions, args []string) error {
	if len(args) == 0 {
		return usagef("fault needs add, ls, wait or clear; sandbox fault --help explains them")
	}
	verb, args := args[0], args[1:]
	var ids []int
	switch verb {
	case "add":
		if len(args) == 0 {
			return usagef("fault add needs a rule, as in: sandbox fault add 's3 PutObject lost'")
		}
		for _, rule := range args {
			if _, err := fault.Parse(rule); err != nil {
				return usagef("the rule %q is wrong: %v", rule, err)
			}
		}
	case "wait", "clear":
		for _, text := range args {
			id, err := strconv.Atoi(text)
			if err != nil || id < 1 {
				return usagef("fault %s takes numbers of rules, got %q; sandbox fault ls shows them", verb, text)
			}
			ids = append(ids, id)
		}
		if verb == "wait" && (len(ids) != 1 || o.times < 1 || o.timeout < 0) {
			return usagef("fault wait takes the number of one rule, --times from 1 and a --timeout that is not negative")
		}
	case "ls":
		if len(args) > 0 {
			return usagef("fault ls takes no arguments, got %q", args[0])
		}
		if o.output != "table" && o.output != "json" {
			return usagef("--output is table or json, got %q", o.output)
		}
	default:
		return usagef("fault %q is not known: it is one of add, ls, wait, clear", verb)
	}
	return askSandbox(ctx, p, o, verb, args, ids)
}

// dialSandbox returns a client of the running sandbox that the environment names.
func dialSandbox(p process, envFile string) (*fault.Client, error) {
	env, err := openEnvironment(envFile, p.getenv)
	if err != nil {
		return nil, err
	}
	where, err := env.require(envDir)
	if err != nil {
		return nil, err
	}
	return fault.Dial(where[envDir]), nil
}

// askSandbox carries out a checked command.
func askSandbox(ctx context.Context, p process, o faultOptions, verb string, rules []string, ids []int) error {
	client, err := dialSandbox(p, o.envFile)
	if err != nil {
		return err
	}
	defer client.Close()
	switch verb {
	case "add":
		added, err := client.Add(ctx, rules...)
		for _, id := range added {
			fmt.Fprintln(p.stdout, id)
		}
		return err
	case "wait":
		if o.timeout > 0 {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, o.timeout)
			defer cancel()
		}
		err := client.Wait(ctx, ids[0], o.times)
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("rule %d has not fired %d times within %s", ids[0], o.times, o.timeout)
		}
		return err
	case "clear":
		return client.Clear(ctx, ids...)
	}
	list, err := client.List(ctx)
	if err != nil {
		return err
	}
	return printRules(p, o.output, list)
}

func printRules(p process, output string, list []fault.Status) error {
	if output == "json" {
		if err := json.NewEncoder(p.stdout).Encode(list); err != nil {
			return fmt.Errorf("writing the list: %w", err)
		}
		return nil
	}
	out := &tablePrinter{w: p.stdout, maxRows: len(list) + 1}
	if err := out.begin([]column{{"id", oidInt4}, {"matches", oidInt8}, {"fired", oidInt8}, {"rule", 0}}); err != nil {
		return err
	}
	for _, r := range list {
		if err := out.row([][]byte{[]byte(strconv.Itoa(r.ID)), strconv.AppendInt(nil, r.Matches, 10), strconv.AppendInt(nil, r.Fired, 10), []byte(r.Rule)}); err != nil {
			return err
		}
	}
	return out.end("")
}
