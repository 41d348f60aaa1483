package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"backfill/internal/sandbox/redshiftd"
	"backfill/internal/sandbox/s3d"
)

// The fault matrix: every operation of a run, in each mode, meets every kind
// of fault. After it the same command is run again, and then table, ledger and
// receipts must equal those of the run that met none.

// matrixWorld is the archive of the fault matrix: two partitions of four
// objects, and so eight chunks; three days, and so three slices.
func matrixWorld(t *testing.T, h *harness) *world {
	t.Helper()
	w := newWorld("matrix", 2)
	for p := range 2 { // what an earlier load brings
		w.add(p, event{id: fmt.Sprintf("february-%d", p), version: 1, at: time.Date(2026, 2, 1, 12, p, 0, 0, time.UTC), cents: 77, currency: "EUR", note: "earlier"})
	}
	base := time.Date(2026, 3, 6, 8, 0, 0, 0, time.UTC) // a day before the window
	for i := range 240 {
		e := event{id: fmt.Sprintf("k%03d", i), version: 2, at: base.Add(time.Duration(i)*29*time.Minute + 123456*time.Microsecond),
			cents: int64(i*i*7 - 3000), currency: []string{"EUR", "USD"}[i%2], note: fmt.Sprintf("note %d äß", i)}
		w.add(i%2, e)
		if i%20 == 7 {
			e.version, e.cents = 3, e.cents+1
			w.add(i%2, e)
		}
		if i%60 == 59 {
			w.flush(t, h)
		}
	}
	return w
}

// matrixTable plants what stands in the table before: rows of the window that
// the load replaces or completes, and rows that nothing may touch.
func matrixTable(t *testing.T, l *lane, w *world) {
	t.Helper()
	var statements []string
	for i, r := range w.visible() {
		e := r.event
		inside := e.at.After(time.Date(2026, 3, 7, 8, 0, 0, 0, time.UTC)) && e.at.Before(time.Date(2026, 3, 10, 7, 0, 0, 0, time.UTC))
		if i%3 > 0 || e.version > 2 || !inside {
			continue
		}
		e.version, e.cents, e.note = 1, e.cents-5, "before"
		statements = append(statements, e.insert("payroll", "stream"))
	}
	from, to := time.Date(2026, 3, 7, 8, 0, 0, 0, time.UTC), time.Date(2026, 3, 10, 7, 0, 0, 0, time.UTC)
	for i, at := range []time.Time{from.Add(-time.Microsecond), to} {
		statements = append(statements, event{id: fmt.Sprintf("neighbour-%d", i), version: 9, at: at, cents: 100, currency: "USD", note: "neighbour"}.insert("payroll", "stream"))
	}
	statements = append(statements,
		event{id: "k100", version: 9, at: from.Add(30 * time.Hour), cents: 100, currency: "USD", note: "another scope"}.insert("manual", "finance"),
		"UPDATE payroll.events SET more = JSON_PARSE('{\"kept\": [1, 2.50, \"ä\"]}') WHERE note IN ('neighbour', 'another scope')")
	l.sql(t, statements...)
}

// matrix is one mode's faultless run and what the faults are measured against.
type matrix struct {
	matrixMode
	args    []string
	before  []string // the table
	after   state
	verdict string
	ops     map[string]int64 // by server
}

// faultless saves the mode's starting state in the lane and runs the command.
func (m matrixMode) faultless(t *testing.T, l *lane, file string) *matrix {
	t.Helper()
	x := &matrix{matrixMode: m, args: m.command(file), ops: map[string]int64{}}
	if m.undoes {
		x.exit = 0
	}
	l.restore(t, m.name)
	var err error
	if x.before, err = l.committed(); err != nil {
		t.Fatal(err)
	}
	tr := &trap{lane: l}
	tr.set(t)
	o := l.run(t, x.exit, x.args...)
	l.unwatch()
	x.ops["s3"], x.ops["sql"], x.verdict, x.after = tr.s3Seen.Load(), tr.sqlSeen.Load(), o.result.Verdict, l.state(t)
	if m.chunks > 0 && (o.result.Chunks != m.chunks || o.result.Slices != len(m.borders)-1) {
		t.Fatalf("%d chunks and %d slices, want %d and %d", o.result.Chunks, o.result.Slices, m.chunks, len(m.borders)-1)
	}
	return x
}

