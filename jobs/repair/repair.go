// Package repair mends what a report found row by row: it proves that the report
// is as it was sealed, takes the keys from it alone, their right rows from the
// archive, and replaces them in one transaction with its row in the ledger. It is a dry run unless it is told to
// apply, deletes rows that the archive has nothing of only when it is told so,
// and reconciles again.
package repair

import (
	"context"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"path"
	"slices"
	"strings"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/outside"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/internal/seal"
	"backfill/internal/tieout"
	"backfill/jobs/reconcile"
	"backfill/jobs/workspace"
)

// Options say what to repair.
type Options struct {
	Report      string           // URI, or number in the ledger of reports
	PublicKey   crypto.PublicKey // whose signature the report must have; nil: it is not asked for
	Apply       bool
	DeleteExtra bool
	ApprovedBy  string // needed to apply, and never who asks
	Reason      string
	Memory      int64

	Reconcile reconcile.Options // for the reconciliation afterwards; its window and way are the report's
}

// Action is what a repair does to the rows of one class.
type Action struct {
	Class  tieout.Class `json:"class"`
	Does   string       `json:"does"` // insert, replace, keep one, or delete
	Keys   int          `json:"keys"`
	Insert int64        `json:"rows_inserted"`
	Delete int64        `json:"rows_deleted"`
	Money  []string     `json:"money"` // what the table's totals change by, per group and column
}

// Left says why bad rows are left alone.
type Left struct {
	Class tieout.Class `json:"class"` // "": rows that the report does not list
	Why   string       `json:"why"`
	Rows  int64        `json:"rows"`
}

// Result is what would be done, or was.
type Result struct {
	Report  string
	Actions []Action
	Left    []Left // bad rows that stay
	Applied bool
	Already bool // by an earlier try
	Deleted int64
	Added   int64
	After   *reconcile.Result // nil: a dry run
}

