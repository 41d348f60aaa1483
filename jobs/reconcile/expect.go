package reconcile

import (
	"context"
	"fmt"
	"maps"

	"backfill/internal/account"
	"backfill/internal/canon"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// Expected returns what the table must hold in the window after the loads that
// hold, by their receipts. Days that none of them changed are left out.
func Expected(ctx context.Context, w *workspace.Workspace, rows []publish.LedgerRow, window kafka.Window) (account.Cells, error) {
	rows = ours(w, rows)
	parts, _, err := cover(rows, window, w.Calendar())
	if err != nil {
		return nil, err
	}
	e, err := expect(ctx, w, rows, parts, window)
	return e.cells, err
}

func (g *gathering) expect(ctx context.Context, rows []publish.LedgerRow, parts []part) error {
	e, err := expect(ctx, g.w, rows, parts, g.o.Window)
	if err != nil {
		return err
	}
	g.in.Expected, g.in.Taken = e.cells, e.taken
	g.in.Unknown = append(g.in.Unknown, e.unknown...)
	return nil
}

// comparable reads the receipt of a change, if its lanes can be compared with
// those that this program computes; else it fails with fail.Incomplete.
func comparable(ctx context.Context, w *workspace.Workspace, row publish.LedgerRow) (*runplan.SliceReceipt, error) {
	receipt, err := w.Runs.Slice(ctx, row.ReceiptKey, row.ReceiptSHA256)
	if err == nil && receipt.Lanes != canon.Format {
		return nil, fail.New(fail.Incomplete, "plan %d was loaded by another version of this program, which fingerprints rows otherwise", row.Seq).
			At("%s", w.TargetName()).Try("load its days again with `backfill run`, or reconcile with the version that loaded them")
	}
	return receipt, err
}

// expectation is what the table must hold: each day as the newest change of the
// day left it, less what later changes of other days took out.
type expectation struct {
	w       *workspace.Workspace
	window  kafka.Window
	cells   account.Cells
	taken   int64 // rows
	holder  map[kafka.Day]publish.LedgerRow
	unknown []string
}

func expect(ctx context.Context, w *workspace.Workspace, rows []publish.LedgerRow, parts []part, window kafka.Window) (*expectation, error) {
	e := &expectation{w: w, window: window, cells: account.Cells{}, holder: map[kafka.Day]publish.LedgerRow{}}
	if window.IsAll() {
		return e, e.newest(ctx, rows)
	}
	for _, p := range parts {
		for _, row := range p.rows {
			if err := e.hold(ctx, row, p.days); err != nil {
				return e, err
			}
		}
	}
	for _, row := range rows {
		if row.RowsTaken > 0 {
			if err := e.take(ctx, row); err != nil {
				return e, err
			}
		}
	}
	return e, nil
}

// newest is for datasets without windows: the last change saw the whole table.
// Receipts of before changes were numbered say only what was inserted.
func (e *expectation) newest(ctx context.Context, rows []publish.LedgerRow) error {
	var last *publish.LedgerRow
	for i, row := range rows {
		if last == nil || row.Change > last.Change {
			last = &rows[i]
		}
	}
	if last == nil {
		return nil
	}
	receipt, err := comparable(ctx, e.w, *last)
	if err != nil {
		return err
	}
	if last.Change > 0 {
		e.cells = receipt.Held()
		return nil
	}
	for _, row := range rows {
		receipt, err := comparable(ctx, e.w, row)
		if err != nil {
			return err
		}
		if err := addDays(e.cells, receipt.Inserted, nil); err != nil {
			return err
		}
	}
	return nil
}

// hold takes the days of a change.
func (e *expectation) hold(ctx context.Context, row publish.LedgerRow, days map[kafka.Day]bool) error {
	receipt, err := comparable(ctx, e.w, row)
	if err != nil {
		return err
	}
	own := map[kafka.Day]bool{}
	for day := row.DayFrom; day < row.DayTo; day++ {
		if days == nil || days[day] {
			own[day], e.holder[day] = true, row
		}
	}
	return addDays(e.cells, receipt.Held(), own)
}

// take removes what a later change of other days took out of the days.
func (e *expectation) take(ctx context.Context, row publish.LedgerRow) error {
	receipt, err := comparable(ctx, e.w, row)
	if err != nil {
		return err
	}
	cal := e.w.Calendar()
	for place, c := range receipt.Taken {
		holder, held := e.holder[place.Day]
		if !held || holder.Change >= row.Change {
			continue
		}
		whole := kafka.Window{From: cal.Start(place.Day), To: cal.Start(place.Day + 1)}
		if holder.Window.From > whole.From || holder.Window.To < whole.To {
			e.unknown = append(e.unknown, fmt.Sprintf("plan %d took %d rows out of %s, of which only a part was loaded: whether they were of that part is not known",
				row.Seq, c.Rows, place.Day))
			continue
		}
		if err := e.cells.At(place, len(c.Sums)).Subtract(c); err != nil {
			return fail.Wrap(err, fail.Internal, "adding receipts")
		}
		e.taken += c.Rows
	}
	maps.DeleteFunc(e.cells, func(_ account.Place, c *account.Cell) bool { return c.IsZero() })
	return nil
}
