package publish

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/runplan"
)

// UndoOptions say which plan is taken back, by whom.
type UndoOptions struct {
	Head     *runplan.Head
	PlanKey  string
	Actor    Actor
	Receipts Receipts
	Erased   *People     // whose rows must not come back; nil: nobody's
	Observe  func(Event) // called after each slice, from the calling goroutine; may be nil
}

// Receipts reads and writes the receipts of slices.
type Receipts interface {
	Evidence
	Slice(ctx context.Context, key, sha256 string) (*runplan.SliceReceipt, error)
}

// Undo takes a plan's load back: what it wrote goes, what it replaced comes
// back, every column of it, proven by count, money and fingerprint. Each slice
// is one transaction, the latest change first; a load that was atomic is
// undone in one. Slices that were undone before are not touched again.
//
// Nothing is changed, and the error is fail.NoUndo, when the load kept nothing,
// the kept rows were dropped, some are of people who were erased, or a later change concerns the same rows;
// fail.Break, with the figures, when the table no longer holds what the load
// left; fail.TableDiffers when its columns changed.
func Undo(ctx context.Context, s Session, t Target, o UndoOptions) (*Result, error) {
	c, err := compile(t)
	if err != nil {
		return nil, err
	}
	if err := o.Actor.check(); err != nil {
		return nil, err
	}
	u := &undoing{s: s, t: c, o: o, sleep: sleepFor}
	if u.digest, err = planDigest(o.Head); err != nil {
		return nil, err
	}
	if err := u.prepare(ctx); err != nil {
		return nil, err
	}
	return u.all(ctx)
}

// undoing is one Undo under way.
type undoing struct {
	s      Session
	t      *target
	o      UndoOptions
	digest string
	keeper *keeper
	loads  []LedgerRow // of the plan, the latest change first
	undone map[int]LedgerRow
	basis  map[int]*runplan.PutAside // by slice
	sleep  func(context.Context, time.Duration) error
}

// refuse says why a plan can't be undone.
func (u *undoing) refuse(format string, args ...any) *fail.Error {
	return fail.New(fail.NoUndo, "plan %d can't be undone: %s; nothing was changed", u.o.Head.Seq, fmt.Sprintf(format, args...)).At("%s", u.t.name())
}

// prepare reads what is to be undone and refuses, before anything is changed,
// what any slice would refuse.
func (u *undoing) prepare(ctx context.Context) error {
	if err := u.t.ensure(ctx, u.s, ownTable{u.t.Table + LedgerSuffix, u.t.createLedgerSQL()}); err != nil {
		return err
	}
	history, err := History(ctx, u.s, u.t.Target, kafka.Window{})
	if err != nil {
		return err
	}
	u.read(history)
	if len(u.loads) == 0 {
		return u.refuse("it changed nothing in the table").Try("`backfill status --dataset F --ledger` shows which plans did")
	}
	if len(u.undone) == len(u.loads) {
		return nil
	}
	if u.keeper, err = newKeeper(ctx, u.s, u.t, u.o.Head.Seq); err != nil {
		return err
	}
	kept, err := tableColumns(ctx, u.s, u.t.Schema, u.keeper.name)
	if err != nil {
		return err
	}
	if err := u.checkKept(history, kept != nil); err != nil {
		return err
	}
	if err := u.checkErased(ctx); err != nil {
		return err
	}
	u.basis = map[int]*runplan.PutAside{}
	for _, row := range u.loads {
		if _, done := u.undone[row.SliceIndex]; done {
			continue
		}
		if err := u.checkLater(history, row); err != nil {
			return err
		}
		receipt, err := u.o.Receipts.Slice(ctx, row.ReceiptKey, row.ReceiptSHA256)
		if err != nil {
			return err
		}
		if receipt.Lanes != canon.Format {
			return u.refuse("its rows were fingerprinted by another version of this program").Try("undo with the version that loaded it: %s", u.o.Head.Version)
		}
		if receipt.Aside == nil {
			return fail.New(fail.Corrupt, "the receipt names no kept rows, the ledger does").At("%s", row.ReceiptKey)
		}
		u.basis[row.SliceIndex] = receipt.Aside
	}
	return nil
}

// read sorts the plan's rows out of the history.
func (u *undoing) read(history []LedgerRow) {
	u.loads, u.undone = nil, map[int]LedgerRow{}
	for _, row := range history {
		switch {
		case row.Seq != u.o.Head.Seq:
		case row.Kind == KindLoad:
			u.loads = append(u.loads, row)
		case row.Kind == KindUndo:
			u.undone[row.SliceIndex] = row
		}
	}
	slices.SortFunc(u.loads, func(a, b LedgerRow) int {
		return cmp.Or(cmp.Compare(b.Change, a.Change), cmp.Compare(b.SliceIndex, a.SliceIndex))
	})
}

