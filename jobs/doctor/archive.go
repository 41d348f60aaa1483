package doctor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"backfill/internal/columns"
	"backfill/internal/fail"
	"backfill/internal/objstore"
	"backfill/internal/runplan"
	"backfill/internal/scan"
	"backfill/jobs/workspace"
)

// archive lists the archive, reads names, and decodes some records of some
// objects. It remembers the sample.
func (d *doctor) archive(ctx context.Context) {
	uri := d.w.Dataset.Archive.URI
	sample, err := d.w.Sample(ctx, sampleKeys)
	if err == nil && len(sample.Data) == 0 {
		err = d.empty(ctx, sample.Ignored)
	}
	if d.fails("archive: list and names", err, "a run finds no record", iamStatement("s3:ListBucket", uri)) {
		d.skip("archive: read", "nothing was listed")
		return
	}
	d.sample = sample
	more := ""
	if !sample.All {
		more = " of the first keys; there are more"
	}
	found := fmt.Sprintf("%d objects with records in %d partitions, %d without%s", len(sample.Data), len(sample.Partitions()), sample.Ignored, more)
	if sample.Layout != "" {
		found += "; layout: " + sample.Layout
	}
	d.pass("archive: list and names", found)
	d.storage()
	read, err := d.read(ctx)
	if d.check("archive: read", read.text(), err, "records can't be read", iamStatement("s3:GetObject", uri)) {
		d.rejects(read)
	}
}

// empty names folders beside an archive that has nothing: mostly a typing error.
func (d *doctor) empty(ctx context.Context, ignored int) error {
	uri := d.w.Archive.Root()
	e := fail.New(fail.EmptyWindow, "there is no object with records (%d others)", ignored).At("%s", d.w.Dataset.Archive.URI)
	parent, _, ok := cutLast(uri.Key)
	if !ok && uri.Key == "" {
		return e.Try("check archive.uri: the whole bucket is empty")
	}
	above, err := objstore.Open(ctx, objstore.URI{Scheme: uri.Scheme, Bucket: uri.Bucket, Key: parent}, objstore.Options{})
	if err != nil {
		return e.Try("check archive.uri")
	}
	var there []string
	var enough = errors.New("enough")
	seen := 0
	err = above.List(ctx, "", func(o objstore.Object) error {
		if folder, _, deeper := strings.Cut(o.Key, "/"); deeper && !slices.Contains(there, folder) {
			there = append(there, folder)
		}
		if seen++; seen == sampleKeys || len(there) == 5 {
			return enough
		}
		return nil
	})
	if (err != nil && !errors.Is(err, enough)) || len(there) == 0 {
		return e.Try("check archive.uri: nothing was found beside it either")
	}
	return e.Try("check archive.uri; beside it stand: %s", strings.Join(there, ", "))
}

func cutLast(key string) (parent, name string, ok bool) {
	i := strings.LastIndexByte(key, '/')
	if i < 0 {
		return "", key, false
	}
	return key[:i], key[i+1:], true
}

// storage looks for objects that must be restored before they can be read.
func (d *doctor) storage() {
	cold, bytes, first := 0, int64(0), ""
	for i, class := range d.sample.Classes {
		if class != "GLACIER" && class != "DEEP_ARCHIVE" {
			continue
		}
		if first == "" {
			first = d.sample.Data[i].Objects[0].Key + " is " + class
		}
		cold++
		bytes += d.sample.Data[i].Bytes
	}
	if cold == 0 {
		d.pass("archive: storage class", "all sampled objects can be read at once")
		return
	}
	d.warn("archive: storage class", fmt.Sprintf("%d of %d sampled objects (%d bytes) are archived: %s", cold, len(d.sample.Data), bytes, first),
		"they can't be read until they are restored, which takes hours", "`backfill plan` says what restoring costs, `plan --restore` asks for it; or exclude the days that they hold from the window")
}

// readings are what decoding the sample gave.
type readings struct {
	objects, rows, dropped, rejected int
	first                            string         // example of a rejected record
	reasons                          map[string]int // by column and reason
}

func (r *readings) text() string {
	return fmt.Sprintf("%d objects opened; of the first records %d become rows, %d are left out by the dataset, %d rejected", r.objects, r.rows, r.dropped, r.rejected)
}

var errEnough = errors.New("enough")

// Rows, Reject and Restart take what scan gives.
func (r *readings) Rows(b *columns.Batch) error { r.rows += b.N; return r.enough() }

// Reject counts a record that could not become a row.
func (r *readings) Reject(x *scan.Rejected) error {
	r.rejected++
	what := strings.TrimSpace(x.Column + " " + x.Reason)
	r.reasons[what]++
	if r.first == "" {
		r.first = fmt.Sprintf("%s, record %d: %s", x.Object, x.Row, what)
	}
	return r.enough()
}

// Restart forgets nothing: the figures are of a sample.
func (r *readings) Restart() error { return errEnough }

func (r *readings) enough() error {
	if r.rows+r.rejected >= (r.objects)*sampleRecords {
		return errEnough
	}
	return nil
}

// read decodes the first records of some objects, whatever their event time.
func (d *doctor) read(ctx context.Context) (*readings, error) {
	r := &readings{reasons: map[string]int{}}
	var inputs []runplan.Input
	for _, c := range d.sample.Data {
		inputs = append(inputs, runplan.Input{Partition: c.Partition, ObjectRef: c.Objects[0]})
	}
	schemas, err := d.w.Schemas(ctx, inputs)
	if err != nil {
		return r, err
	}
	suppressed, err := d.w.Suppressed()
	if err != nil {
		return r, err
	}
	s, err := scan.New(scan.Options{Dataset: d.w.Dataset, Window: d.w.Everything(), Source: d.w, BlockBytes: 1 << 20, MaskKey: d.w.MaskKey, Suppressed: suppressed, Schemas: schemas, Parquet: workspace.SmallParquet(),
		Dropped: func(x *scan.Dropped) error { r.dropped++; return nil }})
	if err != nil {
		return r, err
	}
	defer s.Close() // frees memory only
	for i, c := range d.sample.Spread(sampleObjects) {
		if class := d.classOf(c); class == "GLACIER" || class == "DEEP_ARCHIVE" {
			continue
		}
		r.objects = i + 1
		if _, err := s.Chunk(ctx, c, r); err != nil && !errors.Is(err, errEnough) {
			return r, err
		}
	}
	return r, nil
}

func (d *doctor) classOf(c runplan.Chunk) string {
	for i := range d.sample.Data {
		if d.sample.Data[i].Objects[0].Key == c.Objects[0].Key {
			return d.sample.Classes[i]
		}
	}
	return ""
}

// rejects warns when more records of the sample don't fit than a run allows.
func (d *doctor) rejects(r *readings) {
	if r.rejected == 0 {
		return
	}
	var reasons []string
	for what, n := range r.reasons {
		reasons = append(reasons, fmt.Sprintf("%s (%d)", what, n))
	}
	slices.Sort(reasons)
	d.warn("archive: records fit the dataset", fmt.Sprintf("%d of %d do not: %s; first %s", r.rejected, r.rows+r.rejected+r.dropped, strings.Join(reasons, ", "), r.first),
		"they go to the quarantine, and a run stops when there are more than the dataset's quarantine allows", "`backfill explain REASON` says what each means; correct the columns in the dataset")
}
