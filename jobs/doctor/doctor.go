// Package doctor tries every precondition of a run for real, before payday
// does: the archive is listed and read, staging written and written again, the
// warehouse asked, a row copied by the role. Each check says what was found,
// what a failure means, and the exact fix. What it writes it takes away again;
// with CreateTable it also creates the missing table.
package doctor

import (
	"context"
	"strings"
	"time"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/jobs/workspace"
)

// Status is how a check ended.
type Status string

// The outcomes of a check.
const (
	OK      Status = "ok"
	Warning Status = "warning" // a run can work, a person should look
	Failed  Status = "failed"
	Skipped Status = "skipped" // not tried, because an earlier check failed
)

// Check is one precondition.
type Check struct {
	Name   string    `json:"name"`
	Status Status    `json:"status"`
	Found  string    `json:"found"`           // what was seen
	Means  string    `json:"means,omitempty"` // unless ok: what it means for a run
	Fix    string    `json:"fix,omitempty"`   // unless ok: what mends it
	Code   fail.Code `json:"code,omitempty"`  // of a failure
}

// Result is all checks, in the order in which they were tried.
type Result struct {
	Checks []Check `json:"checks"`
	worst  error
}

// Err is the failure whose exit code is the doctor's: the one that a person
// should mend first. Data and usage come before what a retry may mend.
func (r *Result) Err() error { return r.worst }

// Options say what to look at.
type Options struct {
	Window      kafka.Window // zero: whether a window is settled isn't asked
	CreateTable bool
	Memory      int64  // bytes the process may use; 0: no limit
	Disk        int64  // bytes of files it may write; 0: no limit
	TempDir     string // where files go
	Connect     Connect
}

// Connect opens a session of the warehouse and says how to close it.
type Connect func(context.Context) (s publish.Session, done func(), err error)

// limits of a check of the archive.
const (
	sampleKeys    = 1000
	sampleObjects = 4
	sampleRecords = 500 // of each object
)

// mostSkew is the most that two clocks may differ: S3 refuses requests that are
// signed 15 minutes off, and a wrong clock makes windows look settled.
const mostSkew = time.Minute

// doctor examines one dataset.
type doctor struct {
	w      *workspace.Workspace
	o      Options
	result Result

	sample *workspace.Sample
	kms    bool // staging is encrypted by a KMS key
}

// Examine tries everything. Checks that an earlier failure makes pointless are
// skipped and said so. The error is a stop alone: failures stand in the result.
func Examine(ctx context.Context, w *workspace.Workspace, o Options) (*Result, error) {
	d := &doctor{w: w, o: o}
	d.pass("dataset", "compiled: "+w.Dataset.Name+" into "+w.TargetName())
	d.archive(ctx)
	parquet := d.staging(ctx)
	d.warehouse(ctx, parquet)
	d.machine(ctx)
	return &d.result, ctx.Err()
}

func (d *doctor) pass(name, found string) bool {
	d.result.Checks = append(d.result.Checks, Check{Name: name, Status: OK, Found: found})
	return true
}

func (d *doctor) skip(name, why string) {
	d.result.Checks = append(d.result.Checks, Check{Name: name, Status: Skipped, Found: why})
}

func (d *doctor) warn(name, found, means, fix string) {
	d.result.Checks = append(d.result.Checks, Check{Name: name, Status: Warning, Found: found, Means: means, Fix: fix})
}

// check records how something ended.
func (d *doctor) check(name, found string, err error, means, right string) bool {
	return !d.fails(name, err, means, right) && d.pass(name, found)
}

// fails records a failure, if there is one. right is the statement that gives a
// missing right, for which it is more exact than the error's own hint.
func (d *doctor) fails(name string, err error, means, right string) bool {
	if err == nil {
		return false
	}
	code, fix := fail.CodeOf(err), fail.HintOf(err)
	if code == fail.Permission && right != "" {
		fix = strings.TrimSpace(fix + "\n" + right)
	}
	if fix == "" {
		fix = "run `backfill explain " + string(code) + "`"
	}
	d.result.Checks = append(d.result.Checks, Check{Name: name, Status: Failed, Found: err.Error(), Means: means, Fix: fix, Code: code})
	if d.result.worst == nil || rank(err) > rank(d.result.worst) {
		d.result.worst = err
	}
	return true
}

// rank orders failures: one that needs a person is worse than one that a retry
// may mend.
func rank(err error) int {
	switch fail.ExitOf(err) {
	case fail.ExitIncomplete:
		return 1
	case fail.ExitEnvironment:
		return 2
	case fail.ExitData, fail.ExitBreak:
		return 3
	case fail.ExitUsage:
		return 4
	}
	return 5
}
