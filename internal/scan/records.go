package scan

import (
	"context"
	"slices"

	"backfill/internal/dataset"
	"backfill/internal/decode"
	"backfill/internal/fail"
	"backfill/internal/format"
	"backfill/internal/registry"
	"backfill/internal/runplan"
)

const parquetMagic = "PAR1"

// direct reports whether the object's bytes go straight into columns.
func (p *pass) direct() bool {
	switch p.o.Dataset.Archive.Format {
	case dataset.FormatJSON, dataset.FormatAvro:
		return true
	case dataset.FormatAuto:
		return !p.plain.Begins(parquetMagic) && !p.plain.Begins(format.SequenceMagic)
	}
	return false
}

// begin gives the object's records to the decoder; done frees what that took.
func (p *pass) begin(ctx context.Context, ref runplan.ObjectRef) (done func(), err error) {
	ds := p.o.Dataset
	p.frames, p.frame = nil, registry.Opened{}
	if f := ds.Archive.Format; (f == dataset.FormatJSON || f == dataset.FormatAvro || f == dataset.FormatParquet) && p.plain.Begins(format.SequenceMagic) {
		return func() {}, fail.New(fail.BadLayout, "the object is a SequenceFile, and archive.format says %s", f).Try("write archive.format: auto, or exclude the object from the archive")
	}
	if p.direct() && !p.packed() {
		p.decoder.Reset(&p.timed)
		return func() {}, nil
	}
	read := p.records
	if ds.Records.Envelope.Joined {
		read = func() (decode.Records, func(), error) { return p.joined(ctx, ref) }
	}
	records, done, err := read()
	if err != nil {
		return done, err
	}
	if ds.Records.Unpack != "" {
		records = format.NewUnpack(records, format.Unpack{Path: ds.Records.Packed(), Base64: ds.Records.Unpack == dataset.UnpackBase64})
	}
	if ds.Records.Registry != nil {
		records = p.unframed(records)
	}
	for _, path := range ds.Records.JSONIn {
		records = format.NewUnpack(records, format.Unpack{Path: ds.Records.Resolve(path)})
	}
	if ds.Records.Deletes {
		records = format.NewDeletes(records, deletes(ds))
	}
	p.decoder.ResetRecords(records)
	return done, nil
}

// deletes says where the dataset's deletions stand.
func deletes(ds *dataset.Dataset) format.Deletes {
	e := ds.Records.Envelope
	o := format.Deletes{Value: e.Value, Keys: ds.Records.KeyDeletes, Field: dataset.DeletedField, Witness: e.Witness()}
	if i := slices.Index(e.Layers, dataset.LayerDebezium); i >= 0 {
		o.Before = append(slices.Clone(e.Value[:e.Depth(i)]), "before")
		o.Op = append(slices.Clone(e.Value[:e.Depth(i)]), "op")
	}
	return o
}

// packed reports whether values must be opened before they are read.
func (p *pass) packed() bool {
	r := p.o.Dataset.Records
	return r.Envelope.Joined || r.Unpack != "" || r.Registry != nil || len(r.JSONIn) > 0 || r.Deletes
}

// records opens the object as records that are texts.
func (p *pass) records() (records decode.Records, done func(), err error) {
	done = func() {}
	limits, a := p.o.Parquet, p.o.Dataset.Archive
	limits.RecordBytes = p.o.RecordBytes
	switch {
	case p.direct():
		records, err = decode.NewRecords(&p.timed, formatOf(a.Format), decode.Limits{BlockBytes: p.o.BlockBytes, RecordBytes: p.o.RecordBytes})
		return records, done, err
	case a.Format == dataset.FormatCSV:
		o := format.CSV{Columns: a.CSV.Columns}
		if a.CSV.Delimiter != "" {
			o.Delimiter = a.CSV.Delimiter[0]
		}
		return format.NewCSV(&p.timed, o, limits), done, nil
	case a.Format == dataset.FormatText, a.Format == dataset.FormatBytes:
		return format.NewText(&p.timed, format.Text{Delimiter: a.Delimiter, Binary: a.Format == dataset.FormatBytes}, limits), done, nil
	case a.Format == dataset.FormatAuto && p.plain.Begins(format.SequenceMagic):
		records, err = format.NewSequence(&p.timed, limits)
		return records, done, err
	case !p.plain.Begins(parquetMagic):
		return nil, done, fail.New(fail.BadLayout, "the object is no Parquet file, and archive.format says parquet").
			Try("write archive.format: auto, or exclude the object from the archive")
	}
	file, err := format.NewParquet(&p.timed, limits)
	if err != nil {
		return nil, done, err
	}
	return file, func() { _ = file.Close() }, nil
}
