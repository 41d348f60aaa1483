package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"backfill/internal/fail"
	"backfill/internal/pod"
)

// flags are the flags of all commands; each command registers what it takes.
type flags struct {
	dataset     string
	datasetText string
	set         []string
	from, to    string
	plan        string
	shard       shard
	memory      size
	disk        size
	workers     int
	chunkBytes  size
	sliceDays   int
	replan      bool
	restore     bool
	restoreTier string
	restoreDays int
	allowVanish int64
	allowEmpty  bool
	preliminary bool
	atomic      bool
	reason      string
	createTable bool
	ledger      bool
	keep        bool
	undo        string
	forget      string
	forgetOlder string
	reconvert   bool
	damaged     []string
	only        []string
	run         string // the argument RUN
	way         string
	report      string
	apply       bool
	deleteExtra bool
	approvedBy  string

	layout, table, calendar, out string // of infer

	chosen chosen // of quarantine show
	looks  looks  // of plan --preview

	controls, ends, exceptions, cutoff  string // files that people brought
	cutoffTime                          string
	signKey, publicKey, verify, signOff string
	history                             bool

	output, logFormat, logLevel string
	xcomFile, terminationLog    string
	timeout, lockTimeout        string
	systemRoot                  string

	deadline, grace, heartbeat string
	instruments
	deadlineAt               time.Time // zero: none
	graceTime, heartbeatTime time.Duration
}

// chosen says which quarantined records to show, and how.
type chosen struct {
	reason, column string
	limit          int
	raw            bool
}

func datasetFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.dataset, "dataset", "", "dataset file")
	s.StringVar(&f.datasetText, "dataset-text", "", "the dataset itself instead of a file, for pods that have none; errors name it as --dataset says")
	s.StringArrayVar(&f.set, "set", nil, "override a value of the dataset file, as path=value; may be given several times")
}

func windowFlags(f *flags, s *pflag.FlagSet) {
	datasetFlags(f, s)
	s.StringVar(&f.from, "from", "", "start of the window, inclusive: RFC 3339, or a date (midnight in the dataset's calendar zone)")
	s.StringVar(&f.to, "to", "", "end of the window, exclusive")
}

func rowsFlags(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.way, "way", "auto", "what the table is compared with: receipts (of loads by this tool), archive (by key, whoever loaded the table), auto")
	s.Var(&f.memory, "memory", "memory the process may use, such as 512MiB (default: the pod's limit)")
	diskFlag(f, s)
}

func diskFlag(f *flags, s *pflag.FlagSet) {
	s.Var(&f.disk, "disk", "disk the process may use, the pod's ephemeral-storage limit; rows to compare that do not fit in memory, and archived Parquet objects over some MiB, go to files below TMPDIR, which take three quarters of it at most (default: what is there)")
}

func planFlags(f *flags, s *pflag.FlagSet) {
	windowFlags(f, s)
	f.chunkBytes = 64 << 20
	s.Var(&f.chunkBytes, "chunk-bytes", "compressed archive bytes of a chunk")
	s.IntVar(&f.sliceDays, "slice-days", 7, "load days that one transaction replaces")
	s.BoolVar(&f.replan, "replan", false, "seal a new plan from what the archive holds now")
	s.BoolVar(&f.allowEmpty, "allow-empty", false, "a window without records is no error (exit 99 when the table has none either)")
	planHatches(f, s)
}

func restoreFlags(f *flags, s *pflag.FlagSet) {
	s.BoolVar(&f.restore, "restore", false, "ask S3 for copies of objects in archive storage classes; exit code 3 until they can be read")
	s.StringVar(&f.restoreTier, "restore-tier", "bulk", "how fast, and at which price: bulk, standard, expedited")
	s.IntVar(&f.restoreDays, "restore-days", 7, "days that restored copies can be read")
}

func createTableFlag(f *flags, s *pflag.FlagSet) {
	s.BoolVar(&f.createTable, "create-table", false, "create the table if it is missing, and print the statement; a table that is there is never changed")
}

func planURIFlag(f *flags, s *pflag.FlagSet) {
	s.StringVar(&f.plan, "plan", "", "URI of a sealed plan, as `plan` printed it")
}

func convertFlags(f *flags, s *pflag.FlagSet) {
	s.Var(&f.memory, "memory", "memory the process may use, such as 512MiB (default: the pod's limit)")
	diskFlag(f, s)
	s.IntVar(&f.workers, "workers", 0, "chunks converted at a time (default: one per processor that fits in memory)")
}

