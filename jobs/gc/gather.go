package gc

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"backfill/internal/dataset"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/internal/runstore"
	"backfill/internal/seal"
	"backfill/internal/tieout"
	"backfill/jobs/workspace"
)

const (
	readers  = 4         // each holds a list of chunks, or what a report rests on
	maxItems = 5_000_000 // objects besides the chunks', held at once
)

// collector is one gc.
type collector struct {
	w   *workspace.Workspace
	s   publish.Session
	o   Options
	now time.Time
	age dataset.Retain

	rest    []runstore.Item         // everything besides the chunks
	mine    map[runplan.Seq]*plan   // of the dataset's table
	others  []*runplan.Head         // of other tables
	newest  runplan.Seq             // number of the table's newest plan
	ledger  map[string]bool         // keys of slice receipts that it names
	seals   map[string]bool         // keys that the ledger of reports names
	sealed  map[string]bool         // folders of sealed reports
	linked  map[string]bool         // keys that sealed reports rest on
	words   map[string]bool         // bases of which it is said that Parquet went
	use     map[runplan.ChunkID]use // of every chunk that something names
	segment map[string]bool         // chunk lists that plans name which stay
	folders map[string]time.Time    // newest file of each report's and process's folder

	first, then, last []string // keys that go, in this order
	goes, stays       groups
	freedBy           map[runplan.ChunkID]string // why, of chunks whose Parquet goes
	result            *Result
}

// use is who names a chunk.
type use uint8

const (
	named   use = 1 << iota // its receipt stays
	needed                  // its Parquet stays, too
	foreign                 // a plan of another table names it
)

// plan is a plan of the dataset's table.
type plan struct {
	head   *runplan.Head
	item   runstore.Item
	chunks []runplan.ChunkID

	held     map[int]bool // slices that it loaded and that hold
	rows     int          // of the ledger, of every kind
	stopped  bool         // aborted, or undone
	removed  bool         // an earlier gc said that it goes
	linked   bool         // a sealed report rests on it
	tied     bool         // a report that rests on it says RECONCILED
	loadedAt time.Time    // newest of head, manifests and slice receipts
	usedAt   time.Time    // likewise, of claims, too

	fate fate
	why  string
}

