package publish

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

func TestReplaceWindow(t *testing.T) {
	s := newScene(t)
	got, err := s.publish()
	if err != nil {
		t.Fatal(err)
	}
	if diff := s.w.target.compare(s.want(t), s.w.table); len(diff) > 0 {
		t.Errorf("the table differs: %v", diff)
	}
	if len(s.w.ledger) != 3 || len(s.r.list) != 3 || got.Copied != 11 || got.Done() {
		t.Fatalf("%d ledger rows, %d receipts, result %+v", len(s.w.ledger), len(s.r.list), got)
	}
	first := got.Slices[0]
	if first.Stage != 5 || first.Superseded != 1 || first.Deleted != 1 || first.Inserted != 4 || first.ReceiptKey != "receipts/0" {
		t.Errorf("first slice: %+v", first)
	}
	row := s.w.ledger[0]
	wantRow := LedgerRow{
		Change: 1, Kind: KindLoad, Target: "payroll.events", Seq: 7, Attempt: "attempt1", Window: window(t, "2024-01-30", "2024-01-31"), DayFrom: dayOf(t, "2024-01-30"), DayTo: dayOf(t, "2024-01-31"),
		Run: "run1", Dataset: "payroll_events", DatasetDigest: "d1", PlanKey: "plans/7", PlanDigest: row.PlanDigest,
		Scope: "source = 'payroll'", Mode: ReplaceWindow, RowsStage: 5, RowsSuperseded: 1, RowsDeleted: 1, RowsInserted: 4,
		TotalsDeleted:  `{"groups":[{"group":["USD"],"rows":1,"sums":{"gross_amount":"1.00"}}]}`,
		TotalsInserted: `{"groups":[{"group":["EUR"],"rows":2,"sums":{"gross_amount":"2.50"}},{"group":["USD"],"rows":2,"sums":{"gross_amount":"2.00"}}]}`,
		TotalsVanished: `{"groups":[]}`, Flags: "replan", Version: "1.2.3",
		Airflow: Airflow{DAG: "payday", Task: "load", Run: "manual__1", MapIndex: -1, Try: 2},
		Reason:  "late files", RequestedBy: "finance", Image: "backfill:1", ReceiptKey: "receipts/0", ReceiptSHA256: strings.Repeat("a", 64),
	}
	if row != wantRow || len(row.PlanDigest) != 64 {
		t.Errorf("ledger row\n%+v\nwant\n%+v", row, wantRow)
	}
	receipt := s.r.list[0]
	if receipt.Seq != 7 || receipt.Attempt != "try" || sumRows(receipt.Stage) != 5 || sumRows(receipt.Inserted) != 4 ||
		sumRows(receipt.Deleted) != 1 || len(receipt.Queries) != 3 {
		t.Errorf("receipt: %+v", receipt)
	}
	var steps []Step
	for _, e := range s.log {
		steps = append(steps, e.Step)
	}
	if want := []Step{StepCopy, StepStage, StepWinners, StepGuard, StepSlice, StepSlice, StepSlice}; !slices.Equal(steps, want) {
		t.Errorf("steps %v", steps)
	}
	if e := s.log[4]; e.Slice != 1 || e.Slices != 3 || e.Rows != 4 || e.Replaced != 1 || e.Name != "2024-01-30" {
		t.Errorf("event %+v", e)
	}
}

func TestStatementsOfASlice(t *testing.T) {
	s := newScene(t)
	if _, err := s.publish(); err != nil {
		t.Fatal(err)
	}
	begin := slices.Index(s.w.log, "begin")
	end := slices.Index(s.w.log, "commit")
	want := []string{"begin", "lock", "read ledger", "last change", "guard", "read table", "delete", "insert", "read table", "receipt", "columns", "last change", "insert ledger", "commit"}
	if got := s.w.log[begin : end+1]; !slices.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	before := []string{"columns", "create ledger", "read ledger", "create stage", "copy", "read stage", "find twice", "count twice", "pick newest", "read ties", "drop twice", "put newest",
		"read rows", "last change", "meet outside", "count outside", "guard"}
	if got := s.w.log[:begin]; !slices.Equal(got, before) {
		t.Errorf("before the first slice: %v\nwant %v", got, before)
	}
	if tail := s.w.log[len(s.w.log)-2:]; !slices.Equal(tail, []string{"drop", "drop"}) {
		t.Errorf("temp tables stay: %v", tail)
	}
}

