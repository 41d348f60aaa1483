// Package plan decides what a run still has to do: it finds the run's newest
// plan and keeps it, refuses it, or seals the next one. It reads the archive's
// listing, the staging store, the ledger and the table; it changes no row.
package plan

import (
	"context"
	"fmt"
	"regexp"
	"slices"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/registry"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/jobs/workspace"
)

// Options say what to plan.
type Options struct {
	Window      kafka.Window
	ChunkBytes  int64    // compressed archive bytes of a chunk
	SliceDays   int      // load days of a slice
	Replan      bool     // seal a new plan although the last one is unfinished or agrees
	AllowEmpty  bool     // an archive without objects is no error
	Preliminary bool     // a plan that was loaded as preliminary may stand
	Reconvert   bool     // convert all chunks anew, although receipts stand
	Damaged     []string // keys or URIs of archived objects that are left out, because they can't be read
	Reason      string   // why, likewise

	CreateTable bool     // a missing table is created
	Restore     *Restore // objects in archive storage classes are restored; nil: they are refused
}

// Result is the plan that holds now.
type Result struct {
	Head   *runplan.Head
	Key    string
	URI    string
	Chunks []runplan.Chunk
	Sealed bool     // by this call
	Done   bool     // loaded, and archive, ledger and table still agree
	Notes  []string // for people
	Rows   []int64  // rows of the table that each slice replaces
}

// Plan finds or seals the plan of the dataset and window.
func Plan(ctx context.Context, w *workspace.Workspace, s publish.Session, o Options) (*Result, error) {
	if err := w.CheckTable(ctx, s, o.CreateTable); err != nil {
		return nil, err
	}
	w.Pulse.Step("planning: listing the archive")
	now, err := w.List(ctx, o.Window)
	if err != nil {
		return nil, err
	}
	w.Pulse.Step("planning: reading earlier plans and the ledger")
	run := runplan.NewRunID(w.Dataset.Digest, o.Window)
	w.WorkOn(run, 0)
	head, err := w.Runs.Newest(ctx, w.TargetName(), func(m runplan.Mark) bool { return m.Run == run })
	if err != nil {
		return nil, err
	}
	p := &planner{w: w, s: s, o: o, now: now, run: run}
	removed := false
	if head != nil {
		if removed, err = w.Runs.Claim(ctx, head, w.Now()); err != nil {
			return nil, err
		}
	}
	if p.schemas, err = w.Schemas(ctx, now.Objects); err != nil {
		return nil, err
	}
	if p.damaged, err = p.accepted(); err != nil {
		return nil, err
	}
	if head != nil {
		st, err := p.standing(ctx, head, removed)
		if err != nil {
			return nil, err
		}
		d, err := decide(st, o)
		if err != nil {
			return nil, err
		}
		if !d.keep {
			if d, err = p.nothingLeft(ctx, st, d); err != nil {
				return nil, err
			}
		}
		if d.keep {
			return p.keep(ctx, head, d)
		}
		return p.seal(ctx, head, d.reasons)
	}
	return p.first(ctx)
}

type planner struct {
	w   *workspace.Workspace
	s   publish.Session
	o   Options
	now *workspace.Listing
	run runplan.RunID

	anew    string          // why no receipt of before is used; "": they are
	damaged []runplan.Input // objects to leave out
	schemas *registry.Set   // of framed values, as they are now; nil: values are not framed
}

// first seals the first plan of a run. It names the plan of an earlier form of
// the dataset for the same window, if there is one.
func (p *planner) first(ctx context.Context) (*Result, error) {
	older, err := p.w.Runs.Newest(ctx, p.w.TargetName(), func(m runplan.Mark) bool {
		return m.Dataset == p.w.Dataset.Name && m.Window == p.o.Window
	})
	if err != nil {
		return nil, err
	}
	return p.seal(ctx, older, []string{p.changed(older)})
}

// changed says what is another one than in the older plan.
func (p *planner) changed(older *runplan.Head) string {
	now := p.w.Dataset.Records.Suppress
	if older != nil && now != nil && now.SHA256 != "" {
		without := func(text string) string { return suppressedDigest.ReplaceAllString(text, "") }
		if without(older.Dataset.Text) == without(string(p.w.Dataset.Text)) {
			return "the suppression list changed"
		}
	}
	return "the dataset file changed"
}

// suppressedDigest finds the list's digest in the canonical text of a dataset.
var suppressedDigest = regexp.MustCompile(`("suppress": \{[^}]*"sha256": ")[0-9a-f]{64}`)

