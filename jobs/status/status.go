// Package status says what stands where: how far the newest plans of a dataset
// are, what was stopped or taken back, what is verified, and the command that
// goes on. It changes nothing.
package status

import (
	"context"
	"slices"

	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/timing"
	"backfill/jobs/reconcile"
	"backfill/jobs/workspace"
)

// maxPlans bounds how many plans are looked at.
const maxPlans = 10

// Options say what to look at.
type Options struct {
	Plan *runplan.Head // this plan only; nil: the newest ones
	File string        // the dataset file, for the commands that are shown; "": unknown
}

// Plan is one plan's state.
type Plan struct {
	Seq       runplan.Seq   `json:"seq"`
	Run       string        `json:"run"`
	Window    string        `json:"window"`
	URI       string        `json:"plan"`
	Chunks    int           `json:"chunks"`
	Converted int           `json:"converted"` // of an unfinished plan; else 0
	Slices    int           `json:"slices"`
	Loaded    int           `json:"loaded"` // slices that hold now
	Undone    int           `json:"undone,omitempty"`
	State     string        `json:"state"`
	Parts     []Slice       `json:"parts,omitempty"`   // of a plan that is half done: which slices are, which not
	Kept      *publish.Kept `json:"kept,omitempty"`    // rows put aside: the load can be undone
	Removed   string        `json:"removed,omitempty"` // what gc took away of it, when and why
	Report    *Report       `json:"report,omitempty"`
	Behind    *Behind       `json:"behind,omitempty"`
	Quiet     []string      `json:"quiet,omitempty"` // partitions whose tail may not be archived yet, and since when
	Work      []timing.Work `json:"work,omitempty"`  // of the newest processes, when one plan is asked for
	Next      string        `json:"next,omitempty"`  // the command that goes on; "": nothing is left
}

// Slice is one slice of a plan that is half done.
type Slice struct {
	Slice     int           `json:"slice"` // from 1
	Days      string        `json:"days"`
	State     string        `json:"state"` // loaded, undone, or open
	Rows      int64         `json:"rows,omitempty"`
	Committed kafka.Instant `json:"committed_at,omitempty"`
}

// Report is the newest report of a plan's run.
type Report struct {
	URI      string `json:"uri"`
	Verdict  string `json:"verdict"`
	Sentence string `json:"sentence"`
	Current  bool   `json:"current"` // it is of this plan's load, not of an earlier one
}

// Behind is what came to the archive after a plan was sealed.
type Behind struct {
	Added   int   `json:"objects_added"`
	Changed int   `json:"objects_changed_or_gone"`
	Days    []Day `json:"days,omitempty"` // days of the plan of which newer plans saw records in new objects
}

// Result lists plans, newest first.
type Result struct {
	Dataset  string             `json:"dataset"`
	Target   string             `json:"target"`
	Verified *publish.Watermark `json:"verified,omitempty"`
	Plans    []Plan             `json:"plans"`
	Stale    []Day              `json:"stale_days,omitempty"`
}

// Day is a day with rows or records that a load would change: in Stale, rows of
// which newer versions came to other days.
type Day struct {
	Day  kafka.Day `json:"day"`
	Rows int64     `json:"rows"`
}

// Status looks at the newest plans of the dataset.
func Status(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (*Result, error) {
	l := &look{w: w, s: s, o: o}
	if err := l.gather(ctx); err != nil {
		return nil, err
	}
	r := &Result{Dataset: w.Dataset.Name, Target: w.TargetName(), Verified: l.verified, Plans: []Plan{}}
	stale, err := reconcile.FindStale(ctx, w, s, l.holding, kafka.Window{})
	if err != nil {
		return nil, err
	}
	for _, p := range stale.Older.Places() {
		if n := len(r.Stale); n > 0 && r.Stale[n-1].Day == p.Day {
			r.Stale[n-1].Rows += stale.Older[p].Rows
			continue
		}
		r.Stale = append(r.Stale, Day{Day: p.Day, Rows: stale.Older[p].Rows})
	}
	for i, h := range l.heads {
		if o.Plan != nil && h.Seq != o.Plan.Seq {
			continue
		}
		p, err := l.plan(ctx, h, l.heads[:i])
		if err != nil {
			return nil, err
		}
		if o.Plan != nil {
			if p.Work, err = l.work(ctx, h); err != nil {
				return nil, err
			}
		}
		r.Plans = append(r.Plans, p)
	}
	return r, nil
}

// look is one Status under way.
type look struct {
	w        *workspace.Workspace
	s        publish.Session
	o        Options
	heads    []*runplan.Head // newest first
	history  []publish.LedgerRow
	holding  []publish.LedgerRow
	kept     []publish.Kept
	verified *publish.Watermark
	listing  *workspace.Listing // nil until asked for
	listed   kafka.Window       // that it is for
}

// shownWork is how many processes of a run are shown.
const shownWork = 5

// work tells where the time of the run's newest processes went. Records of
// another version of this program that can't be read are left out.
func (l *look) work(ctx context.Context, h *runplan.Head) (list []timing.Work, err error) {
	bodies, err := l.w.Runs.Work(ctx, h.Target, h.Run, shownWork)
	for _, body := range bodies {
		if w, err := timing.ReadWork(body); err == nil {
			list = append(list, w)
		}
	}
	return list, err
}

func (l *look) gather(ctx context.Context) (err error) {
	l.heads, err = l.w.Runs.NewestFew(ctx, l.w.TargetName(), maxPlans, func(m runplan.Mark) bool { return m.Dataset == l.w.Dataset.Name })
	if err != nil {
		return err
	}
	if p := l.o.Plan; p != nil && !slices.ContainsFunc(l.heads, func(h *runplan.Head) bool { return h.Seq == p.Seq }) {
		l.heads = append(l.heads, p)
	}
	if l.history, err = publish.History(ctx, l.s, l.w.Target(), kafka.Window{}); err != nil {
		return err
	}
	l.holding = publish.Holding(l.history)
	if l.kept, err = publish.KeptRows(ctx, l.s, l.w.Target()); err != nil {
		return err
	}
	marks, err := publish.Watermarks(ctx, l.s, l.w.Target())
	if err != nil {
		return err
	}
	for i := range marks {
		if marks[i].Dataset == l.w.Dataset.Name && marks[i].Scope == publish.ScopeText(l.w.Dataset.Table.Scope) {
			l.verified = &marks[i]
		}
	}
	return nil
}