func TestSecondPublishDoesNothing(t *testing.T) {
	s := newScene(t)
	if _, err := s.publish(); err != nil {
		t.Fatal(err)
	}
	s.w.reconnect()
	got, err := s.publish()
	if err != nil || !got.Done() || got.Copied != 0 || got.Slices[0].Inserted != 4 {
		t.Fatalf("%+v, %v", got, err)
	}
	if want := []string{"columns", "read ledger"}; !slices.Equal(s.w.log, want) {
		t.Errorf("statements %v", s.w.log)
	}
}

// TestEveryStatementFails lets each statement fail, before and after it was
// executed, with the session staying and going away, and then runs the plan
// again in a new session. Whatever happens, the table is what the ledger
// says, and the second run ends with all rows exactly once.
func TestEveryStatementFails(t *testing.T) {
	for _, kind := range []struct {
		name       string
		late, lost bool
	}{{"before", false, false}, {"after", true, false}, {"before, connection lost", false, true}, {"after, connection lost", true, true}} {
		for _, newTarget := range []func(*testing.T) *scene{newScene, newAppend} {
			statements := 0
			for n := 1; n == 1 || n <= statements; n++ {
				s := newTarget(t)
				if statements == 0 {
					clean := newTarget(t)
					if _, err := clean.publish(); err != nil {
						t.Fatal(err)
					}
					statements = len(clean.w.log)
				}
				s.w.failAt, s.w.late, s.w.lost = n, kind.late, kind.lost
				s.w.failErr = fail.New(fail.Network, "injected")
				_, err := s.publish()
				name := fmt.Sprintf("%s, statement %d of %d (%s)", kind.name, n, statements, s.w.log[min(n, len(s.w.log))-1])
				checkLog(t, name, s.w.log, err)
				checkAgainstLedger(t, name, s)
				s.w.reconnect()
				if _, err := s.publish(); err != nil {
					t.Errorf("%s: the second run fails: %v", name, err)
				}
				if diff := s.w.target.compare(s.want(t), s.w.table); len(diff) > 0 {
					t.Errorf("%s: after the second run the table differs: %v", name, diff)
				}
				if len(s.w.ledger) != len(s.load.Head.Slices) {
					t.Errorf("%s: %d ledger rows", name, len(s.w.ledger))
				}
			}
		}
	}
}

// checkLog asserts the order of statements, whatever failed.
func checkLog(t *testing.T, name string, log []string, err error) {
	t.Helper()
	open, changed, receipt, ledger := false, false, false, false
	for i, kind := range log {
		switch kind {
		case "begin":
			if open {
				t.Errorf("%s: a transaction in a transaction: %v", name, log)
			}
			open, changed, receipt, ledger = true, false, false, false
			if i+1 < len(log) && log[i+1] != "lock" && log[i+1] != "rollback" && log[i+1] != "drop" {
				t.Errorf("%s: %s comes before the lock", name, log[i+1])
			}
		case "delete", "insert":
			changed = true
			if !open {
				t.Errorf("%s: %s without a transaction", name, kind)
			}
		case "receipt":
			receipt = true
			if !changed {
				t.Errorf("%s: the receipt comes before the change", name)
			}
		case "insert ledger":
			ledger = true
			if !receipt {
				t.Errorf("%s: the ledger row comes before the receipt", name)
			}
		case "commit":
			if !open || !ledger {
				t.Errorf("%s: a commit without a ledger row: %v", name, log)
			}
			open = false
		case "rollback":
			open = false
		}
	}
	if err == nil && open {
		t.Errorf("%s: a transaction stays open: %v", name, log)
	}
	// A session that is gone can't be asked, and a BEGIN that failed opened nothing.
	if err != nil && open && !strings.Contains(name, "lost") && !strings.Contains(name, "(begin)") {
		t.Errorf("%s: no rollback: %v", name, log)
	}
}

