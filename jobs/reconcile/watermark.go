package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/tieout"
)

// mark moves the dataset's watermark by the verdict: a window that ties out is
// verified, one with breaks no longer is. An incomplete one proves nothing in
// either direction. A login that may not write the table of watermarks does
// not lose its report.
func (g *gathering) mark(ctx context.Context, s publish.Session, seen []publish.LedgerRow, out *Result) (err error) {
	verdict := tieout.Verdict(out.Report.Verdict)
	if verdict == tieout.Incomplete || g.o.Window.IsAll() {
		return nil
	}
	out.Verified, out.Moved, err = publish.Verify(ctx, s, g.w.Target(), publish.Verification{
		Dataset: g.w.Dataset.Name, Window: g.o.Window, Seen: seen, Holds: verdict != tieout.NotReconciled, Report: cmp.Or(out.URI, g.o.Standing),
	})
	if fail.Is(err, fail.Permission) {
		g.w.Log.Warn(fmt.Sprintf("%v; the watermark stays where it is", err))
		return nil
	}
	return err
}

// asked are the flags of a plan's slices, each once, in their order.
func asked(rows []publish.LedgerRow) []string {
	var words []string
	for _, row := range rows {
		for _, word := range strings.Fields(row.Flags) {
			if !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}
