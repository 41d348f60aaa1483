package doctor

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/objstore"
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
	if !d.check("staging: create once", "a second create of one key was refused, as it must be", err, "plans and receipts can't be kept", d.right("s3:PutObject", err)) {
		d.skip("staging: read, list, delete", "nothing could be written")
		if err := probe.Remove(context.WithoutCancel(ctx)); err != nil { // a write may have come through although its answer did not
			d.w.Log.Debug(err.Error())
		}
		return nil
	}
	err = probe.Read(ctx)
	d.check("staging: read", "what was written came back", err, "a run could not go on from its own receipts", d.right("s3:GetObject", err))
	d.encryption(o)
	d.check("staging: list", "what was written is listed", probe.List(ctx), "earlier plans could not be found", iamStatement("s3:ListBucket", uri))
	d.clock("clock: staging", o.Modified)
	return probe
}

// right is the statement for what staging refused: on the KMS key, if it was that.
func (d *doctor) right(action string, err error) string {
	if err != nil && strings.Contains(err.Error(), "kms:") {
		return kmsStatement(d.w.Dataset.Staging.KMSKey, "kms:GenerateDataKey", "kms:Decrypt")
	}
	return iamStatement(action, d.w.Dataset.Staging.URI)
}

// encryption compares how S3 encrypted the probe with what the dataset asks for.
func (d *doctor) encryption(o objstore.Object) {
	const name = "staging: encryption"
	asked, got := d.w.Dataset.Staging.KMSKey, o.Encryption
	method, key, _ := strings.Cut(got, " ")
	d.kms = method == "aws:kms"
	switch {
	case asked == "" && got == "":
		d.pass(name, "as the store does by itself, which it does not tell; staging.kms_key asks for a key")
	case asked == "":
		d.pass(name, "as the bucket does by itself: "+got+"; staging.kms_key asks for a key")
	case d.kms && isKey(asked, key):
		d.pass(name, "by the KMS key "+key)
	default:
		err := fail.New(fail.BadDataset, "staging.kms_key is %s, and what was written is encrypted by %q", asked, got).At("%s", d.w.Dataset.Staging.URI).
			Try("stage in Amazon S3, or in a store that honours x-amz-server-side-encryption; else take staging.kms_key away")
		d.check(name, "", err, "Parquet and rejected records, personal data among them, would not be encrypted as the dataset says", "")
	}
}

// isKey reports whether the key's ARN is that of the key that was asked for. An
// alias may stand for any key.
func isKey(asked, arn string) bool {
	if strings.HasPrefix(asked, "alias/") || strings.Contains(asked, ":alias/") {
		return arn != ""
	}
	return arn == asked || strings.HasSuffix(arn, ":key/"+asked)
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