// checkAgainstLedger asserts that committed slices are new and others are old.
func checkAgainstLedger(t *testing.T, name string, s *scene) {
	t.Helper()
	s.w.restore()
	fresh := newScene(t)
	if s.t.Mode == Append {
		fresh = newAppend(t)
	}
	want := account.Cells{}
	done := func(d kafka.Day) bool {
		return slices.ContainsFunc(s.w.ledger, func(r LedgerRow) bool { return r.Window.IsAll() || (d >= r.DayFrom && d < r.DayTo) })
	}
	if err := want.Merge(pick(s.want(t), done)); err != nil {
		t.Fatal(err)
	}
	if err := want.Merge(pick(fresh.w.table, func(d kafka.Day) bool { return !done(d) })); err != nil {
		t.Fatal(err)
	}
	if diff := s.w.target.compare(want, s.w.table); len(diff) > 0 {
		t.Errorf("%s: table and ledger disagree: %v", name, diff)
	}
}

func TestConflictIsTriedAgain(t *testing.T) {
	for _, conflicts := range []int{1, 4, 5} {
		s := newScene(t)
		left := conflicts
		s.w.onKind = func(kind string) error {
			if kind == "insert" && left > 0 {
				left--
				return fail.New(fail.Conflict, "1023")
			}
			return nil
		}
		_, err := s.publish()
		copies := 0
		for _, kind := range s.w.log {
			if kind == "copy" {
				copies++
			}
		}
		if copies != 1 {
			t.Errorf("%d conflicts: the stage was filled %d times", conflicts, copies)
		}
		if conflicts < maxTries {
			if err != nil {
				t.Errorf("%d conflicts: %v", conflicts, err)
			}
			continue
		}
		if !fail.Is(err, fail.Conflict) || left != 0 {
			t.Errorf("%d conflicts: %v", conflicts, err)
		}
		if want := "changing slice 1 of 3 (2024-01-30): inserting the new rows: 1023"; err.Error() != want {
			t.Errorf("got %q\nwant %q", err, want)
		}
	}
}

// Redshift may find a conflict at any statement, at COMMIT too.
func TestConflictAnywhereInASlice(t *testing.T) {
	for _, at := range []string{"begin", "lock", "read ledger", "guard", "read table", "delete", "insert ledger", "commit"} {
		s, once, inSlice := newScene(t), false, false
		s.w.onKind = func(kind string) error {
			inSlice = inSlice || kind == "begin"
			if inSlice && kind == at && !once {
				once = true
				return fail.New(fail.Conflict, "1023")
			}
			return nil
		}
		if _, err := s.publish(); err != nil || !once {
			t.Errorf("at %s: %v", at, err)
		}
		if diff := s.w.target.compare(s.want(t), s.w.table); len(diff) > 0 || len(s.w.ledger) != 3 {
			t.Errorf("at %s: %v, %d ledger rows", at, diff, len(s.w.ledger))
		}
	}
}

func TestConflictStopsWithTheContext(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithCancel(context.Background())
	s.w.onKind = func(kind string) error {
		if kind != "insert" {
			return nil
		}
		cancel()
		return fail.New(fail.Conflict, "1023")
	}
	if _, err := s.publishIn(ctx); fail.ExitOf(err) != fail.ExitTerminated {
		t.Errorf("%v", err)
	}
}

