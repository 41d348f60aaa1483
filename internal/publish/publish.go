// Package publish changes the warehouse: it loads a plan's Parquet into a
// stage, proves the stage against the receipts, and then changes the table slice
// by slice, each in one transaction with its row in the ledger.
//
//	COPY → stage ─ proof ─ newest ─ guard ─┬─ slice: BEGIN · LOCK ledger · newer plan? · guard ·
//	                                       │         change · proof · receipt · ledger row · COMMIT
//	                                        └─ …
//
// How a slice is changed, its mode, is in replace (slice.go), merge (meet.go:
// insert_missing and upsert) and append (append.go, ranges.go). Only an upsert
// touches rows outside of its window: older versions of the keys that it brings.
// Nothing outside of the scope is touched, nothing is committed before it was
// proven, and what was committed is never done again: the ledger knows. The
// package reads no archive and writes no staging; receipts go out through
// Evidence. Jobs call it: plan and doctor check and count, load publishes,
// reconcile reads cells and ledger.
package publish

import (
	"context"
	"crypto/rand"
	"time"

	"backfill/internal/account"
	"backfill/internal/kafka"
	"backfill/internal/redshift"
	"backfill/internal/runplan"
	"backfill/internal/schema"
)

// The modes of a target.
const (
	ReplaceWindow = "replace_window" // delete window ∧ scope, insert the newest version of every key
	InsertMissing = "insert_missing" // insert the keys that the table does not hold, on whatever day
	Upsert        = "upsert"         // insert these, and replace rows by newer versions
	Append        = "append"         // insert all rows of objects that were not loaded yet; for datasets without event time
)

// Session is one warehouse session. The stage lives in it, so all statements
// of a Publish must reach the same one. *redshift.Conn is the real one.
type Session interface {
	Exec(ctx context.Context, sql string, args ...any) (rows int64, err error)
	Query(ctx context.Context, sql string, scan func(redshift.Scanner) error, args ...any) error
	Begin(ctx context.Context) error
	Commit(ctx context.Context) error // fail.Lost when the outcome is unknown
	Rollback(ctx context.Context) error
	Copy(ctx context.Context, s redshift.CopyStatement) (rows int64, err error)
	Columns(ctx context.Context, schema, table string) ([]redshift.LiveColumn, error) // fail.TableMissing when there are none
}

var _ Session = (*redshift.Conn)(nil)

// Target is a dataset's table as publish needs it. Key, LatestBy, Totals and
// By are indexes into Columns.
type Target struct {
	Schema, Table string
	Columns       []schema.Column // all that are loaded, constants included, in the order of the Parquet
	Scope         string          // predicate on the table's columns; "" owns the whole table
	WindowColumn  string          // "" for datasets without event time
	Key, LatestBy []int           // no key: rows are not de-duplicated
	NotLoaded     []string        // table columns that keep their default
	Provenance    bool            // the table has the _kafka_ and _backfill_ columns
	Totals, By    []int           // money, and what it is totalled by
	Buckets       int             // of the key; 0, 1 and without a key: one
	Mode          string          // ReplaceWindow, InsertMissing, Upsert or Append
}

// Load is one plan to publish.
type Load struct {
	Head        *runplan.Head
	Calendar    *kafka.Calendar // the dataset's; needed with event time
	PlanKey     string          // of the sealed plan in staging
	ManifestURI string          // s3://; "" only when Rows is 0, then nothing is copied
	IAMRole     string
	Expected    account.Cells // leg 1, from the receipts
	Rows        int64         // Parquet rows, from the receipts
	AllowVanish int64         // most rows that may vanish, over all slices of the plan
	Erased      *People       // whose rows may vanish beyond that; nil: nobody's
	Atomic      bool          // all slices in one transaction
	Objects     []LoadedObject

	Only    []kafka.Day // change only the slices that hold one of these days; none: all slices
	Keep    bool        // put the replaced rows aside, for Undo
	Actor   Actor
	Flags   []string // what was allowed or asked for besides AllowVanish, one word each, for the ledger
	Damaged string   // JSON list of archived objects that the plan leaves out; "": none

	Stopped  func(ctx context.Context) error // asked before the COPY, and under the lock before each slice; may be nil
	Evidence Evidence
	Observe  func(Event) // called after each step, from the calling goroutine; may be nil
}

