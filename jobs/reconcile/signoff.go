package reconcile

import (
	"context"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/tieout"
	"backfill/jobs/workspace"
)

// SignOff records that a person takes responsibility for a report, which closes
// its period. The report must be the newest of its window, hold nothing that is
// broken or unknown, be unchanged, and be asked for by somebody else.
func SignOff(ctx context.Context, w *workspace.Workspace, s publish.Session, name, reason string) (*publish.ReportRow, error) {
	row, rows, _, err := find(ctx, w, s, name)
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, fail.New(fail.Corrupt, "%s", notRecorded).At("%s", name).Try("reconcile again with a login that may write beside the table")
	}
	refuse := func(code fail.Code, format string, args ...any) *fail.Error {
		return fail.New(code, format, args...).At("report %d of %s", row.Number, w.TargetName())
	}
	switch tieout.Verdict(row.Verdict) {
	case tieout.NotReconciled:
		return nil, refuse(fail.Break, "a report with breaks can't be signed off").Try("repair, or grant named exceptions, and reconcile again")
	case tieout.Incomplete:
		return nil, refuse(fail.Incomplete, "a report that is incomplete can't be signed off").Try("settle what is unknown and reconcile again")
	}
	if row.RequestedBy == w.By {
		return nil, refuse(fail.Usage, "%s asked for the report and can't sign it off: who approves is not who asked", w.By).
			Try("let somebody else sign, or set BACKFILL_REQUESTED_BY to the person who does")
	}
	for _, other := range rows {
		if other.Kind == publish.KindReport && other.Dataset == row.Dataset && other.Window == row.Window && other.Number > row.Number {
			return nil, refuse(fail.Stale, "report %d on the same window is newer", other.Number).Try("sign off that one")
		}
	}
	v, err := Verify(ctx, w, s, name, nil)
	if err != nil {
		return nil, err
	}
	if err := v.Error(); err != nil {
		return nil, err
	}
	sign := publish.ReportRow{Kind: publish.KindSignOff, Dataset: row.Dataset, Run: row.Run, Seq: row.Seq, Window: row.Window, Verdict: row.Verdict, Sentence: row.Sentence,
		Rows: row.Rows, Totals: row.Totals, SealKey: row.SealKey, SealSHA256: row.SealSHA256, About: row.Number}
	sign, err = publish.RecordReport(ctx, s, w.Target(), sign, w.Actor(reason), nil)
	return &sign, err
}