func TestProofsFail(t *testing.T) {
	tests := []struct {
		name    string
		arrange func(*scene)
		code    fail.Code
		want    string
	}{
		{"COPY loads fewer rows", func(s *scene) { s.w.truncate = true }, fail.Break,
			"s3://lake/backfill/manifest.json: COPY loaded 10 rows, the receipts have 11; nothing was changed"},
		{"the stage differs", func(s *scene) {
			s.load.Expected = account.Cells{}
			for p, c := range s.w.parquet {
				s.load.Expected[p] = c.Clone()
			}
			s.load.Expected[at(t, 0, "2024-01-31", 0, "USD")].Sums[0] = account.FromInt64(1001)
			s.load.Expected[at(t, 0, "2024-02-01", 0, "\x00")].Lane1 = account.FromInt64(0)
		}, fail.Break, "payroll.events: the stage differs from the receipts, nothing was changed: " +
			"payroll.events/0 2024-01-31 bucket 0 USD: gross_amount 10.01 in the receipts, 10.00 in the stage; " +
			"payroll.events/0 2024-02-01 bucket 0 null: the content of 1 rows differs between the receipts and the stage (hash lanes)"},
		{"the table holds something else", func(s *scene) {
			s.w.inserted = account.Cells{at(t, 1, "2024-01-30", -2, "EUR"): cell(2, 250)}
		}, fail.Break, "changing slice 1 of 3 (2024-01-30): payroll.events: the table differs from what was inserted, nothing was changed: " +
			"payroll.events/0 2024-01-30 bucket 1 USD: rows 2 in the stage, 0 in the table, gross_amount 2.00 in the stage, 0.00 in the table, " +
			"values of gross_amount 2 in the stage, 0 in the table, rows with an offset 2 in the stage, 0 in the table, sum of offsets 200 in the stage, 0 in the table"},
		{"a row is lost with the older versions", func(s *scene) {
			s.w.winners, s.w.mislaid = pick(s.w.winners, func(d kafka.Day) bool { return d != dayOf(t, "2024-02-01") }), 1
		}, fail.Break, "payroll.events: 9 rows are left of 11 staged ones without 1 older versions; nothing was changed"},
		{"fewer rows are put back than keys stand twice", func(s *scene) { s.w.miscount = "put newest" }, fail.Break,
			"picking the newest row of each key: payroll.events: 1 keys stand more than once, 2 of their rows were taken and 2 put back; nothing was changed"},
		{"rows would vanish", func(s *scene) {
			s.w.vanish = account.Cells{at(t, 0, "2024-01-30", 1, "USD"): cell(2, 12345), at(t, 0, "2024-02-01", 1, "EUR"): cell(1, 5)}
			s.load.AllowVanish = 2
		}, fail.Vanish, "payroll.events: 3 rows would vanish, 2 are allowed: EUR 1 rows, gross_amount 0.05; " +
			"USD 2 rows, gross_amount 123.45; on 2024-01-30, 2024-02-01; nothing was changed"},
		{"a newer plan was there", func(s *scene) {
			s.w.tables["events"+LedgerSuffix] = true
			s.w.ledger = []LedgerRow{{Seq: 8, Run: "run2", Scope: "all", Mode: ReplaceWindow, Window: window(t, "2024-01-31", "2024-02-05")}}
		}, fail.Stale, "payroll.events: plan 8 of run run2 changed 2024-01-31 after plan 7 was sealed"},
		{"the number is another plan's", func(s *scene) {
			s.w.tables["events"+LedgerSuffix] = true
			s.w.ledger = []LedgerRow{{Seq: 7, Run: "run1", Attempt: "other", Window: window(t, "2024-01-30", "2024-01-31")}}
		}, fail.Corrupt, "payroll.events: the ledger has plan 7 of run run1 under this plan's number"},
		{"more rows are deleted than counted", func(s *scene) { s.w.miscount = "delete" }, fail.Break,
			"changing slice 1 of 3 (2024-01-30): payroll.events: 2 rows were deleted, 1 were counted before; nothing was changed"},
		{"more rows are inserted than staged", func(s *scene) { s.w.miscount = "insert" }, fail.Break,
			"changing slice 1 of 3 (2024-01-30): payroll.events: 5 rows were inserted, 4 were to be; nothing was changed"},
		{"two ledger rows", func(s *scene) { s.w.miscount = "insert ledger" }, fail.Internal,
			"changing slice 1 of 3 (2024-01-30): writing the ledger changed 2 rows"},
		{"the receipt can't be written", func(s *scene) { s.r.err = errInjected }, fail.Internal,
			"changing slice 1 of 3 (2024-01-30): writing the slice's receipt: injected"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newScene(t)
			test.arrange(s)
			before := len(s.w.ledger)
			_, err := s.publish()
			if !fail.Is(err, test.code) || err.Error() != test.want {
				t.Errorf("got  %v (%s)\nwant %s (%s)", err, fail.CodeOf(err), test.want, test.code)
			}
			if diff := s.w.target.compare(newScene(t).w.table, s.w.table); len(diff) > 0 || len(s.w.ledger) != before {
				t.Errorf("something was changed: %v", diff)
			}
			if slices.Contains(s.w.log, "commit") {
				t.Errorf("a commit: %v", s.w.log)
			}
		})
	}
}