// gather reads everything that decides. The objects come first: what is sealed
// later is not seen, and who sealed it sees that a gc is at work.
func (c *collector) gather(ctx context.Context) error {
	c.mine, c.ledger, c.sealed = map[runplan.Seq]*plan{}, map[string]bool{}, map[string]bool{}
	c.linked, c.words, c.use, c.segment = map[string]bool{}, map[string]bool{}, map[runplan.ChunkID]use{}, map[string]bool{}
	c.folders = map[string]time.Time{}
	err := c.w.Runs.WalkRest(ctx, func(it runstore.Item) error {
		if len(c.rest) == maxItems {
			return fail.New(fail.Memory, "staging holds more than %d objects besides those of chunks", maxItems).Try("use a staging prefix for each dataset")
		}
		c.rest = append(c.rest, it)
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.plans(ctx); err != nil {
		return err
	}
	if err := c.reports(ctx); err != nil {
		return err
	}
	if err := c.history(ctx); err != nil {
		return err
	}
	c.times()
	return c.begun(ctx)
}

// begun finds the plans that an earlier gc began to remove.
func (c *collector) begun(ctx context.Context) error {
	for _, p := range c.mine {
		if !p.stopped || p.rows > 0 {
			continue
		}
		mark, err := c.w.Runs.Aborted(ctx, p.head)
		if err != nil {
			return err
		}
		p.removed = mark != nil && mark.Removed
	}
	return nil
}

// plans reads all plans with the ids of their chunks.
func (c *collector) plans(ctx context.Context) error {
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, it := range c.rest {
		if it.Kind != runstore.KindPlan {
			continue
		}
		group.Go(func() error {
			head, ids, err := c.read(ctx, it.Key)
			if err != nil || head == nil {
				return err
			}
			lock.Lock()
			defer lock.Unlock()
			if it.Target != c.w.TargetName() {
				c.others = append(c.others, head)
				c.uses(ids, named|needed|foreign)
				return nil
			}
			c.mine[head.Seq] = &plan{head: head, item: it, chunks: ids, held: map[int]bool{}}
			c.newest = max(c.newest, head.Seq)
			return nil
		})
	}
	return group.Wait()
}

// read reads a plan and the ids of its chunks; nil when another gc removed it
// since it was listed.
func (c *collector) read(ctx context.Context, key string) (*runplan.Head, []runplan.ChunkID, error) {
	head, err := c.w.Runs.Plan(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	ids, err := c.w.Runs.ChunkIDs(ctx, head)
	if err != nil { // the plan goes before its lists do
		if _, again := c.w.Runs.Plan(ctx, key); errors.Is(again, fs.ErrNotExist) {
			return nil, nil, nil
		}
	}
	return head, ids, err
}

func (c *collector) uses(chunks []runplan.ChunkID, u use) {
	for _, id := range chunks {
		c.use[id] |= u
	}
}

// reports reads what the sealed reports of all tables rest on. One that can't be
// read ends the gc: what it rests on is not known.
func (c *collector) reports(ctx context.Context) error {
	tied := map[string]bool{}
	var lock sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	for _, it := range c.rest {
		if it.Kind != runstore.KindReport || it.Key != it.Folder+"/"+runstore.SealName {
			continue
		}
		c.sealed[it.Folder] = true
		group.Go(func() error {
			text, evidence, err := c.w.Runs.SealedReport(ctx, it.Folder)
			if err != nil {
				return err
			}
			doc, err := seal.Read(text)
			if err != nil {
				return fail.Wrap(err, fail.Corrupt, "a seal can't be read, so that what its report rests on is not known").At("%s", c.w.Runs.URI(it.Key)).Try("restore the object from the bucket's versions")
			}
			good := doc.Verdict == string(tieout.Reconciled) || doc.Verdict == string(tieout.WithExceptions)
			lock.Lock()
			defer lock.Unlock()
			err = seal.ReadEvidence(evidence, func(l seal.Link) error {
				if l.Kind == seal.KindObject {
					return nil
				}
				c.linked[l.Key] = true
				tied[l.Key] = tied[l.Key] || good && l.Kind == seal.KindPlan
				if id := runstore.ChunkOfReceipt(l.Key); id != "" {
					c.use[id] |= named
				}
				return nil
			})
			if err != nil {
				return fail.Wrap(err, fail.Corrupt, "what a report rests on is not known").At("%s", c.w.Runs.URI(it.Folder)).Try("restore the object from the bucket's versions")
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range c.mine {
		p.linked, p.tied = c.linked[p.item.Key], tied[p.item.Key]
	}
	return nil
}

// history reads the table's ledgers, of all scopes.
func (c *collector) history(ctx context.Context) (err error) {
	all := c.w.Target()
	all.Scope = ""
	rows, err := publish.History(ctx, c.s, all, kafka.Window{})
	if err != nil {
		return err
	}
	for _, row := range rows {
		c.ledger[row.ReceiptKey] = true
		if p := c.mine[row.Seq]; p != nil {
			p.rows++
			p.stopped = p.stopped || row.Kind == publish.KindAbort || row.Kind == publish.KindUndo
		}
	}
	for _, row := range publish.Holding(rows) {
		if p := c.mine[row.Seq]; p != nil {
			p.held[row.SliceIndex] = true
		}
	}
	c.seals, err = publish.RecordedSeals(ctx, c.s, c.w.Target())
	return err
}

// times notes when plans and folders were last touched, by the store's clock. What
// tells of a plan must stay for as long as it decides, see rule.
func (c *collector) times() {
	for _, it := range c.rest {
		if it.Folder != "" {
			c.folders[it.Folder] = latest(c.folders[it.Folder], it.Modified)
		}
		if it.Kind == runstore.KindSwept {
			c.words[it.Basis] = true
		}
		p := c.mine[it.Seq]
		if p == nil || it.Target != c.w.TargetName() {
			continue
		}
		switch it.Kind {
		case runstore.KindClaim:
			p.usedAt = latest(p.usedAt, it.Modified)
		case runstore.KindPlan, runstore.KindManifest, runstore.KindSlice:
			p.loadedAt = latest(p.loadedAt, it.Modified)
		case runstore.KindAbort:
			p.stopped = true
		}
	}
	for _, p := range c.mine {
		p.usedAt = latest(p.usedAt, p.loadedAt)
	}
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