// LoadedObject is an archived object that an append loads.
type LoadedObject struct {
	URI       string
	ETag      string
	Partition kafka.TopicPartition
	Ranges    []account.Range // offsets of its records, all of them and no others; none where they are not proven
}

// Evidence keeps the receipts of slices. PutSlice returns only when the
// receipt can be read by its key.
type Evidence interface {
	PutSlice(ctx context.Context, r *runplan.SliceReceipt) (key, sha256 string, err error)
}

// Step names what an Event reports.
type Step string

// The steps, in their order.
const (
	StepCopy     Step = "copy"     // Rows were loaded into the stage
	StepStage    Step = "stage"    // the stage equals the receipts
	StepWinners  Step = "winners"  // Rows are the newest versions of their keys
	StepGuard    Step = "guard"    // Rows would vanish, as allowed
	StepConflict Step = "conflict" // another session was in the way, the slice is tried again
	StepSlice    Step = "slice"    // Replaced rows were replaced by Rows, committed
	StepUndone   Step = "undone"   // Replaced rows went, Rows came back, committed
	StepSkipped  Step = "skipped"  // the ledger has the slice
)

// Event is one step done.
type Event struct {
	Step     Step
	Slice    int // from 1; 0 when the step is not of a slice
	Slices   int // of the plan
	Name     string
	Rows     int64
	Replaced int64
	Result   SliceResult // of StepSlice
	Attempt  int         // of the slice, from 1
	Took     time.Duration
}

// Result is what Publish did.
type Result struct {
	Copied int64         `json:"copied"` // rows in the stage; 0 when all slices were done before
	Slices []SliceResult `json:"slices"` // in the plan's order
}

// SliceResult is one slice's outcome.
type SliceResult struct {
	Slice      runplan.Slice `json:"slice"`
	Committed  bool          `json:"already,omitempty"` // by an earlier try; figures are the ledger's
	Stage      int64         `json:"rows_stage"`
	Superseded int64         `json:"rows_superseded"`                    // older versions in the stage
	Outdated   int64         `json:"rows_superseded_by_table,omitempty"` // older than the version in the table
	Already    int64         `json:"rows_already,omitempty"`             // in the table as they are
	Repeated   int64         `json:"rows_repeated,omitempty"`            // an earlier append accounted for their offsets
	Differing  int64         `json:"rows_differing,omitempty"`           // in the table with other content, which was kept
	Doubled    int64         `json:"keys_doubled,omitempty"`             // keys of an append that stand more than once now
	Stale      int64         `json:"rows_stale,omitempty"`               // rows outside of the window that are older versions of inserted keys
	Twins      int64         `json:"rows_twins,omitempty"`               // such of which nothing says whether they are older
	Kept       int64         `json:"rows_kept,omitempty"`                // rows of the table that none of the staged ones is
	Vanished   int64         `json:"rows_vanished"`
	Deleted    int64         `json:"rows_deleted"`
	Inserted   int64         `json:"rows_inserted"`
	ReceiptKey string        `json:"receipt_key"`
}

// Done reports whether all slices were committed by an earlier try.
func (r *Result) Done() bool {
	for _, s := range r.Slices {
		if !s.Committed {
			return false
		}
	}
	return true
}

// Limits of a publish.
const (
	maxDays       = 400
	maxPortions   = 1000
	maxCells      = 4_000_000
	maxTries      = 5
	firstBackoff  = 500 * time.Millisecond
	commitTimeout = 60 * time.Second
	tidyTimeout   = 20 * time.Second
)

// Publish brings the plan into the table. Slices that the ledger has are not
// done again. On an error, committed slices stay (the Result has them; it is nil
// when no slice was tried) and the failed one changed nothing, except with
// fail.Lost, where the next try asks the ledger.
//
// It fails with fail.Break when the stage or the changed slice differs from the
// receipts, fail.Vanish when too many rows would be gone, fail.Stale when a
// newer plan was there first, fail.ArchiveChanged when an append meets an
// object that was loaded with other content, and with the session's errors.
func Publish(ctx context.Context, s Session, t Target, l Load) (*Result, error) {
	p, err := newPublisher(s, t, l)
	if err != nil {
		return nil, err
	}
	return p.publish(ctx)
}

