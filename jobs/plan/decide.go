package plan

import (
	"context"
	"fmt"
	"slices"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/tieout"
	"backfill/jobs/reconcile"
)

// standing is how a sealed plan stands against the world now.
type standing struct {
	seq          runplan.Seq
	loaded       int // slices that the ledger names for this plan
	slices       int
	stopped      error  // who aborted or undid the plan; nil: nobody
	preliminary  bool   // it was loaded before its window was settled
	merging      bool   // the mode keeps what newer plans left, so that they don't undo this one
	overtaken    string // a newer plan's slice in the same rows; "": none
	converter    bool   // another converter version made the plan
	removed      string // what a gc took, or may have taken, of an unfinished plan; "": nothing
	listing      runplan.Diff
	schemas      string // how the schemas of framed values differ from the plan's; "": they are the same
	stale        string // the rows that loads of other days have made old; "": none
	tableChanged string // the first difference; "": the table is as the plan left it
	appendOnly   bool
	asked        []string // what went round a rule when the plan was sealed
	sameDamaged  bool     // the plan leaves out the objects that are declared damaged now
}

// decision is what follows.
type decision struct {
	keep    bool
	done    bool
	reasons []string // for a new plan
	notes   []string
}

// decide is the one place that says whether a plan is kept, replaced or
// refused.
func decide(st standing, o Options) (decision, error) {
	hatch := st.hatch(o)
	replan := hatch != ""
	finished := st.loaded == st.slices
	moved := len(st.listing.Changed) > 0 || len(st.listing.Vanished) > 0
	var reasons []string
	if st.stopped != nil && !replan {
		return decision{}, st.stopped
	}
	if st.stopped != nil {
		reasons = append(reasons, st.stopped.Error())
	}
	if st.preliminary && !o.Preliminary {
		reasons = append(reasons, "it was loaded as preliminary")
	}
	if st.converter {
		reasons = append(reasons, "a new converter version")
	}
	if st.removed != "" && !finished {
		reasons = append(reasons, st.removed)
	}
	if st.overtaken != "" && (!finished || !st.merging) {
		reasons = append(reasons, st.overtaken)
	}
	switch {
	case st.stopped != nil: // what is there decides nothing
	case !finished && moved && !replan:
		return decision{}, fail.New(fail.ArchiveChanged, "the archive changed after the plan was sealed: %s", st.listing).
			At("plan %d", st.seq).Try("check who rewrites the archive; to go on with what is there now, run again with --replan")
	case !finished && !replan && len(reasons) == 0:
		d := decision{keep: true}
		if n := len(st.listing.Added); n > 0 {
			d.notes = append(d.notes, fmt.Sprintf("%d objects were added since plan %d was sealed: it is finished as sealed; run again for the newer ones", n, st.seq))
		}
		if st.schemas != "" {
			d.notes = append(d.notes, fmt.Sprintf("the schemas of values changed since plan %d was sealed (%s): it is finished with those of then; run again for the newer ones", st.seq, st.schemas))
		}
		return d, nil
	}
	if !st.listing.IsEmpty() {
		reasons = append(reasons, "the archive changed: "+st.listing.String())
	}
	if st.schemas != "" {
		reasons = append(reasons, "the schemas of values changed: "+st.schemas)
	}
	if st.tableChanged != "" {
		reasons = append(reasons, "the table changed: "+st.tableChanged)
	}
	if st.stale != "" {
		reasons = append(reasons, st.stale)
	}
	if st.appendOnly && finished && len(st.listing.Added) == 0 && !replan {
		reasons = nil // rows that are there can't be loaded again
	}
	if replan && len(reasons) == 0 {
		reasons = append(reasons, hatch)
	}
	if len(reasons) == 0 {
		return decision{keep: true, done: true, notes: []string{
			fmt.Sprintf("plan %d is loaded, and archive, ledger and table still agree", st.seq)}}, nil
	}
	return decision{reasons: reasons}, nil
}

