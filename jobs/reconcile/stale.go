package reconcile

import (
	"context"
	"slices"

	"backfill/internal/account"
	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
	"backfill/jobs/workspace"
)

// Stale is what loads of other days have made old: rows that stand in the table
// although a newer version of their key came to another window. A load of their
// days takes them out.
type Stale struct {
	Older account.Cells // rows and money by day and group
	Twins account.Cells // likewise, rows of which nothing says whether they are older
	Plans []runplan.Seq // that brought the other versions
}

// FindStale reads what is stale on days of the window, and outside of it by
// loads of the window. rows are the loads that concern the window.
func FindStale(ctx context.Context, w *workspace.Workspace, s publish.Session, rows []publish.LedgerRow, window kafka.Window) (*Stale, error) {
	out := &Stale{Older: account.Cells{}, Twins: account.Cells{}}
	for _, row := range newestOfWindows(ours(w, rows)) {
		if row.RowsStale == 0 {
			continue
		}
		around, err := publish.Ledger(ctx, s, w.Target(), row.Stale)
		if err != nil {
			return nil, err
		}
		receipt, err := w.Runs.Slice(ctx, row.ReceiptKey, row.ReceiptSHA256)
		if err != nil {
			return nil, err
		}
		if err := out.add(row, receipt, ours(w, around), window, w.Calendar()); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// newestOfWindows leaves the newest change of each window: an older one of the
// same rows says nothing new.
func newestOfWindows(rows []publish.LedgerRow) []publish.LedgerRow {
	newest := map[kafka.Window]publish.LedgerRow{}
	for _, row := range rows {
		if there, ok := newest[row.Window]; !ok || there.Change < row.Change {
			newest[row.Window] = row
		}
	}
	var list []publish.LedgerRow
	for _, row := range rows {
		if newest[row.Window].Change == row.Change {
			list = append(list, row)
		}
	}
	return list
}

// add takes what one change left outside of its window, unless the day was
// loaded again since.
func (s *Stale) add(row publish.LedgerRow, receipt *runplan.SliceReceipt, around []publish.LedgerRow, window kafka.Window, cal *kafka.Calendar) error {
	own, found := row.Window.Overlaps(window), false
	for _, leg := range []struct{ from, to account.Cells }{{receipt.Stale, s.Older}, {receipt.Twins, s.Twins}} {
		for place, c := range leg.from {
			day := kafka.Window{From: cal.Start(place.Day), To: cal.Start(place.Day + 1)}
			settled := func(r publish.LedgerRow) bool { return r.Change > row.Change && r.Window.Overlaps(day) }
			if !own && !day.Overlaps(window) || slices.ContainsFunc(around, settled) {
				continue
			}
			found = true
			if err := leg.to.At(place, len(c.Sums)).Add(c); err != nil {
				return fail.Wrap(err, fail.Internal, "adding receipts")
			}
		}
	}
	if found {
		s.Plans = append(s.Plans, row.Seq)
	}
	return nil
}

// In returns how many rows are stale on days of the window, and the first such
// day.
func (s *Stale) In(window kafka.Window, cal *kafka.Calendar) (rows int64, first kafka.Day) {
	for _, place := range s.Older.Places() {
		day := kafka.Window{From: cal.Start(place.Day), To: cal.Start(place.Day + 1)}
		if !day.Overlaps(window) {
			continue
		}
		if rows == 0 || place.Day < first {
			first = place.Day
		}
		rows += s.Older[place].Rows
	}
	return rows, first
}
