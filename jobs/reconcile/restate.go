package reconcile

import (
	"context"
	"encoding/json"
	"path"

	"backfill/internal/fail"
	"backfill/internal/kafka"
	"backfill/internal/publish"
	"backfill/internal/report"
	"backfill/internal/runstore"
	"backfill/internal/tieout"
)

// close reads the newest signed-off report on exactly this window, which closed
// the period: what is under way restates it. Without one, or if no report is
// kept, the period is open.
func (g *gathering) close(ctx context.Context, s publish.Session) error {
	if !g.o.Keep {
		return nil
	}
	rows, err := publish.Reports(ctx, s, g.w.Target(), g.o.Window)
	if err != nil {
		return err
	}
	signed, by := closing(rows, g.w.Dataset.Name, g.o.Window)
	if signed == nil {
		return nil
	}
	folder := path.Dir(signed.SealKey)
	uri := g.w.Runs.URI(folder + "/" + runstore.ReportName)
	body, err := g.w.Runs.ReadReport(ctx, folder, runstore.ReportName)
	if err != nil {
		return fail.Wrap(err, fail.CodeOf(err), "the period was signed off with report %d, which can't be read", signed.Number).
			Try("restore the object from the bucket's versions")
	}
	var old report.Report
	if err := json.Unmarshal(body, &old); err != nil {
		return fail.Wrap(err, fail.Corrupt, "the signed-off report %d can't be read", signed.Number).At("%s", uri)
	}
	g.closed = &report.Signed{Report: &old, Number: signed.Number, URI: uri, Seal: signed.SealSHA256, SignedBy: by.RequestedBy, SignedAt: by.Recorded}
	return nil
}

// restates compares with the report that closed the period. Nil: it is open.
func (g *gathering) restates(head report.Head, result *tieout.Result) (*report.Restatement, int64, error) {
	if g.closed == nil {
		return nil, 0, nil
	}
	r, err := report.Restate(head, *g.closed, result.Cells.Table, result.Sequences)
	if err != nil {
		return nil, 0, fail.Wrap(err, fail.Incomplete, "the period was closed with another form of the dataset").At("%s", g.closed.URI).
			Try("reconcile with the dataset file of then, or close the period anew")
	}
	return r, g.closed.Number, nil
}

// cutoff settles which records are late: those behind what people gave, else
// those behind what the report knew that closed the period.
func (g *gathering) cutoff() error {
	c := &g.o.Cutoff
	if c.Time > 0 && g.w.Dataset.Records.Timestamp == nil {
		return fail.New(fail.Usage, "dataset %s reads no Kafka times, so that a cut-off by time says nothing of its records", g.w.Dataset.Name).
			Try("give the end offsets of the cut-off with --cutoff-offsets, or records.timestamp in the dataset if values hold it")
	}
	recreated := len(g.w.Dataset.Archive.Recreated) > 0
	if recreated && c.Offsets != nil {
		return fail.New(fail.Usage, "the topic was made anew (archive.recreated), so that an offset stands for several records").
			Try("give the cut-off as a time with --cutoff-time")
	}
	if recreated || c.Time > 0 || c.Offsets != nil || g.closed == nil {
		return nil
	}
	c.Closed, c.Offsets = g.closed.Number, map[kafka.TopicPartition]kafka.Offset{}
	for _, s := range g.closed.Report.Sequences {
		c.Offsets[s.Partition] = s.Last + 1
	}
	return nil
}