func TestNewerPlanDuringTheLoad(t *testing.T) {
	s := newScene(t)
	s.w.onKind = func(kind string) error {
		if kind == "create stage" {
			s.w.ledger = append(s.w.ledger, LedgerRow{Seq: 9, Run: "run3", Scope: "source = 'payroll'", Window: window(t, "2024-01-30", "2024-01-31")})
		}
		return nil
	}
	_, err := s.publish()
	if !fail.Is(err, fail.Stale) || slices.Contains(s.w.log, "delete") {
		t.Errorf("%v after %v", err, s.w.log)
	}
	other := newScene(t)
	other.w.tables["events"+LedgerSuffix] = true
	other.w.ledger = []LedgerRow{{Seq: 9, Scope: "source = 'benefits'", Window: window(t, "2024-01-30", "2024-01-31")}}
	if _, err := other.publish(); err != nil {
		t.Errorf("another scope is not in the way, but: %v", err)
	}
}

func TestAnotherPodCommitsFirst(t *testing.T) {
	s, twin := newScene(t), newScene(t)
	if _, err := twin.publish(); err != nil {
		t.Fatal(err)
	}
	s.w.onKind = func(kind string) error {
		if kind == "create stage" {
			s.w.ledger, s.w.table = twin.w.ledger, twin.w.table
		}
		return nil
	}
	got, err := s.publish()
	if err != nil || !got.Done() || got.Copied != 11 {
		t.Fatalf("%+v, %v", got, err)
	}
	if slices.Contains(s.w.log, "delete") || slices.Contains(s.w.log, "commit") {
		t.Errorf("slices were changed twice: %v", s.w.log)
	}
}

func TestVanishIsOneAllowance(t *testing.T) {
	s := newScene(t)
	s.w.vanish = account.Cells{at(t, 0, "2024-01-30", 1, "USD"): cell(1, 100), at(t, 0, "2024-01-31", 0, "USD"): cell(2, 200)}
	s.load.AllowVanish = 3
	got, err := s.publish()
	if err != nil || got.Slices[0].Vanished != 1 || got.Slices[1].Vanished != 2 || s.w.ledger[1].Flags != "allow_vanish=3 replan" || !strings.Contains(s.w.ledger[1].TotalsVanished, `"2.00"`) {
		t.Fatalf("%+v, %v", got, err)
	}
	// What vanished with an earlier slice is used up.
	s = newScene(t)
	s.w.vanish = account.Cells{at(t, 0, "2024-01-30", 1, "USD"): cell(1, 100)}
	s.load.AllowVanish = 1
	s.w.onKind = func(kind string) error {
		if kind == "commit" && len(s.w.ledger) == 1 {
			s.w.vanish[at(t, 0, "2024-01-31", 0, "USD")] = cell(1, 100)
		}
		return nil
	}
	_, err = s.publish()
	want := "changing slice 2 of 3 (2024-01-31): payroll.events: 1 rows would vanish, 1 are allowed and 1 have vanished with earlier slices: " +
		"USD 1 rows, gross_amount 1.00; on 2024-01-31; nothing was changed"
	if err == nil || err.Error() != want || !strings.Contains(fail.HintOf(err), "--allow-vanish 2") {
		t.Errorf("got  %v\nwant %s\nhint %s", err, want, fail.HintOf(err))
	}
}

// What vanished before the program was started again counts, too.
func TestAllowanceSurvivesARestart(t *testing.T) {
	s := newScene(t)
	s.w.vanish = account.Cells{at(t, 0, "2024-01-30", 1, "USD"): cell(1, 100)}
	s.load.AllowVanish = 1
	commits := 0
	s.w.onKind = func(kind string) error {
		if kind == "begin" {
			if commits++; commits == 2 {
				return fail.New(fail.Network, "gone")
			}
		}
		return nil
	}
	if _, err := s.publish(); !fail.Is(err, fail.Network) || len(s.w.ledger) != 1 {
		t.Fatalf("%v, %d ledger rows", err, len(s.w.ledger))
	}
	s.w.reconnect()
	s.w.vanish[at(t, 0, "2024-02-01", 0, "USD")] = cell(1, 100)
	if _, err := s.publish(); !fail.Is(err, fail.Vanish) || !strings.Contains(fail.HintOf(err), "--allow-vanish 2") {
		t.Errorf("%v", err)
	}
}