// Repair mends what the report names.
func Repair(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (*Result, error) {
	if o.Apply {
		if err := approved(w.By, o.ApprovedBy); err != nil {
			return nil, err
		}
	}
	key, rep, digest, err := sealed(ctx, w, s, o)
	if err != nil {
		return nil, err
	}
	if err := fits(w, rep, o.Report); err != nil {
		return nil, err
	}
	m := &mend{w: w, s: s, o: o, rep: rep, out: &Result{Report: w.Runs.URI(key)}, holed: holed(rep)}
	keys, err := m.keys(ctx)
	if err != nil || !o.Apply {
		return m.out, err
	}
	if err := m.apply(ctx, keys, key, digest); err != nil {
		return m.out, err
	}
	again := o.Reconcile
	if again.Given, err = given(ctx, w, path.Dir(key), rep); err != nil {
		return m.out, err
	}
	again.Window, again.Way, again.Keep, again.Rows, again.Repairs, again.Memory = rep.Window, rep.Way, true, true, m.out.Report, o.Memory
	if rep.Cutoff != nil {
		again.Cutoff.Time = rep.Cutoff.Time
	}
	m.out.After, err = reconcile.Reconcile(ctx, w, s, again)
	return m.out, err
}

// sealed reads the report after everything that it rests on was compared with
// its seal, the seal with the warehouse, and with a public key the signature. It
// fails with fail.Corrupt at the place of a change: what nothing vouches for names
// no rows to delete. It returns the report's key below the staging URI and its
// SHA-256.
func sealed(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (string, *report.Report, string, error) {
	w.Pulse.Step("repairing: comparing the report with its seal")
	v, err := reconcile.Verify(ctx, w, s, o.Report, o.PublicKey)
	if err != nil {
		return "", nil, "", err
	}
	if err := v.Error(); err != nil {
		return "", nil, "", fail.Wrap(err, fail.Corrupt, "the report can't be trusted, and nothing was repaired").
			Try("reconcile again and repair from that report; reconcile --verify lists every place")
	}
	folder, err := w.Runs.ReportFolder(v.Report)
	if err != nil {
		return "", nil, "", err
	}
	body, err := w.Runs.ReadReport(ctx, folder, runstore.ReportName)
	if err != nil {
		return "", nil, "", err
	}
	if v.Sealed == "" || seal.Sum(body) != v.Sealed { // read once more: it may have changed meanwhile
		return "", nil, "", fail.New(fail.Corrupt, "the report is not the one that was sealed").At("%s", v.Report).Try("reconcile again")
	}
	var rep report.Report
	if err := json.Unmarshal(body, &rep); err != nil {
		return "", nil, "", fail.Wrap(err, fail.Corrupt, "the report can't be read").At("%s", v.Report)
	}
	return folder + "/" + runstore.ReportName, &rep, v.Sealed, nil
}

// given reads the files that people brought for the report from beside it, so that
// what was granted or given then counts now, too.
func given(ctx context.Context, w *workspace.Workspace, folder string, rep *report.Report) (g reconcile.Given, err error) {
	into := map[string]**outside.File{reconcile.ControlTotals: &g.Controls, reconcile.EndOffsets: &g.Ends, reconcile.NamedExceptions: &g.Exceptions, reconcile.CutoffOffsets: &g.Cutoff}
	for _, in := range rep.Statement.Inputs {
		file := into[in.Role]
		if file == nil {
			continue
		}
		body, err := w.Runs.ReadReport(ctx, folder, in.Kept)
		if err != nil {
			return g, err
		}
		if seal.Sum(body) != in.SHA256 {
			return g, fail.New(fail.Corrupt, "the file that was given for the report was changed").At("%s", w.Runs.URI(folder+"/"+in.Kept)).Try("reconcile again")
		}
		*file = &outside.File{Path: in.File, Body: body}
	}
	return g, nil
}

// approved refuses a repair that nobody else has approved.
func approved(by, approver string) error {
	switch {
	case strings.TrimSpace(approver) == "":
		return fail.New(fail.Usage, "--apply needs --approved-by").Try("name who approved it; without --apply the repair only shows what it would do")
	case strings.EqualFold(strings.TrimSpace(approver), strings.TrimSpace(by)):
		return fail.New(fail.Usage, "%s asks for the repair and can't approve it, too", by).Try("have somebody else approve it")
	}
	return nil
}

// fits refuses a report of other rows than the dataset's, or without rows.
func fits(w *workspace.Workspace, rep *report.Report, uri string) error {
	switch {
	case rep.Format != report.Format:
		return fail.New(fail.Corrupt, "the report has format %d, not %d", rep.Format, report.Format).At("%s", uri)
	case rep.Target != w.TargetName() || rep.Digest != w.Dataset.Digest:
		return fail.New(fail.Usage, "the report is of another table or form of the dataset").At("%s", uri).Try("give the dataset file that was reconciled")
	case rep.Rows == nil:
		return fail.New(fail.Usage, "the report compared no rows, so that it names none to repair").At("%s", uri).
			Try("reconcile with --way archive, or load the window again with `backfill run`")
	}
	return nil
}

type mend struct {
	w   *workspace.Workspace
	s   publish.Session
	o   Options
	rep *report.Report
	out *Result
	// holed: the archive lacks records that nothing explains. What the table holds
	// may be theirs, so rows are only added.
	holed bool
}

// holed reports whether records of the archive are missing or can't be read.
func holed(rep *report.Report) bool {
	damaged := func(b tieout.RowBreak) bool { return b.Class == tieout.DamagedObject }
	return slices.ContainsFunc(rep.Sequences, tieout.Sequence.Holed) || slices.ContainsFunc(rep.Rows.List, damaged)
}

// add counts what mending one row changes the table's totals by. A surplus row
// has no archived amounts, a missing one none of the table.
func (m *mend) add(cells account.Cells, b tieout.RowBreak) error {
	var group []byte
	for i, v := range b.Group {
		if v == nil {
			group = account.AppendGroup(group, nil, true, i == 0)
			continue
		}
		group = account.AppendGroup(group, []byte(*v), false, i == 0)
	}
	cell := cells.At(account.Place{Group: account.Group(group)}, len(m.rep.TotalColumns))
	for n, col := range m.rep.TotalColumns {
		for _, side := range []struct {
			amounts []*string
			minus   bool
		}{{b.Left, false}, {b.Right, true}} {
			if n >= len(side.amounts) || side.amounts[n] == nil {
				continue
			}
			v, err := account.ParseDecimal(*side.amounts[n], col.Scale)
			if err != nil {
				return fail.Wrap(err, fail.Corrupt, "the report has an amount that is none").At("%s", m.o.Report)
			}
			if side.minus {
				v = v.Neg()
			}
			sum, ok := cell.Sums[n].Add(v)
			if !ok {
				return fail.New(fail.Corrupt, "the report's amounts do not fit in 128 bits").At("%s", m.o.Report)
			}
			cell.Sums[n] = sum
		}
	}
	return nil
}

func (m *mend) apply(ctx context.Context, keys []publish.Mend, key, digest string) error {
	flags := "repair"
	if m.o.DeleteExtra {
		flags += " delete_extra"
	}
	id := sha256.Sum256([]byte(digest + " " + flags))
	actor := m.w.Actor(m.o.Reason)
	actor.ApprovedBy = m.o.ApprovedBy
	wide := m.rep.Window
	if !wide.IsAll() {
		const around = kafka.Instant(40 * 24 * 60 * 60 * 1_000_000)
		wide.From, wide.To = wide.From-around, wide.To+around
	}
	m.out.Applied = true
	if len(keys) == 0 {
		return nil
	}
	done, err := publish.RepairKeys(ctx, m.s, m.w.Target(), m.w.Calendar(), publish.Repair{
		Run: runplan.RunID(hex.EncodeToString(id[:])[:24]), Report: key, SHA256: digest, Window: m.rep.Window, Wide: wide, Keys: keys, Flags: flags, Actor: actor,
		Dataset: runplan.Dataset{Name: m.w.Dataset.Name, Digest: m.w.Dataset.Digest},
	})
	m.out.Already, m.out.Deleted, m.out.Added = done.Already, done.Deleted, done.Inserted
	return err
}