// keep returns a plan that stands.
func (p *planner) keep(ctx context.Context, head *runplan.Head, d decision) (*Result, error) {
	chunks, err := p.w.Runs.Chunks(ctx, head)
	if err != nil {
		return nil, err
	}
	r := p.result(head, chunks)
	r.Done, r.Notes = d.done, d.notes
	if r.Done {
		return r, nil
	}
	if err := p.readableNow(ctx, chunks, r); err != nil {
		return nil, err
	}
	return r, p.replaced(ctx, r)
}

// nothingLeft keeps an unfinished append of which other plans have loaded every
// object, and all others: a plan of what is left would be empty.
func (p *planner) nothingLeft(ctx context.Context, st standing, d decision) (decision, error) {
	if !st.appendOnly || st.overtaken == "" || st.hatch(p.o) != "" || len(p.now.Objects) == 0 {
		return d, nil
	}
	left, err := p.objects(ctx)
	if err != nil || len(left) > 0 {
		return d, err
	}
	return decision{keep: true, done: true, notes: []string{fmt.Sprintf("%s: nothing is left to load", st.overtaken)}}, nil
}

// nothing says why there is no object to read.
func (p *planner) nothing() error {
	uri := p.w.Dataset.Archive.URI
	if n := len(p.now.Objects); n > 0 {
		return fail.New(fail.EmptyWindow, "all %d objects of the archive were loaded before or left out: none is left", n).At("%s", uri).
			Try("`backfill status --dataset F` shows by which plans; if that is right, say --allow-empty")
	}
	if n := p.now.Folders.Skipped; n > 0 {
		return fail.New(fail.EmptyWindow, "the archive holds no object for the window; %d dated folders of other times were not listed", n).At("%s", uri).
			Try("check archive.folder_time, its zone above all; if an empty window is right, say --allow-empty")
	}
	return fail.New(fail.EmptyWindow, "the archive holds no object to load").At("%s", uri).
		Try("check archive.uri, `backfill doctor --dataset F` names what stands beside it; if an empty archive is right, say --allow-empty")
}

// objects returns what to read: everything listed, or for append what no
// earlier plan has loaded.
func (p *planner) objects(ctx context.Context) ([]runplan.Input, error) {
	if p.w.Dataset.Records.EventTime != nil {
		return p.readable(p.now.Objects), nil
	}
	loaded, err := publish.LoadedObjects(ctx, p.s, p.w.Target())
	if err != nil {
		return nil, err
	}
	var fresh []runplan.Input
	for _, o := range p.readable(p.now.Objects) {
		uri := ObjectURI(p.w.Dataset.Archive.URI, o.Key)
		etag, there := loaded[uri]
		switch {
		case !there:
			fresh = append(fresh, o)
		case etag != o.ETag:
			return nil, fail.New(fail.ArchiveChanged, "the object was loaded before with other content (ETag %s, now %s)", etag, o.ETag).At("%s", uri).
				Try("append can't take rows back: restore the object, or correct the table and its %s__backfill_objects row by hand", p.w.TargetName())
		}
	}
	return fresh, nil
}

// readable leaves out the objects that were declared damaged.
func (p *planner) readable(objects []runplan.Input) []runplan.Input {
	if len(p.damaged) == 0 {
		return objects
	}
	return slices.DeleteFunc(slices.Clone(objects), func(in runplan.Input) bool {
		return slices.ContainsFunc(p.damaged, func(d runplan.Input) bool { return d.Key == in.Key })
	})
}

// ObjectURI returns the full URI of an archived object's key.
func ObjectURI(archive, key string) string { return archive + "/" + key }

func (p *planner) result(head *runplan.Head, chunks []runplan.Chunk) *Result {
	key := runstore.KeyOf(head)
	p.w.WorkOn(head.Run, head.Seq)
	return &Result{Head: head, Key: key, URI: p.w.Runs.URI(key), Chunks: chunks}
}

// replaced counts the rows that stand where the slices will load.
func (p *planner) replaced(ctx context.Context, r *Result) error {
	for _, slice := range r.Head.Slices {
		n := int64(0)
		if p.w.Dataset.Records.EventTime != nil {
			var err error
			if n, err = publish.WindowRows(ctx, p.s, p.w.Target(), slice.Window); err != nil {
				return err
			}
		}
		r.Rows = append(r.Rows, n)
	}
	return nil
}

// TotalRows returns the rows of the table that the plan replaces.
func (r *Result) TotalRows() int64 {
	var n int64
	for _, rows := range r.Rows {
		n += rows
	}
	return n
}
