// Package gc removes from staging what finished runs no longer need, and says
// what it leaves and why. It judges what belongs to the dataset's table by the
// table's ledger; plans of other tables below the same staging prefix are read,
// so that nothing they name goes.
//
//	say that a gc is at work ─▶ list plans, reports, ledger ─▶ decide ─▶ word on what goes ─▶ plans ─▶ what they named ─▶ chunks ─▶ uploads
//
// What refers goes before what it refers to, so that a gc that is killed leaves
// nothing that names a thing which is gone; the next one finds the rest because
// nothing names it. The word on removed plans and Parquet comes first and stays.
package gc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// Options say whether to remove.
type Options struct {
	Apply bool // without it nothing is changed
}

// By is who removes, in the words that gc leaves.
const By = "backfill gc"

// Result is what goes, or went, and what stays.
type Result struct {
	Applied bool           `json:"applied"`
	Goes    []Group        `json:"goes"`
	Stays   []Group        `json:"stays"`
	Kept    []publish.Kept `json:"kept_rows,omitempty"` // tables of rows kept for undo that go
	Notes   []string       `json:"notes,omitempty"`
	Retain  string         `json:"retain"` // the ages that decided
}

// Collect decides about everything in staging and, with Apply, removes what is
// no longer needed. An error leaves a part of it for the next call.
func Collect(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (*Result, error) {
	c := &collector{w: w, s: s, o: o, now: w.Now(), age: w.Dataset.Retain, result: &Result{Applied: o.Apply, Goes: []Group{}, Stays: []Group{}}}
	c.result.Retain = fmt.Sprintf("quarantine %s, parquet %s, plans %s, work %s", days(c.age.Quarantine), days(c.age.Parquet), days(c.age.Plans), days(c.age.Work))
	err := c.collect(ctx)
	c.result.Goes, c.result.Stays = c.goes.list(), c.stays.list()
	return c.result, err
}

func (c *collector) collect(ctx context.Context) (err error) {
	if c.o.Apply {
		sweep, err := c.w.Runs.BeginSweep(ctx)
		if err != nil {
			return err
		}
		defer func() {
			if e := sweep.End(context.WithoutCancel(ctx)); e != nil {
				c.w.Log.Warn(fmt.Sprintf("the word that gc is at work stays in staging: until it is a day old, runs convert anew what they could use again: %v", e))
			}
		}()
	}
	c.w.Pulse.Step("gc: reading plans, reports and the ledger")
	if err := c.gather(ctx); err != nil {
		return err
	}
	if err := c.forget(ctx); err != nil {
		return err
	}
	c.judgePlans()
	c.judgeRest()
	if err := c.removePlans(ctx); err != nil {
		return err
	}
	c.w.Pulse.Step("gc: looking at chunks")
	if err := c.chunks(ctx); err != nil {
		return err
	}
	if err := c.removeAll(ctx, nil, c.last); err != nil {
		return err
	}
	return c.uploads(ctx)
}

// forget drops the rows that loads put aside for undo and that are kept for too long.
func (c *collector) forget(ctx context.Context) error {
	age := c.w.Dataset.KeptRows
	if age == 0 {
		return nil
	}
	before := c.now.Add(-age)
	if c.o.Apply {
		dropped, err := publish.Forget(ctx, c.s, c.w.Target(), 0, before, c.w.Actor(fmt.Sprintf("gc: retain.kept_rows is %s", days(age))))
		c.result.Kept = dropped
		return err
	}
	kept, err := publish.KeptRows(ctx, c.s, c.w.Target())
	for _, k := range kept {
		if k.Since.Time().Before(before) {
			c.result.Kept = append(c.result.Kept, k)
		}
	}
	return err
}

// removePlans writes why plans and Parquet go, then removes the plans that
// nobody uses, and then what named and nothing else names.
func (c *collector) removePlans(ctx context.Context) error {
	if !c.o.Apply {
		return nil
	}
	for _, p := range c.mine {
		switch {
		case p.fate == abandoned:
			if err := c.w.Runs.PutRemoved(ctx, p.head.Target, p.head.Seq, runplan.Abort{By: By, Reason: p.why, At: c.now.UTC()}); err != nil {
				return err
			}
		case p.fate == freed && !c.words[p.head.Basis().ID()]:
			if err := c.w.Runs.PutSwept(ctx, p.head.Basis().ID(), runplan.Swept{By: By, Reason: p.why, At: c.now.UTC()}); err != nil {
				return err
			}
		}
	}
	return c.removeAll(ctx, c.first, c.then)
}

// removeAll removes keys in bounded batches as long as a gc may.
func (c *collector) removeAll(ctx context.Context, first, then []string) error {
	if !c.o.Apply || len(first)+len(then) == 0 {
		return nil
	}
	if c.w.Now().Sub(c.now) > runstore.SweepLimit {
		return fail.New(fail.Service, "gc stops after %s: runs may no longer know that it is at work", days(runstore.SweepLimit)).Try("run the same command again: it goes on from here")
	}
	return c.w.Runs.Remove(ctx, first, then)
}

// uploads drops uploads that were begun and never ended.
func (c *collector) uploads(ctx context.Context) error {
	var old []objstore.Pending
	err := c.w.Runs.Uploads(ctx, func(p objstore.Pending) error {
		it := runstore.Item{Kind: "unfinished upload"}
		if it.Modified = p.Began; c.now.Sub(p.Began) < runstore.Margin {
			c.stays.add(it, tooYoung)
			return nil
		}
		c.goes.add(it, "its writer is gone")
		if len(old) == maxUploads {
			return errMany
		}
		old = append(old, p)
		return nil
	})
	if err == errMany {
		c.note("more than %d uploads are unfinished: run gc again for the rest", maxUploads)
		err = nil
	}
	if fail.Is(err, fail.Permission) {
		c.note("unfinished uploads were not looked at: %v (%s)", err, fail.HintOf(err))
		return nil
	}
	if err != nil || !c.o.Apply {
		return err
	}
	for _, p := range old {
		if err := c.w.Runs.AbortUpload(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

const maxUploads = 100_000

var errMany = errors.New("too many")

func (c *collector) note(format string, args ...any) {
	c.result.Notes = append(c.result.Notes, fmt.Sprintf(format, args...))
}

// days writes an age as people give it.
func days(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	return d.String()
}