// kind is a kind of fault.
type kind string

const (
	failsBefore kind = "fails_before" // refused, and refused again whenever it is repeated
	failsAfter  kind = "fails_after"  // done, and answered with an error
	isCut       kind = "cut"          // done, and the connection ends without an answer
	isKilled    kind = "killed"       // done, and the worker gets SIGKILL before the answer
)

func kinds() []kind { return []kind{failsBefore, failsAfter, isCut, isKilled} }

// fault is one cell of the matrix.
type fault struct {
	server string
	n      int64
	kind   kind
}

func (f fault) String() string { return fmt.Sprintf("%s_%03d_%s", f.server, f.n, f.kind) }

// trap counts the worker's operations, springs at one of them, and looks at
// the table whenever something was committed.
type trap struct {
	fault
	lane            *lane
	k               killer
	s3Seen, sqlSeen atomic.Int64
	mu              sync.Mutex
	hit             int64  // number of the operation at which it sprang
	what            string // that operation
	seen            [][]string
	err             error
}

func (tr *trap) set(t *testing.T) {
	t.Helper()
	tr.lane.watch(t, tr.onS3Op, tr.onSQLOp)
}

func (tr *trap) onS3Op(op s3d.Op) s3d.Action {
	n := tr.s3Seen.Load()
	if op.Phase == s3d.Before {
		n = tr.s3Seen.Add(1)
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	what := strings.Join([]string{op.Kind, op.Bucket, op.Key, op.Query}, " ")
	if tr.server == "s3" && op.Phase == s3d.Before && n == tr.n {
		tr.hit, tr.what = op.Number, what
	}
	if tr.server != "s3" || tr.hit == 0 || tr.hit != op.Number && (tr.kind != failsBefore || what != tr.what) {
		return s3d.Continue
	}
	switch {
	case op.Phase == s3d.Before && tr.kind == failsBefore:
		if tr.n%8 == 0 { // the slow way to fail: the client repeats it for half a minute
			return []s3d.Action{s3d.Unavailable503, s3d.Fail500, s3d.SlowDown503}[tr.n/8%3]
		}
		return s3d.ExpiredToken
	case op.Phase == s3d.After && tr.kind == failsAfter:
		return s3d.Fail500
	case op.Phase == s3d.After && tr.kind == isCut:
		return s3d.Cut
	case op.Phase == s3d.After && tr.kind == isKilled:
		tr.k.kill()
		return s3d.Cut
	}
	return s3d.Continue
}

func (tr *trap) onSQLOp(op redshiftd.Op) redshiftd.Action {
	if tr.lane.isReader(op.Session) {
		return redshiftd.Continue
	}
	n := tr.sqlSeen.Load()
	if op.Phase == redshiftd.Before {
		n = tr.sqlSeen.Add(1)
	}
	if op.Phase == redshiftd.After && changes(op) {
		tr.look()
	}
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.server == "sql" && op.Phase == redshiftd.Before && n == tr.n {
		tr.hit, tr.what = op.Number, op.SQL
	}
	if tr.server != "sql" || tr.hit != op.Number {
		return redshiftd.Continue
	}
	// In the middle of a COPY is a place of its own.
	late := redshiftd.After
	if op.Kind == "COPY" && tr.n%2 == 0 {
		late = redshiftd.During
	}
	errors := []redshiftd.Action{redshiftd.Conflict, redshiftd.Shutdown, redshiftd.Deadlock, redshiftd.Resize}
	switch {
	case op.Phase == redshiftd.Before && tr.kind == failsBefore:
		return errors[tr.n%4]
	case op.Phase == late && tr.kind == failsAfter:
		return errors[tr.n%4]
	case op.Phase == late && tr.kind == isCut:
		return redshiftd.Cut
	case op.Phase == late && tr.kind == isKilled:
		tr.k.kill()
		return redshiftd.Cut
	}
	return redshiftd.Continue
}

// changes tells whether rows of the table may look otherwise to others after
// the statement.
func changes(op redshiftd.Op) bool {
	return op.Kind == "COMMIT" || strings.Contains(op.SQL, `"payroll"."events"`) &&
		slices.Contains([]string{"INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE TABLE", "ALTER TABLE", "DROP TABLE"}, op.Kind)
}

// look keeps what is committed now.
func (tr *trap) look() {
	rows, err := tr.lane.committed()
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if err != nil {
		tr.err = err
		return
	}
	tr.seen = append(tr.seen, rows)
}

// whole checks that everything that could be seen was whole: each slice as
// before or as after, never between and never back, and the rest untouched.
func (x *matrix) whole(tr *trap) error {
	if tr.err != nil {
		return fmt.Errorf("looking at the table: %w", tr.err)
	}
	before, rest := cut(x.before, x.borders)
	after, _ := cut(x.after.table, x.borders)
	done := make([]bool, len(before))
	for _, rows := range tr.seen {
		now, others := cut(rows, x.borders)
		if !slices.Equal(others, rest) {
			return fmt.Errorf("rows outside the window or scope changed: %s", firstDifference(others, rest))
		}
		changed := 0
		for i := range now {
			switch {
			case slices.Equal(now[i], after[i]):
				done[i] = true
				changed++
			case !slices.Equal(now[i], before[i]):
				return fmt.Errorf("slice %d was seen half changed: %s", i, firstDifference(now[i], after[i]))
			case done[i]:
				return fmt.Errorf("slice %d was changed back", i)
			}
		}
		if x.atomic && changed != 0 && changed != len(now) {
			return fmt.Errorf("%d of %d slices were changed, and --atomic was said", changed, len(now))
		}
	}
	return nil
}

// meet runs the command into one fault and then again to its end.
func (x *matrix) meet(t *testing.T, l *lane, f fault) string {
	l.restore(t, x.name)
	tr := &trap{fault: f, lane: l}
	tr.set(t)
	ready := make(chan struct{})
	cmd, wait := l.startHeld(t, ready, x.args...)
	tr.k.cmd.Store(cmd)
	close(ready)
	o := wait()
	if tr.hit == 0 {
		t.Fatalf("the run has no operation %d of %s any more\n%s", f.n, f.server, o.stderr)
	}
	fate := fmt.Sprintf("exit %d", o.exit)
	switch {
	case f.kind == isKilled && o.exit != -1:
		t.Errorf("the worker ended with exit code %d before it was killed\n%s", o.exit, o.stderr)
	case f.kind == isKilled:
		fate = "killed"
	case o.exit != x.exit && o.exit != 3:
		t.Errorf("exit code %d after %s; want %d, or 3 for a retry\n%s", o.exit, tr.what, x.exit, o.stderr)
	case o.exit == 3 && o.result.Hint == "":
		t.Errorf("the message does not say what to do after %s\n%s", tr.what, o.stderr)
	}
	tr.fault = fault{}
	for try := 1; o.exit != x.exit; try++ {
		o = l.again(t, x.args)
		if o.exit != x.exit && try == 3 {
			t.Fatalf("exit code %d at try %d after %s\n%s", o.exit, try, tr.what, o.stderr)
		}
	}
	l.unwatch()
	if err := x.whole(tr); err != nil {
		t.Errorf("%v; the fault was at %s", err, tr.what)
	}
	now, want := l.state(t), x.after
	if x.repairs {
		linked(t, l)
		now, want = now.unreported(), want.unreported()
	}
	if d := now.differs(want); d != "" {
		t.Errorf("%s; the fault was at %s", d, tr.what)
	}
	if o.result.Verdict != x.verdict {
		t.Errorf("verdict %q, want %q; the fault was at %s\n%s", o.result.Verdict, x.verdict, tr.what, o.stderr)
	}
	return fate
}