func TestVanishWithoutKey(t *testing.T) {
	s := newScene(t)
	s.t.Key, s.t.LatestBy = nil, nil
	s.w.target = mustCompile(t, s.t)
	s.w.parquet = unbucketed(t, s.w.parquet)
	s.load.Expected = s.w.parquet
	s.w.table = unbucketed(t, s.w.table)
	s.w.table[at(t, 1, "2024-01-31", 0, "EUR")] = cell(1, 77)
	_, err := s.publish()
	want := "payroll.events: 1 rows would vanish, 0 are allowed: EUR 1 rows, gross_amount 0.77; on 2024-01-31; nothing was changed"
	if !fail.Is(err, fail.Vanish) || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	s.w.reconnect()
	s.load.AllowVanish = 1
	if got, err := s.publish(); err != nil || got.Slices[1].Vanished != 1 || got.Slices[0].Superseded != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if slices.Contains(s.w.log, "find twice") {
		t.Error("versions without a key")
	}
}

func unbucketed(t *testing.T, cells account.Cells) account.Cells {
	out, err := cells.Fold(func(p account.Place) account.Place { p.Bucket = 0; return p })
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEmptyWindowDeletes(t *testing.T) {
	s := newScene(t)
	s.w.parquet, s.w.winners = account.Cells{}, account.Cells{}
	s.load.Rows, s.load.Expected, s.load.ManifestURI = 0, account.Cells{}, ""
	s.w.vanish = account.Cells{at(t, 0, "2024-01-30", 1, "USD"): cell(1, 100), at(t, 0, "2024-01-31", 0, "USD"): cell(4, 800)}
	if _, err := s.publish(); !fail.Is(err, fail.Vanish) {
		t.Errorf("%v", err)
	}
	s.w.reconnect()
	s.load.AllowVanish = 5
	if _, err := s.publish(); err != nil || slices.Contains(s.w.log, "copy") || sumRows(s.w.table) != 9 {
		t.Errorf("%v, %v, %d rows", err, s.w.log, sumRows(s.w.table))
	}
}

func TestLoadsThatContradictThemselves(t *testing.T) {
	tests := []struct {
		name string
		edit func(*scene)
		want string
	}{
		{"no manifest", func(s *scene) { s.load.ManifestURI = "" }, "payroll.events: publishing a plan: 11 rows and no manifest"},
		{"counts", func(s *scene) { s.load.Rows = 12 }, "payroll.events: publishing a plan: the receipts' cells have 11 rows, the manifest 12"},
		{"other table", func(s *scene) { s.load.Head.Target = "a.b" }, "payroll.events: publishing a plan: the plan is for a.b"},
		{"gap", func(s *scene) { s.load.Head.Slices = s.load.Head.Slices[:2] }, "payroll.events: publishing a plan: the slices do not cover the window"},
		{"order", func(s *scene) { s.load.Head.Slices[1].Window.From++ }, "payroll.events: publishing a plan: slice 1 does not begin where the one before ends"},
		{"long", func(s *scene) { s.load.Head.Window = window(t, "2020-01-01", "2024-01-01") },
			"the window has 1461 days, at most 400 can be loaded at once"},
		{"vanish", func(s *scene) { s.load.AllowVanish = -1 }, "the number of rows that may vanish is negative: -1"},
		{"reason", func(s *scene) { s.load.Actor.Reason = strings.Repeat("x", 1025) }, "the reason has 1025 bytes, the ledger takes 1024 of UTF-8 without NUL"},
		{"requester", func(s *scene) { s.load.Actor.RequestedBy = "a\xff" }, "the requester has 2 bytes, the ledger takes 256 of UTF-8 without NUL"},
		{"mode", func(s *scene) { s.t.Mode = "merge" }, `payroll.events: mode "merge" is not known`},
		{"upsert without a version", func(s *scene) { s.t.Mode, s.t.LatestBy = Upsert, nil }, "payroll.events: mode upsert needs latest_by and provenance: they are a row's version"},
		{"insert_missing without a key", func(s *scene) { s.t.Mode, s.t.Key, s.t.LatestBy = InsertMissing, nil, nil }, "payroll.events: mode insert_missing needs a key"},
		{"append with event time", func(s *scene) { s.t.Mode = Append }, "payroll.events: mode append is for datasets without event time"},
		{"window column", func(s *scene) { s.t.WindowColumn = "x" }, "payroll.events: the window column x is none of the dataset's columns"},
		{"key", func(s *scene) { s.t.Key = []int{2} }, "payroll.events: the key column currency is not required: NULL is no identity"},
		{"name", func(s *scene) { s.t.Table = "Events" }, `the name "Events" is not lower-case, Redshift would fold it`},
		{"calendar", func(s *scene) { s.load.Calendar = nil }, "payroll.events: publishing a plan: no calendar"},
	}
	for _, test := range tests {
		s := newScene(t)
		test.edit(s)
		if _, err := s.publish(); err == nil || err.Error() != test.want || len(s.w.log) > 0 {
			t.Errorf("%s: got %v after %v\nwant %s", test.name, err, s.w.log, test.want)
		}
	}
}

func TestAppendNeedsItsObjects(t *testing.T) {
	s := newAppend(t)
	s.load.Objects = nil
	if _, err := s.publish(); err == nil || err.Error() != "payroll.events: publishing a plan: an append without objects could be loaded twice" {
		t.Errorf("%v", err)
	}
	s = newAppend(t)
	s.load.Objects = append(s.load.Objects, s.load.Objects[0])
	if _, err := s.publish(); err == nil || err.Error() != "changing slice 1 of 1 (all rows): s3://a/1: the plan names an object twice" {
		t.Errorf("%v", err)
	}
}

// Objects are written in portions that stay far below the limits of a statement.
func TestManyObjects(t *testing.T) {
	s := newAppend(t)
	s.load.Objects = nil
	for i := range 1001 {
		s.load.Objects = append(s.load.Objects, LoadedObject{URI: fmt.Sprint("s3://a/", i), ETag: "e"})
	}
	if _, err := s.publish(); err != nil || len(s.w.objects) != 1001 {
		t.Errorf("%v, %d objects", err, len(s.w.objects))
	}
	portions := 0
	for _, kind := range s.w.log {
		if kind == "insert objects" {
			portions++
		}
	}
	if portions != 3 {
		t.Errorf("%d statements", portions)
	}
}

func TestBackoff(t *testing.T) {
	for try := 1; try < maxTries; try++ {
		full := firstBackoff << (try - 1)
		if d := backoff(try); d < full/2 || d >= full {
			t.Errorf("try %d: %s of %s", try, d, full)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := sleepFor(ctx, firstBackoff<<20); err != context.Canceled {
		t.Error(err)
	}
	if err := sleepFor(context.Background(), 1); err != nil {
		t.Error(err)
	}
}

func TestLedgerReads(t *testing.T) {
	s := newScene(t)
	ctx := context.Background()
	w := window(t, "2024-01-30", "2024-02-02")
	if rows, err := Ledger(ctx, s.w, s.t, w); err != nil || rows != nil {
		t.Errorf("without a ledger: %v, %v", rows, err)
	}
	if _, err := s.publish(); err != nil {
		t.Fatal(err)
	}
	s.w.ledger = append(s.w.ledger, LedgerRow{Scope: "source = 'benefits'"})
	rows, err := Ledger(ctx, s.w, s.t, w)
	if err != nil || !reflect.DeepEqual(rows, s.w.ledger[:3]) {
		t.Errorf("%v\n%+v", err, rows)
	}
	n, err := WindowRows(ctx, s.w, s.t, w)
	if err != nil || n != 10 {
		t.Errorf("%d rows, %v", n, err)
	}
	cells, err := TableCells(ctx, s.w, s.t, w, utc())
	if err != nil || len(s.w.target.compare(s.w.winners, cells)) > 0 {
		t.Errorf("%v, %v", cells, err)
	}
	s.w.onKind = func(string) error { return fail.New(fail.Network, "gone") }
	for _, read := range []func() error{
		func() error { _, err := Ledger(ctx, s.w, s.t, w); return err },
		func() error { _, err := WindowRows(ctx, s.w, s.t, w); return err },
		func() error { _, err := TableCells(ctx, s.w, s.t, w, utc()); return err },
		func() error { _, err := LoadedObjects(ctx, s.w, s.t); return err },
	} {
		if err := read(); !fail.Is(err, fail.Network) {
			t.Errorf("%v", err)
		}
	}
}

// newAppend is a plan of two objects over a table of nine rows.
func newAppend(t *testing.T) *scene {
	s := newScene(t)
	s.t = adjustments()
	s.w.target = mustCompile(t, s.t)
	plain := func(n int64) *account.Cell {
		c := cell(n, 0)
		c.Sums, c.Counts = []account.Int128{}, []int64{}
		return c
	}
	place := account.Place{Topic: "payroll.events", Partition: 3, Day: kafka.NoDay}
	s.w.parquet = account.Cells{place: plain(4)}
	s.w.winners = s.w.parquet
	s.w.table = s.w.fold(account.Cells{place: plain(9)})
	s.load.Head.Window, s.load.Head.Slices = kafka.Window{}, []runplan.Slice{{DayFrom: kafka.NoDay, DayTo: kafka.NoDay}}
	s.load.Calendar, s.load.Rows, s.load.Expected = nil, 4, s.w.parquet
	s.load.Objects = []LoadedObject{{URI: "s3://a/1", ETag: "e1"}, {URI: "s3://a/2", ETag: "e2"}}
	return s
}

func TestAppend(t *testing.T) {
	s := newAppend(t)
	got, err := s.publish()
	if err != nil || got.Slices[0].Inserted != 4 || got.Slices[0].Deleted != 0 || sumRows(s.w.table) != 13 {
		t.Fatalf("%+v, %v, %d rows", got, err, sumRows(s.w.table))
	}
	begin, end := slices.Index(s.w.log, "begin"), slices.Index(s.w.log, "commit")
	want := []string{"begin", "lock", "read ledger", "read objects", "read table", "insert", "read table", "insert objects", "receipt", "columns", "last change", "insert ledger", "commit"}
	if log := s.w.log[begin : end+1]; !slices.Equal(log, want) {
		t.Errorf("got %v\nwant %v", log, want)
	}
	objects, err := LoadedObjects(context.Background(), s.w, s.t)
	if want := map[string]string{"s3://a/1": "e1", "s3://a/2": "e2"}; err != nil || !reflect.DeepEqual(objects, want) {
		t.Errorf("%v, %v", objects, err)
	}
	if row := s.w.ledger[0]; !row.Window.IsAll() || row.DayFrom != kafka.NoDay || row.Scope != "all" || row.TotalsDeleted != `{"groups":[]}` {
		t.Errorf("%+v", row)
	}
	next := *s.load.Head
	next.Seq, next.Attempt = 8, "attempt2"
	s.load.Head = &next
	for _, test := range []struct {
		object LoadedObject
		code   fail.Code
		want   string
	}{
		{LoadedObject{URI: "s3://a/2", ETag: "e2"}, fail.Stale, "changing slice 1 of 1 (all rows): reading the loaded objects: s3://a/2: plan 7 has appended the object already"},
		{LoadedObject{URI: "s3://a/2", ETag: "e9"}, fail.ArchiveChanged,
			"changing slice 1 of 1 (all rows): reading the loaded objects: s3://a/2: plan 7 has appended the object with other content (ETag e2, now e9)"},
		{LoadedObject{URI: "s3://a/3", ETag: "e3"}, "", ""},
	} {
		s.w.reconnect()
		s.load.Objects = []LoadedObject{test.object}
		_, err := s.publish()
		if test.code == "" && err != nil || test.code != "" && (!fail.Is(err, test.code) || err.Error() != test.want) {
			t.Errorf("%v: got %v\nwant %s", test.object, err, test.want)
		}
	}
	if sumRows(s.w.table) != 17 {
		t.Errorf("%d rows", sumRows(s.w.table))
	}
}
