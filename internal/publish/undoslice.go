package publish

import (
	"context"
	"crypto/rand"
	"fmt"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/runplan"
)

// slice takes one slice back, under the lock of the ledger.
func (u *undoing) slice(ctx context.Context, row LedgerRow) (r SliceResult, err error) {
	k, aside := u.keeper.as(row.Mode), u.basis[row.SliceIndex]
	written, touched := u.t.table+u.t.ownedSQL(row.Window), u.t.table+u.t.ownedSQL(row.Window)
	if row.Mode != ReplaceWindow {
		written, touched = k.writtenSQL(row.SliceIndex), k.touchedSQL(row.SliceIndex)
	}
	now, err := k.cells(ctx, u.s, written)
	if err != nil {
		return r, err
	}
	if list := k.whole.compare(aside.Left, now); len(list) > 0 {
		return r, k.whole.breakError(fmt.Sprintf("the table no longer holds what plan %d left", row.Seq), legs{want: "the load's receipt", got: "the table"}, list).
			Try("something changed these rows after the load: look at them before you decide; a load from the archive replaces them, too")
	}
	deleted, err := u.exec(ctx, "deleting what the load wrote", sumRows(now), "DELETE FROM "+written)
	if err != nil {
		return r, err
	}
	inserted, err := u.exec(ctx, "putting the kept rows back", aside.Rows, k.restoreSQL(row.SliceIndex))
	if err != nil {
		return r, err
	}
	after, err := k.cells(ctx, u.s, touched)
	if err != nil {
		return r, err
	}
	if list := k.whole.compare(aside.Replaced, after); len(list) > 0 {
		return r, k.whole.breakError("the rows that were put back differ from those that were replaced", legs{want: "the kept rows", got: "the table"}, list)
	}
	if row.Mode == Append {
		if _, err := u.s.Exec(ctx, u.t.forgetObjectsSQL(int64(row.Seq))); err != nil {
			return r, fmt.Errorf("forgetting the loaded objects: %w", err)
		}
	}
	key, err := u.record(ctx, row, now, after)
	return SliceResult{Slice: u.o.Head.Slices[row.SliceIndex], Deleted: deleted, Inserted: inserted, ReceiptKey: key}, err
}

// exec changes rows and demands their number.
func (u *undoing) exec(ctx context.Context, what string, want int64, sql string) (int64, error) {
	rows, err := u.s.Exec(ctx, sql)
	if err != nil {
		return rows, fmt.Errorf("%s: %w", what, err)
	}
	if rows != want {
		return rows, fail.New(fail.Break, "%s changed %d rows, not %d; nothing was changed", what, rows, want).At("%s", u.t.name())
	}
	return rows, nil
}

// record writes the receipt and then the ledger row that names it.
func (u *undoing) record(ctx context.Context, load LedgerRow, gone, back account.Cells) (string, error) {
	h := u.o.Head
	key, sum, err := u.o.Receipts.PutSlice(ctx, &runplan.SliceReceipt{
		Format: runplan.Format, Kind: KindUndo, Run: h.Run, Seq: h.Seq, Attempt: rand.Text(), Target: h.Target, Slice: h.Slices[load.SliceIndex], Lanes: canon.Format,
		Stage: account.Cells{}, Deleted: gone, Inserted: back, Queries: []string{},
	})
	if err != nil {
		return "", fmt.Errorf("writing the receipt: %w", err)
	}
	row := u.t.planRow(KindUndo, h, u.o.PlanKey, u.digest, u.o.Actor)
	row.Mode = load.Mode
	row.SliceIndex, row.Window, row.DayFrom, row.DayTo, row.Taken = load.SliceIndex, load.Window, load.DayFrom, load.DayTo, load.Taken
	row.RowsDeleted, row.RowsInserted = sumRows(gone), sumRows(back)
	row.TotalsDeleted, row.TotalsInserted = u.keeper.whole.totalsJSON(gone), u.keeper.whole.totalsJSON(back)
	row.ReceiptKey, row.ReceiptSHA256 = key, sum
	return key, u.t.writeLedger(ctx, u.s, row)
}

func (u *undoing) observe(e Event) {
	if u.o.Observe == nil {
		return
	}
	e.Slices = len(u.o.Head.Slices)
	u.o.Observe(e)
}
