package gc

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"backfill/internal/runplan"
	"backfill/internal/runstore"
)

// fate is what becomes of a plan.
type fate int

const (
	lives     fate = iota // it may be gone on with, or its Parquet is wanted for another reason
	freed                 // it stays, with its receipts; its Parquet goes
	abandoned             // it goes
)

// Why something goes.
const (
	whyTied        = "loaded and reconciled"
	whyStopped     = "its plan was aborted or undone"
	whySuperseded  = "a newer plan of the window is loaded and reconciled"
	whyAbandoned   = "nothing was loaded by its plan, and nobody uses it"
	whyWork        = "where the time of old processes went"
	whyUncommitted = "no committed change names it"
	whyUnsealed    = "a report that was never sealed"
	whyUnnamed     = "nothing names it"
	whyAttempt     = "another attempt at the chunk left the receipt"
	whyNoReceipt   = "an attempt that left no receipt"
	whyRaw         = "raw bytes; where the records are, and why they were rejected, stays"
	whyProbe       = "doctor left it"
	whyClaim       = "who claimed the plan is gone"
	whySweep       = "a gc that was killed"
)

// Why something stays.
const (
	tooYoung    = "too young"
	stayPlan    = "the newest plan, or one that the ledger or a report names, or that may go on"
	stayUsed    = "its plan may be loaded yet, or is not reconciled"
	stayNamed   = "the ledger, a report or a plan names it"
	stayReport  = "sealed"
	stayWord    = "says what is gone, and why"
	stayDigest  = "shared by what it holds"
	stayForeign = "another table's"
	stayUnknown = "not written by this program"
)

// older reports whether the time is longer ago than the age, and than what is
// never removed.
func (c *collector) older(at time.Time, age time.Duration) bool { return c.now.Sub(at) >= age }

// judgePlans decides about the table's plans, the newest first, and notes who
// uses which chunks and chunk lists.
func (c *collector) judgePlans() {
	tied := map[runplan.RunID]bool{} // runs of which a newer plan is loaded and reconciled
	for _, seq := range slices.Backward(slices.Sorted(maps.Keys(c.mine))) {
		p := c.mine[seq]
		p.fate, p.why = c.fate(p, tied[p.head.Run])
		tied[p.head.Run] = tied[p.head.Run] || p.done()
		switch p.fate {
		case lives:
			c.uses(p.chunks, named|needed)
		case freed:
			c.uses(p.chunks, named)
		}
		if p.fate != abandoned {
			c.segments(p.head)
		}
	}
	for _, h := range c.others {
		c.segments(h)
	}
}

func (c *collector) segments(h *runplan.Head) {
	for _, s := range h.Segments {
		c.segment[s.Key] = true
	}
}

// done reports whether all that the plan was for is in the table and reconciled.
func (p *plan) done() bool { return p.landed() && p.tied }

func (p *plan) landed() bool { return len(p.held) == len(p.head.Slices) }

func (c *collector) fate(p *plan, superseded bool) (fate, string) {
	old := c.older(p.loadedAt, c.age.Parquet)
	switch {
	case p.head.Seq != c.newest && p.rows == 0 && !p.linked && (p.removed || c.older(p.usedAt, c.age.Plans)):
		return abandoned, fmt.Sprintf("%s since %s; retain.plans is %s", whyAbandoned, p.usedAt.UTC().Format(time.DateOnly), days(c.age.Plans))
	case !old:
		return lives, ""
	case p.done():
		return freed, whyTied
	case p.stopped && !p.landed():
		return freed, whyStopped
	case superseded:
		return freed, whySuperseded
	}
	return lives, ""
}

// judgeRest decides about everything besides the chunks.
func (c *collector) judgeRest() {
	for _, it := range c.rest {
		if it.Target != "" && it.Target != c.w.TargetName() {
			c.stays.add(it, stayForeign)
			continue
		}
		goes, why := c.rule(it)
		if !goes {
			c.stays.add(it, why)
			continue
		}
		c.goes.add(it, why)
		switch it.Kind {
		case runstore.KindPlan:
			c.first = append(c.first, it.Key)
		case runstore.KindProbe, runstore.KindSweep:
			c.last = append(c.last, it.Key)
		default:
			c.then = append(c.then, it.Key)
		}
	}
}

// rule says whether an object goes, and why or why not.
func (c *collector) rule(it runstore.Item) (bool, string) {
	p := c.mine[it.Seq]
	dying := p != nil && p.fate == abandoned
	unnamed := func(why string) (bool, string) {
		if !c.older(it.Modified, runstore.Margin) {
			return false, tooYoung
		}
		return true, why
	}
	switch it.Kind {
	case runstore.KindPlan:
		if dying {
			return true, whyAbandoned
		}
		return false, stayPlan
	case runstore.KindMark, runstore.KindClaim, runstore.KindManifest:
		return c.ofPlan(it, p)
	case runstore.KindSegment:
		if c.segment[it.Key] || c.linked[it.Key] {
			return false, stayNamed
		}
		return unnamed(whyUnnamed)
	case runstore.KindSlice:
		if c.ledger[it.Key] || c.linked[it.Key] {
			return false, stayNamed
		}
		if !c.older(it.Modified, max(c.age.Work, c.age.Plans, c.age.Parquet)) {
			return false, tooYoung
		}
		return true, whyUncommitted
	case runstore.KindReport:
		if c.sealed[it.Folder] || c.seals[it.Folder+"/"+runstore.SealName] {
			return false, stayReport
		}
		if !c.older(c.folders[it.Folder], runstore.Margin) {
			return false, tooYoung
		}
		return true, whyUnsealed
	case runstore.KindWork:
		if !c.older(c.folders[it.Folder], c.age.Work) {
			return false, tooYoung
		}
		return true, whyWork
	case runstore.KindProbe:
		return unnamed(whyProbe)
	case runstore.KindSweep:
		return runstore.SweepEnded(it, c.now), whySweep
	case runstore.KindAbort, runstore.KindSwept:
		return false, stayWord
	case runstore.KindSchemas, runstore.KindSuppressions:
		return false, stayDigest
	}
	return false, stayUnknown
}

// ofPlan is the rule of what is nothing without its plan.
func (c *collector) ofPlan(it runstore.Item, p *plan) (bool, string) {
	switch {
	case p == nil && !c.older(it.Modified, runstore.Margin):
		return false, tooYoung
	case p == nil:
		return true, whyUnnamed
	case p.fate == abandoned:
		return true, whyAbandoned
	case it.Kind == runstore.KindClaim && c.older(it.Modified, c.age.Plans):
		return true, whyClaim
	case it.Kind == runstore.KindManifest && p.fate == freed:
		return true, p.why
	}
	return false, stayPlan
}