// publisher is one Publish under way.
type publisher struct {
	s       Session
	t       *target
	l       Load
	days    []kafka.Day
	done    map[int]LedgerRow // slices of this plan in the ledger
	stage   account.Cells     // leg 2, stage form
	rows    account.Cells     // what is inserted, as the table will hold it
	keeper  *keeper           // nil: replaced rows are not kept
	temp    []string          // quoted temp tables to drop
	gone    int64             // rows that vanished in committed slices
	ties    account.Cells     // keys whose newest version nothing tells, by day and group: see readTies
	out     outside           // what a replacement knows of the table outside of its window
	pending int64             // and in the transaction
	texts   texts
	digest  string

	sleep   func(ctx context.Context, d time.Duration) error
	attempt func() string
}

// texts are the queries that gave figures, for the receipt.
type texts struct{ stage, rows string }

func newPublisher(s Session, t Target, l Load) (*publisher, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if err := checkLoad(c, l); err != nil {
		return nil, err
	}
	digest, err := planDigest(l.Head)
	if err != nil {
		return nil, err
	}
	p := &publisher{s: s, t: c, l: l, digest: digest, sleep: sleepFor, attempt: rand.Text}
	if c.windowed() {
		p.days = l.Calendar.Days(l.Head.Window)
	}
	return p, nil
}

func (p *publisher) publish(ctx context.Context) (*Result, error) {
	if err := p.ensureTables(ctx); err != nil {
		return nil, err
	}
	if err := p.readProgress(ctx); err != nil {
		return nil, err
	}
	result := &Result{}
	if len(p.windowsLeft()) == 0 {
		for i := range p.l.Head.Slices {
			if p.wanted(i) {
				result.Slices = append(result.Slices, p.already(i))
			}
		}
		return result, nil
	}
	if err := p.stopped(ctx); err != nil {
		return nil, err
	}
	if err := p.openKeeper(ctx); err != nil {
		return nil, err
	}
	defer p.tidy(ctx)
	if err := p.fillStage(ctx); err != nil {
		return nil, err
	}
	result.Copied = p.l.Rows
	if err := p.dedupe(ctx); err != nil {
		return nil, err
	}
	if err := p.meetOutside(ctx); err != nil {
		return nil, err
	}
	if err := p.guardAll(ctx); err != nil {
		return nil, err
	}
	for _, group := range p.groups() {
		results, err := p.publishGroup(ctx, group)
		if err != nil {
			return result, err
		}
		result.Slices = append(result.Slices, results...)
	}
	return result, nil
}

// already returns the outcome of a slice that the ledger has.
func (p *publisher) already(i int) SliceResult {
	row := p.done[i]
	p.observe(Event{Step: StepSkipped, Slice: i + 1, Name: p.l.Head.Slices[i].String(), Rows: row.RowsInserted})
	return SliceResult{
		Slice: p.l.Head.Slices[i], Committed: true, Stage: row.RowsStage, Superseded: row.RowsSuperseded,
		Outdated: row.RowsOutdated, Already: row.RowsAlready, Kept: row.RowsKept, Stale: row.RowsStale,
		Vanished: row.RowsVanished, Deleted: row.RowsDeleted, Inserted: row.RowsInserted, ReceiptKey: row.ReceiptKey,
	}
}

// tidy drops the temp tables, for sessions that go on. A failure is ignored:
// they end with the session.
func (p *publisher) tidy(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidyTimeout)
	defer cancel()
	for _, name := range p.temp {
		_, _ = p.s.Exec(ctx, "DROP TABLE "+name)
	}
}

func (p *publisher) observe(e Event) {
	if p.l.Observe == nil {
		return
	}
	e.Slices = len(p.l.Head.Slices)
	p.l.Observe(e)
}

func sleepFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
