package main

import (
	"math"
	"strings"
	"testing"

	"backfill/internal/timing"
)

// TestWhereTheTimeGoes: a run tells per stage what it took, names its limit in
// the result and the log's last line, and status finds it in staging.
func TestWhereTheTimeGoes(t *testing.T) {
	h := shared
	a, args := small(t, h, "timed", "--chunk-bytes", "16KiB")
	o := h.run(t, 0, append([]string{"run", "--log-level", "debug"}, args...)...)
	spent := o.result.Timing
	if spent == nil || spent.Process == nil {
		t.Fatalf("no timing: %s", o.stdout)
	}
	stages, shares := map[string]timing.Spent{}, 0.0
	for _, s := range spent.Stages {
		stages[s.Stage], shares = s, shares+s.Share
	}
	for _, s := range []timing.Stage{timing.List, timing.Receipts, timing.Connect, timing.Lock, timing.Copy, timing.Check, timing.Rows, timing.Winners, timing.Change, timing.Commit,
		timing.Decompress, timing.Decode, timing.Account, timing.Encode, timing.Claim} {
		if stages[s.String()].Busy <= 0 || stages[s.String()].Calls == 0 {
			t.Errorf("%s took no time: %+v", s, stages[s.String()])
		}
	}
	if math.IsNaN(shares) || shares <= 0 || shares > 1.0001 {
		t.Errorf("the shares of the wall time add up to %v", shares)
	}
	if got := stages["decode"].Rows; got != o.result.Records {
		t.Errorf("%d records were decoded, %d read", got, o.result.Records)
	}
	if got := stages["copy"].Rows; got != o.result.Staged || stages["encode"].Rows != got || stages["account"].Rows != got {
		t.Errorf("rows of copy %d, encode %d, account %d; %d were staged", got, stages["encode"].Rows, stages["account"].Rows, o.result.Staged)
	}
	if stages["fetch"].Bytes < o.result.Bytes || stages["decompress"].Bytes <= stages["fetch"].Bytes || stages["upload"].Bytes == 0 {
		t.Errorf("fetch %d of %d, decompress %d, upload %d bytes", stages["fetch"].Bytes, o.result.Bytes, stages["decompress"].Bytes, stages["upload"].Bytes)
	}
	for _, s := range []timing.Stage{timing.Copy, timing.Commit} {
		if stages[s.String()].Allocs == nil {
			t.Errorf("%s has no allocations", s)
		}
	}
	if a := stages["decode"].Allocs; a != nil {
		t.Errorf("decode has allocations of its own: %+v", *a)
	}
	if l := spent.Lanes; l == nil || l.Bytes == 0 || l.Objects == 0 || l.Bytes > spent.Process.Allocated || l.Objects > spent.Process.Objects {
		t.Errorf("while lanes worked %+v were allocated, of the process's %+v", l, *spent.Process)
	}
	lines := strings.Split(strings.TrimSpace(o.stderr), "\n")
	if last := lines[len(lines)-1]; last != "DEBUG where the time went: "+spent.String() {
		t.Errorf("last line %q", last)
	}
	table := args[len(args)-4:]
	look := h.run(t, 0, append([]string{"status", o.result.Run, "--dataset", a.dataset}, table...)...)
	work := look.result.Status.Plans[0].Work
	if len(work) != 1 || work[0].Command != "run" || work[0].Exit != 0 || work[0].Timing.String() != spent.String() {
		t.Errorf("status shows %+v", work)
	}
}