func shardFlag(f *flags, s *pflag.FlagSet) {
	f.shard = shard{i: 1, n: 1}
	s.Var(&f.shard, "shard", "convert only part i of n, as i/n; auto: the pod's part of an Indexed Job, by JOB_COMPLETION_INDEX and JOB_COMPLETIONS")
}

func loadFlags(f *flags, s *pflag.FlagSet) {
	s.Int64Var(&f.allowVanish, "allow-vanish", 0, "rows that may go from the table although no archived record has their key")
	s.BoolVar(&f.keep, "keep-replaced", false, "keep the replaced rows in a table beside the target, so that load --undo can put them back")
	preliminaryFlag(f, s)
	s.BoolVar(&f.atomic, "atomic", false, "change all slices of the plan in one transaction")
	reasonFlag(f, s)
}

func preliminaryFlag(f *flags, s *pflag.FlagSet) {
	s.BoolVar(&f.preliminary, "preliminary", false, "load a window that is not settled yet: rows are only added, and the result is INCOMPLETE; what was loaded so may stand")
}

func (p *program) flagSet(cmd command) *pflag.FlagSet {
	s := pflag.NewFlagSet(cmd.name, pflag.ContinueOnError)
	s.SetOutput(io.Discard)
	s.SortFlags = false
	if cmd.flags != nil {
		cmd.flags(&p.flags, s)
	}
	s.AddFlagSet(p.commonFlags(cmd.name))
	return s
}

// commonFlags are the flags of every command.
func (p *program) commonFlags(command string) *pflag.FlagSet {
	s := pflag.NewFlagSet(command, pflag.ContinueOnError)
	s.SortFlags = false
	s.StringVar(&p.flags.output, "output", "text", "what stdout gets: "+strings.Join(outputs(command), ", "))
	s.StringVar(&p.flags.logFormat, "log-format", "text", "log lines on stderr: text or json")
	s.StringVar(&p.flags.logLevel, "log-level", "info", "debug, info, warning or error")
	s.StringVar(&p.flags.timeout, "statement-timeout", "4h", "longest time one warehouse statement may take")
	s.StringVar(&p.flags.lockTimeout, "lock-timeout", "10m", "longest wait for a lock in the warehouse, per try")
	s.StringVar(&p.flags.deadline, "deadline", "", "when the process must have ended, as a duration from its start or an RFC 3339 time; it stops as by SIGTERM so much earlier as --grace says")
	s.StringVar(&p.flags.grace, "grace", "25s", "after SIGTERM or SIGINT: how long until the process has ended; less than the pod's terminationGracePeriodSeconds")
	s.StringVar(&p.flags.heartbeat, "heartbeat", "30s", "how often the log says where the work stands; 0s: never")
	p.flags.instruments.add(s)
	s.StringVar(&p.flags.systemRoot, "system-root", "", "folder that stands for / where the pod's memory limit is read, for tests (default /)")
	s.StringVar(&p.flags.xcomFile, "xcom-file", "", "where the result JSON goes if its directory exists (default /airflow/xcom/return.json)")
	s.StringVar(&p.flags.terminationLog, "termination-log", "", "where the cause of a failure goes (default /dev/termination-log)")
	return s
}

func outputs(command string) []string {
	if command == "plan" {
		return []string{"text", "json", "shards"}
	}
	return []string{"text", "json"}
}

// parse reads the environment's twins first, then the arguments. The text
// None, and nothing, leave a flag unset: that is how templates render missing values.
func (p *program) parse(cmd command, s *pflag.FlagSet, args []string) (err error) {
	s.VisitAll(func(f *pflag.Flag) {
		name := "BACKFILL_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if v := p.env(name); !unset(v) && err == nil {
			if serr := s.Set(f.Name, v); serr != nil {
				err = fmt.Errorf("%s: %w", name, serr)
			}
		}
	})
	if err != nil {
		return err
	}
	if err := s.Parse(dropUnset(args)); err != nil {
		return err
	}
	if err := p.flags.times(p.started); err != nil {
		return err
	}
	if s.Lookup("shard") != nil {
		if err := p.flags.shard.resolve(p.env); err != nil {
			return err
		}
	}
	rest := s.Args()
	if cmd.arg != "" && len(rest) > 0 {
		p.flags.run, rest = rest[0], rest[1:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("unexpected argument %q", rest[0])
	}
	for _, f := range []struct {
		name, value string
		allowed     []string
	}{
		{"output", p.flags.output, outputs(cmd.name)}, {"log-format", p.flags.logFormat, []string{"text", "json"}},
		{"log-level", p.flags.logLevel, []string{"debug", "info", "warning", "error"}},
	} {
		if !slices.Contains(f.allowed, f.value) {
			return fmt.Errorf("--%s is one of %s, not %q", f.name, strings.Join(f.allowed, ", "), f.value)
		}
	}
	return nil
}