func (u *undoing) checkKept(history []LedgerRow, exists bool) error {
	for _, row := range history {
		if row.Seq == u.o.Head.Seq && row.Kind == KindForget {
			return u.refuse("the kept rows were dropped by %s at %s", row.RequestedBy, row.Committed).Try("load the window again from the archive")
		}
	}
	for _, row := range u.loads {
		if row.Attempt != u.o.Head.Attempt || row.Run != u.o.Head.Run {
			return fail.New(fail.Corrupt, "the ledger has plan %d of run %s under this plan's number", row.Seq, row.Run).At("%s", u.t.name())
		}
		if !row.Has(FlagKeep) {
			return u.refuse("slice %d was loaded without --keep-replaced, its old rows are gone", row.SliceIndex+1).
				Try("load the window again from the archive")
		}
	}
	if !exists {
		return u.refuse("the table of kept rows %s is gone", u.keeper.name).Try("load the window again from the archive")
	}
	return nil
}

// checkLater refuses when a later change that holds concerns the same rows.
// Appends don't: each has its own.
func (u *undoing) checkLater(history []LedgerRow, row LedgerRow) error {
	for _, later := range Holding(history) {
		after := later.Change > row.Change || (later.Change == row.Change && later.Seq > row.Seq)
		if later.Seq == row.Seq || !after || (row.Mode == Append && later.Mode == Append) || !concern(later, row) {
			continue
		}
		return u.refuse("plan %d of run %s changed rows of it later", later.Seq, later.Run).Try("undo plan %d first: `backfill load --undo %[1]d --dataset F`", later.Seq)
	}
	return nil
}

// concern reports whether two changes may have touched the same rows.
func concern(a, b LedgerRow) bool {
	for _, x := range changed(a) {
		for _, y := range changed(b) {
			if x.Overlaps(y) {
				return true
			}
		}
	}
	return false
}

// changed are the windows that a row's change touched.
func changed(row LedgerRow) []kafka.Window {
	if row.Taken.IsAll() {
		return []kafka.Window{row.Window}
	}
	return []kafka.Window{row.Window, row.Taken}
}

// all undoes the slices: each in a transaction, or all in one.
func (u *undoing) all(ctx context.Context) (*Result, error) {
	result := &Result{}
	groups := make([][]LedgerRow, 0, len(u.loads))
	for _, row := range u.loads {
		if row.Has(FlagAtomic) && len(groups) > 0 {
			groups[0] = append(groups[0], row)
			continue
		}
		groups = append(groups, []LedgerRow{row})
	}
	for _, group := range groups {
		done, err := u.group(ctx, group)
		if err != nil {
			return result, err
		}
		result.Slices = append(result.Slices, done...)
	}
	return result, nil
}

// group undoes slices in one transaction; a conflict with another session
// undoes the transaction, so that it is tried again, at most five times.
func (u *undoing) group(ctx context.Context, rows []LedgerRow) ([]SliceResult, error) {
	for try := 1; ; try++ {
		begin := time.Now()
		done, err := u.transact(ctx, rows)
		if err == nil {
			for _, r := range done {
				step := StepUndone
				if r.Committed {
					step = StepSkipped
				}
				u.observe(Event{Step: step, Slice: r.Slice.Index + 1, Name: r.Slice.String(), Rows: r.Inserted, Replaced: r.Deleted, Attempt: try, Took: time.Since(begin)})
			}
			return done, nil
		}
		if !fail.Is(err, fail.Conflict) || try == maxTries {
			return nil, fmt.Errorf("undoing slice %d of %d: %w", rows[0].SliceIndex+1, len(u.o.Head.Slices), err)
		}
		u.observe(Event{Step: StepConflict, Slice: rows[0].SliceIndex + 1, Attempt: try, Took: time.Since(begin)})
		if err := u.sleep(ctx, backoff(try)); err != nil {
			return nil, fmt.Errorf("waiting after a conflict: %w", err)
		}
	}
}

func (u *undoing) transact(ctx context.Context, rows []LedgerRow) (done []SliceResult, err error) {
	if len(u.undone) == len(u.loads) {
		for _, row := range rows {
			done = append(done, u.already(row))
		}
		return done, nil
	}
	err = u.t.transaction(ctx, u.s, func() error {
		history, err := History(ctx, u.s, u.t.Target, kafka.Window{})
		if err != nil {
			return err
		}
		u.read(history)
		if err := u.keeper.unchanged(ctx, u.s); err != nil {
			return err
		}
		for _, row := range rows {
			if _, there := u.undone[row.SliceIndex]; there {
				done = append(done, u.already(row))
				continue
			}
			if err := u.checkLater(history, row); err != nil {
				return err
			}
			r, err := u.slice(ctx, row)
			if err != nil {
				return err
			}
			done = append(done, r)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

func (u *undoing) already(row LedgerRow) SliceResult {
	was := u.undone[row.SliceIndex]
	return SliceResult{Slice: u.o.Head.Slices[row.SliceIndex], Committed: true, Deleted: was.RowsDeleted, Inserted: was.RowsInserted, ReceiptKey: was.ReceiptKey}
}
