package doctor

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"backfill/internal/columns"
	"backfill/internal/parquetio"
	"backfill/internal/publish"
	"backfill/internal/runstore"
	"backfill/internal/schema"
)

// probeText is the value that travels through staging and COPY.
const probeText = "backfill doctor"

// staging writes, reads, lists and deletes a probe; it returns the probe, which
// still stands, for COPY to read; nil when staging failed.
func (d *doctor) staging(ctx context.Context) *runstore.Probe {
	uri := d.w.Dataset.Staging.URI
	probe := d.w.Runs.NewProbe()
	o, err := probe.Create(ctx)
	if !d.check("staging: create once", "a second create of one key was refused, as it must be", err, "plans and receipts can't be kept", iamStatement("s3:PutObject", uri)) {
		d.skip("staging: read, list, delete", "nothing could be written")
		if err := probe.Remove(context.WithoutCancel(ctx)); err != nil { // a write may have come through although its answer did not
			d.w.Log.Debug(err.Error())
		}
		return nil
	}
	d.check("staging: read", "what was written came back", probe.Read(ctx), "a run could not go on from its own receipts", iamStatement("s3:GetObject", uri))
	d.check("staging: list", "what was written is listed", probe.List(ctx), "earlier plans could not be found", iamStatement("s3:ListBucket", uri))
	d.clock("clock: staging", o.Modified)
	return probe
}

// clock compares a server's time with ours.
func (d *doctor) clock(name string, there time.Time) {
	if there.IsZero() {
		d.skip(name, "the server does not tell its time")
		return
	}
	skew := d.w.Now().Sub(there).Round(time.Second)
	if skew.Abs() <= mostSkew {
		d.pass(name, fmt.Sprintf("within %s of ours", max(skew.Abs(), time.Second)))
		return
	}
	ahead := "ahead of"
	if skew < 0 {
		ahead = "behind"
	}
	d.warn(name, fmt.Sprintf("our clock is %s %s the server's", skew.Abs(), ahead),
		"a window may look settled too early or too late, and S3 refuses requests that are 15 minutes off", "set this machine's clock (NTP); in a pod it is the node's")
}

// probeParquet is a file of one row.
func probeParquet() ([]byte, error) {
	cols := []schema.Column{publish.ProbeColumn()}
	var out bytes.Buffer
	w, err := parquetio.NewWriter(&out, cols, parquetio.Options{})
	if err != nil {
		return nil, err
	}
	b := columns.NewBatch(cols)
	b.N = 1
	b.Cols[0].S[0], b.Cols[0].Null[0] = []byte(probeText), false
	if err := w.Write(b); err != nil {
		return nil, err
	}
	_, err = w.Close()
	return out.Bytes(), err
}