func unset(v string) bool { return v == "" || v == "None" }

// dropUnset leaves out flags that are given as --flag=, --flag=None, --flag ""
// and --flag None.
func dropUnset(args []string) []string {
	var out []string
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !strings.HasPrefix(name, "--") {
			out = append(out, args[i])
			continue
		}
		if joined && unset(value) {
			continue
		}
		if !joined && i+1 < len(args) && unset(args[i+1]) {
			i++
			continue
		}
		out = append(out, args[i])
	}
	return out
}

// times reads the flags of the process's own end.
func (f *flags) times(started time.Time) (err error) {
	if f.graceTime, err = time.ParseDuration(f.grace); err != nil || f.graceTime <= 0 {
		return fmt.Errorf("--grace %q is no duration: give one such as 25s", f.grace)
	}
	if f.heartbeatTime, err = time.ParseDuration(f.heartbeat); err != nil || f.heartbeatTime < 0 {
		return fmt.Errorf("--heartbeat %q is no duration: give one such as 30s", f.heartbeat)
	}
	if f.progress != "auto" && f.progress != "view" && f.progress != "lines" {
		return fmt.Errorf("--progress %q is none of auto, view, lines", f.progress)
	}
	if f.deadline == "" {
		return nil
	}
	if f.deadlineAt, err = time.Parse(time.RFC3339Nano, strings.Replace(f.deadline, " ", "T", 1)); err == nil {
		return nil
	}
	left, err := time.ParseDuration(f.deadline)
	if err != nil {
		return fmt.Errorf("--deadline %q is no duration and no time: give one such as 2h or 2026-03-01T06:00:00Z", f.deadline)
	}
	if left <= f.graceTime {
		return fmt.Errorf("--deadline %s leaves no time for work: --grace is %s", left, f.graceTime)
	}
	f.deadlineAt = started.Add(left)
	return nil
}

// shard is the value of --shard. The zero shard is auto until it is resolved.
type shard struct{ i, n int }

// resolve asks the environment of an Indexed Job for the part of auto.
func (v *shard) resolve(env func(string) string) (err error) {
	if *v != (shard{}) {
		return nil
	}
	if v.i, v.n, err = pod.Index(env); err != nil {
		return fmt.Errorf("--shard auto: %w", err)
	}
	return nil
}

func (v *shard) String() string {
	if *v == (shard{}) {
		return "auto"
	}
	return fmt.Sprintf("%d/%d", v.i, v.n)
}
func (v *shard) Type() string { return "i/n" }
func (v *shard) Set(text string) error {
	if text == "auto" {
		*v = shard{}
		return nil
	}
	a, b, ok := strings.Cut(text, "/")
	i, err1 := strconv.Atoi(a)
	n, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || n < 1 || i < 1 || i > n || n > 10000 {
		return fail.New(fail.Usage, "%q is no shard: give i/n with 1 ≤ i ≤ n ≤ 10000, such as 3/16", text)
	}
	*v = shard{i, n}
	return nil
}

// size is a number of bytes with an optional unit.
type size int64

func (v *size) String() string {
	if *v == 0 {
		return ""
	}
	if *v%(1<<20) == 0 {
		return fmt.Sprintf("%dMiB", *v>>20)
	}
	return strconv.FormatInt(int64(*v), 10)
}
func (v *size) Type() string { return "bytes" }
func (v *size) Set(text string) error {
	digits := strings.TrimRight(text, "kKMGTiB")
	units := map[string]int64{"": 1, "B": 1, "KiB": 1 << 10, "kB": 1e3, "KB": 1e3, "Ki": 1 << 10, "K": 1 << 10, "MiB": 1 << 20, "MB": 1e6, "Mi": 1 << 20, "M": 1 << 20, "GiB": 1 << 30, "GB": 1e9, "Gi": 1 << 30, "G": 1 << 30}
	unit, ok := units[text[len(digits):]]
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 || n > math.MaxInt64/unit {
		return fail.New(fail.Usage, "%q is no size: give a number with a unit, such as 512MiB", text)
	}
	*v = size(n * unit)
	return nil
}
