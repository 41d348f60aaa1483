package reconcile

import (
	"fmt"
	"slices"

	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/runplan"
)

// notLoaded counts the slices of the plan that the ledger does not hold: on some
// day of theirs neither the plan nor a newer one has the last word. A scheduler
// may believe that the plan was loaded; the ledger knows.
func notLoaded(head *runplan.Head, held []publish.LedgerRow, cal *kafka.Calendar) []string {
	missing := slices.DeleteFunc(slices.Clone(head.Slices), func(s runplan.Slice) bool { return loadedSince(head.Seq, s, held, cal) })
	if len(missing) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("plan %d is not loaded: the ledger lacks %d of its %d slices, the first is %s", head.Seq, len(missing), len(head.Slices), missing[0])}
}

func loadedSince(seq runplan.Seq, slice runplan.Slice, held []publish.LedgerRow, cal *kafka.Calendar) bool {
	if slice.Window.IsAll() {
		return slices.ContainsFunc(held, func(r publish.LedgerRow) bool { return r.Seq == seq && r.SliceIndex == slice.Index })
	}
	for _, day := range cal.Days(slice.Window) {
		span := kafka.Window{From: max(slice.Window.From, cal.Start(day)), To: min(slice.Window.To, cal.Start(day+1))}
		if !slices.ContainsFunc(held, func(r publish.LedgerRow) bool { return r.Seq >= seq && r.Window.Overlaps(span) }) {
			return false
		}
	}
	return true
}
