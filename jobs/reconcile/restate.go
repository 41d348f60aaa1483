package reconcile

import (
	"context"
	"encoding/json"
	"path"

	"backfill/internal/fail"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/runstore"
	"backfill/internal/tieout"
)

// restates finds the newest signed-off report on exactly this window: it closed
// the period, and what is under way restates it. Nil: the period is open.
func (g *gathering) restates(ctx context.Context, s publish.Session, head report.Head, result *tieout.Result) (*report.Restatement, int64, error) {
	if !g.o.Keep {
		return nil, 0, nil
	}
	rows, err := publish.Reports(ctx, s, g.w.Target(), g.o.Window)
	if err != nil {
		return nil, 0, err
	}
	signed, by := closing(rows, g.w.Dataset.Name, g.o.Window)
	if signed == nil {
		return nil, 0, nil
	}
	folder := path.Dir(signed.SealKey)
	uri := g.w.Runs.URI(folder + "/" + runstore.ReportName)
	body, err := g.w.Runs.ReadReport(ctx, folder, runstore.ReportName)
	if err != nil {
		return nil, 0, fail.Wrap(err, fail.CodeOf(err), "the period was signed off with report %d, which can't be read", signed.Number).
			Try("restore the object from the bucket's versions")
	}
	var old report.Report
	if err := json.Unmarshal(body, &old); err != nil {
		return nil, 0, fail.Wrap(err, fail.Corrupt, "the signed-off report %d can't be read", signed.Number).At("%s", uri)
	}
	r, err := report.Restate(head, report.Signed{Report: &old, Number: signed.Number, URI: uri, Seal: signed.SealSHA256, SignedBy: by.RequestedBy, SignedAt: by.Recorded},
		result.Cells.Table, result.Sequences)
	if err != nil {
		return nil, 0, fail.Wrap(err, fail.Incomplete, "the period was closed with another form of the dataset").At("%s", uri).
			Try("reconcile with the dataset file of then, or close the period anew")
	}
	return r, signed.Number, nil
}