// standing asks the listing, the ledger and the table.
// claimed: a gc may have begun to remove the plan.
func (p *planner) standing(ctx context.Context, head *runplan.Head, claimed bool) (standing, error) {
	st := standing{seq: head.Seq, slices: len(head.Slices), converter: head.Converter != runplan.Converter,
		appendOnly: p.w.Dataset.Records.EventTime == nil, asked: head.Asked, sameDamaged: slices.EqualFunc(head.Damaged, p.damaged, runplan.Input.Equal),
		merging: p.w.Dataset.Table.Mode == dataset.Upsert || p.w.Dataset.Table.Mode == dataset.InsertMissing}
	chunks, err := p.w.Runs.Chunks(ctx, head)
	if err != nil {
		if claimed {
			st.removed, err = "gc is removing it", nil
		}
		return st, err
	}
	if st.listing, err = p.diff(ctx, head, chunks); err != nil {
		return st, err
	}
	if st.schemas, err = p.schemasChanged(ctx, head); err != nil {
		return st, err
	}
	history, err := publish.History(ctx, p.s, p.w.Target(), head.Window)
	if err != nil {
		return st, err
	}
	if stopped := publish.StoppedBy(history, head.Seq); stopped != nil {
		st.stopped = stopped
		return st, nil
	}
	rows := publish.Holding(history)
	ours := map[int]publish.LedgerRow{}
	for _, row := range rows {
		switch {
		case row.Seq == head.Seq:
			ours[row.SliceIndex] = row
			st.preliminary = st.preliminary || row.Has(publish.FlagPreliminary)
		case row.Seq > head.Seq && !st.appendOnly && row.Window.Overlaps(head.Window):
			st.overtaken = fmt.Sprintf("plan %d changed the same rows later", row.Seq)
		}
	}
	st.loaded = len(ours)
	if claimed && st.loaded == 0 { // of a loaded one a gc removes Parquet alone
		st.removed = "nobody had used it for long, and gc is at work"
		return st, nil
	}
	if st.loaded != st.slices { // a mark that came after the last slice stops nothing
		if err := p.w.Stopped(ctx, head); fail.Is(err, fail.Stopped) {
			st.stopped = err
			return st, nil
		} else if err != nil {
			return st, err
		}
		if st.removed, err = p.w.ParquetGone(ctx, head, chunks); err != nil {
			return st, err
		}
	}
	if st.loaded != st.slices && st.appendOnly {
		st.overtaken, err = p.appended(ctx, head, chunks)
	}
	if st.loaded != st.slices || st.appendOnly {
		return st, err
	}
	if st.tableChanged, err = p.tableChanged(ctx, head.Window, rows); err != nil {
		return st, err
	}
	stale, err := reconcile.FindStale(ctx, p.w, p.s, rows, head.Window)
	if err != nil {
		return st, err
	}
	if n, first := stale.In(head.Window, p.w.Calendar()); n > 0 {
		st.stale = fmt.Sprintf("newer versions of %d keys came to other days since: the first is on %s", n, first)
	}
	return st, nil
}

// appended says that another plan has loaded objects of this one, "" for none:
// it can't be finished, and what is left needs a plan of its own.
func (p *planner) appended(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) (string, error) {
	loaded, err := publish.LoadedObjects(ctx, p.s, p.w.Target())
	if err != nil {
		return "", err
	}
	n := 0
	for _, c := range chunks {
		for _, o := range c.Objects {
			if _, there := loaded[ObjectURI(head.Archive, o.Key)]; there {
				n++
			}
		}
	}
	if n == 0 {
		return "", nil
	}
	return fmt.Sprintf("another plan has appended %d of its objects", n), nil
}

// schemasChanged compares the plan's schemas with those of now.
func (p *planner) schemasChanged(ctx context.Context, head *runplan.Head) (string, error) {
	sealed, err := p.w.PlanSchemas(ctx, head)
	if err != nil || p.schemas == nil || sealed == nil {
		return "", err
	}
	return p.schemas.Difference(sealed), nil
}

// diff compares the plan's objects with the listing.
func (p *planner) diff(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) (runplan.Diff, error) {
	if head.ListingID == p.now.ID {
		return runplan.Diff{}, nil
	}
	objects := p.now.Objects
	if p.w.Dataset.Records.EventTime == nil {
		var err error
		if objects, err = p.sinceLoaded(ctx, head, chunks); err != nil {
			return runplan.Diff{}, err
		}
	}
	c := runplan.Compare(objects)
	for i := range chunks {
		for _, o := range chunks[i].Objects {
			c.Planned(o)
		}
	}
	for _, o := range head.Damaged {
		c.Planned(o.ObjectRef)
	}
	return c.Diff(), nil
}

// sinceLoaded returns the listed objects that are new or belong to the plan:
// an append plan does not hold what earlier plans loaded.
func (p *planner) sinceLoaded(ctx context.Context, head *runplan.Head, chunks []runplan.Chunk) ([]runplan.Input, error) {
	mine := map[string]bool{}
	for _, o := range head.Damaged {
		mine[o.Key] = true
	}
	for _, c := range chunks {
		for _, o := range c.Objects {
			mine[o.Key] = true
		}
	}
	loaded, err := publish.LoadedObjects(ctx, p.s, p.w.Target())
	if err != nil {
		return nil, err
	}
	var out []runplan.Input
	for _, o := range p.now.Objects {
		if _, there := loaded[ObjectURI(head.Archive, o.Key)]; mine[o.Key] || !there {
			out = append(out, o)
		}
	}
	return out, nil
}

// tableChanged compares the window of the table with what the loads' receipts
// say that it holds.
func (p *planner) tableChanged(ctx context.Context, window kafka.Window, rows []publish.LedgerRow) (string, error) {
	expected, err := reconcile.Expected(ctx, p.w, rows, window)
	if fail.Is(err, fail.Incomplete) {
		return "not known: " + err.Error(), nil
	}
	if err != nil {
		return "", err
	}
	table, err := publish.TableCells(ctx, p.s, p.w.Target(), window, p.w.Calendar())
	if err != nil {
		return "", err
	}
	if expected, err = tieout.AsKnown(expected, table); err != nil {
		return "", fail.Wrap(err, fail.Internal, "comparing the receipts with the table")
	}
	diffs := tieout.Differences(tieout.StageTable, expected, table, len(p.w.Dataset.Reconcile.Totals))
	if len(diffs) == 0 {
		return "", nil
	}
	d := diffs[0]
	where := d.Place.Day.String()
	if d.Place.Topic != "" {
		where = fmt.Sprintf("%s/%d %s", d.Place.Topic, d.Place.Partition, where)
	}
	if d.Kind == tieout.Changed {
		return fmt.Sprintf("%s has other content", where), nil
	}
	return fmt.Sprintf("%s has %d rows, %d were there after the load", where, d.Right.Rows, d.Left.Rows), nil
}
